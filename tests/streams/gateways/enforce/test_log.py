"""The dry run: what it says of each order, and that it names nobody unless asked to."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from detectors.leases.gateway_rule import Lease
from detectors.model.event import Trust
from detectors.model.records import Scope
from streams.gateways.enforce.gateway import Order
from streams.gateways.enforce.log import LogGateway

VICTIM = "8613900000001"
ORDER = Order(VICTIM, Lease("1:t:0:9", 600_000, Scope("otp", (Trust.BANK,), (7, 8), (7, 99))))


def said(*, numbers: bool) -> list[dict[str, Any]]:
    stream = io.StringIO()
    gateway = LogGateway(stream, numbers=numbers)
    gateway.apply([ORDER])
    gateway.release([VICTIM])
    gateway.expire([VICTIM])
    gateway.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_order_is_a_line_with_its_lease() -> None:
    throttle, release, expire = said(numbers=True)
    assert throttle == {
        "order": "throttle",
        "recipient": VICTIM,
        "action_id": "1:t:0:9",
        "expires_at_ms": 600_000,
        "trust": ["bank"],
        "passes": 3,  # platforms by print: two names of one print pass as one
        "refused_ids": [],
    }
    assert (release["order"], expire["order"]) == ("release", "expire")
    assert release["recipient"] == expire["recipient"] == VICTIM


def test_nobody_is_named_unless_numbers_are_asked_for() -> None:
    assert VICTIM not in json.dumps(said(numbers=False))


def test_a_line_is_out_when_its_order_was_given() -> None:
    class Buffered(io.StringIO):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    stream = Buffered()
    gateway = LogGateway(stream)
    gateway.release(["a", "b"])
    assert stream.flushes == 2


@pytest.mark.parametrize("asked", [[], ["a1", "a2"]])
def test_a_log_holds_and_refuses_nothing(asked: list[str]) -> None:
    gateway = LogGateway(io.StringIO())
    assert (list(gateway.list_recipients()), list(gateway.list_counted())) == ([], [])
    assert list(gateway.take_refused(asked)) == [0] * len(asked)
    assert gateway.health() == "log"
