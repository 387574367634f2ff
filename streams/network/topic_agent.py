"""Main loop of an agent, which reads one topic and maintains another. One process is the owner.

A Kafka consumer group chooses the owner. An agent's output depends only on the records of the last
few days, so it has no state to save. A new owner reads these days again, and publishes nothing
before it has read all of them.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from streams.cluster.read import Spans, TopicReader, reading
from streams.network.compacted_topic import KeptTopic
from streams.telemetry.metrics import Metrics
from streams.wire import UnreadableError

log = logging.getLogger(__name__)


class Agent(ABC):
    """The process of one agent. `run` works until it is stopped. Only the owner publishes."""

    def __init__(
        self,
        clients: Mapping[str, Any],
        source: str,
        kept: KeptTopic,
        metrics: Metrics,
        clock_ms: Callable[[], int],
    ) -> None:
        """`clients`: connection arguments for Kafka clients. `kept`: the topic to maintain."""
        self._clients, self._source = clients, source
        self._ledger = kept
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._reader: TopicReader | None = None
        self._spans: Spans = {}
        self._passed = False  # whether these spans have been read once
        self._anew = 0  # how often the topic had been recreated when reading began
        self._stack = ExitStack()
        self.ready = threading.Event()  # set once in the group, as owner or waiting

    @abstractmethod
    def _begin(self) -> int:
        """Clear all state. Return the time (ms UTC) from which records must be read again."""

    @abstractmethod
    def _let_go(self) -> None:
        """Clear all state, because another process owns the topic now."""

    @abstractmethod
    def _take(self, record: Any) -> None:
        """Process a record with a value. Raise UnreadableError if it cannot be decoded."""

    @abstractmethod
    def _due(self) -> bool:
        """Return true if there is something to publish now."""

    @abstractmethod
    def _tell(self) -> None:
        """Publish what has changed."""

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set. Errors of the Kafka clients are raised: then restart."""
        try:
            while not stop.is_set():
                self.turn()
        finally:
            self._stack.close()
            self._ledger.close()

    def turn(self) -> None:
        self._ledger.poll()
        self._metrics.put("agent_owner", self._ledger.is_owner)
        self.ready.set()
        if not self._ledger.is_owner:
            if self._reader is not None:
                self._stack.close()
                self._reader = None
                self._let_go()
            return
        if self._reader is None or self._made_anew(self._reader):
            self._read_again()
        assert self._reader is not None
        for batch in self._reader.take():
            for record in batch:
                self._read(record)
        may_tell = self._due() and self._ledger.whole
        if self._reader.past(self._spans):
            self._passed = True
        if may_tell and self._passed and not self._reader.anew:
            self._tell()

    def _made_anew(self, reader: TopicReader) -> bool:
        """Return true if a topic was deleted and created again.

        The state of this process then describes the old topic.
        """
        if reader.anew:
            log.warning("%s was created again: reading it whole", self._source)
        return reader.anew or self._ledger.anew != self._anew

    def _read_again(self) -> None:
        self._stack.close()
        self._passed, self._anew = False, self._ledger.anew
        since_ms = self._begin()
        self._reader = self._stack.enter_context(reading(self._clients, self._source))
        self._spans = self._reader.spans(since_ms)
        self._reader.stand(self._spans)

    def _read(self, record: Any) -> None:
        if record.value is None:
            return
        try:
            self._take(record)
        except UnreadableError as error:
            self._metrics.add("records_refused_total", kind=error.kind)
            at = f"{record.topic}[{record.partition}]@{record.offset}"
            log.warning("%s cannot be read: %s", at, error.kind)
