"""Producers whose clients hash keys in their own ways, on a real broker: who is right is told."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from kafka import KafkaProducer

from tests.builders.streams.engine.worker.app import start_worker
from tests.faults.driver import Plan, Run
from tests.nodes import Broker
from tests.ports import free_port
from tests.streams.engine.worker.scraped import scraped
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.kafka

EVENTS = 400


def _events() -> list[tuple[bytes, bytes]]:
    """Keys and values: everybody gets one message, keyed rightly."""
    now_ms = int(time.time() * 1000)
    return [
        (
            f"86170{number:08d}".encode(),
            json.dumps({
                "schema_version": 1, "recipient": f"+86170{number:08d}", "sender": "10690000",
                "event_time_ms": now_ms, "message_id": str(number), "text": "【某校】验证码 123456",
            }).encode(),
        )
        for number in range(EVENTS)
    ]  # fmt: skip


def librdkafka(bootstrap: str, topic: str, **settings: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, **settings})
    for key, value in _events():
        producer.produce(topic, value, key)
    assert producer.flush(END_S) == 0


def librdkafka_as_told(bootstrap: str, topic: str) -> None:
    librdkafka(bootstrap, topic, partitioner="murmur2_random")


def aiokafka(bootstrap: str, topic: str) -> None:
    async def produce() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            for key, value in _events():
                await producer.send(topic, value, key)

    asyncio.run(produce())


def kafka_python(bootstrap: str, topic: str) -> None:
    with closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer:
        for key, value in _events():
            producer.send(topic, value, key)
        producer.flush()


def _checked(run: Run) -> tuple[list[str], dict[str, str]]:
    """The problems that `topics check` names, and the state of each finding of `doctor`."""
    config = str(run.folder / f"{run.name}.toml")
    check, doctor = (
        subprocess.run(
            [sys.executable, "-m", "streams", *words, "--config", config],
            capture_output=True, text=True, check=False, timeout=END_S,
        )
        for words in (("topics", "check", "--json"), ("doctor", "--json"))
    )  # fmt: skip
    assert "Traceback" not in check.stderr + doctor.stderr
    found = {each["check"]: each["state"] for each in json.loads(doctor.stdout)}
    return json.loads(check.stdout)["problems"], found


@pytest.mark.parametrize(
    ("produce", "misplaced_share"),
    [(librdkafka, 0.75), (librdkafka_as_told, 0.0), (aiokafka, 0.0), (kafka_python, 0.0)],
)
def test_worker_doctor_and_topics_check_tell_a_client_that_hashes_otherwise(
    produce: Callable[[str, str], None],
    misplaced_share: float,
    kafka: Broker,
    unique: str,
    tmp_path: Path,
) -> None:
    run = Run(Plan(1, script=(), stall_s=END_S), kafka, unique, tmp_path)
    run.create_topics()
    produce(kafka.bootstrap, run.settings.topics.input)
    port = free_port()
    process = start_worker(run, OTPGUARD_HTTP_PORT=str(port))
    try:
        wait_until(lambda: scraped(port, "events_total", outcome="counted") == EVENTS)
        assert scraped(port, "noncanonical_keys_total") == 0
        misplaced = scraped(port, "misplaced_keys_total")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=END_S)
    assert misplaced == pytest.approx(misplaced_share * EVENTS, abs=0.15 * EVENTS * misplaced_share)
    problems, found = _checked(run)
    assert found["keys"] == "ok"
    assert found["partitions"] == ("bad" if misplaced_share else "ok")
    assert ["murmur2_random" in each for each in problems] == ([True] if misplaced_share else [])
