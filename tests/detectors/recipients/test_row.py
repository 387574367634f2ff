"""What a row remembers: the newest platforms for certain, and habits before any crowd."""

from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np
import pytest

from detectors.chain import Params, Partition
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import platform_id, platform_print
from detectors.model.times import EPOCH_S
from detectors.recipients.overflow import PLACES_MAX
from detectors.recipients.row import (
    CROWD_S,
    PRINTS,
    RING,
    Memory,
    pack,
    prints_of,
    shift,
    unpack,
    word,
)
from detectors.recipients.sieve import SieveParams
from detectors.recipients.table import Table
from tests.adversary.promises import LEARNT_AT_LEISURE
from tests.builders.detectors.recipients.row import DAY, HOUR, START, seen_by_sieve
from tests.detectors.stand_in import DAY_MS, HOUR_MS, START_MS, Event, run

BORN = START // DAY


class Held(NamedTuple):
    platform: int
    at: int
    novel: bool = True


class NaiveRow:
    """One recipient's row by the rules as they are written, with lists and without any places."""

    def __init__(self) -> None:
        self.ring: list[Held] = []
        self.kept: list[int] = []  # the latest used first
        self.once: list[int] = []
        self.rich = False  # more than 14 were remembered at some time

    def see(self, platform: int, at: int) -> None:
        old, out = next((h for h in self.ring if h.platform == platform), None), None
        known = old is not None or platform in self.kept + self.once
        if old is not None:
            self.ring.remove(old)
        elif len(self.ring) == RING:
            out = self.ring.pop(0)
        for prints in (self.kept, self.once):
            if known and platform in prints:
                prints.remove(platform)
        new = Held(platform, at, novel=not known)
        self.ring = sorted([*self.ring, new], key=lambda h: word(h.at, h.novel, h.platform))
        full = self.rich or len(self.kept) + len(self.once) == PRINTS
        crowd = out is not None and out.novel and self.ring[-1].at - out.at < CROWD_S
        if out is not None and not (crowd and full):
            (self.once if out.novel else self.kept).insert(0, out.platform)
        self.rich |= len(self.kept) + len(self.once) > PRINTS
        if len(self.once) > PRINTS + max(0, PLACES_MAX - 1 - len(self.kept)):
            self.once.pop()
        del self.kept[PLACES_MAX:]


@pytest.mark.parametrize("seed", range(40))
def test_a_row_is_kept_as_its_rules_say(seed: int) -> None:
    rng = random.Random(seed)
    table, naive = Table(1 << 14), NaiveRow()
    platforms = rng.sample(range(1, 1 << 16), rng.choice([6, 12, 25, 40, 90]))
    gap = rng.choice([0.6, 2, 9, 30])
    at = START
    naive.see(platforms[0], at)
    seen_by_sieve(table, platforms[0], at)
    for _ in range(400):
        at += int(DAY * rng.expovariate(1 / gap)) + 5 * 3600
        platform = rng.choice(platforms[: rng.choice([3, len(platforms)])])
        held = next((h for h in naive.ring if h.platform == platform), None)
        if held is None or at - held.at >= DAY:
            naive.see(platform, at)
        seen_by_sieve(table, platform, at)
        ring, memory = unpack(table.words[0], table.overflow)
        assert memory.born_day == BORN
        assert ring == [word(h.at, h.novel, h.platform) for h in naive.ring]
        assert list(memory.kept) == naive.kept
        assert list(memory.once) == naive.once


@pytest.mark.slow
def test_the_judge_remembers_by_the_rules_of_the_sieve() -> None:
    """The same years of one person, once sifted and once judged message by message."""
    many = 0
    for seed in range(20):
        rng = random.Random(seed)
        platforms = [f"{seed}.{i}" for i in range(rng.choice([6, 14, 20, 45]))]
        at_ms, events = START_MS, []
        for _ in range(150):
            at_ms += int(rng.expovariate(1 / rng.choice([0.8, 3, 12])) * DAY_MS) + 5 * HOUR_MS
            events.append(Event(at_ms, 7, rng.choice(platforms)))
        offsets = [4096 * (i + 1) for i in range(len(events))]
        found = []
        for params in (Params(), Params(sieve=SieveParams(promote_distinct=1))):
            partition = Partition(params)
            run(params, events, partition, offsets=offsets)
            row = partition.table.words[0]
            later = [Event(at_ms + 2 * DAY_MS, 8, "")] * 8  # so many ticks bear the time out
            run(params, later, partition, offsets=[4096 * (900 + i) for i in range(8)])
            assert not partition.suspects
            ring, memory = unpack(row, partition.table.overflow)
            twice = {platform_print(w & 0xFFFF_FFFF) for w in ring if not w >> 32 & 1}
            once = {platform_print(w & 0xFFFF_FFFF) for w in ring if w >> 32 & 1}
            found.append((twice.union(memory.kept), once.union(memory.once)))
        assert found[0] == found[1], f"seed {seed}"
        many += len(found[0][0]) > PRINTS + RING
    assert many > 2


@pytest.mark.parametrize("seed", range(5))
def test_a_print_is_moved_in_each_column_as_in_a_list(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lanes = rng.integers(1, 1 << 16, (PRINTS, 500)).astype(np.uint16)
    gap, at = rng.integers(0, PRINTS, 500), rng.integers(0, PRINTS + 1, 500)
    nothing = rng.random(500) < 0.1
    gap[nothing] = at[nothing] = PRINTS
    put = rng.integers(1, 1 << 16, 500).astype(np.uint16)
    expected = lanes.T.tolist()
    for column, i, j, one in zip(expected, gap.tolist(), at.tolist(), put.tolist(), strict=True):
        if i < PRINTS:
            column.insert(j, one)
            del column[i + (j <= i)]
    shift(lanes, at, gap, put)
    assert lanes.T.tolist() == expected


def test_prints_of_an_array_are_those_of_each() -> None:
    platforms = np.array([1, 0x1234_0001, 0xFFFF_FFFF, 0x0001_0001], np.uint32)
    assert prints_of(platforms).tolist() == [platform_print(p) for p in platforms.tolist()]


def test_a_row_stored_and_loaded_is_the_same() -> None:
    row = np.zeros(14, np.uint64)
    row[1] = 77 << 32 | 5 << 8 | 6
    sightings = [word(100 * DAY + i, i % 2, 1000 + i) for i in range(7)]
    pack(row, sightings, Memory(9, [5, 6], [7]))
    ring, held = unpack(row)
    assert ring == sightings
    assert (held.born_day, held.kept, held.once) == (9, (5, 6), (7,))
    again = row.copy()
    pack(again, ring, held)
    assert again.tolist() == row.tolist()
    assert int(row[1]) == 77 << 32 | 5 << 8 | 6


def test_a_suspect_that_loses_all_its_sightings_keeps_what_it_knew() -> None:
    row = np.zeros(14, np.uint64)
    memory = Memory(9, range(1, 15))
    pack(row, [], memory)
    ring, held = unpack(row)
    assert (ring, held.prints) == ([], memory.prints)
    table = Table(1 << 14)
    table.find_or_add(np.array([7], np.uint64))
    table.words[0, 1:] = row[1:]
    seen_by_sieve(table, 60_000, 202 * DAY)
    assert unpack(table.words[0])[1].kept == memory.kept


def test_a_crowd_of_one_day_washes_nothing_out() -> None:
    table = Table(1 << 14)
    table.find_or_add(np.array([7], np.uint64))
    row, old = table.words[0], Memory(1, (), range(60_001, 60_015))
    crowd = [word(10 * DAY + i, 1, 1 << 20 | i) for i in range(60)]
    pack(row, crowd, old, table.overflow)
    ring, held = unpack(row, table.overflow)
    assert held.prints == old.prints
    assert len(ring) == RING


def test_where_no_extent_can_be_had_what_came_on_two_days_stays() -> None:
    row = np.zeros(14, np.uint64)
    again = [word(100 * DAY + i, 0, 1 << 20 | i) for i in range(20)]
    pack(row, again, Memory(1, [60_001], range(60_003, 60_015)))
    ring, held = unpack(row)
    assert sorted(ring) == again[-RING:]
    latest = [platform_print(w & 0xFFFF_FFFF) for w in again[:-RING][::-1]]
    assert held.kept == (*latest, 60_001)
    assert held.once == (60_003,)


def test_sightings_of_the_last_day_stay_in_the_ring() -> None:
    row = np.zeros(14, np.uint64)
    recent = [word(10 * DAY + i, 1, 500 + i) for i in range(7)]
    older = [word(5 * DAY + i, 0, 900 + i) for i in range(9)]
    pack(row, older + recent, Memory())
    ring, held = unpack(row)
    assert ring[1:] == recent
    assert ring[0] == older[-1]
    assert held.size == 8


# -- what an attacker may do to it ----------------------------------------------------------------


def taught(uses: list[int], platforms: int = 22, a_day: int = 11) -> list[tuple[str, int]]:
    """An attacker's platforms an hour apart, so many a day, each on the given rounds."""
    out, day = [], 0
    for _ in uses:
        for first in range(0, platforms, a_day):
            out += [
                (f"taught {i}", day * DAY_MS + (i - first) * HOUR_MS)
                for i in range(first, min(first + a_day, platforms))
            ]
            day += 1
    return out


def knows(events: list[Event], names: list[str]) -> int:
    """How many of these the recipient knows after the events, two days on."""
    partition = Partition(Params())
    end_ms = max(e.at_ms for e in events)
    run(Params(), events, partition, offsets=[16 * i for i in range(len(events))])
    later = [Event(end_ms + 3 * DAY_MS, 1, "")] * 8  # so many ticks bear the time out
    first = (16 * len(events) // 4096 + 1) * 4096
    run(Params(), later, partition, offsets=[first + 4096 * i for i in range(8)])
    assert not partition.suspects
    row = partition.table.words[partition.table.find(np.array([7], np.uint64))[0]]
    ring, memory = unpack(row, partition.table.overflow)
    held = {platform_print(w & 0xFFFF_FFFF) for w in ring} | set(memory.prints)
    return sum(platform_print(platform_id(name)) in held for name in names)


MINE = [f"mine {i}" for i in range(14)]


def habits(days: list[int]) -> list[Event]:
    """Fourteen platforms, each on these days before the start."""
    return [
        Event(START_MS - day * DAY_MS + i * HOUR_MS, 7, name)
        for day in days
        for i, name in enumerate(MINE)
    ]


@pytest.mark.parametrize("days", [[22, 15, 8], [60, 40, 5], [100, 60, 20], [14, 7, 3, 1]])
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_a_taught_platform_displaces_none_that_came_on_as_many_days(
    days: list[int], rounds: int
) -> None:
    attack = [Event(START_MS + at, 7, name) for name, at in taught([0] * rounds, platforms=100)]
    assert knows(habits(days) + attack, MINE) == 14
    learnt = knows(habits(days) + attack, [f"taught {i}" for i in range(100)])
    assert learnt == RING


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_nor_while_a_judge_has_the_recipient(rounds: int) -> None:
    """Where the log passes no tick, nobody lets it go."""
    attack = [Event(START_MS + at, 7, name) for name, at in taught([0] * rounds, platforms=100)]
    partition = Partition(Params())
    run(Params(), habits([22, 15, 8]) + attack, partition)
    suspect = partition.suspects[7]
    later_s = max(e.at_ms for e in attack) // 1000 - EPOCH_S + DAY
    assert all(suspect.knows(platform_id(name), later_s) for name in MINE)
    known = sum(suspect.knows(platform_id(f"taught {i}"), later_s) for i in range(100))
    assert known == RING


@pytest.mark.parametrize(
    ("gap_ms", "learnt"), [(6 * HOUR_MS, LEARNT_AT_LEISURE), (5 * HOUR_MS, RING)]
)
def test_with_one_code_each_only_eight_platforms_in_two_days_are_taught(
    gap_ms: int, learnt: int
) -> None:
    names = [f"taught {i}" for i in range(90)]
    attack = [Event(START_MS + i * gap_ms, 7, name) for i, name in enumerate(names)]
    assert knows(habits([22, 15, 8]) + attack, MINE) == 14
    assert knows(habits([22, 15, 8]) + attack, names) == learnt


def test_of_more_platforms_than_an_extent_holds_the_longest_unused_go() -> None:
    table, at = Table(1 << 14), START
    for platform in range(1, 91):
        for _ in range(2):
            at += 25 * HOUR
            seen_by_sieve(table, platform, at)
    seen_by_sieve(table, 25, at + DAY)
    seen_by_sieve(table, 500, at + DAY)  # pushes one more out of the ring
    ring, memory = unpack(table.words[0], table.overflow)
    ours = [w & 0xFFFF_FFFF for w in ring]
    assert ours == [85, 86, 87, 88, 89, 90, 25, 500]
    assert memory.kept == (84, 83, *(p for p in range(82, 19, -1) if p != 25))
    assert memory.once == ()
    assert table.overflow.dropped == 19 - 1 + 1


def in_quick_succession(days: list[int], names: list[str]) -> int:
    """How many of these platforms are known after they came within 20 s of each other, each day."""
    partition, offset = Partition(Params()), 0
    for day in days:
        at_ms = START_MS + day * DAY_MS
        events = [Event(at_ms + i * 9_000, 7, name) for i, name in enumerate(names)]
        run(Params(), events, partition, offsets=[offset + i for i in range(len(events))])
        assert 7 in partition.suspects or day > days[1], "three novel platforms are watched"
        for hour in range(0, 72, 4):  # so many ticks let go of whoever is idle
            offset = (offset // 4096 + 1) * 4096
            run(Params(), [Event(at_ms + hour * HOUR_MS, 1, "")], partition, offsets=[offset])
        assert not partition.suspects
    row = partition.table.words[partition.table.find(np.array([7], np.uint64))[0]]
    ring, memory = unpack(row, partition.table.overflow)
    known = {platform_print(w & 0xFFFF_FFFF) for w in ring} | set(memory.prints)
    return sum(platform_print(platform_id(name)) in known for name in names)


@pytest.mark.parametrize("apart", [4, 5, 40])
def test_platforms_used_in_quick_succession_are_known_after_two_days(apart: int) -> None:
    names = [f"habit {i}" for i in range(3)]
    assert in_quick_succession([0], names) == 0, "a day in an episode teaches nothing"
    assert in_quick_succession([0, apart], names) == 3
    assert in_quick_succession([0, apart, 2 * apart, 3 * apart], names) == 3


def test_a_recipient_of_the_last_day_is_cold_while_little_is_known_of_it() -> None:
    """As `EpisodeParams.is_warm` decides for a suspect, so that the share of the cold ones fits."""
    few, many, old, gone = range(8613800000001, 8613800000005)
    before = [
        *(Event(START_MS - days * DAY_MS + i * 6 * HOUR_MS, many, f"known {i}")
          for days in (20, 10) for i in range(6)),
        Event(START_MS - 40 * DAY_MS, old, "once"),
        Event(START_MS - 2 * DAY_MS, gone, "once"),
    ]  # fmt: skip
    today = [Event(START_MS - HOUR_MS, each, "today") for each in (few, many, old)]
    params = Params(episode=EpisodeParams(mode="enforce"))
    partition = Partition(params)
    run(params, sorted(before) + today, partition)
    partition.watermark_s = START_MS // 1000 - EPOCH_S
    assert partition.count_cold(params.episode, 1024) == (3, 1)
    assert partition.count_cold(EpisodeParams(cold_days=41), 1024) == (3, 2)
    assert partition.count_cold(EpisodeParams(cold_known=7), 1024) == (3, 2)
    assert partition.count_cold(EpisodeParams(enforce_cold=True), 1024) == (3, 0)
    partition.watermark_s += 2 * DAY
    assert partition.count_cold(params.episode, 1024) == (0, 0)
