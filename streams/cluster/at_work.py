"""Finds the gateways that are active, from the acknowledgements that they publish.

A person who gives a command may expect an answer from these gateways only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from streams.cluster.prompt import LATELY, LATELY_MS
from streams.cluster.read import readable
from streams.wire import decode_ack

AGES_MS: Final = tuple(60_000 * minutes for minutes in (1, 5, 15, 60, 240, 1_440))
"""Ages at which acknowledgements are read, in milliseconds, in addition to the newest records. A
gateway that has stopped responding publishes nothing more, while other gateways fill the end of the
topic. In a campaign they add thousands of records a minute."""
# A slower broker makes the answer less complete, but a person does not wait for it.
ANSWER_MS: Final = 2_000


def gateways_at_work(consumer: Any, places: Iterable[Any], now_ms: int) -> dict[str, int]:
    """Return the gateways that acknowledged anything within a day, with the newest time seen.

    Times are UTC milliseconds. Reads `LATELY` records of each partition at each age in `AGES_MS`.
    Afterwards the consumer stands at the end of each partition.
    """
    places = list(places)
    firsts, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    starts: list[Mapping[Any, int]] = [{p: max(firsts[p], ends[p] - LATELY) for p in places}]
    for age_ms in AGES_MS:
        found = consumer.offsets_for_times(dict.fromkeys(places, now_ms - age_ms))
        starts.append({p: each.offset for p, each in found.items() if each is not None})
    at_work: dict[str, int] = {}
    read: dict[Any, list[range]] = {place: [] for place in places}
    for start in starts:
        spans = {p: range(at, min(at + LATELY, ends[p])) for p, at in start.items()}
        spans = {p: span for p, span in spans.items() if span and span not in read[p]}
        for place, span in spans.items():
            read[place].append(span)
        for ack in readable(_records(consumer, spans), decode_ack):
            at_work[ack.gateway_id] = max(at_work.get(ack.gateway_id, 0), ack.at_ms)
    consumer.assign(places)
    consumer.resume(*places)
    for place in places:
        consumer.seek(place, ends[place])
    return {name: at_ms for name, at_ms in at_work.items() if at_ms >= now_ms - LATELY_MS}


def _records(consumer: Any, spans: Mapping[Any, range]) -> Iterable[Any]:
    consumer.assign(list(spans))
    consumer.resume(*spans)
    for place, span in spans.items():
        consumer.seek(place, span.start)
    while any(consumer.position(place) < span.stop for place, span in spans.items()):
        polled = consumer.poll(timeout_ms=ANSWER_MS)
        if not polled:
            return  # The missing records were compacted away, or the broker is slow.
        for place, batch in polled.items():
            yield from (each for each in batch if each.offset < spans[place].stop)
            if consumer.position(place) >= spans[place].stop:
                consumer.pause(place)
