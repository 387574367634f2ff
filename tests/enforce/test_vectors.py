"""The answers that gateways in other languages are tested with, checked against our own code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from detectors.leases.gate import Lease, Ruling, rule
from detectors.model.event import Trust, platform_id, platform_print
from detectors.model.records import AgainWindow, Scope
from detectors.recognise.recogniser import recognise
from detectors.recognise.registry import Registry
from streams.enforce.redis import lease_value

VECTORS: Final = json.loads(Path("deploy/gateways/vectors.json").read_text("utf-8"))
REGISTRY: Final = Registry.shipped()


def lease_of(fields: dict[str, Any] | None) -> Lease | None:
    if fields is None:
        return None
    trust = tuple(Trust[name.upper()] for name in fields["trust"])
    scope = Scope(fields["category"], trust, tuple(fields["ids"]), tuple(fields["prints"]))
    again = tuple(
        AgainWindow(each["id"], each["from"], each["until"], each.get("hot", False))
        for each in fields.get("again", ())
    )
    return Lease(fields["action"], fields["until"], scope, again)


@pytest.mark.parametrize("vector", VECTORS["platforms"], ids=lambda vector: vector["key"])
def test_ids_and_prints_are_those_of_the_detector(vector: dict[str, Any]) -> None:
    identity = platform_id(vector["key"])
    assert (identity, platform_print(identity)) == (vector["id"], vector["print"])


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


def test_every_answer_of_the_table_has_a_vector() -> None:
    assert {vector["ruling"] for vector in VECTORS["messages"]} == set(Ruling)
