"""Remembers how far each file is published, in `<file>.progress` and `<file>.rejects` beside it.

A file is recognised by its content: the first and last bytes of the published part must be
unchanged. A different file of the same name starts from the beginning, for example a file that was
truncated and rewritten, or tomorrow's file. A file that was renamed by log rotation is found by its
inode.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from streams.common import replace_file, tr, unwritten
from streams.wire.version import UNDECODABLE

FILES_MAX: Final = 8  # Files of one name that are remembered; a rotation keeps only a few.
PART_BYTES: Final = 1 << 20  # Bytes hashed at the beginning and at the end of the published part.


class FilePlace(msgspec.Struct, frozen=True):
    """The position up to which one file is published, and the mapping rules that applied."""

    fingerprint: str  # Hash of its first lines; part of the ids of its records.
    device: int
    inode: int
    offset: int  # bytes
    lines: int
    raw: int  # Number of bytes on disk (compressed or not) that `hash_ends` covers.
    hashed: str  # Hash of the first and last bytes of that part.
    rules: str


class RejectedRow(msgspec.Struct, frozen=True):
    """The position of a record that could not be published, and the reason; none of its content."""

    fingerprint: str
    file: str
    line: int
    start: int  # bytes
    end: int
    reason: str


class _Kept(msgspec.Struct):
    files: list[FilePlace] = []


class Progress:
    """The remembered positions of all files that had one name."""

    def __init__(self, file: Path, stream: IO[bytes], *, headed: bool, remember: bool) -> None:
        """`stream` is the open file, decompressed; `headed`: its first line is not a record.

        Without `remember`, no position is known and nothing is written.
        """
        self._remember = remember
        self._file = file
        self._disk = stream.fileno()
        self._packed = isinstance(stream, gzip.GzipFile)
        self._path = file.with_name(f"{file.name}.progress")
        self.rejects_path = file.with_name(f"{file.name}.rejects")
        found = os.fstat(self._disk)
        self._device, self._inode = found.st_dev, found.st_ino
        self.fingerprint = fingerprint(stream, 1 + headed)

    def read(self) -> FilePlace | None:
        """Return the position up to which this file is published; None if no part is published."""
        if not self._remember:
            return None
        for place in _places(self._path):
            if self._same(place):
                return place
        # The file may have been renamed by rotation, for example from cdr.csv to cdr.csv.1. The new
        # name begins with the old name. So only prefixes of the name are tried, and a folder with
        # thousands of files is not searched.
        name = self._file.name
        for length in range(len(name) - 1, 0, -1):
            for place in _places(self._file.with_name(f"{name[:length]}.progress")):
                moved = (place.device, place.inode) == (self._device, self._inode)
                if moved and self._same(place):
                    return place
        return None

    def write(self, offset: int, lines: int, rules: str) -> None:
        """Store the position. The old one stays valid until the new one is completely on disk."""
        if not self._remember:
            return
        raw = os.fstat(self._disk).st_size if self._packed else offset
        place = FilePlace(
            self.fingerprint,
            self._device,
            self._inode,
            offset,
            lines,
            raw,
            hash_ends(self._disk, raw),
            rules,
        )
        others = [each for each in _places(self._path) if each.fingerprint != place.fingerprint]
        _replace(self._path, msgspec.json.encode(_Kept([place, *others][:FILES_MAX])) + b"\n")

    def rejects(self) -> list[RejectedRow]:
        """Return the records of this file that were not published, in file order."""
        found = {
            each.start: each for each in self._rejects() if each.fingerprint == self.fingerprint
        }
        return [found[start] for start in sorted(found)]

    def reject(self, rejects: Iterable[RejectedRow]) -> None:
        lines = b"".join(msgspec.json.encode(each) + b"\n" for each in rejects)
        if lines and self._remember:
            with _writable(self.rejects_path), self.rejects_path.open("ab") as out:
                out.write(lines)
                out.flush()
                os.fsync(out.fileno())

    def keep(self, rejects: Iterable[RejectedRow]) -> None:
        """Replace the rejects of this file; the rejects of other files of its name stay."""
        others = [each for each in self._rejects() if each.fingerprint != self.fingerprint]
        kept = [*others, *rejects]
        if kept:
            _replace(
                self.rejects_path, b"".join(msgspec.json.encode(each) + b"\n" for each in kept)
            )
        else:
            self.rejects_path.unlink(missing_ok=True)

    def _rejects(self) -> Iterator[RejectedRow]:
        if not self._remember:
            return
        try:
            lines = self.rejects_path.read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                yield msgspec.json.decode(line, type=RejectedRow)
            except UNDECODABLE:
                continue  # An incomplete line, left by a power failure or crash.

    def _same(self, place: FilePlace) -> bool:
        return (
            place.fingerprint == self.fingerprint
            and hash_ends(self._disk, place.raw) == place.hashed
        )


def fingerprint(stream: IO[bytes], lines: int) -> str:
    """Return sixteen hex digits that identify a file; they stay the same if it grows or moves.

    The hash covers the first `lines` lines. These are complete once a record is published. The
    position of the stream changes.
    """
    stream.seek(0)
    digest = hashlib.blake2b(digest_size=8)
    # A truncated or damaged compressed file: reading its lines reports the error.
    with suppress(EOFError, OSError, zlib.error):
        for _ in range(lines):
            digest.update(stream.readline(PART_BYTES))
    return digest.hexdigest()


def hash_ends(disk: int, length: int) -> str:
    """Return a hash of the start and the end of the first `length` bytes of an open file.

    Empty if the file is shorter. The read position of the file does not change.
    """
    digest = hashlib.blake2b(digest_size=16)
    for start in (0, max(0, length - PART_BYTES)):
        wanted = min(PART_BYTES, length - start)
        part = os.pread(disk, wanted, start)
        if len(part) != wanted:
            return ""
        digest.update(part)
    return digest.hexdigest()


def _places(path: Path) -> list[FilePlace]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept).files
    except (OSError, *UNDECODABLE):
        return []


def _replace(path: Path, content: bytes) -> None:
    with _writable(path):
        replace_file(path, content)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Turn an OSError on write into an error with one sentence."""
    try:
        yield
    except OSError as error:
        told = tr("{path}: {strerror}; a feed stores its position in a file beside the input")
        raise unwritten(path, error, told.format(path=path, strerror=error.strerror)) from None
