"""`otpguard feed`: mistakes are said before anything is published."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cli.feed_csv import zone_of
from streams.common.errors import UsageError
from streams.config import Settings
from tests.streams.cli.called import refused, settings_file


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("csv", "-", "--map", "recipient"), "is not of the form target=source"),
        (("csv", "-", "--preset", "smsc"), "no preset 'smsc'"),
        (("csv", "-", "--only", "x"), "is not of the form column=value"),
        (("jsonl", "-", "--map", "colour=x"), "has no field 'colour'"),
        (("jsonl", "-", "--map", "recipent=x"), "Did you mean recipient?"),
        (("kafka", "cdr", "--set", "segment=one"), "segment"),
        (("jsonl", "-", "--time", "is"), "--time is: one of s, ms, us, ns, iso"),
        (("jsonl", "-", "--time", "is"), "Did you mean iso?"),
        (("csv", "-", "--time", "%Y%m%d%Q"), "--time %Y%m%d%Q: "),
        (("kafka", "cdr", "--time", "YYYY-MM-DD"), "--time YYYY-MM-DD: "),
    ],
)
def test_a_wrong_word_is_said_at_once(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    refused(UsageError, says, "feed", *words, "--config", settings_file(tmp_path))


@pytest.mark.parametrize(
    ("country", "time_format", "zone", "found", "said"),
    [
        ("CN", "iso", None, "Asia/Shanghai", True),
        ("US", "iso", None, None, False),
        ("CN", "ms", None, None, False),
        ("CN", None, None, None, False),
        ("CN", "iso", "UTC", "UTC", False),
    ],
)
def test_a_zone_that_is_guessed_is_said(
    country: str, time_format: str | None, zone: str | None, found: str | None, said: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    settings = Settings()
    input_ = settings.input.model_copy(update={"country": country})
    assert zone_of(settings.model_copy(update={"input": input_}), time_format, zone) == found
    assert bool(capsys.readouterr().err) is said
