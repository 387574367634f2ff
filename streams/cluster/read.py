"""Reading topics for people: from a time on, to their end, or on and on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, Final, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.cluster.admin import no_topic, unusable
from streams.errors import UnavailableError
from streams.wire import UnreadableError

log = logging.getLogger(__name__)

POLL_MS: Final = 200
POLL_RECORDS: Final = 5_000  # at a time in memory; a look at all positions is paid once for them
SILENCE_S: Final = 30.0  # a broker that says nothing for so long in the middle of a topic is away
LOGGED_MAX: Final = 10  # positions in the log; the rest is a number

_T = TypeVar("_T")


def readable(found: Iterable[Any], decode: Callable[[bytes], _T]) -> Iterator[_T]:
    """Decode the records, without those that are none of their contract.

    One of these costs its own line in the log, which names its position and nothing that it holds,
    and, from the eleventh on, a place in a number at the end.
    """
    passed = 0
    for record in found:
        try:
            said = decode(record.value)
        except UnreadableError as error:
            passed += 1
            if passed <= LOGGED_MAX:
                place = record.topic, record.partition, record.offset
                log.warning("passed over a record at %s[%d]@%d: %s", *place, error)
        else:
            yield said
    if passed > LOGGED_MAX:
        log.warning("passed over %d records in all", passed)


def records(
    clients: Mapping[str, Any],
    topic: str,
    *,
    since_ms: int | None = None,
    starts: Mapping[int, int] | None = None,
    follow: bool = False,
    stop: threading.Event | None = None,
) -> Iterator[Any]:
    """Records of all partitions, each in its order; with values only.

    From the first whose time is at least `since_ms`, or all; with `starts` only of these
    partitions, each from an offset, or from its first record if that is later. Up to the end as
    it was when asked, or, with `follow`, until `stop` is set. What a transaction wrote that is open
    or was aborted is not among them: workers do not count it. Raises UnavailableError if the topic
    can't be read.
    """
    try:
        with closing(
            KafkaConsumer(
                **clients, allow_auto_create_topics=False, isolation_level="read_committed"
            )
        ) as consumer:
            numbers = sorted(consumer.partitions_for_topic(topic) or ())
            if not numbers:
                raise no_topic(topic)
            places = [
                TopicPartition(topic, number)
                for number in numbers
                if starts is None or number in starts
            ]
            if not places:
                return
            consumer.assign(places)
            ends = consumer.end_offsets(places)
            if starts is None:
                _seek(consumer, places, ends, since_ms)
            else:
                for place, first in consumer.beginning_offsets(places).items():
                    consumer.seek(place, max(first, starts[place.partition]))
            heard = time.monotonic()
            while follow or any(consumer.position(place) < ends[place] for place in places):
                if stop is not None and stop.is_set():
                    return
                polled = consumer.poll(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
                for place, batch in polled.items():
                    yield from (
                        record
                        for record in batch
                        if record.value is not None and (follow or record.offset < ends[place])
                    )
                if polled:
                    heard = time.monotonic()
                elif not follow and time.monotonic() - heard > SILENCE_S:
                    raise UnavailableError(f"the broker sends no more of {topic}")
    except KafkaError as error:
        raise unusable(f"cannot read {topic}", error) from None


def _seek(
    consumer: KafkaConsumer,
    places: list[TopicPartition],
    ends: Mapping[TopicPartition, int],
    since_ms: int | None,
) -> None:
    if since_ms is None:
        consumer.seek_to_beginning(*places)
        return
    found = consumer.offsets_for_times(dict.fromkeys(places, since_ms))
    for place in places:
        at = found.get(place)
        consumer.seek(place, ends[place] if at is None else at.offset)
