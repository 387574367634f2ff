"""The README's blocks, word for word and in their order, from one clone on a machine of its own."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from streams.cluster.admin import Cluster
from streams.config import Kafka
from tests import clusters
from tests.brokers import need_kafka
from tests.builders.deploy.quickstart import blocks, commands
from tests.deploy.machine import OPERATOR, machine
from tests.deploy.tools import ROOT
from tests.enforce.services import listens, need
from tests.ports import free_port, usual_ports
from tests.waiting import END_S

COMMANDS_MAX: Final = 8
NEEDED: Final = "sudo apt-get install -y make git python3-venv"
"""What the page says of `make demo` above its first block."""
INSTEAD: Final = {"make test": "make --dry-run test"}
"""This test is part of `make test`."""
DESK_S: Final = 180
ANSWER: Final = 'python3 -c "import urllib.request as r; r.urlopen(\\"http://127.0.0.1:8470/\\")"'


def desk() -> list[str]:
    """The commands that set up the desk: the page has no others in the section."""
    add, serve = blocks("deploy/desk/README.md")["Set it up"]
    assert serve == "otpguard desk serve"
    return [
        "pip install --quiet '.[desk]'",  # as the page says below the block
        f"{add} <<< 'correct horse battery staple'",
        f"{serve} &",
        # its port listens before the pages are ready: wait for an answer
        f"timeout {DESK_S} sh -c 'until {ANSWER}; do sleep 1; done' 2> log",
    ]


def test_there_are_few_commands_and_kafka_comes_from_one_of_them() -> None:
    assert len(commands()) <= COMMANDS_MAX
    assert any("make kafka" in each for each in commands())
    script = (ROOT / "deploy" / "kafka" / "start").read_text()
    assert "deploy/kafka/pom.xml" in script


@pytest.fixture
def kafka_folder(tmp_path: Path) -> Iterator[Path]:
    """A checkout that has only what starts Kafka; the broker ends with the test."""
    need_kafka()
    need("mvn", "maven")
    shutil.copytree(ROOT / "deploy" / "kafka", tmp_path / "deploy" / "kafka")
    yield tmp_path
    start(tmp_path, "stop")


def start(folder: Path, *words: str) -> tuple[int, str]:
    """How `deploy/kafka/start` ends there, and what it says."""
    done = subprocess.run(
        [folder / "deploy" / "kafka" / "start", *words], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=END_S,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.kafka
def test_kafka_starts_at_the_port_that_is_asked_for_and_says_what_holds_it(
    kafka_folder: Path,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        port = held.getsockname()[1]
        code, said = start(kafka_folder, f"--port={port}")
        assert (code, f"something else listens on 127.0.0.1:{port}" in said) == (1, True), said
        assert "--port" in said
    port = next(each for each in iter(free_port, 0) if not listens(each + 10_000))
    with closing(socket.create_server(("127.0.0.1", port + 10_000))):
        code, said = start(kafka_folder, "--port", str(port))
        assert (code, f"127.0.0.1:{port + 10_000}" in said) == (1, True), said
    code, said = start(kafka_folder, "--port", str(port))
    assert code == 0, said
    assert f"OTPGUARD_KAFKA_BOOTSTRAP=127.0.0.1:{port}" in said
    with Cluster(Kafka(bootstrap=f"127.0.0.1:{port}")) as cluster:
        assert cluster.brokers() == 1
    assert start(kafka_folder, "--port", str(port))[0] == 0
    code, said = start(kafka_folder, "--port", str(port + 1))
    assert (code, f"runs already, at 127.0.0.1:{port}" in said) == (1, True), said


@pytest.mark.parametrize("words", [("--port",), ("--port", "x"), ("--port=70000",), ("begin",)])
def test_kafka_says_how_it_is_started(words: tuple[str, ...]) -> None:
    assert start(ROOT, *words) == (2, "usage: deploy/kafka/start [stop | --port 1-65535]\n")


def test_kafka_leaves_the_shipped_services_their_ports() -> None:
    shipped = (ROOT / "deploy" / "prometheus" / "prometheus.yaml").read_text()
    usual = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", shipped)}
    script = (ROOT / "deploy" / "kafka" / "start").read_text()
    assert usual & {9092, 19092} == set()
    assert usual & {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", script)} == set()
    assert 9093 in usual, "Alertmanager has moved"


@pytest.mark.kafka
@pytest.mark.guides
@pytest.mark.timeout(1_800)
def test_the_readme_leads_from_a_clone_to_a_throttle_and_a_desk_as_written(tmp_path: Path) -> None:
    need_kafka()
    need("mvn", "maven")
    need("sudo", "sudo")
    with usual_ports(), machine(tmp_path) as fresh:
        taken = [port for port in (9092, 19092, 9464, 8470) if listens(port)]
        assert not taken, f"the quickstart's ports are in use here: {taken}"
        fresh.must("sh", "-euc", f"""
            useradd --create-home --shell /bin/bash {OPERATOR}
            echo '{OPERATOR} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{OPERATOR}
            mkdir /home/{OPERATOR}/otpguard
            cd /mnt && git ls-files -z | xargs -0 cp --parents -t /home/{OPERATOR}/otpguard
            chown -R {OPERATOR}: /home/{OPERATOR}
        """)  # fmt: skip
        written = [line for block in blocks().values() for line in block]
        lines = [
            "cd ~/otpguard",
            NEEDED,
            *(INSTEAD.get(line.partition("  #")[0].rstrip(), line) for line in written),
            *desk(),
            "jobs -p | xargs kill",
            "deploy/kafka/start stop",
        ]
        block = shlex.quote("\n".join(lines))
        done = fresh.run("runuser", "-l", OPERATOR, "-c", f"bash -euo pipefail -c {block}")
        said = done.stdout + done.stderr
        log = fresh.run("cat", f"/home/{OPERATOR}/otpguard/worker.log").stdout
        assert done.returncode == 0, f"{said[-4000:]}\n{log[-2000:]}"
    for sentence in (
        f"Apache Kafka {clusters.KAFKA_VERSION} at 127.0.0.1:9092",
        "1 broker, Kafka 4",
        "created sms.delivery.v1",
        "the flood was throttled",  # by the demo
        "the flood was leased",
        "sig:淘宝",
        "the desk is at http://127.0.0.1:8470",
        "burst",
    ):
        assert sentence in said
    listed = [line for line in said.splitlines() if not line.startswith("{")]  # no JSON of `replay`
    (case,) = [line for line in listed if "1:sms.delivery.v1:" in line]
    assert "throttle" in case.lower()
