"""Reading topics for people: from a time on, to their end, or on and on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.cluster.admin import no_topic, working
from streams.errors import UnavailableError
from streams.language import tr
from streams.wire import UnreadableError

log = logging.getLogger(__name__)

POLL_MS: Final = 200
POLL_RECORDS: Final = 10_000  # at a time in memory; a look at all positions is paid once for them
SILENCE_S: Final = 30.0  # a broker that says nothing for so long in the middle of a topic is away
PLACE_S: Final = 5.0
"""Positions are looked at so often, at least, by which a topic made anew shows: no record may tell,
since a client goes to the end of a topic that is shorter than before."""
PAUSES_S: Final = (0.1, 0.2, 0.5, 1.0)
"""From one try to the next where Kafka fails in a way that passes; the last for as long as it does:
leases wait no longer than that when it is over."""
LOGGED_MAX: Final = 10  # positions in the log; the rest is a number

Spans = Mapping[int, tuple[int, int]]
"""Partition -> first offset and the one behind the last."""

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
    wait_ms: int = POLL_MS,
) -> Iterator[Any]:
    """Records of all partitions, each in its order; with values only.

    From the first whose time is at least `since_ms`, or all; with `starts` only of these
    partitions, each from an offset, or from its first record if that is later. Up to the end as
    it was when asked, or, with `follow`, until `stop` is set, for which it looks every `wait_ms`.
    Raise what `reading` raises.
    """
    with reading(clients, topic) as reader:
        spans = reader.spans(since_ms)
        if starts is not None:
            spans = {
                p: (max(first, starts[p]), end) for p, (first, end) in spans.items() if p in starts
            }
        ended = (lambda: False) if stop is None else stop.is_set
        for batch in reader.following(spans, ended, wait_ms) if follow else reader.batches(spans):
            yield from (record for record in batch if record.value is not None)


def partitions_of(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """Return the partitions of a topic, in their order. Raise ConfigError if there is none."""
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise no_topic(topic)
    return [TopicPartition(topic, number) for number in sorted(numbers)]


def newest_records(clients: Mapping[str, Any], topic: str) -> dict[bytes, Any]:
    """Return the newest record of each key of a compacted topic, without those that were deleted.

    Raise what `reading` raises.
    """
    last: dict[bytes, Any] = {}
    with reading(clients, topic) as reader:
        for record in reader.records(reader.spans()):
            if record.key is not None:  # none belongs on such a topic
                last[record.key] = record
    return {key: record for key, record in last.items() if record.value is not None}


@contextmanager
def reading(clients: Mapping[str, Any], topic: str) -> Iterator[TopicReader]:
    """Yield a reader of a topic.

    Raise ConfigError if the topic is not there or not for us, UnavailableError if it cannot be read
    now; so does whatever is done with the reader in the block.
    """
    with (
        working(tr("cannot read {topic}").format(topic=topic)),
        closing(
            KafkaConsumer(
                **clients,
                auto_offset_reset="earliest",  # where retention overtakes a reader
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                isolation_level="read_committed",
            )
        ) as consumer,
    ):
        yield TopicReader(consumer, topic)


def bear(error: KafkaError) -> None:
    """Raise an error again, unless it is one that passes, after which the client may go on."""
    if not error.retriable:
        raise error


class Places:
    """Remembers where a client stands in the topics that it follows; tells if one was made anew."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._look_at = 0.0  # monotonic
        self._failures = 0  # of `follow`, in a row
        self._again_at = 0.0  # monotonic
        self.next: dict[TopicPartition, int] = {}  # what was taken reaches to here
        self.anew = ""  # the topic of a position that went back or is lost

    @property
    def failing(self) -> bool:
        """Tell if the last `follow` that asked Kafka failed."""
        return bool(self._failures)

    def poll(self, timeout_ms: int, max_records: int | None = None) -> dict[Any, list[Any]]:
        """Return what came.

        Raise UnavailableError if a topic was made anew: what is known is of one that is gone, and
        its successor has to be read from its start.
        """
        if time.monotonic() >= self._look_at:
            self.look()  # before it takes: what is taken is lost if this fails
        polled = self.take(timeout_ms, max_records)
        if self.anew:
            raise UnavailableError(tr("{topic} was made anew").format(topic=self.anew))
        return polled

    def follow(self, timeout_ms: int, max_records: int | None = None) -> dict[Any, list[Any]]:
        """Return what came; nothing where Kafka fails in a way that passes, and say so.

        Then it is asked again after a pause, and until that is over this comes back after
        `timeout_ms` at most, for who has more to do. Raise what `poll` raises of other failures.
        """
        if (pause := self._again_at - time.monotonic()) > 0:
            time.sleep(min(timeout_ms / 1000, pause))
            return {}
        try:
            polled = self.poll(timeout_ms, max_records)
        except KafkaError as error:
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
        """Note all positions, as far as the client knows them: it waits for no broker."""
        self._look_at = time.monotonic() + PLACE_S
        try:
            for place in self._consumer.assignment():
                at = self._consumer.position(place, timeout_ms=0)
                if at is not None or place in self.next:
                    self.reach(place, at)
        except KafkaError as error:
            bear(error)

    def take(self, timeout_ms: int, max_records: int | None = None) -> dict[Any, list[Any]]:
        """Return what came, of a topic made anew too."""
        polled = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        for place, batch in polled.items():
            self.reach(place, batch[0].offset)
            self.reach(place, batch[-1].offset + 1)
        return polled

    def reach(self, place: TopicPartition, at: int | None) -> None:
        """Note a position; None: it is lost."""
        if at is None or at < self.next.get(place, 0):
            self.anew = place.topic
        else:
            self.next[place] = at


class TopicReader:
    """A topic for who joins no group and commits nothing, as often as wanted.

    What a transaction wrote that is open or was aborted is not there: workers do not count it.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        """Raise ConfigError if there is no such topic."""
        self._consumer = consumer
        self._topic = topic
        self._stood = Places(consumer)
        self.partitions = [place.partition for place in partitions_of(consumer, topic)]

    @property
    def anew(self) -> bool:
        """Tell if a position went back or is lost: the topic was made anew."""
        return bool(self._stood.anew)

    def spans(self, since_ms: int | None = None, until_ms: int | None = None) -> Spans:
        """Return what each partition holds now, by the records' times if one is given.

        From the first record no older than `since_ms` to before the first no older than `until_ms`.
        """
        places = self._places(self.partitions)
        ends = self._consumer.end_offsets(places)
        firsts = (
            self._consumer.beginning_offsets(places)
            if since_ms is None
            else self._at(since_ms, ends)
        )
        if until_ms is not None:
            ends = self._at(until_ms, ends)
        return {place.partition: (firsts[place], ends[place]) for place in places}

    def records(self, spans: Spans) -> Iterator[Any]:
        """Yield the records of these spans, those of a partition in their order."""
        for batch in self.batches(spans):
            yield from batch

    def batches(self, spans: Spans) -> Iterator[list[Any]]:
        """Yield the same in pieces of one partition. Raise UnavailableError if none come."""
        ends = {
            TopicPartition(self._topic, p): end for p, (first, end) in spans.items() if first < end
        }
        self._stand(spans, [place.partition for place in ends])
        heard = time.monotonic()
        while any(self._consumer.position(place) < end for place, end in ends.items()):
            polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            for place, batch in polled.items():
                if kept := [record for record in batch if record.offset < ends[place]]:
                    yield kept
                if self._consumer.position(place) >= ends[place]:
                    self._consumer.pause(place)  # what is written meanwhile is not fetched
            if polled:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_S:
                raise UnavailableError(
                    tr("the broker sends no more of {topic}").format(topic=self._topic)
                )

    def following(
        self, spans: Spans, ended: Callable[[], bool], wait_ms: int = POLL_MS
    ) -> Iterator[list[Any]]:
        """Yield records from the spans' first offsets on and on, until `ended` says so."""
        self._stand(spans, list(spans))
        while spans and not ended():
            polled = self._consumer.poll(timeout_ms=wait_ms, max_records=POLL_RECORDS)
            yield from polled.values()

    def stand(self, spans: Spans) -> None:
        """Begin `take` at the spans' first offsets."""
        self._stand(spans, list(spans))

    def take(self, timeout_ms: int = POLL_MS) -> Iterator[list[Any]]:
        """Yield what came since the last call, for who has more to do than to read."""
        yield from self._stood.take(timeout_ms, POLL_RECORDS).values()

    def past(self, spans: Spans) -> bool:
        """Tell if all records of these spans were taken.

        In a topic that was made anew it may be long until they are: see `anew`, and stand again.
        """
        past = True
        for place, (_, end) in zip(self._places(spans), spans.values(), strict=True):
            at = self._consumer.position(place)
            self._stood.reach(place, at)
            past = past and at is not None and at >= end
        return past and not self.anew

    def _stand(self, spans: Spans, partitions: Collection[int]) -> None:
        places = self._places(partitions)
        self._stood = Places(self._consumer)
        self._consumer.assign(places)
        self._consumer.resume(*places)  # an earlier pass may have paused them
        for place in places:
            self._consumer.seek(place, spans[place.partition][0])

    def _places(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]

    def _at(self, time_ms: int, ends: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The first offset at or after a time, in each partition."""
        found = self._consumer.offsets_for_times(dict.fromkeys(ends, time_ms))
        return {p: end if found.get(p) is None else found[p].offset for p, end in ends.items()}
