"""Dead letters are bounded by a rate; of the others the offsets are told."""

from __future__ import annotations

import pytest

from streams.engine.worker.dead_letter_limit import BURST_S, SAY_S, Letters
from streams.telemetry.metrics import Metrics
from streams.wire import Reject, RejectReason

PER_S = 10.0
BURST = int(PER_S * BURST_S)


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


class World:
    """Letters, their clock, and what they said."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.metrics = Metrics()
        self.said: list[str] = []
        self.letters = Letters(PER_S, self.metrics, self.clock, self.say)

    def say(self, line: str, *words: object) -> None:
        self.said.append(line % words)

    def admit(
        self, first: int, number: int, reason: RejectReason = RejectReason.INVALID_JSON
    ) -> list[int]:
        rejects = [Reject(first + n, reason, None, b"{", 0) for n in range(number)]
        return [reject.offset for reject in self.letters.admit(3, rejects)]

    def withheld(self, reason: RejectReason) -> float:
        value = self.metrics.registry.get_sample_value(
            "otpguard_dead_letters_withheld_total", {"reason": reason.value}
        )
        assert value is not None
        return value


@pytest.fixture
def world() -> World:
    return World()


def test_a_rush_gets_letters_up_to_the_burst_and_then_at_the_rate(world: World) -> None:
    assert world.admit(0, 5 * BURST) == list(range(BURST))
    assert world.admit(5 * BURST, 50) == []
    world.clock.at += 2.0
    assert world.admit(1000, 50) == list(range(1000, 1000 + int(2 * PER_S)))
    world.clock.at += 1_000_000.0
    assert len(world.admit(2000, 5 * BURST)) == BURST


def test_a_trickle_gets_all_of_its_letters(world: World) -> None:
    for offset in range(0, 3 * BURST, 5):
        assert len(world.admit(offset, 5)) == 5
        world.clock.at += 5 / PER_S
    world.letters.tell(all_of_it=True)
    assert world.said == []


def test_what_got_none_is_counted_and_told_by_range_and_reason(world: World) -> None:
    world.admit(0, BURST + 7)
    world.admit(2 * BURST, 3)
    world.admit(2 * BURST + 3, 2, RejectReason.MISSING_FIELD)
    world.letters.tell()
    assert world.said == []
    world.clock.at += SAY_S
    world.letters.tell()
    bad, lacking = world.said
    assert "10 records refused as invalid_json without a dead letter" in bad
    assert f"at offsets {BURST} to {2 * BURST + 2}: over 10 a second" in bad
    assert "2 records refused as missing_field without a dead letter" in lacking
    assert f"at offsets {2 * BURST + 3} to {2 * BURST + 4}: over 10 a second" in lacking
    assert world.withheld(RejectReason.INVALID_JSON) == 10
    assert world.withheld(RejectReason.MISSING_FIELD) == 2
    world.said.clear()
    world.letters.tell(all_of_it=True)
    assert world.said == []


def test_a_batch_counts_as_one_letter_and_as_all_of_its_records(world: World) -> None:
    world.admit(0, BURST)
    assert world.letters.admit(3, [Reject.of_batch(500, 599, 0)]) == []
    world.letters.tell(all_of_it=True)
    assert "100 records refused as batch_unreadable" in world.said[0]
    assert "at offsets 500 to 599" in world.said[0]
    assert world.withheld(RejectReason.BATCH_UNREADABLE) == 100
