"""Every mistake of deploy/MISTAKES.md, made for real: what is printed, and the exit code."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from streams.cluster.admin import Cluster
from streams.config import Kafka
from tests.brokers import need_kafka
from tests.deploy.guarded import Castle, castle
from tests.deploy.tools import ROOT
from tests.nodes import Broker
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.kafka

PAGE: Final = ROOT / "deploy" / "MISTAKES.md"
NOBODY: Final = "127.0.0.1:9"
NAMES: Final = ("input", "throttle", "episode", "acks", "override", "everyone", "undeliverable",
                "dead_letters", "incident", "counts", "audit", "notice", "campaign",
                "platform_parts", "platform")  # fmt: skip

Outcome = tuple[int | str, str]
"""Exit code, or what happens instead of an end, and everything that was said."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where mistakes are made: topics and folder of this test alone."""

    broker: Broker
    castle: Castle
    name: str
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Of a process of its own topics; `bootstrap=…` is short for OTPGUARD_KAFKA_BOOTSTRAP."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("OTPGUARD_")}
        topics = {f"topics_{name}": f"{self.name}.{name}" for name in NAMES}
        ours = {"app_id": self.name, "http_port": "0", "worker_data_dir": str(self.folder / "data")}
        more = {"kafka_bootstrap": self.broker.bootstrap, **topics, **ours, **more}
        return {
            **clean, "PYTHONPATH": str(ROOT), "OTPGUARD_CONFIG": "",
            **{f"OTPGUARD_{key.upper()}": value for key, value in more.items()},
        }  # fmt: skip

    def otpguard(self, *words: str, given: str = "", **environment: str) -> Outcome:
        """What the command says and how it ends."""
        done = subprocess.run(
            [sys.executable, "-m", "streams", *words], input=given, capture_output=True, text=True,
            cwd=self.folder, env=self.environment(**environment), check=False, timeout=END_S,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def topic(self, name: str) -> str:
        """A topic of this test."""
        with Cluster(Kafka(bootstrap=self.broker.bootstrap)) as cluster:
            cluster.create(f"{self.name}.{name}", 1, 1, {})
        return f"{self.name}.{name}"

    def fed(self, text: bytes, *words: str, **environment: str) -> Outcome:
        """What becomes of a file of call records."""
        self.topic("input")
        (self.folder / "cdr.csv").write_bytes(b"recipient,sender,event_time_ms,text\n" + text)
        return self.otpguard("feed", "csv", "cdr.csv", *words, **environment)


SASL: Final = {"kafka_username": "stranger", "kafka_password": "guess"}
ROW: Final = "13900000001,1069000001,2026-03-02 11:33:00,【某校】验证码 123456\n"


def brokers_and_topics(on: Bench) -> Iterator[Callable[[], Outcome]]:
    strange = on.castle.config("stranger")
    yield lambda: on.otpguard("topics", "check", kafka_bootstrap=NOBODY)
    yield lambda: on.otpguard("topics", "create")
    yield lambda: _no_rights_are_named(on.otpguard("doctor"))
    yield lambda: on.otpguard("worker", "--config", str(strange), kafka_bootstrap=_at(on.castle))
    yield lambda: on.otpguard("topics", "check", kafka_security="sasl_plaintext", **SASL)
    yield lambda: on.otpguard(
        "topics", "check", kafka_security="sasl_plaintext", kafka_bootstrap=_at(on.castle), **SASL
    )
    yield lambda: on.otpguard("topics", "check", kafka_security="sasl_ssl", **SASL)
    yield lambda: on.otpguard(
        "topics", "check", kafka_security="sasl_ssl", kafka_bootstrap=_at(on.castle),
        kafka_ca_file=str(on.castle.guarded.ca), **SASL,
    )  # fmt: skip


def settings_and_processes(on: Bench) -> Iterator[Callable[[], Outcome]]:
    yield lambda: on.otpguard("config", "check", "--json", mode="on")
    yield lambda: on.otpguard("doctor", "--json", mode="on")
    yield lambda: _strange_file(on)
    yield lambda: _taken_port(on)
    yield lambda: _redis_away(on)


def words(on: Bench) -> Iterator[Callable[[], Outcome]]:
    yield lambda: on.otpguard("wrker")
    yield lambda: on.otpguard("help")
    yield lambda: on.otpguard("help", "cases")
    yield lambda: on.otpguard("scenario", "A99")
    yield lambda: on.otpguard("--lang", "fr", "cases", "ls")


def feeds_and_files(on: Bench) -> Iterator[Callable[[], Outcome]]:
    yield lambda: on.otpguard("feed", "kafka", "nosuch", "--until-end")
    yield lambda: on.otpguard("feed", "kafka", f"{on.topic('cdr')}s", "--until-end")
    yield lambda: on.otpguard("feed", "kafka", f"{on.name}.input")
    yield lambda: on.otpguard("feed", "jsonl", "-", given="{}\n")
    yield lambda: on.fed(ROW.encode("gb18030"), "--time", "iso")
    yield lambda: on.fed(ROW.encode(), "--time", "iso", input_country="BR")
    yield lambda: on.fed(ROW.encode(), "--time", "ms")
    yield lambda: _nameless(on)
    yield lambda: on.otpguard("recognise", "482913")
    yield lambda: on.otpguard("cases", "show", "nobody")
    yield lambda: on.otpguard("replay", "-", given="{}\n{}\n")
    yield lambda: _full_disk(on)


def _at(castle_: Castle) -> str:
    return castle_.broker.bootstrap


def _no_rights_are_named(outcome: Outcome) -> Outcome:
    """Where nobody asks for rights, none is lacking."""
    assert "lacks" not in outcome[1]
    assert outcome[1].count("WRONG") == 2  # the finding, and the sum at the end
    return outcome


def _strange_file(on: Bench) -> Outcome:
    path = on.folder / "otpguard.toml"
    path.write_text("epoch = 2")
    code = "import os,sys; os.geteuid = lambda: 54_322; from streams.__main__ import main; main()"
    if os.geteuid() == 0:
        os.chown(path, 54_321, 54_321)
    environment = on.environment()
    del environment["OTPGUARD_CONFIG"]
    done = subprocess.run(
        [sys.executable, "-c", code, "config", "check"], capture_output=True, text=True,
        cwd=on.folder, env=environment, check=False, timeout=END_S,
    )  # fmt: skip
    path.unlink()
    return done.returncode, done.stderr


def _taken_port(on: Bench) -> Outcome:
    for name in NAMES:
        on.topic(name)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        return on.otpguard("enforce", "log", http_port=str(port))


def _redis_away(on: Bench) -> Outcome:
    for name in NAMES:
        on.topic(name)
    log = on.folder / "adapter.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", "enforce", "redis"], stderr=said, cwd=on.folder,
            env=on.environment(redis_url="redis://127.0.0.1:9/0"),
        )  # fmt: skip
    try:
        wait_until(lambda: "away" in log.read_text() or process.poll() is not None, "it says so")
        return "goes on" if process.poll() is None else process.returncode, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(END_S)


def _nameless(on: Bench) -> Outcome:
    """Call records whose columns have names of their own, and nobody says which is which."""
    on.topic("input")
    (on.folder / "cdr.csv").write_text("phone,from,time\n13900000001,1069,2026-03-02 11:33:00\n")
    return on.otpguard("feed", "csv", "cdr.csv")


def _full_disk(on: Bench) -> Outcome:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "streams", "scenario", "A1"], stdout=full, check=False,
            stderr=subprocess.PIPE, text=True, env=on.environment(), cwd=on.folder, timeout=END_S,
        )  # fmt: skip
    return done.returncode, done.stderr


PARTS: Final = {
    "Brokers and topics": brokers_and_topics,
    "Settings and processes": settings_and_processes,
    "Command line": words,
    "Feeds and files": feeds_and_files,
}


def rows(part: str) -> list[list[str]]:
    """Mistake, what is printed and exit code of each row of a part of the page."""
    (text,) = re.findall(
        rf"^## {part}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def printed(cell: str) -> re.Pattern[str]:
    """A cell as a pattern: `…` is anything, and a space any space."""
    told = cell.strip("`").replace(r"\|", "|")
    said = r"\s+".join(map(re.escape, told.split()))
    return re.compile(said.replace("…", r".*?"), re.DOTALL)


CASES: Final[Mapping[str, tuple[str, int]]] = {
    row[0]: (part, nth) for part in PARTS for nth, row in enumerate(rows(part))
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Castle]:
    need_kafka()
    with castle(tmp_path_factory.mktemp("castle"), ["stranger"]) as running:
        yield running


@pytest.mark.parametrize("mistake", CASES)
def test_a_mistake_is_met_by_what_the_page_says(
    kafka: Broker, guarded: Castle, unique: str, tmp_path: Path, mistake: str
) -> None:
    part, nth = CASES[mistake]
    told = rows(part)
    ways = list(PARTS[part](Bench(kafka, guarded, unique, tmp_path)))
    assert len(ways) == len(told), "each mistake of the page has a way to make it"
    code, said = ways[nth]()
    assert "Traceback" not in said
    assert printed(told[nth][1]).search(said), said
    assert str(code) == told[nth][2], said
