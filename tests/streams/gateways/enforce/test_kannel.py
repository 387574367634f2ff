"""The Kannel adapter on a real Kannel that is bound to an SMSC."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from detectors.leases.rails import RailParams
from streams.common.errors import ConfigError, UnavailableError
from streams.gateways.enforce.gateway import GatewayAwayError
from streams.gateways.enforce.kannel import KannelGateway
from streams.gateways.enforce.reconcile import Reconciler
from streams.wire.desired_state import DesiredState
from tests.builders.streams.gateways.enforce.kannel import world
from tests.enforce.kannel_world import OTHER, VICTIM, KannelWorld, order
from tests.enforce.loop import now_ms
from tests.enforce.records import action
from tests.enforce.services import KANNEL_PASSWORD
from tests.waiting import STILL_S, wait_until

__all__ = ["world"]


def test_a_lease_holds_back_its_recipient_and_nobody_else_until_it_is_released(
    world: KannelWorld,
) -> None:
    with closing(world.gateway()) as gateway:
        assert gateway.apply([order(VICTIM)]) == {}
        assert [world.passes(VICTIM), world.passes(OTHER)] == [False, True]
        wait_until(lambda: len(world.centre.reached(OTHER)) == 1, "the other's message arrives")
        assert world.centre.reached(VICTIM) == []
        gateway.release([VICTIM])
        assert world.passes(VICTIM)


def test_the_end_of_a_lease_is_an_order_here(world: KannelWorld) -> None:
    with closing(world.gateway()) as gateway:
        reconciler = Reconciler(gateway, DesiredState(RailParams()), "kannel-1")
        revisions, held = itertools.count(1), False

        def over() -> bool:
            nonlocal held
            if not held:  # a lease of two seconds may be over before it gets there
                lease = action(VICTIM, next(revisions), at_ms=now_ms(), lease_ms=2_000)
                reconciler.action(lease, ("t", lease.revision), now_ms())
            reconciler.step(now_ms())
            held = held or not world.passes(VICTIM)
            return held and world.passes(VICTIM)

        wait_until(over, "the lease is over", pause_s=0.02)
        assert world.list_file.read_text() == ""


def test_an_adapter_that_comes_back_takes_over_the_list_without_a_gap(world: KannelWorld) -> None:
    with closing(world.gateway()) as gateway:
        gateway.apply([order(VICTIM), order(OTHER)])
    assert not world.passes(VICTIM)
    with closing(world.gateway()) as gateway:
        assert set(gateway.list_recipients()) == {VICTIM, OTHER}
        assert not world.passes(VICTIM)
        gateway.release([OTHER])
        assert [world.passes(VICTIM), world.passes(OTHER)] == [False, True]
        gateway.clear()
        assert world.passes(VICTIM)


def test_a_token_cannot_be_held_back_here_and_says_so(world: KannelWorld) -> None:
    with closing(world.gateway()) as gateway:
        refusals = gateway.apply([order("h1:00ffee0011223344"), order(VICTIM)])
        assert refusals == {"h1:00ffee0011223344": "not_a_number"}
        assert not world.passes(VICTIM)


def test_a_full_disk_keeps_no_release_from_being_obeyed_and_is_said(world: KannelWorld) -> None:
    with closing(world.gateway()) as gateway:
        gateway.apply([order(VICTIM), order(OTHER)])
        scratch = world.list_file.with_suffix(".new")
        scratch.symlink_to("/dev/full")
        with pytest.raises(GatewayAwayError, match="ENOSPC"):
            gateway.release([VICTIM])
        assert [world.passes(VICTIM), world.passes(OTHER)] == [True, False]
        assert not world.list_file.exists()  # a successor would begin with somebody let go
        scratch.unlink()
        gateway.release([VICTIM])
        assert world.list_file.read_text() == f"{OTHER}\n"


def test_a_disk_that_has_room_again_gets_the_word_told(world: KannelWorld) -> None:
    with closing(world.gateway()) as gateway:
        reconciler = Reconciler(gateway, DesiredState(RailParams()), "kannel-1")
        scratch = world.list_file.with_suffix(".new")
        scratch.symlink_to("/dev/full")
        reconciler.action(action(VICTIM, at_ms=now_ms()), ("t", 1), now_ms())
        acks = []

        def settled() -> bool:
            acks.extend(reconciler.step(now_ms()).acks)
            reconciler.wait(0.02)
            return reconciler.idle()

        end = time.monotonic() + STILL_S
        while time.monotonic() < end:
            assert not settled()
        assert acks == []
        scratch.unlink()
        wait_until(settled, "the lease is applied")
        assert [ack.state for ack in acks] == ["applied"]
        assert not world.passes(VICTIM)


def test_a_list_that_can_never_be_kept_and_a_taken_port_are_said_in_one_line(
    world: KannelWorld, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{world.bearerbox.port}"
    with pytest.raises(ConfigError, match="cannot keep"):
        KannelGateway(tmp_path / "nowhere" / "kannel.list", 0, url, KANNEL_PASSWORD)
    with closing(world.gateway()), pytest.raises(UnavailableError, match="in use"):
        world.gateway()


def test_what_is_no_number_on_a_damaged_list_is_passed_over(world: KannelWorld) -> None:
    world.list_file.write_bytes(f"{VICTIM}\n\xff\n".encode("latin-1") + b"86139\x00\n12\n86139")
    with closing(world.gateway()) as gateway:
        assert set(gateway.list_recipients()) == {VICTIM, "86139"}
        assert not world.passes(VICTIM)


def test_an_adapter_that_is_told_to_leaves_no_lease_behind_when_it_ends(
    world: KannelWorld,
) -> None:
    url = f"http://127.0.0.1:{world.bearerbox.port}"
    gateway = KannelGateway(
        world.list_file, world.list_port, url, KANNEL_PASSWORD, clear_at_close=True
    )
    with closing(gateway):
        gateway.apply([order(VICTIM)])
        assert not world.passes(VICTIM)
    assert world.passes(VICTIM)


def test_a_wrong_password_is_for_a_person_and_a_dead_kannel_for_later(world: KannelWorld) -> None:
    with closing(world.gateway("wrong")) as gateway, pytest.raises(ConfigError):
        gateway.list_recipients()
    world.bearerbox.kill()
    with closing(world.gateway()) as gateway, pytest.raises(GatewayAwayError):
        gateway.health()


def test_two_hundred_thousand_numbers_reload_without_a_gap(world: KannelWorld) -> None:
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
            gateway.apply(crowd)
            gateway.release([each.recipient for each in crowd[1:]])
        finally:
            done.set()
            knocking.join()
        assert len(held) > 5
        assert all(held)
        assert all(passed)
        assert not world.passes(crowd[0].recipient)
