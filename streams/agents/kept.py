"""A compacted topic of one partition, which one process at a time keeps up to date.

The group coordinator of Kafka chooses the owner: whoever is assigned the topic's one partition.
Others wait. The owner reads what is on the topic and writes what differs, so that a restart, a
change of owners, or a paused owner that wrote once more changes nothing for long.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition

from streams.cluster.admin import no_topic
from streams.wire import Headers

log = logging.getLogger(__name__)

POLL_MS: Final = 200
JOIN_S: Final = 10.0
"""The group shares its topic out within so long, or is asked again: kafka-python 3.0.12 never looks
at the answer that comes between two polls where the topic was made anew."""
METADATA_MS: Final = 5000
"""A client to whom nothing is assigned learns by these alone that its topic is there again; by
default every five minutes."""
SENT_S: Final = 30.0  # a broker that takes a record for longer is not well: the process ends

Records = Mapping[bytes, tuple[bytes | None, Headers]]
"""Key -> value (None: deleted) and headers."""


class KeptTopic:
    """The topic, as this process knows it. Bounded by what is on the topic."""

    def __init__(self, clients: Mapping[str, Any], topic: str, group: str) -> None:
        """Raise ConfigError if there is no such topic."""
        self._place = TopicPartition(topic, 0)
        self._consumer = KafkaConsumer(
            **clients,
            client_id=group,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            metadata_max_age_ms=METADATA_MS,
        )
        if not self._consumer.partitions_for_topic(topic):
            raise no_topic(topic)
        self._producer = KafkaProducer(**clients, client_id=group, acks="all")
        self._end: int | None = None  # of the topic when it was assigned; None: another owns it
        self._at: int | None = None  # where it reads; None: not known yet
        self._passed = False  # that end, once: a topic that is made anew ends before it
        self.anew = 0  # how often the topic was made anew while this process owned it
        self._reached = 0  # where it has read to, as owner
        self._turns = self._turned = 0  # changes of owners, and those that were seen to
        self._joining: float | None = None  # since when, monotonic; None: the group has answered
        self._written: dict[bytes, bytes | None] = {}  # and not read again yet
        self.held: dict[bytes, bytes] = {}
        self._join()

    @property
    def whole(self) -> bool:
        """True while this process is the owner and knows what is on the topic."""
        if self._end is not None and self._at is not None and self._at >= self._end:
            self._passed = True
        return self._end is not None and self._passed

    @property
    def owned(self) -> bool:
        """True while this process is the owner, as far as it knows."""
        return self._end is not None

    def poll(self, timeout_ms: int = POLL_MS) -> None:
        """Take part in the group, and read what came."""
        polled = self._consumer.poll(timeout_ms=timeout_ms).values()
        if self._joining is not None and time.monotonic() - self._joining > JOIN_S:
            log.warning("the group of %s does not answer: it is joined again", self._place.topic)
            self._consumer.unsubscribe()
            self._join()
            self.turn(joining=True)
        if self._turns != self._turned:
            self._turned = self._turns
            self._begin()
            return
        for batch in polled:
            for record in batch:
                self._take(record)
        if self._end is not None:
            self._follow()

    def keep(self, wanted: Records) -> int:
        """Write those of these records that are not on the topic; return how many."""
        sent = []
        for key, (value, headers) in wanted.items():
            if self._written.get(key, self.held.get(key)) == value:
                continue
            self._written[key] = value
            sent.append(
                self._producer.send(
                    self._place.topic, value, key=key, partition=0, headers=list(headers)
                )
            )
        for future in sent:
            future.get(timeout=SENT_S)
        return len(sent)

    def close(self) -> None:
        """Leave the group, so that another takes over at once."""
        self._producer.close(timeout=5)
        self._consumer.close()

    def turn(self, *, joining: bool) -> None:
        """Note that owners change: write nothing before the next `poll` has seen to it.

        `joining`: the group has yet to say who is the owner.
        """
        self._end = None
        self._turns += 1
        self._joining = time.monotonic() if joining else None

    def _join(self) -> None:
        self._joining = time.monotonic()
        self._consumer.subscribe([self._place.topic], listener=_Listener(self))

    def _take(self, record: Any) -> None:
        if record.key is None:  # none belongs on such a topic
            return
        if record.value is None:
            self.held.pop(record.key, None)
        else:
            self.held[record.key] = record.value
        if record.key in self._written and self._written[record.key] == record.value:
            del self._written[record.key]

    def _follow(self) -> None:
        """Note where it reads; begin anew if that went back, as it does in a topic made anew."""
        at = self._consumer.position(self._place, timeout_ms=POLL_MS)
        if self._at is not None and (at is None or at < self._at):
            self._begin(anew=True)
        else:
            self._at = at
            self._reached = max(self._reached, at or 0)

    def _begin(self, *, anew: bool = False) -> None:
        """Begin again with what is on the topic, if it is ours now.

        That it is another topic also shows by its end, where it was lost and got back in one poll.
        """
        self.held.clear()
        self._written.clear()
        self._end = self._at = None
        self._passed = False
        if self._joining is None and self._place in self._consumer.assignment():
            self._consumer.seek_to_beginning(self._place)
            self._end = self._consumer.end_offsets([self._place])[self._place]
            if anew or self._end < self._reached:
                log.warning("%s was made anew: it is read again", self._place.topic)
                self.anew += 1
                self._reached = 0
            log.info("owner of %s", self._place.topic)


class _Listener(ConsumerRebalanceListener):
    """Notes changes of the assignment. The client may not be asked anything in here."""

    def __init__(self, ledger: KeptTopic) -> None:
        self._ledger = ledger

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        self._ledger.turn(joining=True)

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:  # noqa: ARG002
        self._ledger.turn(joining=False)
