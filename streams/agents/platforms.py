"""The agent of platform figures: adds up what the partitions tell, and keeps a record of each.

What it tells is a function of the parts of the last week, so there is no state to save.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from detectors.model.times import DAY_MS
from detectors.platforms.days import KEPT_DAYS, NetworkDays
from streams.agents.kept import KeptTopic
from streams.cluster.read import Spans, TopicReader, reading
from streams.config import Topics
from streams.telemetry.metrics import Metrics
from streams.wire import (
    UnreadableError,
    VersionError,
    decode_part,
    encode_platform,
    platform_headers,
)

log = logging.getLogger(__name__)

TELL_S: Final = 300.0
"""Figures are told so often. Chosen: parts come each half hour, of one partition after another."""

ABUSED_SHARE: Final = 0.5
"""A platform of which so much is of floods counts as abused, from `ABUSED_CODES` a week on."""

ABUSED_CODES: Final = 100


class PlatformAgent:
    """Runs until told to stop; tells of platforms while it owns their topic."""

    def __init__(
        self,
        clients: Mapping[str, Any],
        topics: Topics,
        group: str,
        metrics: Metrics,
        clock_ms: Callable[[], int],
    ) -> None:
        """`clients` are the arguments by which Kafka clients reach the cluster."""
        self._clients, self._topic = clients, topics.platform_parts
        self._ledger = KeptTopic(clients, topics.platform, group)
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._days = NetworkDays()
        self._reader: TopicReader | None = None
        self._spans: Spans = {}
        self._told = False  # everything that is on the topic of this owner
        self._tell_at = 0.0  # monotonic
        self._stack = ExitStack()
        self.ready = threading.Event()  # in the group: owner, or waiting to be

    def run(self, stop: threading.Event) -> None:
        """Raise what the clients raise where only a restart helps."""
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
                self._days = NetworkDays()
                self._show()
            return
        if self._reader is None:
            self._begin()
        assert self._reader is not None
        for batch in self._reader.take():
            for record in batch:
                self._take(record)
        due = self._days.changed and time.monotonic() >= self._tell_at
        if (due or not self._told) and self._ledger.whole and self._reader.past(self._spans):
            self._tell()

    def _begin(self) -> None:
        """Read the parts of the last week again."""
        first = self._clock_ms() // DAY_MS - KEPT_DAYS + 1
        self._days, self._told = NetworkDays(first), False
        self._reader = self._stack.enter_context(reading(self._clients, self._topic))
        self._spans = self._reader.spans(first * DAY_MS)
        self._reader.stand(self._spans)

    def _take(self, record: Any) -> None:
        if record.value is None:
            return
        try:
            part = decode_part(record.value)
        except UnreadableError as error:
            kind = "newer" if isinstance(error, VersionError) else "bad"
            self._metrics.add("records_refused_total", kind=kind)
            log.warning("no part at [%d]@%d: %s", record.partition, record.offset, kind)
        else:
            self._days.take(part)

    def _tell(self) -> None:
        """Write what changed, and delete what has sent nothing for a week."""
        changed = set(self._days.changed)
        self._days.changed.clear()
        if not self._told:
            self._told = True
            changed |= {int(key) for key in self._ledger.held if key.isdigit()}
        wanted: dict[bytes, tuple[bytes | None, Any]] = {}
        for platform in changed:
            found = self._days.figures(platform)
            key = str(platform).encode()
            if found is not None:
                wanted[key] = (encode_platform(found), platform_headers(found))
            elif key in self._ledger.held:
                wanted[key] = (None, ())
        told = self._ledger.keep(wanted)
        self._tell_at = time.monotonic() + TELL_S
        self._show()
        log.info("figures of %d platforms changed", told)

    def _show(self) -> None:
        figures = [self._days.figures(platform) for platform in self._days.names]
        abused = sum(
            each is not None and each.codes >= ABUSED_CODES and each.flood_share >= ABUSED_SHARE
            for each in figures
        )
        self._metrics.put("platforms_known", len(figures))
        self._metrics.put("platforms_abused", abused)
        self._metrics.put("flood_codes_ratio", self._days.flood_share())
