"""State of an episode's incident: the messages since THROTTLE that are not yet published.

`detectors.episodes.incident_log` fills this state and turns it into incident records.
"""

from dataclasses import dataclass, field
from typing import Final

from detectors.model.fields import Count, Offset, Time
from detectors.model.incidents import Listed

FIRST_DUE_S: Final = (60, 120)
DUE_EVERY_S: Final = 300
"""Pending messages are published one, two and five minutes after THROTTLE, then every five minutes.

An operator on the phone with a subscriber sees the first messages soon. In a campaign, one record
covers dozens of messages. All values are in seconds.
"""


@dataclass(slots=True, eq=False, repr=False)
class Incident:
    """Mutable state of one incident.

    Its pending messages are bounded: when they fill one record, that record is published.
    """

    opened_s: Time  # time of THROTTLE
    lease: Offset = -1  # offset of the event that caused the newest lease; -1: no lease yet
    told: Count = 0  # number of messages in the records published so far
    hour: Count = 0  # number of the current hour since THROTTLE, from 0
    listed: Count = 0  # number of messages listed in this hour
    passed: Count = 0  # unlisted messages that passed, not yet published as a count
    refused: Count = 0  # unlisted messages that the lease refused, not yet published as a count
    due_s: Time = 0  # time at which the pending messages must be published; 0: none pending
    # Listed messages that are not yet published.
    pending: list[Listed] = field(default_factory=list)


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
