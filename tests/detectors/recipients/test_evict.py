"""Room for new recipients: who is forgotten for it, and who never is."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.chain import Params, Partition
from detectors.model.event import TICK_OFFSETS
from detectors.recipients.evict import make_room
from detectors.recipients.row import MEMORY_WORDS, SUSPECT
from detectors.recipients.sieve import SieveParams
from detectors.recipients.table import Table
from tests.builders.detectors.chain import VICTIM, flood
from tests.detectors.stand_in import START_MS, Event, batch_of, run


@pytest.mark.slow
def test_the_longest_idle_are_forgotten_but_never_a_suspect() -> None:
    params = Params(sieve=SieveParams(rows_max=1 << 14), suspects_max=1 << 13)
    partition = Partition(params)
    run(params, flood(3), partition)  # a suspect, and the longest idle of all
    others = [Event(START_MS + i * 100, 8613900000000 + i, "p") for i in range(40_000)]
    decisions = run(params, others, partition, size=777)
    whole = Partition(params)
    again = run(params, flood(3) + others, whole)
    assert decisions.evicted == again.evicted > 20_000
    assert partition.recipients == whole.recipients <= 1 << 14
    assert partition.table.room >= TICK_OFFSETS - partition.next_offset % TICK_OFFSETS
    assert VICTIM in partition.suspects
    newest = batch_of(others[-5000:], range(5000)).recipient
    assert (partition.table.find(newest) >= 0).all()
    assert (partition.table.find(batch_of(others[:5000], range(5000)).recipient) < 0).all()


def test_of_those_idle_since_the_same_window_the_lowest_keys_are_forgotten_first() -> None:
    params = Params(sieve=SieveParams(rows_max=1 << 14), suspects_max=1 << 13)
    partition = Partition(params)
    rng = np.random.default_rng(3)
    keys = rng.permutation(np.arange(1, 15_001, dtype=np.uint64))
    windows = rng.integers(100, 104, len(keys)).astype(np.uint64)
    table = partition.table
    rows = table.find_or_add(keys)
    table.words[rows, 1] = windows << np.uint64(32)
    assert make_room(partition.table) == 2 * TICK_OFFSETS
    order = np.lexsort((keys, windows))
    assert (table.find(keys[order[: 2 * TICK_OFFSETS]]) < 0).all()
    assert (table.find(keys[order[2 * TICK_OFFSETS :]]) >= 0).all()


def table_of(windows: dict[int, int], rows_max: int = 1 << 14) -> Table:
    """A table of these recipients, each with its newest window."""
    table = Table(rows_max)
    keys = np.array(list(windows), np.uint64)
    rows = table.find_or_add(keys)
    table.words[rows, 1] = np.array(list(windows.values()), np.uint64) << np.uint64(32)
    return table


def test_where_there_is_room_nobody_is_forgotten() -> None:
    table = table_of({1: 5, 2: 6})
    assert make_room(table, least=(1 << 14) - 2) == 0
    assert table.count == 2


def test_a_window_of_a_clock_that_was_ahead_goes_first() -> None:
    """Of such a recipient nobody knows how long it is idle."""
    idle = {key: 1000 + key for key in range(1, 9_001)}
    table = table_of({**idle, 9_999: 1 << 30})
    assert make_room(table, least=1 << 13, newest_window=20_000) == 2 * TICK_OFFSETS
    assert table.find(np.array([9_999], np.uint64))[0] < 0
    assert table.find(np.array([9_000], np.uint64))[0] >= 0


def test_a_table_of_suspects_alone_makes_no_room() -> None:
    table = table_of(dict.fromkeys(range(1, 11), 7), rows_max=10)
    table.words[:10, MEMORY_WORDS.start] |= np.uint64(SUSPECT)
    assert make_room(table, least=5) == 0
    assert table.count == 10
