"""Small files that a process keeps, whole after a crash or on a full disk; and the ends of logs."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import Any, Final

from streams.errors import OtpguardError, UnavailableError, UsageError

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""There is no room, or no more is allowed to this user or in this file."""


def unwritten(path: Path, error: OSError) -> OtpguardError:
    """Return what to raise for a file of the user's that could not be written.

    A full disk may have room later; any other cause is the name that was given.
    """
    kind = UnavailableError if error.errno in FULL else UsageError
    return kind(f"{path}: {error.strerror}")


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put a file of this content in the place of another at once, and only when it is on disk.

    `mode` is that of the new file, before the process's mask. Of two at once the last one stands.
    Raise OSError; then the old file is as it was.
    """
    scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    number = os.open(scratch, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode)
    try:
        with os.fdopen(number, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        scratch.replace(path)
    except BaseException:  # an interrupt too: nobody would write over this name again
        scratch.unlink(missing_ok=True)
        raise


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a file. Raise OSError, or ValueError for all that is no TOML.

    So is what nests without end, of which the parser itself raises RecursionError.
    """
    import tomllib  # noqa: PLC0415 - start-up time

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except RecursionError as error:
        raise ValueError(str(error)) from None


def last_lines(path: Path, number: int) -> str:
    """Return the end of a log; what is no UTF-8 in it is shown as such. Raise OSError."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-number:])
