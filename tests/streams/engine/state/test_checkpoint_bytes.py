"""Whatever a changelog holds, it is a state that can be gone on with, or CheckpointError."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from detectors import chain
from detectors.recipients.sieve import SieveParams
from streams.engine.state.checkpoint import (
    MAGIC,
    ChangelogReader,
    CheckpointError,
    CheckpointWriter,
    ChunkRef,
    Manifest,
    PutRecord,
    digest_of,
    rebuilt,
)
from tests.detectors.stand_in import batch_of, codes_of, run
from tests.detectors.streams import random_stream

PARAMS = chain.Params(sieve=SieveParams(rows_max=16_384), suspects_max=4096)
BYTES_MAX = 32 << 20
"""That the reader may take for a changelog of 100 kB: the table's index is most of it."""
Records = list[tuple[bytes, bytes | None]]
SCRAPS: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**64 - 1, -(2**63), 0.5, float("nan"), 1e308, "", "x", b"",
    b"\xff" * 9, [], [[]], [1, 2], {}, {"a": 1}, {1: 2},
]  # fmt: skip


@cache
def real(seed: int) -> tuple[chain.Snapshot, tuple[tuple[bytes, bytes], ...]]:
    """A state in the middle of floods, and the records of its checkpoint."""
    events, offsets = random_stream(seed)
    partition = chain.Partition(PARAMS)
    run(PARAMS, events[: len(events) * 2 // 3], partition, offsets=offsets[: len(events) * 2 // 3])
    return chain.snapshot(partition), tuple(written(chain.snapshot(partition)))


def written(snapshot: chain.Snapshot) -> list[tuple[bytes, bytes]]:
    next_offset = snapshot.header["next_offset"]
    steps = CheckpointWriter(0, "w", 1).checkpoint(snapshot, next_offset, 0)
    return [(s.key, s.value) for s in steps if isinstance(s, PutRecord) and s.value is not None]


@contextmanager
def bounded() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < BYTES_MAX
    finally:
        tracemalloc.stop()


def outcome(records: Records) -> chain.Partition | CheckpointError | None:
    """The partition of these records, None if no manifest counts; any other error is a failure."""
    reader = ChangelogReader()
    with bounded():
        try:
            for key, value in records:
                reader.put(key, value)
            restored = reader.restore(0, 1)
            return rebuilt(PARAMS, 0, restored) if restored is not None else None
        except CheckpointError as error:
            refused = error
    assert len(str(refused)) < 1000
    assert "\n" not in str(refused)
    return refused


def go_on(partition: chain.Partition, seed: int) -> None:
    """Takes the other third of the stream in, and is written again."""
    events, offsets = random_stream(seed)
    cut = len(events) * 2 // 3
    batch = batch_of(events[cut:], offsets[cut:])
    assert chain.process(PARAMS, partition, batch, codes_of(batch)).events == len(events) - cut
    assert written(chain.snapshot(partition))


def mangled(value: bytes, chance: random.Random) -> bytes:
    """Cut, lengthened, flipped, or with a part of it somewhere else."""
    at, to = sorted(chance.choices(range(len(value) + 1), k=2))
    return chance.choice(
        [
            value[:at],
            value[at:],
            value + chance.randbytes(chance.choice([1, 7, 8, 200])),
            value[:at] + chance.randbytes(3) + value[at + 3 :],
            value[:at] + value[to:],
            value[:to] + value[at:],
            b"",
            chance.randbytes(chance.randrange(200)),
        ]
    )


def sealed(manifest: Manifest | bytes) -> bytes:
    """A manifest whose checksum fits, whatever it says."""
    body = manifest if isinstance(manifest, bytes) else msgspec.msgpack.encode(manifest)
    return MAGIC + (1).to_bytes(2) + digest_of(body) + body


def opened(records: Records) -> Manifest:
    (value,) = [value for key, value in records if b"|manifest|" in key]
    assert value is not None
    return Manifest.decode("", value)


def resealed(records: Records, name: str, chunk: bytes) -> Records:
    """With another content of a chunk, which the manifest bears out."""
    told = opened(records)
    ref = ChunkRef(0, len(chunk), digest_of(chunk))
    manifest = msgspec.structs.replace(told, chunks={**told.chunks, name: ref})
    key = f"0|w|{name}|0".encode()
    kept = [each for each in records if each[0] != key and b"|manifest|" not in each[0]]
    return [*kept, (key, chunk), (b"0|w|manifest|0", sealed(manifest))]


def scrapped(value: Any, chance: random.Random) -> Any:
    """The value with something else at one place of it."""
    if isinstance(value, dict) and value and chance.random() < 0.95:
        key = chance.choice(list(value))
        if chance.random() < 0.05:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: scrapped(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        if chance.random() < 0.1:
            return value[:at] + value[at + 1 :] + value[at : at + 1] * chance.choice([0, 2])
        return [*value[:at], scrapped(value[at], chance), *value[at + 1 :]]
    return chance.choice(SCRAPS)


@given(key=st.binary(max_size=60), value=st.binary(max_size=300))
def test_random_bytes_are_no_checkpoint(key: bytes, value: bytes) -> None:
    told = outcome([(key, value), (b"0|w|manifest|0", value), (b"0|w|manifest|0", sealed(value))])
    assert told is None or isinstance(told, CheckpointError)


@given(seed=st.integers(0, 5), chance=st.randoms(use_true_random=True))
def test_what_was_mangled_is_refused_and_never_taken_for_a_state(
    seed: int, chance: random.Random
) -> None:
    snapshot, real_records = real(seed)
    records: Records = list(real_records)
    at = chance.randrange(len(records))
    key, value = records[at]
    assert value is not None
    how = chance.randrange(4)
    if how == 0:
        records[at] = mangled(key, chance), value
    elif how == 1:
        del records[at]
    elif how == 2:
        records.append((key, None))
    else:
        records[at] = key, mangled(value, chance)
    told = outcome(records)
    if isinstance(told, chain.Partition):
        assert told.next_offset == snapshot.header["next_offset"]
        assert chain.snapshot(told).rows.tobytes() == snapshot.rows.tobytes()


@given(seed=st.integers(0, 5), chance=st.randoms(use_true_random=True))
def test_a_manifest_that_lies_is_refused(seed: int, chance: random.Random) -> None:
    """Its checksum fits: a hand that may write the changelog wrote it."""
    records: Records = list(real(seed)[1])
    told = msgspec.to_builtins(opened(records))
    lie = scrapped(told, chance)
    if chance.random() < 0.3:
        body = mangled(msgspec.msgpack.encode(told), chance)
    else:
        body = msgspec.msgpack.encode(lie)
    outcome([*records[:-1], (b"0|w|manifest|0", sealed(body))])


@given(seed=st.integers(0, 5), chance=st.randoms(use_true_random=True))
def test_a_state_that_is_none_is_refused(seed: int, chance: random.Random) -> None:
    """The same of what lies beside the rows, and of rows of another length."""
    snapshot, real_records = real(seed)
    records: Records = list(real_records)
    how = chance.randrange(3)
    if how == 0:
        rest = msgspec.msgpack.encode(scrapped(snapshot.rest, chance))
        records = resealed(records, "s0", rest)
    elif how == 1:
        records = resealed(records, "s0", mangled(msgspec.msgpack.encode(snapshot.rest), chance))
    else:
        records = resealed(records, "r0", mangled(snapshot.rows.tobytes(), chance))
    told = outcome(records)
    if isinstance(told, chain.Partition):
        go_on(told, seed)


@pytest.mark.parametrize("seed", range(6))
def test_a_state_that_was_taken_goes_on(seed: int) -> None:
    """Of 60 forged states each is refused, or serves a worker to the end.

    Before its types were checked, 23 % of those that were taken stopped the worker later.
    """
    chance = random.Random(seed)
    snapshot, real_records = real(seed)
    for _ in range(60):
        rest = msgspec.msgpack.encode(scrapped(snapshot.rest, chance))
        told = outcome(resealed(list(real_records), "s0", rest))
        if isinstance(told, chain.Partition):
            go_on(told, seed)


@pytest.mark.parametrize(
    "shape", [(1 << 40, 14), (1, 1 << 40), (-1, 14), (14, -1), (0, 14), (3, 13), (2**62, 2**62)]
)
def test_rows_that_are_not_there_take_no_memory(shape: tuple[int, int]) -> None:
    records: Records = list(real(0)[1])
    manifest = msgspec.structs.replace(opened(records), rows_shape=shape)
    told = outcome([*records[:-1], (b"0|w|manifest|0", sealed(manifest))])
    assert isinstance(told, CheckpointError)
    assert "not the rows that it says" in str(told)


@pytest.mark.parametrize("narrower", [2, 7, 14])
def test_rows_of_another_width_are_refused_though_their_bytes_are_all_there(narrower: int) -> None:
    records: Records = list(real(0)[1])
    manifest = opened(records)
    count, width = manifest.rows_shape
    shape = (count * narrower, width // narrower)
    other = msgspec.structs.replace(manifest, rows_shape=shape)
    told = outcome([*records[:-1], (b"0|w|manifest|0", sealed(other))])
    assert isinstance(told, CheckpointError)
    assert "not the rows that it says" in str(told)


@pytest.mark.parametrize("rest", [b"\x91" * 200_000, b"\xdd\xff\xff\xff\xff", b"\xa1\xff", b"\xc1"])
def test_what_the_parser_stumbles_over_is_refused(rest: bytes) -> None:
    told = outcome(resealed(list(real(0)[1]), "s0", rest))
    assert isinstance(told, CheckpointError)
    assert "does not decode" in str(told)
    for body in (rest, b"\x95" + rest, msgspec.msgpack.encode(opened(list(real(0)[1]))) + rest):
        assert isinstance(outcome([(b"0|w|manifest|0", sealed(body))]), CheckpointError)


def test_what_was_really_written_goes_on() -> None:
    for seed in range(6):
        told = outcome(list(real(seed)[1]))
        assert isinstance(told, chain.Partition)
        go_on(told, seed)


def test_a_refusal_tells_no_number_that_the_state_holds() -> None:
    snapshot = real(0)[0]
    rest = msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot.rest))
    rest["names"] = [[8617001234567]]
    told = outcome(resealed(list(real(0)[1]), "s0", msgspec.msgpack.encode(rest)))
    assert isinstance(told, CheckpointError)
    assert "8617001234567" not in str(told)
