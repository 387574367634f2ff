"""SMS over IMS: SIP MESSAGE through real Kamailio, gate, Kafka and worker."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.builders.enforce.kamailio_reading import rp_data
from tests.enforce.floods import offered, stopped
from tests.enforce.gate_loop import OK, REFUSED, GateLoop, gate_loop
from tests.enforce.services import need
from tests.enforce.sip_ends import HERE, MODULE, SHORT_MESSAGE, SipWorld, sip_world
from tests.nodes import Broker
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.integration, pytest.mark.kafka, pytest.mark.broker, pytest.mark.timeout(1_200)
]  # fmt: skip


@pytest.fixture(scope="module")
def loop(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateLoop]:
    folder = tmp_path_factory.mktemp("kamailio-loop")
    with gate_loop(broker, folder, detect={"lease_s": 60}) as running:
        yield running


@pytest.fixture(scope="module")
def world(loop: GateLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SipWorld]:
    with sip_world(tmp_path_factory.mktemp("kamailio"), loop.port) as running:
        yield running


def test_the_incident_over_sip_is_stopped_by_a_final_code_and_the_bank_passes(
    loop: GateLoop, world: SipWorld
) -> None:
    sip = world.client()
    runs = stopped(loop, 1_400_001, sip, world.phone.reached)
    run = runs[-1]

    code = "【还没见过】验证码123456"
    assert sip.submit(f"+{run.victim}", "10690099999", code) is REFUSED
    assert sip.statuses == [603]
    assert sip.submit("+8613800000001", "10690099999", code) is OK
    three = rp_data("10690099999", code)
    assert sip.send(f"+{run.victim}", "ip-sm-gw", three, SHORT_MESSAGE) is REFUSED
    assert sip.send(f"+{run.victim}", "ip-sm-gw", rp_data("95555", "【招商银行】验证码482913"),
                    SHORT_MESSAGE) is OK  # fmt: skip
    assert sip.send("+8613800000001", "ip-sm-gw", three, SHORT_MESSAGE) is OK
    wait_until(lambda: len(loop.message_ids()) == offered(runs) + 5, "all are published")


RECORDER = """
class Recorder:
    def child_init(self, rank):
        return 0

    def ask(self, _, words=""):
        with open({path!r}, "a") as out:
            out.write(words + chr(10))
        return 2

def mod_init():
    return Recorder()
"""


def test_what_the_script_hands_on(tmp_path: Path) -> None:
    path, module = tmp_path / "words.txt", tmp_path / "recorder.py"
    module.write_text(RECORDER.format(path=str(path)))
    began_s = time.time()
    with sip_world(tmp_path, 1, 0.02, module) as world:
        sip = world.client()
        assert sip.send("+8613800000001", "106 9", b"a\0b\r\n", "text/plain") is REFUSED
        assert sip.send("8613800000001", "1069", b"x", "text/plain;charset=UTF-8") is REFUSED
    rows = [line.split(" ") for line in path.read_text().splitlines()]
    assert len(rows) == 2
    for at, recipient, _, message_id, address, kind, body in rows:
        assert began_s <= float(at) <= time.time()  # microseconds and all
        assert unquote(recipient).lstrip("+") == "8613800000001"
        assert unquote(message_id).endswith("127.0.0.1/1")
        assert address == "127.0.0.1"
        assert unquote(kind).startswith("text/plain")
        assert bytes.fromhex(body) in (b"a\0b\r\n", b"x")


def test_debians_own_configuration_takes_it(tmp_path: Path) -> None:
    program = need("kamailio", "kamailio kamailio-python3-modules")
    script = tmp_path / "otpguard.cfg"
    script.write_text(
        (HERE / "otpguard.cfg").read_text().replace(
            "/etc/kamailio/otpguard_kamailio.py", str(MODULE.resolve())
        )
    )  # fmt: skip
    theirs = Path("/etc/kamailio/kamailio.cfg").read_text()
    ours = f'include_file "{script}"\nroute[OTPGUARD_PASSED] {{\n\tt_relay();\n}}\n'
    config = tmp_path / "kamailio.cfg"
    assert "\nrequest_route {\n" in theirs
    config.write_text(
        theirs.replace("\nrequest_route {\n", f"\n{ours}request_route {{\n\troute(OTPGUARD);\n")
    )
    done = subprocess.run([program, "-c", "-f", config], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def test_with_the_gate_away_everything_passes(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with sip_world(tmp_path, nobody.getsockname()[1], 0.02) as world:
            sip = world.client()
            sip.send("8613800000001", "1069", b"code 482913", "text/plain", count=50, rate=50)
            assert sip.statuses == [200] * 50
            assert world.phone.reached("8613800000001") == 50


def test_a_gate_that_hangs_holds_nobody_back(tmp_path: Path) -> None:
    with socket.socket() as silent:  # takes connections, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        with sip_world(tmp_path, silent.getsockname()[1], 0.02) as world:
            sip = world.client()
            sip.send("8613800000001", "1069", b"code 482913", "text/plain", count=200, rate=50)
            assert sip.statuses == [200] * 200
