"""The adapter without Kafka, on a gateway that lives in memory and can be broken at will."""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from types import FrameType

import pytest

from detectors.leases.gateway_rule import Lease
from detectors.leases.rails import RailParams
from detectors.model.records import Action, AgainWindow
from detectors.thresholds import LEASE_MAX_MS
from streams.gateways.enforce.gateway import Gateway, GatewayAwayError, LeaseTally, Order, Refusals
from streams.gateways.enforce.reconcile import (
    BACKOFF_MAX_MS,
    BACKOFF_MS,
    PROBE_MS,
    SETTLED,
    Reconciler,
)
from streams.wire import COUNTED_PLATFORMS_MAX, EVERYONE, Ack, Counts
from streams.wire.desired_state import AHEAD_MAX_MS, DesiredState, NoLease, desired_lease
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action, override
from tests.waiting import END_S


class Memory(Gateway):
    """A gateway that forgets, refuses or does not answer as the test says."""

    batch_max = 10
    parallel_max = 2

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}
        self.counts: dict[str, int] = {}
        self.platforms: dict[str, dict[int, int]] = {}
        self.away = False
        self.mute = False  # does as it is told, but the answer is lost
        self.never: set[str] = set()
        self.deaf = ""  # why it does not take releases
        self.blind = False  # it cannot tell what it holds
        self.life = 0
        self.orders = 0

    def list_recipients(self) -> Iterable[str] | None:
        self._answer()
        return None if self.blind else list(self.leases)

    def apply(self, orders: Sequence[Order]) -> Refusals:
        self._answer()
        self.orders += len(orders)
        refusals = {}
        for order in orders:
            if order.recipient in self.never:
                refusals[order.recipient] = "not_a_number"
            else:
                self.leases[order.recipient] = order.lease
        if self.mute:
            raise GatewayAwayError("mute")
        return refusals

    def release(self, recipients: Sequence[str]) -> Refusals:
        self._answer()
        if self.deaf == "http_503":
            raise GatewayAwayError(self.deaf)
        if self.deaf:
            return dict.fromkeys(recipients, self.deaf)
        for recipient in recipients:
            self.leases.pop(recipient, None)
        return {}

    def expire(self, recipients: Sequence[str]) -> Refusals:
        return self.release(recipients)

    def take_refused(self, action_ids: Sequence[str]) -> Sequence[int]:
        self._answer()
        return [self.counts.pop(each, 0) for each in action_ids]

    def tallies(self, action_ids: Sequence[str]) -> Sequence[LeaseTally]:
        self._answer()
        return [
            LeaseTally(self.counts.get(each, 0), self.platforms.get(each, {}))
            for each in action_ids
        ]

    def list_counted(self) -> Iterable[str]:
        self._answer()
        return list(self.counts)

    def health(self) -> str:
        self._answer()
        return str(self.life)

    def close(self) -> None:
        self.leases.clear()

    def _answer(self) -> None:
        if self.away:
            raise GatewayAwayError("away")


class Bench:
    """A reconciler, its gateway and the test's own clock."""

    def __init__(self, params: RailParams | None = None, gateway: Memory | None = None) -> None:
        self.gateway = gateway or Memory()
        self.timer_ahead_ms = 0  # of the clock, which somebody may set
        self.book = DesiredState(params or RailParams())
        self.now = START_MS
        self.reconciler = Reconciler(
            self.gateway, self.book, "smsc-1", timer_ms=lambda: self.now + self.timer_ahead_ms
        )
        self.acks: list[Ack] = []
        self.counts: list[Counts] = []
        self.dead: list[str] = []
        self.offset = 0

    def say(self, *records: object, told: bool = False) -> None:
        for record in records:
            self.offset += 1
            position = ("p0", self.offset)
            if hasattr(record, "action_id"):
                self.reconciler.action(record, position, self.now, told=told)  # type: ignore[arg-type]
            else:
                self.reconciler.override(record, position, told=told)  # type: ignore[arg-type]

    def run(self, ms: int = 0, step_ms: int = 100) -> None:
        """Let time pass in steps, and everything settle that can."""
        for now in range(self.now, self.now + ms + 1, step_ms):
            self.now = now
            for _ in range(50):
                self.step()
                if not self.reconciler.busy():
                    break
                self.reconciler.wait(1.0)

    def step(self) -> None:
        """Send what can be sent, and wait for nothing."""
        report = self.reconciler.step(self.now)
        self.acks += report.acks
        self.counts += report.counts
        self.dead += [each.action_id for each in report.dead]

    def told(self) -> list[tuple[str, str, str]]:
        return [(ack.action_id.rsplit(":", 1)[-1], ack.state, ack.why) for ack in self.acks]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.reconciler.close()


def test_a_lease_is_applied_acknowledged_and_ended_with_its_count(bench: Bench) -> None:
    bench.say(action())
    bench.run(200)
    assert list(bench.gateway.leases) == [RECIPIENT]
    assert bench.told() == [("1", "applied", "")]
    bench.gateway.counts["1:sms.delivery.v1:0:1"] = 17
    bench.run(LEASE_MS, step_ms=60_000)
    assert bench.gateway.leases == {}
    assert bench.told()[1:] == [("1", "expired", "over")]
    assert bench.acks[-1].refused_count == 17
    assert bench.reconciler.idle()


def test_nothing_but_records_is_waited_for_unless_a_lease_ends_or_an_order_is_out(
    bench: Bench,
) -> None:
    reconciler = bench.reconciler
    assert not reconciler.calm(bench.now, 250), "the gateway was not met"
    bench.run(200)
    assert reconciler.calm(bench.now, 250)
    bench.say(action())
    assert not reconciler.calm(bench.now, 250)
    bench.step()
    assert not reconciler.calm(bench.now, 250), "an order is on its way"
    bench.run(200)
    end_ms = action().expires_at_ms
    assert reconciler.calm(end_ms - 251, 250)
    assert not reconciler.calm(end_ms - 250, 250)
    bench.gateway.away = True
    bench.run(2_000)
    assert not reconciler.calm(bench.now, 250), "it is asked again and again if it is back"


def test_what_is_refused_so_far_is_told_after_one_two_and_five_minutes_where_it_changed(
    bench: Bench,
) -> None:
    name = "1:sms.delivery.v1:0:1"
    bench.say(action())
    bench.run(1_000)
    began = bench.now
    for minute in range(1, 10):
        bench.gateway.counts[name] = 10 * (min(4, minute))
        bench.gateway.platforms[name] = {7: 3 * minute}
        bench.run(60_000, step_ms=1_000)
    told = [((each.at_ms - began) // 60_000, each.refused) for each in bench.counts]
    assert told == [(0, 10), (1, 20), (4, 40)]
    assert bench.counts[0].by_platform == {7: 3}
    assert {each.episode_id for each in bench.counts} == {action().episode_id}
    bench.gateway.counts[name] = 50
    bench.run(LEASE_MS, step_ms=60_000)
    assert bench.counts[-1].refused == bench.acks[-1].refused_count == 50


def test_of_many_platforms_those_of_most_messages_are_told(bench: Bench) -> None:
    name = "1:sms.delivery.v1:0:1"
    bench.say(action())
    bench.gateway.counts[name] = 10_000
    bench.gateway.platforms[name] = {each: each for each in range(1, 200)}
    bench.run(90_000, step_ms=1_000)
    (told,) = bench.counts
    assert sorted(told.by_platform) == list(range(200 - COUNTED_PLATFORMS_MAX, 200))


def test_a_gateway_that_is_away_when_it_is_asked_is_asked_again(bench: Bench) -> None:
    bench.say(action())
    bench.run(1_000)
    bench.gateway.counts["1:sms.delivery.v1:0:1"] = 3
    bench.gateway.away = True
    bench.run(70_000, step_ms=1_000)
    assert bench.counts == []
    bench.gateway.away = False
    bench.run(120_000, step_ms=1_000)
    assert [each.refused for each in bench.counts] == [3]


def test_counts_of_leases_that_ended_while_nobody_was_there_are_told(bench: Bench) -> None:
    over, stands = "1:sms.delivery.v1:0:1", "1:sms.delivery.v1:0:2"
    bench.gateway.counts |= {over: 17, stands: 5}
    bench.say(action("8613900000001", 1, at_ms=START_MS - LEASE_MS), told=True)
    bench.say(action("8613900000002", 2), told=True)
    bench.gateway.away = True
    bench.run(PROBE_MS)
    bench.gateway.away = False
    bench.run(PROBE_MS)
    assert [(ack.action_id, ack.state, ack.refused_count) for ack in bench.acks] == [
        (over, "expired", 17)
    ]
    assert bench.gateway.counts == {stands: 5}
    bench.run(LEASE_MS, step_ms=60_000)
    assert bench.acks[-1].refused_count == 5
    assert bench.reconciler.idle()


def test_a_renewal_takes_the_place_of_its_predecessor(bench: Bench) -> None:
    bench.say(action())
    bench.run(200)
    bench.say(action(revision=2, at_ms=START_MS + 300_000))
    bench.run(200)
    assert bench.gateway.leases[RECIPIENT].expires_at_ms == START_MS + 300_000 + LEASE_MS
    assert bench.told() == [("1", "applied", ""), ("1", "expired", "renewed"), ("2", "applied", "")]


def windows(*ids: int) -> tuple[AgainWindow, ...]:
    return tuple(AgainWindow(each, START_MS, START_MS + 95_000, hot=False) for each in ids)


def again_of(lease: Action, revision: int, *ids: int) -> Action:
    """The lease told again, with the windows of these platforms."""
    cause = lease.cause._replace(offset=revision)
    return replace(lease, revision=revision, cause=cause, again=windows(*ids))


def test_a_lease_told_again_is_applied_and_neither_acknowledged_nor_ended(bench: Bench) -> None:
    bench.say(action())
    bench.run(200)
    bench.gateway.counts["1:sms.delivery.v1:0:1"] = 5
    bench.say(again_of(action(), 2, 7), again_of(action(), 3, 7, 8))
    bench.run(200)
    assert bench.gateway.leases[RECIPIENT].again == windows(7, 8)
    assert bench.told() == [("1", "applied", "")]
    bench.say(again_of(action(), 2, 9))
    bench.run(200)
    assert bench.gateway.leases[RECIPIENT].again == windows(7, 8), "an older one says nothing"
    bench.run(LEASE_MS, step_ms=60_000)
    assert bench.told()[1:] == [("1", "expired", "over")]
    assert bench.acks[-1].refused_count == 5
    assert bench.reconciler.idle()


def narrow(revision: int, *ids: int, lease_ms: int = LEASE_MS) -> Action:
    """A platform lease."""
    made = action(revision=revision, verb="throttle_platforms", lease_ms=lease_ms)
    return replace(made, refused_ids=ids)


def test_both_kinds_of_lease_are_one_order_and_each_is_acknowledged(bench: Bench) -> None:
    bench.say(action(), narrow(2, 7))
    bench.run(200)
    held = bench.gateway.leases[RECIPIENT]
    assert (held.action_id, held.refused_ids) == (action().action_id, frozenset({7}))
    assert sorted(bench.told()) == [("1", "applied", ""), ("2", "applied", "")]
    bench.say(narrow(3, 7, 8))
    bench.run(200)
    assert bench.gateway.leases[RECIPIENT].refused_ids == {7, 8}
    bench.say(action(revision=4, verb="release"))
    bench.run(200)
    assert bench.gateway.leases[RECIPIENT].narrow
    assert bench.gateway.leases[RECIPIENT].action_id == narrow(3).action_id
    bench.say(narrow(5))
    bench.run(200)
    assert bench.gateway.leases == {}
    assert bench.reconciler.idle()
    assert [state for _, state, _ in bench.told()].count("applied") == 5


def test_a_retry_window_record_changes_the_windows_and_is_not_acknowledged(bench: Bench) -> None:
    bench.say(replace(again_of(action(), 2, 7), verb="retry_windows"))
    bench.run(200)
    assert (bench.gateway.leases, bench.told()) == ({}, [])
    bench.say(action(), replace(again_of(action(), 3, 8), verb="retry_windows"))
    bench.run(200)
    assert bench.gateway.leases[RECIPIENT].again == windows(8)
    assert bench.told() == [("1", "applied", "")]
    bench.run(LEASE_MS, step_ms=60_000)
    assert bench.told()[1:] == [("1", "expired", "over")]


def test_a_gateway_that_cannot_refuse_single_platforms_gets_full_leases_alone(bench: Bench) -> None:
    bench.gateway.narrow = False
    bench.say(narrow(1, 7), action(revision=2))
    bench.run(200)
    assert bench.gateway.leases[RECIPIENT].refused_ids == frozenset()
    assert sorted(bench.told()) == [("1", "ignored", "narrow"), ("2", "applied", "")]
    bench.say(action(revision=3, verb="release"))
    bench.run(200)
    assert bench.gateway.leases == {}


def test_a_gateway_that_knows_no_platforms_is_not_told_of_windows(bench: Bench) -> None:
    bench.gateway.again = False
    bench.say(action())
    bench.run(200)
    orders = bench.gateway.orders
    bench.say(again_of(action(), 2, 7))
    bench.run(200)
    assert bench.gateway.orders == orders
    assert bench.gateway.leases[RECIPIENT].again == ()
    assert bench.reconciler.idle()


def test_a_lease_of_which_the_log_has_only_the_newest_telling_is_acknowledged(
    bench: Bench,
) -> None:
    bench.say(again_of(action(), 4, 7))
    bench.run(200)
    assert bench.told() == [("1", "applied", "")]
    assert bench.gateway.leases[RECIPIENT].again == windows(7)


def test_what_is_not_enforced_is_ignored_and_says_why(bench: Bench) -> None:
    bench.say(
        action("8613900000001", 1, mode="shadow"),
        action("8613900000002", 2, at_ms=START_MS - LEASE_MS),
        action("8613900000003", 4),
        action("8613900000003", 3),
        action("8613900000004", 5, lease_ms=86_400_000),
        override("exempt", "8613900000005"),
        action("8613900000005", 6),
    )
    bench.run(200)
    assert sorted(bench.told()) == [
        ("1", "ignored", "shadow"),
        ("2", "expired", "over"),
        ("3", "ignored", "stale"),
        ("4", "applied", ""),
        ("5", "ignored", "rail_lease"),
        ("6", "ignored", "exempt"),
        ("override-6", "applied", "exempt by noc: ticket 7"),
    ]
    assert list(bench.gateway.leases) == ["8613900000003"]


def test_the_operators_word_reaches_a_gateway_that_holds_leases_already(bench: Bench) -> None:
    bench.say(*(action(f"86139000000{n:02}", n) for n in range(1, 40)))
    bench.run(200)
    assert len(bench.gateway.leases) == 39
    bench.say(override("release", "8613900000007", issued_at_ms=START_MS + 1))
    bench.run(200)
    assert "8613900000007" not in bench.gateway.leases
    bench.say(override("mode", EVERYONE, mode="off", expires_at_ms=START_MS + 60_000))
    bench.run(200)
    assert bench.gateway.leases == {}
    bench.run(60_000, step_ms=1_000)  # the switch ends by itself: the rest stands again
    assert len(bench.gateway.leases) == 38
    assert [told for told in bench.told() if told[0].startswith("override")] == [
        ("override-40", "applied", "release by noc: ticket 7"),
        ("override-all-41", "applied", "mode by noc: ticket 7"),
    ]


def test_a_gateway_that_is_away_gets_only_what_still_stands_when_it_is_back(bench: Bench) -> None:
    bench.run(200)
    bench.gateway.away = True
    bench.say(action("8613900000001", 1), action("8613900000002", 2, lease_ms=30_000))
    bench.run(1_000)
    assert not bench.reconciler.up
    assert list(bench.reconciler.list_unsettled()) == [("p0", 1), ("p0", 2)]
    bench.run(30_000, step_ms=500)
    bench.say(
        override("release", "8613900000001", issued_at_ms=START_MS + 1), action("8613900000003", 3)
    )
    bench.gateway.away = False
    bench.run(BACKOFF_MAX_MS)
    assert list(bench.gateway.leases) == ["8613900000003"]
    assert sorted(bench.told()) == [
        ("1", "ignored", "released"),
        ("2", "failed", "away"),
        ("3", "applied", ""),
        ("override-3", "applied", "release by noc: ticket 7"),
    ]
    assert list(bench.reconciler.list_unsettled()) == []


def test_a_gateway_that_lost_its_memory_is_told_everything_again_within_a_probe(
    bench: Bench,
) -> None:
    bench.say(*(action(f"86139000000{n:02}", n) for n in range(1, 30)))
    bench.run(200)
    before = dict(bench.gateway.leases)
    bench.gateway.leases.clear()
    bench.gateway.life += 1
    bench.run(PROBE_MS + 100)
    assert bench.gateway.leases == before
    assert len(bench.acks) == 29  # nobody is told twice


def test_what_a_gateway_holds_without_reason_is_taken_away_at_start(bench: Bench) -> None:
    stranger = desired_lease(Bench().book, RECIPIENT, START_MS)
    assert not isinstance(stranger, Lease)
    lease = Lease("older", START_MS + LEASE_MS, action().scope)
    bench.gateway.leases = {"8613900000009": lease, RECIPIENT: lease}
    bench.say(action(), told=True)
    bench.run(200)
    assert {name: lease.action_id for name, lease in bench.gateway.leases.items()} == {
        RECIPIENT: "1:sms.delivery.v1:0:1"
    }
    assert bench.acks == []


def test_an_order_that_can_never_be_carried_out_is_given_up_and_its_neighbours_are_not(
    bench: Bench,
) -> None:
    bench.gateway.never = {"h1:00ffee0011223344"}
    bench.say(action("h1:00ffee0011223344", 1), action("8613900000002", 2))
    bench.run(200)
    assert sorted(bench.told()) == [("1", "failed", "not_a_number"), ("2", "applied", "")]
    assert bench.dead == ["1:sms.delivery.v1:0:1"]
    assert list(bench.reconciler.list_unsettled()) == []


def test_a_gateway_with_limited_patience_gives_up_with_growing_pauses(bench: Bench) -> None:
    bench.gateway.tries_max = 4
    bench.run(200)
    tried: list[int] = []

    def apply(orders: Sequence[Order]) -> Refusals:
        tried.append(bench.now)
        raise GatewayAwayError("http_503")

    bench.gateway.apply = apply  # type: ignore[method-assign]
    bench.say(action())
    bench.run(10_000, step_ms=10)
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert bench.told() == [("1", "failed", "http_503")]
    assert len(tried) == 4
    for tries, pause in enumerate(pauses, start=1):
        most = BACKOFF_MS << tries
        assert most / 2 <= pause <= most + 10


def test_an_order_that_was_overtaken_in_the_air_is_not_given_up(bench: Bench) -> None:
    bench.gateway.tries_max = 1
    bench.run(200)
    left, landed, whole = threading.Event(), threading.Event(), bench.gateway.apply

    def apply(orders: Sequence[Order]) -> Refusals:
        left.set()
        landed.wait(END_S)
        raise GatewayAwayError("http_503")

    bench.gateway.apply = apply  # type: ignore[method-assign]
    bench.say(action(revision=1))
    bench.step()
    assert left.wait(END_S)
    bench.say(action(revision=2))
    bench.gateway.apply = whole  # type: ignore[method-assign]
    landed.set()
    bench.run(200)
    assert sorted(bench.told()) == [("1", "ignored", "stale"), ("2", "applied", "")]


def check_told_once(acks: Iterable[Ack]) -> None:
    told: dict[str, list[str]] = {}
    for ack in acks:
        if ack.state != "expired":
            told.setdefault(ack.action_id, []).append(ack.state)
    for name, states in told.items():
        # Of the operator's words it may be told first that they are not obeyed yet.
        late = name.startswith("override") and len(states) == 2
        assert states == ["failed", "applied"] if late else len(states) == 1


@pytest.mark.parametrize("seed", range(20))
def test_whatever_fails_in_between_the_gateway_ends_up_as_the_book_says(seed: int) -> None:
    chance = random.Random(seed)
    bench = Bench(RailParams(new_per_minute=30, recipients_max=25))
    names = [f"86139000000{n:02}" for n in range(40)]
    try:
        for revision in range(1, 300):
            name = chance.choice(names)
            match chance.randrange(12):
                case 0:
                    bench.gateway.away = chance.random() < 0.4
                    bench.gateway.mute = chance.random() < 0.4
                case 1:
                    bench.gateway.leases.clear()
                    bench.gateway.life += 1
                case 2:
                    bench.say(override("exempt", name, expires_at_ms=bench.now + 20_000))
                case 3:
                    bench.say(
                        override(
                            "release",
                            name,
                            issued_at_ms=bench.now,
                            expires_at_ms=bench.now + 10_000,
                        )
                    )
                case 4:
                    bench.say(
                        override(
                            "mode",
                            EVERYONE,
                            mode=chance.choice(["off", "enforce"]),
                            expires_at_ms=bench.now + 15_000,
                        )
                    )
                case 5:
                    bench.say(action(name, revision, verb="release", at_ms=bench.now))
                case _:
                    bench.say(
                        action(
                            name,
                            revision,
                            at_ms=bench.now - chance.randrange(40_000),
                            lease_ms=60_000,
                        )
                    )
            if chance.random() < 0.3:
                bench.step()  # the next word comes while orders are in the air
            else:
                bench.run(chance.randrange(2_000), step_ms=250)
        bench.gateway.away = bench.gateway.mute = False
        bench.run(2 * BACKOFF_MAX_MS)
        wanted = {
            name: lease
            for name in names
            if isinstance(lease := desired_lease(bench.book, name, bench.now), Lease)
        }
        assert bench.gateway.leases == wanted
        assert bench.reconciler.idle()
        assert list(bench.reconciler.list_unsettled()) == []
        check_told_once(bench.acks)
    finally:
        bench.reconciler.close()


def words_of(bench: Bench) -> list[tuple[str, str]]:
    return [(state, why) for name, state, why in bench.told() if name.startswith("override")]


@pytest.mark.parametrize("tries_max", [None, 4])
@pytest.mark.parametrize("why", ["http_401", "http_503"])
def test_a_word_that_the_gateway_does_not_obey_has_failed_and_is_said_until_it_does(
    bench: Bench, why: str, tries_max: int | None
) -> None:
    bench.gateway.tries_max = tries_max
    bench.say(action(), action("8613900000002", 2))
    bench.run(200)
    bench.gateway.deaf = why
    bench.say(override("release", issued_at_ms=START_MS + 1))
    bench.run(60_000)
    assert words_of(bench) == [("failed", why)]
    assert set(bench.gateway.leases) == {RECIPIENT, "8613900000002"}
    assert list(bench.reconciler.list_unsettled()) == [("p0", 3)]  # a restart says it again
    assert bench.dead == []
    bench.gateway.deaf = ""
    bench.run(BACKOFF_MAX_MS + PROBE_MS)
    assert set(bench.gateway.leases) == {"8613900000002"}
    assert words_of(bench) == [("failed", why), ("applied", "release by noc: ticket 7")]
    assert bench.reconciler.idle()


def test_a_release_that_is_never_obeyed_is_said_until_its_lease_is_over(bench: Bench) -> None:
    bench.gateway.tries_max = 4
    bench.say(action())
    bench.run(200)
    bench.gateway.deaf = "http_401"
    bench.say(override("release", issued_at_ms=START_MS + 1))
    bench.run(LEASE_MS - 60_000, step_ms=1_000)
    assert list(bench.reconciler.list_unsettled()) == [("p0", 2)]
    bench.run(120_000, step_ms=1_000)
    assert words_of(bench) == [("failed", "http_401")]  # and never that it was applied
    assert list(bench.reconciler.list_unsettled()) == []
    assert bench.reconciler.idle()


def test_a_renewal_that_is_refused_leaves_its_predecessor_to_be_ended(bench: Bench) -> None:
    bench.say(action())
    bench.run(200)
    bench.gateway.never = {RECIPIENT}
    bench.say(action(revision=2, at_ms=START_MS + 300_000))
    bench.run(200)
    assert bench.gateway.leases[RECIPIENT].action_id == "1:sms.delivery.v1:0:1"
    assert ("2", "failed", "not_a_number") in bench.told()
    bench.say(override("release", issued_at_ms=START_MS + 300_001))
    bench.run(200)
    assert bench.gateway.leases == {}
    assert words_of(bench) == [("applied", "release by noc: ticket 7")]


def test_an_allowed_platform_that_a_gateway_will_not_let_pass_is_no_word_in_effect(
    bench: Bench,
) -> None:
    bench.say(action())
    bench.run(200)
    bench.gateway.never = {RECIPIENT}
    bench.say(override("allow", platform="sig:某校"))
    bench.run(200)
    assert words_of(bench) == [("failed", "not_a_number")]
    assert list(bench.reconciler.list_unsettled()) == []


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("case", ["mode", "release", "exempt", "detector", "shadow"])
def test_what_was_said_while_nobody_was_there_reaches_a_gateway_that_cannot_tell_what_it_holds(
    bench: Bench, case: str, *, told: bool
) -> None:
    bench.gateway.blind = True
    bench.say(action())
    bench.run(200)
    assert list(bench.gateway.leases) == [RECIPIENT]
    after = Bench(gateway=bench.gateway)
    try:
        said = {
            "mode": override("mode", EVERYONE, mode="off"),
            "release": override("release", issued_at_ms=START_MS + 1),
            "exempt": override("exempt"),
            "detector": action(revision=2, verb="release", at_ms=START_MS + 1),
            "shadow": action(revision=2, mode="shadow", at_ms=START_MS + 1),
        }[case]
        if not hasattr(said, "action_id"):
            after.say(said, told=told)  # the operator's words are read first
        after.say(action(), told=True)
        if hasattr(said, "action_id"):
            after.say(said, told=told)
        after.run(200)
        assert bench.gateway.leases == {}
        name = "override" if not hasattr(said, "action_id") else "2"
        assert any(each[0].startswith(name) for each in after.told()) != told
    finally:
        after.reconciler.close()


def test_the_detectors_release_reaches_it_even_if_its_lease_is_on_the_log_no_more(
    bench: Bench,
) -> None:
    bench.gateway.blind = True
    bench.gateway.leases = {RECIPIENT: Lease("older", START_MS + LEASE_MS, action().scope)}
    bench.say(action(revision=2, verb="release", at_ms=START_MS - 1_000), told=True)
    bench.run(200)
    assert bench.gateway.leases == {}


def test_nobody_is_told_that_a_word_is_obeyed_by_a_gateway_that_was_never_met(
    bench: Bench,
) -> None:
    bench.gateway.leases = {RECIPIENT: Lease("older", START_MS + LEASE_MS, action().scope)}
    bench.gateway.away = True
    bench.say(override("mode", EVERYONE, mode="off"), override("exempt"))
    bench.say(action(), told=True)
    bench.say(action("8613900000002", 2, verb="release"))
    bench.run(5_000)
    assert bench.told() == []
    bench.gateway.away = False
    bench.run(PROBE_MS)
    assert bench.gateway.leases == {}
    assert sorted(state for _, state, _ in bench.told()) == ["applied"] * 3
    assert bench.reconciler.idle()


def test_orders_that_a_gateway_carried_out_before_it_lost_its_memory_are_said_again(
    bench: Bench,
) -> None:
    bench.run(200)
    carried_out, answered, whole = threading.Event(), threading.Event(), bench.gateway.apply

    def apply(orders: Sequence[Order]) -> Refusals:
        refusals = whole(orders)
        carried_out.set()
        answered.wait(END_S)
        return refusals

    bench.gateway.apply = apply  # type: ignore[method-assign]
    bench.say(action())
    bench.step()
    assert carried_out.wait(END_S)
    bench.gateway.apply = whole  # type: ignore[method-assign]
    bench.gateway.leases.clear()
    bench.gateway.life += 1
    bench.now += PROBE_MS
    life = str(bench.gateway.life)
    while bench.reconciler._incarnation != life:
        bench.step()
        bench.reconciler.wait(0.01)
    answered.set()
    bench.run(200)
    assert list(bench.gateway.leases) == [RECIPIENT]
    check_told_once(bench.acks)


def test_a_lease_of_the_future_is_not_obeyed_and_does_not_end_the_one_in_force(
    bench: Bench,
) -> None:
    bench.say(action(), action(revision=2, at_ms=START_MS + AHEAD_MAX_MS + 1))
    bench.say(action("8613900000002", 3, at_ms=START_MS + 365 * 86_400_000))
    bench.say(action("8613900000003", 4, at_ms=START_MS + AHEAD_MAX_MS))
    bench.run(200)
    assert set(bench.gateway.leases) == {RECIPIENT, "8613900000003"}
    assert sorted(bench.told()) == [
        ("1", "applied", ""),
        ("2", "ignored", "ahead"),
        ("3", "ignored", "ahead"),
        ("4", "applied", ""),
    ]
    assert "8613900000002" not in bench.book.entries  # nothing waits for the year that it names


def test_no_lease_lasts_longer_than_the_longest_from_when_it_was_seen(bench: Bench) -> None:
    hour = LEASE_MAX_MS
    bench.say(action(at_ms=START_MS + AHEAD_MAX_MS, lease_ms=hour))
    bench.run(200)
    assert bench.gateway.leases[RECIPIENT].expires_at_ms == START_MS + hour


def test_what_the_log_took_in_long_ago_of_a_future_that_is_past_by_now_stays_ahead(
    bench: Bench,
) -> None:
    ahead = action(at_ms=START_MS)
    written_ms = START_MS - AHEAD_MAX_MS - 1
    bench.reconciler.action(ahead, ("p0", 1), bench.now, written_ms=written_ms)
    bench.run(200)
    assert bench.told() == [("1", "ignored", "ahead")]
    assert bench.gateway.leases == {}


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_stops_neither_the_probes_nor_the_tries(
    bench: Bench, hours: int
) -> None:
    bench.say(action())
    bench.run(200)
    moved_ms = hours * 3_600_000
    bench.now += moved_ms
    bench.timer_ahead_ms -= moved_ms
    stranger = Lease("older", bench.now + LEASE_MS, action().scope)
    bench.gateway.leases["8613900000009"] = stranger
    bench.gateway.life += 1
    bench.run(PROBE_MS + 100)
    assert "8613900000009" not in bench.gateway.leases
    bench.gateway.deaf = "http_503"
    bench.say(override("exempt", issued_at_ms=bench.now, expires_at_ms=None))
    bench.run(PROBE_MS)
    bench.gateway.deaf = ""
    bench.now -= moved_ms
    bench.timer_ahead_ms += moved_ms
    bench.run(BACKOFF_MAX_MS)
    assert bench.gateway.leases == {}


def test_there_is_an_answer_for_every_reason_why_no_lease_stands() -> None:
    assert set(SETTLED) == {None, *NoLease}
    assert {why for why, (before, after) in SETTLED.items() if before != after} == {NoLease.OVER}


def test_a_gateway_that_never_comes_costs_no_memory(bench: Bench) -> None:
    bench.gateway.away = True
    for n in range(1, 301):
        bench.say(
            action(f"86139000{n:05}", 3 * n, at_ms=bench.now, lease_ms=30_000),
            action(f"86138000{n:05}", 3 * n + 1, at_ms=bench.now, mode="shadow", lease_ms=30_000),
            action(f"86137000{n:05}", 3 * n + 2, at_ms=bench.now, verb="release"),
        )
        bench.run(30_000, step_ms=10_000)
    # of the leases two are in force, and of the last hour's releases nobody is told yet
    assert bench.reconciler.pending() <= 2 + 122
    bench.run(3_700_000, step_ms=60_000)
    assert bench.reconciler.pending() == 0
    kept = (bench.reconciler._tries, bench.reconciler._deferred, bench.book.entries)
    assert [len(each) for each in kept] == [0, 0, 0]
    states = Counter((ack.state, ack.why) for ack in bench.acks)
    assert states["failed", "away"] == 300
    assert states["ignored", "shadow"] == 300
    assert states["applied", "release"] == 0


def test_what_a_word_lets_in_is_held_and_told_though_it_was_told_to_be_ignored() -> None:
    bench = Bench(RailParams(new_per_minute=10, recipients_max=100))
    bench.say(*(action(f"8613{n:09}", n + 1, at_ms=START_MS + n) for n in range(15)))
    bench.run(200)
    assert len(bench.gateway.leases) == 10
    assert [why for _, state, why in bench.told() if state == "ignored"] == ["rail_rate"] * 5
    word = override(
        "rails", EVERYONE, times=3, issued_at_ms=bench.now, expires_at_ms=bench.now + 600_000,
        schema_version=2,
    )  # fmt: skip
    bench.acks.clear()
    bench.say(word)
    bench.run(200)
    assert len(bench.gateway.leases) == 15
    applied = [name for name, state, _ in bench.told() if state == "applied"]
    assert {str(n) for n in range(11, 16)} < set(applied)
    bench.acks.clear()
    bench.say(action("8613000000099", 99, at_ms=START_MS + 20))  # of before, and read after
    bench.run(200)
    assert len(bench.gateway.leases) == 16
    bench.reconciler.close()


def test_of_what_a_word_lets_in_nothing_is_kept_that_nobody_will_hold() -> None:
    bench = Bench(RailParams(new_per_minute=10, recipients_max=100))
    for turn in range(6):
        first = bench.now
        bench.gateway.away = True
        bench.say(
            *(action(f"86{turn}3{n:09}", turn * 100 + n + 1, at_ms=first + n) for n in range(15))
        )
        bench.run(200)
        word = override(
            "rails", EVERYONE, times=3, issued_at_ms=bench.now, expires_at_ms=bench.now + 900_000,
            schema_version=2,
        )  # fmt: skip
        bench.say(word)
        bench.run(3_600_000, step_ms=60_000)  # the leases are over before that
    assert len(bench.reconciler._let_in) <= 10  # of this word, and of what the book still had
    bench.reconciler.close()


def test_many_words_at_once_cost_each_the_same() -> None:
    """The first start under a new gateway id reads all of them as new."""

    def calls(words: int) -> int:
        bench, count = Bench(), 0

        def called(_: FrameType, event: str, __: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        try:
            bench.say(*(override("exempt", f"86139{n:08}") for n in range(words)))
            sys.setprofile(called)
            bench.run(200)
        finally:
            sys.setprofile(None)
            bench.reconciler.close()
        assert len(words_of(bench)) == words
        return count

    few, many = calls(200), calls(800)
    assert many < 6 * few


def test_a_word_about_everybody_waits_for_whom_a_gateway_that_is_met_late_holds() -> None:
    bench = Bench()
    bench.gateway.away = True
    bench.say(action(), override("mode", EVERYONE, mode="off"))
    bench.run(200)
    assert words_of(bench) == []
    bench.gateway.leases["8613900000009"] = Lease("x", START_MS + LEASE_MS, action().scope)
    bench.gateway.deaf = "http_503"
    bench.gateway.away = False
    bench.run(2 * PROBE_MS)
    assert ("applied", "mode by noc: ticket 7") not in words_of(bench)
    bench.gateway.deaf = ""
    bench.run(2 * BACKOFF_MAX_MS)
    assert words_of(bench)[-1] == ("applied", "mode by noc: ticket 7")
    assert list(bench.reconciler.list_unsettled()) == []
    bench.reconciler.close()
