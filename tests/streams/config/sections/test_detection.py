"""What a worker reads and decides by: what contradicts itself is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.common.errors import ConfigError
from streams.config import load
from tests.builders.streams.config.load import written


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[input]\ncountry = "XX"', "input: country XX has no numbering plan"),
        (
            '[input]\ncountry = "China"',
            "input.country: not of the form that is wanted (ISO 3166 code",
        ),
        ("[detect]\nlease_s = 1800", "detect: a lease must end before its episode does"),
        ("[detect]\nrecipients_max = 999999999", "detect: rows_max must be"),
        ("mode = ", "Invalid value"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load(written(tmp_path, text)).params()
