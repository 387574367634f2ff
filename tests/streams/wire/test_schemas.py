"""Every topic's JSON Schema, the golden examples, and the code say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest

from streams import wire
from streams.cluster.topics import topics
from streams.config import Settings
from streams.wire import Intake, Numbers, Outcome, UnreadableError
from streams.wire.campaign_records import _Campaign
from streams.wire.events import Event
from streams.wire.incident_records import _Incident
from streams.wire.outputs import _Episode, _Throttle
from streams.wire.platform_records import _Part, _Platform
from streams.wire.version import TIME_MAX_MS
from tests.builders.streams.wire.bytes import DECODERS

GOLDEN = Path(__file__).parents[2] / "golden"
SCHEMAS = resources.files("streams.wire") / "schemas"
STRUCTS: dict[str, type[msgspec.Struct]] = {
    "sms.delivery.v1": Event,
    "otpguard.throttle.v1": _Throttle,
    "otpguard.episode.v1": _Episode,
    "otpguard.throttle.acks.v1": wire.Ack,
    "otpguard.override.v1": wire.Override,
    "otpguard.incident.v1": _Incident,
    "otpguard.throttle.counts.v1": wire.Counts,
    "otpguard.audit.v1": wire.AuditRecord,
    "otpguard.notice.v1": wire.Notice,
    "otpguard.campaign.v1": _Campaign,
    "otpguard.platform.parts.v1": _Part,
    "otpguard.platform.v1": _Platform,
}
ROUND_TRIPS: dict[str, Callable[[bytes], bytes]] = {
    "otpguard.throttle.v1": lambda value: wire.encode_action(wire.decode_action(value)),
    "otpguard.episode.v1": lambda value: wire.encode_episode(wire.decode_episode(value)),
    "otpguard.throttle.acks.v1": lambda value: wire.encode_ack(wire.decode_ack(value)),
    "otpguard.override.v1": lambda value: wire.encode_override(wire.decode_override(value)),
    "otpguard.incident.v1": lambda value: wire.encode_incident(wire.decode_incident(value)),
    "otpguard.throttle.counts.v1": lambda value: wire.encode_counts(wire.decode_counts(value)),
    "otpguard.audit.v1": lambda value: wire.encode_audit(wire.decode_audit(value)),
    "otpguard.notice.v1": lambda value: wire.encode_notice(wire.decode_notice(value)),
    "otpguard.campaign.v1": lambda value: wire.encode_campaign(wire.decode_campaign(value)),
    "otpguard.platform.parts.v1": lambda value: wire.encode_part(wire.decode_part(value)),
    "otpguard.platform.v1": lambda value: wire.encode_platform(wire.decode_platform(value)),
}


def schema(topic: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{topic}.json").read_text("utf-8"))
    return loaded


def validator(topic: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(topic))


def golden(topic: str) -> list[bytes]:
    return (GOLDEN / f"{topic}.jsonl").read_bytes().splitlines()


def test_every_topic_of_json_has_a_schema_that_is_one() -> None:
    names = {topic.name for topic in topics(Settings()) if topic.role != "changelog"}
    shipped = {path.name.removesuffix(".json") for path in SCHEMAS.iterdir()}
    # these two hold values of the throttle and of the override topic
    assert shipped >= names - {"otpguard.throttle.v1.dlq", "otpguard.override.all.v1"}
    for name in shipped:
        jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("topic", STRUCTS)
def test_golden_examples_are_valid(topic: str) -> None:
    assert golden(topic)
    for line in golden(topic):
        validator(topic).validate(json.loads(line))


@pytest.mark.parametrize("topic", ROUND_TRIPS)
def test_golden_examples_are_read_and_written_again_byte_for_byte(topic: str) -> None:
    for line in golden(topic):
        assert ROUND_TRIPS[topic](line) == line


def test_golden_events_are_taken_in_as_they_should_be() -> None:
    values = golden("sms.delivery.v1")
    n = len(values)
    decoded = wire.decode(Intake(Numbers("CN")), "in", 0, values, [None] * n, range(n), None, n)
    assert decoded.rejects == []
    assert {outcome: count for outcome, count in decoded.outcomes.items() if count} == {
        Outcome.COUNTED: 8,
        Outcome.RECYCLED: 1,
        Outcome.OTHER_TYPE: 4,
        Outcome.LATER_SEGMENT: 1,
        Outcome.LATER_ATTEMPT: 1,
        Outcome.MOBILE_ORIGINATED: 1,
    }
    numbers = set(decoded.batch.recipient.tolist()) - set(decoded.batch.tokens)
    assert numbers == {8617000000001}


@pytest.mark.parametrize("topic", STRUCTS)
def test_schema_and_code_know_the_same_fields(topic: str) -> None:
    fields = msgspec.structs.fields(STRUCTS[topic])
    properties = schema(topic)["properties"]
    assert {field.encode_name for field in fields} <= properties.keys()
    required = {field.encode_name for field in fields if field.required}
    if topic in ROUND_TRIPS:  # the version has a default in code, for whoever writes
        assert {field.encode_name for field in fields} == properties.keys()
        required.add("schema_version")
    assert required == set(schema(topic)["required"])


@pytest.mark.parametrize("topic", STRUCTS)
def test_schema_and_code_refuse_the_same_absences_and_types(topic: str) -> None:
    decode = {"sms.delivery.v1": msgspec.json.Decoder(Event).decode, **DECODERS}[topic]
    event = json.loads(golden(topic)[0])
    required = [*schema(topic)["required"]]
    for case in schema(topic).get("allOf", []):  # by version or by verb
        if jsonschema.Draft202012Validator(case["if"]).is_valid(event):
            required += case["then"].get("required", [])
    for name in required:
        for bad in ({k: v for k, v in event.items() if k != name}, event | {name: [[]]}):
            assert not validator(topic).is_valid(bad), name
            with pytest.raises((msgspec.DecodeError, ValueError)):
                decode(json.dumps(bad).encode())


def test_limits_of_an_event_are_the_same_in_schema_and_code() -> None:
    decode = msgspec.json.Decoder(Event).decode
    event = json.loads(golden("sms.delivery.v1")[0])
    for field in msgspec.structs.fields(Event):
        said = schema("sms.delivery.v1")["properties"][field.name]
        beyond: dict[str, object] = {}
        if "maxLength" in said:
            beyond["maxLength"] = "x" * (said["maxLength"] + 1)
        if "maximum" in said:
            beyond |= {"maximum": said["maximum"] + 1, "minimum": said["minimum"] - 1}
        for bad in beyond.values():
            with pytest.raises(msgspec.ValidationError):
                decode(json.dumps(event | {field.name: bad}).encode())


@pytest.mark.parametrize("topic", ROUND_TRIPS)
def test_times_have_the_same_limits_in_schema_and_code(topic: str) -> None:
    decode = DECODERS[topic]
    record = json.loads(golden(topic)[0])
    named = [name for name in schema(topic)["properties"] if name.endswith("_ms")]
    assert named
    for name in named:
        for time, good in ((0, True), (-1, False), (TIME_MAX_MS, True), (TIME_MAX_MS + 1, False)):
            value = record | {name: time}
            assert validator(topic).is_valid(value) == good, (name, time)
            with nullcontext() if good else pytest.raises(UnreadableError):
                decode(json.dumps(value).encode())


def test_reasons_in_the_schema_of_dead_letters_are_those_of_the_code() -> None:
    assert schema("sms.delivery.v1.dlq")["properties"]["reason"]["enum"] == list(wire.RejectReason)
    reject = wire.Reject(3, wire.RejectReason.TOO_LARGE, b"k", b"v", -1)
    _, _, headers = wire.dead_letter(reject, "in", 1)
    validator("sms.delivery.v1.dlq").validate({key: value.decode() for key, value in headers})


def test_golden_examples_hold_no_number_that_a_person_could_have() -> None:
    """170 0000 xxxx is not given out; everything that looks like a number is of that range."""
    for path in GOLDEN.glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            record = json.loads(line)
            for name in ("recipient", "subject", "to"):
                number = record.get(name, "*").lstrip("+0").removeprefix("86")
                assert number.startswith(("1700000", "hk1:", "h0:", "*", "17100", "sig:")), path


def test_columns_of_golden_events_have_their_types() -> None:
    decoded = wire.decode(Intake(Numbers("CN")), "in", 0, [], [], np.array([]), np.array([]), 0)
    assert decoded.batch.recipient.dtype == np.dtype("uint64")
