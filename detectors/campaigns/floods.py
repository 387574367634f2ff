"""Floods as campaigns see them: who, when, and which platforms; a function of the episode log.

Records of a flood may come twice, and those of different recipients in any order: what is known of
a flood is the same in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from detectors.model.event import Trust
from detectors.model.records import EpisodeRecord, Level
from detectors.model.times import DAY_MS

FLOODS_MAX: Final = 50_000
"""Floods at a time; those that began first give way. Chosen: ten of the largest campaigns in view
(A6: 5,000 recipients), 150 MB."""

KEPT_DAYS: Final = 2
"""Days before today of which floods are known: see `detectors.campaigns.campaign`."""


@dataclass(slots=True)
class Flood:
    """One episode of kind flood."""

    episode_id: str
    recipient: str
    opened_ms: int  # event time of the message that opened it
    first_ms: int
    last_ms: int  # of its messages
    messages: int
    level: Level
    throttled: bool = False  # it rose to THROTTLE
    revision: tuple[int, int] = (-1, -1)  # epoch and offset of the newest record
    platforms: set[int] = field(default_factory=set)  # novel and untrusted

    @property
    def open(self) -> bool:
        """True until its end is known."""
        return self.level is not Level.CLEAR


class Floods:
    """The floods of the last days, and the names of their platforms. Bounded by `FLOODS_MAX`."""

    __slots__ = ("by_id", "horizon_ms", "names", "newest_ms", "stale")

    def __init__(self) -> None:
        self.by_id: dict[str, Flood] = {}
        self.names: dict[int, str] = {}
        self.horizon_ms = 0  # what opened before is not known
        self.newest_ms = 0  # of all records
        self.stale = 0  # records that told of a flood of before the horizon, or of none known

    def take(self, record: EpisodeRecord, written_ms: int) -> bool:
        """Take a record in; False if nothing about campaigns can have changed by it.

        `written_ms` is when the log took it in: a time of the future moves no horizon.
        """
        if record.kind != "flood":
            return False
        flood = self.by_id.get(record.episode_id)
        if flood is None:
            # A renewal of what nobody has seen the beginning of says too little.
            opened_ms = record.path[0].at_ms if record.path else -1
            if opened_ms < self.horizon_ms:
                self.stale += 1
                return False
            flood = Flood(
                record.episode_id,
                record.recipient,
                opened_ms,
                record.evidence.first_ms,
                record.evidence.last_ms,
                record.evidence.messages,
                record.level,
            )
            self.by_id[record.episode_id] = flood
        self.newest_ms = max(self.newest_ms, min(record.at_ms, written_ms))
        known = len(flood.platforms)
        for sighting in record.sightings:
            if sighting.novel and sighting.trust is Trust.NONE:
                flood.platforms.add(sighting.platform_id)
                self.names[sighting.platform_id] = sighting.platform
        revision = (record.epoch, record.revision)
        if revision <= flood.revision:
            return len(flood.platforms) > known
        flood.revision, flood.level = revision, record.level
        flood.first_ms = min(flood.first_ms, record.evidence.first_ms)
        flood.last_ms = max(flood.last_ms, record.evidence.last_ms)
        flood.messages = max(flood.messages, record.evidence.messages)
        flood.throttled |= record.level is Level.THROTTLE
        return True

    def forget(self) -> bool:
        """Forget what opened before the horizon, which the newest record moves; if anything."""
        self.horizon_ms = max(self.horizon_ms, (self.newest_ms // DAY_MS - KEPT_DAYS) * DAY_MS)
        over = [f for f in self.by_id.values() if f.opened_ms < self.horizon_ms]
        if len(self.by_id) - len(over) > FLOODS_MAX:
            by_age = sorted(self.by_id.values(), key=lambda f: (f.opened_ms, f.episode_id))
            over = by_age[: len(by_age) - FLOODS_MAX]
        for flood in over:
            del self.by_id[flood.episode_id]
        if over:
            used = set().union(*(flood.platforms for flood in self.by_id.values()))
            self.names = {key: name for key, name in self.names.items() if key in used}
        return bool(over)
