"""The program: what a user can put right is one line and an exit code, no traceback."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest

from streams.__main__ import main
from streams.errors import Exit


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["otpguard", *words])
    with pytest.raises(SystemExit) as found:
        main()
    return int(found.value.code or 0)


def test_the_version_is_told_and_nothing_else_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, "--version") == Exit.DONE
    assert capsys.readouterr().out == f"otpguard {version('otpguard')}\n"


def test_an_error_of_ours_is_one_line_with_its_own_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, "replay", "no\x1bwhere") == Exit.USAGE
    told = capsys.readouterr()
    assert told.err.startswith("otpguard: ")
    assert "\x1b" not in told.err, "a name may be foreign text"
    assert (len(told.err.splitlines()), told.out) == (1, "")
    assert ended(monkeypatch, "config", "check", "-c", "nowhere.toml") == Exit.CONFIG


def test_without_a_word_it_helps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch) == Exit.USAGE
    told = capsys.readouterr()
    assert "Usage: otpguard" in told.out + told.err
