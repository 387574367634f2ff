"""The hotline's question as typed, against a real broker."""

from __future__ import annotations

import json

import pytest

from streams.errors import UsageError
from streams.wire import encode_ack, encode_action, encode_episode, encode_override, override_key
from tests.enforce.records import RECIPIENT, override
from tests.streams.cli.test_cases import Desk, desk
from tests.streams.operate.test_cases import LEASE, OPENED, ack

__all__ = ["desk"]


@pytest.mark.broker
def test_a_caller_is_answered_with_and_without_a_case(desk: Desk) -> None:
    assert f"no flood of {RECIPIENT}" in desk.ask("phone", "139 0000 0001")
    desk.put("episode", encode_episode(OPENED))
    desk.put("throttle", encode_action(LEASE))
    desk.put("acks", encode_ack(ack("applied", 57)), LEASE.action_id.encode())
    word = override("mode", "*", mode="off", expires_at_ms=None)
    desk.put("everyone", encode_override(word), override_key(word))
    said = desk.ask("phone", "139 0000 0001")
    assert said.startswith("KILL SWITCH")
    assert "now: its last lease has ended: nothing is refused" in said
    assert "refused before: 57" in said
    assert "cannot be said" in said  # no worker ever was here
    told = json.loads(desk.ask("phone", RECIPIENT, "--json"))
    assert (told["recipient"], told["state"], told["events_behind"]) == (RECIPIENT, "lapsed", None)
    with pytest.raises(UsageError, match="no recipient"):
        desk.ask("phone", "nobody")
