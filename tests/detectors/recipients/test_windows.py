"""Tumbling windows: what they count, when they close, and that few are open."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.model.times import EPOCH_S
from detectors.recipients.row import prints_of
from detectors.recipients.sieve import Sifted
from detectors.recipients.table import Table
from detectors.recipients.windows import OPEN_MAX, RUNGS, Windows, close, tally
from tests.builders.detectors.recipients.sieve import PARAMS, START, columns
from tests.detectors.recipients.sifting import sift


@pytest.mark.parametrize("size", [97, 5])  # with 5, more than `WAITING_MAX` batches of a window
def test_closed_windows_count_codes_platforms_and_recipients_over_each_rung(size: int) -> None:
    rng = random.Random(1)
    events = [
        (rng.choice([1, 2, 3, *range(4, 400)]), rng.randint(1, 50), START + rng.randrange(900))
        for _ in range(2000)
    ]
    events += [(1, 7, START + 310)] * 70
    events.sort(key=lambda e: e[2])
    table, windows = Table(1 << 14), Windows()
    for low in range(0, len(events), size):
        recipient, platform, at_s = columns(events[low : low + size])
        found = sift(PARAMS, table, recipient, platform, at_s)
        tally([windows], [0, len(at_s)], at_s // 300, platform, found)
    closed = close(windows, 300, START + 10_000)
    assert [w.codes for w in closed] == [
        sum(START + low <= t < START + low + 300 for _, _, t in events) for low in (0, 300, 600)
    ]
    for i, window in enumerate(closed):
        inside = [e for e in events if (e[2] - START) // 300 == i]
        each = Counter(r for r, _, _ in inside)
        assert window.platforms == len({p for _, p, _ in inside})
        assert dict(window.recipients) == {
            rung: sum(count >= rung for count in each.values()) for rung in RUNGS
        }
    assert close(windows, 300, START + 20_000) == []


def test_windows_far_from_the_log_are_not_opened() -> None:
    table, windows = Table(1 << 14), Windows()
    recipient, platform, at_s = columns(
        [(i + 1, 5, START + i * 3600 * (-1) ** i) for i in range(2000)]
    )
    found = sift(PARAMS, table, recipient, platform, np.maximum(at_s, 1))
    tally([windows], [0, len(at_s)], np.maximum(at_s, 1) // 300, platform, found)
    assert 0 < len(windows.open) <= 48


def runs(window: NDArray[np.int64], before: Any, after: Any) -> Sifted:
    """What a sieve says of runs; nothing that is not about windows."""
    none = window[:0]
    return Sifted(none, none, [0], none, none, none, none, window, before, after, [0, len(window)])


def tallied(numbers: list[int], windows: Windows | None = None, rise: int = 1) -> Windows:
    """A message in each of these windows, each of another platform."""
    windows = Windows() if windows is None else windows
    at = np.array(numbers, np.int64)
    before = np.zeros(len(at), np.int64)
    platform = np.arange(1, len(at) + 1, dtype=np.uint32)
    tally([windows], [0, len(at)], at, platform, runs(at, before, before + rise))
    return windows


def test_a_window_closes_once_the_watermark_is_a_whole_window_past_it() -> None:
    windows = tallied([100, 100, 101])
    assert close(windows, 300, 101 * 300 + 299) == []
    (closed,) = close(windows, 300, 102 * 300)
    assert (closed.codes, closed.platforms) == (2, 2)
    assert closed.start_ms == (100 * 300 + EPOCH_S) * 1000
    assert list(windows.open) == [101]


def test_what_comes_for_a_closed_window_is_not_tallied() -> None:
    windows = tallied([100])
    close(windows, 300, 103 * 300)
    tallied([100, 101, 102], windows)
    assert list(windows.open) == [102]


def test_a_run_counts_for_each_rung_that_it_steps_over() -> None:
    windows = tallied([100], rise=10)
    before, after = np.array([10], np.int64), np.array([20], np.int64)
    at, platform = np.array([100], np.int64), np.array([1], np.uint32)
    tally([windows], [0, len(at)], at, platform, runs(at, before, after))
    (closed,) = close(windows, 300, 200 * 300)
    assert dict(closed.recipients) == {2: 1, 5: 1, 10: 1, 20: 1, 50: 0}


def test_after_a_clock_that_was_ahead_windows_go_back_with_the_watermark() -> None:
    windows = tallied([10_000])
    close(windows, 300, 10_000 * 300)
    assert close(windows, 300, 101 * 300) == []
    tallied([100], windows)
    assert list(windows.open) == [100], "those of the clock that was ahead are dropped"


def test_open_windows_are_bounded() -> None:
    windows = tallied(list(range(100, 400)))
    assert len(windows.open) == OPEN_MAX - 1, "and one before the first"


def test_platforms_are_counted_by_their_prints() -> None:
    windows = Windows()
    platform = np.array([7, 0x0007_0000, 8], np.uint32)
    at = np.full(3, 100, np.int64)
    tally([windows], [0, len(at)], at, platform, runs(at[:1], np.zeros(1, np.int64), np.full(1, 3)))
    (closed,) = close(windows, 300, 200 * 300)
    assert (closed.codes, closed.platforms) == (3, len(set(prints_of(platform).tolist()))) == (3, 2)
