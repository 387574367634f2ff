"""The demo's desk: its clock, its settings, and an end that is its starter's."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from streams.common.errors import OtpguardError
from streams.tools.demo import desk_process as module
from streams.tools.demo.audience import Audience
from streams.tools.demo.desk_process import DeskProcess, StoryTime, is_installed, settings_of_demo


def test_the_clock_is_that_of_whoever_plays() -> None:
    time_, server = StoryTime(1_000), SimpleNamespace(should_exit=False)
    assert time_() == 1_000
    time_.read_line(io.StringIO("60000 0\n"), SimpleNamespace())
    assert time_() == 60_000
    time_.read_line(io.StringIO("5 0\n0 60000000\n"), server)
    assert time_() > 0, "it goes on by itself"
    assert server.should_exit, "the desk ends with its input"


def test_the_desk_has_files_and_ports_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "otpguard.toml"
    config.write_text("[http]\nport = 9464\n")
    settings = settings_of_demo(config, 8123)
    assert settings.desk.store == f"sqlite:///{tmp_path}/desk.db"
    assert settings.http.port == 0, "not the worker's"
    assert (settings.console.host, settings.console.port) == ("127.0.0.1", 8123)


def test_without_its_packages_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed()
    monkeypatch.setattr(module, "find_spec", lambda name: name if name != "uvicorn" else None)
    assert not is_installed()


def test_a_desk_that_does_not_start_is_said_with_the_end_of_its_log(tmp_path: Path) -> None:
    config = tmp_path / "otpguard.toml"
    config.write_text('kafka = {bootstrap = "127.0.0.1:9"}\n')
    with DeskProcess(config, tmp_path / "desk.log", lambda _: None) as desk:
        desk.process.wait()
        with pytest.raises(OtpguardError, match="no broker answers"):
            desk.show(Audience(Console(file=io.StringIO()), str))
    assert desk.process.poll() is not None
