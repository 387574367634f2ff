"""A SIP sender, Kamailio with our script, and a phone: sipp (Debian: sip-tester) is both ends."""

from __future__ import annotations

import itertools
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from smpp.pdu.pdu_types import CommandStatus

from tests.enforce.services import Server, need
from tests.ports import free_port
from tests.waiting import END_S

HERE: Final = Path("deploy/gateways/kamailio")
MODULE: Final = HERE / "otpguard_kamailio.py"
MODULES: Final = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
OK, REFUSED = CommandStatus.ESME_ROK, CommandStatus.ESME_RSUBMITFAIL
TEXT: Final = "text/plain;charset=UTF-8"
SHORT_MESSAGE: Final = "application/vnd.3gpp.sms"

_CONFIG: Final = """#!KAMAILIO
debug=2
log_stderror=yes
children=4
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
mpath="{modules}"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "kex.so"
loadmodule "siputils.so"
loadmodule "textops.so"
include_file "{script}"
request_route {{
	route(OTPGUARD);
	sl_send_reply("405", "Method Not Allowed");
}}
route[OTPGUARD_PASSED] {{
	$du = "sip:127.0.0.1:{phone}";
	t_relay();
}}
"""

_PHONE: Final = """<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="phone">
  <recv request="MESSAGE"/>
  <send><![CDATA[

    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:];tag=[pid]t[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>
  <timewait milliseconds="32000"/>
</scenario>
"""
"""The answer may be lost on the way, so the phone gives it again for 64 times T1, as timer J of
RFC 3261 (17.2.2) asks."""

_SENDER: Final = """<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="sender">
  <send retrans="500"><![CDATA[

    MESSAGE sip:{recipient}@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:{sender}@[local_ip]>;tag=[pid]f[call_number]
    To: <sip:{recipient}@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 MESSAGE
    Max-Forwards: 70
    Content-Type: {kind}
    Content-Length: [len]

    {body}]]></send>
  <recv response="100" optional="true"/>
  <recv response="603" optional="true" next="end"/>
  <recv response="200"/>
  <label id="end"/>
</scenario>
"""


class Sip:
    """A sender; what became of the messages of the last call, and how soon it was told."""

    def __init__(self, folder: Path, port: int, phone: SipPhone) -> None:
        self._folder, self._port, self._phone = folder, port, phone
        self._numbers = itertools.count(1)
        self.statuses: list[int] = []
        self.delays_ms: list[float] = []

    def submit(self, recipient: str, sender: str, text: str) -> CommandStatus:
        """Send one text, and return what became of it."""
        return self.send(recipient, sender, text.encode(), TEXT)

    def send(
        self, recipient: str, sender: str, body: bytes, kind: str, count: int = 1, rate: int = 10
    ) -> CommandStatus:
        """Send the same body so often; the status of the last."""
        number = next(self._numbers)
        scenario = self._folder / f"send-{number}.xml"
        octets = "".join(f"\\x{octet:02x}" for octet in body)
        scenario.write_text(
            _SENDER.format(recipient=recipient, sender=sender, kind=kind, body=octets)
        )
        seen = self._folder / f"sent-{number}.txt"
        done = subprocess.run(
            [
                need("sipp", "sip-tester"), "-sf", scenario, "-i", "127.0.0.1", "-p",
                str(free_port()), "-m", str(count), "-r", str(rate), "-nostdin", "-trace_msg",
                "-message_file", seen, f"127.0.0.1:{self._port}",
            ],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=END_S, check=False,
        )  # fmt: skip
        told = seen.read_bytes()
        says = (done.stderr or done.stdout)[-1000:].decode(errors="replace")
        assert done.returncode == 0, f"sipp ended with {done.returncode}: {says}\n{told[-1000:]!r}"
        self.statuses = _statuses(told)
        self.delays_ms = _delays_ms(told)
        return OK if self.statuses[-1] == 200 else REFUSED

    def wait(self, seconds: float) -> None:
        """Do nothing for so long."""
        time.sleep(max(0.0, seconds))

    def close(self) -> None:
        """End: nothing is open."""


def _statuses(trace: bytes) -> list[int]:
    """The first final answer of each call: what is sent again by UDP is answered again."""
    finals: dict[bytes, int] = {}
    for each in re.split(rb"(?m)^-{20,} ", trace)[1:]:
        status = re.search(rb"(?m)^SIP/2.0 ([2-6]\d\d) ", each)
        call = re.search(rb"(?m)^Call-ID: (\S+)", each)
        if status is not None and call is not None:
            finals.setdefault(call[1], int(status[1]))
    return list(finals.values())


def _delays_ms(trace: bytes) -> list[float]:
    """Milliseconds from each first MESSAGE to its final answer, as sipp wrote them down."""
    asked: dict[bytes, float] = {}
    delays = []
    for each in re.split(rb"(?m)^-{20,} ", trace)[1:]:
        at_ms = datetime.fromisoformat(each[:26].decode()).timestamp() * 1e3
        call = re.search(rb"(?m)^Call-ID: (\S+)", each)
        assert call is not None
        if b" message sent " in each:
            asked.setdefault(call[1], at_ms)
        elif re.search(rb"(?m)^SIP/2.0 [2-6]", each) and call[1] in asked:
            delays.append(at_ms - asked.pop(call[1]))
    return delays


class SipPhone:
    """Accepts every MESSAGE."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._seen = folder / "phone.txt"
        scenario = folder / "phone.xml"
        scenario.write_text(_PHONE)
        with (folder / "phone.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    need("sipp", "sip-tester"), "-sf", scenario, "-i", "127.0.0.1",
                    "-p", str(self.port), "-nostdin", "-trace_msg", "-message_file", self._seen,
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def reached(self, recipient: str) -> int:
        """How many messages to a recipient came, each once."""
        if not self._seen.exists():
            return 0
        found = re.findall(
            rb"MESSAGE sip:%b@.*?Call-ID: (\S+)" % re.escape(recipient.encode()),
            self._seen.read_bytes(),
            re.DOTALL,
        )
        return len(set(found))

    def end(self) -> None:
        """Leave nothing running."""
        self._process.kill()
        self._process.wait()


class SipWorld:
    """Kamailio between a sender and a phone."""

    def __init__(
        self, folder: Path, gate_port: int, answer_s: float, module: Path = MODULE
    ) -> None:
        program = need("kamailio", "kamailio kamailio-python3-modules")
        self.folder = folder
        self.port = free_port()
        self.phone = SipPhone(folder)
        script = folder / "otpguard.cfg"
        guide = (HERE / "otpguard.cfg").read_text()
        script.write_text(
            guide.replace("/etc/kamailio/otpguard_kamailio.py", str(module.resolve()))
        )
        config = folder / "kamailio.cfg"
        config.write_text(
            _CONFIG.format(port=self.port, modules=MODULES, script=script, phone=self.phone.port)
        )
        run = folder / "run"
        run.mkdir()
        self.kamailio = Server(
            "kamailio",
            [program, "-DD", "-E", "-f", config, "-Y", run, "-P", run / "pid"],
            folder,
            self.port,
            {"OTPGUARD_GATE": f"127.0.0.1:{gate_port}", "OTPGUARD_GATE_ANSWER_S": str(answer_s)},
        )

    def client(self) -> Sip:
        """A sender."""
        return Sip(self.folder, self.port, self.phone)


@contextmanager
def sip_world(
    folder: Path, gate_port: int, answer_s: float = 2.0, module: Path = MODULE
) -> Iterator[SipWorld]:
    """Start all of it; `answer_s`: the shipped 20 ms are short where a core is shared."""
    world = SipWorld(folder, gate_port, answer_s, module)
    try:
        with world.kamailio:
            yield world
    finally:
        world.phone.end()
