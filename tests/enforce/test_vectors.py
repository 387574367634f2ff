"""The answers that gateways in other languages are tested with, checked against our own code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from detectors.leases.gateway_rule import Ruling, rule
from detectors.model.event import EventKind, is_message, platform_id, platform_print
from detectors.recognise.decide import recognise
from detectors.recognise.platform.keys import current_key
from detectors.recognise.platform.names import WORDS
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import Recogniser
from detectors.recognise.rules.signature import is_note
from detectors.recognise.text.fold import name_key
from streams.gateways.enforce.redis import aliases, lease_value
from streams.wire.events import Intake, decode
from streams.wire.recipients import Numbers
from tests.builders.enforce.vectors import VECTORS, lease_of
from tests.enforce.coarse import coarse_key, coarse_passes

REGISTRY: Final = Registry.load_shipped()
TABLE: Final = aliases(REGISTRY)
BRANDS: Final = Path("tests/detectors/recognise/wordings/brands.jsonl")


@pytest.mark.parametrize("vector", VECTORS["platforms"], ids=lambda vector: vector["key"])
def test_ids_and_prints_are_those_of_the_detector(vector: dict[str, Any]) -> None:
    identity = platform_id(vector["key"])
    assert (identity, platform_print(identity)) == (vector["id"], vector["print"])


@pytest.mark.parametrize("vector", VECTORS["names"], ids=lambda vector: vector["written"])
def test_names_lead_to_the_keys_of_the_detector(vector: dict[str, Any]) -> None:
    assert current_key(REGISTRY, vector["written"]) == vector["key"]


def test_the_data_of_the_coarser_rule_is_the_detector_s() -> None:
    for letter, simplified in VECTORS["simplified"].items():
        assert name_key(letter) == simplified
    for suffix in VECTORS["suffixes"]:
        assert name_key(f"某某{suffix}") == "某某"
    assert set(VECTORS["shared"]) == WORDS["shared"]
    assert all(map(is_note, VECTORS["notes"]))


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_the_coarser_rule_passes_more_and_never_less(vector: dict[str, Any]) -> None:
    passes = coarse_passes(VECTORS, TABLE, vector["lease"], vector["sender"], vector["text"])
    if vector["ruling"] == Ruling.KNOWN:
        assert passes, "without the help of any other line"
    assert vector["coarse_passes"] == (vector["passes"] or passes)


def test_the_coarser_rule_passes_every_wording_of_a_known_brand() -> None:
    told = 0
    for row in map(json.loads, BRANDS.read_text("utf-8").splitlines()):
        for each in row["wordings"]:
            key = recognise(REGISTRY, each["text"], each["sender"]).platform
            known = {"v": 1, "ids": [platform_id(key)], "prints": []}
            assert coarse_passes(VECTORS, TABLE, known, each["sender"], each["text"]), each
            told += coarse_key(VECTORS, TABLE, each["sender"], each["text"]) == key
    assert told >= 200, "it refuses something"


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_rulings_are_those_of_the_detector(vector: dict[str, Any]) -> None:
    lease = lease_of(vector["lease"])
    if lease is not None:
        assert json.loads(lease_value(lease)) == vector["lease"]
    verdict = recognise(REGISTRY, vector["text"], sender=vector["sender"])
    assert verdict.otp == vector["otp"]
    assert verdict.platform == vector["platform"]
    assert verdict.trust.name.lower() == vector["trust"]
    ruling = rule(
        lease,
        otp=verdict.otp,
        platform=verdict.platform,
        trust=verdict.trust,
        now_ms=vector["now_ms"],
    )
    assert (str(ruling), ruling is not Ruling.REFUSE) == (vector["ruling"], vector["passes"])


@pytest.mark.parametrize("vector", VECTORS["marks"], ids=lambda vector: vector["name"])
def test_category_attempt_and_part_mean_what_the_vectors_say(vector: dict[str, Any]) -> None:
    event = {
        "schema_version": 1,
        "recipient": "8613900000001",
        "event_time_ms": 1_760_000_000_000,
        "message_id": "a-1",
        **vector["fields"],
    }
    value = json.dumps(event).encode()
    batch = decode(Intake(Numbers("CN")), "t", 0, [value], [None], [0], None, 1).batch
    assert Recogniser(REGISTRY).columns(batch).otp.tolist() == [vector["otp"]]
    assert (batch.kind[0] == EventKind.MESSAGE) == vector["first"]
    assert is_message(batch.kind).all()


def test_every_answer_of_the_table_has_a_vector() -> None:
    assert {vector["ruling"] for vector in VECTORS["messages"]} == set(Ruling)
