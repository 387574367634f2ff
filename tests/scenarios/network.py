"""A network of partitions that tell sums of votes, and the list that an agent makes of them.

All of it but Kafka is the program's own: the partitions' sums, the agent's adding up and its pace,
the signed record, and each partition that adopts the list at its own offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Final

from detectors.chain import Decisions, Partition
from detectors.hot.network import sign_list
from detectors.hot.sums import NetworkSums
from detectors.model.event import TICK_OFFSETS, HotList
from detectors.thresholds import HOT_VALID_MS
from streams.network.list_agent import ListPace
from streams.tools.scenarios import Labelled
from streams.wire.partitioner import partition_of
from tests.scenarios.play import BATCH, PARAMS, Log, Outcome, Played

KEY: Final = b"a key of sixteen"

SLICE_MS: Final = 30_000
"""A tick of every partition: with 32 of them 4,400 records a second, of which most are not played.
Lists are a tick older than they would be: what was told in one is heard at its end."""

QUIET: Final = 10  # slices: a partition to which nothing comes has a tick so often, to save time
STRIDE: Final = 16  # offsets from one event to the next: each is a sample of its gateway's clock
BEFORE: Final = 256  # the same before the first tick


def play_network(
    events: Iterable[Labelled], partitions: int, from_ms: int, *, listed: bool
) -> dict[str, Outcome]:
    """What became of each recipient of these events, in the order of their times.

    From a time on every partition has a tick after each 30 s in which something came for it. With
    `listed` the network's lists are made, else each partition has its own.
    """
    params = replace(PARAMS, list_keys=(KEY,)) if listed else PARAMS
    played = Played(params)
    logs = [Log(number, Partition(params)) for number in range(partitions)]
    agent = Agent()
    for number, part in groupby(events, lambda e: max(_at(e) - from_ms, -1) // SLICE_MS):
        told = agent.told(from_ms + number * SLICE_MS)
        for log, chunk in zip(logs, _apart(part, partitions), strict=True):
            if number < 0:
                for at in range(0, len(chunk), BATCH):
                    agent.take(played.take(log, chunk[at : at + BATCH], BEFORE))
                continue
            if not chunk and told is None and number % QUIET:
                continue
            begin = log.offset - log.offset % -TICK_OFFSETS
            agent.take(played.take(log, chunk, STRIDE, begin + TICK_OFFSETS, told))
    return dict(played.outcomes)


class Agent:
    """The agent of platforms, as far as it makes the list."""

    def __init__(self) -> None:
        self._sums = NetworkSums()
        self._pace = ListPace()

    def take(self, decisions: Decisions) -> None:
        """Add up what a partition told."""
        for part in decisions.parts:
            if part.hot is not None:
                self._sums.take(part.partition, part.epoch, part.offset, part.hot)

    def told(self, now_ms: int) -> HotList | None:
        """Return the list that is told now, if one is."""
        wanted = frozenset(self._sums.choose_hot())
        if not self._pace.due(wanted, now_ms):
            return None
        self._pace.note(wanted, now_ms)
        return sign_list(KEY, now_ms, now_ms + HOT_VALID_MS, wanted)


def _at(event: Labelled) -> int:
    at_ms: int = event.value["event_time_ms"]
    return at_ms


def _apart(events: Iterator[Labelled], partitions: int) -> list[list[Labelled]]:
    """Return the events of each partition."""
    found: list[list[Labelled]] = [[] for _ in range(partitions)]
    for event in events:
        found[_partition(event.value["recipient"], partitions)].append(event)
    return found


@cache
def _partition(recipient: str, partitions: int) -> int:
    return partition_of(recipient.encode(), partitions)
