"""Stores events on disk until Kafka has them: a queue in SQLite, limited in bytes and age.

Every event is written before it is sent. So a `kill -9` of the gate loses only events that were not
yet written. Events that were written together form a batch. A batch is deleted when Kafka has
acknowledged all its events. The next process adopts the files of ended processes and sends their
events again: at-least-once delivery. A commit is not synced, so a power failure loses the last
seconds, as it does in the gateway's own queue.

One thread uses a spool. A process writes to a file of its own, which SQLite locks for it.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec

log = logging.getLogger(__name__)

FILE_BYTES: Final = 64 << 20
"""Size of the events in one file. Then a new file is started, so that disk space is returned after
an outage, and a damaged file does not cost everything."""
# large enough, because an almost full disk may still accept smaller writes
PROBE_BYTES: Final = 1 << 16
SUFFIX: Final = ".events"

Loss = Literal["spool_full", "disk_failed"]
Pair = tuple[bytes, bytes]
"""Key and value of a record."""

_OPEN: Final = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -256;
CREATE TABLE IF NOT EXISTS batches (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  made_ms INTEGER, events INTEGER, octets INTEGER, crc INTEGER, body BLOB
);
"""
_ERRORS: Final = {
    sqlite3.SQLITE_BUSY: errno.EAGAIN,  # another process has locked the file
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_CORRUPT: errno.EBADMSG,
    sqlite3.SQLITE_NOTADB: errno.EBADMSG,
    sqlite3.SQLITE_IOERR_READ: errno.ESTALE,
    sqlite3.SQLITE_IOERR_SHORT_READ: errno.ESTALE,
}
_LOST: Final = {errno.EBADMSG, errno.ESTALE}
"""Errors after which a file is given up. The rest of the queue continues."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Pair]).decode


def weight(pair: Pair) -> int:
    """Return the size of a record in bytes.

    >>> weight((b"key", b"value"))
    8
    """
    return len(pair[0]) + len(pair[1])


@dataclass(slots=True, eq=False)
class TakenBatch:
    """Events that were written together and taken, and that Kafka has not all acknowledged."""

    store: SpoolFile
    number: int
    octets: int
    outstanding: int  # events that Kafka has not acknowledged


@dataclass(slots=True, eq=False)
class SpoolFile:
    """One file of the queue, locked by this process."""

    path: Path
    db: sqlite3.Connection
    events: int  # number of events in batches that were not taken
    octets: int  # size of the events in batches that are not finished
    written: int = 0  # bytes of events written since the file was opened
    last: int = 0  # number of the last batch that was taken
    taken: dict[int, TakenBatch] = field(default_factory=dict)  # by number
    finished: list[int] = field(default_factory=list)  # batches that the next transaction deletes

    def finish(self, number: int, octets: int) -> None:
        self.finished.append(number)
        self.octets -= octets


@dataclass(slots=True)
class Spool:
    """The queue of one process. Methods raise OSError if the disk fails.

    `lose` is called with the number of events that are lost: `spool_full` if they were too old or
    too many, `disk_failed` if the disk returned other bytes than were written.
    """

    folder: Path
    bytes_max: int
    age_max_ms: int
    lose: Callable[[Loss, int], None] = lambda _loss, _events: None
    stores: list[SpoolFile] = field(default_factory=list)  # oldest first
    oldest_ms: int | None = None  # when the oldest batch was written, at the last `trim`
    _own: SpoolFile | None = None  # the file to write to

    def append(self, pairs: Sequence[Pair], now_ms: int) -> None:
        """Append events to the queue as one batch: all or none of them."""
        store = self._tail()
        body, octets = _encode(pairs), sum(map(weight, pairs))
        with self._transaction(store) as db:
            row = now_ms, len(pairs), octets, zlib.crc32(body), body
            db.execute("INSERT INTO batches VALUES (NULL, ?, ?, ?, ?, ?)", row)
        store.events += len(pairs)
        store.octets += octets
        store.written += octets

    def take(self) -> list[tuple[TakenBatch, Pair]]:
        """Return the events of the oldest batch that was not taken; empty if there is none.

        The caller must `acknowledge` each event.
        """
        query = "SELECT number, events, octets, crc, body FROM batches WHERE number > ? LIMIT 1"
        for store in list(self.stores):
            while store.events:
                with self._transaction(store) as db:
                    [(number, events, octets, crc, body)] = db.execute(query, (store.last,))
                store.last = number
                store.events -= events
                if zlib.crc32(body) == crc:
                    batch = store.taken[number] = TakenBatch(store, number, octets, events)
                    return [(batch, pair) for pair in _decode(body)]
                self.lose("disk_failed", events)
                store.finish(number, octets)
        return []

    def acknowledge(self, batch: TakenBatch) -> None:
        """Record that Kafka acknowledged one event of a batch."""
        batch.outstanding -= 1
        # a batch that was dropped meanwhile is not in `taken`
        if not batch.outstanding and batch.store.taken.pop(batch.number, None) is not None:
            batch.store.finish(batch.number, batch.octets)

    def trim(self, now_ms: int) -> None:
        """Delete batches that Kafka has, and drop batches beyond the age or size limit."""
        excess = self.size() - self.bytes_max
        self.oldest_ms = None
        query = "SELECT made_ms, number, events, octets FROM batches ORDER BY number"
        for store in list(self.stores):
            with self._transaction(store) as db:
                for made_ms, number, events, octets in db.execute(query):
                    if excess <= 0 and now_ms - made_ms <= self.age_max_ms:
                        self.oldest_ms = self.oldest_ms or made_ms
                        break
                    excess -= octets
                    store.finish(number, octets)
                    # Kafka may still acknowledge events that were taken
                    if store.taken.pop(number, None) is None:
                        store.events -= events
                        self.lose("spool_full", events)
            if store is not self._own and not (store.events or store.taken):
                self._remove(store)

    def adopt(self) -> int:
        """Add files of ended processes to the front of the queue; return the number of events.

        A file that cannot be opened stays for a process that can read it.
        """
        found = 0
        ours = {store.path for store in self.stores}
        for path in sorted(self.folder.glob(f"*{SUFFIX}"), reverse=True):
            if path in ours or path.is_symlink() or not path.is_file():
                continue
            try:
                store = _open_store(path)
            except BlockingIOError:  # the file of another process
                continue
            except OSError as error:
                log.error("the file %s cannot be read: %s", path.name, error.strerror)  # noqa: TRY400
                if error.errno in _LOST:
                    self.lose("disk_failed", 1)  # at least one
                    _delete_file(path)
                continue
            self.stores.insert(0, store)
            found += store.events
        return found

    def probe(self) -> None:
        """Write and remove a file of PROBE_BYTES. Raise OSError if the disk fails."""
        path = self.folder / f"probe-{os.getpid()}"
        try:
            path.write_bytes(bytes(PROBE_BYTES))
        finally:
            path.unlink(missing_ok=True)

    def size(self) -> int:
        return sum(store.octets for store in self.stores)

    def waiting(self) -> int:
        """Return the number of events that Kafka has not acknowledged."""
        return sum(store.events for store in self.stores) + self.outstanding()

    def outstanding(self) -> int:
        """Return the number of taken events that Kafka has not acknowledged."""
        return sum(batch.outstanding for store in self.stores for batch in store.taken.values())

    def close(self) -> None:
        """Release the files. Remaining events stay on disk."""
        for store in list(self.stores):
            if store.events or store.taken:
                with self._transaction(store):
                    pass  # delete what Kafka has
                store.db.close()
            else:
                self._remove(store)
        self.stores.clear()

    # -- inside

    def _tail(self) -> SpoolFile:
        """Return the file for writing. Start a new one if it is full or somebody deleted it."""
        own = self._own
        if own is None or own.written >= FILE_BYTES or not own.path.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / f"{time.time_ns():020d}-{os.getpid()}{SUFFIX}"
            try:
                path.touch(mode=0o600)
                own = self._own = _open_store(path)
            except OSError:
                path.unlink(missing_ok=True)
                raise
            self.stores.append(own)
        return own

    @contextmanager
    def _transaction(self, store: SpoolFile) -> Iterator[sqlite3.Connection]:
        """Run a transaction, which first deletes the finished batches of this file.

        A damaged file is given up: its events are counted as lost.
        """
        finished = [(number,) for number in store.finished]
        try:
            with _sqlite_errors(), store.db as db:
                db.executemany("DELETE FROM batches WHERE number = ?", finished)
                yield db
        except OSError as error:
            if error.errno in _LOST:
                self.lose("disk_failed", store.events)
                self._remove(store)
            raise
        del store.finished[: len(finished)]

    def _remove(self, store: SpoolFile) -> None:
        self.stores.remove(store)
        if store is self._own:
            self._own = None
        store.db.close()
        _delete_file(store.path)


def _open_store(path: Path) -> SpoolFile:
    """Open and lock a file. Raise BlockingIOError if another process has it."""
    with _sqlite_errors():
        db = sqlite3.connect(path, timeout=0)
        try:
            db.executescript(_OPEN)
            [(events, octets)] = db.execute("SELECT total(events), total(octets) FROM batches")
        except sqlite3.Error:
            db.close()
            raise
    return SpoolFile(path, db, int(events), int(octets))


def _delete_file(path: Path) -> None:
    for each in (path, Path(f"{path}-wal")):
        each.unlink(missing_ok=True)


@contextmanager
def _sqlite_errors() -> Iterator[None]:
    """Raise errors of SQLite as OSError."""
    try:
        yield
    except sqlite3.Error as error:
        code = error.sqlite_errorcode
        raise OSError(_ERRORS.get(code, _ERRORS.get(code & 0xFF, errno.EIO)), str(error)) from error
