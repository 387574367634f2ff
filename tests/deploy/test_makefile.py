"""The Makefile's virtual environment: made once, however many want it at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.tools import ROOT
from tests.waiting import END_S, STILL_S

PYTHON: Final = """#!/bin/bash
# A Python that makes virtual environments of itself, slowly, and installs nothing.
case "$*" in
-V) echo "Python 3" && exit ;;
esac
echo "$2" >>calls
for _ in $(seq {tenths}); do
    [ "$(wc -l <calls)" -lt {calls} ] || break
    sleep 0.1
done
if [ "$2" = venv ]; then
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    [ ! -e killed ] || exit 1
    cp "$0" "$3/bin/pip"
fi
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "deploy/locks/runtime.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(folder: Path, calls: int) -> subprocess.Popen[str]:
    """Start `make`; a step takes until there were so many steps, or two seconds pass."""
    python = folder / "python"
    python.write_text(PYTHON.format(tenths=int(STILL_S * 10), calls=calls))
    python.chmod(0o755)
    words = ["make", ".venv/.runtime", f"PYTHON={python}"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.Popen(
        words, cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_the_environment_is_made_once_by_two_makes_at_once(folder: Path) -> None:
    running = [make(folder, calls=2) for _ in range(2)]
    said = [each.communicate(timeout=END_S)[0] for each in running]
    assert [each.returncode for each in running] == [0, 0], said
    assert (folder / "calls").read_text().split() == ["venv", "pip", "pip"]


def test_an_environment_that_was_left_half_made_is_made_whole(folder: Path) -> None:
    (folder / "killed").touch()
    first = make(folder, calls=1)
    first.communicate(timeout=END_S)
    assert first.returncode != 0
    assert (folder / ".venv/bin/python").exists()
    (folder / "killed").unlink()
    (folder / "calls").unlink()
    second = make(folder, calls=1)
    said = second.communicate(timeout=END_S)[0]
    assert second.returncode == 0, said
    assert (folder / "calls").read_text().split() == ["venv", "pip", "pip"]
