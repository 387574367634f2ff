"""One pass of the judge over the codes of suspects: what is refused, and what is scheduled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.chain import Partition
from detectors.judge_pass import JudgedEvent, judge_events
from detectors.model.log_time import LogTime, LogTimes
from detectors.model.records import Level, seconds
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history
from tests.detectors.stand_in import DAY_MS, MINUTE_MS, START_MS, Event, batch_of, codes_of, run


def judged(partition: Partition, events: Sequence[Event]) -> set[int]:
    """The positions that a lease refuses of these codes of one suspect."""
    offsets = range(partition.next_offset, partition.next_offset + len(events))
    batch = batch_of(events, offsets)
    codes, at_s = codes_of(batch), np.array([seconds(e.at_ms) for e in events])
    row = int(partition.table.find(np.array([VICTIM], np.uint64))[0])
    each: list[JudgedEvent] = [
        (i, i, row, offsets[i], VICTIM, e.at_ms, int(at_s[i]), int(at_s[i]), int(codes.platform[i]),
         int(codes.platform[i]), int(e.trust), False, False)
        for i, e in enumerate(events)
    ]  # fmt: skip
    log = LogTimes([LogTime(partition.recent_s, at_s, partition.watermark_s)], [0, len(events)])
    return judge_events(ENFORCE, partition, batch, each, log)


def throttled() -> Partition:
    partition = Partition(ENFORCE)
    run(ENFORCE, sorted([*history(), *flood(20)]), partition)
    episode = partition.suspects[VICTIM].episode
    assert episode is not None
    assert episode.level is Level.THROTTLE
    return partition


def test_a_lease_refuses_new_platforms_and_no_known_or_trusted_ones() -> None:
    partition = throttled()
    later_ms = flood(20)[-1].at_ms + 1000
    known = history()[0].platform
    events = [
        Event(later_ms, VICTIM, "never seen"),
        Event(later_ms + 1000, VICTIM, known),
        Event(later_ms + 2000, VICTIM, "a bank", trust=1),
    ]
    assert judged(partition, events) == {0}


def test_a_refused_code_that_renews_the_lease_is_refused_again_if_it_is_delivered_twice() -> None:
    partition = throttled()
    episode = partition.suspects[VICTIM].episode
    assert episode is not None
    before_ms = episode.issued_ms
    later_ms = before_ms + 6 * MINUTE_MS
    events = [Event(later_ms + n * 60_000, VICTIM, f"more {n}") for n in range(3) for _ in (0, 1)]
    assert judged(partition, events) == {*range(6)}
    assert episode.issued_ms in {e.at_ms for e in events}


def test_a_code_over_a_day_late_changes_nothing() -> None:
    partition = throttled()
    before = partition.suspects[VICTIM].sightings[:]
    assert judged(partition, [Event(START_MS - 2 * DAY_MS, VICTIM, "late")]) == set()
    assert partition.suspects[VICTIM].sightings == before


def test_an_opened_episode_is_checked_when_it_would_be_over() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, sorted([*history(), *flood(20)]), partition)
    suspect = partition.suspects[VICTIM]
    assert suspect.episode is not None
    assert (suspect.due_s, VICTIM) in partition.due
    assert suspect.due_s <= seconds(flood(20)[-1].at_ms + 60 * MINUTE_MS)
