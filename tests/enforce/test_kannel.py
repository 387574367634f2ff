"""The Kannel adapter on a real Kannel that is bound to an SMSC."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import urllib3

from detectors.gate import Lease
from detectors.guard import GuardParams
from streams.enforce.book import Book
from streams.enforce.gateway import GatewayAwayError, Order
from streams.enforce.kannel import KannelGateway
from streams.enforce.reconcile import Reconciler
from streams.errors import ConfigError
from tests.enforce.records import action
from tests.enforce.services import KANNEL_PASSWORD, free_port, kannel, wait_until
from tests.enforce.smpp_ends import Smsc, smsc

VICTIM, OTHER = "8613900000001", "8613900000002"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class World:
    """Kannel, its SMSC, and the adapter's side of it."""

    def __init__(self, folder: Path, centre: Smsc) -> None:
        self.list_file = folder / "kannel.list"
        self.list_port = free_port()
        self.centre = centre
        url = f"http://127.0.0.1:{self.list_port}/list.txt"
        self.bearerbox, self.smsbox = kannel(folder / "kannel", centre.port, url)
        self.http = urllib3.PoolManager(retries=False, timeout=5.0)

    def gateway(self, password: str = KANNEL_PASSWORD) -> KannelGateway:
        return KannelGateway(
            self.list_file, self.list_port, f"http://127.0.0.1:{self.bearerbox.port}", password
        )

    def send(self, recipient: str, text: str = "hello") -> str:
        """What Kannel says of a message."""
        query = f"username=tester&password=tester&to={recipient}&from=1069&text={text}"
        url = f"http://127.0.0.1:{self.smsbox.port}/cgi-bin/sendsms?{query}"
        return self.http.request("GET", url, headers={"Connection": "close"}).data.decode()

    def accepts(self, recipient: str) -> bool:
        """Whether it takes a message; a smsbox that still starts breaks off, or never answers."""
        try:
            return "Accepted" in self.send(recipient)
        except urllib3.exceptions.HTTPError:
            return False

    def passes(self, recipient: str) -> bool:
        return "Not routable" not in self.send(recipient)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with smsc() as centre, ExitStack() as stack:
        made = World(tmp_path, centre)
        with closing(made.gateway()):  # bearerbox does not start without the list
            stack.enter_context(made.bearerbox)
        stack.enter_context(made.smsbox)
        wait_until(lambda: made.accepts("8613900000009"), "Kannel takes messages")
        yield made


def order(recipient: str) -> Order:
    return Order(recipient, Lease("1:t:0:1", now_ms() + 60_000, action().scope))


def test_a_lease_holds_back_its_recipient_and_nobody_else_until_it_is_released(
    world: World,
) -> None:
    with closing(world.gateway()) as gateway:
        assert gateway.apply([order(VICTIM)]) == {}
        assert [world.passes(VICTIM), world.passes(OTHER)] == [False, True]
        wait_until(lambda: len(world.centre.reached(OTHER)) == 1, "the other's message arrives")
        assert world.centre.reached(VICTIM) == []
        gateway.release([VICTIM])
        assert world.passes(VICTIM)


def test_the_end_of_a_lease_is_an_order_here(world: World) -> None:
    with closing(world.gateway()) as gateway:
        reconciler = Reconciler(gateway, Book(GuardParams()), "kannel-1")
        reconciler.action(action(VICTIM, at_ms=now_ms(), lease_ms=2_000), ("t", 1), now_ms())
        held = passed = False
        end = time.monotonic() + 20
        while not passed and time.monotonic() < end:
            reconciler.step(now_ms())
            reconciler.wait(0.02)
            held = held or not world.passes(VICTIM)
            passed = held and world.passes(VICTIM)
        assert passed
        assert world.list_file.read_text() == ""


def test_an_adapter_that_comes_back_takes_over_the_list_without_a_gap(world: World) -> None:
    with closing(world.gateway()) as gateway:
        gateway.apply([order(VICTIM), order(OTHER)])
    assert not world.passes(VICTIM)
    with closing(world.gateway()) as gateway:
        assert set(gateway.held()) == {VICTIM, OTHER}
        assert not world.passes(VICTIM)
        gateway.release([OTHER])
        assert [world.passes(VICTIM), world.passes(OTHER)] == [False, True]
        gateway.clear()
        assert world.passes(VICTIM)


def test_a_token_cannot_be_held_back_here_and_says_so(world: World) -> None:
    with closing(world.gateway()) as gateway:
        refusals = gateway.apply([order("h1:00ffee0011223344"), order(VICTIM)])
        assert refusals == {"h1:00ffee0011223344": "not_a_number"}
        assert not world.passes(VICTIM)


def test_a_wrong_password_is_for_a_person_and_a_dead_kannel_for_later(world: World) -> None:
    with closing(world.gateway("wrong")) as gateway, pytest.raises(ConfigError):
        gateway.held()
    world.bearerbox.kill()
    with closing(world.gateway()) as gateway, pytest.raises(GatewayAwayError):
        gateway.health()


def test_two_hundred_thousand_numbers_reload_without_a_gap(world: World) -> None:
    with closing(world.gateway()) as gateway:
        gateway.apply([order(VICTIM)])
        crowd = [order(f"86138{number:08}") for number in range(200_000)]
        held: list[bool] = []
        passed: list[bool] = []
        done = threading.Event()

        def knock() -> None:
            while not done.is_set():
                held.append(not world.passes(VICTIM))
                passed.append(world.passes(OTHER))

        knocking = threading.Thread(target=knock)
        knocking.start()
        try:
            started = time.monotonic()
            gateway.apply(crowd)
            took = time.monotonic() - started
            gateway.release([each.recipient for each in crowd[1:]])
        finally:
            done.set()
            knocking.join()
        assert len(held) > 5
        assert all(held)
        assert all(passed)
        assert took < 10.0
        assert not world.passes(crowd[0].recipient)
