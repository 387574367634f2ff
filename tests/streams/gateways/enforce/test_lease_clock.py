"""The clock of leases, on a machine whose own one is set, and which sleeps."""

from __future__ import annotations

import time

import pytest

from streams.gateways.enforce.lease_clock import DOUBT_MS, LeaseClock

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


class Machine:
    """A wall clock that can be set, and one that only runs."""

    def __init__(self) -> None:
        self.wall_ms, self.running_ms = NOW_MS, 5_000
        self.lease_ms = LeaseClock(
            wall_ns=lambda: self.wall_ms * 1_000_000,
            running_ns=lambda: self.running_ms * 1_000_000,
        )

    def passes(self, ms: int) -> None:
        self.wall_ms += ms
        self.running_ms += ms


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_it_is_the_machine_s_and_goes_on_with_it(machine: Machine) -> None:
    assert machine.lease_ms() == NOW_MS
    machine.passes(700)
    assert machine.lease_ms() == NOW_MS + 700
    assert abs(LeaseClock()() - time.time() * 1000) < 60_000


def test_a_clock_that_is_set_back_stops_no_lease_from_ending(machine: Machine) -> None:
    machine.wall_ms -= 24 * HOUR_MS
    assert machine.lease_ms() == NOW_MS
    machine.passes(HOUR_MS)
    assert machine.lease_ms() == NOW_MS + HOUR_MS


def test_a_clock_that_is_set_forward_and_a_machine_that_slept_are_followed(
    machine: Machine,
) -> None:
    machine.wall_ms += HOUR_MS
    assert machine.lease_ms() == NOW_MS + HOUR_MS
    machine.wall_ms -= HOUR_MS  # and back again, and forward
    assert machine.lease_ms() == NOW_MS + HOUR_MS
    machine.wall_ms += 2 * HOUR_MS
    assert machine.lease_ms() == NOW_MS + 2 * HOUR_MS


def test_a_clock_that_was_put_right_is_believed_once_nothing_of_before_is_held(
    machine: Machine,
) -> None:
    machine.wall_ms -= HOUR_MS
    machine.lease_ms()
    machine.passes(DOUBT_MS - 1)
    assert machine.lease_ms() == NOW_MS + DOUBT_MS - 1
    machine.wall_ms -= HOUR_MS  # once more: the doubt begins anew
    machine.passes(1)
    assert machine.lease_ms() == NOW_MS + DOUBT_MS
    machine.passes(DOUBT_MS)
    assert machine.lease_ms() == machine.wall_ms == NOW_MS + 2 * DOUBT_MS - 2 * HOUR_MS
    machine.passes(5)
    assert machine.lease_ms() == machine.wall_ms
