"""Real clients flood real servers of CMPP, SGIP, SMGP and SMPP, through gate, Kafka and worker."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.enforce.floods import Flood, offered, stopped
from tests.enforce.gate_loop import GateLoop, gate_loop
from tests.enforce.services import HOSTILE_CONNECTIONS, until_hung_up
from tests.enforce.smsgate.ends import LONG, OK, REFUSED, Ends, ends
from tests.nodes import Broker
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.integration, pytest.mark.kafka, pytest.mark.broker, pytest.mark.timeout(1_200)
]  # fmt: skip


@pytest.fixture(scope="module")
def loop(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateLoop]:
    folder = tmp_path_factory.mktemp("smsgate")
    with gate_loop(broker, folder, detect={"lease_s": 60}) as running:
        yield running


def test_the_incident_over_cmpp_is_stopped_and_what_the_victim_needs_arrives(
    loop: GateLoop, tmp_path: Path
) -> None:
    with ends("cmpp20", loop.port, tmp_path) as cmpp:
        runs = stopped(loop, 1_200_001, cmpp, cmpp.reached_by)
        run = runs[-1]
        for n in range(5):  # and in the middle of it everybody else's, long ones too
            assert (
                cmpp.submit(f"861380000000{n}", "10690000123", "【淘宝】验证码482913" + LONG) is OK
            )
        refused = cmpp.submit(run.victim, "10690099999", "【还没见过】验证码482913" + LONG)
        assert refused is REFUSED
        told = cmpp.close()
    print(f"the gate was asked {told['asked']} times, {told['unanswered']} without an answer")
    assert told["refused"] == offered(runs) - sum(each.reached.total() for each in runs) + 1
    assert told["unanswered"] <= told["asked"] // 20


def flooded(loop: GateLoop, client: Ends, index: int) -> None:
    """A2, as fast as it is answered, until it is refused; the bank passes before and after."""
    flood = Flood(loop, index, client, LONG)
    assert not flood.bank()
    wait_until(flood.once, "the flood is refused", pause_s=0.1)
    assert not flood.bank()
    assert client.submit("8613800000001", "95555", "【还没见过】验证码482913") is OK


@pytest.mark.parametrize(
    ("protocol", "index"),
    [("cmpp30", 1_300_001), ("sgip", 1_300_002), ("smgp", 1_300_003), ("smpp", 1_300_004)],
)
def test_a_flood_over_each_protocol_is_refused_by_its_own_code_and_the_bank_passes(
    loop: GateLoop, tmp_path: Path, protocol: str, index: int
) -> None:
    with ends(protocol, loop.port, tmp_path) as client:
        flooded(loop, client, index)
        assert client.close()["refused"] >= 1


def test_with_the_gate_away_everything_passes(loop: GateLoop, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    with ends("cmpp20", port, tmp_path) as cmpp:
        for n in range(20):
            assert cmpp.submit("8613800000001", "10690000123", f"【淘宝】验证码48291{n}") is OK
        assert cmpp.close() == {"asked": 20, "refused": 0, "unanswered": 20}


def test_hostile_pdus_cost_their_own_connection_alone(loop: GateLoop, tmp_path: Path) -> None:
    """Each is answered, by the end of its connection at least: none waits."""
    chance = random.Random(1)
    with ends("cmpp20", loop.port, tmp_path) as cmpp:
        for n in range(HOSTILE_CONNECTIONS):
            octets = bytearray()
            for _ in range(7):
                body = chance.randbytes(chance.randrange(0, 200))
                length = chance.choice([12 + len(body), 0, 11, 0x7FFFFFFF, 0xFFFFFFFF, 5_000])
                command = chance.choice([1, 4, 5, 8, 0x80000004, chance.getrandbits(32)])
                octets += length.to_bytes(4, "big") + command.to_bytes(4, "big")
                octets += n.to_bytes(4, "big") + body
            until_hung_up(cmpp.port, octets)
        assert cmpp.submit("8613800000001", "10690000123", "【淘宝】验证码482913") is OK
        assert cmpp.close()["unanswered"] <= 1
