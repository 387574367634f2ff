"""Small files that a process keeps, whole after a crash or on a full disk; and the ends of logs."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from streams.errors import OtpguardError, UnavailableError, UsageError

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""There is no room, or no more is allowed to this user or in this file."""


def unwritten(path: Path, error: OSError, told: str = "") -> OtpguardError:
    """Return what to raise for a file of the user's that could not be written.

    A full disk may have room later; any other cause is the name that was given. `told` is the
    sentence where there is more to say than the path and the cause.
    """
    kind = UnavailableError if error.errno in FULL else UsageError
    return kind(told or f"{path}: {error.strerror}")


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put a file of this content in the place of another at once, and only when it is on disk.

    `mode` is that of the new file, before the process's mask. Of two at once the last one stands.
    Raise OSError; then the old file is as it was.
    """
    with whole_file(path, path.name, mode=mode) as out:
        out.write(content)


@contextmanager
def whole_file(path: Path, name: str, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a new file that takes this path when the block ends, and only when it is on disk.

    Until then it has a name of its own, by `name`, and is locked: what a process that was killed
    left beside it, by the same `name` and under no lock, is removed first. Raise OSError; then
    what was at this path stays.
    """
    with suppress(OSError):  # a folder need not be readable
        for left in path.parent.iterdir():
            if re.fullmatch(rf"{re.escape(name)}\.[0-9a-f]{{8}}\.part", left.name):
                _clear(left)
    scratch, number = _locked(path.parent, name, mode)
    try:
        with os.fdopen(number, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
            scratch.replace(path)  # under the lock still
    except BaseException:  # an interrupt too
        scratch.unlink(missing_ok=True)
        raise


def _locked(folder: Path, name: str, mode: int) -> tuple[Path, int]:
    """Make a file and lock it; another one where somebody cleared it in between."""
    while True:
        scratch = folder / f"{name}.{secrets.token_hex(4)}.part"
        number = os.open(scratch, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, mode)
        with suppress(OSError):  # where there are no locks nothing is cleared either
            fcntl.flock(number, fcntl.LOCK_EX)
        if os.fstat(number).st_nlink:
            return scratch, number
        os.close(number)


def _clear(left: Path) -> None:
    """Remove a file unless a process holds it. One that cannot be asked about stays."""
    with suppress(OSError):
        number = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
        finally:
            os.close(number)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a file. Raise OSError, or ValueError for all that is no TOML.

    So is what nests without end, of which the parser itself raises RecursionError.
    """
    import tomllib  # noqa: PLC0415 - start-up time

    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except RecursionError as error:
        raise ValueError(str(error)) from None


def last_lines(path: Path, number: int) -> str:
    """Return the end of a log; what is no UTF-8 in it is shown as such. Raise OSError."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-number:])
