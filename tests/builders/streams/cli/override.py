"""Builders that test_override.py shares with other tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.waiting import END_S


def otpguard(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", *words, "--config", str(folder / "otpguard.toml")],
        capture_output=True, text=True, check=False, timeout=END_S,
    )  # fmt: skip
