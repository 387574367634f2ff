"""The settings file that nobody named: where it is looked for, and that it is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from streams.common.errors import ConfigError
from tests.waiting import END_S

config: Any = import_module("streams.config.load")  # the package has a function of that name
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTPGUARD_CONFIG", raising=False)


def run(folder: Path, *words: str, **environment: str) -> tuple[str, str]:
    """What it says on standard output and on standard error, in this folder."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTPGUARD_")}
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words], capture_output=True, text=True, check=True,
        cwd=folder, env=clean | {"PYTHONPATH": str(ROOT)} | environment, timeout=END_S,
    )  # fmt: skip
    return done.stdout, done.stderr


def test_the_file_in_the_folder_at_hand_counts_and_is_said_if_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_text("epoch = 7")
    shown, said = run(tmp_path, "config", "show", "--json")
    (epoch,) = [each for each in json.loads(shown) if each["name"] == "epoch"]
    assert (epoch["value"], epoch["source"]) == (7, "otpguard.toml")
    assert said == ""
    for words in (("config", "show", "--json", "-v"), ("--verbose", "config", "show", "--json")):
        assert run(tmp_path, *words) == (shown, f"otpguard: settings of {path}\n")


@pytest.mark.parametrize("named", ["option", "variable", "no file at all"])
def test_a_file_that_is_named_counts_alone_and_needs_no_saying(tmp_path: Path, named: str) -> None:
    (tmp_path / "otpguard.toml").write_text("epoch = 7")
    other = tmp_path / "other.toml"
    other.write_text("epoch = 8")
    words = ("--config", str(other)) if named == "option" else ()
    variables = {"variable": {"OTPGUARD_CONFIG": str(other)}, "option": {}}
    environment = variables.get(named, {"OTPGUARD_CONFIG": ""})
    shown, said = run(tmp_path, "config", "show", "--json", *words, **environment)
    (epoch,) = [each for each in json.loads(shown) if each["name"] == "epoch"]
    assert epoch["value"] == (1 if named == "no file at all" else 8)
    assert said == ""


def test_that_of_the_folder_comes_before_that_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(map(str, config.PLACES)) == ["otpguard.toml", "/etc/otpguard/otpguard.toml"]
    here, machine = tmp_path / "here.toml", tmp_path / "etc" / "otpguard.toml"
    monkeypatch.setattr(config, "PLACES", (here, machine))
    assert config.found_path() is None
    machine.parent.mkdir()
    machine.write_text("epoch = 1")
    assert config.found_path() == machine
    here.write_text("")  # `config template > otpguard.toml` makes the file before it runs
    assert config.found_path() == machine
    here.write_text("epoch = 2")
    assert config.found_path() == here


def test_a_file_that_a_stranger_put_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_text("epoch = 2")
    if os.geteuid() == 0:
        os.chown(path, 54_321, 54_321)
    else:  # only root can give a file away; who runs is the stranger then
        monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    monkeypatch.setattr(config, "PLACES", (path,))
    with pytest.raises(ConfigError, match="belongs to somebody else: --config says"):
        config.found_path()
    monkeypatch.setenv("SUDO_UID", str(path.stat().st_uid))
    assert config.found_path() == path
