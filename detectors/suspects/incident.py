"""State of an episode's incident: the messages from THROTTLE on that the world was not told yet."""

from __future__ import annotations

from typing import Any, Final

from detectors.model.incidents import Listed

FIRST_DUE_S: Final = (60, 120)
DUE_EVERY_S: Final = 300
"""Messages are told one, two and five minutes after THROTTLE, and then every five: whoever is on
the phone sees the first ones soon, and a campaign costs a record for some dozens."""


class Incident:
    """Mutable. Its messages are bounded by those of one record, which is told when it is full."""

    __slots__ = (
        "due_s", "hour", "lease", "listed", "opened_s", "passed", "pending", "refused", "told",
    )  # fmt: skip

    def __init__(self, opened_s: int) -> None:
        self.opened_s = opened_s  # of THROTTLE
        self.lease = -1  # offset of the cause of the newest lease
        self.told = 0  # messages in the records so far
        self.hour = 0  # of the episode from THROTTLE on,
        self.listed = 0  # and the messages listed in it
        self.passed = 0  # not listed, and not told yet
        self.refused = 0
        self.pending: list[Listed] = []
        self.due_s = 0  # when to tell what is pending; 0: there is nothing

    def state(self) -> list[Any]:
        """Plain data."""
        counts = [self.opened_s, self.lease, self.told, self.hour, self.listed]
        return [*counts, self.passed, self.refused, self.due_s, list(self.pending)]


def incident_of(state: list[Any]) -> Incident:
    """The inverse of `Incident.state`."""
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
    """The next moment, after `at_s`, at which an incident's messages are told.

    >>> [due_after(1000, 1000 + s) for s in (-5, 0, 60, 130, 300, 301)]
    [1060, 1060, 1120, 1300, 1600, 1600]
    """
    since_s = at_s - opened_s
    for first_s in FIRST_DUE_S:
        if since_s < first_s:
            return opened_s + first_s
    return opened_s + (since_s // DUE_EVERY_S + 1) * DUE_EVERY_S
