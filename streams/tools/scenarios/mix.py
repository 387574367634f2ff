"""Merges streams in the order of event time."""

import heapq
from collections.abc import Iterable, Iterator

from streams.tools.scenarios.labelled_events import Labelled


def merge_streams(*streams: Iterable[Labelled]) -> Iterator[Labelled]:
    """Yield all events by event time. Each stream must be in order.

    One event of each stream is in memory at a time.

    Events of one time come in the order of their streams.
    """
    return heapq.merge(*streams, key=lambda event: event.value["event_time_ms"])
