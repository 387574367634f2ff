"""The agent of platform figures: adds up what the partitions tell, and keeps a record of each.

What it tells is a function of the parts of the last week, so there is no state to save. Where
`detect.hot` is network it makes the list of hot platforms too, of the newest part of each.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from detectors.hot.sums import NetworkSums
from detectors.model.times import DAY_MS
from detectors.platforms.days import KEPT_DAYS, NetworkDays
from streams.agents.agent import Agent
from streams.agents.kept import KeptTopic
from streams.agents.lists import ListWriter
from streams.config import Topics
from streams.telemetry.metrics import Metrics
from streams.wire import (
    decode_part,
    encode_platform,
    platform_headers,
)

log = logging.getLogger(__name__)

TELL_S: Final = 300.0
"""Figures are told so often. Chosen: parts come each half hour, of one partition after another."""

LOOK_S: Final = 10.0
"""The list is made anew so often; it is told less often (`streams.agents.lists`)."""

ABUSED_SHARE: Final = 0.5
"""A platform of which so much is of floods counts as abused, from `ABUSED_CODES` a week on."""

ABUSED_CODES: Final = 100

_KEY: Final = re.compile(rb"[0-9]{1,20}")
"""Key of a record: the id of a platform. Any other is left alone, a number too long to read too."""


class PlatformAgent(Agent):
    """Tells of platforms."""

    def __init__(
        self,
        clients: Mapping[str, Any],
        topics: Topics,
        group: str,
        metrics: Metrics,
        clock_ms: Callable[[], int],
        lists: ListWriter | None = None,
    ) -> None:
        """`clients` are the arguments by which Kafka clients reach the cluster."""
        kept = KeptTopic(clients, topics.platform, group)
        super().__init__(clients, topics.platform_parts, kept, metrics, clock_ms)
        self._days = NetworkDays()
        self._told = False  # everything that is on the topic of this owner
        self._tell_at = 0.0  # monotonic
        self._lists = lists
        self._sums = NetworkSums()
        self._look_at = 0.0  # monotonic: when to look at the list again
        self._now_ms = 0  # when it last was asked whose the topic is, or before that

    def turn(self) -> None:
        """As any agent's."""
        self._now_ms = self._clock_ms()
        super().turn()

    def run(self, stop: threading.Event) -> None:
        """As any agent's."""
        try:
            super().run(stop)
        finally:
            if self._lists is not None:
                self._lists.close()

    def _begin(self) -> int:
        first = self._clock_ms() // DAY_MS - KEPT_DAYS + 1
        self._days, self._told = NetworkDays(first), False
        self._sums = NetworkSums()
        return first * DAY_MS

    def _let_go(self) -> None:
        self._days, self._sums = NetworkDays(), NetworkSums()
        if self._lists is not None:
            self._lists.forget()
        self._show()

    def _take(self, record: Any) -> None:
        part = decode_part(record.value)
        self._days.take(part)
        if part.hot is not None:
            self._sums.take(part.partition, part.epoch, part.offset, part.hot)

    def _due(self) -> bool:
        return self._figures_due() or self._list_due()

    def _figures_due(self) -> bool:
        changed = bool(self._days.changed) and time.monotonic() >= self._tell_at
        return changed or not self._told

    def _list_due(self) -> bool:
        return self._lists is not None and time.monotonic() >= self._look_at

    def _tell(self) -> None:
        if self._lists is not None and self._list_due():
            self._look_at = time.monotonic() + LOOK_S
            self._lists.tell(self._sums.chosen(), self._now_ms)
        if self._figures_due():
            self._tell_figures()

    def _tell_figures(self) -> None:
        """Write what changed, and delete what has sent nothing for a week."""
        changed = set(self._days.changed)
        self._days.changed.clear()
        if not self._told:
            self._told = True
            changed |= set(map(int, filter(_KEY.fullmatch, self._ledger.held)))
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
