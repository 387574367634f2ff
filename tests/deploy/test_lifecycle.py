"""An upgrade leaves records of other versions on every topic: what is read, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streams import wire
from streams.config import Settings
from streams.wire import VersionError

ROOT = Path(__file__).parents[2]
INPUT = "sms.delivery.v1"


def event(value: bytes) -> Any:
    """The one event in a record of the input, or what was wrong with it."""
    at_ms = json.loads(value).get("event_time_ms", 0)
    decoded = wire.decode(Settings().intake(), INPUT, 0, [value], [None], [0], [at_ms], 1)
    if decoded.rejects:
        (reject,) = decoded.rejects
        if reject.reason == "unknown_schema_version":
            raise VersionError(reject.reason)
        raise AssertionError(reject.reason)
    return decoded.batch


READERS: dict[str, Callable[[bytes], Any]] = {
    INPUT: event,
    "otpguard.throttle.v1": wire.decode_action,
    "otpguard.episode.v1": wire.decode_episode,
    "otpguard.throttle.acks.v1": wire.decode_ack,
    "otpguard.override.v1": wire.decode_override,
}


def records(topic: str) -> list[dict[str, Any]]:
    """The golden records of a topic."""
    lines = (ROOT / "tests" / "golden" / f"{topic}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("topic", READERS)
def test_records_without_what_was_added_since_are_read(topic: str) -> None:
    """What a schema does not require may be missing: it was added, or will be."""
    path = ROOT / "streams" / "wire" / "schemas" / f"{topic}.json"
    schema = json.loads(path.read_text("utf-8"))
    assert "schema_version" in schema["required"]
    for record in records(topic):
        required, kept = {*schema["required"]}, set[str]()
        for case in schema.get("allOf", []):  # what an override needs depends on its verb
            if Draft202012Validator(case["if"]).is_valid(record):
                required.update(case["then"].get("required", []))
                kept.update(case["if"].get("required", []))
        least = {name: value for name, value in record.items() if name in required | kept}
        READERS[topic](json.dumps(least).encode())
        for name in required & record.keys():
            less = {other: value for other, value in least.items() if other != name}
            with pytest.raises((ValueError, AssertionError)):
                READERS[topic](json.dumps(less).encode())


@pytest.mark.parametrize("topic", READERS)
def test_records_of_a_newer_major_version_are_refused_and_newer_fields_are_not(topic: str) -> None:
    for record in records(topic):
        READERS[topic](json.dumps(record | {"of_tomorrow": {"a": [1]}}).encode())
        with pytest.raises(VersionError, match="version"):
            READERS[topic](json.dumps(record | {"schema_version": 9}).encode())
