"""An incident's state: what survives a checkpoint, and when its messages are due."""

from __future__ import annotations

import msgspec

from detectors.model.fields import reader, writer
from detectors.suspects.incident_state import DUE_EVERY_S, Incident, due_after


def test_a_state_comes_back_as_it_went_through_a_checkpoint() -> None:
    incident = Incident(1000)
    incident.lease, incident.told, incident.hour, incident.listed = 7, 3, 2, 600
    incident.passed, incident.refused, incident.due_s = 1, 2, 1300
    incident.pending = [
        (7, 5, "refuse", True, 0, "gw", "sig:甲", 9, "106", "a", "m", 7),
        (8, 6, "pass", False, 1, "gw", "", 0, "", "", "", -1),
    ]
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(writer(Incident)(incident)))
    again = reader(Incident)(packed)
    assert writer(Incident)(again) == writer(Incident)(incident)
    assert again.pending == incident.pending
    assert all(type(each) is tuple for each in again.pending)


def test_what_is_due_lies_ahead_and_never_further_than_five_minutes() -> None:
    for at_s in range(900, 20_000, 7):
        due_s = due_after(1000, at_s)
        assert at_s < due_s <= max(at_s, 1000) + DUE_EVERY_S
