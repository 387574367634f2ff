"""Commands that read a topic: they show how far they are, and end when something fails in it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.common.errors import Exit
from streams.config import Kafka, Topics
from tests.enforce.records import RECIPIENT
from tests.nodes import Broker
from tests.streams.cli.called import called
from tests.waiting import END_S

ROOT = Path(__file__).parents[3]

FAILING: Final = """
import sys
from kafka import KafkaConsumer
from streams.__main__ import main

polled, seen = KafkaConsumer.poll, []

class Record:
    def __init__(self, record):
        self.record = record

    def __getattr__(self, name):
        return getattr(self.record, name)

    def look(self, name):
        seen.append(self.record)
        if len(seen) > 1:
            print("injected at", self.topic, file=sys.stderr, flush=True)
            raise {error}
        return getattr(self.record, name)

    value = property(lambda self: self.look("value"))
    headers = property(lambda self: self.look("headers"))

KafkaConsumer.poll = lambda *given, **named: {{
    place: [Record(each) for each in batch] for place, batch in polled(*given, **named).items()
}}
main()
"""
"""The program, with an error where the second look at the value or headers of a record fails."""

COMMANDS: Final = [
    "cases ls",
    f"cases show {RECIPIENT}",
    "cases watch",
    "cases audit",
    "cases tidy",
    f"explain {RECIPIENT}",
    f"phone {RECIPIENT}",
    f"allow {RECIPIENT} sig:unheard --reason test",
    "audit ls",
    "audit verify",
    "shadow-report",
    "report --month 2026-11 --json",
    f"evidence make {RECIPIENT} -o pack --key pack.pem",
    "campaigns ls",
    "campaigns show 1:x:7:1",
    "platforms ls",
    "platforms show sig:x",
    "notify platforms --dry-run",
    "dlq ls",
    "dlq replay",
    "topics backup",
    "calibrate --kafka",
]
"""Every command that reads a topic to its end, or on and on."""

WITHOUT_BAR: Final = {
    "cases watch": "it has no end",
    "cases tidy": "compacted",
    "campaigns ls": "compacted",
    "campaigns show 1:x:7:1": "compacted",
    "platforms ls": "compacted",
    "platforms show sig:x": "compacted",
    "topics backup": "compacted",
}
"""Commands that need no progress bar, and why. A compacted topic is read within three seconds."""

ROLES: Final = [name for name, each in Topics.model_fields.items() if each.annotation is str]


@pytest.fixture(scope="module")
def filled(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a cluster with three records on each topic, their times in an hour."""
    folder = tmp_path_factory.mktemp("broken")
    kafka = Kafka(bootstrap=broker.bootstrap)
    topics = {role: f"{folder.name}.{role}" for role in ROLES}
    with Cluster(kafka) as cluster:
        for topic in topics.values():
            cluster.create(topic, 1, 1, {})
    with closing(KafkaProducer(**client_arguments(kafka), acks="all")) as producer:
        later_ms = int(time.time() * 1000) + 3_600_000  # `cases watch` begins at its start
        for topic in topics.values():
            for key in (b"a", b"b", b"c"):
                producer.send(topic, b"{}", key=key, timestamp_ms=later_ms)
        producer.flush()
    settings = folder / "otpguard.toml"
    lines = [f'kafka.bootstrap = "{broker.bootstrap}"']
    lines += [f'topics.{role} = "{topic}"' for role, topic in topics.items()]
    settings.write_text("\n".join(lines))
    return settings


@pytest.mark.broker
@pytest.mark.parametrize(
    ("error", "code", "last"),
    [
        ('RuntimeError("injected")', Exit.NO, "RuntimeError: injected"),
        (
            '__import__("streams.common.errors").common.errors.UsageError("injected")',
            Exit.USAGE,
            "injected",
        ),
        ("KeyboardInterrupt", Exit.INTERRUPTED, ""),
    ],
    ids=["bug", "mistake", "interrupted"],
)
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: "-".join(words.split()[:2]))
def test_a_failure_in_the_middle_of_a_topic_ends_the_command(
    filled: Path, tmp_path: Path, words: str, error: str, code: Exit, last: str
) -> None:
    called("evidence", "key", "new", "-o", str(tmp_path / "pack.pem"))
    ran = subprocess.run(
        [sys.executable, "-c", FAILING.format(error=error), *words.split(), "-c", str(filled)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
    )
    if (words, code) == ("cases watch", Exit.INTERRUPTED):
        code = Exit.DONE  # Ctrl-C is how a watcher ends
    _, injected, rest = ran.stderr.partition("injected at ")
    assert injected, ran.stderr + ran.stdout
    assert (ran.returncode, last in rest) == (code, True), ran.stderr


@pytest.mark.broker
@pytest.mark.parametrize("words", sorted(set(COMMANDS) - WITHOUT_BAR.keys()))
def test_a_command_that_reads_a_topic_shows_how_far_it_is_on_a_terminal(
    filled: Path, tmp_path: Path, words: str
) -> None:
    called("evidence", "key", "new", "-o", str(tmp_path / "pack.pem"))
    shown = in_a_terminal(
        [sys.executable, "-m", "streams", *words.split(), "-c", str(filled)], tmp_path
    )
    assert "0:00:0" in shown, shown  # the time that passed, which every bar has


def in_a_terminal(words: list[str], folder: Path) -> str:
    """Return what a command shows on a terminal of its own, until it ends."""
    ours, its = pty.openpty()
    shown = b""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        words, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its
    ) as ran:
        os.close(its)
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:  # how Linux tells that nobody has the terminal open any more
            pass
        finally:
            os.close(ours)
        ran.wait(END_S)
    return shown.decode(errors="replace")
