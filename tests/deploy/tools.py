"""Runs the programs that check the files of `deploy/`, and reports their errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.enforce.services import CACHE, need

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
GRAFANA: Final = ROOT / "deploy" / "grafana"
RUNBOOKS: Final = ROOT / "deploy" / "runbooks"

PACKAGES: Final = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "docker-compose": "docker-compose",
    "shellcheck": "shellcheck",
    "systemd-analyze": "systemd",
}
"""Program -> Debian package; `.ci/packages` installs them."""


CHECKOV: Final = "3.3.30"
"""In an environment of its own: it wants older versions of what others here need."""


def program(name: str) -> str:
    """Its path; without it the test is skipped, and in CI it fails."""
    if name == "checkov":
        return str(_own(name, CHECKOV))
    if (beside := Path(sys.executable).with_name(name)).exists():
        return str(beside)
    return need(name, PACKAGES[name])


def _own(name: str, version: str) -> Path:
    """A Python program in an environment that is made for it, once."""
    home = CACHE.absolute() / f"{name}-{version}"
    program = home / "bin" / name
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        command = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*command, f"{name}=={version}"], check=True)
    return program


def ran(
    name: str,
    *words: str | Path,
    said: str | None = None,
    cwd: Path | None = None,
    **environment: str,
) -> tuple[int, str]:
    """Exit code and everything that a program says."""
    done = subprocess.run(
        [program(name), *map(str, words)], input=said, capture_output=True, text=True, check=False,
        cwd=cwd, env={**os.environ, **environment},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def check(
    name: str,
    *words: str | Path,
    said: str | None = None,
    cwd: Path | None = None,
    **environment: str,
) -> str:
    """What a program says when all is well; anything else ends the test with what it said."""
    code, output = ran(name, *words, said=said, cwd=cwd, **environment)
    if code:
        pytest.fail(output)
    return output
