"""How exact a gateway's stamps are, and that only what was stamped so is judged by it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec
import pytest

from detectors.chain import Decisions, Params, Partition, restore, snapshot
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import TICK_OFFSETS
from detectors.model.records import Level
from detectors.suspects.clocks import (
    ClockClass,
    ClockParams,
    GatewayClock,
    coarse,
    lagging,
    observe,
    observe_lags,
)
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event, add, run

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
    observe(params, gateways, [(int(at_ms), "gw") for at_ms in stamps_ms])
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


# ------------------------------------------------------------- clocks that are behind


def messages(minutes: float, rate: float = 2, share: float = 0.5) -> Iterator[tuple[int, str]]:
    """Time and gateway of messages before the start, so many a second; "b" has this share."""
    rng = random.Random(f"{minutes} {rate} {share}")
    for n in range(int(minutes * 60 * rate)):
        yield START_MS - int((minutes * 60 - n / rate) * 1000), "b" if rng.random() < share else "a"


def lags_s(stamped: list[tuple[int, str]]) -> dict[str, int]:
    """The lags that are added after these messages, in seconds."""
    gateways = {name: GatewayClock() for name in "ab"}
    samples = stamped[::16]
    for i in range(0, len(samples), 256):
        observe_lags(gateways, samples[i : i + 256])
    return {name: round(ms / 1000) for name, ms in lagging(gateways).items()}


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("lag_min", [6, 45, 8 * 60])
def test_the_lag_of_a_slow_clock_is_measured(lag_min: int, share: float) -> None:
    late_ms = lag_min * MINUTE_MS
    slow = [(ms - late_ms * (name == "b"), name) for ms, name in messages(120, 4, share)]
    found = lags_s(slow)
    assert found.keys() == {"b"}
    assert abs(found["b"] - lag_min * 60) <= 2
    stray = [(ms - 3_600_000 * (n % 160 == 0), name) for n, (ms, name) in enumerate(slow)]
    assert lags_s(stray).keys() == {"b"}, "one sample in ten is a late message"
    assert not lags_s(slow + [(ms + 120 * MINUTE_MS, name) for ms, name in messages(10, 4, share)])


@pytest.mark.parametrize("lag_min", [0, 4, 16 * 60])
def test_small_lags_and_lags_of_over_fifteen_hours_are_not_added(lag_min: int) -> None:
    late_ms = lag_min * MINUTE_MS
    assert not lags_s([(ms - late_ms * (name == "b"), name) for ms, name in messages(120)])


def delivered(came: Callable[[int], float], minutes: float) -> list[tuple[int, str]]:
    """Messages in the order in which they arrive; `came` tells when one of "b" does."""
    sent = list(messages(minutes))
    return sorted(sent, key=lambda each: came(each[0]) if each[1] == "b" else each[0])


@pytest.mark.parametrize("pace", [1.1, 1.5, 3, 10, 1000])
@pytest.mark.parametrize("hours", [1, 24])
def test_a_backlog_is_no_slow_clock(hours: int, pace: float) -> None:
    """A gateway is silent for so long, then delivers at so many times the pace at which it came."""
    minutes = (hours * 2 + 3) * 60
    down_ms = START_MS - int((minutes - 60) * MINUTE_MS)
    up_ms = down_ms + hours * HOUR_MS
    backlog = delivered(
        lambda ms: ms if ms < down_ms else max(ms, up_ms + (ms - down_ms) / pace), minutes
    )
    gateways = {name: GatewayClock() for name in "ab"}
    samples = backlog[::16]
    for i in range(0, len(samples), 16):
        observe_lags(gateways, samples[max(i - 16, 0) : i + 16])
        assert not lagging(gateways)


def behind(lag_min: int, count: int, gap_s: int = 30) -> list[Event]:
    """Ordinary traffic by two gateways, of which one is behind, then a flood by both in turn."""
    late_ms = lag_min * MINUTE_MS
    sent = [(ms, Event(ms, 1, "", gateway=name)) for ms, name in messages(100)]
    for n in range(count):
        at_ms = START_MS + n * gap_s * 1000
        sent.append((at_ms, Event(at_ms, VICTIM, f"new {n}", gateway="ab"[n % 2])))
        sent += [(at_ms + 1, Event(at_ms + i, 1, "", gateway="ab"[i % 2])) for i in range(60)]
    return [
        event._replace(at_ms=event.at_ms - late_ms * (event.gateway == "b")) for _, event in sent
    ]


@pytest.mark.parametrize("lag_min", [0, 45, 60 * 8])
def test_a_flood_by_two_gateways_is_found_as_soon_if_the_clock_of_one_is_behind(
    lag_min: int,
) -> None:
    params = Params(episode=EpisodeParams(mode="enforce"))
    events = behind(lag_min, 20)
    lease = next(a for a in run(params, events).actions if a.verb == "throttle")
    assert sum(e.recipient == VICTIM for e in events[: lease.revision + 1]) == 8
    assert abs(lease.issued_at_ms - START_MS - 7 * 30_000) <= 3000, (
        "when its gateway's clock is right"
    )


def test_lags_survive_a_restore_and_any_batch_edge() -> None:
    params = Params(episode=EpisodeParams(mode="enforce"))
    events = behind(45, 20)
    whole = run(params, events)
    partition, cut = Partition(params), Decisions()
    for i in range(0, len(events), 777):
        add(cut, run(params, events[i : i + 777], partition))
        partition = restore(params, snapshot(partition))
    assert partition.lags_ms
    assert (cut.actions, cut.episodes) == (whole.actions, whole.episodes)
