"""The desk's own chain of the audit: one record at a time, each safe before anything is done.

A record whose fate is not known (a broker that did not answer in time) may be on the log or not,
or come there yet: what the log holds now does not tell. It ends its chain, as at the signal: the
next record begins a new one, and none ever forks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.cluster.admin import client_arguments, no_topic, unusable
from streams.cluster.prompt import SENT_S, PromptProducer
from streams.cluster.read import readable
from streams.errors import UnavailableError
from streams.language import tr
from streams.wire import audit_record, chain_start, chained, decode_audit, encode_audit

if TYPE_CHECKING:
    from streams.config import Settings

CHAIN_MAX: Final = 96  # the rest of 128 is for what tells chains after a doubt apart
LOOK_BACK: Final = 1_000
"""Records that are read first for the end of a chain; then twice as many, and so on."""

Tail = tuple[int, str]
"""Number of the next record of a chain, and the digest that it names."""


class DeskLedger:
    """Appends to one chain; safe among threads. `tail` reads the chain's end from the log.

    A process that starts again goes on with the chain; one in doubt never does.
    """

    def __init__(
        self,
        send: Callable[[bytes, bytes], None],
        tail: Callable[[], Tail],
        chain: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._send = send
        self._tail = tail
        self._name = self._chain = chain
        self._now_ms = now_ms
        self._doubts = 0
        self._next: Tail | None = None
        self._lock = threading.Lock()

    def write(self, **fields: Any) -> None:
        """Write one record, and return when it is safe; raise UnavailableError if it is not."""
        with self._lock:
            seq, prev = self._next or self._tail()
            place = {"chain": self._chain, "seq": seq, "prev": prev}
            value = encode_audit(audit_record({**place, "at_ms": self._now_ms(), **fields}))
            try:
                self._send(self._chain.encode(), value)
            except BaseException:
                self._begin()
                raise
            self._next = seq + 1, chained(value)

    def _begin(self) -> None:
        self._doubts += 1
        self._chain = f"{self._name[:CHAIN_MAX]}/{self._now_ms()}.{self._doubts}"
        self._next = 0, chain_start(self._chain)


@contextmanager
def ledger_on(settings: Settings, chain: str, now_ms: Callable[[], int]) -> Iterator[DeskLedger]:
    """Give the ledger of one chain on Kafka. Raise UnavailableError if no broker answers."""
    clients = client_arguments(settings.kafka)
    topic = settings.topics.audit
    try:
        producer = PromptProducer(clients)
    except KafkaError as error:
        raise unusable(tr("cannot reach Kafka"), error) from None

    def send(key: bytes, value: bytes) -> None:
        try:
            producer.send(topic, value, key=key).get(timeout=SENT_S)
        except KafkaError as error:
            producer.drop()
            raise unusable(tr("cannot publish to {topic}").format(topic=topic), error) from None

    with closing(producer):
        yield DeskLedger(send, lambda: tail_of(clients, topic, chain), chain, now_ms)


def tail_of(clients: Mapping[str, Any], topic: str, chain: str) -> Tail:
    """The end of a chain on the log; its beginning if there is none.

    Raise UnavailableError if the log cannot be read.
    """
    try:
        with closing(KafkaConsumer(**clients, allow_auto_create_topics=False)) as consumer:
            places = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
            if not places:
                raise no_topic(topic)
            return _found(consumer, places, chain)
    except KafkaError as error:
        raise unusable(tr("cannot read {topic}").format(topic=topic), error) from None


def _found(consumer: Any, places: list[TopicPartition], chain: str) -> Tail:
    consumer.assign(places)
    firsts, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    look = LOOK_BACK
    while True:
        for place in places:
            consumer.seek(place, max(firsts[place], ends[place] - look))
        newest: tuple[int, bytes] | None = None
        while any(consumer.position(place) < ends[place] for place in places):
            polled = consumer.poll(timeout_ms=int(SENT_S * 1000))
            if not polled:
                raise UnavailableError(tr("the end of the audit cannot be read"))
            for batch in polled.values():
                mine = [each for each in batch if each.key == chain.encode()]
                for seq, value in readable(mine, lambda each: (decode_audit(each).seq, each)):
                    if newest is None or seq > newest[0]:
                        newest = seq, value
        if newest is not None:
            return newest[0] + 1, chained(newest[1])
        if all(ends[place] - look <= firsts[place] for place in places):
            return 0, chain_start(chain)
        look *= 2
