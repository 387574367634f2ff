"""One version of Kafka: what is rehearsed on is what is tested on. The changelog has a day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from streams import __version__
from tests.clusters import KAFKA_VERSION
from tests.deploy.tools import ROOT

PINS = re.compile(
    r"apache/kafka(?:-native)?:(\S+)"
    r"|<kafka\.version>(\d[^<]*)<"
    r"|<groupId>org\.apache\.kafka</groupId>\s*<artifactId>[^<]+</artifactId>\s*<version>(\d[^<]*)<"
    r"|(?:get\s+and\s+run|the\s+broker\s+is)\s+Apache\s+Kafka\s+(\d[\d.]*\d)"
)
"""Images, what Maven gets, and what pages say of either. What was measured keeps its version."""

SUFFIXES = {".yaml", ".yml", ".xml", ".md", ".json", ".toml", ".j2", ".sh", ""}


def pins(root: Path) -> Iterator[tuple[str, str]]:
    """Every file that names a version of Kafka to get, and that version."""
    for folder in ("deploy", "tests", ".github", ".ci", ".devcontainer"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file() and "node_modules" not in path.parts:
                yield from pinned(path)
    yield from pinned(root / "README.md")


def pinned(path: Path) -> Iterator[tuple[str, str]]:
    for found in PINS.finditer(path.read_text("utf-8", errors="replace")):
        yield path.name, next(filter(None, found.groups()))


def test_every_pin_of_kafka_is_of_one_version() -> None:
    found = list(pins(ROOT))
    poms = {"pom.xml", "kafka-mirror.pom.xml", "kafka-tools.pom.xml"}
    names = {"README.md", "compose.yaml", *poms}
    assert {name for name, _ in found} == names
    assert len(found) == 7, "both READMEs, the four of Maven and the image"
    assert [each for each in found if each[1] != KAFKA_VERSION] == []


def test_the_changelog_has_the_day_of_this_version() -> None:
    head = rf"^## {re.escape(__version__)}, 20\d\d-\d\d-\d\d$"
    assert re.search(head, (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)


def test_a_pin_of_another_version_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "compose.yaml").write_text("image: apache/kafka:4.1.1\n", "utf-8")
    (tmp_path / "README.md").write_text("to get and run Apache Kafka\n4.0.0, and\n", "utf-8")
    assert list(pins(tmp_path)) == [("compose.yaml", "4.1.1"), ("README.md", "4.0.0")]
