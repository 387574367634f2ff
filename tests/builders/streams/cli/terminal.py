"""Runs Python in a terminal of its own, because commands print otherwise to a person there."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import termios

from tests.builders.streams.cli.cli import ROOT


def in_a_terminal(columns: int, *arguments: str, **changes: str) -> str:
    """Return what Python, called with these arguments, writes to a terminal of this width.

    `changes`: further variables of the environment.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    # A terminal's own size is asked for, not what this process was told of another.
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    ran = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env={**environment, "TERM": "xterm", **changes},
    )  # fmt: skip
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # of a terminal that its last user has left
        while read := os.read(ours, 4096):
            written += read
    os.close(ours)
    assert ran.wait() == 0
    return written.decode()
