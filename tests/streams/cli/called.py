"""Calls commands in this process, because starting the program takes a second each time."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.__main__ import app
from streams.common.errors import OtpguardError

NOWHERE = "127.0.0.1:9"
"""The discard port: nobody listens."""


def called(*words: str, code: int = 0, given: bytes | str = "") -> str:
    """What a command writes to standard output; it has to end with this code."""
    done = CliRunner().invoke(app, list(words), input=given, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout


def ended(*words: str) -> subprocess.CompletedProcess[str]:
    """What a process with these words would write, and its exit code, also after an error."""
    done = CliRunner().invoke(app, list(words), prog_name="otpguard")
    code, said = done.exit_code, done.stderr
    if isinstance(done.exception, OtpguardError):
        code, said = int(done.exception.exit_code), f"{said}otpguard: {done.exception}\n"
    elif done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, code, done.stdout, said)


def refused(kind: type[OtpguardError], says: str, *words: str, given: bytes | str = "") -> None:
    """A command ends in one sentence that a person can act upon."""
    with pytest.raises(kind, match=re.escape(says)):
        CliRunner().invoke(app, list(words), input=given, catch_exceptions=False)


def settings_file(folder: Path, *lines: str) -> str:
    """A settings file; its broker is nowhere unless the lines say otherwise."""
    path = folder / "otpguard.toml"
    path.write_text("\n".join([f'kafka.bootstrap = "{NOWHERE}"', *lines]), encoding="utf-8")
    return str(path)
