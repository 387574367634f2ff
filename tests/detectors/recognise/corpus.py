"""The labelled texts as rows, for training, cross-validation and tests.

Held-out and blind files are read only where a measurement asks for them by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from detectors.recognise.platform.registry import SHIPPED, Registry
from tests.builders.detectors.recognise import (
    cues,
    recognise_neighbours as neighbours,
    recognise_table as table,
)

TEXTS: Final = Path(__file__).parent / "texts"
NAMES: Final = TEXTS / "names"
"""Codes with invented names of platforms or none, to measure naming; nothing trains on them."""
KEPT_BACK: Final = (".heldout.jsonl", ".blind.jsonl")
"""Ends of names of files that nothing is trained on."""
LEFT_OUT: Final = ("hand-near", "hand-brief")
"""Hands that rules were written with and the model is not trained on: of the other texts it finds
.8 to 1.6 % fewer codes with them, and refuses hardly more look-alikes; see the texts' README."""


def everywhere() -> Registry:
    """All shipped registries at once, each as it is at home: the texts come from all countries."""
    registry = Registry()
    for country in SHIPPED:
        registry, _ = registry.merge(Registry.load_shipped(country))
    return registry


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text."""

    text: str
    sender: str
    signature: str
    category: str
    otp: bool
    code: str | None
    platform: str | None
    lang: str
    kind: str  # its class
    author: str  # who wrote it; texts of one hand are never on both sides of a fold


def read(path: Path) -> Iterator[Row]:
    """The rows of one file."""
    for line in path.read_text("utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        yield Row(
            row["text"],
            row["sender"],
            row["signature"],
            row["category"],
            row["otp"],
            row["code"],
            row["platform"],
            row["lang"],
            row["class"],
            author(path.name),
        )


def author(file: str) -> str:
    """Who wrote a file: the first sets are of one hand, `later` ones of others, two files each.

    >>> author("europe.train.jsonl"), author("later-7.jsonl"), author("hand-zh.blind.jsonl")
    ('first', 'later-6', 'hand-zh')
    """
    name = file.split(".", maxsplit=1)[0]
    if name.startswith("hand-"):
        return name
    pairs = {"later-2": "later-1", "later-3": "later-1", "later-5": "later-4", "later-7": "later-6"}
    return pairs.get(name, name if name.startswith("later-") else "first")


def files(*, kept_back: bool = False) -> list[Path]:
    """The files to train on, or those kept back, in order of their names."""
    return [
        path for path in sorted(TEXTS.glob("*.jsonl")) if path.name.endswith(KEPT_BACK) == kept_back
    ]


def rows(*, kept_back: bool = False) -> list[Row]:
    """All rows with a text and without a category, which would decide for itself."""
    found = [row for path in files(kept_back=kept_back) for row in read(path)]
    if not kept_back:
        found = [row for row in found if row.author not in LEFT_OUT]
    if not kept_back:
        found += [*wording(), *tables()]
    return [row for row in found if row.text and not row.category]


def wording() -> list[Row]:
    """The texts that rules were tried on while they were written; see the texts' README."""
    found = []
    for line in (TEXTS / "wording.txt").read_text("utf-8").splitlines():
        kind, _, text = line.partition("|")
        sender = "+447700900102" if kind == "person" else "Example"
        found.append(
            Row(text, sender, "", "", kind == "code", None, None, "", kind, author="wording")
        )
    return found


def tables() -> list[Row]:
    """The texts that stand in the tests of the rules."""
    lists = (
        ("table", True, table.CODES),
        ("table", False, table.LOOK_ALIKES),
        ("cues", True, cues.CODES),
        ("cues", False, cues.LOOK_ALIKES),
        ("neighbours", True, neighbours.WITH_A_WAY_OUT),
        ("neighbours", True, neighbours.AFTER_A_CARD),
        ("neighbours", False, neighbours.LOOK_ALIKES),
    )
    return [
        Row(text, "Example", "", "", otp, None, None, "", name, author="tables")
        for name, otp, texts in lists
        for text in texts
    ]
