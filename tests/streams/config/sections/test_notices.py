"""Notices and reports: what contradicts itself is refused."""

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
        ("[notify]\nreply = true", "notify: reply needs reply_to and reply_gateways"),
        ('[notify]\nurl = "https://h:port/x"', "notify: url: host and port cannot be read"),
        ('[smpp]\npassword = "123456789"', "smpp: a password of SMPP has 8 characters at most"),
        ('[reports]\npassword_file = "/nowhere/p"', "reports: password_file /nowhere/p: No such"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load(written(tmp_path, text)).params()
