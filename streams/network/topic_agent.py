"""Main loop of an agent, which reads one topic and maintains another. One process is the owner.

A Kafka consumer group chooses the owner. An agent's output depends only on the records of the last
few days, so it has no state to save. A new owner reads these days again, and publishes nothing
before it has read all of them. If a topic was deleted and created again, the process ends, because
its state describes the old topic.
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
        self._now_ms = 0  # time just before ownership was last checked
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
    def _tell(self) -> None:
        """Publish what has changed and is due. Called in each turn of an owner that may publish."""

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set. Errors of the Kafka clients are raised: then restart.

        Raise UnavailableError if a topic was deleted and created again.
        """
        try:
            while not stop.is_set():
                self.turn()
        finally:
            self._stack.close()
            self._ledger.close()

    def turn(self) -> None:
        self._now_ms = self._clock_ms()
        self._ledger.poll()
        self._metrics.put("agent_owner", self._ledger.is_owner)
        self.ready.set()
        if not self._ledger.is_owner:
            if self._reader is not None:
                self._stack.close()
                self._reader = None
                self._let_go()
            return
        reader = self._reader or self._start_reading()
        for batch in reader.take():
            for record in batch:
                self._read(record)
        self._passed |= reader.past(self._spans)
        if self._passed and self._ledger.whole:
            self._tell()

    def _start_reading(self) -> TopicReader:
        self._passed = False
        since_ms = self._begin()
        reader = self._reader = self._stack.enter_context(reading(self._clients, self._source))
        self._spans = reader.spans(since_ms)
        reader.stand(self._spans)
        return reader

    def _read(self, record: Any) -> None:
        if record.value is None:
            return
        try:
            self._take(record)
        except UnreadableError as error:
            self._metrics.add("records_refused_total", kind=error.kind)
            at = f"{record.topic}[{record.partition}]@{record.offset}"
            log.warning("%s cannot be read: %s", at, error.kind)
