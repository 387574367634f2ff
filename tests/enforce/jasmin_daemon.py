"""Runs a daemon of Jasmin with its lock in the working folder.

Jasmin locks by fixed names in /tmp, so that a machine runs one; tests may run beside each other.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import lockfile

_FileLock = lockfile.FileLock


def _here(path: str) -> Any:
    return _FileLock(Path(path).name)


if __name__ == "__main__":
    lockfile.FileLock = _here
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
