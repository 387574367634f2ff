"""The loop of an agent: one owner by consumer group, which reads a topic and keeps another.

What an agent tells is a function of the records of its last days, so there is no state to save: an
owner reads these days again when it begins, and says nothing before it has read them whole.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from streams.agents.kept import KeptTopic
from streams.cluster.read import PLACE_S, Spans, TopicReader, reading
from streams.telemetry.metrics import Metrics
from streams.wire import UnreadableError

log = logging.getLogger(__name__)


class Agent(ABC):
    """One agent's process. `run` goes on until it is told to stop; only the topic's owner tells."""

    def __init__(
        self,
        clients: Mapping[str, Any],
        source: str,
        kept: KeptTopic,
        metrics: Metrics,
        clock_ms: Callable[[], int],
    ) -> None:
        """`clients` are the arguments by which Kafka clients reach the cluster."""
        self._clients, self._source = clients, source
        self._ledger = kept
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._reader: TopicReader | None = None
        self._spans: Spans = {}
        self._passed = False  # these spans, once
        self._place_at = 0.0  # monotonic: when to look again where it reads
        self._anew = 0  # of the topic that is kept, when this began
        self._stack = ExitStack()
        self.ready = threading.Event()  # in the group: owner, or waiting to be

    @abstractmethod
    def _begin(self) -> int:
        """Forget everything; return the time, ms UTC, from which records are to be read again."""

    @abstractmethod
    def _let_go(self) -> None:
        """Forget everything: another process owns the topic now."""

    @abstractmethod
    def _take(self, record: Any) -> None:
        """Take a record with a value; raise UnreadableError for one that is none."""

    @abstractmethod
    def _due(self) -> bool:
        """Tell if there is something to tell by now."""

    @abstractmethod
    def _tell(self) -> None:
        """Write what changed."""

    def run(self, stop: threading.Event) -> None:
        """Take turns until told to stop. Raise what the clients raise if only a restart helps."""
        try:
            while not stop.is_set():
                self.turn()
        finally:
            self._stack.close()
            self._ledger.close()

    def turn(self) -> None:
        """Take what came, and tell of it when it is time."""
        self._ledger.poll()
        self._metrics.put("agent_owner", self._ledger.owned)
        self.ready.set()
        if not self._ledger.owned:
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
        if may_tell or time.monotonic() >= self._place_at:
            self._place_at = time.monotonic() + PLACE_S
            self._passed |= self._reader.past(self._spans)
        if may_tell and self._passed and not self._reader.anew:
            self._tell()

    def _made_anew(self, reader: TopicReader) -> bool:
        """Tell if one of the topics was, so that what is known of it is of one that is gone."""
        if reader.anew:
            log.warning("%s was made anew: it is read again", self._source)
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
