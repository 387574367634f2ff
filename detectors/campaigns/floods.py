"""The floods from which campaigns are computed: recipient, time and platforms of each flood.

Floods are built from the episode records. A record may come twice, and records of different
recipients may come in any order. The result is the same.
"""

from dataclasses import dataclass, field
from typing import Final

from detectors.model.event import Trust
from detectors.model.records import EpisodeRecord, Level
from detectors.model.times import DAY_MS

FLOODS_MAX: Final = 50_000
"""Maximum number of floods in memory, 150 MB; those that opened first are dropped. Chosen: ten of
the largest campaigns in the scenarios (A6: 5,000 recipients)."""

KEPT_DAYS: Final = 2
"""Number of days before today for which floods are known: see `detectors.campaigns.campaign`."""


@dataclass(slots=True)
class Flood:
    """One episode of kind flood."""

    episode_id: str
    recipient: str
    opened_ms: int  # event time of the message that opened it
    first_ms: int  # time of its first message
    last_ms: int  # time of its last message
    messages: int
    level: Level
    throttled: bool = False  # true: it reached THROTTLE
    refused: bool = False  # true: it reached THROTTLE in the mode enforce
    revision: tuple[int, int] = (-1, -1)  # (epoch, offset) of the newest record
    platforms: set[int] = field(default_factory=set)  # its novel, untrusted platforms

    @property
    def open(self) -> bool:
        """Return true until the record of the end of this flood has come."""
        return self.level is not Level.CLEAR


@dataclass(slots=True, eq=False, repr=False)
class Floods:
    """The floods of the last days, and the names of their platforms, bounded by `FLOODS_MAX`."""

    by_id: dict[str, Flood] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    horizon_ms: int = 0  # floods that opened before this time are not known
    newest_ms: int = 0  # newest time of all records
    stale: int = 0  # number of ignored records: flood before the horizon, or without beginning

    def take(self, record: EpisodeRecord, written_ms: int) -> bool:
        """Add an episode record; return false if the record cannot change any campaign.

        `written_ms`: time at which the record was appended to the log. The horizon is the time
        before which floods are dropped. A record whose own time is later does not move the horizon
        beyond `written_ms`.
        """
        if record.kind != "flood":
            return False
        flood = self.by_id.get(record.episode_id)
        if flood is None:
            # A renewal without the flood's first record has too little information.
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
        flood.refused |= record.level is Level.THROTTLE and record.mode == "enforce"
        return True

    def forget(self) -> bool:
        """Move the horizon by the newest record, and drop floods that opened before the horizon.

        Returns true if floods were dropped.
        """
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
