"""What every gateway adapter does, each at its real gateway: Redis, Kannel, webhook, gate, log."""

from __future__ import annotations

import io
import json
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from detectors.leases.gateway_rule import Lease
from detectors.leases.rails import RailParams
from detectors.model.event import platform_id
from detectors.model.records import Action, Reason
from detectors.model.times import HOUR_MS
from detectors.recognise.platform.registry import Registry
from streams.config import Redis
from streams.gateways.enforce import kannel
from streams.gateways.enforce.gateway import Gateway, GatewayAwayError, Order
from streams.gateways.enforce.log import LogGateway
from streams.gateways.enforce.reconcile import Reconciler, Report
from streams.gateways.enforce.redis import RedisGateway, connect
from streams.gateways.enforce.webhook import WebhookGateway
from streams.wire import EVERYONE
from streams.wire.desired_state import DesiredState
from tests.enforce.kannel_world import KannelWorld, kannel_world
from tests.enforce.loop import now_ms
from tests.enforce.receiver import SECRET, Receiver, receiver
from tests.enforce.records import action, override
from tests.enforce.services import Server, redis_client, redis_server
from tests.streams.gateways.gate.asked import FLOOD, desk
from tests.waiting import END_S, STILL_S, wait_until

pytestmark = pytest.mark.slow

LEASE_MS = 1_500
SILENCE_S = 2.0  # after which a gateway is away: each test of that waits so long for each order
NAMES = [f"8613900000{n:03}" for n in range(1, 6)]
STRANGE = ["h1:00ffee0011223344", "", "86 139", "\n", "ключ", "x" * 5_000, "8" * 40]


class Place(ABC):
    """A gateway as those see it whose messages it takes."""

    @abstractmethod
    def adapter(self) -> Gateway:
        """One more adapter for it."""

    @abstractmethod
    def held(self) -> set[str]:
        """Of `NAMES`, whose codes it refuses now."""

    @abstractmethod
    def fail(self) -> None:
        """From now on no order is carried out."""

    @abstractmethod
    def mend(self) -> None:
        """From now on they are again."""

    @abstractmethod
    def clear(self) -> None:
        """Hold nobody."""


class RedisPlace(Place):
    def __init__(self, server: Server, keys: redis.Redis) -> None:
        self.server, self.keys = server, keys

    def adapter(self) -> Gateway:
        settings = Redis(url=f"redis://127.0.0.1:{self.server.port}")
        return RedisGateway(connect(settings, timeout_s=SILENCE_S), Registry())

    def held(self) -> set[str]:
        return {each for each in NAMES if self.keys.exists(f"otpguard:throttle:{each}")}

    def fail(self) -> None:
        self.server.freeze()

    def mend(self) -> None:
        self.server.thaw()

    def clear(self) -> None:
        self.keys.flushall()


class KannelPlace(Place):
    def __init__(self, world: KannelWorld) -> None:
        self.world = world

    def adapter(self) -> Gateway:
        return self.world.gateway()

    def held(self) -> set[str]:
        return {each for each in NAMES if not self.world.passes(each)}

    def fail(self) -> None:
        self.world.bearerbox.freeze()

    def mend(self) -> None:
        self.world.bearerbox.thaw()

    def clear(self) -> None:
        with closing(self.world.gateway()) as gateway:
            gateway.clear()


class WebhookPlace(Place):
    def __init__(self, server: Receiver) -> None:
        self.server = server

    def adapter(self) -> Gateway:
        return WebhookGateway(self.server.url, SECRET)

    def held(self) -> set[str]:
        return self.server.held().intersection(NAMES)

    def fail(self) -> None:
        self.server.answers = dict.fromkeys(("throttle", "release", "expire"), 503)

    def mend(self) -> None:
        self.server.answers = {}

    def clear(self) -> None:
        self.server.leases.clear()


class GatePlace(Place):
    """A gate: its memory is the gateway, and obeys as long as the process lives."""

    def __init__(self) -> None:
        self.desk = desk()

    def adapter(self) -> Gateway:
        return self.desk.memory

    def held(self) -> set[str]:
        self.desk.now_ms = now_ms()
        return {each for each in NAMES if self.desk.ask(recipient=each, **FLOOD)["why"] == "refuse"}

    def fail(self) -> None:
        pytest.fail("a process's own memory is always there")

    def mend(self) -> None:
        """Nothing failed."""

    def clear(self) -> None:
        self.desk.memory.leases.clear()
        self.desk.memory.take_refused(self.desk.memory.list_counted())  # type: ignore[arg-type]


class LogPlace(Place):
    def __init__(self) -> None:
        self.stream = io.StringIO()

    def adapter(self) -> Gateway:
        return LogGateway(self.stream, numbers=True)

    def held(self) -> set[str]:
        leases: dict[str, int] = {}
        for line in self.stream.getvalue().splitlines():
            order = json.loads(line)
            leases[order["recipient"]] = order.get("expires_at_ms", 0)
        return {name for name in NAMES if leases.get(name, 0) > now_ms()}

    def fail(self) -> None:
        pytest.fail("a log is always there")

    def mend(self) -> None:
        """Nothing failed."""

    def clear(self) -> None:
        self.stream = io.StringIO()


@contextmanager
def places(folder: Path, kind: str) -> Iterator[Place]:
    with ExitStack() as stack:
        if kind == "redis":
            server = stack.enter_context(redis_server(folder / "redis"))
            yield RedisPlace(server, stack.enter_context(closing(redis_client(server))))
        elif kind == "kannel":
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(kannel, "RELOAD_TIMEOUT_S", 2 * SILENCE_S)  # the lists are short here
            yield KannelPlace(stack.enter_context(kannel_world(folder)))
        elif kind == "webhook":
            yield WebhookPlace(stack.enter_context(receiver()))
        elif kind == "gate":
            yield GatePlace()
        else:
            yield LogPlace()


@pytest.fixture(scope="module", params=["redis", "kannel", "webhook", "gate", "log"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with places(tmp_path_factory.mktemp(request.param), request.param) as made:
        yield made


@pytest.fixture
def place(running: Place) -> Place:
    running.clear()
    return running


def order(recipient: str, lasts_ms: int = 600_000, name: str = "1:t:0:1") -> Order:
    return Order(recipient, Lease(name, now_ms() + lasts_ms, action().scope))


class Bench:
    """An adapter without Kafka on a gateway, and what it tells."""

    def __init__(self, place: Place) -> None:
        self.reconciler = Reconciler(place.adapter(), DesiredState(RailParams()), "smsc-1")
        self.report = Report()
        self.offset = 0

    def say(self, *records: object, told: bool = False) -> None:
        for record in records:
            self.offset += 1
            position = ("p0", self.offset)
            if hasattr(record, "action_id"):
                self.reconciler.action(record, position, now_ms(), told=told)  # type: ignore[arg-type]
            else:
                self.reconciler.override(record, position, told=told)  # type: ignore[arg-type]

    def step(self) -> None:
        report = self.reconciler.step(now_ms())
        self.report.acks += report.acks
        self.report.dead += report.dead
        self.reconciler.wait(0.02)

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + END_S
        while not true():
            assert time.monotonic() < end, self.states()
            self.step()

    def settle(self) -> None:
        self.step()  # a lease that ended is seen only by a step: until then it is idle
        self.until(self.reconciler.idle)
        self.step()

    def states(self) -> Counter[tuple[str, str]]:
        return Counter(
            (ack.action_id.split(":")[0].split("-")[0], ack.state) for ack in self.report.acks
        )


@contextmanager
def benches(place: Place) -> Iterator[Bench]:
    made = Bench(place)
    with closing(made.reconciler):
        yield made


def platform_lease(name: str, revision: int, lease_ms: int = 600_000) -> Action:
    """A platform lease that names the platform of `FLOOD`."""
    made = action(name, revision, verb="throttle_platforms", at_ms=now_ms(), lease_ms=lease_ms)
    return replace(made, refused_ids=(platform_id("sig:从未见过"),))


def leases(names: Sequence[str] = NAMES) -> list[object]:
    return [action(name, n, at_ms=now_ms()) for n, name in enumerate(names, 1)]


def test_a_lease_holds_its_recipient_and_nobody_else_until_it_is_released(place: Place) -> None:
    with closing(place.adapter()) as gateway:
        assert gateway.apply([order(NAMES[0]), order(NAMES[1])]) == {}
        assert place.held() == set(NAMES[:2])
        assert gateway.release([NAMES[0]]) == {}
        assert place.held() == {NAMES[1]}


def test_saying_it_twice_changes_nothing(place: Place) -> None:
    with closing(place.adapter()) as gateway:
        for _ in range(2):
            assert gateway.apply([order(NAMES[0])]) == {}
            assert place.held() == {NAMES[0]}
        for _ in range(2):
            assert gateway.release([NAMES[0], NAMES[1]]) == {}
            assert place.held() == set()


def test_a_lease_ends_when_it_is_over_and_that_is_said(place: Place) -> None:
    with closing(place.adapter()) as gateway:
        given = order(NAMES[0], LEASE_MS)
        gateway.apply([given])
        assert place.held() == {NAMES[0]} or now_ms() >= given.lease.expires_at_ms
        wait_until(lambda: now_ms() > given.lease.expires_at_ms, "the lease is over")
        assert gateway.expire([NAMES[0]]) == {}
        wait_until(lambda: place.held() == set(), "nobody is held")


def test_who_is_held_is_told_whole_or_not_at_all(place: Place) -> None:
    with closing(place.adapter()) as gateway:
        gateway.apply([order(name) for name in NAMES])
    with closing(place.adapter()) as another:
        told = another.list_recipients()
        if isinstance(place, WebhookPlace):
            assert told is None
        elif isinstance(place, LogPlace):  # nobody is held back by a log
            assert set(told or ()) == set()
        else:
            assert set(told or ()) == set(NAMES)


def test_every_recipient_is_held_or_refused_by_name_and_costs_its_neighbours_nothing(
    place: Place,
) -> None:
    with closing(place.adapter()) as gateway:
        refusals = gateway.apply([*map(order, STRANGE), order(NAMES[0])])
        assert refusals.keys() <= set(STRANGE)
        assert place.held() == {NAMES[0]}
        assert gateway.release([*STRANGE, NAMES[0]]) == {}
        assert place.held() == set()


def test_a_whole_batch_is_one_call(place: Place) -> None:
    with closing(place.adapter()) as gateway:
        crowd = [f"86138{n:08}" for n in range(min(gateway.batch_max, 1_000))]
        gateway.apply([*map(order, crowd[1:]), order(NAMES[0])])
        assert place.held() == {NAMES[0]}
        gateway.release([*crowd, NAMES[0]])
        assert place.held() == set()


def test_counts_are_as_many_as_were_asked_for(place: Place) -> None:
    with closing(place.adapter()) as gateway:
        assert list(gateway.take_refused([])) == []
        assert list(gateway.take_refused(["1:t:0:1", "nobody's"])) == [0, 0]
        assert list(gateway.list_counted()) == []


def test_one_memory_has_one_name(place: Place) -> None:
    with closing(place.adapter()) as gateway:
        assert gateway.health() == gateway.health()


def test_a_gateway_that_fails_is_away_and_takes_orders_when_it_is_back(place: Place) -> None:
    if isinstance(place, LogPlace | GatePlace):
        return  # it is always there
    with closing(place.adapter()) as gateway:
        gateway.apply([order(NAMES[0])])
        place.fail()
        try:
            with pytest.raises(GatewayAwayError) as caught:
                gateway.apply([order(NAMES[1])])
            assert not any(name in str(caught.value) for name in NAMES)
            with pytest.raises(GatewayAwayError) as caught:
                gateway.release([NAMES[0]])
            assert not any(name in str(caught.value) for name in NAMES)
        finally:
            place.mend()
        assert gateway.apply([order(NAMES[1])]) == {}
        assert gateway.release([NAMES[0]]) == {}
        assert place.held() == {NAMES[1]}


def test_the_operators_word_is_obeyed_before_it_is_said_to_be(place: Place) -> None:
    with benches(place) as bench:
        bench.say(*leases())
        bench.settle()
        assert place.held() == set(NAMES)
        bench.say(
            override("release", NAMES[0], issued_at_ms=now_ms(), expires_at_ms=now_ms() + 600_000)
        )
        bench.say(override("exempt", NAMES[1], expires_at_ms=None))
        bench.settle()
        assert place.held() == set(NAMES[2:])
        bench.say(override("mode", EVERYONE, mode="off", expires_at_ms=None))
        bench.settle()
        assert place.held() == set()
        assert bench.states()["override", "applied"] == 3
        bench.say(override("mode", EVERYONE, mode="enforce", expires_at_ms=None))
        bench.settle()
        assert place.held() == set(NAMES[2:])


@pytest.mark.parametrize("told", [True, False], ids=["told", "not_told"])
def test_what_was_said_while_nobody_was_there_is_obeyed_at_the_next_start(
    place: Place, *, told: bool
) -> None:
    with benches(place) as bench:
        bench.say(*leases())
        bench.settle()
    assert place.held() == set(NAMES)
    with benches(place) as bench:
        bench.say(override("mode", EVERYONE, mode="off", expires_at_ms=None), told=told)
        bench.say(*leases(), told=True)
        bench.settle()
        if not isinstance(place, LogPlace):  # it holds nobody, so nobody is let go
            assert place.held() == set()
        assert bench.states()["override", "applied"] == (not told)


def test_a_restart_leaves_those_under_lease_there_and_lets_the_others_go(place: Place) -> None:
    with benches(place) as bench:
        bench.say(*leases())
        bench.settle()
    with benches(place) as bench:
        bench.say(*leases(), told=True)
        bench.say(action(NAMES[0], 9, verb="release", at_ms=now_ms()))
        bench.settle()
        if not isinstance(place, LogPlace):
            assert place.held() == set(NAMES[1:])
        assert Counter(ack.state for ack in bench.report.acks) == {"applied": 1}


def test_a_word_to_a_gateway_that_fails_is_not_said_to_be_obeyed_and_reaches_it_later(
    place: Place,
) -> None:
    if isinstance(place, LogPlace | GatePlace):
        return
    with benches(place) as bench:
        bench.say(*leases())
        bench.settle()
        place.fail()
        try:
            bench.say(override("mode", EVERYONE, mode="off", expires_at_ms=None))
            end = time.monotonic() + STILL_S
            while time.monotonic() < end:
                bench.step()
            assert bench.states()["override", "applied"] == 0
        finally:
            place.mend()
        bench.settle()
        wait_until(lambda: place.held() == set(), "all are let go")
        assert bench.states()["override", "applied"] == 1


def test_a_platform_lease_is_followed_where_platforms_are_known_and_ignored_elsewhere(
    place: Place,
) -> None:
    with benches(place) as bench:
        bench.say(platform_lease(NAMES[0], 1), *leases(NAMES[1:3]), platform_lease(NAMES[2], 9))
        bench.settle()
        knows = not isinstance(place, KannelPlace)
        assert place.held() == set(NAMES[1:3]) | ({NAMES[0]} if knows else set())
        states = Counter(ack.state for ack in bench.report.acks)
        assert states == ({"applied": 4} if knows else {"applied": 2, "ignored": 2})
        ends = (action(n, 20, verb="throttle_platforms", at_ms=now_ms()) for n in NAMES[:3])
        bench.say(*ends)
        bench.settle()
        assert place.held() == set(NAMES[1:3])


def test_when_a_full_lease_is_over_the_platform_lease_goes_on(place: Place) -> None:
    with benches(place) as bench:
        full = action(NAMES[0], 1, at_ms=now_ms(), lease_ms=LEASE_MS)
        bench.say(full, platform_lease(NAMES[0], 2))
        bench.settle()
        bench.until(lambda: now_ms() > full.expires_at_ms)
        bench.settle()
        assert place.held() == (set() if isinstance(place, KannelPlace) else {NAMES[0]})


def test_after_a_false_throttle_and_a_release_the_same_platforms_an_hour_later_pass(
    place: Place,
) -> None:
    then_ms, relapse = now_ms() - HOUR_MS, Reason("relapse", 3, 3, "again")
    with benches(place) as bench:
        bench.say(action(NAMES[0], 1, at_ms=then_ms, lease_ms=HOUR_MS))
        bench.settle()
        bench.say(
            override("release", NAMES[0], issued_at_ms=then_ms + 1, expires_at_ms=then_ms + 2)
        )
        bench.settle()
        again = action(NAMES[0], 2, at_ms=now_ms()), platform_lease(NAMES[0], 3)
        bench.say(*(replace(each, reason=relapse) for each in again))
        bench.say(action(NAMES[1], 4, at_ms=now_ms()))
        bench.settle()
        assert place.held() == {NAMES[1]}
