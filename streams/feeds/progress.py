"""Progress through files: beside each stands `<file>.progress`, and `<file>.rejects`.

A file is known by what is in it: as far as it is published its first and last bytes must be the
same. Another file of the same name, a file cut and written anew, tomorrow's file: each starts from
nothing. A file that was renamed by a rotation is found by its inode.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec

from streams.files import replace_file, unwritten
from streams.language import tr
from streams.wire.version import UNDECODABLE

FILES_MAX: Final = 8  # of one name that are remembered: rotations keep a few
PART_BYTES: Final = 1 << 20  # of the beginning and of the end of what is published


class FilePlace(msgspec.Struct, frozen=True):
    """Up to where one file is published, and by which rules."""

    fingerprint: str  # of its first lines: part of its records' ids
    device: int
    inode: int
    offset: int  # bytes
    lines: int
    raw: int  # bytes of the file on disk, packed or not, that `hashed` is about
    hashed: str  # of the first and last of those
    rules: str


class RejectedRow(msgspec.Struct, frozen=True):
    """The place of a record that could not be published, and why; nothing of the record itself."""

    fingerprint: str
    file: str
    line: int
    start: int  # bytes
    end: int
    reason: str


class _Kept(msgspec.Struct):
    files: list[FilePlace] = []


class Progress:
    """The places that are remembered of the files of one name."""

    def __init__(self, file: Path, stream: IO[bytes], *, headed: bool, remember: bool) -> None:
        """`stream` is the open file, unpacked; `headed` says that its first line is no record.

        Without `remember` nothing is known and nothing is written.
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
        """Return up to where this file is published; None if nothing of it is."""
        if not self._remember:
            return None
        for place in _places(self._path):
            if self._same(place):
                return place
        # A file that was renamed by whoever rotates it: cdr.csv is cdr.csv.1 now. Its new name
        # begins with the old one, so that no folder of thousands is searched.
        name = self._file.name
        for length in range(len(name) - 1, 0, -1):
            for place in _places(self._file.with_name(f"{name[:length]}.progress")):
                moved = (place.device, place.inode) == (self._device, self._inode)
                if moved and self._same(place):
                    return place
        return None

    def write(self, offset: int, lines: int, rules: str) -> None:
        """Remember it; what was remembered stands until the new is whole on disk."""
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
            hashed(self._disk, raw),
            rules,
        )
        others = [each for each in _places(self._path) if each.fingerprint != place.fingerprint]
        _replace(self._path, msgspec.json.encode(_Kept([place, *others][:FILES_MAX])) + b"\n")

    def rejects(self) -> list[RejectedRow]:
        """The records of this file that were not published, in their order."""
        found = {each.start: each for each in self._rejects() if self._mine(each)}
        return [found[start] for start in sorted(found)]

    def reject(self, rejects: Iterable[RejectedRow]) -> None:
        """Add to them."""
        lines = b"".join(msgspec.json.encode(each) + b"\n" for each in rejects)
        if lines and self._remember:
            with _writable(self.rejects_path), self.rejects_path.open("ab") as out:
                out.write(lines)
                out.flush()
                os.fsync(out.fileno())

    def keep(self, rejects: Iterable[RejectedRow]) -> None:
        """Let these be all of this file; those of other files of its name stay."""
        others = [each for each in self._rejects() if not self._mine(each)]
        kept = [*others, *rejects]
        if kept:
            _replace(
                self.rejects_path, b"".join(msgspec.json.encode(each) + b"\n" for each in kept)
            )
        else:
            self.rejects_path.unlink(missing_ok=True)

    def _mine(self, reject: RejectedRow) -> bool:
        return reject.fingerprint == self.fingerprint

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
                continue  # half written, when somebody pulled the plug

    def _same(self, place: FilePlace) -> bool:
        return (
            place.fingerprint == self.fingerprint and hashed(self._disk, place.raw) == place.hashed
        )


def fingerprint(stream: IO[bytes], lines: int) -> str:
    """Sixteen hex digits of the first lines: they stay when a file grows or moves.

    Those up to the first record are whole when it is published. Leaves the stream anywhere.
    """
    stream.seek(0)
    digest = hashlib.blake2b(digest_size=8)
    try:
        for _ in range(lines):
            digest.update(stream.readline(PART_BYTES))
    except (EOFError, OSError, zlib.error):
        pass  # a packed file that is cut short, or damaged; reading it says so
    return digest.hexdigest()


def hashed(disk: int, length: int) -> str:
    """A hash of the first and last of the first `length` bytes of an open file.

    Empty if it has not so many. Where the file is read goes on undisturbed.
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
    """Turn a failure to write into a sentence."""
    try:
        yield
    except OSError as error:
        told = tr("{path}: {strerror}; a feed remembers beside the file how far it is")
        raise unwritten(path, error, told.format(path=path, strerror=error.strerror)) from None
