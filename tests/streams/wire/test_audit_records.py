"""The audit's records: what they may hold, and how one is tied to the one before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.wire.audit_records import (
    AuditRecord,
    chain_start,
    decode_audit,
    encode_audit,
    hash_record,
)
from streams.wire.version import UnreadableError

GOLDEN = Path(__file__).parents[2] / "golden" / "otpguard.audit.v1.jsonl"


def record(**changed: Any) -> AuditRecord:
    fields = {
        "chain": "cli/a", "seq": 0, "prev": chain_start("cli/a"), "at_ms": 5, "actor": "li",
        "channel": "cli", "verb": "release", "outcome": "done",
    }  # fmt: skip
    return AuditRecord(**{**fields, **changed})


def test_the_golden_examples_are_chained() -> None:
    first, second, other = GOLDEN.read_bytes().splitlines()
    assert decode_audit(first).prev == chain_start(decode_audit(first).chain)
    assert decode_audit(second).prev == hash_record(first)
    assert decode_audit(other).prev == chain_start(decode_audit(other).chain)


def test_two_chains_begin_differently_and_no_record_can_be_their_beginning() -> None:
    assert chain_start("a") != chain_start("b")
    assert chain_start("a") != hash_record(b"a")


@pytest.mark.parametrize(
    "changed",
    [
        {"chain": ""}, {"chain": "x" * 129}, {"seq": -1}, {"prev": "0" * 63}, {"prev": "G" * 64},
        {"verb": "Release"}, {"verb": ""}, {"outcome": "it went well"}, {"channel": "phone"},
        {"reason": "x" * 257}, {"until_ms": -1},
    ],
)  # fmt: skip
def test_what_is_no_audit_is_refused(changed: dict[str, Any]) -> None:
    good = encode_audit(record())
    decode_audit(good)
    with pytest.raises(UnreadableError):
        decode_audit(msgspec.json.encode(msgspec.json.decode(good) | changed))
