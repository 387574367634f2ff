"""Commands that read a topic: they show how far they are, and end when something fails in it.

Services that read a topic end by the same rule: a supervisor starts them again.

Each of 38 commands meets three failures, in a process of its own with a second of CPU each. Two
thirds of them are in `make integration`.
"""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Final

import pytest
from _pytest.mark import ParameterSet
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.common.errors import Exit
from streams.config import Kafka, Topics, load
from streams.tools.operate.override_backup import FORM
from tests.enforce.records import RECIPIENT
from tests.nodes import Broker
from tests.ports import free_port
from tests.streams.cli.called import called
from tests.waiting import END_S

ROOT = Path(__file__).parents[3]

FAILING: Final = """
import sys
import time
import confluent_kafka
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
            print("injected at", time.monotonic(), file=sys.stderr, flush=True)
            raise {error}
        return getattr(self.record, name)

    value = property(lambda self: self.look("value"))
    headers = property(lambda self: self.look("headers"))

class Message(Record):
    def value(self):
        return self.look("value")()

class Consumer(confluent_kafka.Consumer):
    def consume(self, *given):
        return [Message(each) for each in super().consume(*given)]

KafkaConsumer.poll = lambda *given, **named: {{
    place: [Record(each) for each in batch] for place, batch in polled(*given, **named).items()
}}
confluent_kafka.Consumer = Consumer
main()
"""
"""The program, with an error where the second look at the value or headers of a record fails. It
says when, by the clock that all processes of a machine share."""

ENDS_S: Final = 25.0
"""Longest time in seconds from the failure to the end of the process. Measured: 0.1 to 1.0, and 3.3
for the commands that listen for three seconds. A busy machine may take several times as long. A
command that does not notice the failure waits for a time-out of the Kafka client: 30 s or more."""

COMMANDS: Final = [
    "cases ls",
    f"cases show {RECIPIENT}",
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
"""Every command that reads a topic to its end and shows how far it is, or why it need not."""

FURTHER: Final = [
    f"release {RECIPIENT} --reason test",
    f"exempt {RECIPIENT} --reason test",
    "mode off --reason test",
    "rails 2 --reason test",
    "canary --once",
    "compare otpguard.toml otpguard.toml",
    "dlq show 0:1",
    "doctor",
    "topics restore words.jsonl",
    "desk rebuild",
    "desk index",
    "agent campaigns",
    "agent platforms",
    "enforce log",
    "notify run",
    "feed kafka {topic} --until-end",
]
"""Further commands and services that read a topic: a few records of it, or on and on."""

WITHOUT_BAR: Final = {
    "cases tidy": "compacted",
    "campaigns ls": "compacted",
    "campaigns show 1:x:7:1": "compacted",
    "platforms ls": "compacted",
    "platforms show sig:x": "compacted",
    "topics backup": "compacted",
}
"""Commands that need no progress bar, and why. A compacted topic is read within three seconds."""

ROLES: Final = [name for name, each in Topics.model_fields.items() if each.annotation is str]


LISTENING: Final = ("release", "exempt", "mode", "rails")
"""Commands that read answers in a thread, which begins again after a failure. The override is then
published, and the command says after three seconds that nobody has confirmed it."""

FAILURES: Final = {
    "bug": ('RuntimeError("injected")', Exit.NO, "RuntimeError: injected"),
    "mistake": (
        '__import__("streams.common.errors").common.errors.UsageError("injected")',
        Exit.USAGE,
        "injected",
    ),
    "interrupted": ("KeyboardInterrupt", Exit.INTERRUPTED, ""),
}
"""The error that a read raises, the exit code, and what the command says last."""

EXCEPTIONS: Final = {
    ("doctor", "mistake"),
    (f"allow {RECIPIENT} sig:unheard --reason test", "mistake"),
}  # fmt: skip

LETTER: Final = [(name, b"0") for name in ("reason", "topic", "partition", "offset", "time")]
"""Headers that make a record a dead letter, for `dlq show`."""


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
        for topic in topics.values():
            for key in (b"a", b"b", b"c"):
                producer.send(topic, b"{}", key=key, headers=LETTER)
        producer.flush()
    settings = folder / "otpguard.toml"
    lines = [f'kafka.bootstrap = "{broker.bootstrap}"']
    lines += [f'topics.{role} = "{topic}"' for role, topic in topics.items()]
    lines += [f'desk.store = "sqlite:///{folder}/desk.db"', f"http.port = {free_port()}"]
    lines += ['input.country = "CN"', 'notify.operator = "test"', 'notify.sender = "10086"']
    lines += [f'notify.file = "{folder}/notices.jsonl"']
    settings.write_text("\n".join(lines))
    return settings


@contextmanager
def records_arriving(settings: Path) -> Iterator[None]:
    """Write acknowledgements while the block runs, for who reads only what is new."""
    topic = f"{settings.parent.name}.acks"
    clients = client_arguments(load(settings).kafka)
    ended = threading.Event()

    def write() -> None:
        with closing(KafkaProducer(**clients)) as producer:
            while not ended.wait(0.1):
                producer.send(topic, b"{}", key=b"a")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def failing_reads() -> Iterator[ParameterSet]:
    """Each command with each failure: one of the three in `make test`, by turns, and all later.

    A command that gives a failure another meaning meets it in `make test` too.
    """
    for number, words in enumerate(COMMANDS + FURTHER):
        for turn, (name, failure) in enumerate(FAILURES.items()):
            soon = number % len(FAILURES) == turn or (words, name) in EXCEPTIONS
            label = "-".join([*words.split()[:2], name])
            marks = () if soon else pytest.mark.integration
            yield pytest.param(words, *failure, id=label, marks=marks)


@pytest.mark.broker
@pytest.mark.parametrize(("words", "error", "code", "last"), list(failing_reads()))
def test_a_failure_in_the_middle_of_a_topic_ends_the_command(
    filled: Path, tmp_path: Path, words: str, error: str, code: Exit, last: str
) -> None:
    called("evidence", "key", "new", "-o", str(tmp_path / "pack.pem"))
    (tmp_path / "words.jsonl").write_text(f'{{"form": "{FORM}"}}')
    shutil.copy(filled, tmp_path / filled.name)
    given = words.format(topic=f"{filled.parent.name}.incident").split()
    given += [] if given[0] == "compare" else ["-c", filled.name]
    with records_arriving(filled) if given[0] == "canary" else nullcontext():
        ran = subprocess.run(
            [sys.executable, "-c", FAILING.format(error=error), *given],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=END_S,
            check=False,
        )
        ended_s = time.monotonic()
    if (words, code) == ("doctor", Exit.USAGE):
        code = Exit.CONFIG  # one of its checks fails, and the others go on
    # `allow` goes on if it cannot read the number's cases, and then listens too.
    if given[0] in LISTENING or (given[0], code) == ("allow", Exit.USAGE):
        code, last = Exit.TRY_AGAIN, "no adapter confirmed"
    _, injected, rest = ran.stderr.partition("injected at ")
    assert injected, ran.stderr + ran.stdout
    assert ran.returncode == code, ran.stderr
    assert last in rest + ran.stdout
    failed_s = float(rest.split()[0])
    assert ended_s - failed_s < ENDS_S


@pytest.mark.broker
@pytest.mark.parametrize("words", [
    pytest.param(words, marks=pytest.mark.integration if words.startswith("calibrate") else ())
    for words in sorted(set(COMMANDS) - WITHOUT_BAR.keys())  # calibrating computes for 11 s
])  # fmt: skip
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
