"""The result of processing one batch: what must be published, and counts for metrics."""

from dataclasses import dataclass, field

from detectors.hot.network import ListOutcome
from detectors.model.event import MemoryOutcome
from detectors.model.incidents import IncidentRecord
from detectors.model.records import Action, EpisodeRecord
from detectors.platforms.figures import PlatformPart
from detectors.recipients.windows import Window


@dataclass(slots=True)
class Decisions:
    """Actions and records to publish, and counts, all from one batch of one partition."""

    actions: list[Action] = field(default_factory=list)
    episodes: list[EpisodeRecord] = field(default_factory=list)
    incidents: list[IncidentRecord] = field(default_factory=list)
    parts: list[PlatformPart] = field(default_factory=list)  # figures of platforms
    lists: list[ListOutcome] = field(default_factory=list)  # outcome of each list of the network
    memories: list[MemoryOutcome] = field(default_factory=list)  # outcome of each memory record
    windows: list[Window] = field(default_factory=list)  # windows closed by this batch
    ahead: list[int] = field(default_factory=list)  # offsets of codes rejected as ahead of the log
    events: int = 0  # events in the batch
    codes: int = 0  # verification codes among them
    judged: int = 0  # codes that reached the judge
    promoted: int = 0  # recipients passed on to the judge (suspects)
    released: int = 0  # suspects that went back to their rows
    evicted: int = 0  # recipients forgotten because the table is full
    platforms_dropped: int = 0  # platforms forgotten because a recipient's memory is full
    recycled: int = 0  # recipients dropped because the number has a new owner
    # Pairs of recipient and platform whose first code a lease refuses (or would, in shadow).
    refused: int = 0
    used_later: int = 0  # such pairs that were confirmed as used later (`episodes.used_later`)
