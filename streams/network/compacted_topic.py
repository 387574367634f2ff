"""A compacted topic with one partition, maintained by one process at a time.

Kafka's group coordinator chooses the owner: the process that is assigned the partition. The others
wait. The owner reads the topic and writes only records that differ. So the topic soon has the right
content again after a restart, a change of owners, or a late write of a paused owner. If the topic
was deleted and created again, the process ends, and reads the new topic when it is restarted.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition

from streams.cluster.admin import no_topic
from streams.cluster.read import LOOKING, Places
from streams.wire import Headers

log = logging.getLogger(__name__)

POLL_MS: Final = 200
JOIN_S: Final = 10.0
"""Time after which the group is joined again if it has not assigned the partition.

kafka-python 3.0.12 ignores a group response that arrives between two polls after the topic was
created again.
"""
SENT_S: Final = 30.0  # longest wait for the ack of a record; after that the process ends

Records = Mapping[bytes, tuple[bytes | None, Headers]]
"""Key -> value (None: delete the record) and headers."""


class KeptTopic(ConsumerRebalanceListener):
    """The topic as this process knows it. Memory is bounded by the content of the topic."""

    def __init__(self, clients: Mapping[str, Any], topic: str, group: str) -> None:
        """Join the Kafka consumer group `group`. Raise ConfigError if the topic does not exist."""
        self._place = TopicPartition(topic, 0)
        self._consumer = KafkaConsumer(
            **clients,
            client_id=group,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # A client without an assigned partition learns only from metadata that its topic exists
            # again.
            **LOOKING,
        )
        if not self._consumer.partitions_for_topic(topic):
            raise no_topic(topic)
        self._producer = KafkaProducer(**clients, client_id=group, acks="all")
        self._end: int | None = None  # end offset at assignment; None: not the owner
        self._places = Places(self._consumer)
        self._turns = self._turned = 0  # rebalances, and rebalances already handled
        self._joining: float | None = None  # since when, monotonic; None: the group has answered
        self._written: dict[bytes, bytes | None] = {}  # written, but not read back yet
        self.held: dict[bytes, bytes] = {}
        self._join()

    @property
    def whole(self) -> bool:
        """True while this process is the owner and has read the whole topic."""
        return self._end is not None and self._places.next.get(self._place, -1) >= self._end

    @property
    def is_owner(self) -> bool:
        """True while this process is the owner, as far as it knows."""
        return self._end is not None

    def poll(self, timeout_ms: int = POLL_MS) -> None:
        """Take part in the consumer group, and process new records.

        Raise UnavailableError if the topic was deleted and created again.
        """
        polled = self._consumer.poll(timeout_ms=timeout_ms).values()
        if self._joining is not None and time.monotonic() - self._joining > JOIN_S:
            log.warning("the group of %s does not answer: it is joined again", self._place.topic)
            self._consumer.unsubscribe()
            self._join()
            self._turn(joining=True)
        if self._turns != self._turned:
            self._turned = self._turns
            self._begin()
            return
        for batch in polled:
            for record in batch:
                self._take(record)
        if self._end is not None:
            self._places.look()
            self._places.check()

    def keep(self, wanted: Records) -> int:
        """Write the given records that differ from the topic. Return how many were written."""
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
        """Leave the group, so that another process becomes owner at once."""
        self._producer.close(timeout=5)
        self._consumer.close()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        self._turn(joining=True)

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:  # noqa: ARG002
        self._turn(joining=False)

    def _turn(self, *, joining: bool) -> None:
        """Record a rebalance of the consumer group. This process is not the owner for now.

        The owner is the process to which the group assigns the partition, and the only one that
        writes. The next `poll` handles the rebalance: it checks whether this process is the owner.
        Nothing is written before. `joining`: the group has not assigned the partition yet. The
        consumer must not be called here, because its callbacks call this.
        """
        self._end = None
        self._turns += 1
        self._joining = time.monotonic() if joining else None

    def _join(self) -> None:
        self._joining = time.monotonic()
        self._consumer.subscribe([self._place.topic], listener=self)

    def _take(self, record: Any) -> None:
        if record.key is None:  # records without a key do not belong on a compacted topic
            return
        if record.value is None:
            self.held.pop(record.key, None)
        else:
            self.held[record.key] = record.value
        if record.key in self._written and self._written[record.key] == record.value:
            del self._written[record.key]

    def _begin(self) -> None:
        """Start over with the content of the topic, if this process is the owner.

        The id of the topic stays in `_places`: a partition may be lost and assigned again within
        one poll, and belong to another topic then.
        """
        self.held.clear()
        self._written.clear()
        self._places.next.clear()
        if self._joining is None and self._place in self._consumer.assignment():
            self._consumer.seek_to_beginning(self._place)
            self._end = self._consumer.end_offsets([self._place])[self._place]
            log.info("owner of %s", self._place.topic)
