"""The README's blocks, word for word and in their order, from one clone on a machine of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
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
from tests.waiting import END_S, wait_until

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


def checkout(folder: Path) -> Path:
    """A checkout that has only what starts Kafka."""
    need_kafka()
    need("mvn", "maven")
    shutil.copytree(ROOT / "deploy" / "kafka", folder / "deploy" / "kafka")
    return folder


@pytest.fixture
def kafka_folder(tmp_path: Path) -> Iterator[Path]:
    """A checkout of this kind; its broker ends with the test."""
    yield checkout(tmp_path)
    start(tmp_path, "stop")


def start(folder: Path, *words: str) -> tuple[int, str]:
    """How `deploy/kafka/start` ends there, and what it says."""
    done = subprocess.run(
        [folder / "deploy" / "kafka" / "start", *words], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=END_S,
    )  # fmt: skip
    return done.returncode, done.stdout


def port_and_controller() -> int:
    """A free port whose controller's port is free too."""
    return next(each for each in iter(free_port, 0) if not listens(each + 10_000))


@pytest.mark.kafka
def test_kafka_starts_at_the_port_that_is_asked_for_and_says_what_holds_it(
    kafka_folder: Path,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        port = held.getsockname()[1]
        code, said = start(kafka_folder, f"--port={port}")
        assert (code, f"something else listens on 127.0.0.1:{port}" in said) == (1, True), said
        assert "--port" in said
    port = port_and_controller()
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


MAVEN: Final = """#!/bin/bash
# Slow: half of the jars, a pause until a second Maven comes or {pause} s are over, the rest.
for word; do case $word in -DoutputDirectory=*) new=${{word#*=}} ;; esac; done
mktemp "{calls}/XXXXXX" >/dev/null
mkdir -p "$new"
jars=({jars}/*)
half=$((${{#jars[@]}} / 2))
ln -sf "${{jars[@]:0:half}}" "$new"
for _ in $(seq {pause}0); do
    found=({calls}/*)
    [ ${{#found[@]}} -lt 2 ] || break
    sleep 0.1
done
ln -sf "${{jars[@]:half}}" "$new"
"""
FETCH: Final = (sys.executable, "-c", "from tests.clusters import fetch_kafka; fetch_kafka()")
"""What the tests do in each of their processes that needs a broker."""


class Fresh:
    """A machine without Kafka's jars, and a Maven that takes its time to bring them."""

    def __init__(self, folder: Path, pause_s: int) -> None:
        jars = clusters.fetch_kafka()
        self.names = {jar.name for jar in jars.iterdir()}
        self.cache = folder / "cache" / "otpguard"
        self.calls = folder / "calls"
        maven = folder / "bin" / "mvn"
        for each in (self.calls, maven.parent):
            each.mkdir()
        maven.write_text(MAVEN.format(calls=self.calls, jars=jars, pause=pause_s))
        maven.chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": f"{maven.parent}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(self.cache.parent),
        }

    def run(self, *command: str) -> subprocess.Popen[str]:
        """Start a command of the checkout there, as the first of its process group."""
        return subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def check(self) -> None:
        """All jars are there, and nothing else is but the lock."""
        here = {each.name for each in self.cache.iterdir()}
        assert here == {f"kafka-{clusters.KAFKA_VERSION}", "making.lock"}
        found = {jar.name for jar in (self.cache / f"kafka-{clusters.KAFKA_VERSION}").iterdir()}
        assert found == self.names


@pytest.mark.kafka
def test_kafka_is_fetched_once_by_two_checkouts_and_the_tests_at_once(tmp_path: Path) -> None:
    fresh = Fresh(tmp_path, pause_s=2)
    checkouts = [checkout(tmp_path / name) for name in ("first", "second")]
    first, second = (
        (str(each / "deploy" / "kafka" / "start"), f"--port={port_and_controller()}")
        for each in checkouts
    )
    try:
        running = [fresh.run(*each) for each in (first, first, second, FETCH)]
        said = [each.communicate(timeout=END_S)[0] for each in running]
        brokers = [(each / ".cache" / "kafka" / "pid").read_text() for each in checkouts]
    finally:
        stopped = [start(each, "stop") for each in checkouts]
    assert [each.returncode for each in running] == [0] * 4, said
    assert stopped == [(0, "")] * 2
    assert len(set(brokers)) == 2
    assert sum("runs already" in each for each in said) == 1, said
    assert len(list(fresh.calls.iterdir())) == 1
    fresh.check()


@pytest.mark.kafka
@pytest.mark.parametrize("killed", ["make kafka", "the tests"])
def test_a_killed_fetch_leaves_nothing_that_the_next_one_trips_over(
    tmp_path: Path, killed: str
) -> None:
    fresh = Fresh(tmp_path, pause_s=60)
    script = str(checkout(tmp_path) / "deploy" / "kafka" / "start")
    words = [script, f"--port={port_and_controller()}"] if killed == "make kafka" else FETCH
    first = fresh.run(*words)
    wait_until(lambda: list(fresh.cache.glob("**/*.jar")), "the first half of the jars")
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=END_S)
    second = fresh.run(*FETCH)
    said = second.communicate(timeout=END_S)[0]
    assert second.returncode == 0, said
    fresh.check()


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
