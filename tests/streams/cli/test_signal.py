"""`otpguard signal` as typed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from streams.errors import ConfigError, UnavailableError
from tests.streams.cli.called import called, refused, settings_file


def test_the_description_is_written_as_it_is() -> None:
    assert (
        yaml.safe_load(called("signal", "openapi"))["info"]["title"] == "Verification Flood Signal"
    )


def test_serving_needs_a_broker_and_settings(tmp_path: Path) -> None:
    store = f'desk.store = "sqlite:///{tmp_path / "desk.db"}"'
    refused(
        UnavailableError,
        "cannot reach Kafka",
        "signal",
        "serve",
        "-c",
        settings_file(tmp_path, store),
    )
    config = settings_file(tmp_path, 'signal.host = "0.0.0.0"')
    with pytest.raises(ConfigError, match="not loopback"):
        called("signal", "serve", "-c", config)
