"""The tumbling counts and the runs that metrics are made of, against counting one by one."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest

from detectors.model.times import DAY_S
from detectors.recipients.row import SUSPECT
from detectors.recipients.sieve import SieveParams
from detectors.recipients.table import Table
from detectors.thresholds import LOUD_MESSAGES
from tests.builders.detectors.recipients.sieve import PARAMS, START, columns
from tests.detectors.recipients.sifting import sift


class Counts:
    """The two newest windows of one recipient, a message at a time."""

    def __init__(self) -> None:
        self.window = self.now = self.last = 0

    def add(self, window: int) -> int:
        """Returns how many the two hold with this message; 0 if it is too late to count."""
        if window > self.window:
            self.last = self.now if window == self.window + 1 else 0
            self.window, self.now = window, 1
        elif window == self.window:
            self.now += 1
        elif window == self.window - 1:
            self.last += 1
        else:
            return 0
        return self.now + self.last


@pytest.mark.parametrize("seed", range(60))
def test_counts_are_exact_however_late_messages_come(seed: int) -> None:
    rng = random.Random(seed)
    events, at = [], START
    for _ in range(300):
        at += rng.choice([0, 1, 20, 200, 700])
        events.append((rng.randint(1, 4), rng.randint(1, 3), at - rng.choice([0, 0, 0, 290, 900])))
    table = Table(1 << 14)
    counts: dict[int, Counts] = {}
    loud, expected = [], []
    for i, (recipient, _, t) in enumerate(events):
        if counts.setdefault(recipient, Counts()).add(t // 300) >= LOUD_MESSAGES:
            expected.append(i)
    done = 0
    while done < len(events):
        size = rng.choice([1, 7, 300])
        found = sift(PARAMS, table, *columns(events[done : done + size]))
        loud += (found.loud + done).tolist()
        done += size
    assert loud == expected
    for recipient, held in counts.items():
        packed = int(table.words[table.find(np.array([recipient], np.uint64))[0], 1])
        assert (packed >> 32, packed >> 8 & 0xFF, packed & 0xFF) == (
            held.window,
            held.now,
            held.last,
        )


def test_two_gateways_that_disagree_by_a_window_cost_what_one_costs() -> None:
    """Calls are counted: a loop over the turns makes thousands of them."""

    def calls(step_s: int) -> int:
        at_s = START + 3000 + np.arange(4096) // 100 - np.arange(4096) % 2 * step_s
        recipient, platform = np.full(4096, 7, np.uint64), np.full(4096, 5, np.uint32)
        made = [0]

        def note(_frame: object, event: str, _arg: object) -> None:
            made[0] += event.endswith("call")

        sys.setprofile(note)
        try:
            sift(PARAMS, Table(1 << 14), recipient, platform, at_s)
        finally:
            sys.setprofile(None)
        return made[0]

    assert calls(300) <= 1.5 * calls(0)


OLD = [(10, -4 * DAY_S), (11, -3 * DAY_S), (12, -3 * DAY_S + 9_000), (13, -3 * DAY_S + 18_000)]


def promoted(sightings: list[tuple[int, int]]) -> bool:
    """Whether one recipient is a suspect after these (platform, seconds)."""
    table = Table(1 << 14)
    for platform, at in sightings:
        sift(PARAMS, table, *columns([(1, platform, START + at)]))
    return bool(int(table.words[0, 10]) & SUSPECT)


@pytest.mark.parametrize(
    ("sightings", "suspect"),
    [
        ([(1, 0), (2, 0), (3, 0)], True),
        ([(1, 0), (2, 0)], False),
        ([(1, 0), (2, 30), (3, 60)], True),  # the bucket: 1, 1.25, 1.5
        ([(1, 0), (2, 30), (3, 61)], False),  # 1.475
        ([(1, 0), (2, 0), (2, 1), (1, 2)], False),  # repeats weigh nothing
        # Known ones keep the bucket from running dry between two novel ones and a third.
        ([*OLD, (11, 0), (12, 0), (1, 0), (2, 0), (13, 65), (3, 130)], True),
        ([*OLD, (11, 0), (12, 0), (1, 0), (2, 0), (13, 65), (3, 181)], False),
        ([(i, i * 10_000) for i in range(1, 5)], False),
        ([(i, i * 10_000) for i in range(1, 6)], True),  # five novel in a day
        ([(i, i * 22_000) for i in range(1, 6)], False),  # the fifth a day and more later
        ([*OLD, *((i, i * 6_000) for i in (1, 2, 3, 4, 11, 12, 13))], False),
        ([*OLD, *((i, i * 6_000) for i in (1, 2, 3, 4, 10, 11, 12, 13))], True),  # eight in a day
        ([*OLD, *((i, i * 8_000) for i in (1, 2, 3, 4, 10, 11, 12, 13))], False),
        ([*((1, i) for i in range(6))], False),
        ([*((1, i) for i in range(7))], True),  # loud, and novel
        ([*((11, i - 2 * DAY_S) for i in range(2)), *((11, i) for i in range(9))], False),
    ],
)
def test_a_recipient_is_handed_over_exactly_when_watch_could_be_next(
    sightings: list[tuple[int, int]], suspect: bool
) -> None:
    assert promoted(sightings) == suspect


def test_an_unusable_setting_is_refused() -> None:
    for wrong in ({"rows_max": 100}, {"promote_distinct": 9}, {"window_s": 0}):
        with pytest.raises(ValueError, match="must be"):
            SieveParams(**wrong)
