"""`otpguard canary`: it floods reserved numbers alone, and says what it lacks."""

from __future__ import annotations

from pathlib import Path

from streams.errors import ConfigError, UnavailableError
from tests.streams.cli.called import NOWHERE, refused, settings_file


def test_numbers_that_would_never_rest_are_refused(tmp_path: Path) -> None:
    config = settings_file(tmp_path, "[canary]\nnumbers = 10")
    refused(ConfigError, "2.5 days of rest", "canary", "--once", "--config", config)


def test_a_broker_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    refused(UnavailableError, NOWHERE, "canary", "--once", "--config", config)
