"""The signal as a process: its settings, certificates of clients, the audit on a real broker."""

from __future__ import annotations

import asyncio
import signal as signals
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from confluent_kafka import KafkaError, KafkaException

from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.read import records
from streams.common import connections
from streams.common.errors import ConfigError, UnavailableError
from streams.config import Kafka, Settings
from streams.people.signal import signal_server as serve
from streams.people.signal.api import PATH, Signal
from streams.people.signal.lookup import Lookup
from streams.people.signal.signal_audit import Publish
from streams.people.signal.signal_server import (
    CertifiedProtocol,
    parts_of,
    publishing,
    run,
    server_of,
)
from streams.telemetry.metrics import Metrics
from streams.wire import decode_audit
from tests.builders.streams.common.connections import closed
from tests.enforce.records import RECIPIENT
from tests.nodes import Broker
from tests.ports import free_port
from tests.streams.cases.store.filled import fill, flood, opened
from tests.streams.people.evidence.tsa import openssl
from tests.streams.people.signal.parts import (
    AUDIENCE,
    ISSUER,
    Memory,
    clients_file,
    exhausted,
    jwks,
    served,
    signal,
    token,
)
from tests.waiting import END_S, wait_until

BODY = {"phoneNumber": f"+{RECIPIENT}"}


def settings(folder: Path, **more: Any) -> Settings:
    given = {"clients_file": clients_file(folder, "[bank-1]"), **more}
    return Settings(signal=given, desk={"store": f"sqlite:///{folder / 'desk.db'}"})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"clients_file": None}, "nobody may ask"),
        ({}, "neither jwks_file"),
        ({"jwks_file": "/nowhere", "issuer": "a", "audience": "b"}, "/nowhere"),
    ],
)
def test_settings_by_which_nobody_could_ask_are_refused(
    tmp_path: Path, more: dict, says: str
) -> None:
    with closing(opened(tmp_path)) as store, pytest.raises(ConfigError, match=says):
        parts_of(settings(tmp_path, **more), store, Memory().publish, Metrics("signal"))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"host": "0.0.0.0"}, "not loopback"),
        ({"jwks_url": "https://a/jwks"}, "issuer and audience"),
        ({"jwks_url": "https://a:b:c/", "issuer": "a", "audience": "b"}, "jwks_url"),
    ],
)
def test_settings_that_are_not_safe_are_refused(more: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Settings(signal=more)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server's certificate for 127.0.0.1, a bank's and a stranger's."""
    folder = tmp_path_factory.mktemp("certificates")
    openssl("req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30", "-subj", "/CN=ca",
            "-keyout", folder / "ca.key", "-out", folder / "ca.pem")  # fmt: skip
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "bank", "stranger"):
        openssl("req", "-nodes", "-newkey", "rsa:2048", "-subj", f"/CN={name}",
                "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.pem", "-CAkey",
                folder / "ca.key", "-CAcreateserial", "-days", "30", "-extfile", folder / "ext",
                "-out", folder / f"{name}.pem")  # fmt: skip
    return folder


def test_a_bank_is_known_by_its_certificate_and_a_stranger_is_not(
    tmp_path: Path, certificates: Path
) -> None:
    der = ssl.PEM_cert_to_DER_cert((certificates / "bank.pem").read_text())
    import hashlib

    store, memory = opened(tmp_path), Memory()
    fill(store, *flood(1))
    made = signal(store, memory, certificate_sha256=hashlib.sha256(der).hexdigest())
    tls = {
        "http": CertifiedProtocol,
        "ssl_certfile": certificates / "server.pem",
        "ssl_keyfile": certificates / "server.key",
        "ssl_ca_certs": str(certificates / "ca.pem"),
        "ssl_cert_reqs": ssl.CERT_OPTIONAL,
    }
    told = {}
    with served(made, **tls) as port:
        for name in ("bank", "stranger", None):
            more: dict[str, Any] = {} if name is None else {
                "cert_file": certificates / f"{name}.pem", "key_file": certificates / f"{name}.key",
            }  # fmt: skip
            with urllib3.PoolManager(ca_certs=str(certificates / "ca.pem"), **more) as pool:
                answer = pool.request(
                    "POST", f"https://127.0.0.1:{port}{PATH}/check", json=BODY,
                    headers={"Connection": "close"},  # else TLS waits for its end half a minute
                )  # fmt: skip
                told[name] = answer.status, answer.json().get("flooded")
    store.close()
    assert told == {"bank": (200, True), "stranger": (401, None), None: (401, None)}
    assert [(each.auth, each.actor) for each in memory.records] == [("mtls", "bank-1")]


class _Server:
    """Serves until something is true."""

    def __init__(self, until: Callable[[], object]) -> None:
        self._until = until

    async def serve(self) -> None:
        await asyncio.to_thread(wait_until, self._until)


class _Pusher:
    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    async def run(self) -> None:
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("error", [ExceptionGroup("", [KeyError(RECIPIENT)]), None])
def test_a_pusher_that_ends_is_told_at_once_and_the_audit_ends_all_the_same(
    error: BaseException | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(opened(tmp_path)) as store:
        made = signal(store, Memory())

        async def play() -> None:
            await made.parts.ledger.write(actor="a", channel="api", verb="check", outcome="done")
            await run(made, _Server(lambda: "pushed" in caplog.text), _Pusher(error))  # type: ignore[arg-type]

        asyncio.run(play())
    assert made.parts.ledger._task is None
    assert ("KeyError" in caplog.text) is (error is not None)
    assert RECIPIENT not in caplog.text


def test_a_probe_is_answered_where_the_store_is_not(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as store:
        parts = replace(signal(store, Memory()).parts, lookup=Lookup(store))
        fill(store, *flood(1))
        fresh(store)
        assert Signal(parts).why_stale() == ""
        with exhausted(store):
            assert "TimeoutError" in Signal(parts).why_stale()
    assert parts.metrics.registry.get_sample_value("otpguard_signal_index_stale") == 1


def asked(port: int) -> int:
    """Ask once, and return the status."""
    with urllib3.PoolManager(retries=False) as pool:
        headers = {"Authorization": f"Bearer {token()}", "Connection": "close"}
        return pool.request("POST", f"http://127.0.0.1:{port}{PATH}/check", json=BODY,
                            headers=headers).status  # fmt: skip


def test_connections_that_say_nothing_keep_nobody_out(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as store, ExitStack() as stack:
        port = stack.enter_context(
            served(signal(store, Memory()), http=CertifiedProtocol, limit_concurrency=4)
        )
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(12)
        ]
        assert [asked(port) for _ in range(3)] == [200] * 3
        assert closed(idle[0]), "the longest idle goes first"


def test_who_waits_for_an_answer_is_not_closed_however_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WHOLE_S", 0.2)
    began, may = threading.Event(), threading.Event()

    def floods(*_: object) -> list[Any]:
        began.set()
        may.wait(END_S)
        return []

    monkeypatch.setattr(Lookup, "floods", floods)
    with (
        closing(opened(tmp_path)) as store,
        served(signal(store, Memory()), http=CertifiedProtocol, limit_concurrency=3) as port,
        ThreadPoolExecutor() as pool,
    ):
        answer = pool.submit(asked, port)
        assert began.wait(END_S)
        for _ in range(4):  # each is over its time, so the answer is too
            with socket.create_connection(("127.0.0.1", port)) as idle:
                assert closed(idle)
        may.set()
        assert answer.result(END_S) == 200


def test_without_a_client_authority_no_certificate_is_asked_for(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as store:
        server = server_of(settings(tmp_path), signal(store, Memory()))
    assert server.config.ssl_certfile is None
    assert server.config.timeout_graceful_shutdown
    assert isinstance(signal(store, Memory()), Signal)


def test_without_a_broker_it_does_not_begin() -> None:
    nowhere = Settings(kafka={"bootstrap": "127.0.0.1:9"})
    with pytest.raises(UnavailableError), publishing(nowhere):
        pass


class Ending:
    """librdkafka's producer that comes to its end when told to: `flush` raises the cause, once."""

    made: list[Ending]

    def __init__(self, arguments: dict[str, Any], **_: Any) -> None:
        assert arguments["enable.idempotence"]
        self.at_its_end = False
        self.cause: KafkaError | None = None
        self.waiting: list[tuple[bytes, Any]] = []
        self.made.append(self)

    def end(self) -> None:
        self.at_its_end = True
        self.cause = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "made up", fatal=True)

    def produce(self, _: str, value: bytes, *, key: bytes, on_delivery: Any) -> None:
        if self.at_its_end and self.cause is None:
            raise KafkaException(KafkaError(KafkaError._FATAL))
        self.waiting.append((value, on_delivery))

    def flush(self, _: float = 0) -> None:
        error, self.cause = self.cause, None
        if error is not None:
            raise KafkaException(error)
        for value, told in self.waiting:
            told(None if value else KafkaError(KafkaError._FATAL), None)
        self.waiting.clear()


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    monkeypatch.setattr(Ending, "made", [], raising=False)
    monkeypatch.setattr(serve, "Producer", Ending)
    monkeypatch.setattr(serve, "Cluster", lambda _: nullcontext())
    with publishing(Settings()) as publish:
        yield publish


def test_a_producer_at_its_end_is_replaced_and_banks_are_answered_again(
    monkeypatch: pytest.MonkeyPatch, ending: Publish
) -> None:
    clock = count(1 << 40, 60)
    monkeypatch.setattr(serve, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    ending([(b"k", b"1")])
    Ending.made[0].end()
    with pytest.raises(UnavailableError, match="OUT_OF_ORDER_SEQUENCE_NUMBER"):
        ending([(b"k", b"2")])
    ending([(b"k", b"3")])
    with pytest.raises(UnavailableError, match="_FATAL"):
        ending([(b"k", b"")])  # the same, told of by the report of a record
    ending([(b"k", b"5")])
    assert len(Ending.made) == 3


def test_producers_that_come_to_their_end_at_once_are_not_made_by_the_request(
    ending: Publish,
) -> None:
    Ending.made[0].end()
    for _ in range(10):
        with pytest.raises(UnavailableError, match="OUT_OF_ORDER_SEQUENCE_NUMBER"):
            ending([(b"k", b"1")])
    assert len(Ending.made) == 1


def test_a_producer_that_comes_to_its_end_at_the_end_is_no_error(ending: Publish) -> None:
    ending([(b"k", b"1")])
    Ending.made[0].end()  # `flush` raises the cause


@pytest.mark.broker
def test_the_process_answers_audits_and_ends(broker: Broker, unique: str, tmp_path: Path) -> None:
    kafka = Kafka(bootstrap=broker.bootstrap)
    topic = f"{unique}.audit"
    with Cluster(kafka) as cluster:
        cluster.create(topic, 1, 1, {})
    with closing(opened(tmp_path)) as store:
        fill(store, *flood(1))
        fresh(store)
    (tmp_path / "jwks.json").write_bytes(jwks())
    clients_file(tmp_path, "[bank-1]")
    port, health = free_port(), free_port()
    (tmp_path / "otpguard.toml").write_text(
        f'kafka.bootstrap = "{broker.bootstrap}"\ntopics.audit = "{topic}"\n'
        f'desk.store = "sqlite:///{tmp_path}/desk.db"\nhttp.port = {health}\n[signal]\n'
        f'port = {port}\nclients_file = "{tmp_path}/clients.toml"\n'
        f'jwks_file = "{tmp_path}/jwks.json"\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
    )
    command = [sys.executable, "-m", "streams", "signal", "serve", "-c"]
    with (
        subprocess.Popen([*command, tmp_path / "otpguard.toml"], stderr=subprocess.PIPE) as process,
        urllib3.PoolManager(retries=False) as pool,
    ):
        try:
            wait_until(lambda: _answers(pool, f"http://127.0.0.1:{health}/health/ready"), "ready")
            wait_until(lambda: _answers(pool, f"http://127.0.0.1:{port}/", 404), "it listens")
            headers = {"Authorization": f"Bearer {token()}"}
            url = f"http://127.0.0.1:{port}{PATH}/check"
            for _ in range(3):
                answer = pool.request("POST", url, json=BODY, headers=headers)
                assert (answer.status, answer.json()) == (200, {"flooded": True}), answer.data
            metrics = pool.request("GET", f"http://127.0.0.1:{health}/metrics").data.decode()
            assert 'otpguard_signal_answers_total{outcome="done"} 3.0' in metrics
            assert "otpguard_signal_index_stale 0.0" in metrics
        finally:
            process.send_signal(signals.SIGTERM)
            _, said = process.communicate(timeout=END_S)
    assert process.returncode == 0, said
    assert RECIPIENT.encode() not in said
    found = [decode_audit(each.value) for each in records(client_arguments(kafka), topic)]
    assert [(each.seq, each.subject, each.detail) for each in found] == [
        (n, RECIPIENT, "flooded") for n in range(3)
    ]


def fresh(store: Any) -> None:
    """Say that the index is new until the end of time, as an indexer would each second."""
    from sqlalchemy import text

    with store.index.begin() as connection:
        connection.execute(text("UPDATE places SET read_ms = 4000000000000"))
        connection.execute(text("INSERT OR REPLACE INTO meta VALUES ('events_behind', '0')"))


def _answers(pool: urllib3.PoolManager, url: str, status: int = 200) -> bool:
    try:
        return pool.request("GET", url).status == status
    except urllib3.exceptions.HTTPError:
        return False
