"""The images: built, then run from their roots as pods would run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import pytest
from kafka import KafkaConsumer, KafkaProducer

from streams.common.errors import Exit
from streams.common.extras import (
    CONSOLE_EXTRAS,
    CONSOLE_IMAGE,
    MODULES,
    TOOLS_EXTRAS,
    TOOLS_IMAGE,
)
from streams.tools.scenarios import generate
from tests.deploy.image import Builder, Image
from tests.enforce.loop import ready
from tests.enforce.services import Server, need
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.kafka

MEGABYTES_MAX: Final = {"worker": 150, "tools": 225, "console": 315}
"""Of /opt in each image. Measured: 144, 201 and 302, of which the live screen takes 13."""

EVERYTHING: Final = """
import importlib, pkgutil, sys, detectors, streams
from streams.common.extras import CONSOLE_EXTRAS, MODULES, TOOLS_EXTRAS
lacking = set()
for package in (detectors, streams):
    for each in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not each.name.startswith("streams.tools.demo") and not each.name.endswith("__main__"):
            try:
                importlib.import_module(each.name)
            except ModuleNotFoundError as error:
                lacking.add(error.name.partition(".")[0])
outside = set().union(*(MODULES[extra] for extra in (*CONSOLE_EXTRAS, *TOOLS_EXTRAS)))
assert lacking <= outside, lacking
print(*sorted(lacking))
"""
"""The demo brings its own broker, an extra that the images do without."""

INSTALLED: Final = """
import sys
from importlib.util import find_spec
print(*(module for module in sys.argv[1:] if find_spec(module)))
"""

LETTERS: Final = """
import sys
from streams.common import pdf
sys.stdout.buffer.write(pdf.write("验证码"))
"""


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    made = Builder(tmp_path_factory.mktemp("image"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def image(builder: Builder) -> Image:
    return builder.build("worker")


@pytest.fixture(scope="module")
def tools(builder: Builder) -> Image:
    return builder.build("tools")


@pytest.fixture(scope="module")
def console(builder: Builder) -> Image:
    return builder.build("console")


@pytest.fixture
def settings(kafka: Broker, unique: str, tmp_path: Path) -> Path:
    """Of an installation with names of its own on the suite's broker."""
    names = ("input", "throttle", "episode", "acks", "override", "everyone", "dead_letters")
    path = tmp_path / "otpguard.toml"
    topics = "".join(f'{name} = "{unique}.{name}"\n' for name in names)
    path.write_text(
        f'app_id = "{unique}"\nmode = "enforce"\ninput = {{country = "CN"}}\n'
        f'kafka = {{bootstrap = "{kafka.bootstrap}"}}\n'
        f"http = {{port = {free_port()}}}\n"
        f"[topics]\n{topics}partitions = 2\nreplication = 1\n"
    )
    return path


def done(
    image: Image, settings: Path, *words: str, stdin: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """A command, inside."""
    folder = settings.parent / f"{words[0].strip('-')}-root"
    return subprocess.run(
        image.command(folder, settings, *words, OTPGUARD_CONFIG="/etc/otpguard/otpguard.toml"),
        input=stdin.encode(), capture_output=True, check=False,
    )  # fmt: skip


def said(image: Image, settings: Path, *words: str, stdin: str = "") -> str:
    """What a command says inside, which has to end well."""
    ended = done(image, settings, *words, stdin=stdin)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-3000:]
    return ended.stdout.decode()


def python(image: Image) -> Image:
    """The same image, as its interpreter."""
    return replace(image, config={**image.config, "Entrypoint": ["/opt/otpguard/bin/python"]})


@pytest.mark.integration
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


@pytest.mark.integration
def test_nothing_that_a_command_needs_was_left_out(image: Image, settings: Path) -> None:
    lacking = set(said(python(image), settings, "-c", EVERYTHING).split())
    assert {"confluent_kafka", "jinja2", "matplotlib", "sqlalchemy"} <= lacking
    outside = set().union(*(MODULES[extra] for extra in (*CONSOLE_EXTRAS, *TOOLS_EXTRAS)))
    found = said(python(image), settings, "-c", INSTALLED, *sorted(outside)).split()
    assert found == []


@pytest.mark.integration
@pytest.mark.parametrize(
    ("words", "extra", "other"),
    [
        ("gate serve", "gate", TOOLS_IMAGE),
        ("cases ls", "cases", TOOLS_IMAGE),
        ("desk serve", "desk", CONSOLE_IMAGE),
        ("evidence key new --out /tmp/pack.pem", "evidence", CONSOLE_IMAGE),
        ("notify run", "notices", CONSOLE_IMAGE),
    ],
)
def test_the_worker_s_image_names_the_one_that_has_a_command(
    words: str, extra: str, other: str, image: Image, settings: Path
) -> None:
    with settings.open("a") as more:
        more.write('[notify]\noperator = "中国移动"\nsender = "10086"\nchannel = "smpp"\n')
        more.write('url = "smpp://127.0.0.1:2775"\nusername = "u"\npassword = "p"\n')
    ended = done(image, settings, *words.split())
    assert ended.returncode == Exit.CONFIG, ended.stderr
    assert f"whl[{extra}]', or the image {other}" in ended.stderr.decode()


@pytest.mark.integration
def test_a_history_is_calibrated_in_the_console_s_image(console: Image, settings: Path) -> None:
    history = "\n".join(json.dumps(event.value) for event in generate("A1", 3))
    found = json.loads(said(console, settings, "calibrate", "-", "--json", "-q", stdin=history))
    assert found["rates"]["current"]["throttle"]["episodes"] == 1


@pytest.mark.integration
def test_the_console_s_image_has_every_command(console: Image, settings: Path) -> None:
    assert said(python(console), settings, "-c", EVERYTHING).split() == []


@pytest.mark.integration
def test_the_desk_opens_in_the_console_s_image(
    console: Image, settings: Path, tmp_path: Path
) -> None:
    said(console, settings, "topics", "create")
    port = int(settings.read_text().partition("port = ")[2].partition("}")[0])
    pages = free_port()
    more = f'[desk]\nstore = "sqlite:////tmp/desk.db"\n[console]\nport = {pages}\n'
    settings.write_text(settings.read_text() + more)
    command = console.command(
        tmp_path / "desk", settings, "desk", "serve",
        OTPGUARD_CONFIG="/etc/otpguard/otpguard.toml",
    )  # fmt: skip
    with Server("desk", command, tmp_path, port) as desk:
        wait_until(lambda: ready(port), f"the desk is ready; see {desk.log}")
        with urlopen(f"http://127.0.0.1:{pages}/login", timeout=END_S) as answer:
            assert 'name="password"' in answer.read().decode()
        health = [*console.health[1:]]
        health[-1] = re.sub(r"range\(\d+, \d+\)", f"[{port}]", health[-1])
        subprocess.run([sys.executable, *health[1:]], check=True)  # as an engine asks
    assert desk.log.read_text().count("Traceback") == 0


@pytest.mark.integration
def test_a_pdf_has_chinese_letters_in_the_console_s_image(
    console: Image, settings: Path, tmp_path: Path
) -> None:
    ended = done(python(console), settings, "-c", LETTERS)
    assert ended.returncode == 0, ended.stderr
    (tmp_path / "letters.pdf").write_bytes(ended.stdout)
    text = subprocess.run(
        [need("pdftotext", "poppler-utils"), tmp_path / "letters.pdf", "-"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    fonts = subprocess.run(
        [need("pdffonts", "poppler-utils"), tmp_path / "letters.pdf"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "验证码" in text
    assert "WenQuanYi" in fonts


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("worker", marks=pytest.mark.integration),
        pytest.param("tools", marks=pytest.mark.guides),  # to build a third image takes minutes
        pytest.param("console", marks=pytest.mark.integration),
    ],
)
def test_the_images_stay_small(request: pytest.FixtureRequest, target: str) -> None:
    image: Image = request.getfixturevalue("image" if target == "worker" else target)
    size = image.megabytes("/opt")
    print(f"{target}: /opt {size} MB, all {image.megabytes('/')} MB")
    assert size <= MEGABYTES_MAX[target]
    left = [*(image.root / "opt").rglob("tests"), *(image.root / "opt").rglob("geodata")]
    assert not left
    assert not os.path.lexists(image.root / "opt/otpguard/bin/pip")
