"""Checkpoints: the state of one partition at one offset of its log, as records of a changelog.

This module has no I/O. It decides which records are written in which order, and interprets the
records of a changelog. `streams/engine/state/manager.py` talks to Kafka. A simulation in the tests
crashes the same code at every step.

The rows are cut into chunks under 900 kB. After all chunks of a checkpoint are on the log, a
manifest that lists them is written. A checkpoint is valid only with its manifest. Each chunk has
two keys that are used in turn, and the manifest names the valid one. A checkpoint that stops half
way therefore does not damage the checkpoint before it. An unchanged chunk is not written again.

A writer exists from the assignment of a partition to a process until its loss. Each writer uses
keys of its own. A worker that was paused and replaced, and then continues an old checkpoint, can
therefore not damage the checkpoint of its successor. All manifests are correct, because a state
depends only on the log up to its offset. The manifest with the highest offset is restored, because
it needs the shortest replay. A new writer removes the records of other writers after it has written
its own manifest.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors import chain
from detectors.chain import STATE_FORMAT, Snapshot
from detectors.recipients.overflow import BLOCK
from detectors.recipients.table import WORDS
from streams.common import OtpguardError
from streams.engine.state import written

FORMAT: Final = 1
CHUNK_BYTES_MAX: Final = 850_000
"""Largest size of a chunk, in bytes. With key and overhead the record stays below 900 kB, which is
under the default limit of brokers and producers (1 MB)."""
BLOCK_BYTES: Final = 2 * BLOCK
MAGIC: Final = b"otpguard"
_DIGEST_BYTES: Final = 16
_MANIFEST: Final = "manifest"


class CheckpointError(OtpguardError):
    """The changelog of a partition cannot be used. The message names the key and the reason."""

    kind: ClassVar = "bad"  # label value in the metrics

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"checkpoint record {key!r} refused: {why}")
        self.key, self.why = key, why


class NewerError(CheckpointError):
    """A newer program version wrote the record, and this version cannot read it."""

    kind = "newer"

    def __init__(self, key: str, what: str, found: int, known: int) -> None:
        super().__init__(key, f"{what} in format {found}, this version knows up to {known}")


class AwaitOutputs(NamedTuple):
    """Wait until all outputs up to this mark of the outbox are acknowledged."""

    mark: int


class PutRecord(NamedTuple):
    """Write this record and wait for its acknowledgement. The value None removes the key."""

    key: bytes
    value: bytes | None


class MarkCovered(NamedTuple):
    """The checkpoint covers the input log up to this offset, so the offset may be committed."""

    offset: int


Step = AwaitOutputs | PutRecord | MarkCovered
"""One step of a checkpoint. Complete each step before requesting the next one."""


class ChunkRef(NamedTuple):
    """A reference to a chunk in a manifest."""

    version: int  # 0 or 1: the chunk's key that is valid
    size: int
    digest: bytes


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """The record that lists the chunks of a checkpoint and makes the checkpoint valid."""

    epoch: int
    next_offset: int
    header: dict[str, Any]
    rows_shape: tuple[int, int]
    chunks: dict[str, ChunkRef]

    def encode(self) -> bytes:
        """Return the bytes: magic, format, digest of the rest, then MessagePack."""
        body = msgspec.msgpack.encode(self)
        return MAGIC + FORMAT.to_bytes(2) + digest_of(body) + body

    @staticmethod
    def decode(key: str, value: bytes) -> Manifest:
        """Decode a manifest.

        Raises CheckpointError if it is damaged, and NewerError if a newer version wrote it.
        """
        head, body = (
            value[: len(MAGIC) + 2 + _DIGEST_BYTES],
            value[len(MAGIC) + 2 + _DIGEST_BYTES :],
        )
        if head[: len(MAGIC)] != MAGIC:
            raise CheckpointError(key, "not a manifest")
        if (format_ := int.from_bytes(head[len(MAGIC) : len(MAGIC) + 2])) > FORMAT:
            raise NewerError(key, "written", format_, FORMAT)
        if head[len(MAGIC) + 2 :] != digest_of(body):
            raise CheckpointError(key, "its checksum does not match")
        try:
            manifest = msgspec.msgpack.decode(body, type=Manifest)
        except (ValueError, RecursionError) as error:  # ValueError includes invalid UTF-8
            raise CheckpointError(key, f"it does not decode ({type(error).__name__})") from None
        if type(manifest.header.get("format", 0)) is not int or manifest.next_offset < 0:
            raise CheckpointError(key, "it says neither format nor offset")
        return manifest


def digest_of(data: bytes | memoryview) -> bytes:
    """Return a checksum of 16 bytes of the data. This takes 1 ms for a chunk.

    The checksum also decides whether a chunk has changed. A CRC is too weak for that.
    """
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


class Key(NamedTuple):
    """Key of a changelog record.

    Keys are unique in the whole topic, because all partitions of a Faust table share one key space.
    """

    partition: int
    writer: str
    name: str  # "manifest" or the name of a chunk
    version: int = 0

    def encode(self) -> bytes:
        """Return the bytes of the key."""
        return f"{self.partition}|{self.writer}|{self.name}|{self.version}".encode()

    @staticmethod
    def decode(key: bytes) -> Key:
        """Decode a key. Raises CheckpointError if it is not a key of a checkpoint."""
        try:
            partition, writer, name, version = key.decode().split("|")
            return Key(int(partition), writer, name, int(version))
        except ValueError as error:
            raise CheckpointError(repr(key), "not a key of a checkpoint") from error


def pieces(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the chunks of a state.

    Chunks `r<i>` hold the rows, `p<i>` the rows' overflow, and `s<i>` the rest of the state. A row
    never moves within the table, so chunk `r<i>` changes only if one of its rows changes.
    """
    rows = snapshot.rows
    rows_a_chunk = CHUNK_BYTES_MAX // max(1, rows.shape[1] * rows.itemsize)
    for i, at in enumerate(range(0, len(rows), rows_a_chunk)):
        yield f"r{i}", rows[at : at + rows_a_chunk].tobytes()
    blocks_a_chunk = CHUNK_BYTES_MAX // BLOCK_BYTES
    for i, at in enumerate(range(1, len(snapshot.places), blocks_a_chunk)):  # 0 is empty
        yield f"p{i}", snapshot.places[at : at + blocks_a_chunk].tobytes()
    rest = msgspec.msgpack.encode(snapshot.rest)
    for i, at in enumerate(range(0, len(rest), CHUNK_BYTES_MAX)):
        yield f"s{i}", rest[at : at + CHUNK_BYTES_MAX]


class _Pending(NamedTuple):
    """A manifest that is not acknowledged yet. It may or may not be on the log."""

    manifest: PutRecord
    chunks: dict[str, ChunkRef]  # chunks that the manifest lists
    offset: int  # offset up to which the checkpoint covers the log


@dataclass(slots=True)
class CheckpointWriter:
    """Plans the checkpoints of one writer and remembers the chunks of its last manifest.

    An unacknowledged manifest may or may not be on the log. Until this is known, neither its chunks
    nor the chunks of the manifest before it may be overwritten. The caller repeats a step until it
    is acknowledged. If a checkpoint was abandoned at its manifest, the next checkpoint first writes
    the same manifest again.
    """

    partition: int
    writer: str
    epoch: int
    leftovers: set[bytes] = field(default_factory=set)  # keys to remove: other writers', or unused
    covered: int | None = None
    _held: dict[str, ChunkRef] = field(default_factory=dict)
    _pending: _Pending | None = None

    def checkpoint(self, snapshot: Snapshot, next_offset: int, mark: int) -> Iterator[Step]:
        """Yield the steps of one checkpoint. The caller may abandon it between any two steps.

        `mark` is the outbox's mark at the time of the snapshot. `next_offset` is the first offset
        that the snapshot does not contain.
        """
        if self._pending is not None:
            yield from self._count(self._pending)
        yield AwaitOutputs(mark)
        chunks: dict[str, ChunkRef] = {}
        for name, data in pieces(snapshot):
            digest = digest_of(data)
            held = self._held.get(name)
            if held is None or held.digest != digest:
                held = ChunkRef(1 - held.version if held else 0, len(data), digest)
                yield PutRecord(self._key(name, held.version), data)
            chunks[name] = held
        manifest = Manifest(
            self.epoch,
            next_offset,
            snapshot.header,
            (snapshot.rows.shape[0], snapshot.rows.shape[1]),
            chunks,
        )
        write = PutRecord(self._key(_MANIFEST), manifest.encode())
        yield from self._count(_Pending(write, chunks, next_offset))
        for key in sorted(self.leftovers):
            yield PutRecord(key, None)
            self.leftovers.discard(key)

    def _count(self, pending: _Pending) -> Iterator[Step]:
        """Write a manifest.

        Once the manifest is acknowledged, its chunks replace those of the last manifest. Chunks
        that are no longer listed become `leftovers`.
        """
        self._pending = pending
        yield pending.manifest
        self._pending = None
        for name in self._held.keys() - pending.chunks.keys():
            self.leftovers |= {self._key(name, 0), self._key(name, 1)}
        self.leftovers -= {self._key(name, held.version) for name, held in pending.chunks.items()}
        self._held = pending.chunks
        self.covered = pending.offset
        yield MarkCovered(pending.offset)

    @property
    def size(self) -> int:
        """Total size of the chunks of the last manifest, in bytes."""
        return sum(held.size for held in self._held.values())

    def _key(self, name: str, version: int = 0) -> bytes:
        return Key(self.partition, self.writer, name, version).encode()


class _Piece(NamedTuple):
    """A chunk that was read, in its own anonymous memory mapping.

    The operating system gets the memory back as soon as the chunk is released. Memory freed in the
    middle of the heap would stay with the process, and chunks and the rows built from them would
    need memory at the same time.
    """

    data: mmap.mmap | bytes
    digest: bytes

    @staticmethod
    def of(value: bytes) -> _Piece:
        if not value:  # an empty mapping is not possible
            return _Piece(value, digest_of(value))
        data = mmap.mmap(-1, len(value), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        data[:] = value
        return _Piece(data, digest_of(value))


@dataclass(slots=True)
class _Writer:
    manifest: Manifest | CheckpointError | None = None
    chunks: dict[tuple[str, int], _Piece] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restored:
    """The state that was read from a partition's changelog."""

    next_offset: int
    snapshot: Snapshot


@dataclass(eq=False)
class ChangelogReader:
    """Collects the newest record of each key while the changelog of one partition is read.

    Memory is bounded by two checkpoints per writer: when a manifest arrives, the chunks that it
    does not list are released.
    """

    keys: set[bytes] = field(default_factory=set)
    # Keys that are no keys of a checkpoint
    _strange: dict[bytes, CheckpointError] = field(default_factory=dict)
    _writers: dict[str, _Writer] = field(default_factory=dict)

    def put(self, raw_key: bytes, value: bytes | None) -> None:
        """Receive the next record of the changelog. The value None removes the key."""
        (self.keys.discard if value is None else self.keys.add)(raw_key)
        self._strange.pop(raw_key, None)
        try:
            key = Key.decode(raw_key)
        except CheckpointError as refused:
            if value is not None:
                self._strange[raw_key] = refused  # `restore` raises it, unless the key is removed
            return
        if value is None:
            if (writer := self._writers.get(key.writer)) is not None:
                self._forget(key, writer)
            return
        writer = self._writers.setdefault(key.writer, _Writer())
        if key.name != _MANIFEST:
            writer.chunks[key.name, key.version] = _Piece.of(value)
            return
        try:
            writer.manifest = Manifest.decode(raw_key.decode(), value)
        except CheckpointError as refused:
            writer.manifest = refused  # `restore` raises it
            return
        named = {(name, held.version) for name, held in writer.manifest.chunks.items()}
        for other in writer.chunks.keys() - named:
            del writer.chunks[other]

    def _forget(self, key: Key, writer: _Writer) -> None:
        if key.name == _MANIFEST:
            writer.manifest = None
        else:
            writer.chunks.pop((key.name, key.version), None)
        if writer.manifest is None and not writer.chunks:
            del self._writers[key.writer]

    def restore(self, partition: int, epoch: int) -> Restored | None:
        """Return the complete state with the highest offset, or None if this epoch has no manifest.

        Chunks are released while the state is built, so the state is in memory about once.

        A manifest can lack chunks if its writer lost the partition and the new owner removed them.
        Such a manifest is skipped if a complete one exists. Raises CheckpointError for a damaged
        manifest or chunk, for an unknown key, and if no manifest is complete.
        """
        if self._strange:
            raise next(iter(self._strange.values()))
        missing: CheckpointError | None = None
        candidates: list[tuple[int, str]] = []
        for name, writer in self._writers.items():
            if isinstance(writer.manifest, CheckpointError):
                raise writer.manifest
            if writer.manifest is not None and writer.manifest.epoch == epoch:
                candidates.append((writer.manifest.next_offset, name))
        for _, name in sorted(candidates, reverse=True):
            writer = self._writers[name]
            manifest = writer.manifest
            assert isinstance(manifest, Manifest)
            key = Key(partition, name, _MANIFEST)
            if (format_ := manifest.header.get("format", 0)) > STATE_FORMAT:
                raise NewerError(key.encode().decode(), "its state is", format_, STATE_FORMAT)
            held = manifest.chunks
            absent = [c for c, h in held.items() if (c, h.version) not in writer.chunks]
            if absent:
                key = Key(partition, name, absent[0], held[absent[0]].version)
                missing = missing or CheckpointError(key.encode().decode(), "it is missing")
                continue
            for chunk, h in held.items():
                piece = writer.chunks[chunk, h.version]
                if piece.digest != h.digest or len(piece.data) != h.size:
                    key = Key(partition, name, chunk, h.version)
                    raise CheckpointError(key.encode().decode(), "its checksum does not match")
            return Restored(manifest.next_offset, _assemble(partition, name, writer))
        if missing is not None:
            raise missing
        return None


def _assemble(partition: int, name: str, writer: _Writer) -> Snapshot:
    """Build the state of a manifest that has all its chunks.

    Raises CheckpointError if the chunks do not match the manifest's shape. This is checked before
    memory is allocated.
    """
    manifest = writer.manifest
    assert isinstance(manifest, Manifest)
    key = Key(partition, name, _MANIFEST).encode().decode()
    count, width = manifest.rows_shape
    sizes = {
        kind: [held.size for chunk, held in manifest.chunks.items() if chunk.startswith(kind)]
        for kind in "rp"
    }
    whole = all(size > 0 and size % 8 == 0 for size in sizes["r"] + sizes["p"])
    blocks, odd = divmod(sum(sizes["p"]), BLOCK_BYTES)
    if count < 0 or width != WORDS or not whole or sum(sizes["r"]) != 8 * count * width or odd:
        raise CheckpointError(key, "its chunks are not the rows that it says")
    rows: NDArray[np.uint64] = np.empty((count, width), dtype=np.uint64)
    places: NDArray[np.uint16] = np.zeros((1 + blocks, BLOCK), np.uint16)
    flat = {"r": rows.reshape(-1), "p": places[1:].view(np.uint64).reshape(-1)}
    at = dict.fromkeys(flat, 0)
    rest = bytearray()
    for chunk, entry in manifest.chunks.items():  # in the order of `pieces`
        data = writer.chunks.pop((chunk, entry.version)).data
        if (kind := chunk[:1]) in flat:
            words = np.frombuffer(data, dtype=np.uint64)
            flat[kind][at[kind] : at[kind] + len(words)] = words
            at[kind] += len(words)
        else:
            rest += data
    try:
        told = msgspec.msgpack.decode(bytes(rest))
    except (ValueError, RecursionError) as error:
        why = f"the state beside its rows does not decode ({type(error).__name__})"
        raise CheckpointError(key, why) from None
    return Snapshot(header=manifest.header, rows=rows, rest=told, places=places)


def rebuilt(params: chain.Params, partition: int, restored: Restored) -> chain.Partition:
    """Return the partition's state. Raises CheckpointError if what was read is not a valid state.

    The checksums match, so another program version, or a person with write access to the changelog,
    has written it. The error message contains no values, because the state has phone numbers.
    """
    snapshot = restored.snapshot
    try:
        if not 0 <= snapshot.header["next_offset"] <= restored.next_offset:
            raise ValueError("a state of a later offset")
        told = written.check_types(snapshot.rest)
        return chain.restore(params, replace(snapshot, rest=told))
    except _UNFIT as error:
        why = f"its state does not fit this version ({type(error).__name__})"
        raise CheckpointError(f"{partition}|manifest", why) from None


_UNFIT: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Errors that `chain.restore` can raise for values with an unexpected type or shape."""
