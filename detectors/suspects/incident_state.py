"""State of an episode's incident: the messages since THROTTLE that are not yet published.

`detectors.episodes.incident_log` fills this state and turns it into incident records.
"""

from __future__ import annotations

from typing import Any, Final

from detectors.model.incidents import Listed

FIRST_DUE_S: Final = (60, 120)
DUE_EVERY_S: Final = 300
"""Pending messages are published one, two and five minutes after THROTTLE, then every five minutes.

An operator on the phone with a subscriber sees the first messages soon. In a campaign, one record
covers dozens of messages. All values are in seconds.
"""


class Incident:
    """Mutable state of one incident.

    Its pending messages are bounded: when they fill one record, that record is published.
    """

    __slots__ = (
        "due_s", "hour", "lease", "listed", "opened_s", "passed", "pending", "refused", "told",
    )  # fmt: skip

    def __init__(self, opened_s: int) -> None:
        self.opened_s = opened_s  # time of THROTTLE
        self.lease = -1  # offset of the event that caused the newest lease; -1: no lease yet
        self.told = 0  # number of messages in the records published so far
        self.hour = 0  # number of the current hour since THROTTLE, from 0
        self.listed = 0  # number of messages listed in this hour
        self.passed = 0  # unlisted messages that passed, not yet published as a count
        self.refused = 0  # unlisted messages that the lease refused, not yet published as a count
        self.pending: list[Listed] = []  # listed messages that are not yet published
        self.due_s = 0  # time at which the pending messages must be published; 0: none pending

    def state(self) -> list[Any]:
        """Return the state as plain data for a checkpoint."""
        counts = [self.opened_s, self.lease, self.told, self.hour, self.listed]
        return [*counts, self.passed, self.refused, self.due_s, list(self.pending)]


def incident_of(state: list[Any]) -> Incident:
    """Restore an incident from the list that `Incident.state` returned."""
    incident = Incident(state[0])
    (
        incident.lease,
        incident.told,
        incident.hour,
        incident.listed,
        incident.passed,
        incident.refused,
        incident.due_s,
        pending,
    ) = state[1:9]
    incident.pending = [tuple(message) for message in pending]
    return incident


def due_after(opened_s: int, at_s: int) -> int:
    """Return the next time after `at_s` at which an incident's messages are published.

    >>> [due_after(1000, 1000 + s) for s in (-5, 0, 60, 130, 300, 301)]
    [1060, 1060, 1120, 1300, 1600, 1600]
    """
    since_s = at_s - opened_s
    for first_s in FIRST_DUE_S:
        if since_s < first_s:
            return opened_s + first_s
    return opened_s + (since_s // DUE_EVERY_S + 1) * DUE_EVERY_S
