"""The labelled texts themselves: complete, consistent, and split by the rule of their README."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from detectors.recognise.platform.names import load_names
from detectors.recognise.text.fold import name_key

TEXTS = Path(__file__).parent / "texts"
SETS = sorted(path.name.removesuffix(".train.jsonl") for path in TEXTS.glob("*.train.jsonl"))
LATER = sorted(path.stem for path in TEXTS.glob("later-*.jsonl"))
HANDS = sorted(path.stem for path in TEXTS.glob("hand-*.jsonl") if ".blind" not in path.name)
FIELDS = {
    "text", "sender", "signature", "category", "otp", "code", "platform", "trust", "lang", "class",
}  # fmt: skip
LANGUAGES = set(
    "zh-Hans zh-Hant en ja ko ru es pt fr de it vi th id tr ar fa he hi".split()  # noqa: SIM905
)


def read(name: str, part: str) -> list[dict[str, Any]]:
    lines = (TEXTS / f"{name}.{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def everything() -> list[dict[str, Any]]:
    return [row for name in SETS for part in ("train", "heldout") for row in read(name, part)]


def test_there_are_enough_of_every_language_and_half_are_no_codes() -> None:
    rows = everything()
    assert len(rows) >= 660
    assert 0.45 < sum(row["otp"] for row in rows) / len(rows) < 0.55
    assert {row["lang"] for row in rows} == LANGUAGES
    for language in LANGUAGES:
        labels = Counter(row["otp"] for row in rows if row["lang"] == language)
        assert min(labels[True], labels[False]) >= 9, language


def test_no_text_stands_twice() -> None:
    keys = Counter((row["text"], row["sender"], row["category"]) for row in everything())
    assert keys.most_common(1)[0][1] == 1


def later(name: str) -> list[dict[str, Any]]:
    lines = (TEXTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


HALVES = ("later-6", "later-7")  # together one set in every language


@pytest.mark.parametrize("names", [[name] for name in LATER if name not in HALVES] + [HALVES])
def test_later_ones_are_in_every_language_half_of_them_codes_and_in_no_other_set(
    names: Sequence[str],
) -> None:
    rows = [row for name in names for row in later(name)]
    assert len(rows) >= 260
    assert 0.45 < sum(row["otp"] for row in rows) / len(rows) < 0.55
    counts = Counter(row["lang"] for row in rows)
    assert set(counts) == LANGUAGES
    assert min(counts.values()) >= 13
    others = [row for other in LATER if other not in names for row in later(other)] + everything()
    texts = [row["text"] for row in rows if row["text"]]
    assert len(set(texts)) == len(texts)
    assert not set(texts) & {row["text"] for row in others}


@pytest.mark.parametrize("name", [*SETS, *LATER])
def test_labels_are_consistent(name: str) -> None:
    sets = [later(name)] if name in LATER else [read(name, part) for part in ("train", "heldout")]
    for rows in sets:
        for row in rows:
            assert set(row) == FIELDS
            assert row["code"] is None or (row["otp"] and row["code"] in row["text"])
            assert row["code"] or not row["otp"] or row["class"] in ("prefix", "sender")
            scheme = (row["platform"] or "sig:").split(":", 1)[0]
            assert scheme in ("sig", "host", "from")
            trusts = (None, "bank", "government", "carrier", "emergency", "none")
            assert row["trust"] in trusts


@pytest.mark.parametrize("name", SETS)
def test_every_third_is_held_out(name: str) -> None:
    def place(row: dict[str, Any]) -> tuple[str, str, int]:
        return row["lang"], row["class"], zlib.crc32(f"{row['text']}\0{row['sender']}".encode())

    train, held = read(name, "train"), read(name, "heldout")
    whole = sorted([*train, *held], key=place)
    assert [row for at, row in enumerate(whole) if at % 3 == 2] == held
    assert [row for at, row in enumerate(whole) if at % 3 != 2] == train


def hand(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The open and the blind part of what one hand wrote."""
    return later(name), later(f"{name}.blind")


@pytest.mark.parametrize("name", HANDS)
def test_a_quarter_of_each_hand_s_texts_is_blind_by_its_checksum(name: str) -> None:
    seen, blind = hand(name)
    assert all(zlib.crc32(row["text"].encode()) % 4 != 3 for row in seen)
    assert all(zlib.crc32(row["text"].encode()) % 4 == 3 for row in blind)


@pytest.mark.parametrize("name", HANDS)
def test_labels_of_each_hand_are_consistent(name: str) -> None:
    for row in (row for part in hand(name) for row in part):
        assert set(row) == FIELDS
        assert row["code"] is None or (row["otp"] and row["code"] in row["text"])
        scheme = (row["platform"] or "sig:").split(":", 1)[0]
        assert scheme in ("sig", "host", "from", "text")


def test_texts_with_invented_names_are_codes_whose_names_are_on_no_list() -> None:
    seen, blind = later("names/invented"), later("names/invented.blind")
    assert all(zlib.crc32(row["text"].encode()) % 4 != 3 for row in seen)
    assert all(zlib.crc32(row["text"].encode()) % 4 == 3 for row in blind)
    rows = [*seen, *blind]
    assert len(rows) == len({row["text"] for row in rows})
    assert len({row["lang"].split("-")[0] for row in rows}) > 60
    for row in rows:
        assert set(row) == FIELDS
        assert row["otp"]
        assert row["code"] in row["text"]
        form, _, name = (row["platform"] or "text:").partition(":")
        assert form in ("text", "host")
        assert name_key(name) not in load_names().names
    assert 0.25 < sum(row["platform"] is None for row in rows) / len(rows) < 0.4


def test_no_two_texts_of_the_hands_are_one_pattern() -> None:
    rows = [row for name in HANDS for part in hand(name) for row in part]
    masked = Counter(re.sub(r"\d", "0", row["text"]) for row in rows)
    assert sum(times - 1 for times in masked.values()) <= len(rows) // 200
    assert 0.4 < sum(row["otp"] for row in rows) / len(rows) < 0.6
