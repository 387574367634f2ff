"""Builders that test_diagnosis.py shares with other tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.waiting import END_S

NAMES = ("input", "throttle", "episode", "acks", "override", "everyone", "undeliverable",
         "dead_letters", "incident", "counts", "audit", "notice", "campaign", "platform_parts",
         "platform")  # fmt: skip


def doctor(
    config: Path, *words: str, command: tuple[str, ...] = ("doctor",)
) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code, and the findings by name."""
    done = subprocess.run(
        [sys.executable, "-m", "streams", *command, "--json", "--config", str(config), *words],
        capture_output=True, text=True, check=False, timeout=END_S,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, {each["check"]: each for each in json.loads(done.stdout or "[]")}
