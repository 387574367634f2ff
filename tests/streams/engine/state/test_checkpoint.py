"""A checkpoint restores to the same state; whatever is wrong with one is said with its key."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from detectors import chain
from detectors.recipients.sieve import SieveParams
from streams import wire
from streams.config import Settings
from streams.engine.state import checkpoint
from streams.engine.state.checkpoint import (
    AwaitOutputs,
    ChangelogReader,
    CheckpointError,
    CheckpointWriter,
    Key,
    Manifest,
    MarkCovered,
    PutRecord,
)
from tests.faults.oracle import BATCH
from tests.faults.traffic import traffic
from tests.waiting import END_S

START_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
ROWS_MAX = 16_384  # the least there is: full after 12,288 recipients


def _snapshot(rows: int, rest: str = "rest") -> chain.Snapshot:
    filled = np.arange(rows * 14, dtype=np.uint64).reshape(rows, 14)
    return chain.Snapshot({"format": 1, "rows": rows}, filled, {"names": [rest]})


def _write(
    writer: CheckpointWriter, reader: ChangelogReader, snapshot: chain.Snapshot, offset: int
) -> list[PutRecord]:
    """A whole checkpoint, its records put where a restart reads them."""
    writes = [s for s in writer.checkpoint(snapshot, offset, 0) if isinstance(s, PutRecord)]
    for write in writes:
        reader.put(*write)
    return writes


def _restored(reader: ChangelogReader) -> checkpoint.Restored:
    restored = reader.restore(0, 1)
    assert restored is not None
    return restored


def _same(one: chain.Snapshot, other: chain.Snapshot) -> bool:
    rest = msgspec.msgpack.decode(msgspec.msgpack.encode(other.rest))
    return one.header == other.header and np.array_equal(one.rows, other.rows) and one.rest == rest


@pytest.mark.parametrize("rows", [0, 1, 7_589, 7_590, 30_000])
def test_what_is_written_restores_to_the_same(rows: int) -> None:
    reader = ChangelogReader()
    _write(CheckpointWriter(0, "w", 1), reader, _snapshot(rows), 17)
    restored = _restored(reader)
    assert restored.next_offset == 17
    assert _same(restored.snapshot, _snapshot(rows))


def test_every_record_is_under_900_kb() -> None:
    snapshot = replace(_snapshot(30_000), rest={"long": "x" * 3_000_000})
    writes = _write(CheckpointWriter(0, "w", 1), ChangelogReader(), snapshot, 1)
    assert len(writes) == 4 + 4 + 1
    assert max(len(write.key) + len(write.value or b"") for write in writes) < 900_000


def test_the_manifest_comes_last_and_only_then_is_anything_covered() -> None:
    writer = CheckpointWriter(0, "w", 1, leftovers={b"0|old|manifest|0"})
    steps = list(writer.checkpoint(_snapshot(20_000), 17, 5))
    kinds = [
        step.key.decode().split("|")[2] if isinstance(step, PutRecord) else type(step)
        for step in steps
    ]
    assert kinds == [AwaitOutputs, "r0", "r1", "r2", "s0", "manifest", MarkCovered, "manifest"]
    assert steps[0] == AwaitOutputs(5)
    assert steps[-1] == PutRecord(b"0|old|manifest|0", None)


def test_an_unchanged_chunk_is_not_written_again_and_a_changed_one_takes_its_other_key() -> None:
    writer, reader, snapshot = CheckpointWriter(0, "w", 1), ChangelogReader(), _snapshot(20_000)
    _write(writer, reader, snapshot, 1)
    snapshot.rows[8_000, 3] += np.uint64(1)
    keys = [write.key for write in _write(writer, reader, snapshot, 2)]
    assert keys == [b"0|w|r1|1", b"0|w|manifest|0"]
    snapshot.rows[8_000, 3] += np.uint64(1)
    keys = [write.key for write in _write(writer, reader, snapshot, 3)]
    assert keys == [b"0|w|r1|0", b"0|w|manifest|0"]
    assert _same(_restored(reader).snapshot, snapshot)


def test_one_that_stops_at_any_record_leaves_the_one_before() -> None:
    before, after = _snapshot(20_000), _snapshot(20_000, "later")
    after.rows[:] += np.uint64(1)
    for stop in range(5):
        writer, reader = CheckpointWriter(0, "w", 1), ChangelogReader()
        _write(writer, reader, before, 1)
        writes = (s for s in writer.checkpoint(after, 2, 0) if isinstance(s, PutRecord))
        for write, _ in zip(writes, range(stop), strict=False):
            reader.put(*write)
        assert (_restored(reader).next_offset == 2) == (stop == 5)


def test_a_chunk_that_went_and_came_back_is_not_removed_with_its_old_self() -> None:
    writer, reader = CheckpointWriter(0, "w", 1), ChangelogReader()
    _write(writer, reader, _snapshot(20_000), 1)
    for step in writer.checkpoint(_snapshot(5_000), 2, 0):  # r1, r2 go; stopped before they do
        if isinstance(step, MarkCovered):
            break
        if isinstance(step, PutRecord):
            reader.put(*step)
    _write(writer, reader, _snapshot(20_000), 3)
    assert _same(_restored(reader).snapshot, _snapshot(20_000))


def test_the_highest_offset_counts_whoever_wrote_it() -> None:
    reader = ChangelogReader()
    _write(CheckpointWriter(0, "new", 1), reader, _snapshot(3), 20)
    _write(CheckpointWriter(0, "old", 1), reader, _snapshot(2), 10)  # it was frozen, and woke up
    assert _restored(reader).next_offset == 20


def test_one_whose_chunks_were_removed_by_a_successor_is_passed_over() -> None:
    reader = ChangelogReader()
    _write(CheckpointWriter(0, "new", 1), reader, _snapshot(3), 20)
    _write(CheckpointWriter(0, "old", 1), reader, _snapshot(2), 30)
    reader.put(b"0|old|r0|0", None)
    assert _restored(reader).next_offset == 20


def test_another_epoch_is_another_life() -> None:
    reader = ChangelogReader()
    _write(CheckpointWriter(0, "w", 1), reader, _snapshot(3), 20)
    assert reader.restore(0, 2) is None


def test_an_empty_changelog_has_no_state() -> None:
    assert ChangelogReader().restore(0, 1) is None


def test_superseded_chunks_are_let_go_while_reading() -> None:
    reader, writer = ChangelogReader(), CheckpointWriter(0, "w", 1)
    snapshot = _snapshot(20_000)
    for offset in range(1, 6):
        snapshot.rows[:] += np.uint64(1)
        _write(writer, reader, snapshot, offset)
    assert len(reader._writers["w"].chunks) == 4


# -- what is refused ------------------------------------------------------------------------------


def _refused(reader: ChangelogReader) -> str:
    with pytest.raises(CheckpointError) as refused:
        reader.restore(0, 1)
    return str(refused.value)


def test_a_damaged_chunk_is_refused_by_name() -> None:
    reader = ChangelogReader()
    writes = _write(CheckpointWriter(0, "w", 1), reader, _snapshot(20_000), 1)
    value = bytearray(writes[1].value or b"")
    value[1000] ^= 1
    reader.put(writes[1].key, bytes(value))
    assert "'0|w|r1|0' refused: its checksum" in _refused(reader)


def test_a_missing_chunk_is_refused_by_name() -> None:
    reader = ChangelogReader()
    _write(CheckpointWriter(0, "w", 1), reader, _snapshot(20_000), 1)
    reader.put(b"0|w|r2|0", None)
    assert "'0|w|r2|0' refused: it is missing" in _refused(reader)


@pytest.mark.parametrize("at", [3, 9, 12, 30, -1])
def test_a_damaged_manifest_is_refused_by_name(at: int) -> None:
    reader = ChangelogReader()
    manifest = _write(CheckpointWriter(0, "w", 1), reader, _snapshot(3), 1)[-1]
    value = bytearray(manifest.value or b"")
    value[at] ^= 0x40
    reader.put(manifest.key, bytes(value))
    assert "'0|w|manifest|0' refused" in _refused(reader)


def test_a_newer_format_is_refused_with_both_versions() -> None:
    reader = ChangelogReader()
    manifest = _write(CheckpointWriter(0, "w", 1), reader, _snapshot(3), 1)[-1]
    value = manifest.value or b""
    reader.put(manifest.key, value[:8] + (checkpoint.FORMAT + 1).to_bytes(2) + value[10:])
    assert "written in format 2, this version knows up to 1" in _refused(reader)


def test_a_state_of_a_newer_format_is_refused_before_it_is_read() -> None:
    reader, snapshot = ChangelogReader(), _snapshot(3)
    later = replace(snapshot, header={"format": chain.STATE_FORMAT + 1, "other": 1})
    _write(CheckpointWriter(0, "w", 1), reader, later, 1)
    ours = chain.STATE_FORMAT
    assert f"its state is in format {ours + 1}, this version knows up to {ours}" in _refused(reader)
    written = chain.snapshot(chain.Partition(chain.Params())).header["format"]
    assert written == chain.STATE_FORMAT


def test_a_cut_manifest_is_refused() -> None:
    reader = ChangelogReader()
    manifest = _write(CheckpointWriter(0, "w", 1), reader, _snapshot(3), 1)[-1]
    reader.put(manifest.key, (manifest.value or b"")[:20])
    assert "refused" in _refused(reader)


@pytest.mark.parametrize("key", [b"", b"x", b"a|b|c|d", b"0|w|r0", b"\xff|w|r0|1"])
def test_a_key_that_is_none_of_ours_is_refused(key: bytes) -> None:
    reader = ChangelogReader()
    reader.put(key, b"value")
    with pytest.raises(CheckpointError, match="not a key"):
        reader.restore(0, 1)
    assert reader.keys == {key}
    reader.put(key, None)  # as a rebuild leaves it, until the log is compacted
    assert (reader.restore(0, 1), reader.keys) == (None, set())


def test_keys_are_read_as_they_are_written() -> None:
    key = Key(31, "a1", "r12", 1)
    assert Key.decode(key.encode()) == key


def test_a_manifest_is_read_as_it_is_written() -> None:
    manifest = Manifest(1, 2, {"a": 3}, (4, 14), {"r0": checkpoint.ChunkRef(1, 5, b"digest")})
    assert Manifest.decode("key", manifest.encode()) == manifest


# -- the real chain -------------------------------------------------------------------------------


def _decisions(
    settings: Settings, params: chain.Params, cuts: list[int], *, restart: bool
) -> Iterator[bytes]:
    """All outputs for one log, cut into batches; at each cut the state may die and come back."""
    intake, recogniser = settings.intake(), settings.recogniser()
    records = list(traffic(5, 30_000, 1, START_MS, 6 * HOUR_MS))
    state, writer, reader, mark = (
        chain.Partition(params),
        CheckpointWriter(0, "w0", 1),
        ChangelogReader(),
        0,
    )
    evicted = 0
    for begin, end in pairwise([0, *cuts, len(records)]):
        batch = records[begin:end]
        decoded = wire.decode(
            intake,
            "in",
            0,
            [r.value for r in batch],
            [r.key for r in batch],
            list(range(begin, end)),
            [r.timestamp_ms for r in batch],
            end,
        )
        decisions = chain.process(params, state, decoded.batch, recogniser.columns(decoded.batch))
        yield from map(wire.encode_action, decisions.actions)
        yield from map(wire.encode_episode, decisions.episodes)
        if restart:
            _write(writer, reader, chain.snapshot(state), end)
            restored = _restored(reader)
            state, reader, mark = (
                chain.restore(params, restored.snapshot),
                ChangelogReader(),
                mark + 1,
            )
            writer = CheckpointWriter(0, f"w{mark}", 1)
        evicted += decisions.evicted
    assert evicted
    yield str(sorted(chain.snapshot(state).rows.tolist())).encode()


@pytest.mark.slow
def test_a_state_that_dies_at_every_cut_decides_the_same_to_the_byte() -> None:
    settings = Settings(app_id="test")
    params = replace(settings.params(), sieve=SieveParams(rows_max=ROWS_MAX), suspects_max=4_000)
    rng = random.Random(3)
    cuts = sorted(rng.sample(range(1, 30_000), 12))
    expected = sorted(
        _decisions(settings, params, list(range(BATCH, 30_000, BATCH)), restart=False)
    )
    assert len(expected) > 20
    assert sorted(_decisions(settings, params, cuts, restart=True)) == expected


# -- memory ---------------------------------------------------------------------------------------

RESTORES = """
import numpy as np
from detectors import chain
from streams.common.heap import keep_freed_memory
from streams.engine.state.checkpoint import (
    CHUNK_BYTES_MAX, ChangelogReader, ChunkRef, Key, Manifest, digest_of, pieces,
)

def megabytes(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024

keep_freed_memory()
RECIPIENTS, params, reader, chunks = 600_000, chain.Params(), ChangelogReader(), {}
def put(name, data):
    chunks[name] = ChunkRef(0, len(data), digest_of(data))
    reader.put(Key(0, "w", name).encode(), data)

empty = chain.snapshot(chain.Partition(params))
put("s0", dict(pieces(empty))["s0"])
before = megabytes("VmRSS")
step = CHUNK_BYTES_MAX // 112
for i, at in enumerate(range(0, RECIPIENTS, step)):
    rows = np.zeros((min(step, RECIPIENTS - at), 14), np.uint64)
    rows[:] = 86_138_000_000_00 + np.arange(at, at + len(rows))[:, None]
    rows[:, 1] = 0  # no overflow
    put(f"r{i}", rows.tobytes())
ordered = {name: chunks[name] for name in sorted(chunks, key=lambda n: (n[0], int(n[1:])))}
manifest = Manifest(0, 7, empty.header, (RECIPIENTS, 14), ordered)
reader.put(Key(0, "w", "manifest").encode(), manifest.encode())
partition = chain.restore(params, reader.restore(0, 0).snapshot)
assert partition.recipients == RECIPIENTS
print((megabytes("VmHWM") - before) / (RECIPIENTS * 112 / 2**20))
"""


@pytest.mark.slow
def test_a_state_is_restored_in_hardly_more_memory_than_it_takes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RESTORES], capture_output=True, text=True, timeout=END_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 1 < float(done.stdout) < 1.5
