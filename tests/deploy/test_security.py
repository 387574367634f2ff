"""SCRAM-SHA-512 over TLS on Kafka's own authoriser: who gets in, who may do what, what is said.

One broker serves all of it. The table of rights is tried operation by operation, not read back.
`make integration` has what takes longest: worker, adapter and canary at work for half a minute of
CPU, and the same complaints from three more commands.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from streams.cases.store.indexer import Indexer
from streams.cases.store.store import CaseStore
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.kafka_rights import ROLES, names, rights, script
from streams.cluster.read import records
from streams.cluster.topics import create
from streams.common.clock import now_ms
from streams.common.errors import ConfigError, Exit
from tests.brokers import need_kafka
from tests.deploy.guarded import Castle, castle
from tests.enforce.gate_loop import GateClient
from tests.enforce.loop import ready
from tests.enforce.services import Server, ours
from tests.ports import free_port
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.kafka

PAIRS: Final = [(role, f"User:{role}") for role in ROLES]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Castle]:
    need_kafka()
    with castle(tmp_path_factory.mktemp("castle")) as running:
        create(running.settings("admin"))
        said = otpguard(
            "topics", "acls", "--apply", *(f"{role}={role}" for role in ROLES),
            config=running.config("admin"),
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        yield running


def otpguard(*words: str, config: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", *words, "--config", str(config)],
        capture_output=True, text=True, check=False, timeout=END_S,
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.integration
def test_worker_adapter_canary_and_people_work_with_no_more_than_their_rights(
    guarded: Castle,
) -> None:
    with (
        server(guarded, "worker", "worker") as worker,
        server(guarded, "adapter", "enforce", "log") as adapter,
    ):
        for each in (worker, adapter):
            wait_until(lambda: ready(each.port), f"{each.name} is ready")  # noqa: B023
        done = otpguard("canary", "--once", config=guarded.config("canary"))
        assert done.returncode == Exit.DONE, done.stderr
        for user, *words in (
            ("support", "release", "13900000001"),
            ("duty", "mode", "off"),
        ):
            done = otpguard(*words, "-r", "test", config=guarded.config(user))
            assert done.returncode == Exit.DONE, done.stderr
            assert "in effect at gateway" in done.stdout
        done = otpguard("phone", "13900000001", config=guarded.config("support"))
        assert done.returncode == Exit.DONE, done.stderr
        done = otpguard("cases", "ls", "--json", config=guarded.config("support"))
        assert done.returncode == Exit.DONE, done.stderr
        page, flooded = guarded.folder / "case.html", json.loads(done.stdout)[0]["recipient"]
        done = otpguard("explain", flooded, "--html", str(page), config=guarded.config("support"))
        assert done.returncode == Exit.DONE, done.stderr
        assert "messages that followed a platform's first are not shown" in done.stderr
        assert flooded not in page.read_text("utf-8")
        support = guarded.settings("support")
        with Cluster(support.kafka) as cluster:  # phone takes a refusal for "cannot be said"
            cluster.lag(support.app_id, support.topics.input)
        done = otpguard("top", "--json", config=guarded.config("support"))
        assert done.returncode == Exit.DONE, done.stderr
        frame = json.loads(done.stdout)
        assert frame["at_work"], frame  # the adapter's sign of life
        assert (len(frame["facts"]["workers"]), frame["facts"]["dead_letters"]) == (1, 0)
        done = otpguard("top", "--json", "--numbers", config=guarded.config("analyst"))
        assert done.returncode == Exit.CONFIG, done.stdout
        clients = client_arguments(guarded.settings("feed").kafka)
        with closing(KafkaProducer(**clients)) as feed:
            feed.send(guarded.settings("feed").topics.input, b"{bad", b"key").get(timeout=END_S)
        done = otpguard("shadow-report", "--json", config=guarded.config("analyst"))
        assert done.returncode == Exit.DONE, done.stderr
        assert json.loads(done.stdout)["recipients_under_lease"] >= 1
        privacy = guarded.config("privacy")
        wait_until(lambda: "waiting" in otpguard("dlq", "ls", config=privacy).stdout, "refused")
        done = otpguard("dlq", "replay", "--unchecked", "--json", config=privacy)
        assert done.returncode == Exit.DONE, done.stderr
        assert json.loads(done.stdout)["published"] >= 1
    for each in (worker, adapter):
        log = each.log.read_text()
        assert "Traceback" not in log
        assert "-Secret-1" not in log


def test_a_gate_reads_leases_and_reports_with_no_more_than_its_rights(guarded: Castle) -> None:
    port = free_port()
    gate = server(guarded, "gate", "gate", "serve")
    gate.ports = (port,)
    gate.environment = {
        **gate.environment,
        "OTPGUARD_GATE_PORT": str(port),
        "OTPGUARD_GATE_SPOOL_DIR": str(guarded.folder / "spool"),
    }
    with gate, closing(GateClient(port)) as client:
        wait_until(client.ready, "the gate has read the leases")
        question = {"recipient": "8613900000009", "sender": "1069", "message_id": "by-a-gate"}
        assert client.ask(question)["why"] == "no_lease"
        reader = guarded.settings("analyst")
        clients = client_arguments(reader.kafka)

        def published() -> bool:
            return any(b"by-a-gate" in each.value for each in records(clients, reader.topics.input))

        wait_until(published, "its event is published")
    log = gate.log.read_text()
    assert "not followed" not in log
    assert "Traceback" not in log


def test_the_desk_reads_its_topics_with_no_more_than_its_rights(
    guarded: Castle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """librdkafka asks for a group that nobody joins, and is refused: that is nothing."""
    with closing(CaseStore(f"sqlite:///{tmp_path / 'desk.db'}")) as store:

        def catch_up(user: str) -> None:
            settings = guarded.settings(user)
            Indexer(
                store, settings.kafka, settings.topics, batch_records_max=100, clock=now_ms
            ).catch_up()

        with pytest.raises(ConfigError, match="no right to see it"):
            catch_up("stranger")
        before_ms = now_ms()
        catch_up("desk")
        assert store.freshness().read_ms >= before_ms
    assert "librdkafka" not in caplog.text


@pytest.mark.parametrize(("user", "code"), [("worker", Exit.NO), ("adapter", Exit.CONFIG)])
def test_the_doctor_sees_whether_a_user_has_the_rights_of_its_role(
    guarded: Castle, user: str, code: Exit
) -> None:
    done = otpguard("doctor", "--json", config=guarded.config(user))
    assert done.returncode == code, done.stderr
    found = {each["check"]: each for each in json.loads(done.stdout)}
    assert found["rights"]["state"] == ("ok" if code is Exit.NO else "bad")
    if code is Exit.CONFIG:
        assert "READ sms.delivery.v1" in found["rights"]["says"]
        assert "otpguard topics acls worker=USER" in found["rights"]["remedy"]


@pytest.mark.parametrize(
    "words",
    [
        ("worker",),
        ("topics", "check"),
        ("mode", "off", "-r", "x"),
        *(
            pytest.param(words, marks=pytest.mark.integration)
            for words in (("enforce", "log"), ("canary", "--once"), ("dlq", "replay"))
        ),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_one_line_and_exit_78(guarded: Castle, words: tuple[str, ...]) -> None:
    other = guarded.folder / "other.pem"
    if not other.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-subj", "/CN=stranger", "-keyout", "/dev/null", "-out", str(other)],
            check=True, capture_output=True,
        )  # fmt: skip
    wrong = guarded.folder / "wrong.password"
    wrong.write_text("guess\n")
    for complaint, config in (
        ("refuses user worker", guarded.config("worker", "w", password_file=f'"{wrong}"')),
        ("is not trusted", guarded.config("worker", "t", ca_file=f'"{other}"')),
        ("", guarded.config("stranger")),
    ):
        done = otpguard(*words, config=config)
        lines = done.stderr.strip().splitlines()
        assert done.returncode == Exit.CONFIG, done.stderr
        assert "Traceback" not in done.stderr
        assert complaint in lines[-1]
        if complaint:
            assert len(lines) == 1, done.stderr
        else:
            assert any(word in lines[-1] for word in ("uthoriz", "missing", "no right")), lines


def test_each_role_can_do_what_the_table_says_and_nothing_else(guarded: Castle) -> None:
    topics = names(guarded.settings("admin"))
    clients = client_arguments(guarded.settings("admin").kafka)
    with closing(KafkaProducer(**clients)) as admin:
        for name in topics.values():
            admin.send(name, b"{}", b"try", partition=0).get(timeout=END_S)
    with ThreadPoolExecutor(8) as pool:
        tried = pool.map(lambda role: attempts(guarded, role, topics), ROLES)
        can = dict(zip(ROLES, tried, strict=True))
    for role, each in ROLES.items():
        expected = {("read", topic) for topic in each.reads.split()}
        expected |= {("write", topic) for topic in each.writes.split()}
        assert can[role] == expected, role
    writers = {topic: {role for role in can if ("write", topic) in can[role]} for topic in topics}
    readers = {topic: {role for role in can if ("read", topic) in can[role]} for topic in topics}
    assert writers["throttle"] == writers["episode"] == {"worker"}
    assert writers["override"] == {"support", "desk", "replies"}
    assert writers["incident"] == {"worker"}
    assert writers["counts"] == {"adapter", "gate"}
    assert writers["campaign"] == writers["platform"] == {"agent"}
    assert writers["platform_parts"] == {"worker"}
    assert readers["audit"] == {"auditor", "desk"}
    assert writers["everyone"] == {"duty"}
    assert readers["input"] == {"worker", "analyst", "replies"}
    assert readers["dead_letters"] == {"privacy"}
    assert readers["changelog"] == {"worker", "memory"}
    assert writers["changelog"] == {"worker"}


def reads(consumer: KafkaConsumer, name: str) -> bool:
    """Poll a topic, which has a record, until that comes; KafkaError where it may not be read."""
    deadline = time.monotonic() + END_S
    while name in consumer.topics():
        if consumer.poll(timeout_ms=500):
            return True
        assert time.monotonic() < deadline, f"neither a record of {name} nor a refusal came"
    return False


def attempts(guarded: Castle, user: str, topics: Mapping[str, str]) -> set[tuple[str, str]]:
    """What this user is let do, tried on every topic with plain clients."""
    clients = client_arguments(guarded.settings(user).kafka)
    can = set()
    with (
        closing(KafkaConsumer(**clients, allow_auto_create_topics=False)) as consumer,
        closing(
            KafkaProducer(**clients, acks="all", max_block_ms=3_000, enable_idempotence=False)
        ) as producer,
    ):
        for topic, name in topics.items():
            place = TopicPartition(name, 0)
            # Any error counts as a refusal: where the right is there, it must not fail.
            with suppress(KafkaError):
                producer.send(name, key=b"try", value=b"{}", partition=0).get(timeout=END_S)
                can.add(("write", topic))
            with suppress(KafkaError):
                consumer.assign([place])
                consumer.seek(place, 0)
                if reads(consumer, name):
                    can.add(("read", topic))
    return can


def test_the_script_says_the_same_to_kafkas_own_tool(guarded: Castle, tmp_path: Path) -> None:
    settings = guarded.settings("admin")
    path = tmp_path / "acls.sh"
    path.write_text(script(rights(settings, PAIRS), settings.kafka.bootstrap))
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\nprintf "%s " "$@"; echo\n')
    tool.chmod(0o755)
    done = subprocess.run(
        ["sh", str(path)], capture_output=True, text=True, check=True,
        env={**os.environ, "KAFKA_ACLS": str(tool), "COMMAND_CONFIG": "admin.properties"},
    )  # fmt: skip
    said = set()
    for line in done.stdout.splitlines():
        words = shlex.split(line)
        principal = words[words.index("--allow-principal") + 1]
        kind = "topic" if "--topic" in words else "group"
        name = words[words.index(f"--{kind}") + 1]
        said |= {
            (principal, kind, name, words[i + 1].upper(), "prefixed" in words)
            for i, word in enumerate(words)
            if word == "--operation"
        }
    assert said == {
        (each.principal, each.kind, each.name, each.operation.replace("_", ""), each.prefixed)
        for each in rights(settings, PAIRS)
    }


def server(guarded: Castle, user: str, *words: str) -> Server:
    return ours(guarded.config(user), guarded.folder / "logs", user, *words)
