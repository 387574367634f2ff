"""Memory records: what another state knows about a recipient, merged into a partition.

It takes weeks to learn which platforms a recipient uses. A memory record carries this knowledge to
another cluster, or to a topic with more partitions. A record stands in the partition's own log, and
the partition merges it at its own offset. A replay, a restart or another owner then repeats every
decision.

The merge is a union. It never displaces what the partition has learned itself:

- A platform with a sighting here stays as it is: this sighting is at least as new.
- A platform that was first seen in a flood here stays unknown.
- Other platforms go behind those that are remembered here, the latest used first. So they are
  dropped first if the recipient's memory is full.
- A number that was recycled here does not get the memory of its former owner.

Several records of one recipient give the same knowledge in any order, as long as all of it fits.

Records are signed, because the topic's access rights do not distinguish them from events, and who
can write them can add platforms to a recipient's row (packed memory).
"""

import hmac
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, starmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.event import (
    TICK_OFFSETS,
    KnownPlatform,
    MemoryOutcome,
    MemoryRecord,
    platform_print,
)
from detectors.model.log_time import latest
from detectors.model.records import utc_ms
from detectors.model.times import DAY_MS, DAY_S, EPOCH_S
from detectors.partition import Partition
from detectors.recipients.overflow import BLOCK, Overflow
from detectors.recipients.row import (
    BORN,
    NOVEL,
    PRINTS,
    RING_WORDS,
    SECONDS,
    Memory,
    halves,
    pack,
    unpack,
)
from detectors.recipients.table import tags_of
from detectors.recognise.text.fold import NAME_VERSION
from detectors.suspects.suspect import Suspect
from detectors.thresholds import MEMORY_AGE_MS, MEMORY_MAX, RECYCLED_MAX

_PURPOSE: Final = b"otpguard memory 1\n"
"""Prefix of the signed data, so that a signature made for another purpose with the same key is not
valid for a memory record."""
_NOBODY: Final = 0  # key in `Partition.recycled` for the recipients that it forgot
_EPOCH_DAY: Final = EPOCH_S // DAY_S


def sign_memory(key: bytes, recipient: int, told: MemoryRecord) -> MemoryRecord:
    """Return the record with its signature. `recipient`: as in `Batch.recipient`."""
    return told._replace(mac=_mac(key, recipient, told))


def _mac(key: bytes, recipient: int, told: MemoryRecord) -> str:
    head = (recipient, told.as_of_ms, told.name_version, told.born_day, *sum(told.platforms, ()))
    return hmac.digest(key, _PURPOSE + repr(head).encode(), "sha256").hex()


def adopt_memory(
    partition: Partition, keys: Sequence[bytes], recipient: int, told: MemoryRecord | None
) -> MemoryOutcome:
    """Check a memory record, merge it if it is valid, and return the outcome.

    `told`: the record; None if it could not be parsed. A rejected record changes nothing.
    """
    if told is None:
        return "unreadable"
    if len(told.platforms) > MEMORY_MAX:
        return "oversized"
    macs = (_mac(key, recipient, told).encode() for key in keys)
    if not any(hmac.compare_digest(mac, told.mac.encode()) for mac in macs):
        return "forged"
    if told.name_version != NAME_VERSION:
        return "foreign"
    if told.as_of_ms <= partition.watermark_ms - MEMORY_AGE_MS:
        return "old"
    forgotten_day = partition.recycled.get(_NOBODY, 0)
    as_of_day = told.as_of_ms // DAY_MS - _EPOCH_DAY
    if told.born_day <= partition.recycled.get(recipient, 0) or as_of_day <= forgotten_day:
        return "recycled"
    _merge(partition, recipient, told)
    return "adopted"


def note_recycled(partition: Partition, recipient: int, at_s: int) -> None:
    """Remember the day on which a number got a new owner.

    If too many are remembered, the first is forgotten. Then no record that is as old as it counts.
    """
    recycled = partition.recycled
    recycled.pop(recipient, None)
    recycled[recipient] = at_s // DAY_S
    if len(recycled) > RECYCLED_MAX:
        first = next(each for each in recycled if each != _NOBODY)
        recycled[_NOBODY] = max(recycled.pop(first), recycled.get(_NOBODY, 0))


def _merge(partition: Partition, recipient: int, told: MemoryRecord) -> None:
    relapse = partition.book.relapses.get(recipient)
    barred = () if relapse is None else relapse.platforms
    suspect = partition.suspects.get(recipient)
    if suspect is not None:
        suspect.memory = _join(suspect.memory, told, {*suspect.seen, *barred})
        return
    table, keys = partition.table, np.array([recipient], np.uint64)
    hashed = table.hash_keys(keys)
    at, cell = table.seek(recipient, int(hashed[0]))
    if at < 0:  # a tenth of the time that `find_or_add` takes for one key
        at = table.add(keys, tags_of(hashed), np.array([cell]))[0]
    row = table.words[at]  # the matrix may be another one than before
    ring, memory = unpack(row, table.overflow)
    memory = _join(memory, told, {*(each & 0xFFFF_FFFF for each in ring), *barred})
    pack(row, ring, memory, table.overflow)
    window, counts = int(row[1]) >> 32, int(row[1]) & 0xFFFF
    if not counts:  # its time of last use decides when it is evicted
        last_day = max((each.last_day for each in told.platforms), default=told.born_day)
        newest = max(window, last_day * DAY_S // partition.window_s)
        row[1] = newest << 32 | int(row[1]) & 0xFFFF_FFFF
    # A record can take more blocks than the messages of its offset, so room is checked at once.
    table.overflow.is_open &= table.overflow.has_room


def _join(memory: Memory, told: MemoryRecord, held: Iterable[int]) -> Memory:
    """Return a memory with the record's platforms, without those whose 16-bit hash is `held`."""
    born_day = min(memory.born_day or told.born_day, told.born_day)
    skipped = {*map(platform_print, held), *memory.marks}
    prints = [(platform_print(each.platform), each.days) for each in told.platforms]
    kept, once = (
        [print_ for print_, days in prints if (days > 1) is often and print_ not in skipped]
        for often in (True, False)
    )
    return Memory(born_day, (*memory.kept, *kept), (*memory.once, *once), memory.marks)


def time_of(partition: Partition) -> int:
    """Return the log's time up to which a partition knows, in seconds since `EPOCH_S`; 0: none."""
    return latest(partition.watermark_s, partition.medians_s, partition.recent_s)


def list_memories(partition: Partition) -> Iterator[tuple[int, MemoryRecord]]:
    """Yield each recipient of a partition with an unsigned record of what is known about it.

    A platform whose first code came less than a day ago is not known yet, and is not included. The
    same holds for a platform that was first seen in a flood. A print (16-bit hash) has no time. It
    left the recipient's newest eight sightings before the oldest of these came. So the day of this
    oldest sighting stands for its last use.
    """
    table, window_s = partition.table, partition.window_s
    words = table.words[: table.used]
    # A partition that has only adopted records yet has no time of its own.
    now_s = time_of(partition) or int(words[:, 1].max(initial=1 << 32)) // (1 << 32) * window_s
    as_of_ms, live = utc_ms(now_s), indices(words[:, 0])
    for at in range(0, len(live), TICK_OFFSETS):  # few at a time, because lists take memory
        some = words[live[at : at + TICK_OFFSETS]]
        idle_s = (some[:, 1] >> np.uint64(32)).astype(np.int64) * window_s
        found, sizes = _find_known(some, table.overflow, now_s - DAY_S, idle_s)
        born = halves(some)[0] & BORN
        for recipient, born_day, size, row_s in zip(
            some[:, 0].tolist(), born.tolist(), sizes, idle_s.tolist(), strict=True
        ):
            platforms = tuple(islice(found, size))
            told = MemoryRecord(as_of_ms, NAME_VERSION, born_day, platforms, "")
            if suspect := partition.suspects.get(recipient):  # its row is stale
                platforms = _known_to_suspect(suspect, now_s, row_s)
                told = told._replace(born_day=suspect.memory.born_day, platforms=platforms)
            yield recipient, told


def _known_to_suspect(suspect: Suspect, now_s: int, idle_s: int) -> tuple[KnownPlatform, ...]:
    """Return what a suspect knows. `idle_s`: the time of its row's newest window."""
    known = set(suspect.list_known(now_s))
    ring = [each for each in suspect.sightings if each & 0xFFFF_FFFF in known]
    day = max(1, (ring[0] >> 33 if ring else idle_s) // DAY_S)
    found = [(each & 0xFFFF_FFFF, (each >> 33) // DAY_S, 2 - (each >> 32 & 1)) for each in ring]
    found = [*found[::-1], *((each, day, 2) for each in suspect.memory.kept)]
    return tuple(
        starmap(KnownPlatform, [*found, *((each, day, 1) for each in suspect.memory.once)])
    )


def _find_known(
    words: NDArray[np.uint64], overflow: Overflow, first_s: int, idle_s: NDArray[np.int64]
) -> tuple[Iterator[KnownPlatform], list[int]]:
    """Return what rows (m, 14) know, one row after the other, and the number of each row.

    `first_s`: a novel platform that came later is not known yet. `idle_s` (m,): the time of each
    row's newest window. Times are in seconds since `EPOCH_S`.
    """
    ring, lanes = words[:, RING_WORDS].T[::-1], halves(words)  # of the ring, the newest first
    seen_s, once = (
        (ring >> SECONDS).astype(np.int64),
        (ring >> NOVEL & np.uint64(1)).astype(np.int8),
    )
    held = (ring != 0) & ((once == 0) | (seen_s <= first_s))
    oldest_s = seen_s.min(axis=0, where=held, initial=1 << 31)
    day = np.maximum(np.where(held.any(axis=0), oldest_s, idle_s) // DAY_S, 1)
    tags = (words[:, 1] >> np.uint64(16)).astype(np.int64) & 0xFFFF
    blocks, size = tags >> 12, (tags >> 12) * BLOCK - (tags & 15)  # of the extents of the rows
    extents = overflow.take((tags >> 4 & 0xFF) << 16 | lanes[1], blocks)[: size.max()]
    extents = np.where(np.arange(len(extents))[:, None] < size, extents, 0)
    often = np.logical_and.accumulate(extents != 0, axis=0)  # a place of 0 follows what is KEPT
    kept = np.where(blocks == 0, lanes[1], 0) > np.arange(PRINTS)[:, None]
    prints = np.concatenate([extents * often, lanes[2:], extents * ~often])
    twice = np.full(often.shape, 2, np.int8)
    days = np.concatenate([2 - once, twice, kept + np.int8(1), twice - 1])
    held = np.concatenate([held, prints != 0]).T
    columns = (
        np.concatenate([ring & np.uint64(0xFFFF_FFFF), prints]),
        np.concatenate([seen_s // DAY_S, np.broadcast_to(day, prints.shape)]),
        days,
    )
    found = map(KnownPlatform, *(column.T[held].tolist() for column in columns))
    return found, held.sum(axis=1).tolist()
