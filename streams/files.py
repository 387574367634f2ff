"""Small files that a process keeps: after a crash or on a full disk the old one is whole."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put a file of this content in the place of another at once, and only when it is on disk.

    `mode` is that of the new file, before the process's mask. Raise OSError; then the old file is
    as it was.
    """
    scratch = path.with_name(f"{path.name}.new")
    number = os.open(scratch, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    try:
        with os.fdopen(number, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
