"""The record of a flood: which messages came from THROTTLE on, in records of some dozens.

A function of the partition's log like everything else: a record ends with an event of its own
recipient, when it is full or due, or at the tick after it was due, or with its episode.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

from detectors.bars import INCIDENT_HOUR_MAX, INCIDENT_PENDING_MAX, INCIDENT_RECORD_MAX
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
from detectors.suspects.clocks import ClockClass
from detectors.suspects.incident import Incident, due_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from detectors.episodes.episode import EpisodeParams
    from detectors.suspects.suspect import Suspect


DUE_SPARE: Final = 1024
"""Entries of `IncidentLog.due` beside one for each that waits, before they are thrown out."""

TICK_MAX: Final = 256
"""Records that one tick writes, of those that are due. Chosen: a sixteenth of its events."""

CLOCK_NAMES: Final[Mapping[ClockClass, ClockName]] = {
    ClockClass.EXACT: "exact",
    ClockClass.MINUTE: "minute",
    ClockClass.JITTER_30S: "jitter_30s",
    ClockClass.JITTER_120S: "jitter_120s",
}


class IncidentLog:
    """The part of a partition's incidents that they share. `due` and `pending` follow from them."""

    __slots__ = ("due", "pending", "records")

    def __init__(self) -> None:
        self.records: list[IncidentRecord] = []
        self.due: list[tuple[int, int]] = []  # heap: when to tell of whom
        self.pending = 0  # messages of all

    def restore(self, suspects: Mapping[int, Suspect]) -> None:
        """Take from the suspects what follows from them: the same wherever it is done."""
        held = [
            (s.episode.incident, s.recipient)
            for s in suspects.values()
            if s.episode is not None and s.episode.incident is not None
        ]
        self.due = [(incident.due_s, whose) for incident, whose in held if incident.due_s]
        heapify(self.due)
        self.pending = sum(len(incident.pending) for incident, _ in held)


class Rests(NamedTuple):
    """The grounds of a THROTTLE beside the suspect."""

    told: EpisodeRecord  # of the same moment
    clock: ClockClass  # of the gateway whose message decided
    list_version: int


def begin(
    params: EpisodeParams,
    log: IncidentLog,
    suspect: Suspect,
    cause: Cause,
    message: Listed,
    rests: Rests,
) -> None:
    """Begin the incident of an episode that is at THROTTLE since this message, and tell of it."""
    episode = suspect.episode
    assert episode is not None
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
        tuple(
            KnownPrint(each.print, _LEVELS[each.level], utc_ms(each.last_s) if each.last_s else 0)
            for each in memory.known
        ),
        CLOCK_NAMES[rests.clock],
        rests.list_version,
    )  # fmt: skip
    tell(params, log, suspect, cause, basis=basis, earlier=_earlier(suspect, rests.told))


def note(
    params: EpisodeParams,
    log: IncidentLog,
    suspect: Suspect,
    cause: Cause,
    make: Callable[[], Listed],
    *,
    refused: bool,
) -> None:
    """Take a message of an incident in, and tell of those that wait if it is time.

    Past so many in an hour of the episode, or in the partition, messages are counted only. So
    `make` is asked for one that is listed alone: to make it costs more than all else here.
    """
    assert suspect.episode is not None
    incident = suspect.episode.incident
    if incident is None:  # of a state from before there were any: nobody knows why it began
        incident = suspect.episode.incident = Incident(cause.at_s)
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
        tell(params, log, suspect, cause)


def tell(
    params: EpisodeParams,
    log: IncidentLog,
    suspect: Suspect,
    cause: Cause,
    *,
    basis: Basis | None = None,
    earlier: tuple[EarlierSighting, ...] = (),
) -> None:
    """Tell of what waits in the suspect's incident, if anything does."""
    episode = suspect.episode
    assert episode is not None
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
    """Tell, at a tick, of incidents that were due by the partition's time; the rest waits."""
    records, now_s = len(log.records), cause.at_s
    while log.due and log.due[0][0] <= now_s and len(log.records) - records < TICK_MAX:
        due_s, recipient = heappop(log.due)
        suspect = suspects.get(recipient)
        if suspect is None or suspect.episode is None or suspect.episode.incident is None:
            continue
        if suspect.episode.incident.due_s == due_s:
            tell(params, log, suspect, cause)
    if len(log.due) > 2 * len(suspects) + DUE_SPARE:
        log.restore(suspects)


_LEVELS: Final = (0, 1, 2)  # ONCE, AGAIN, HABIT of `detectors.recipients.row`


def _earlier(suspect: Suspect, told: EpisodeRecord) -> tuple[EarlierSighting, ...]:
    """The episode's sightings before the message that the incident begins with."""
    places = suspect.places
    return tuple(
        EarlierSighting(s.at_ms, s.novel, s.trust, s.platform, s.platform_id, s.hot, place)
        if s.novel and s.trust is Trust.NONE
        else EarlierSighting(s.at_ms, s.novel, s.trust, offset=place)
        for s in told.sightings
        if (place := places.get(s.platform_id, -1)) != told.revision
    )
