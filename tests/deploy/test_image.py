"""The image: built, then run from its root as a pod would run it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from kafka import KafkaConsumer, KafkaProducer

from streams.demo.brokers import Broker
from streams.scenarios import generate
from tests.deploy.image import Builder, Image
from tests.enforce.loop import ready
from tests.enforce.services import Server
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.integration]

MEGABYTES_MAX: Final = 300
"""Of /opt in the image. Measured with every command: 287, of which the desk, evidence and notices
are 91; with `feed` and `report` alone it was 196."""

EVERYTHING: Final = """
import importlib, pkgutil, detectors, streams
for package in (detectors, streams):
    for each in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not each.name.startswith("streams.demo") and not each.name.endswith("__main__"):
            importlib.import_module(each.name)
"""
"""The demo brings its own broker, an extra that the image does without."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    builder = Builder(tmp_path_factory.mktemp("image"))
    try:
        yield builder.build()
    finally:
        builder.close()


@pytest.fixture
def settings(kafka: Broker, unique: str, tmp_path: Path) -> Path:
    """Of an installation with names of its own on the suite's broker."""
    names = ("input", "throttle", "episode", "acks", "override", "everyone", "dead_letters")
    path = tmp_path / "otpguard.toml"
    topics = "".join(f'{name} = "{unique}.{name}"\n' for name in names)
    path.write_text(
        f'app_id = "{unique}"\nmode = "enforce"\nkafka = {{bootstrap = "{kafka.bootstrap}"}}\n'
        f"http = {{port = {free_port()}}}\n"
        f"[topics]\n{topics}partitions = 2\nreplication = 1\n"
    )
    return path


def said(image: Image, settings: Path, *words: str, stdin: str = "") -> str:
    """What a command says inside, which has to end well."""
    folder = settings.parent / f"{words[0].strip('-')}-root"
    done = subprocess.run(
        image.command(folder, settings, *words, OTPGUARD_CONFIG="/etc/otpguard/otpguard.toml"),
        input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def test_a_worker_of_the_image_throttles_a_flood(
    image: Image, settings: Path, kafka: Broker, unique: str, tmp_path: Path
) -> None:
    assert image.config["User"] == "10001:10001"
    assert image.health[:2] == ["CMD", "python"]
    said(image, settings, "topics", "create")
    port = int(settings.read_text().partition("port = ")[2].partition("}")[0])
    command = image.command(
        tmp_path / "worker", settings, OTPGUARD_CONFIG="/etc/otpguard/otpguard.toml"
    )
    flood = list(generate("A2", 1, recipient=7))
    consumer = KafkaConsumer(
        f"{unique}.throttle", bootstrap_servers=kafka.bootstrap, group_id=None,
        auto_offset_reset="earliest",
    )  # fmt: skip
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    with Server("worker", command, tmp_path, port) as worker:
        wait_until(lambda: ready(port), f"the worker is ready; see {worker.log}")
        for event in flood:
            key = str(event.value["recipient"]).lstrip("+").encode()
            producer.send(f"{unique}.input", json.dumps(event.value).encode(), key=key)
        producer.flush()
        leases: list[dict[str, object]] = []

        def throttled() -> bool:
            for records in consumer.poll(timeout_ms=200).values():
                leases.extend(json.loads(record.value) for record in records)
            return any(lease["verb"] == "throttle" for lease in leases)

        wait_until(throttled, f"a lease; see {worker.log}")
        assert worker.process is not None
        status = Path(f"/proc/{worker.process.pid}/status").read_text()
        assert "Uid:\t10001\t10001" in status
        mounts = Path(f"/proc/{worker.process.pid}/mountinfo").read_text().splitlines()
        root, *_ = [fields for line in mounts if (fields := line.split())[4] == "/"]
        assert root[5].startswith("ro")
    assert worker.log.read_text().count("Traceback") == 0
    consumer.close()
    producer.close()


def test_nothing_that_a_command_needs_was_left_out(image: Image, settings: Path) -> None:
    python = {**image.config, "Entrypoint": ["/opt/otpguard/bin/python"]}
    said(replace(image, config=python), settings, "-c", EVERYTHING)


def test_a_report_is_drawn_in_the_image(image: Image, settings: Path) -> None:
    history = "\n".join(json.dumps(event.value) for event in generate("A1", 3))
    found = json.loads(
        said(image, settings, "calibrate", "-", "--json", "--report", "/tmp/report.html", "-q",
             stdin=history)
    )  # fmt: skip
    assert found["rates"]["current"]["throttle"]["episodes"] == 1


def test_the_image_stays_small(image: Image) -> None:
    assert image.megabytes("/opt") <= MEGABYTES_MAX
    left = [*(image.root / "opt").rglob("tests"), *(image.root / "opt").rglob("geodata")]
    assert not left
    assert not os.path.lexists(image.root / "opt/otpguard/bin/pip")
