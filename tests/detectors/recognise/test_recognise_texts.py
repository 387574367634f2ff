"""Recognition measured on the labelled texts: those the rules were written with, and those not.

The held-out third is only counted: a failing text is not shown, so that nobody writes rules to it
(how far that held is in the texts' README). The first time it was measured 249 of 257 were right
(96.9 %), all 124 look-alikes among them; words added later come from other texts
(`test_recognise_table`, `test_cues`, `test_recognise_wording`, `later-*.jsonl`). Of the
last 93.4, 93.9, 95.9, 98.7, 97.4, 95.2, 93.5 and 96.5 % were right the first time; what all but
`later-8` taught is in the rules since.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from detectors.recognise.decide import Verdict, recognise
from detectors.recognise.platform.keys import current_key
from tests.detectors.recognise.corpus import LEFT_OUT, author, everywhere

TEXTS = Path(__file__).parent / "texts"
REGISTRY = everywhere()


@dataclass
class Score:
    """Right answers out of all, by class; platforms and places of codes likewise."""

    right: Counter[str] = field(default_factory=Counter)
    all: Counter[str] = field(default_factory=Counter)

    def add(self, group: str, right: bool) -> None:
        self.all[group] += 1
        self.right[group] += right

    def share(self, group: str) -> float:
        return self.right[group] / self.all[group]

    def __str__(self) -> str:
        groups = sorted(self.all, key=lambda group: (self.share(group), group))
        return ", ".join(f"{group} {self.right[group]}/{self.all[group]}" for group in groups)


@cache
def recognised(text: str, sender: str, signature: str, category: str) -> Verdict:
    """What a labelled text is taken for. Its file is measured by itself and with all others."""
    return recognise(REGISTRY, text, sender, signature, category)


def measure(files: str, left_out: Collection[str] = LEFT_OUT) -> Score:
    score = Score()
    rows: list[dict[str, Any]] = [
        json.loads(line)
        for path in sorted(TEXTS.glob(f"{files}.jsonl"))
        if not path.name.endswith(".blind.jsonl") and author(path.name) not in left_out
        for line in path.read_text("utf-8").splitlines()
    ]
    for row in rows:
        verdict = recognised(row["text"], row["sender"], row["signature"], row["category"])
        right = verdict.otp == row["otp"]
        kind = "code" if row["otp"] else "look-alike"
        groups = ("all", f"class {row['class']}", f"lang {row['lang']}", kind)
        for group in groups if row["otp"] else (*groups, f"look-alike {row['class']}"):
            score.add(group, right)
        if row["platform"] and not row["platform"].startswith("text:"):
            owners = REGISTRY.sender(row["sender"]).owners
            by_port = owners and verdict.platform == f"sig:{owners[0].key}"
            known = by_port or verdict.platform == current_key(REGISTRY, row["platform"])
            score.add("platform", known)
        if row["code"] and verdict.otp:
            span = verdict.code_span
            score.add("place", span is not None and row["text"][slice(*span)] == row["code"])
    return score


@pytest.mark.parametrize(
    ("files", "least"),
    [("*", 0.97), ("*.train", 0.98), ("*.heldout", 0.98), ("later-*", 0.98), ("hand-*", 0.94)],
)
def test_nearly_all_labelled_texts_are_told_right(files: str, least: float) -> None:
    """Of the hands, a twelfth hide their code on purpose."""
    score = measure(files)
    print(f"\n{files}: {score}")
    assert score.all["all"] >= 250
    assert score.share("all") >= least
    assert score.share("platform") >= 0.97
    assert score.share("place") >= (0.97 if least > 0.94 else 0.93)
    assert score.share("look-alike") >= least


def test_what_the_model_is_not_trained_on_is_told_by_the_rules() -> None:
    score = measure("hand-near", left_out=())
    assert score.all["all"] >= 500
    assert min(score.share("code"), score.share("look-alike")) >= 0.9


def test_no_kind_of_look_alike_is_often_taken_for_a_code() -> None:
    score = measure("*")
    shares = {
        group: score.share(group)
        for group, texts in score.all.items()
        if group.startswith("look-alike ") and texts >= 40
    }
    assert len(shares) >= 15
    assert min(shares.values()) >= 0.94, shares
