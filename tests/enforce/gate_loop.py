"""A gateway that asks a gate, with every part real: gate, Kafka, worker. The gateway is the test.

Worker and gate are started, killed and started again by the test that uses them.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from smpp.pdu.pdu_types import CommandStatus

from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.cluster.topics import create
from streams.config import load
from tests.enforce.loop import cause, ready, remember
from tests.enforce.services import Server, ours
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import END_S, wait_until

GATEWAY_ID = "smsc-1"
OK, REFUSED = CommandStatus.ESME_ROK, CommandStatus.ESME_RSUBMITFAIL
TIMEOUT_S = 0.02  # what the guide tells a gateway
PATIENCE_S = END_S  # where a test waits for an answer on a busy machine


class GateClient:
    """A gateway's connection to its gate: asks, and lets pass what is not answered in time."""

    def __init__(self, port: int, timeout_s: float = PATIENCE_S) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self.numbered = 0
        self.unanswered = 0
        self.whys: list[str] = []
        self.prefix = f"m{time.time_ns():x}"

    def submit(self, recipient: str, sender: str, text: str) -> CommandStatus:
        """Ask about one message, and do as the gate says."""
        self.numbered += 1
        answer = self.ask(
            {
                "recipient": recipient,
                "sender": sender,
                "text": text,
                "message_id": f"{self.prefix}-{self.numbered}",
            }
        )
        return REFUSED if answer["ruling"] == "refuse" else OK

    def ask(self, body: Mapping[str, Any], path: str = "/v1/submit") -> dict[str, Any]:
        """The answer; `pass` if there is none."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    "127.0.0.1", self._port, timeout=self._timeout_s
                )
            self._connection.request("POST", path, json.dumps(body).encode())
            answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException):
            self.close()
            self.unanswered += 1
            return {"ruling": "pass", "why": ""}
        self.whys.append(answer["why"])
        return answer

    def ids(self, after: int = 0) -> set[str]:
        """Message ids of what was submitted after the first so many."""
        return {f"{self.prefix}-{n}" for n in range(after + 1, self.numbered + 1)}

    def ready(self) -> bool:
        """Tell if the gate knows all leases."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/v1/ready")
            return bool(json.loads(connection.getresponse().read())["ready"])
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def wait(self, seconds: float) -> None:
        """Do nothing for so long."""
        time.sleep(max(0.0, seconds))

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class GateLoop:
    """Everything between a gateway and its leases."""

    def __init__(
        self,
        broker: Broker,
        folder: Path,
        name: str,
        detect: Mapping[str, Any] | None = None,
        gate: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.config = folder / "otpguard.toml"
        self.port = free_port()
        topics = ["input", "throttle", "episode", "acks", "override", "everyone"]
        topics += ["undeliverable", "dead_letters"]
        lines = [
            f'app_id = "{name}"',
            'mode = "enforce"',
            'input = {country = "CN"}',
            f'kafka = {{bootstrap = "{broker.bootstrap}"}}',
            f'worker = {{data_dir = "{folder}/worker"}}',
            "[topics]",
            "partitions = 4",
            "replication = 1",
            *(f'{topic} = "{name}.{topic}"' for topic in topics),
            "[detect]",
            "recipients_max = 200_000",
            *(f"{key} = {value}" for key, value in (detect or {}).items()),
            "[gate]",
            f"port = {self.port}",
            f'spool_dir = "{folder}/spool"',
            *(f"{key} = {json.dumps(value)}" for key, value in (gate or {}).items()),
        ]
        self.config.write_text("\n".join(lines) + "\n")
        self.settings = load(self.config)
        self.worker = ours(self.config, folder, "worker", "worker")
        self.gate = ours(self.config, folder, "gate", "gate", "serve", "--gateway-id", GATEWAY_ID)
        self.client = GateClient(self.port)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            create(self.settings)
            for server in (self.worker, self.gate):
                stack.enter_context(server)
            stack.callback(self.client.close)
            wait_until(lambda: ready(self.worker.port), "the worker is ready")
            wait_until(self.rebuilt, "the gate has read the leases")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def another(
        self, gateway_id: str, spool: str, **environment: str
    ) -> Iterator[tuple[Server, GateClient]]:
        """Run one more gate, at a port and with a spool of its own, and its client."""
        port = free_port()
        gate = ours(self.config, self.folder, f"gate-{port}", "gate", "serve", "--gateway-id",
                    gateway_id)  # fmt: skip
        gate.environment = {
            **gate.environment,
            "OTPGUARD_GATE_PORT": str(port),
            "OTPGUARD_GATE_SPOOL_DIR": str(self.folder / spool),
            **environment,
        }
        gate.ports = (port,)
        client = GateClient(port)
        with gate:
            yield gate, client
        client.close()

    def remember(self, values: Iterable[Mapping[str, Any]]) -> None:
        """Put a history on the input topic, as a feed of old records would."""
        remember(self.settings, values)

    def crossing(self, recipient: str) -> dict[str, Any]:
        """The event that brought a recipient under lease: a refusal names the action."""
        self.client.numbered += 1
        answer = self.client.ask(
            {
                "recipient": recipient, "text": "【还没见过】验证码123456",
                "message_id": f"{self.client.prefix}-{self.client.numbered}",
            }
        )  # fmt: skip
        return cause(self.settings, answer["action_id"])

    def rebuilt(self) -> bool:
        """Tell if the gate knows all leases."""
        return self.client.ready()

    def published(self) -> Iterator[Any]:
        """Records of the input topic."""
        return records(client_arguments(self.settings.kafka), self.settings.topics.input)

    def message_ids(self) -> list[str]:
        """Of all events that the gate has published, doubles too."""
        values = (json.loads(record.value) for record in self.published())
        return [each["message_id"] for each in values if "reported_by" in each]

    def counted(self, name: str, **labels: str) -> float:
        """A metric of the gate."""
        import urllib.request

        from prometheus_client.parser import text_string_to_metric_families

        url = f"http://127.0.0.1:{self.gate.port}/metrics"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as got:
            families = text_string_to_metric_families(got.read().decode())
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == f"otpguard_{name}" and labels.items() <= sample.labels.items()
        )


@contextmanager
def gate_loop(broker: Broker, folder: Path, **more: Any) -> Iterator[GateLoop]:
    """A loop of its own for the length of the block."""
    with GateLoop(broker, folder, f"gate-{folder.name}-{time.time_ns():x}", **more) as running:
        yield running
