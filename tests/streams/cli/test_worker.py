"""`otpguard worker`: settings are read before anything starts; `test_app` runs the worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.common.errors import ConfigError, Exit
from tests.ports import free_port
from tests.streams.cli.called import NOWHERE, called, refused, settings_file


def test_wrong_settings_start_nothing(tmp_path: Path) -> None:
    config = settings_file(tmp_path, 'mode = "on"')
    refused(ConfigError, "mode", "worker", "--config", config)


def test_without_a_broker_it_gives_up_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = settings_file(
        tmp_path, f"http.port = {free_port()}", f'worker.data_dir = "{tmp_path}"'
    )
    called("worker", "--config", config, code=Exit.TRY_AGAIN)
    (said,) = [each.getMessage() for each in caplog.records if each.levelname == "CRITICAL"]
    assert said.startswith(f"no broker answers at {NOWHERE}")
