"""Stores events on disk until Kafka has them: a queue of files, limited in bytes and age.

Every event is appended to a file before it is sent. So a `kill -9` of the gate loses only events
that were not yet written. A file is deleted when Kafka has acknowledged all its events. The next
process adopts remaining files and sends their events again: at-least-once delivery. Files are not
synced, so a power failure loses the last seconds, as it does in the gateway's own queue.

One thread uses a spool. A folder belongs to the process that has the lock in it.
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

from streams.gateways.gate.contract import BODY_BYTES_MAX

log = logging.getLogger(__name__)

SEGMENT_BYTES: Final = 4 << 20
SEGMENT_MS: Final = 1_000
"""A file is full when it reaches this size or age, whichever comes first. A file is also the unit
that is sent again after a crash."""
FILES_CALM: Final = 16
"""With more files than this, Kafka is assumed to be down. Files are then closed by size only, so
that their number stays small."""
CHUNK_BYTES: Final = 1 << 18
# large enough, because an almost full disk may still accept smaller writes
PROBE_BYTES: Final = 1 << 16
RECORD_BYTES_MAX: Final = 4 * BODY_BYTES_MAX
"""Maximum size of a value. A larger length in a file means that the file is damaged, and larger
values are not written. A request body with invalid UTF-8 can grow threefold, and the other fields
add a few kilobytes."""
KEY_BYTES_MAX: Final = (1 << 16) - 1
SUFFIX: Final = ".events"
LOCK: Final = "lock"

_LOST: Final = {errno.EIO, errno.ENOENT, errno.ESTALE}
"""Errors after which a file stays unreadable. The rest of the queue continues."""

# length of the value, CRC-32 of key and value, length of the key
_HEAD: Final = struct.Struct(">IIH")

Pair = tuple[bytes, bytes]
"""Key and value of a record."""


def weight(pair: Pair) -> int:
    """Return the size of a record in bytes.

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
    read: int = 0  # bytes of the events that were taken
    events: int = 0
    taken: int = 0
    outstanding: int = 0  # events taken, but not acknowledged by Kafka
    sealed: bool = False
    rest: bytes = b""  # bytes read from the file but not yet taken
    fd: int = -1  # file descriptor; -1: not open

    def open(self) -> int:
        """Return the file descriptor. Open the file if necessary."""
        if self.fd < 0:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self.fd

    def close(self) -> None:
        """Close the file. Its events stay on disk."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd, self.rest = -1, b""


@dataclass(slots=True, eq=False)
class Home:
    """A folder with its lock. The folder is removed with its last file."""

    path: Path
    lock: int  # file descriptor of the lock; -1: released
    files: int = 0  # number of files in the queue
    left: bool = False  # True if the folder has files that could not be opened

    def release(self) -> None:
        """Release the lock, so that another process can adopt the folder."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


@dataclass(slots=True)
class SpoolCounts:
    """Numbers of lost events since the start."""

    dropped: int = 0  # events dropped because they were too old or the spool was full
    torn: int = 0  # events that cannot be read: damaged on disk, or cut off by a crash
    oversize: int = 0  # events larger than the record limit, which were not written


@dataclass(slots=True)
class Spool:
    """The queue of one process. Methods raise OSError if the disk fails."""

    folder: Path
    bytes_max: int
    age_max_ms: int
    counts: SpoolCounts = field(default_factory=SpoolCounts)
    segments: deque[Segment] = field(default_factory=deque)  # oldest first
    _home: Home | None = None
    _number: int = 0
    _unread: set[Path] = field(default_factory=set)  # unreadable files that were logged already

    def append(self, pairs: Iterable[Pair], now_ms: int) -> list[Pair]:
        """Append events to the queue, all or none of them; return the events written.

        Events over the size limit are counted and skipped. Such events could not be read back, and
        would hide all events after them.
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
                # remove a partial record, which would hide the next one
                os.ftruncate(tail.open(), tail.written)
                raise
        tail.written += done
        tail.events += len(kept)
        # counted last: after an error the caller still has the events
        self.counts.oversize += oversize
        return kept

    def pass_on(
        self, pairs: Sequence[Pair], now_ms: int, room: int, octets: float = math.inf
    ) -> list[tuple[Segment, Pair]]:
        """Append events, and take them at once if there is room and no earlier event waits.

        So while Kafka keeps up, events are written to disk but never read back. Return an empty
        list if the events have to wait in the queue.
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
        """Return up to `count` events, oldest first. The caller must `acknowledge` each of them.

        The list ends with the event that reaches the limit of `octets` bytes. A file that cannot be
        read for now ends the list. If this is the first file, its error is raised.
        """
        taken: list[tuple[Segment, Pair]] = []
        for segment in list(self.segments):
            try:
                octets -= self._take_of(segment, count - len(taken), octets, taken)
            except OSError:
                if taken:  # the events so far count as taken, so they must be returned
                    break
                raise
            if len(taken) >= count or octets <= 0:
                break
        return taken

    def acknowledge(self, segment: Segment) -> None:
        """Record that Kafka acknowledged one event of a file."""
        segment.outstanding -= 1
        if segment.sealed:
            self._leave(segment)

    def trim(self, now_ms: int) -> None:
        """Close the current file if it is old enough; drop files beyond the age or size limit."""
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
        """Add files of ended processes to the front of the queue; return the number of events."""
        found = 0
        for path in sorted(self.folder.iterdir(), reverse=True):
            mine = self._home is not None and path == self._home.path
            if mine or path.is_symlink() or not path.is_dir():
                continue
            home = None
            with suppress(OSError):  # the folder belongs to another process
                home = _lock_folder(path)
            if home is None:
                continue
            try:
                found += self._adopt_folder(home, now_ms)
            except OSError:
                home.release()
                raise
        return found

    def probe(self) -> None:
        """Write and remove a file of PROBE_BYTES. Raise OSError if the disk fails."""
        path = self.folder / f"probe-{os.getpid()}"
        try:
            path.write_bytes(bytes(PROBE_BYTES))
        finally:
            path.unlink(missing_ok=True)

    def size(self) -> int:
        return sum(segment.written for segment in self.segments)

    def waiting(self) -> int:
        """Return the number of events that Kafka has not acknowledged."""
        return sum(each.events - each.taken + each.outstanding for each in self.segments)

    def outstanding(self) -> int:
        """Return the number of taken events that Kafka has not acknowledged."""
        return sum(each.outstanding for each in self.segments)

    def oldest_ms(self) -> int | None:
        """Return the creation time of the oldest file with events; None if the queue is empty."""
        return next((each.made_ms for each in self.segments if each.events), None)

    def close(self) -> None:
        """Release the folders. Remaining events stay on disk."""
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
        """Return the file for writing. Start a new one if the last is full or was adopted."""
        # the second condition: somebody deleted the folder
        if self._home is None or not self._home.path.is_dir():
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
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{time.time_ns():020d}-{os.getpid()}"
        path.mkdir(mode=0o700)
        try:
            home = _lock_folder(path)
        except OSError:
            with suppress(OSError):
                path.rmdir()
            raise
        if home is None:  # another process adopted the new folder before it was locked
            raise BlockingIOError(errno.EAGAIN, "another process has the new folder")
        return home

    def _adopt_folder(self, home: Home, now_ms: int) -> int:
        """Add the files of a folder to the front of the queue; return the number of events.

        A file that cannot be opened stays for a process that can read it, and does not keep the
        folder locked.
        """
        files = sorted(home.path.glob(f"*{SUFFIX}"), reverse=True)
        found = 0
        for file in [each for each in files if each.is_file() and not each.is_symlink()]:
            try:
                segment = self._open_segment(file, home, now_ms)
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
        """Log an unreadable file once, and count it as lost if a later attempt cannot help."""
        if file in self._unread:
            return
        self._unread.add(file)
        self.counts.torn += error.errno in _LOST  # at least one event is lost
        log.error("the file %s cannot be read: %s", file.name, error.strerror)

    def _open_segment(self, path: Path, home: Home, now_ms: int) -> Segment:
        """Open a file of an ended process, up to its first damaged record."""
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
        # at least one event is lost: the damaged part does not show how many
        self.counts.torn += whole < status.st_size
        segment.written, segment.read = whole, 0
        return segment

    def _records(self, segment: Segment, count: int, octets: float) -> Iterator[Pair]:
        """Yield up to `count` records of a file, from the last reading position."""
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
        """Append a file's events to `taken` within the limits; return their size in bytes."""
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
        # the disk returned other bytes than were written
        if segment.sealed and segment.taken < segment.events:
            self.counts.torn += segment.events - segment.taken
            segment.events = segment.taken
        self._leave(segment)
        return size

    def _seal(self, segment: Segment) -> None:
        segment.sealed = True
        segment.close()

    def _leave(self, segment: Segment) -> None:
        """Delete a file that is closed, completely read, and acknowledged by Kafka."""
        if segment.sealed and segment.taken >= segment.events:
            segment.close()
            if not segment.outstanding:
                self._remove(segment)

    def _remove(self, segment: Segment) -> None:
        try:
            self.segments.remove(segment)
        except ValueError:  # the file was dropped while Kafka had some of its events
            return
        segment.close()
        segment.path.unlink(missing_ok=True)
        segment.home.files -= 1
        if not segment.home.files and segment.home is not self._home:
            _drop(segment.home)


def _lock_folder(path: Path) -> Home | None:
    """Lock a folder and return it; return None if another process has it.

    Raise OSError if the lock file cannot be opened.
    """
    try:
        fd = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # another process just removed the folder
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
    """Remove a folder that has no events, and release its lock. Other files prevent the removal."""
    if home.lock < 0:  # another process may own the folder by now
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
