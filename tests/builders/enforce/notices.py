"""Builders that test_notices.py shares with other tests."""

from __future__ import annotations

from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.wire import decode_action, decode_notice
from tests.enforce.loop import Loop
from tests.enforce.smpp_ends import Arrived
from tests.waiting import wait_until


def notices_at(loop: Loop, victim: str) -> list[Arrived]:
    return [each for each in loop.centre.reached(victim) if each.sender == "10086"]


def actions(loop: Loop, victim: str) -> list[int]:
    """Times of issue of a victim's leases."""
    clients = client_arguments(loop.settings.kafka)
    found = [decode_action(r.value) for r in records(clients, loop.settings.topics.throttle)]
    return sorted(each.issued_at_ms for each in found if each.recipient == victim)


def sent_at_ms(loop: Loop, victim: str) -> int:
    """When the notifier knew that the notice was taken."""
    clients = client_arguments(loop.settings.kafka)

    def found() -> list[int]:
        notices = [decode_notice(r.value) for r in records(clients, loop.settings.topics.notice)]
        return [n.at_ms for n in notices if n.to == victim and n.state == "sent"]

    wait_until(found, "it is written down")
    return found()[0]
