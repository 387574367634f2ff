"""The process of a gate: started without a broker, replaced without a gap, ended in peace."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from detectors.leases.gateway_rule import Lease
from streams.common.errors import ConfigError
from streams.config import GateSettings, load
from streams.gateways.enforce.lease_clock import LeaseClock
from streams.gateways.gate import gate_server as serve
from streams.gateways.gate.gate_server import AGAIN_S, LeaseKeeper, routes, source_name
from streams.gateways.gate.leases import LeaseMemory
from streams.telemetry.metrics import Metrics
from tests.ports import free_port
from tests.streams.gateways.gate.asked import FLOOD, VICTIM, desk
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

READY_S = 120.0


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("gate", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def settings(folder: Path, **gate: Any) -> Path:
    """A file of settings whose broker is not there."""
    path = folder / "otpguard.toml"
    told = {"spool_dir": str(folder / "spool"), "drain_s": 1, **gate}
    lines = [f"{key} = {json.dumps(value)}" for key, value in told.items()]
    path.write_text(
        f'kafka = {{bootstrap = "127.0.0.1:{free_port()}"}}\n[gate]\n' + "\n".join(lines) + "\n"
    )
    return path


@contextmanager
def started(
    config: Path,
    environment: Mapping[str, str] | None = None,
    fds: tuple[int, ...] = (),
    words: Sequence[str] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A gate, killed at the end with whatever took its place."""
    words = words or [sys.executable, "-m", "streams", "gate", "serve", "--config", str(config)]
    told = {"OTPGUARD_HTTP_PORT": str(free_port()), "PYTHONPATH": str(Path.cwd())}
    with (config.parent / "gate.log").open("wb") as log:
        process = subprocess.Popen(
            words,
            env={**os.environ, **told, **(environment or {})},
            stderr=log,
            pass_fds=fds,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ask(connection: http.client.HTTPConnection) -> dict[str, Any]:
    body = json.dumps({"recipient": VICTIM, "message_id": "m", **FLOOD})
    connection.request("POST", "/v1/submit", body)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def asked_at(log: Path) -> int:
    return log.read_text().count("asked at")


@pytest.fixture(scope="module")
def unready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Any]]:
    """A gate without a broker, at a path and at a port."""
    folder = tmp_path_factory.mktemp("serve")
    path, port = folder / "gate.sock", str(free_port())
    (folder / "health.port").write_text(port)
    file = settings(folder, socket=str(path), port=free_port())
    with started(file, {"OTPGUARD_HTTP_PORT": port}) as process:
        wait_until(lambda: path.exists() and listens(path), "it listens")
        yield folder, path, process


def test_without_a_broker_it_answers_pass_and_says_why_and_events_wait_on_disk(
    unready: tuple[Path, Path, Any],
) -> None:
    folder, path, _ = unready
    connection = UnixConnection(path)
    assert ask(connection) == {"ruling": "pass", "why": "rebuilding"}
    connection.request("GET", "/v1/ready")
    ready = json.loads(connection.getresponse().read())
    assert ready["ready"] is False
    health = http.client.HTTPConnection("127.0.0.1", int((folder / "health.port").read_text()))
    health.request("GET", "/health/ready")
    answer = health.getresponse()
    assert (answer.status, bool(answer.read())) == (503, True)
    health.close()
    assert ready["why"]
    connection.request("GET", "/v1/openapi.yaml")
    assert connection.getresponse().read().startswith(b"openapi: 3.1")
    connection.close()

    def on_disk() -> bool:
        files = (folder / "spool").glob("*.events*")
        return any(VICTIM.encode() in file.read_bytes() for file in files)

    wait_until(on_disk, "the event is on disk")
    spool = b"".join(file.read_bytes() for file in (folder / "spool").rglob("*") if file.is_file())
    assert b"482913" not in spool  # nor is any other part of a text
    assert "从未见过】".encode() not in spool
    assert "482913" not in (folder / "gate.log").read_text()
    assert VICTIM not in (folder / "gate.log").read_text()


def test_it_is_replaced_without_a_gap(unready: tuple[Path, Path, Any]) -> None:
    """Four gateways ask all the while: each question is answered, by the old one or the new."""
    folder, path, process = unready
    stop, failures, counts = threading.Event(), list[str](), list[int]()

    def gateway() -> None:
        connection, count = UnixConnection(path), 0
        while not stop.is_set():
            try:
                assert ask(connection)["ruling"] == "pass"
                count += 1
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
                connection.close()
            time.sleep(0.002)
        counts.append(count)
        connection.close()

    threads = [threading.Thread(target=gateway) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: asked_at(folder / "gate.log") > 0, "it answers")
        before = asked_at(folder / "gate.log")
        while process.poll() is None:  # impatient: once is enough, and the rest does no harm
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGHUP)
            time.sleep(0.02)
        assert process.returncode == 0
        assert asked_at(folder / "gate.log") == before + 1
        time.sleep(0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert sum(counts) > 100
    connection = UnixConnection(path)
    assert ask(connection)["why"] == "rebuilding"
    connection.close()


def test_it_takes_the_sockets_that_a_supervisor_has_and_ends_when_asked(tmp_path: Path) -> None:
    """What was asked before it was there is answered when it is."""
    path = tmp_path / "given.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        connection = UnixConnection(path)
        connection.connect()
        number = listening.fileno()
        handed = {"GATE_LISTEN_FDS": str(number)}
        with started(settings(tmp_path, port=free_port()), handed, (number,)) as process:
            assert ask(connection) == {"ruling": "pass", "why": "rebuilding"}
            connection.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def test_it_takes_what_systemd_hands_to_it(tmp_path: Path) -> None:
    """As `systemd-socket-activate` does: descriptors from 3 on, and whose process they are."""
    path = tmp_path / "given.sock"
    config = settings(tmp_path, port=free_port())
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        connection = UnixConnection(path)
        connection.connect()
        line = 'exec 3<&"$1"; export LISTEN_FDS=1 LISTEN_PID=$$; shift; exec "$@"'
        words = [sys.executable, "-m", "streams", "gate", "serve", "--config", str(config)]
        number = listening.fileno()
        with started(
            config, fds=(number,), words=["bash", "-c", line, "bash", str(number), *words]
        ) as process:
            assert ask(connection) == {"ruling": "pass", "why": "rebuilding"}
            connection.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def test_a_successor_that_never_answers_leaves_the_old_one_at_work(tmp_path: Path) -> None:
    """Its settings are gone: it ends, and whoever asks is answered all the same."""
    path = tmp_path / "gate.sock"
    config = settings(tmp_path, socket=str(path), port=free_port())
    with started(config) as process:
        wait_until(lambda: path.exists() and listens(path), "it listens")
        connection = UnixConnection(path)
        assert ask(connection)["why"] == "rebuilding"
        kept = config.read_text()
        config.write_text("nonsense")
        for n in (1, 2):
            process.send_signal(signal.SIGHUP)
            wait_until(
                lambda n=n: (tmp_path / "gate.log").read_text().count("is not ready") == n,  # type: ignore[misc]
                "it says so",
            )
            assert ask(connection)["why"] == "rebuilding"
        config.write_text(kept)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0
        connection.close()
        after = UnixConnection(path)
        assert ask(after)["why"] == "rebuilding"
        after.close()


def test_a_keeper_of_leases_outlives_what_ends_an_adapter(tmp_path: Path) -> None:
    config = load(settings(tmp_path))
    memory, metrics = LeaseMemory(), Metrics("gate")
    keeper = LeaseKeeper(config, "smsc-1", memory, metrics)
    memory.leases[VICTIM] = Lease("a1", 1, None)  # type: ignore[arg-type]
    keeper.start()
    try:
        counter = metrics.registry.get_sample_value
        wait_until(
            lambda: (counter("otpguard_gate_adapter_restarts_total") or 0) >= 2, "two tries", 60
        )
        assert "no broker answers" in keeper.unready()
        assert (counter("otpguard_leases_age_seconds") or 0) >= AGAIN_S
        assert not keeper.rebuilt.is_set()
        assert VICTIM in memory.leases
    finally:
        keeper.close(30)


def test_adapters_one_after_another_judge_leases_by_one_clock_that_is_not_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks: list[object] = []
    current: set[object] = set()

    def adapter(*arguments: object, **_: object) -> None:
        clocks.append(arguments[-2])
        current.add(arguments[-1])
        raise OSError

    monkeypatch.setattr(serve, "Adapter", adapter)
    monkeypatch.setattr(serve, "client_arguments", lambda _: {})
    monkeypatch.setattr(serve, "AGAIN_S", 0.01)
    keeper = LeaseKeeper(load(settings(tmp_path)), "smsc-1", LeaseMemory(), Metrics("gate"))
    keeper.start()
    try:
        wait_until(lambda: len(clocks) >= 2, "two adapters", 60)
    finally:
        keeper.close(30)
    assert isinstance(clocks[0], LeaseClock)
    assert set(map(id, clocks)) == {id(clocks[0])}
    assert len(current) == 1, "an adapter that never began makes no lease current"


def test_every_path_that_is_described_is_answered() -> None:
    import yaml

    from streams.gateways.gate.contract import openapi

    described = yaml.safe_load(openapi())["paths"]
    wanted = {
        (method.upper().encode(), path.encode())
        for path, methods in described.items()
        for method in methods
    }
    assert set(routes(desk().gate, lambda: "")) == wanted


def test_a_second_gate_of_one_machine_is_another_source_of_events() -> None:
    names = {source_name(GateSettings(port=port)) for port in (9080, 9081)}
    names |= {source_name(GateSettings(socket=Path(path))) for path in ("/run/a", "/run/b")}
    assert len(names) == 4
    assert source_name(GateSettings(port=9080)) in names  # whatever process it is
    assert len(source_name(GateSettings(socket=Path("/run", "a" * 200)))) == 128


@pytest.mark.parametrize(
    ("gate", "fits"),
    [
        ({"host": "0.0.0.0"}, False),
        ({"host": "0.0.0.0", "token": "t"}, True),
        ({"host": "0.0.0.0", "port": None}, True),
        ({"host": "::1"}, True),
    ],
)
def test_strangers_are_answered_only_with_a_token(
    tmp_path: Path, gate: dict[str, Any], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settings(tmp_path, **{k: v for k, v in gate.items() if v is not None})
    if gate.get("port", 0) is None:
        assert GateSettings(host="0.0.0.0", port=None).port is None
        return
    if fits:
        assert load(path).gate.host == gate["host"]
    else:
        with pytest.raises(ConfigError, match="strangers"):
            load(path)
