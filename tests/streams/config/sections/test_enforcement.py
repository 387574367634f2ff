"""What stands at gateways: contradictions, and numbers of the flood that tries them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from streams.common.errors import ConfigError
from streams.config import load
from streams.config.sections.enforcement import Canary
from tests.builders.streams.config.load import written


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[gate]\nhost = "0.0.0.0"', "gate: host 0.0.0.0 is not loopback and there is no"),
        ('[feed]\navro_schemas = {x = "a.avsc"}', "feed: avro_schemas: x is no schema id"),
        ('[redis]\nurl = "redis://a:b:c/@h"', "redis: url: host and port cannot be read"),
        (
            '[kannel]\nadmin_url = "http://h:port/x"',
            "kannel: admin_url: host and port cannot be read",
        ),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load(written(tmp_path, text)).params()


def test_the_last_tenth_of_reserved_numbers_is_for_one_flood() -> None:
    assert Canary(numbers=2000).turns == 1800
    with pytest.raises(ValidationError, match=r"2\.5 days of rest"):
        Canary(numbers=10)


def test_a_canary_comes_as_often_as_its_alert_expects() -> None:
    """The alert rings 16 minutes after the last success, whatever the period is."""
    assert Canary(period_s=300).period_s == 300
    with pytest.raises(ValidationError, match="period_s must be at most 300"):
        Canary(period_s=301)
