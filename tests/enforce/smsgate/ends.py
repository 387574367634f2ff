"""SMSGate's own clients and server, with our handler between them, in a process of Java."""

from __future__ import annotations

import base64
import hashlib
import queue
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from smpp.pdu.pdu_types import CommandStatus

from tests.clusters import cached, made_once, run_tool
from tests.enforce.services import leave_nothing, need
from tests.ports import free_port
from tests.waiting import END_S

HANDLER = Path("deploy/gateways/smsgate")
ENDS = Path(__file__).with_name("Ends.java")
CODES = {"cmpp20": "99", "cmpp30": "99", "sgip": "30", "smgp": "99", "smpp": "69"}
"""Results by which the handler refuses, as its README says."""
UCS2, GBK = 8, 15  # of the field that tells a text's coding
OK, REFUSED = CommandStatus.ESME_ROK, CommandStatus.ESME_RSUBMITFAIL
LONG = "。如非本人操作，请忽略本短信，并检查您的账户安全" * 5  # behind a text: several parts
PATIENCE_S = END_S
PATIENT_MS = 500  # for an answer of the gate, on a busy machine; the guide says 20


def built() -> Path:
    """The folder with the handler's jar and `lib`, built by Maven if it is not there."""
    need("mvn", "maven")
    sources = sorted([HANDLER / "pom.xml", *HANDLER.rglob("*.java")])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]

    def build(new: Path) -> None:
        words = [f"-DbuildDirectory={new}", "package"]
        run_tool(["mvn", "-q", "-B", "-f", str(HANDLER / "pom.xml"), *words])

    return made_once(cached(f"smsgate-{digest}"), build)


class Sender:
    """One client's bind: submits a message, and waits for what became of it."""

    def __init__(self, ends: Ends, client: int) -> None:
        self.answers: queue.Queue[str] = queue.Queue()
        self._ends = ends
        self._client = client
        self._number = 0

    def submit(self, recipient: str, sender: str, text: str) -> CommandStatus:
        """Submit one message, in as many parts as it takes, and return what became of it."""
        self._number += 1
        coding = UCS2
        if self._number % 2:
            try:
                text.encode("gbk")
                coding = GBK
            except UnicodeEncodeError:
                pass
        octets = base64.b64encode(text.encode()).decode()
        self._ends.tell(self._client, self._number, recipient, sender, coding, octets)
        number, *results = self._ends.next(self.answers).split(" ")
        assert number == str(self._number)
        assert len(set(results)) == 1, results  # all parts share the fate of the message
        if results[0] == CODES[self._ends.protocol]:
            return REFUSED
        assert results[0] == "0", results
        return OK

    def wait(self, seconds: float) -> None:
        """Do nothing for so long; SMSGate keeps the session alive."""
        time.sleep(max(0.0, seconds))

    def close(self) -> None:
        """Do nothing: binds end with their process."""


class Ends:
    """Senders and a gateway of one protocol; what the gateway lets through is `reached`.

    `clients` binds, each for a thread of its own; `timeout_ms` is how long the gateway waits for
    the gate, 20 where that is what is shown.
    """

    def __init__(
        self,
        protocol: str,
        gate_port: int,
        folder: Path,
        clients: int = 1,
        timeout_ms: int = PATIENT_MS,
    ) -> None:
        self.protocol = protocol
        self.port = free_port()
        self.reached: Counter[tuple[str, str]] = Counter()  # by recipient and text
        self.senders = [Sender(self, client) for client in range(clients)]
        self._told: queue.Queue[str] = queue.Queue()
        self._lock = threading.Lock()
        jars = built()
        self._log = (folder / f"{protocol}.log").open("wb")
        self._process = subprocess.Popen(
            [
                "java", "-Xmx256m", "-cp", f"{next(jars.glob('*.jar'))}:{jars}/lib/*", str(ENDS),
                protocol, str(self.port), str(gate_port), str(timeout_ms), str(clients),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.next(self._told) == "READY"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            kind, _, rest = line.strip().partition(" ")
            if kind == "REACHED":
                recipient, _, text = rest.partition(" ")
                self.reached[recipient, base64.b64decode(text).decode()] += 1
            elif kind == "RESULT":
                client, _, results = rest.partition(" ")
                self.senders[int(client)].answers.put(results)
            elif kind in ("READY", "GATE"):
                self._told.put(line.strip())

    def next(self, answers: queue.Queue[str]) -> str:
        """Wait for the next of these answers."""
        try:
            return answers.get(timeout=PATIENCE_S)
        except queue.Empty:
            pytest.fail(f"{self.protocol}: no answer; see {self._log.name}")

    def tell(self, *fields: object) -> None:
        """Write a line to the process."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write("\t".join(map(str, fields)) + "\n")
            self._process.stdin.flush()

    def submit(self, recipient: str, sender: str, text: str) -> CommandStatus:
        """Submit one message by the first client."""
        return self.senders[0].submit(recipient, sender, text)

    def reached_by(self, recipient: str) -> int:
        """Count the messages that reached a phone."""
        return sum(count for (each, _), count in self.reached.items() if each == recipient)

    def wait(self, seconds: float) -> None:
        """Do nothing for so long; SMSGate keeps the session alive."""
        time.sleep(max(0.0, seconds))

    def close(self) -> dict[str, int]:
        """End it; returns how many the gate was asked, refused, and did not answer."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        _, *numbers = self.next(self._told).split(" ")
        self._process.wait(PATIENCE_S)
        return dict(zip(("asked", "refused", "unanswered"), map(int, numbers), strict=True))

    def end(self) -> None:
        """Leave nothing running."""
        leave_nothing(self._process)
        self._reader.join(PATIENCE_S)
        self._log.close()


@contextmanager
def ends(protocol: str, gate_port: int, folder: Path, **more: int) -> Iterator[Ends]:
    """Start them, and leave nothing running."""
    made = Ends(protocol, gate_port, folder, **more)
    try:
        yield made
    finally:
        made.end()
