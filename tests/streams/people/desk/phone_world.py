"""Everything behind the console, real: Kafka, worker, adapter, Redis; and a gateway's two ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from detectors.leases.gateway_rule import Lease, Ruling, rule
from detectors.model.event import Trust
from detectors.model.records import Scope
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.cluster.topics import create
from streams.config import load
from streams.tools.scenarios import Role, generate
from streams.wire import AuditRecord, decode_audit
from tests.enforce.loop import now_ms, ready, remember
from tests.enforce.services import ours, redis_client, redis_server
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import END_S, wait_until

TOPICS: Final = (
    "input", "throttle", "episode", "acks", "override", "everyone", "undeliverable", "dead_letters",
    "incident", "counts", "audit", "notice",
)  # fmt: skip
PASSWORD: Final = "Rain-on-the-quay-7"


class PhoneWorld:
    """Started with the block, and gone with it."""

    def __init__(self, broker: Broker, folder: Path, name: str) -> None:
        self.folder = folder
        self.redis = redis_server(folder / "redis")
        self.config = folder / "otpguard.toml"
        self.port = free_port()
        self.config.write_text(
            "\n".join(
                [
                    f'app_id = "{name}"',
                    'mode = "enforce"',
                    'input = {country = "CN"}',
                    f'kafka = {{bootstrap = "{broker.bootstrap}"}}',
                    f'redis = {{url = "redis://127.0.0.1:{self.redis.port}/0"}}',
                    f'worker = {{data_dir = "{folder}/worker"}}',
                    f'desk = {{store = "sqlite:///{folder}/desk.db"}}',
                    f"console = {{port = {self.port}, wait_s = {END_S}}}",
                    "[topics]",
                    "partitions = 4",
                    "replication = 1",
                    *(f'{topic} = "{name}.{topic}"' for topic in TOPICS),
                    "[detect]",
                    "recipients_max = 200_000",
                ]
            )
        )
        self.settings = load(self.config)
        self.address = f"http://127.0.0.1:{self.port}"
        program = partial(ours, self.config, folder)
        self.worker = program("worker", "worker")
        self.adapter = program("adapter", "enforce", "redis", "--gateway-id", "smsc-1")
        self.desk = program("desk", "desk", "serve")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            create(self.settings)
            stack.enter_context(self.redis)
            for server in (self.worker, self.adapter, self.desk):
                stack.enter_context(server)
            self.keys = stack.enter_context(closing(redis_client(self.redis)))
            for server in (self.worker, self.adapter, self.desk):
                wait_until(lambda: ready(server.port), f"{server.name} is ready")  # noqa: B023
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, *words: str, given: str = "") -> str:
        """Run a command of ours to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "streams", *words, "--config", str(self.config)],
            input=given, capture_output=True, text=True, check=False, timeout=END_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def person(self, name: str, *roles: str) -> None:
        """Make an account."""
        words = [word for role in roles for word in ("--role", role)]
        self.run("desk", "user", "add", name, *words, given=PASSWORD + "\n")

    # --- the gateway -------------------------------------------------------------------------

    def lease(self, recipient: str) -> Lease | None:
        """The lease that the gateway finds in Redis."""
        value = self.keys.get(f"otpguard:throttle:{recipient}")
        if value is None:
            return None
        held: dict[str, Any] = json.loads(value)
        scope = Scope(
            "otp",
            tuple(Trust[each.upper()] for each in held["trust"]),
            tuple(held["ids"]),
            tuple(held["prints"]),
        )
        return Lease(held["action"], held["until"], scope)

    def ruling(self, recipient: str, platform: str, trust: Trust = Trust.NONE) -> Ruling:
        """What becomes of a platform's code now."""
        return rule(
            self.lease(recipient), otp=True, platform=platform, trust=trust, now_ms=now_ms()
        )

    def audit(self) -> Iterator[AuditRecord]:
        """Records of the audit, in their order."""
        clients = client_arguments(self.settings.kafka)
        for record in records(clients, self.settings.topics.audit):
            yield decode_audit(record.value)

    # --- the flood ---------------------------------------------------------------------------

    def flood(self, seed: int = 1) -> str:
        """Bomb one number until the gateway throttles it; its canonical form."""
        events = list(generate("A1", seed, recipient=7_000 + seed, start_ms=now_ms(), memory=8))
        history = [each.value for each in events if each.truth.scenario == "history"]
        attack = [each for each in events if each.truth.role is Role.ATTACK]
        recipient: str = attack[0].value["recipient"].lstrip("+")
        remember(self.settings, history)
        begun = now_ms()
        remember(
            self.settings,
            (_moved(each.value, begun + 500 * at) for at, each in enumerate(attack[:24])),
        )
        wait_until(lambda: self.lease(recipient) is not None, "the flood is throttled")
        return recipient


def _moved(value: Mapping[str, Any], at_ms: int) -> dict[str, Any]:
    """The same message, sent at another time."""
    return {**value, "event_time_ms": at_ms, "ingest_time_ms": at_ms}
