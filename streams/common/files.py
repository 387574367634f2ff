"""Replaces small files atomically, even in a crash or on a full disk; reads TOML and logs."""

import errno
import fcntl
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Literal, TypeVar

from streams.common.errors import ConfigError, OtpguardError, UnavailableError, UsageError

T = TypeVar("T")

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a full disk, an exceeded quota, or a file over its size limit."""


def unwritten(path: Path, error: OSError, told: str = "") -> OtpguardError:
    """Return the error to raise for a file of the user that could not be written.

    A full disk may have space later, so the error is UnavailableError. Any other cause lies in the
    given path, so the error is UsageError. `told` is the message, if there is more to say than path
    and cause.
    """
    kind = UnavailableError if error.errno in FULL else UsageError
    return kind(told or f"{path}: {error.strerror}")


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Replace a file atomically, once the new content is safely on disk.

    `mode` is the file mode before the process's umask. If two processes write at once, the last one
    wins. Raise OSError; the old file is then unchanged.
    """
    with whole_file(path, path.name, mode=mode) as out:
        out.write(content)


@contextmanager
def whole_file(path: Path, name: str, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a new file that takes this path when the block ends and the file is safely on disk.

    Until then the file has a temporary name based on `name`, and is locked. Unlocked temporary
    files of the same `name`, left by a killed process, are deleted first. Raise OSError; the old
    file is then unchanged.
    """
    with suppress(OSError):  # the folder may be unreadable
        for left in path.parent.iterdir():
            if re.fullmatch(rf"{re.escape(name)}\.[0-9a-f]{{8}}\.part", left.name):
                _clear(left)
    scratch, number = _lock_temporary(path.parent, name, mode)
    try:
        with os.fdopen(number, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
            scratch.replace(path)  # while the lock is still in place
    except BaseException:  # includes KeyboardInterrupt
        scratch.unlink(missing_ok=True)
        raise


def _lock_temporary(folder: Path, name: str, mode: int) -> tuple[Path, int]:
    """Create and lock a temporary file. Try again if another process deleted it in between."""
    while True:
        scratch = folder / f"{name}.{secrets.token_hex(4)}.part"
        number = os.open(scratch, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, mode)
        with suppress(OSError):  # on a file system without locks nothing is deleted either
            fcntl.flock(number, fcntl.LOCK_EX)
        if os.fstat(number).st_nlink:
            return scratch, number
        os.close(number)


@contextmanager
def piped(work: Callable[[IO[bytes]], Any], mode: Literal["rb", "wb"]) -> Iterator[IO[bytes]]:
    """Run `work` in a thread with one end of a pipe; yield the other end to the block.

    `mode`: "rb" if the block reads what `work` writes; "wb" if `work` reads what the block writes.
    An error of `work` is raised when the block ends, also in place of an error of the block. If the
    block stops reading early, `work` ends, and this is no error.
    """
    read, write = os.pipe()
    ends = os.fdopen(read, "rb"), os.fdopen(write, "wb")
    mine, other = ends if mode == "rb" else ends[::-1]

    def run() -> None:
        with other:
            work(other)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(run)
        try:
            with mine:
                yield mine
        finally:
            with suppress(BrokenPipeError):
                done.result()


def _clear(left: Path) -> None:
    """Delete a temporary file unless a process has it locked, or its lock cannot be checked."""
    with suppress(OSError):
        number = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
        finally:
            os.close(number)


def read_bytes(path: Path, kind: type[OtpguardError] = ConfigError) -> bytes:
    """Return the bytes of a file. Raise an error of this kind, for people, if that fails."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise kind(f"{path}: {error.strerror}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file. Raise OSError, or ValueError if the file is not TOML.

    This includes files with very deep nesting, for which the parser raises RecursionError.
    """
    import tomllib  # noqa: PLC0415 - start-up time

    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except RecursionError as error:
        raise ValueError(str(error)) from None


def convert_toml(setting: str, path: Path, convert: Callable[[dict[str, Any]], T]) -> T:
    """Read the TOML file that a setting names, and convert its tables.

    Raise ConfigError with setting, path and cause, also for ValueError and KeyError of `convert`.
    """
    try:
        return convert(read_toml(path))
    except (OSError, ValueError, KeyError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{setting} {path}: {said}") from None


def toml_value(value: Any) -> str | None:
    """Return a setting's value in TOML; None if there is no value.

    >>> toml_value("ab"), toml_value(True), toml_value({"gw1": "minute"}), toml_value(None)
    ('"ab"', 'true', '{"gw1" = "minute"}', None)
    """
    match value:
        case None:
            return None
        case bool() | int() | float():
            return str(value).lower()
        case dict():
            pairs = (f"{_toml_string(key)} = {toml_value(each)}" for key, each in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list() | tuple():
            return "[" + ", ".join(str(toml_value(each)) for each in value) + "]"
        case _:
            return _toml_string(value)


def _toml_string(value: object) -> str:
    """Return a string in TOML, which is JSON except for one more escaped character."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def last_lines(path: Path, number: int) -> str:
    """Return the last lines of a log, with replacement characters for bytes that are not UTF-8.

    Raise OSError if the log cannot be read.
    """
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-number:])
