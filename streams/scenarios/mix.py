"""Streams in one order of event time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from streams.scenarios.events import Labelled


def merged(*streams: Iterable[Labelled]) -> Iterator[Labelled]:
    """All events by event time; needs one event of each stream in memory, each in order itself.

    Events of one time come in the order of their streams.
    """
    return heapq.merge(*streams, key=lambda event: event.value["event_time_ms"])
