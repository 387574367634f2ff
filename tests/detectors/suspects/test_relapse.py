"""The flood of the last days comes back; people who share a number are left alone in the end."""

from __future__ import annotations

from dataclasses import replace

from detectors.chain import Params, Partition, restore, snapshot
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import EventKind
from detectors.model.fields import reader, writer
from detectors.suspects.judge import CALM, Band
from detectors.suspects.relapse import Relapse, observe_relapse
from tests.builders.detectors.chain import VICTIM, flood, history, idle, throttles
from tests.builders.detectors.suspects.returns import ENFORCE, passed
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event, run


def again(days: float, count: int = 3, gap_ms: int = 3 * MINUTE_MS) -> list[Event]:
    """Some platforms of the flood a while after it, a code every three minutes."""
    start_ms = START_MS + int(days * DAY_MS)
    return flood(count, gap_ms, start_ms)


def after_flood(days: float) -> list[Event]:
    """A flood, its end, and the log up to then."""
    until_ms = int(days * DAY_MS)
    return flood(12) + idle(until_ms // 20_000 - 60, START_MS + 20 * MINUTE_MS, 20_000)


def rules(params: Params, events: list[Event]) -> list[str]:
    return [a.reason.rule for a in throttles(run(params, history() + events))]


def test_three_platforms_of_the_last_days_flood_are_throttled_at_once() -> None:
    assert rules(ENFORCE, after_flood(2) + again(2)) == ["burst", "relapse"]


def test_two_are_not_nor_three_of_others() -> None:
    assert rules(ENFORCE, after_flood(2) + again(2, count=2)) == ["burst"]
    others = flood(3, 3 * MINUTE_MS, START_MS + 2 * DAY_MS, name="other")
    assert rules(ENFORCE, after_flood(2) + others) == ["burst"]


def test_one_platform_is_enough_after_the_whole_flood_came_again() -> None:
    """Nine of twelve platforms are the whole flood, eight are not."""
    for platforms, found in ((9, ["burst", "relapse", "relapse"]), (8, ["burst", "relapse"])):
        events = [*after_flood(1), *again(1, platforms, MINUTE_MS)]
        events += [*idle(4000, START_MS + int(1.1 * DAY_MS), 20_000), *again(2, 1)]
        actions = run(ENFORCE, history() + events).actions
        opened = [a for a in actions if a.mode == "enforce" and not a.update]
        days = {(a.reason.rule, (a.issued_at_ms - START_MS) // DAY_MS) for a in opened}
        assert [rule for rule, _ in sorted(days, key=lambda each: each[1])] == found


def test_after_three_days_the_flood_is_forgotten() -> None:
    assert rules(ENFORCE, after_flood(3.1) + again(3.1)) == ["burst"]


def test_a_flood_in_shadow_is_not_remembered() -> None:
    assert rules(Params(), after_flood(2) + again(2)) == ["burst"]


def test_a_new_owner_of_the_number_has_no_earlier_flood() -> None:
    recycled = Event(START_MS + DAY_MS, VICTIM, "", 0, EventKind.RECYCLED)
    events = sorted([*after_flood(2), recycled]) + again(2)
    assert rules(ENFORCE, events) == ["burst"]


def test_a_record_outlives_a_restart_and_its_suspect() -> None:
    few = replace(ENFORCE, suspects_max=1)
    partition = Partition(few)
    run(few, history() + after_flood(1.9), partition)
    start_ms = START_MS + int(1.95 * DAY_MS)
    other = [Event(start_ms + n * 20_000, VICTIM + 1, f"p{n}") for n in range(4)]
    run(few, other + idle(5000, start_ms + HOUR_MS, 10), partition)
    assert VICTIM not in partition.suspects, "the other one is newer"
    partition = restore(few, snapshot(partition))
    found = throttles(run(few, flood(8, 60_000, START_MS + 2 * DAY_MS), partition))
    assert found[0].reason.rule == "relapse"


def test_a_small_tool_that_is_started_again_for_two_days_is_stopped_each_time() -> None:
    runs = [
        Event(START_MS + k * 90 * MINUTE_MS + (r * 60 + n * 2) * 1000, VICTIM, f"p{n}")
        for k in range(31)
        for r in range(2)
        for n in range(10)
    ]
    assert passed(runs) <= 160


def test_platforms_of_the_earlier_flood_share_the_small_budget_of_retry_windows() -> None:
    runs = [Event(START_MS + k * 90 * MINUTE_MS + n * 4000, VICTIM, f"p{n % 9}")
            for k in range(3) for n in range(25)]  # fmt: skip
    actions = run(ENFORCE, history() + runs).actions
    for k, hot in enumerate((False, True, True)):
        start_ms = START_MS + k * 90 * MINUTE_MS
        of_run = [a for a in actions if 0 <= a.cause.at_ms - start_ms < HOUR_MS]
        assert {window.hot for action in of_run for window in action.again} == {hot}


def test_a_pause_after_each_wave_buys_nothing() -> None:
    """43 codes at 40 s, half an hour of quiet, and the same again, for a day."""
    waves = [
        Event(START_MS + k * 60 * MINUTE_MS + n * 40_000, VICTIM, f"p{n}")
        for k in range(24)
        for n in range(43)
    ]
    assert passed(waves) <= 140


def test_platforms_that_two_share_become_known_after_the_record_ends() -> None:
    """Five platforms in a rush on each of seven days: a shared number that settles."""
    step_ms = DAY_MS + HOUR_MS
    events = history()
    for day in range(7):
        start_ms = START_MS + day * step_ms
        events += flood(5, 20_000, start_ms) + idle(4500, start_ms + HOUR_MS, 20_000)
    found = throttles(run(ENFORCE, events))
    assert {(a.issued_at_ms - START_MS) // step_ms for a in found} <= {0, 1, 2}


def test_codes_that_come_out_of_order_are_counted_by_their_own_times() -> None:
    relapse = Relapse(1 << 40, frozenset([1, 2, 3]))
    base_ms = START_MS
    assert observe_relapse(relapse, 1, base_ms + 9 * MINUTE_MS, CALM) is CALM
    assert observe_relapse(relapse, 2, base_ms + 20 * MINUTE_MS, CALM) is CALM
    assert observe_relapse(relapse, 9, base_ms + 12 * MINUTE_MS, CALM) is CALM
    assert observe_relapse(relapse, 3, base_ms + 14 * MINUTE_MS, CALM).band is Band.THROTTLE
    state = writer(Relapse)(relapse)
    assert writer(Relapse)(reader(Relapse)(state)) == state


def test_a_record_of_a_clock_that_was_ahead_is_put_right() -> None:
    relapse = Relapse(1 << 40, frozenset([1, 2]), {1: START_MS, 2: START_MS + DAY_MS})
    relapse.forget_after((START_MS + HOUR_MS) // 1000 - 1_577_836_800)
    assert list(relapse.recent_ms) == [1]


def test_the_same_log_gives_the_same_leases_in_any_batches() -> None:
    events = history() + after_flood(2) + again(2, 8)
    params = Params(episode=EpisodeParams(mode="enforce"))
    whole = run(params, events)
    assert run(params, events, size=777).actions == whole.actions
