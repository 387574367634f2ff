"""Reads a topic outside a consumer group: from a time, up to its end, or continuously."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import AuthorizationError, KafkaError

from streams.cluster.admin import no_topic, working
from streams.common import UnavailableError, tr
from streams.wire import UnreadableError

log = logging.getLogger(__name__)

POLL_MS: Final = 200
# Records per poll, all in memory. The positions are checked once per poll.
POLL_RECORDS: Final = 10_000
# A broker that sends nothing for this long in the middle of a topic is unavailable.
SILENCE_S: Final = 30.0
PLACE_S: Final = 5.0
"""Seconds between two checks of the positions and of the number of partitions. This check finds a
topic that was deleted and created again, and partitions that were added. Records alone may not show
the first: a client jumps to the end of a topic that is shorter than before."""
LOOKING: Final[Mapping[str, Any]] = {
    "allow_auto_create_topics": False,
    "metadata_max_age_ms": 5_000,
}
"""Arguments of clients that must notice a topic that was deleted and created again, also if offsets
do not show it, and partitions that were added. They ask for the metadata of their topics this
often. Kafka's default is five minutes."""
PAUSES_S: Final = (0.1, 0.2, 0.5, 1.0)
"""Seconds between two tries after a retriable Kafka failure; the last pause is repeated. After an
outage, leases wait no longer than this last pause."""
# Number of positions that are logged; beyond it, only their total is logged.
LOGGED_MAX: Final = 10

Spans = Mapping[int, tuple[int, int]]
"""Maps a partition to its first offset and its end offset (the end is exclusive)."""

_T = TypeVar("_T")


def readable(found: Iterable[Any], decode: Callable[[bytes], _T]) -> Iterator[_T]:
    """Decode the records, and skip those that `decode` cannot read.

    Each skipped record is logged with its position and the error, never with its content. After
    `LOGGED_MAX` such lines, only the total is logged, at the end.
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
    stop: threading.Event | None = None,
    wait_ms: int = POLL_MS,
) -> Iterator[Any]:
    """Yield the records of all partitions that have a value (no tombstones).

    Records of one partition come in their order. `since_ms`: begin at the first record that is not
    older; None: begin at the first record. `starts`: read only these partitions, each from this
    offset, or from its first record if that is later.

    The reader stops at the end that the topic had at the call. With `stop` it goes on until that is
    set, and checks at least every `wait_ms`. Raises what `reading` raises.
    """
    with reading(clients, topic) as reader:
        spans = reader.spans(since_ms)
        if starts is not None:
            spans = {
                p: (max(first, starts[p]), end) for p, (first, end) in spans.items() if p in starts
            }
        for batch in (
            reader.following(spans, stop.is_set, wait_ms) if stop else reader.batches(spans)
        ):
            yield from (record for record in batch if record.value is not None)


def partitions_of(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """Return the partitions of a topic in order. Raise ConfigError if the topic has none."""
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise no_topic(topic)
    return [TopicPartition(topic, number) for number in sorted(numbers)]


def added_partitions(consumer: KafkaConsumer) -> list[TopicPartition]:
    """Return the partitions of the assigned topics that are not assigned. No broker is asked.

    The caller must assign them: they are logged as read.
    """
    assigned = consumer.assignment()
    added = [
        TopicPartition(topic, number)
        for topic in sorted({place.topic for place in assigned})
        # The public method of this name may ask a broker.
        for number in sorted(consumer._cluster.partitions_for_topic(topic) or ())  # noqa: SLF001
        if TopicPartition(topic, number) not in assigned
    ]
    if added:
        names = ", ".join(f"{place.topic}[{place.partition}]" for place in added)
        log.warning("partitions were added, and are read from their start: %s", names)
    return added


def topic_id(consumer: KafkaConsumer, topic: str) -> UUID | None:
    """Return the id of a topic, or None if the client does not know it. No broker is asked.

    A topic that was deleted and created again has another id. An offset does not show this if the
    new topic has more records than the old one.
    """
    found: UUID | None = consumer._cluster.topic_id(topic)  # noqa: SLF001 - nothing public has it
    return found


def offsets_at(
    consumer: KafkaConsumer, time_ms: int, ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Return the first offset at or after a time for each partition, or else its end."""
    found = consumer.offsets_for_times(dict.fromkeys(ends, time_ms))
    return {p: end if found.get(p) is None else found[p].offset for p, end in ends.items()}


def newest_records(clients: Mapping[str, Any], topic: str) -> dict[bytes, Any]:
    """Return the newest record of each key of a compacted topic, without deleted keys.

    Raises what `reading` raises.
    """
    last: dict[bytes, Any] = {}
    with reading(clients, topic) as reader:
        for record in reader.records(reader.spans()):
            # Every record of a compacted topic should have a key; others are ignored.
            if record.key is not None:
                last[record.key] = record
    return {key: record for key, record in last.items() if record.value is not None}


@contextmanager
def reading(clients: Mapping[str, Any], topic: str) -> Iterator[TopicReader]:
    """Yield a reader of a topic.

    Raise ConfigError if the topic does not exist or this user has no right to read it. Raise
    UnavailableError if the topic cannot be read now. Reading inside the block raises the same
    errors.
    """
    with (
        working(tr("cannot read {topic}").format(topic=topic)),
        closing(
            KafkaConsumer(
                **clients,
                # Also used when retention deletes the records at the reader's position.
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                isolation_level="read_committed",
                **LOOKING,
            )
        ) as consumer,
    ):
        yield TopicReader(consumer, topic)


def bear(error: KafkaError) -> None:
    """Raise the error again unless Kafka calls it retriable; the client may then go on."""
    if not error.retriable:
        raise error


@dataclass(eq=False)
class Places:
    """Tracks the position of a client in its topics, and follows changes of these topics.

    A topic that was deleted and created again is detected. Partitions that are added to a topic are
    read from their first record.
    """

    _consumer: KafkaConsumer
    # When to check the positions again, by the monotonic clock.
    _look_at: float = field(init=False, default=0.0)
    _failures: int = field(init=False, default=0)  # Consecutive failures of `follow`.
    # When `follow` asks Kafka again, by the monotonic clock.
    _again_at: float = field(init=False, default=0.0)
    # The offset after the last record taken.
    next: dict[TopicPartition, int] = field(init=False, default_factory=dict)
    _ids: dict[str, UUID | None] = field(init=False, default_factory=dict)  # when first known
    # Set by the caller once it has read its topics: a right that is missing later may come back.
    had_rights: bool = field(init=False, default=False)
    # Name of a recreated topic: it has another id, or its position went back or was lost.
    anew: str = field(init=False, default="")

    @property
    def failing(self) -> bool:
        """True if the last `follow` that asked Kafka failed."""
        return bool(self._failures)

    def poll(self, timeout_ms: int, max_records: int | None = None) -> dict[Any, list[Any]]:
        """Return the records that arrived, also of partitions that were added to the topics.

        The client must have assigned its partitions itself, and all of each topic: others count as
        added. Raise UnavailableError if a topic was deleted and created again. What the caller
        knows then describes the old topic, and the new topic must be read from its start.
        """
        if time.monotonic() >= self._look_at:
            self.look()  # Check before taking records: records taken are lost if the check fails.
            self.check()
            self._grow()
        polled = self.take(timeout_ms, max_records)
        self.check()
        return polled

    def check(self) -> None:
        """Raise UnavailableError if a topic was found to be created again."""
        if self.anew:
            raise UnavailableError(tr("{topic} was created again").format(topic=self.anew))

    def follow(self, timeout_ms: int, max_records: int | None = None) -> dict[Any, list[Any]]:
        """Return the records that arrived; on a failure that may pass, log it and return none.

        Such are Kafka's retriable failures and, with `had_rights`, missing rights.

        After such a failure Kafka is asked again only after a pause. During the pause each call
        returns after at most `timeout_ms`, so that the caller can do other work. All other errors
        are raised as by `poll`.
        """
        if (pause := self._again_at - time.monotonic()) > 0:
            time.sleep(min(timeout_ms / 1000, pause))
            return {}
        try:
            polled = self.poll(timeout_ms, max_records)
        except KafkaError as error:
            if not (self.had_rights and isinstance(error, AuthorizationError)):
                bear(error)
            if not self._failures:
                log.warning("Kafka cannot be read, and is tried again: %s", type(error).__name__)
            pause = PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]
            self._again_at = time.monotonic() + pause
            self._failures += 1
            return {}
        if self._failures:
            log.info("Kafka is read again")
            self._failures = 0
        return polled

    def look(self) -> None:
        """Check the positions that the client knows. The check never waits for a broker."""
        self._look_at = time.monotonic() + PLACE_S
        try:
            for place in self._consumer.assignment():
                at = self._consumer.position(place, timeout_ms=0)
                if at is not None or place in self.next:
                    self.reach(place, at)
        except KafkaError as error:
            bear(error)

    def _grow(self) -> None:
        """Assign the partitions that were added since the assignment, from their first records.

        No broker is asked. Nothing published before this moment is missed.
        """
        if added := added_partitions(self._consumer):
            self._consumer.assign([*self._consumer.assignment(), *added])
            self._consumer.seek_to_beginning(*added)

    def take(self, timeout_ms: int, max_records: int | None = None) -> dict[Any, list[Any]]:
        """Return the records that arrived, even if their topic was recreated."""
        polled = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        for place, batch in polled.items():
            self.reach(place, batch[0].offset)
            self.reach(place, batch[-1].offset + 1)
        return polled

    def reach(self, place: TopicPartition, at: int | None) -> None:
        """Record the position of a partition. The position None means that it was lost."""
        known = topic_id(self._consumer, place.topic)
        first = self._ids[place.topic] = self._ids.get(place.topic) or known
        if at is None or at < self.next.get(place, 0) or known not in (first, None):
            self.anew = place.topic
        else:
            self.next[place] = at


class TopicReader:
    """Reads one topic as often as wanted, without a consumer group and without commits.

    Records of open or aborted transactions are left out, because workers do not count them either.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        """Raise ConfigError if the topic does not exist."""
        self._consumer = consumer
        self._topic = topic
        self._stood = Places(consumer)
        self.partitions = [place.partition for place in partitions_of(consumer, topic)]

    def spans(self, since_ms: int | None = None) -> Spans:
        """Return the offsets that each partition has now.

        The span begins at the first record that is not older than `since_ms` (UTC milliseconds).
        """
        places = self._places(self.partitions)
        ends = self._consumer.end_offsets(places)
        firsts = (
            self._consumer.beginning_offsets(places)
            if since_ms is None
            else offsets_at(self._consumer, since_ms, ends)
        )
        return {place.partition: (firsts[place], ends[place]) for place in places}

    def records(self, spans: Spans, silence_s: float = SILENCE_S) -> Iterator[Any]:
        """Yield the records of these spans; records of one partition come in their order."""
        for batch in self.batches(spans, silence_s):
            yield from batch

    def batches(self, spans: Spans, silence_s: float = SILENCE_S) -> Iterator[list[Any]]:
        """Yield the records of these spans in batches, each of one partition.

        Raise UnavailableError if the broker sends nothing for `silence_s`.
        """
        spans = {p: (first, end) for p, (first, end) in spans.items() if first < end}
        self.stand(spans)
        ends = {TopicPartition(self._topic, p): end for p, (_, end) in spans.items()}
        heard = time.monotonic()
        while any(self._consumer.position(place) < end for place, end in ends.items()):
            polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            for place, batch in polled.items():
                if kept := [record for record in batch if record.offset < ends[place]]:
                    yield kept
                if self._consumer.position(place) >= ends[place]:
                    # Do not fetch records that are written during this read.
                    self._consumer.pause(place)
            if polled:
                heard = time.monotonic()
            elif time.monotonic() - heard > silence_s:
                raise UnavailableError(
                    tr("the broker sends no more of {topic}").format(topic=self._topic)
                )

    def following(
        self, spans: Spans, ended: Callable[[], bool], wait_ms: int = POLL_MS
    ) -> Iterator[list[Any]]:
        """Yield batches from the first offsets of the spans, without end, until `ended` is true.

        Raise UnavailableError if the topic was deleted and created again.
        """
        self.stand(spans)
        while spans and not ended():
            yield from self.take(wait_ms)

    def stand(self, spans: Spans) -> None:
        """Move to the first offsets of the spans, from which `take` then reads."""
        places = self._places(spans)
        self._stood = Places(self._consumer)
        self._consumer.assign(places)
        self._consumer.resume(*places)  # An earlier read may have paused these partitions.
        for place in places:
            self._consumer.seek(place, spans[place.partition][0])
            self._stood.reach(place, spans[place.partition][0])

    def take(self, timeout_ms: int = POLL_MS) -> Iterator[list[Any]]:
        """Yield the batches that arrived since the last call, for a caller with other work.

        Raise UnavailableError if the topic was deleted and created again.
        """
        yield from self._stood.poll(timeout_ms, POLL_RECORDS).values()

    def past(self, spans: Spans) -> bool:
        """Return true if all records of these spans were taken. Raise the same errors as `take`."""
        past = True
        for place, (_, end) in zip(self._places(spans), spans.values(), strict=True):
            at = self._consumer.position(place)
            self._stood.reach(place, at)
            past = past and at is not None and at >= end
        self._stood.check()
        return past

    def _places(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]
