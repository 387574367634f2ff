"""Builders that test_cli.py shares with other tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.waiting import END_S

ROOT = Path(__file__).parents[4]


def otpguard(
    *arguments: str, given: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTPGUARD_")}
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        input=given,
        capture_output=True,
        cwd=ROOT,
        env=clean | environment,
        timeout=END_S,
        check=False,
    )
