"""`otpguard shadow-report`: spans and brokers that cannot be; sums are in `operate/test_shadow`."""

from __future__ import annotations

from pathlib import Path

from streams.errors import UnavailableError, UsageError
from tests.streams.cli.called import NOWHERE, refused, settings_file


def test_a_span_that_is_none_is_refused_before_a_broker_is_asked(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    refused(UsageError, "soon", "shadow-report", "--since", "soon", "--config", config)


def test_a_broker_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    refused(UnavailableError, NOWHERE, "shadow-report", "--config", settings_file(tmp_path))
