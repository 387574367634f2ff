"""How exact a gateway's stamps are, and that only what was stamped so is judged by it."""

from __future__ import annotations

import random

import msgspec
import pytest

from detectors.chain import Decisions, Params, Partition, restore, snapshot
from detectors.episodes.episode import EpisodeParams
from detectors.model.event import TICK_OFFSETS
from detectors.model.records import Level
from detectors.suspects.clocks import (
    ClockClass,
    ClockParams,
    GatewayClock,
    coarse,
    observe,
)
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event, run

VICTIM = 8613800000001
CLASSES = {
    "rounding": ClockClass.MINUTE,
    "jumpy": ClockClass.JITTER_30S,
    "wild": ClockClass.JITTER_120S,
}
TOLD = Params(stamps=ClockParams(gateways=CLASSES), episode=EpisodeParams(mode="enforce"))


def flood(count: int, gap_ms: int, start_ms: int = START_MS, gateway: str = "gw") -> list[Event]:
    return [
        Event(start_ms + i * gap_ms, VICTIM, f"{gateway} {start_ms} {i}", gateway=gateway)
        for i in range(count)
    ]


def level(decisions: Decisions) -> Level:
    return max((e.level for e in decisions.episodes if e.kind == "flood"), default=Level.CLEAR)


def throttled_at(decisions: Decisions) -> int:
    """The offset of the first throttle."""
    return next(a.revision for a in decisions.actions if a.verb == "throttle")


# ------------------------------------------------------------- the class of each sighting


@pytest.mark.parametrize("days", [0, 1, 40])
def test_one_old_message_with_a_wild_stamp_does_not_disarm_the_burst(days: int) -> None:
    partition = Partition(TOLD)
    run(TOLD, flood(9, 2 * MINUTE_MS, START_MS - days * DAY_MS - HOUR_MS), partition)
    assert VICTIM in partition.suspects or days
    run(TOLD, [Event(START_MS - days * DAY_MS - MINUTE_MS, VICTIM, "w", gateway="wild")], partition)
    decisions = run(TOLD, flood(40, 1500), partition)
    assert level(decisions) is Level.THROTTLE
    assert throttled_at(decisions) == 10 + 4, "its fifth platform, as without the wild one"


@pytest.mark.parametrize("gateway", CLASSES)
def test_a_flood_through_a_coarse_gateway_keeps_the_coarse_bars(gateway: str) -> None:
    def highest(gap_ms: int) -> Level:
        return level(run(TOLD, flood(5, gap_ms, gateway=gateway)))

    slow, fast = highest(20_000), highest(1)
    assert slow is Level.WATCH, "exact stamps throttle there"
    assert fast is (Level.WATCH if gateway == "wild" else Level.THROTTLE)
    assert level(run(TOLD, flood(30, 1500, gateway="wild"))) is Level.WATCH


@pytest.mark.parametrize("gap_ms", [20_000, 1500])
@pytest.mark.parametrize("gateway", CLASSES)
def test_coarse_messages_among_exact_ones_buy_an_attacker_nothing(
    gateway: str, gap_ms: int
) -> None:
    """One a minute keeps no bar high: the rest is throttled at the very message as without them."""
    exact = flood(40, gap_ms)
    first_ms = START_MS + 2 * gap_ms + 500 - 5 * MINUTE_MS  # one behind the third exact one
    mixed = [
        Event(at_ms, VICTIM, f"mixed {at_ms}", gateway=gateway)
        for at_ms in range(first_ms, exact[-1].at_ms, MINUTE_MS)
    ]
    alone = run(TOLD, exact).actions[0]
    spoilt = run(TOLD, sorted(exact + mixed)).actions[0]
    assert spoilt.issued_at_ms <= alone.issued_at_ms


def test_half_a_flood_through_a_wild_gateway_leaves_the_other_half_as_evidence() -> None:
    """What mixing does buy: the wild ones do not count for the burst, but the exact ones all do."""
    mixed = [e._replace(gateway="wild") if i % 2 else e for i, e in enumerate(flood(40, 10_000))]
    exact = [e for e in mixed if e.gateway == "gw"]
    assert run(TOLD, mixed).actions[0].issued_at_ms <= run(TOLD, exact).actions[0].issued_at_ms
    wild = [e._replace(gateway="wild") for e in exact]
    assert level(run(TOLD, wild)) is Level.WATCH


def test_minutes_and_seconds_of_jitter_together_have_the_higher_bars_of_both() -> None:
    minutes = [Event(START_MS, VICTIM, f"m {i}", gateway="rounding") for i in range(2)]
    jumpy = flood(3, 7_000, START_MS, "jumpy")
    assert level(run(TOLD, flood(5, 7_000, gateway="jumpy"))) is Level.THROTTLE
    assert level(run(TOLD, minutes + flood(5, 24_000, START_MS, "jumpy")[2:])) is Level.WATCH
    assert level(run(TOLD, minutes + jumpy)) is Level.THROTTLE


def test_the_record_shows_the_bars_of_the_bucket_that_decided() -> None:
    wild = [Event(START_MS - 1000, VICTIM, "w", gateway="wild")]
    opened = next(e for e in run(TOLD, wild + flood(40, 1500)).episodes if e.change == "raised")
    burst = next(rung for rung in opened.rungs if rung.rule == "burst")
    assert (burst.watch, burst.throttle) == (1.6, 2.6)
    only = run(TOLD, flood(9, 1500, gateway="wild")).episodes[-1]
    assert next(r for r in only.rungs if r.rule == "burst").throttle == float("inf")


@pytest.mark.parametrize("seed", range(40))
def test_classes_survive_a_restore_and_any_batch_edge(seed: int) -> None:
    rng = random.Random(seed)
    gateways = ["gw", "gw", *CLASSES]
    events = []
    at_ms = START_MS
    for _ in range(120):
        at_ms += int(rng.expovariate(1 / rng.choice([3_000, 40_000])))
        late_ms = rng.choice([0, 0, 0, 90_000])
        events.append(
            Event(at_ms - late_ms, VICTIM + rng.randrange(2), f"p{rng.randrange(60)}",
                  gateway=rng.choice(gateways))
        )  # fmt: skip
    whole = run(TOLD, events)
    partition = Partition(TOLD)
    actions, episodes = [], []
    for i in range(0, len(events), 7):
        part = run(TOLD, events[i : i + 7], partition)
        actions += part.actions
        episodes += part.episodes
        held = snapshot(partition)
        rest = msgspec.msgpack.decode(msgspec.msgpack.encode(held.rest))
        partition = restore(TOLD, type(held)(held.header, held.rows, rest))
    assert (actions, episodes) == (whole.actions, whole.episodes)
    assert whole.episodes


# ------------------------------------------------------------- what a gateway's stamps are worth


def measured(stamps_ms: list[float]) -> ClockClass:
    params, gateways = ClockParams(), dict[str, GatewayClock]()
    for at_ms in stamps_ms:
        observe(params, gateways, "gw", int(at_ms))
    return coarse(params, gateways).get("gw", ClockClass.EXACT)


@pytest.mark.parametrize(
    ("jitter_s", "stamps"),
    [
        (0, ClockClass.EXACT),
        (3, ClockClass.EXACT),
        (30, ClockClass.JITTER_30S),
        (120, ClockClass.JITTER_120S),
        (600, ClockClass.JITTER_120S),
        (3600, ClockClass.JITTER_120S),
        (6 * 3600, ClockClass.JITTER_120S),
    ],
)
def test_a_gateways_jitter_is_found_out(jitter_s: int, stamps: ClockClass) -> None:
    rng = random.Random(jitter_s)
    jitter_ms = jitter_s * 1000
    times = [START_MS + i * 200 + rng.uniform(-jitter_ms, jitter_ms) for i in range(3000)]
    assert measured(times) is stamps


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(("old", "live"), [(12, 28), (28, 12), (20, 20)])
def test_a_backlog_between_live_messages_says_nothing_of_the_clock(
    old: int, live: int, ordered: bool
) -> None:
    rng = random.Random(old)
    past = [START_MS - rng.uniform(1, 7) * HOUR_MS for _ in range(old * 60)]
    backlog = iter(sorted(past) if ordered else past)
    now = iter(START_MS + i * 1600 for i in range(live * 60))
    which = [True] * (old * 60) + [False] * (live * 60)
    rng.shuffle(which)
    assert measured([next(backlog if each else now) for each in which]) is ClockClass.EXACT


def test_one_stamp_of_next_year_does_not_blind_the_measurement() -> None:
    rng = random.Random(0)
    wild = [START_MS + i * 200 + rng.uniform(-120_000, 120_000) for i in range(2000)]
    assert measured([START_MS + 365 * DAY_MS, *wild]) is ClockClass.JITTER_120S
    good = [START_MS + i * 200 for i in range(2000)]
    assert measured([START_MS + 365 * DAY_MS, *good]) is ClockClass.EXACT


def test_a_flood_in_the_middle_of_a_flushed_backlog_is_throttled() -> None:
    """12,000 messages of the last hours between 28,000 live ones, of one healthy gateway."""
    params = Params(episode=EpisodeParams(mode="enforce"))
    rng = random.Random(5)
    partition = Partition(params)
    which = [True] * 12_000 + [False] * 28_000
    rng.shuffle(which)
    live_ms, old_ms, events = START_MS, START_MS - 6 * HOUR_MS, []
    for old in which:
        live_ms, old_ms = live_ms + (not old) * 20, old_ms + old * 1500
        events.append(Event(old_ms if old else live_ms, rng.randrange(1, 5000), ""))
    run(params, events, partition)
    assert partition.next_offset > 9 * TICK_OFFSETS
    assert partition.stamps == {}
    attack = [Event(live_ms + i * 1500, VICTIM, f"new {i % 40}") for i in range(200)]
    assert level(run(params, attack, partition)) is Level.THROTTLE
