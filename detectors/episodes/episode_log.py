"""State that all episodes of a partition share, and the output that they collect."""

from dataclasses import dataclass, field

from detectors.episodes.incident_log import IncidentLog
from detectors.episodes.platform_names import Name, Names
from detectors.hot.listed import Hot
from detectors.model.event import Trust
from detectors.model.records import Action, EpisodeRecord, Sighting, utc_ms
from detectors.suspects.relapse import Relapse
from detectors.suspects.suspect import Suspect


@dataclass(slots=True, eq=False, repr=False)
class EpisodeLog:
    """The state that all episodes of a partition share, and the output to be published.

    The caller takes `actions`, `records` and the incident records from here and publishes them.
    """

    hot: Hot = field(default_factory=Hot)
    names: Names = field(default_factory=Names)
    # Recipient -> earlier flood; up to `RELAPSES_MAX`
    relapses: dict[int, Relapse] = field(default_factory=dict)
    # Recipient -> (last day under THROTTLE, bit set: bit i stands for i days before that day).
    chronic: dict[int, tuple[int, int]] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    records: list[EpisodeRecord] = field(default_factory=list)
    incidents: IncidentLog = field(default_factory=IncidentLog)

    def hot_for(self, suspect: Suspect) -> frozenset[int]:
        """Return the platforms whose retry windows share the small budget.

        These are hot platforms (abused by other floods), and those of the flood that the recipient
        had in the last days.

        With the large budget, three codes would arrive in each run of a flood that is repeated for
        days.
        """
        hot = self.hot.platforms
        return hot | suspect.barred if suspect.barred else hot

    def sighting(self, platform: int, at_s: int, *, novel: bool) -> Sighting:
        """Return a sighting for a record, with the platform's name, or `#<id>` if forgotten."""
        name = self.names.get(platform) or Name(f"#{platform}", Trust.NONE, 0)
        hot = novel and platform in self.hot.platforms
        return Sighting(name.key, platform, utc_ms(at_s), novel, name.trust, hot)
