"""The platform agent: adds up the figures of all partitions, and maintains a record per platform.

Its output depends only on the partial figures of the last week, so there is no state to save. If
`detect.hot` is `network`, it also builds the list of hot (abused) platforms from the newest part of
each partition. It also searches for sweeps (one platform that sends to neighbouring numbers) and
for surges (many platforms that reach many new recipients at once). A single partition cannot see
either. Surges are records on the topic of campaigns.
"""

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from kafka import KafkaProducer

from detectors.campaigns.campaign import Campaign
from detectors.campaigns.surges import NetworkSurges
from detectors.hot.sums import NetworkSums
from detectors.model.times import DAY_MS, HOUR_MS
from detectors.platforms.days import KEPT_DAYS, NetworkDays
from detectors.platforms.figures import REST
from detectors.platforms.sweeps import SWEEP_RULES, NetworkSweeps, Sweep, SweepRule
from streams.config import Topics
from streams.network.compacted_topic import SENT_S, KeptTopic
from streams.network.list_agent import ListWriter
from streams.network.topic_agent import Agent
from streams.telemetry.metrics import Metrics
from streams.wire import (
    UnreadableError,
    campaign_headers,
    decode_part,
    encode_campaign,
    encode_platform,
    platform_headers,
)

log = logging.getLogger(__name__)

TELL_S: Final = 300.0
"""Interval between two publications of figures. Partitions send parts every half hour, in turn."""

LOOK_S: Final = 10.0
"""Interval at which the list is computed. It is published less often
(`streams.network.list_agent`)."""

SWEEP_S: Final = 60.0
"""Interval between searches for sweeps and surges. They take up to 1 s of CPU for 10 million
numbers."""

ABUSED_SHARE: Final = 0.5
"""A platform counts as abused if at least this share of its codes belongs to floods.

It must also have sent at least `ABUSED_CODES` codes in the week.
"""

ABUSED_CODES: Final = 100

_KEY: Final = re.compile(rb"[1-9][0-9]{0,19}")
"""Key of a record: the decimal id of a platform.

Records with other keys are left alone: 0 (no platform), leading zeros, and numbers that are too
long.
"""


class PlatformAgent(Agent):
    """Adds up platform figures, finds sweeps, and publishes the list of hot platforms."""

    def __init__(
        self,
        clients: Mapping[str, Any],
        topics: Topics,
        group: str,
        metrics: Metrics,
        clock_ms: Callable[[], int],
        lists: ListWriter | None = None,
    ) -> None:
        """`clients`: connection arguments for Kafka clients. `lists` None: publish no list."""
        kept = KeptTopic(clients, topics.platform, group)
        super().__init__(clients, topics.platform_parts, kept, metrics, clock_ms)
        self._days = NetworkDays()
        self._told = False  # whether this owner has compared all records on the topic
        self._tell_at = 0.0  # monotonic
        self._lists = lists
        self._sums = NetworkSums()
        self._look_at = 0.0  # monotonic; when to compute the list again
        self._sweeps = NetworkSweeps()
        self._told_sweeps: dict[int, dict[SweepRule, Sweep]] = {}
        self._sweep_at = 0.0  # monotonic; when to search for sweeps again
        self._surges = NetworkSurges()
        self._told_surges: dict[str, Campaign] = {}  # by id, as this owner wrote them
        self._surge_topic = topics.campaign
        self._producer = KafkaProducer(**clients, client_id=f"{group}-surges", acks="all")

    def run(self, stop: threading.Event) -> None:
        try:
            super().run(stop)
        finally:
            self._producer.close(timeout=5)
            if self._lists is not None:
                self._lists.close()

    def _begin(self) -> int:
        first = self._clock_ms() // DAY_MS - KEPT_DAYS + 1
        self._days, self._told = NetworkDays(first), False
        self._sums, self._sweeps = NetworkSums(), NetworkSweeps()
        self._surges, self._told_surges = NetworkSurges(), {}
        self._told_sweeps, self._sweep_at = {}, 0.0
        return first * DAY_MS

    def _let_go(self) -> None:
        self._days, self._sums = NetworkDays(), NetworkSums()
        self._sweeps, self._surges = NetworkSweeps(), NetworkSurges()
        if self._lists is not None:
            self._lists.forget()
        self._show()

    def _take(self, record: Any) -> None:
        part = decode_part(record.value)
        # A partition whose clock is ahead must not make older sums of other partitions expire.
        limit_ms = self._now_ms + HOUR_MS
        if self._days.take(part, limit_ms):
            self._surges.take(part)
        if part.hot is not None:
            self._sums.take(part.partition, part.epoch, part.offset, part.hot)
        if part.sweep is not None:
            self._sweeps.take(part.partition, part.epoch, part.offset, part.sweep, limit_ms)
        if part.start_ms > limit_ms:
            raise UnreadableError("figures of a time to come")

    def _tell(self) -> None:
        if self._lists is not None and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_S
            self._lists.tell(self._sums.choose_hot(), self._now_ms)
        if time.monotonic() >= self._sweep_at:
            self._look_for_sweeps()
        figures_due = bool(self._days.changed) and time.monotonic() >= self._tell_at
        if figures_due or not self._told:
            self._tell_figures()

    def _look_for_sweeps(self) -> None:
        """Search for sweeps. A platform whose sweep began or ended is published without delay."""
        self._sweeps.look()
        self._sweep_at = time.monotonic() + SWEEP_S
        before, now = self._told_sweeps, self._sweeps.found
        others = {p for p in before.keys() | now.keys() if before.get(p) != now.get(p)}
        self._told_sweeps = {platform: dict(sweeps) for platform, sweeps in now.items()}
        self._days.changed |= others - {REST}  # REST has no record of its own
        if before.keys() != now.keys():
            self._tell_at = 0.0
        self._show_sweeps()
        self._publish_surges()

    def _publish_surges(self) -> None:
        """Publish surges that changed. A new owner publishes the same records once more."""
        found = {each.campaign_id: each for each in self._surges.look(self._days.names)}
        sent = [
            self._producer.send(
                self._surge_topic, encode_campaign(each), key=key.encode(), partition=0,
                headers=list(campaign_headers(each)),
            )
            for key, each in found.items() if self._told_surges.get(key) != each
        ]  # fmt: skip
        for future in sent:
            future.get(timeout=SENT_S)
        self._told_surges = found
        now = max((each.platforms_total for each in found.values() if each.open), default=0)
        self._metrics.put("surge_platforms", now)

    def _tell_figures(self) -> None:
        """Publish changed figures. Delete records of platforms that sent nothing for a week."""
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
                sweeps = self._sweeps.found.get(platform, {})
                found = replace(found, sweeps=tuple(sweeps[rule] for rule in sorted(sweeps)))
                wanted[key] = (encode_platform(found), platform_headers(found))
            elif key in self._ledger.held:
                wanted[key] = (None, ())
        told = self._ledger.keep(wanted)
        self._tell_at = time.monotonic() + TELL_S
        self._show()
        log.info("figures of %d platforms changed", told)

    def _show_sweeps(self) -> None:
        number = Counter(rule for sweeps in self._sweeps.found.values() for rule in sweeps)
        for rule in SWEEP_RULES:
            self._metrics.put("platform_sweeps", number[rule], rule=rule)

    def _show(self) -> None:
        self._show_sweeps()
        figures = [self._days.figures(platform) for platform in self._days.names]
        abused = sum(
            each is not None and each.codes >= ABUSED_CODES and each.flood_share >= ABUSED_SHARE
            for each in figures
        )
        self._metrics.put("platforms_known", len(figures))
        self._metrics.put("platforms_abused", abused)
        self._metrics.put("flood_codes_ratio", self._days.flood_share())
