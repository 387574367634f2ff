"""Incident records: the list of messages that came since THROTTLE, some dozens per record.

Records depend on the partition's log alone. A record is published at an event of its own recipient
when the record is full or due, at the first tick after it was due, or when the episode ends. A tick
is every `TICK_OFFSETS`-th offset of the log.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from detectors.episodes.lease import EpisodeParams
from detectors.model.event import Trust
from detectors.model.incidents import (
    Basis,
    ClockName,
    EarlierSighting,
    IncidentRecord,
    KnownPrint,
    Listed,
    Unlisted,
    flood_messages,
)
from detectors.model.records import Cause, EpisodeRecord, utc_ms
from detectors.model.times import DAY_S, HOUR_S
from detectors.recipients.row import PRINTS
from detectors.suspects.clocks import ClockClass
from detectors.suspects.incident_state import Incident, due_after
from detectors.suspects.suspect import Episode, Suspect
from detectors.thresholds import INCIDENT_HOUR_MAX, INCIDENT_PENDING_MAX, INCIDENT_RECORD_MAX

DUE_SPARE: Final = 1024
"""Number of stale heap entries in `IncidentLog.due`, beyond two per suspect, before a rebuild."""

TICK_MAX: Final = 256
"""Maximum number of due records that one tick publishes. Chosen: a sixteenth of its events."""

CLOCK_NAMES: Final[Mapping[ClockClass, ClockName]] = {
    ClockClass.EXACT: "exact",
    ClockClass.MINUTE: "minute",
    ClockClass.JITTER_30S: "jitter_30s",
    ClockClass.JITTER_120S: "jitter_120s",
}


@dataclass(slots=True, eq=False)
class IncidentLog:
    """The state that all incidents of a partition share.

    `due` and `pending` are not part of a checkpoint: `restore` derives them from the suspects.
    """

    records: list[IncidentRecord] = field(default_factory=list)  # output, to be published
    # Heap: (due time in seconds, recipient)
    due: list[tuple[int, int]] = field(default_factory=list)
    pending: int = 0  # number of pending messages, over all incidents

    def restore(self, suspects: Mapping[int, Suspect]) -> None:
        """Rebuild `due` and `pending` from the suspects, after a restart or to drop old items."""
        held = [
            (s.episode.incident, s.recipient)
            for s in suspects.values()
            if s.episode is not None and s.episode.incident is not None
        ]
        self.due = [(incident.due_s, whose) for incident, whose in held if incident.due_s]
        heapify(self.due)
        self.pending = sum(len(incident.pending) for incident, _ in held)


class Rests(NamedTuple):
    """The evidence of a THROTTLE that is not part of the suspect."""

    told: EpisodeRecord  # the episode record published at the same event
    clock: ClockClass  # clock class of the gateway that delivered the deciding message
    list_version: int  # version of the list of platforms that floods abuse


def begin(
    params: EpisodeParams,
    log: IncidentLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    message: Listed,
    rests: Rests,
) -> None:
    """Begin the incident of an episode that this message raised to THROTTLE, and publish a record.

    The first record also has the basis of the decision and the earlier sightings of the episode.
    """
    incident = episode.incident = Incident(cause.at_s)
    if episode.issued_ms == cause.at_ms:
        incident.lease = cause.offset
    incident.listed = 1
    incident.pending.append(message)
    log.pending += 1
    memory = suspect.memory
    basis = Basis(
        rests.told.reason,
        rests.told.rungs,
        utc_ms(memory.born_day * DAY_S),
        tuple(KnownPrint(p, 1 if p in memory.kept else 0, 0) for p in memory.prints[:PRINTS]),
        CLOCK_NAMES[rests.clock],
        rests.list_version,
    )  # fmt: skip
    tell(params, log, suspect, episode, cause, basis=basis, earlier=_earlier(suspect, rests.told))


def note(
    params: EpisodeParams,
    log: IncidentLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    make: Callable[[], Listed],
    *,
    refused: bool,
) -> None:
    """Record a message of an incident, and publish the pending messages if they are due.

    Past `INCIDENT_HOUR_MAX` or `INCIDENT_PENDING_MAX`, messages are counted but not listed. `make`
    builds the listed form and is expensive, so it is called only for messages that are listed.
    """
    incident = episode.incident
    if incident is None:  # the state is older than incident records: begin one without a basis
        incident = episode.incident = Incident(cause.at_s)
    at_s = cause.at_s
    hour = (at_s - incident.opened_s) // HOUR_S
    if hour > incident.hour:
        incident.hour, incident.listed = hour, 0
    if incident.listed < INCIDENT_HOUR_MAX and log.pending < INCIDENT_PENDING_MAX:
        incident.listed += 1
        incident.pending.append(make())
        log.pending += 1
    elif refused:
        incident.refused += 1
    else:
        incident.passed += 1
    if not incident.due_s:
        incident.due_s = due_after(incident.opened_s, at_s)
        heappush(log.due, (incident.due_s, suspect.recipient))
    if len(incident.pending) >= INCIDENT_RECORD_MAX or at_s >= incident.due_s:
        tell(params, log, suspect, episode, cause)


def tell(
    params: EpisodeParams,
    log: IncidentLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    *,
    basis: Basis | None = None,
    earlier: tuple[EarlierSighting, ...] = (),
) -> None:
    """Publish a record with the pending messages of the suspect's incident, if there are any."""
    incident = episode.incident
    if incident is None:
        return
    counted = incident.passed or incident.refused
    if not (incident.pending or counted):
        return
    log.records.append(
        IncidentRecord(
            episode_id=episode.id,
            epoch=params.epoch,
            revision=cause.offset,
            recipient=suspect.name,
            mode=episode.mode,
            at_ms=cause.at_ms,
            first=incident.told,
            messages=flood_messages(incident.pending),
            unlisted=Unlisted(incident.passed, incident.refused) if counted else None,
            basis=basis,
            earlier=earlier,
            cause=cause,
            version=params.version,
            config=params.config,
        )
    )
    log.pending -= len(incident.pending)
    incident.told += len(incident.pending)
    incident.pending = []
    incident.passed = incident.refused = 0
    incident.due_s = 0


def tell_due(
    params: EpisodeParams, log: IncidentLog, suspects: Mapping[int, Suspect], cause: Cause
) -> None:
    """Publish, at a tick, up to `TICK_MAX` incident records that are due by the tick's time."""
    records, now_s = len(log.records), cause.at_s
    while log.due and log.due[0][0] <= now_s and len(log.records) - records < TICK_MAX:
        due_s, recipient = heappop(log.due)
        suspect = suspects.get(recipient)
        if suspect is None or suspect.episode is None or suspect.episode.incident is None:
            continue
        if suspect.episode.incident.due_s == due_s:
            tell(params, log, suspect, suspect.episode, cause)
    if len(log.due) > 2 * len(suspects) + DUE_SPARE:
        log.restore(suspects)


def _earlier(suspect: Suspect, told: EpisodeRecord) -> tuple[EarlierSighting, ...]:
    """Return the episode's sightings before the message with which the incident begins."""
    places = suspect.places
    return tuple(
        EarlierSighting(s.at_ms, s.novel, s.trust, s.platform, s.platform_id, s.hot, place)
        if s.novel and s.trust is Trust.NONE
        else EarlierSighting(s.at_ms, s.novel, s.trust, offset=place)
        for s in told.sightings
        if (place := places.get(s.platform_id, -1)) != told.revision
    )
