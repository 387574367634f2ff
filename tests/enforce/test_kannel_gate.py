"""Kannel with platforms: what it sends passes a proxy that asks the gate; banks pass, too."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from smpp.pdu.pdu_encoding import PDUEncoder

from tests.enforce.floods import incident, offered, stopped
from tests.enforce.gate_loop import OK, REFUSED, GateLoop, gate_loop
from tests.enforce.proxy_world import REJECTED, SENT, proxy, proxy_world
from tests.enforce.services import HOSTILE_CONNECTIONS, until_hung_up
from tests.enforce.smpp_ends import Client, Smsc, smsc, submit_sm
from tests.nodes import Broker
from tests.waiting import STILL_S, wait_until

pytestmark = [
    pytest.mark.integration, pytest.mark.kafka, pytest.mark.broker, pytest.mark.timeout(1_200)
]  # fmt: skip

CODE = "【还没见过】验证码123456"


@pytest.fixture(scope="module")
def loop(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateLoop]:
    folder = tmp_path_factory.mktemp("kannel-loop")
    with gate_loop(broker, folder, detect={"lease_s": 600}) as running:
        yield running


@pytest.fixture(scope="module")
def centre() -> Iterator[Smsc]:
    with smsc() as running:
        yield running


@pytest.fixture(scope="module")
def victim(loop: GateLoop) -> str:
    """Somebody under a lease."""
    return incident(loop, index=1_500_001, seed=2, client=loop.client, pace=120).victim


def test_the_incident_through_kannel_is_stopped_and_what_the_victim_needs_arrives(
    loop: GateLoop, centre: Smsc, tmp_path: Path
) -> None:
    with proxy_world(tmp_path, centre, loop.port) as (_, sender):
        runs = stopped(loop, 1_500_002, sender, lambda victim: len(centre.reached(victim)))
        run = runs[-1]
        assert sender.submit(run.victim, "10690099999", CODE) is REFUSED
        assert sender.submit("8613800000001", "10690099999", CODE) is OK
        sent = offered(runs) + 2
        wait_until(lambda: len(loop.message_ids()) == sent, "all are published")
        sender.wait(STILL_S)
        assert len(loop.message_ids()) == sent  # Kannel repeats none


def test_what_kannel_does_with_each_code(
    loop: GateLoop, centre: Smsc, victim: str, tmp_path: Path
) -> None:
    """0x45 is told to the sender and forgotten; 0x58 is kept, and tried again and again."""
    with proxy_world(tmp_path / "final", centre, loop.port) as (world, sender):
        number = sender.offer(victim, "10690099999", CODE)
        assert sender.report() == (number, REJECTED)
        wait_until(lambda: "<queued>0</queued>" in world.status(), "nothing waits in Kannel")
        before = len(loop.message_ids())
        sender.wait(STILL_S)
        assert len(loop.message_ids()) == before
    with proxy_world(tmp_path / "throttled", centre, loop.port, "--code", "0x58") as (_, sender):
        sender.offer(victim, "10690099999", CODE)
        wait_until(lambda: len(loop.message_ids()) >= before + 3, "it is asked about thrice")
        assert sender._reports.told.empty()


def test_whoever_dies_kannel_loses_no_message(loop: GateLoop, centre: Smsc, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = nobody.getsockname()[1]
        with proxy_world(tmp_path, centre, away) as (world, sender):
            for n in range(20):  # the gate is away
                assert sender.submit("8613800000002", "1069", f"验证码48291{n}") is OK
            world.proxy.kill()
            wait_until(lambda: "online" not in world.status(), "Kannel notices")
            numbers = [sender.offer("8613800000002", "1069", f"验证码58291{n}") for n in range(5)]
            world.proxy.start()
            told = dict(sender.report() for _ in numbers)
            assert told == dict.fromkeys(numbers, SENT)
        texts = [each.text for each in centre.reached("8613800000002")]
        assert len(set(texts)) == 25


def test_parts_share_the_fate_of_the_first_and_all_else_passes_untouched(
    loop: GateLoop, centre: Smsc, victim: str, tmp_path: Path
) -> None:
    with proxy(tmp_path, centre.port, loop.port) as running:
        client = Client(running.port, "esme", "secret")
        for part, text in enumerate((CODE, "详情咨询客服"), 1):
            whole = f"{text}。如非本人操作请忽略"
            assert client.submit_part(victim, "10690099999", whole, part, 2) is REFUSED
        assert centre.reached(victim) == []
        assert client.submit(victim, "95555", "【招商银行】验证码482913") is OK
        client.wait(0.01)  # enquire_link
        client.close()
        client = Client(running.port, "esme", "secret")
        assert client.submit("8613800000003", "1069", CODE) is OK
        client.close()


def test_hostile_pdus_cost_their_own_session_alone(
    loop: GateLoop, centre: Smsc, tmp_path: Path
) -> None:
    """Each is answered, by the end of its session at least: none waits."""
    chance = random.Random(3)
    whole = PDUEncoder().encode(submit_sm(7, "8613800000003", "1069", CODE))
    with proxy(tmp_path, centre.port, loop.port) as running:
        for _ in range(HOSTILE_CONNECTIONS):
            octets = bytearray()
            for _ in range(7):
                pdu = bytearray(whole if chance.random() < 0.7 else chance.randbytes(60))
                for _ in range(chance.randrange(6)):
                    pdu[chance.randrange(4, len(pdu))] = chance.randrange(256)
                length = len(pdu) if chance.random() < 0.8 else chance.getrandbits(32)
                octets += length.to_bytes(4, "big") + pdu[4:]
            until_hung_up(running.port, octets)
        client = Client(running.port, "esme", "secret")
        assert client.submit("8613800000003", "1069", CODE) is OK
        client.close()
