"""The outcome of one batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from detectors.hot.network import ListOutcome
from detectors.model.incidents import IncidentRecord
from detectors.model.records import Action, EpisodeRecord
from detectors.platforms.figures import PlatformPart
from detectors.recipients.windows import Window


@dataclass(slots=True)
class Decisions:
    """Actions, episode records and counts that one batch led to."""

    actions: list[Action] = field(default_factory=list)
    episodes: list[EpisodeRecord] = field(default_factory=list)
    incidents: list[IncidentRecord] = field(default_factory=list)
    parts: list[PlatformPart] = field(default_factory=list)  # figures of platforms
    lists: list[ListOutcome] = field(default_factory=list)  # of the network: what became of each
    windows: list[Window] = field(default_factory=list)  # closed at ticks within this batch
    ahead: list[int] = field(default_factory=list)  # offsets of codes refused: ahead of the log
    events: int = 0
    codes: int = 0
    judged: int = 0  # codes that reached the judge
    promoted: int = 0  # recipients handed to the judge
    released: int = 0  # suspects that it let go
    evicted: int = 0  # recipients forgotten for want of room
    platforms_dropped: int = 0  # platforms of recipients who stay, likewise
    recycled: int = 0
    refused: int = 0  # platforms at recipients whose first code a lease refuses, or would
    used_later: int = 0  # of those of before, platforms that the recipient uses after all
