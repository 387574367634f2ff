"""The demo's desk: its clock, its settings, and an end that is its starter's."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.demo import desk as module
from streams.demo.clock import EventClock
from streams.demo.desk import DeskProcess, StoryTime, installed, settings_of_demo
from streams.errors import OtpguardError


def test_the_clock_is_that_of_whoever_plays() -> None:
    time_ = StoryTime(EventClock(1_000, 0))
    assert time_() == 1_000
    time_.heed("60000 0\n")
    assert time_() == 60_000
    time_.heed("0 60000000\n")
    assert time_() > 0, "it goes on by itself"


def test_the_desk_has_files_and_ports_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "otpguard.toml"
    config.write_text("[http]\nport = 9464\n")
    settings = settings_of_demo(config)
    assert settings.desk.store == f"sqlite:///{tmp_path}/desk.db"
    assert settings.http.port == 0, "not the worker's"
    assert settings.console.host == "127.0.0.1"


def test_without_its_packages_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed()
    monkeypatch.setattr(module, "PACKAGES", ("not_there_at_all",))
    assert not installed()


def test_a_desk_that_does_not_start_is_said_with_the_end_of_its_log(tmp_path: Path) -> None:
    config = tmp_path / "otpguard.toml"
    config.write_text('kafka = {bootstrap = "127.0.0.1:9"}\n')
    with DeskProcess(config, tmp_path / "desk.log") as desk:
        desk.process.wait()
        with pytest.raises(OtpguardError, match="no broker answers"):
            _ = desk.link
    assert desk.process.poll() is not None
