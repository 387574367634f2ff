"""Builders that test_memory_records.py shares with other tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from detectors.chain import Partition
from detectors.memory_records import list_memories, sign_memory
from detectors.model.event import (
    EventKind,
    KnownPlatform,
    MemoryRecord,
    platform_id,
    platform_print,
)
from detectors.model.times import DAY_S, EPOCH_S
from detectors.recognise.text.fold import NAME_VERSION
from tests.builders.detectors.chain import ENFORCE, VICTIM
from tests.detectors.stand_in import DAY_MS, HOUR_MS, START_MS, Event

KEY = b"a key of sixteen"
PARAMS = replace(ENFORCE, memory_keys=(b"that of yesterday", KEY))
TODAY = START_MS // DAY_MS - EPOCH_S // DAY_S
OWN = [f"own {i}" for i in range(12)]


def told_of(
    platforms: Iterable[str | int],
    recipient: int = VICTIM,
    *,
    key: bytes = KEY,
    days: int = 2,
    last_day: int = TODAY - 9,
    born_day: int = TODAY - 99,
    as_of_ms: int = START_MS - HOUR_MS,
    version: int = NAME_VERSION,
) -> MemoryRecord:
    ids = (platform_id(each) if isinstance(each, str) else each for each in platforms)
    known = tuple(KnownPlatform(each, last_day, days) for each in ids)
    told = MemoryRecord(as_of_ms, version, born_day, known, "")
    return sign_memory(key, recipient, told)


def record(told: MemoryRecord | None, recipient: int = VICTIM, at_ms: int = START_MS) -> Event:
    """The record of the log that holds a memory record."""
    return Event(at_ms, recipient, "", kind=EventKind.MEMORY, memory=told)


def known(partition: Partition, recipient: int = VICTIM) -> dict[int, int]:
    """Print -> number of days, of all that the recipient is known to use."""
    found = dict(list_memories(partition)).get(recipient)
    return {} if found is None else days_of(found)


def days_of(told: MemoryRecord) -> dict[int, int]:
    """Print -> number of days of a record's platforms."""
    pairs = sorted((platform_print(each.platform), each.days) for each in told.platforms)
    return dict(pairs)  # of a platform that is there by its id and by its print, the more days


def prints(names: Iterable[str]) -> set[int]:
    return {platform_print(platform_id(name)) for name in names}
