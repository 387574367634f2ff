"""Second requests: what passes under a lease, and what gateways are told of it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from detectors.chain import Decisions, Params, Partition, restore, snapshot
from detectors.model.event import platform_id
from detectors.model.records import Action
from detectors.suspects.retry_windows import (
    SecondRequests,
    forget_from,
    news,
    take_request,
    windows,
)
from detectors.thresholds import (
    AGAIN_BUDGET_MS,
    AGAIN_FROM_MS,
    AGAIN_HELD,
    AGAIN_HOT_MOST,
    AGAIN_MOST,
    AGAIN_REOPEN_MS,
    AGAIN_REOPENED,
    AGAIN_TOLD_BURST,
    AGAIN_TOLD_MS,
    AGAIN_TOTAL,
    AGAIN_TOTAL_MS,
    AGAIN_UNTIL_MS,
)
from streams import wire
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history
from tests.detectors.stand_in import MINUTE_MS, START_MS, Event, run

WITHOUT = replace(ENFORCE, episode=replace(ENFORCE.episode, again=False))
OWN = "mine"


def told(requests: SecondRequests, at_ms: int) -> None:
    windows(requests, (), at_ms)


def ask(requests: SecondRequests, platform: int, at_ms: int, *, hot: bool = False) -> bool:
    return take_request(requests, platform, at_ms, hot=hot)


@pytest.mark.parametrize(
    ("after_ms", "passes"),
    [
        (AGAIN_FROM_MS - 1, False),
        (AGAIN_FROM_MS, True),
        (AGAIN_UNTIL_MS - 1, True),
        (AGAIN_UNTIL_MS, False),
    ],
)
def test_exactly_one_message_passes_within_its_window(after_ms: int, passes: bool) -> None:
    requests = SecondRequests()
    assert not ask(requests, 7, 1000)
    told(requests, 1000)
    assert ask(requests, 7, 1000 + after_ms) is passes
    later = ask(requests, 7, 1001 + after_ms + AGAIN_FROM_MS)
    assert later is (after_ms < AGAIN_FROM_MS)


def test_a_message_that_is_delivered_twice_is_one() -> None:
    requests = SecondRequests()
    ask(requests, 7, 1000)
    told(requests, 1000)
    assert not ask(requests, 7, 1000)
    assert ask(requests, 7, 61_000)
    assert not ask(requests, 7, 61_000)
    assert len(requests.passed) == 1


def test_an_early_second_message_leaves_the_window_open_since_gateways_do_not_count_it() -> None:
    requests = SecondRequests()
    ask(requests, 7, 1000)
    told(requests, 1000)
    assert not ask(requests, 7, 31_000)
    assert ask(requests, 7, 91_000)
    assert requests.passed == [(91_000, False)], "it spends the budget, as at the gateways"
    ask(requests, 8, 100_000)
    assert not ask(requests, 8, 131_000)
    told(requests, 131_000)
    assert not ask(requests, 8, 191_000), "no gateway knows of it"


def test_what_no_gateway_was_told_of_does_not_pass() -> None:
    requests = SecondRequests()
    told(requests, 500)
    ask(requests, 7, 1000)
    assert not ask(requests, 7, 1000 + AGAIN_FROM_MS)


def test_the_budget_moves_the_windows_and_takes_away_those_that_cannot_be_used() -> None:
    requests = SecondRequests()
    for platform in range(1, 9):
        ask(requests, platform, 1000)
    assert [w.from_ms for w in windows(requests, (), 1000)] == [1000 + AGAIN_FROM_MS] * 8
    second_ms = 1000 + AGAIN_FROM_MS
    passed = [take_request(requests, p, second_ms, hot=False) for p in range(1, 7)]
    assert sum(passed) == AGAIN_MOST
    hot = [take_request(requests, p, second_ms, hot=True) for p in (7, 8)]
    assert sum(hot) == AGAIN_HOT_MOST
    free_ms = second_ms + AGAIN_BUDGET_MS
    ask(requests, 20, free_ms - AGAIN_UNTIL_MS)
    ask(requests, 21, free_ms - AGAIN_FROM_MS - 10_000)
    assert windows(requests, (), free_ms - AGAIN_FROM_MS - 10_000)[0] == (
        21, free_ms, free_ms - AGAIN_FROM_MS - 10_000 + AGAIN_UNTIL_MS, False,
    )  # fmt: skip
    assert list(requests.first_ms) == [21], "the other's window is over before the budget is back"


@pytest.mark.parametrize("spent", [False, True], ids=["others' budget", "that of the hot ones"])
def test_of_each_kind_the_budget_takes_away_its_own_windows_alone(spent: bool) -> None:
    requests = SecondRequests()
    requests.passed = [(1000 + n, spent) for n in range(AGAIN_HOT_MOST if spent else AGAIN_MOST)]
    requests.first_ms = {7: 2000, 8: 2000}
    left = {platform: hot for platform, _, _, hot in windows(requests, {8}, 2000)}
    assert left == ({7: False} if spent else {8: True})
    assert requests.first_ms.keys() == left.keys()


def test_it_is_bounded_and_what_a_clock_ahead_made_is_dropped() -> None:
    requests = SecondRequests()
    for platform in range(1, 200):
        ask(requests, platform, platform)
    assert list(requests.first_ms) == list(range(200 - AGAIN_HELD, 200))
    told(requests, 300)
    forget_from(requests, 150)
    assert list(requests.first_ms) == list(range(200 - AGAIN_HELD, 150))
    assert requests.told_ms == 150


def test_news_is_paced() -> None:
    requests = SecondRequests()
    tellings = 0
    for second in range(600):
        ask(requests, second + 1, second * 1000)
        if news(requests, second * 1000):
            windows(requests, (), second * 1000)
            requests.paced_ms = max(requests.paced_ms, second * 1000) + AGAIN_TOLD_MS
            tellings += 1
    assert tellings <= 600_000 // AGAIN_TOLD_MS + AGAIN_TOLD_BURST


def pressed(*after_s: int) -> list[Event]:
    """A flood of a code each 20 s, and the victim's own new platform among it."""
    own = [Event(START_MS + 4 * MINUTE_MS + s * 1000, VICTIM, OWN) for s in after_s]
    return history() + sorted(flood(40) + own)


def windows_of(actions: list[Action], platform: str) -> list[tuple[int, int]]:
    """Windows of a platform by the newest action that tells it, from its first message on."""
    wanted = platform_id(f"sig:{platform}"), platform_id(platform)
    return [
        (w.from_ms - START_MS - 4 * MINUTE_MS, w.until_ms - START_MS - 4 * MINUTE_MS)
        for a in actions
        for w in a.again
        if w.platform_id in wanted
    ]


def test_the_lease_is_told_again_under_its_own_name_and_no_record_is_made() -> None:
    decisions, without = run(ENFORCE, pressed(0, 80)), run(WITHOUT, pressed(0, 80))
    updates = [a for a in decisions.actions if a.update]
    assert updates
    leases = {a.action_id: a for a in decisions.actions if not a.update}
    for update in updates:
        lease = leases[update.action_id]
        assert update.revision > lease.revision
        assert (update.issued_at_ms, update.expires_at_ms, update.mode) == (
            lease.issued_at_ms, lease.expires_at_ms, lease.mode,
        )  # fmt: skip
        assert all(a.from_ms < a.until_ms for a in update.again)
    assert [replace(a, again=()) for a in leases.values()] == without.actions
    assert decisions.episodes == without.episodes
    assert windows_of(decisions.actions, OWN)[0] == (AGAIN_FROM_MS, AGAIN_UNTIL_MS)
    assert not any(a.again for a in without.actions)


def test_updates_come_less_often_than_codes() -> None:
    fast = flood(300, gap_ms=2000)
    span_ms = fast[-1].at_ms - START_MS
    updates = [a for a in run(ENFORCE, history() + fast).actions if a.update]
    assert 0 < len(updates) <= span_ms // AGAIN_TOLD_MS + AGAIN_TOLD_BURST


def everything_twice(seed: int) -> list[Event]:
    rng, events = Random(seed), flood(8)
    for n in range(60):
        at_ms = START_MS + 3 * MINUTE_MS + rng.randrange(30 * MINUTE_MS)
        events.append(Event(at_ms, VICTIM, f"twice {n}"))
        events.append(Event(at_ms + rng.randrange(50_000, 160_000), VICTIM, f"twice {n}"))
    return history() + sorted(events)


def bytes_of(decisions: Decisions) -> list[bytes]:
    return [wire.encode_action(a) for a in decisions.actions] + [
        wire.encode_episode(e) for e in decisions.episodes
    ]


@pytest.mark.parametrize("cut", [1, 40, 71, 100])
def test_a_restart_repeats_every_window(cut: int) -> None:
    params: Params = ENFORCE
    events = everything_twice(3)
    whole = run(params, events)
    assert sum(a.update for a in whole.actions) > 10
    partition = Partition(params)
    first = run(params, events[:cut], partition)
    second = run(
        params,
        events[cut:],
        restore(params, snapshot(partition)),
        offsets=list(range(cut, len(events))),
    )
    told_ = [wire.encode_action(a) for a in (*first.actions, *second.actions)]
    assert told_ == [wire.encode_action(a) for a in whole.actions]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_batches_make_no_difference(size: int) -> None:
    events = everything_twice(5)
    assert bytes_of(run(ENFORCE, events, size=size)) == bytes_of(run(ENFORCE, events))


def test_a_platform_whose_window_is_over_is_a_first_again() -> None:
    """If none of its second messages passed in the last hour."""
    requests = SecondRequests()
    for at_ms in (0, AGAIN_UNTIL_MS, AGAIN_UNTIL_MS + AGAIN_FROM_MS):
        passed = ask(requests, 7, 10_000_000 + at_ms)
        told(requests, 10_000_000 + at_ms)
    assert passed


def test_a_platform_has_no_further_window_within_an_hour_of_a_second_message() -> None:
    requests = SecondRequests()
    for start_ms, passes in ((0, True), (AGAIN_UNTIL_MS, False), (2 * AGAIN_REOPEN_MS, True)):
        for at_ms in (start_ms, start_ms + AGAIN_FROM_MS):
            told(requests, at_ms - 1)
            got = ask(requests, 7, 10_000_000 + at_ms)
            told(requests, 10_000_000 + at_ms)
        assert got is passes, start_ms


def test_at_most_nine_second_messages_pass_in_three_hours() -> None:
    requests, passed = SecondRequests(), 0
    for n in range(100):
        at_ms = 10_000_000 + n * 100_000
        ask(requests, n, at_ms)
        told(requests, at_ms)
        passed += ask(requests, n, at_ms + AGAIN_FROM_MS)
    assert AGAIN_TOTAL_MS > 100 * 100_000
    assert passed == AGAIN_TOTAL


def test_so_many_platforms_that_were_refused_before_are_firsts_again_in_an_hour() -> None:
    requests = SecondRequests()
    for round_ms in (0, AGAIN_UNTIL_MS):
        for n in range(3 * AGAIN_REOPENED):
            ask(requests, n, 10_000_000 + round_ms + n)
    assert sum(ms >= 10_000_000 + AGAIN_UNTIL_MS for ms in requests.first_ms.values()) == (
        AGAIN_REOPENED
    )
