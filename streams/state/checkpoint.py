"""Checkpoints: the state of one partition at one offset of its log, as records of a changelog.

This module is pure: it decides which records are written in which order and what a changelog holds;
`streams/state/manager.py` talks to Kafka, and a simulation crashes the same code at every step.

The rows are cut into chunks under 900 kB. When all chunks of a checkpoint are on the log, the
manifest follows, which names them: it alone makes a checkpoint count. Each chunk has two keys that
take turns, and the manifest says which one counts, so a checkpoint that stops half-way harms
nothing of the one before. A chunk that did not change is not written again.

Every writer, which is one stay of one partition with one process, writes under keys of its own. A
worker that was paused, replaced, and wakes up in the middle of a checkpoint therefore cannot harm
its successor's. Each of the manifests is right, because a state is a function of the log up to its
offset, so the one with the highest offset is taken, which makes the replay shortest. A new writer
removes what others left once it has a manifest of its own.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors import chain
from detectors.chain import STATE_FORMAT, Snapshot
from detectors.recipients.overflow import BLOCK
from detectors.recipients.table import WORDS
from streams.state import written

FORMAT: Final = 1
CHUNK_BYTES_MAX: Final = 850_000
"""With its key and the record's overhead below 900 kB, so that a broker's and a producer's default
limit of 1 MB hold it."""
BLOCK_BYTES: Final = 2 * BLOCK
MAGIC: Final = b"otpguard"
_DIGEST_BYTES: Final = 16
_MANIFEST: Final = "manifest"


class CheckpointError(Exception):
    """The changelog of a partition cannot be used; says which key and why."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"checkpoint record {key!r} refused: {why}")
        self.key = key


class NewerError(CheckpointError):
    """A newer version wrote it: this one cannot say what it means."""

    def __init__(self, key: str, what: str, found: int, known: int) -> None:
        super().__init__(key, f"{what} in format {found}, this version knows up to {known}")


class AwaitOutputs(NamedTuple):
    """Everything published up to this mark of the outbox must be acknowledged."""

    mark: int


class PutRecord(NamedTuple):
    """The changelog must acknowledge this record; None removes the key."""

    key: bytes
    value: bytes | None


class MarkCovered(NamedTuple):
    """The log up to this offset may be committed."""

    offset: int


Step = AwaitOutputs | PutRecord | MarkCovered
"""Steps of a checkpoint, one after the other. Each must be done before the next is asked."""


class ChunkRef(NamedTuple):
    """A chunk as a manifest names it."""

    version: int  # 0 or 1: which of its two keys
    size: int
    digest: bytes


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """The record that makes the chunks of one writer a checkpoint."""

    epoch: int
    next_offset: int
    header: dict[str, Any]
    rows_shape: tuple[int, int]
    chunks: dict[str, ChunkRef]

    def encode(self) -> bytes:
        """Bytes: magic, format, digest of what follows, MessagePack."""
        body = msgspec.msgpack.encode(self)
        return MAGIC + FORMAT.to_bytes(2) + digest_of(body) + body

    @staticmethod
    def decode(key: str, value: bytes) -> Manifest:
        """Raise CheckpointError if it is damaged or was written by a newer version."""
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
        except (ValueError, RecursionError) as error:  # also of strings that are no UTF-8
            raise CheckpointError(key, f"it does not decode ({type(error).__name__})") from None
        if type(manifest.header.get("format", 0)) is not int or manifest.next_offset < 0:
            raise CheckpointError(key, "it says neither format nor offset")
        return manifest


def digest_of(data: bytes | memoryview) -> bytes:
    """Checksum that also decides whether a chunk changed, hence not a CRC: 1 ms for a chunk."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


class Key(NamedTuple):
    """Key of a changelog record, unique in the whole topic: a Faust table is one key space."""

    partition: int
    writer: str
    name: str  # "manifest", or of a chunk
    version: int = 0

    def encode(self) -> bytes:
        """Bytes of the record's key."""
        return f"{self.partition}|{self.writer}|{self.name}|{self.version}".encode()

    @staticmethod
    def decode(key: bytes) -> Key:
        """Raise CheckpointError if it is none of ours."""
        try:
            partition, writer, name, version = key.decode().split("|")
            return Key(int(partition), writer, name, int(version))
        except ValueError as error:
            raise CheckpointError(repr(key), "not a key of a checkpoint") from error


def pieces(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the chunks of a state.

    They are `r<i>` the rows, `p<i>` the places of their overflow, and `s<i>` all the rest. A row
    keeps its place in the table for life: chunk `r<i>` changes only if one of its rows did.
    """
    rows = snapshot.rows
    rows_a_chunk = CHUNK_BYTES_MAX // max(1, rows.shape[1] * rows.itemsize)
    for i, at in enumerate(range(0, len(rows), rows_a_chunk)):
        yield f"r{i}", rows[at : at + rows_a_chunk].tobytes()
    blocks_a_chunk = CHUNK_BYTES_MAX // BLOCK_BYTES
    for i, at in enumerate(range(1, len(snapshot.places), blocks_a_chunk)):  # the first is empty
        yield f"p{i}", snapshot.places[at : at + blocks_a_chunk].tobytes()
    rest = msgspec.msgpack.encode(snapshot.rest)
    for i, at in enumerate(range(0, len(rest), CHUNK_BYTES_MAX)):
        yield f"s{i}", rest[at : at + CHUNK_BYTES_MAX]


class _Pending(NamedTuple):
    """A manifest that was handed over and is not acknowledged: it may or may not be on the log."""

    manifest: PutRecord
    chunks: dict[str, ChunkRef]  # that it names
    offset: int  # that it covers


@dataclass(slots=True)
class CheckpointWriter:
    """One writer's book of what its last manifest names.

    While a manifest is not acknowledged it may or may not be on the log, and so may count: neither
    the chunks that it names nor those of the one before may be written over. A driver repeats a
    step until it knows; a checkpoint that follows one which was abandoned there begins with the
    same manifest again.
    """

    partition: int
    writer: str
    epoch: int
    leftovers: set[bytes] = field(default_factory=set)  # keys of others, or that no longer count
    covered: int | None = None
    _held: dict[str, ChunkRef] = field(default_factory=dict)
    _pending: _Pending | None = None

    def checkpoint(self, snapshot: Snapshot, next_offset: int, mark: int) -> Iterator[Step]:
        """The steps of one checkpoint. May be abandoned between any two of them."""
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
        """Have a manifest count: from its acknowledgement on its chunks are those to keep."""
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
        """Bytes of the chunks that the last manifest names."""
        return sum(held.size for held in self._held.values())

    def _key(self, name: str, version: int = 0) -> bytes:
        return Key(self.partition, self.writer, name, version).encode()


class _Piece(NamedTuple):
    """A chunk that was read. In pages of its own, which the system has back when it is let go.

    From the heap, pieces and the rows that are made of them would be in memory side by side: what
    is freed in the middle of it stays with the process.
    """

    data: mmap.mmap | bytes
    digest: bytes

    @staticmethod
    def of(value: bytes) -> _Piece:
        if not value:  # there is no empty mapping
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
    """A partition's state as its best manifest describes it."""

    next_offset: int
    snapshot: Snapshot


class ChangelogReader:
    """The changelog of one partition while it is read: newest record of each key.

    Bounded by two checkpoints a writer: when a manifest arrives, the chunks that it does not name
    are let go.
    """

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self._strange: dict[bytes, CheckpointError] = {}  # keys that are none of ours
        self._writers: dict[str, _Writer] = {}

    def put(self, raw_key: bytes, value: bytes | None) -> None:
        """The next record of the log."""
        (self.keys.discard if value is None else self.keys.add)(raw_key)
        self._strange.pop(raw_key, None)
        try:
            key = Key.decode(raw_key)
        except CheckpointError as refused:
            if value is not None:
                self._strange[raw_key] = refused  # raised by `restore`, if it is not removed
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
            writer.manifest = refused  # raised by `restore`
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
        """The complete state with the highest offset; None without a manifest of this epoch.

        Lets its chunks go while it builds, so a state is in memory about once. A manifest without
        some of its chunks was overtaken: its writer had lost the partition, and the new owner had
        removed them. It is passed over if a complete one exists. A damaged one is never passed over
        silently, nor a key that is none of ours: raises CheckpointError.
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
    """The state of a manifest that has all its chunks.

    Raise CheckpointError where they do not make what the manifest says, before that takes memory.
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
    for chunk, entry in manifest.chunks.items():  # in the order in which they were cut
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
    """The partition's state. Raise CheckpointError where what was read is none.

    Its checksums fit, so another version wrote it, or a hand that may write the changelog. Of what
    it holds nothing is told: there are numbers in it.
    """
    snapshot = restored.snapshot
    try:
        if not 0 <= snapshot.header["next_offset"] <= restored.next_offset:
            raise ValueError("a state of a later offset")
        told = written.typed(snapshot.rest)
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
"""Errors that code meets in values of another shape than it was written for."""
