"""A number and a code sent through everything, and looked for in all that is written by it.

The code may be in the input and in the dead letters alone. The number may be in keys and values of
the topics that are about recipients: in no header, log or metric, and in nothing of a worker's
dead letters but the original key and value.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaProducer

from streams.cluster.kafka_rights import names
from streams.cluster.topics import create
from streams.config import load
from streams.tools.scenarios import generate
from streams.wire import decode_audit, decode_incident
from tests.builders.streams.tools.operate.diagnosis import NAMES
from tests.enforce.loop import ready
from tests.enforce.services import ours
from tests.nodes import Broker
from tests.reading import written
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.broker

CODE: Final = "80417293"
SENDER: Final = "1069055512345678"


def test_numbers_and_codes_are_where_they_must_be_and_nowhere_else(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    config = tmp_path / "otpguard.toml"
    config.write_text("\n".join([
        f'app_id = "{unique}"',
        'mode = "enforce"',
        'input = {country = "CN"}',
        f'kafka = {{bootstrap = "{broker.bootstrap}"}}',
        f'worker = {{data_dir = "{tmp_path}/worker", checkpoint_cycle_s = 1}}',
        "detect = {recipients_max = 100_000}",
        "[topics]", "partitions = 1", "replication = 1",
        *(f'{name} = "{unique}.{name}"' for name in NAMES),
    ]))  # fmt: skip
    settings = load(config)
    create(settings)
    topics = names(settings)
    programs = [
        ours(config, tmp_path, "worker", "worker"),
        ours(config, tmp_path, "adapter", "enforce", "log"),
    ]
    with programs[0], programs[1], closing(
        KafkaProducer(bootstrap_servers=broker.bootstrap)
    ) as producer:  # fmt: skip
        for each in programs:
            wait_until(lambda: ready(each.port), f"{each.name} is ready")  # noqa: B023
        recipient = ""
        for value in flood():
            recipient = str(value["recipient"]).lstrip("+")
            producer.send(topics["input"], json.dumps(value).encode(), key=recipient.encode())
        broken = {"recipient": recipient, "text": f"验证码 {CODE}", "sender": SENDER}
        producer.send(topics["input"], json.dumps(broken).encode(), key=recipient.encode())
        producer.send(topics["input"], f"no JSON {CODE} {recipient}".encode(), key=b"x")
        producer.flush()
        wait_until(lambda: len(records(broker, topics["acks"])) > 0, "an acknowledgement")
        wait_until(lambda: len(records(broker, topics["dead_letters"])) == 2, "dead letters")
        wait_until(lambda: len(records(broker, topics["changelog"])) > 1, "a checkpoint")
        wait_until(lambda: len(records(broker, topics["incident"])) > 1, "an incident")
        said = spoken(config, tmp_path, "release", recipient, "-r", "she called", "--wait", "60")
        written = {
            f"metrics of {each.name}": urllib.request.urlopen(
                f"http://127.0.0.1:{each.port}/metrics"
            ).read()
            for each in programs
        }
    written["what release says"] = said
    written |= {f"log of {each.name}": each.log.read_bytes() for each in programs}
    refused = topics["dead_letters"]
    for name in topics.values():
        for record in records(broker, name):
            # a dead letter's original key is in a header of that name
            kept = [pair for pair in record.headers if (name, pair[0]) != (refused, "key")]
            headers = b"".join(key.encode() + value for key, value in kept)
            written[f"headers of {name}@{record.offset}"] = headers
    secrets = (CODE.encode(), recipient.encode(), recipient[2:].encode(), SENDER.encode())
    assert len(written) > 20
    leaks = {w: what for w, what in written.items() if any(each in what for each in secrets)}
    assert leaks == {}

    dead = records(broker, topics["dead_letters"])
    assert all(CODE.encode() in record.value for record in dead)
    for topic in topics.keys() - {"input", "dead_letters"}:
        found = [r for r in records(broker, topics[topic]) if CODE.encode() in (r.value or b"")]
        assert found == [], topic
    for topic in topics.keys() - {"input", "dead_letters"}:
        values = b"".join(each.value or b"" for each in records(broker, topics[topic]))
        assert "验证码".encode() not in values, topic  # nor anything else of a text
    about = {"throttle", "episode", "override", "everyone", "changelog", "incident", "audit"}
    for topic in topics.keys() - about - {"input", "dead_letters", "undeliverable"}:
        for record in records(broker, topics[topic]):
            assert recipient.encode() not in (record.key or b"") + (record.value or b""), topic
    incidents = records(broker, topics["incident"])
    senders = [m.sender for r in incidents for m in decode_incident(r.value).messages]
    assert any(senders)  # the one topic of ours that has them: SECURITY.md
    for topic in topics.keys() - {"input", "dead_letters", "incident", "episode", "changelog"}:
        values = b"".join(each.value or b"" for each in records(broker, topics[topic]))
        assert not any(sender and sender.encode() in values for sender in senders), topic
    assert [decode_audit(r.value).outcome for r in records(broker, topics["audit"])] == [
        "asked",
        "done",
    ]
    leases = records(broker, topics["throttle"])
    assert any(recipient.encode() in record.value for record in leases)  # the search can find


def flood() -> Iterator[dict[str, Any]]:
    """The incident, just over, with the same code in every message."""
    start_ms = time.time_ns() // 1_000_000 - 36 * 60_000  # it lasts 35 minutes
    for each in generate("A1", 11, recipient=3_000_003, start_ms=start_ms, memory=8):
        value = dict(each.value)
        if "text" in value:
            value["text"] = re.sub(r"(?<!\d)\d{4,8}(?!\d)", CODE, value["text"])
        yield value


def spoken(config: Path, folder: Path, *words: str) -> bytes:
    """What a command says on both its outputs; it is done without a fault."""
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words, "--config", str(config)],
        capture_output=True, check=False, timeout=END_S,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def records(broker: Broker, topic: str) -> list[Any]:
    """All there are now."""
    return written({"bootstrap_servers": broker.bootstrap}, topic)
