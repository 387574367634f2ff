"""Reads topics and brokers into the picture of `otpguard top`."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Final

from streams import config as configs
from streams.cases import live_floods
from streams.cli.audited import audit_look
from streams.cluster import admin, follow, lag
from streams.common import clock, moment, tr
from streams.people.desk import masks

STEP_S: Final = 0.5
"""Time in which records are taken before a frame is made. With a fetch's wait and the drawing of
the frame, a flood is shown within a second."""
FACTS_S: Final = 2.0  # The brokers are asked again after so long.
COLUMNS: Final = ("recipient", "state", "messages", "platforms", "refused", "pace", "last")


def cells(row: live_floods.FloodRow) -> tuple[str, ...]:
    """Return a flood as cells of a table, by `COLUMNS`."""
    case = row.case
    at = moment(case.last_ms)[11:19]
    counts = map(str, (case.messages, case.platforms, case.refused))
    return (case.recipient, tr(case.state), *counts, live_floods.sparkline(row.pace), at)


class TopFeed(ExitStack):
    """The topics and brokers, read into one picture. `step` and `explain` may run in two threads.

    It reads, and writes nothing: no group, no commit.
    """

    def __init__(self, settings: configs.Settings, since_ms: int, *, numbers: bool) -> None:
        super().__init__()
        self._settings = settings
        self._numbers = numbers
        self._floods = live_floods.LiveFloods()
        self._lock = threading.Lock()
        self._places, self._names, self.is_behind = self.enter_context(
            follow.following(settings, live_floods.TOPICS, since_ms, whole=("override", "everyone"))
        )
        self._cluster = self.enter_context(admin.Cluster(settings.kafka))
        self._facts = lag.ClusterFacts()
        self._asked = 0.0

    def step(self) -> None:
        """Take the records that arrive until the next frame is due."""
        until = time.monotonic() + STEP_S
        while (left_s := until - time.monotonic()) > 0:
            polled = self._places.follow(int(left_s * 1000), follow.TAKEN_MAX)
            with self._lock:
                for place, batch in polled.items():
                    for record in batch:
                        self._floods.take(self._names[place.topic], record.key, record.value)

    def frame(self, sort: str = "worst", wanted: str = "") -> live_floods.Frame:
        """Return the present picture."""
        if time.monotonic() >= self._asked + FACTS_S:
            self._facts = lag.cluster_facts(self._cluster, self._settings, clock.now_ms())
            self._asked = time.monotonic()
        with self._lock:
            return self._floods.frame(
                clock.now_ms(), self._settings.mode, self._facts,
                shown=str if self._numbers else masks.mask_recipient, sort=sort, wanted=wanted,
            )  # fmt: skip

    def explain(self, episode_id: str) -> list[str]:
        """Return the explanation of a flood; with whole numbers the look is audited."""
        with self._lock:
            if (flood := self._floods.floods.get(episode_id)) is None:
                return [tr("this flood is over")]
            lines = self._floods.explain(flood, clock.now_ms())
        if self._numbers:
            with audit_look(self._settings, "search", detail=episode_id):
                return lines
        return [masks.mask_mentions(line, flood.case.last.recipient) for line in lines]
