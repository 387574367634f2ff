"""The programs that check what `deploy/` ships, and the answer when one fails."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.enforce.services import need

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
GRAFANA: Final = ROOT / "deploy" / "grafana"
RUNBOOKS: Final = ROOT / "deploy" / "runbooks"

PACKAGES: Final = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
}
"""Program -> Debian package; `.ci/packages` installs them."""


def program(name: str) -> str:
    """Its path; without it the test is skipped, and in CI it fails."""
    return need(name, PACKAGES[name])


def ran(name: str, *words: str | Path, said: str | None = None) -> tuple[int, str]:
    """Exit code and everything that a program says."""
    done = subprocess.run(
        [program(name), *map(str, words)], input=said, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def check(name: str, *words: str | Path, said: str | None = None) -> str:
    """What a program says when all is well; anything else ends the test with what it said."""
    code, output = ran(name, *words, said=said)
    if code:
        pytest.fail(output)
    return output
