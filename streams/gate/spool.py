"""Events on disk until Kafka has them: a queue of files, bounded by bytes and age.

Every event is appended before it is sent, so that a `kill -9` of the gate loses no more than what
was not yet written. A file is removed when Kafka has acknowledged all that is in it; what a process
leaves behind the next one adopts, and sends again: at least once. Nothing is synced: a machine that
loses its power loses seconds, as the gateway's own queue does.

One thread uses a spool. A folder belongs to the process that holds the lock in it.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import math
import os
import struct
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from streams.gate.contract import BODY_BYTES_MAX

log = logging.getLogger(__name__)

SEGMENT_BYTES: Final = 4 << 20
SEGMENT_MS: Final = 1_000
"""A file is full after so much or so long, whichever is first: what a crash has sent again."""
FILES_CALM: Final = 16
"""With more files than that Kafka is away, and files are filled by bytes alone: they stay few."""
CHUNK_BYTES: Final = 1 << 18
PROBE_BYTES: Final = 1 << 16  # a full disk may still take less
RECORD_BYTES_MAX: Final = 4 * BODY_BYTES_MAX
"""Of a value: what claims more is torn. A body's octets that are none of UTF-8 become three each,
and what an event says besides is some kilobytes; what were larger is not written."""
KEY_BYTES_MAX: Final = (1 << 16) - 1
SUFFIX: Final = ".events"
LOCK: Final = "lock"

_LOST: Final = {errno.EIO, errno.ENOENT, errno.ESTALE}
"""Errors of a file that is not read at the next try either: the rest of the queue goes on."""

_HEAD: Final = struct.Struct(">IIH")  # bytes of the value, CRC-32 of key and value, bytes of key

Pair = tuple[bytes, bytes]
"""Key and value of a record."""


def weight(pair: Pair) -> int:
    """Return the octets of a record.

    >>> weight((b"key", b"value"))
    8
    """
    return len(pair[0]) + len(pair[1])


@dataclass(slots=True, eq=False)
class Segment:
    """One file of the queue."""

    path: Path
    home: Home
    made_ms: int
    written: int = 0  # bytes
    read: int = 0  # bytes that were taken
    events: int = 0
    taken: int = 0
    outstanding: int = 0  # taken, and not yet at Kafka
    sealed: bool = False
    rest: bytes = b""  # read from the file and not yet taken
    fd: int = -1  # -1: not open

    def open(self) -> int:
        """The file's descriptor, opened if it is not."""
        if self.fd < 0:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self.fd

    def close(self) -> None:
        """Close the file; what is in it stays."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd, self.rest = -1, b""


@dataclass(slots=True, eq=False)
class Home:
    """A folder and the lock that says whose it is; gone when its last file is."""

    path: Path
    lock: int  # -1: let go
    files: int = 0  # that are segments
    left: bool = False  # there are others, which could not be opened

    def release(self) -> None:
        """Let go of the lock; whoever can read what is in the folder may have it."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


@dataclass(slots=True)
class SpoolCounts:
    """Counts since the start."""

    dropped: int = 0  # events that were too old, or too many
    torn: int = 0  # events that cannot be read: the disk gave back other bytes, or a crash cut one
    oversize: int = 0  # events that are over what a record may have, and were not written


@dataclass(slots=True)
class Spool:
    """The queue of one process. Raises OSError where the disk does."""

    folder: Path
    bytes_max: int
    age_max_ms: int
    counts: SpoolCounts = field(default_factory=SpoolCounts)
    segments: deque[Segment] = field(default_factory=deque)  # the oldest first
    _home: Home | None = None
    _number: int = 0
    _unread: set[Path] = field(default_factory=set)  # files that were said to be so

    def append(self, pairs: Iterable[Pair], now_ms: int) -> list[Pair]:
        """Write events at the end of the queue, all or none of them; return those written.

        What could not be read back would hide all behind it: it is counted and left out.
        """
        out = bytearray()
        kept: list[Pair] = []
        oversize = 0
        for pair in pairs:
            key, value = pair
            if len(value) > RECORD_BYTES_MAX or len(key) > KEY_BYTES_MAX:
                oversize += 1
                continue
            both = key + value
            out += _HEAD.pack(len(value), zlib.crc32(both), len(key))
            out += both
            kept.append(pair)
        tail = self._tail(now_ms)
        done = 0
        while done < len(out):
            try:
                done += os.pwrite(tail.open(), memoryview(out)[done:], tail.written + done)
            except OSError:
                os.ftruncate(tail.open(), tail.written)  # half a record would hide the next
                raise
        tail.written += done
        tail.events += len(kept)
        self.counts.oversize += oversize  # not before: the caller keeps what the disk did not take
        return kept

    def pass_on(
        self, pairs: Sequence[Pair], now_ms: int, room: int, octets: float = math.inf
    ) -> list[tuple[Segment, Pair]]:
        """Append events, and take them at once if there is room and none waits before them.

        What Kafka takes as it comes is then written and never read.
        """
        wait = any(segment.taken < segment.events for segment in self.segments)
        kept = self.append(pairs, now_ms)
        if wait or len(kept) > room or sum(map(weight, kept)) > octets:
            return []
        tail = self.segments[-1]
        tail.taken += len(kept)
        tail.outstanding += len(kept)
        tail.read = tail.written
        return [(tail, pair) for pair in kept]

    def take(self, count: int, octets: float = math.inf) -> list[tuple[Segment, Pair]]:
        """Return up to `count` events, the oldest first; each is to be `done` one day.

        The one that brings them to so many octets is the last.
        A file that cannot be read for now ends them: its error is raised when it is the first.
        """
        taken: list[tuple[Segment, Pair]] = []
        for segment in list(self.segments):
            try:
                octets -= self._take_of(segment, count - len(taken), octets, taken)
            except OSError:
                if taken:  # they count as taken, and nobody would have them
                    break
                raise
            if len(taken) >= count or octets <= 0:
                break
        return taken

    def done(self, segment: Segment) -> None:
        """Take note that Kafka has one event of a file."""
        segment.outstanding -= 1
        if segment.sealed:
            self._leave(segment)

    def trim(self, now_ms: int) -> None:
        """Close a file that is old enough, and give up what is too old or too much."""
        calm = self.segments and len(self.segments) <= FILES_CALM
        if calm and now_ms - self.segments[-1].made_ms >= SEGMENT_MS:
            self._seal(self.segments[-1])
        kept = self.size()
        for segment in list(self.segments):
            self._leave(segment)
        while self.segments:
            oldest = self.segments[0]
            old = now_ms - oldest.made_ms > self.age_max_ms
            if not (old or kept > self.bytes_max):
                break
            kept -= oldest.written
            self.counts.dropped += oldest.events - oldest.taken
            oldest.taken, oldest.read, oldest.sealed = oldest.events, oldest.written, True
            oldest.rest = b""
            self._remove(oldest)

    def adopt(self, now_ms: int) -> int:
        """Put what processes that ended have left in front of the queue; return how many events."""
        found = 0
        for path in sorted(self.folder.iterdir(), reverse=True):
            mine = self._home is not None and path == self._home.path
            if mine or path.is_symlink() or not path.is_dir():
                continue
            home = None
            with suppress(OSError):  # it is somebody else's
                home = _locked(path)
            if home is None:
                continue
            try:
                found += self._adopted(home, now_ms)
            except OSError:
                home.release()
                raise
        return found

    def probe(self) -> None:
        """Write as much as a few hundred events, and remove it. Raise OSError if the disk fails."""
        path = self.folder / f"probe-{os.getpid()}"
        try:
            path.write_bytes(bytes(PROBE_BYTES))
        finally:
            path.unlink(missing_ok=True)

    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.written for segment in self.segments)

    def waiting(self) -> int:
        """Events that are not at Kafka yet."""
        return sum(each.events - each.taken + each.outstanding for each in self.segments)

    def outstanding(self) -> int:
        """Events on disk that were taken, and are not at Kafka yet."""
        return sum(each.outstanding for each in self.segments)

    def oldest_ms(self) -> int | None:
        """The time when the oldest file was begun; None of an empty queue."""
        return next((each.made_ms for each in self.segments if each.events), None)

    def close(self) -> None:
        """Let go of the folders; events that are left stay in them."""
        homes = {segment.home.path: segment.home for segment in self.segments}
        if self._home is not None:
            homes[self._home.path] = self._home
        for segment in list(self.segments):
            segment.close()
            if not segment.events:
                self._remove(segment)
        self.segments.clear()
        for home in homes.values():
            if home.files:
                home.release()
            else:
                _drop(home)
        self._home = None

    # -- inside

    def _tail(self, now_ms: int) -> Segment:
        """The file that is written to, new if the last one is full, or somebody's who ended."""
        if self._home is None or not self._home.path.is_dir():  # or somebody took it away
            before, self._home = self._home, self._new_home()
            if before is not None and not before.files:
                _drop(before)
        if self.segments:
            last = self.segments[-1]
            if not last.sealed and last.home is self._home and last.written < SEGMENT_BYTES:
                return last
            self._seal(last)
        self._number += 1
        path = self._home.path / f"{self._number:012d}{SUFFIX}"
        made = Segment(path, self._home, now_ms)
        made.open()
        self._home.files += 1
        self.segments.append(made)
        return made

    def _new_home(self) -> Home:
        """Make a folder that is this process's own."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{time.time_ns():020d}-{os.getpid()}"
        path.mkdir(mode=0o700)
        try:
            home = _locked(path)
        except OSError:
            with suppress(OSError):
                path.rmdir()
            raise
        if home is None:  # in between another process took it for one of a process that ended
            raise BlockingIOError(errno.EAGAIN, "another process has the new folder")
        return home

    def _adopted(self, home: Home, now_ms: int) -> int:
        """Put the files of a folder in front of the queue; return how many events.

        A file that cannot be opened stays for who can read it: it keeps no lock on the folder.
        """
        files = sorted(home.path.glob(f"*{SUFFIX}"), reverse=True)
        found = 0
        for file in [each for each in files if each.is_file() and not each.is_symlink()]:
            try:
                segment = self._opened(file, home, now_ms)
            except OSError as error:
                home.left = True
                self._not_read(file, error)
                continue
            self._unread.discard(file)
            home.files += 1
            self.segments.appendleft(segment)
            found += segment.events
        if not home.files:
            _drop(home)
        return found

    def _not_read(self, file: Path, error: OSError) -> None:
        """Say it once of each file, and count it if the next try will not read it either."""
        if file in self._unread:
            return
        self._unread.add(file)
        self.counts.torn += error.errno in _LOST  # one at least
        log.error("the file %s cannot be read: %s", file.name, error.strerror)

    def _opened(self, path: Path, home: Home, now_ms: int) -> Segment:
        """A file that somebody left, as far as it is whole."""
        status = path.stat()
        made_ms = min(now_ms, status.st_mtime_ns // 1_000_000)
        segment = Segment(path, home, made_ms, sealed=True)
        segment.written = status.st_size
        try:
            for _ in self._records(segment, 1 << 62, math.inf):
                segment.events += 1
        finally:
            segment.close()
        whole = segment.read
        self.counts.torn += whole < status.st_size  # one at least: the rest tells no number
        segment.written, segment.read = whole, 0
        return segment

    def _records(self, segment: Segment, count: int, octets: float) -> Iterator[Pair]:
        """Yield up to `count` records of a file from where it was read last."""
        rest, at = segment.rest, 0
        try:
            while count > 0 and octets > 0:
                end = -1
                if len(rest) - at >= _HEAD.size:
                    size, crc, width = _HEAD.unpack_from(rest, at)
                    if size > RECORD_BYTES_MAX:
                        return
                    start = at + _HEAD.size
                    end = start + width + size
                if end < 0 or end > len(rest):
                    place = segment.read + len(rest) - at
                    room = min(CHUNK_BYTES, segment.written - place)
                    more = os.pread(segment.open(), room, place) if room > 0 else b""
                    if not more:
                        return
                    rest, at = rest[at:] + more, 0
                    continue
                key, value = rest[start : start + width], rest[start + width : end]
                if zlib.crc32(value, zlib.crc32(key)) != crc:
                    return
                segment.read += end - at
                at = end
                count -= 1
                octets -= width + size
                yield key, value
        finally:
            segment.rest = rest[at:]

    def _take_of(
        self, segment: Segment, count: int, octets: float, taken: list[tuple[Segment, Pair]]
    ) -> int:
        """Add what a file has to what is taken, within bounds; return how many octets."""
        size = 0
        try:
            for pair in self._records(segment, count, octets):
                segment.taken += 1
                segment.outstanding += 1
                taken.append((segment, pair))
                count -= 1
                size += weight(pair)
        except OSError as error:
            if error.errno not in _LOST:
                raise
            self._seal(segment)
        if count <= 0 or size >= octets:
            return size
        if segment.sealed and segment.taken < segment.events:  # the disk gave back other bytes
            self.counts.torn += segment.events - segment.taken
            segment.events = segment.taken
        self._leave(segment)
        return size

    def _seal(self, segment: Segment) -> None:
        segment.sealed = True
        segment.close()

    def _leave(self, segment: Segment) -> None:
        """Remove a file that is closed, read, and wholly at Kafka."""
        if segment.sealed and segment.taken >= segment.events:
            segment.close()
            if not segment.outstanding:
                self._remove(segment)

    def _remove(self, segment: Segment) -> None:
        try:
            self.segments.remove(segment)
        except ValueError:  # it was given up while Kafka had some of it
            return
        segment.close()
        segment.path.unlink(missing_ok=True)
        segment.home.files -= 1
        if not segment.home.files and segment.home is not self._home:
            _drop(segment.home)


def _locked(path: Path) -> Home | None:
    """The folder, if nobody else holds it. Raises OSError where it can have no lock."""
    try:
        fd = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # somebody removed it just now
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not (path / LOCK).exists():
            raise BlockingIOError
    except OSError:
        os.close(fd)
        return None
    return Home(path, fd)


def _drop(home: Home) -> None:
    """Remove a folder without files, once, and let go of it; what else is in it keeps it."""
    if home.lock < 0:  # it may be somebody else's by now
        return
    try:
        if not home.left:
            (home.path / LOCK).unlink(missing_ok=True)
            home.path.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("the folder %s stays: %s", home.path.name, error.strerror)
    home.release()
