"""A complete site on loopback: Kafka, two workers, adapter, feed, gate, canary, and monitoring.

Prometheus and Alertmanager run with the files of `deploy/prometheus`; only addresses and times are
changed, and `hastened` says how.
"""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, count, cycle
from pathlib import Path
from typing import Any, Final, Self

import yaml
from kafka import KafkaProducer

from deploy.prometheus.rules import alert_file, recording_file
from streams.cluster.admin import client_arguments
from streams.cluster.topics import create
from streams.config import load
from streams.tools.scenarios import generate
from streams.tools.scenarios.message_writer import MessageWriter
from streams.tools.scenarios.numbering import subscriber
from tests.deploy.tools import PROMETHEUS, program
from tests.enforce.loop import now_ms, ready
from tests.enforce.services import Server, ours, redis_server
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import END_S, wait_until

SCRAPE: Final = "1s"
GATEWAYS: Final = ("gw-north", "gw-south")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Haste:
    """How much sooner than shipped: windows and `keep_firing_for`, and `for`. Thresholds stay."""

    windows: float = 1
    waits: float = 1

    def rules(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """A file of rules, hastened."""
        text = re.sub(
            r"\[(\d+[smhd])\]|offset (\d+[smhd])",
            lambda m: f"[{self._window(m[1])}]" if m[1] else f"offset {self._window(m[2])}",
            json.dumps(content),
        )
        hastened: dict[str, Any] = json.loads(text)
        for group in hastened["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    rule["for"] = _over(rule["for"], self.waits)
                    rule["keep_firing_for"] = _over(rule["keep_firing_for"], self.windows)
        return hastened

    def _window(self, duration: str) -> str:
        return _over(duration, self.windows)


def _over(duration: str, by: float) -> str:
    """A duration divided.

    >>> _over("5m", 15), _over("0s", 15)
    ('20s', '0s')
    """
    return f"{round(int(duration[:-1]) * _SECONDS[duration[-1]] / by)}s"


@dataclass
class Sink:
    """Where Alertmanager's notifications arrive."""

    port: int = field(default_factory=free_port)
    alerts: list[dict[str, Any]] = field(default_factory=list)  # as they came, newest last

    def __enter__(self) -> Self:
        alerts = self.alerts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                alerts.extend(json.loads(body)["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def told(self, status: str) -> set[str]:
        """Names of the alerts that were told so."""
        return {a["labels"]["alertname"] for a in list(self.alerts) if a["status"] == status}


ABSENT: Final = frozenset(
    f"otpguard-{kind}"
    for kind in ("campaigns", "desk", "memory", "notifier", "platforms", "signal")
)
"""Jobs of processes that have sites of their own."""


class Site:
    """Everything, started in order and stopped in the reverse."""

    def __init__(self, broker: Broker, folder: Path, haste: Haste) -> None:
        self.broker, self.folder, self.haste = broker, folder, haste
        self.redis = redis_server(folder / "redis")
        self.gate_port = free_port()
        stall_s = 60 if haste.waits == 1 else 35
        self.config = folder / "otpguard.toml"
        self.config.write_text(
            f"""
app_id = "site"
mode = "enforce"
input = {{country = "CN"}}
kafka = {{bootstrap = "{broker.bootstrap}"}}
redis = {{url = "redis://127.0.0.1:{self.redis.port}/0"}}
canary = {{period_s = 20, numbers = 15000}}
gate = {{port = {self.gate_port}, spool_dir = "{folder}/spool"}}
worker = {{checkpoint_cycle_s = 10, stall_s = {stall_s}, data_dir = "{folder}/data"}}
detect = {{window_s = 10}}
desk = {{store = "sqlite:///{folder}/desk.db"}}
[topics]
partitions = 4
replication = 1
"""
        )
        self.settings = load(self.config)
        self.workers = [ours(self.config, folder, f"worker-{n}", "worker") for n in (1, 2)]
        self.adapter = ours(
            self.config, folder, "adapter", "enforce", "redis", "--gateway-id", "gw-north"
        )
        self.feed = ours(self.config, folder, "feed", "feed", "redis", "--consumer", "feed-1")
        self.canary = ours(self.config, folder, "canary", "canary")
        self.gate = ours(self.config, folder, "gate", "gate", "serve", "--gateway-id", "gw-gate")
        self.indexer = ours(self.config, folder, "indexer", "desk", "index")
        self.sink = Sink()
        self.told_at = 0.0  # when the campaign's alert arrived
        self.alertmanager = self._alertmanager()
        self.prometheus = self._prometheus()

    def _alertmanager(self) -> Server:
        text = (PROMETHEUS / "alertmanager.yaml").read_text()
        for old, new in {"127.0.0.1:9095": f"127.0.0.1:{self.sink.port}",
                         "group_wait: 10s": "group_wait: 4s",
                         "group_interval: 1m": "group_interval: 5s"}.items():  # fmt: skip
            assert old in text
            text = text.replace(old, new)
        config = self.folder / "alertmanager.yaml"
        config.write_text(text)
        port = free_port()
        return Server(
            "alertmanager",
            [
                program("prometheus-alertmanager"),
                f"--config.file={config}",
                f"--storage.path={self.folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            self.folder,
            port,
        )

    def _prometheus(self) -> Server:
        config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
        config["global"] = {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE}
        managers = config["alerting"]["alertmanagers"][0]["static_configs"][0]
        managers["targets"] = [f"127.0.0.1:{self.alertmanager.port}"]
        ports = {
            "otpguard-worker": [worker.port for worker in self.workers],
            "otpguard-adapter": [self.adapter.port],
            "otpguard-feed": [self.feed.port],
            "otpguard-canary": [self.canary.port],
            "otpguard-gate": [self.gate.port],
            "otpguard-indexer": [self.indexer.port],
        }
        jobs = [each for each in config["scrape_configs"] if each["job_name"] not in ABSENT]
        config["scrape_configs"] = jobs
        for job in jobs:
            targets = [f"127.0.0.1:{port}" for port in ports[job["job_name"]]]
            job["static_configs"][0]["targets"] = targets
        files = {"recording": recording_file(), "alerts": alert_file()}
        for name, content in files.items():
            path = self.folder / f"{name}.rules.yaml"
            path.write_text(yaml.safe_dump(self.haste.rules(content)))
        path = self.folder / "prometheus.yaml"
        path.write_text(yaml.safe_dump(config))
        port = free_port()
        return Server(
            "prometheus",
            [
                program("prometheus"),
                f"--config.file={path}",
                f"--storage.tsdb.path={self.folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            self.folder,
            port,
        )

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            create(self.settings)
            stack.enter_context(self.sink)
            ours = [*self.workers, self.adapter, self.feed, self.canary, self.gate]
            ours.append(self.indexer)
            for server in (self.redis, self.alertmanager, *ours):
                stack.enter_context(server)
            for server in ours:
                wait_until(lambda: ready(server.port), f"{server.name} is ready")  # noqa: B023
            stack.enter_context(self.prometheus)
            wait_until(self._answers, "Prometheus is ready")
            arguments = client_arguments(self.settings.kafka)
            self._traffic = stack.enter_context(ExitStack())
            self.producer = KafkaProducer(**arguments)
            self._traffic.callback(self.producer.close)
            self.rush()
            self._stop = threading.Event()
            crowd = threading.Thread(target=self._crowd)
            crowd.start()
            self._traffic.callback(crowd.join)
            self._traffic.callback(self._stop.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def hush(self) -> None:
        """End the traffic: kafka-python leaks a socket at each try to reach a lost broker."""
        self._traffic.close()

    def _crowd(self) -> None:
        """Ordinary traffic, fifty events a second by two gateways; now and then a bad record."""
        hours = (generate("ordinary", seed, start_ms=now_ms()) for seed in count())
        for nth, event in enumerate(chain.from_iterable(hours)):
            if self._stop.wait(0.02):
                return
            now = {"event_time_ms": now_ms(), "gateway_id": GATEWAYS[nth % 2]}
            self.send(event.value | now)
            if nth % 10 == 0:
                self.question(nth)
            if nth % 5_000 == 0:
                self.producer.send(self.settings.topics.input, b"no JSON", key=b"1")

    def send(self, value: Mapping[str, Any]) -> None:
        """Put an event on the input topic."""
        key = str(value["recipient"]).lstrip("+").encode()
        self.producer.send(self.settings.topics.input, json.dumps(value).encode(), key=key)

    def question(self, number: int) -> None:
        """Ask the gate about a message that is no code."""
        body = {"recipient": subscriber(8_000_000 + number), "message_id": f"asked-{number}"}
        body |= {"sender": "8613800000000", "text": "see you at eight"}
        address = f"http://127.0.0.1:{self.gate_port}/v1/submit"
        asked = urllib.request.Request(address, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(asked, timeout=END_S) as answer:
            assert json.load(answer)["ruling"] == "pass"

    def rush(self, messages: int = 20_000) -> None:
        """Ordinary messages that bring every partition past a tick, where windows are closed."""
        words = {"schema_version": 1, "sender": "8613800000000", "text": "see you at eight"}
        for n in range(messages):
            ids = {"recipient": subscriber(6_000_000 + n % 5_000), "message_id": f"rush-{n}"}
            self.send({**words, **ids, "event_time_ms": now_ms(), "gateway_id": GATEWAYS[n % 2]})
        self.producer.flush()

    def platforms(self, number: int) -> None:
        """A code of each of so many platforms, each to a recipient of its own."""
        for n in range(number):
            self.send({
                "schema_version": 1, "recipient": subscriber(7_000_000 + n),
                "sender": f"1069{n:08d}", "signature": f"platform {n}", "category": "otp",
                "message_id": f"platform-{n}", "event_time_ms": now_ms(),
                "gateway_id": GATEWAYS[n % 2],
            })  # fmt: skip
        self.producer.flush()

    def campaign(self, victims: int = 60, messages: int = 12) -> None:
        """A flood of each victim at once, a message a second and victim."""
        writers = [MessageWriter("campaign", n, 5_000_000 + n, 8) for n in range(victims)]
        for writer in writers:
            for event in writer.history(now_ms()):
                self.send(event.value)
        strangers = [cycle(writer.strangers(messages)) for writer in writers]
        for _ in range(messages):
            for writer, platforms, gateway in zip(writers, strangers, cycle(GATEWAYS)):
                self.send(writer.code(now_ms(), next(platforms), gateway_id=gateway).value)
            time.sleep(0.3)

    # --- what Prometheus says

    def _answers(self) -> bool:
        address = f"http://127.0.0.1:{self.prometheus.port}/-/ready"
        try:
            with urllib.request.urlopen(address, timeout=END_S):
                return True
        except urllib.error.HTTPError:
            return False

    def ask(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """The answer to an instant query, as it is now or was at a time in seconds of Unix."""
        when = {} if at is None else {"time": str(at)}
        result: list[dict[str, Any]] = self._api("query", query=expr, **when)["result"]
        return result

    def firing(self) -> set[str]:
        """Alerts that fire by Prometheus, whether or not Alertmanager tells of them."""
        return {each["metric"]["alertname"] for each in self.ask('ALERTS{alertstate="firing"}')}

    def targets(self) -> Iterator[Mapping[str, Any]]:
        """What it scrapes."""
        yield from self._api("targets")["activeTargets"]

    def _api(self, what: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        address = f"http://127.0.0.1:{self.prometheus.port}/api/v1/{what}?{query}"
        with urllib.request.urlopen(address, timeout=END_S) as answer:
            return json.load(answer)["data"]
