"""The contract: what is read, what is answered, and the description that says the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from streams.gateways.gate import contract
from streams.gateways.gate.contract import (
    PASSES,
    AnswerReason,
    Submission,
    Told,
    decode_reported,
    encode,
    question,
    questions,
    refuse_by,
    submission,
)
from streams.telemetry.metrics import GATE_WHYS

DESCRIBED: dict[str, Any] = yaml.safe_load(contract.openapi())


def schema(name: str) -> dict[str, Any]:
    """A schema of the description, for a validator."""
    return {"$ref": f"#/components/schemas/{name}", "components": DESCRIBED["components"]}


def test_the_description_has_every_field_and_its_limits() -> None:
    fields = {each.encode_name: each for each in msgspec.structs.fields(Submission)}
    properties = DESCRIBED["components"]["schemas"]["Submission"]["properties"]
    assert properties.keys() == fields.keys()
    ours = msgspec.json.schema(Submission)["$defs"]["Submission"]
    for name, described in properties.items():
        made = ours["properties"][name]
        kinds = made.get("anyOf", [made])
        for limit in ("maxLength", "minimum", "maximum", "enum"):
            told = next((k[limit] for k in kinds if limit in k), None)
            found = described.get(limit)
            assert (sorted(found) if limit == "enum" and found else found) == told, name
        types = described["type"] if isinstance(described["type"], list) else [described["type"]]
        assert ("null" in types) == any(kind.get("type") == "null" for kind in kinds), name
    required = DESCRIBED["components"]["schemas"]["Submission"]["required"]
    assert sorted(required) == sorted(ours["required"])
    bulk = DESCRIBED["components"]["schemas"]["Bulk"]["properties"]["messages"]
    assert bulk["maxItems"] == contract.BULK_MAX


def test_the_description_has_every_reason_and_so_has_the_metric() -> None:
    told = DESCRIBED["components"]["schemas"]["Told"]["properties"]
    assert told["why"]["enum"] == list(AnswerReason)
    assert tuple(AnswerReason) == GATE_WHYS


def test_the_description_is_openapi() -> None:
    assert DESCRIBED["openapi"].startswith("3.1")
    jsonschema.Draft202012Validator.check_schema(schema("Submission"))
    for path, methods in DESCRIBED["paths"].items():
        assert path.startswith("/v1/")
        for operation in methods.values():
            assert {"operationId", "summary", "responses"} <= operation.keys()
            assert "200" in operation["responses"]
            assert "default" in operation["responses"]


def test_answers_are_as_described() -> None:
    for told in (*PASSES.values(), refuse_by("1:sms.delivery.v1:0:7")):
        value = json.loads(encode(told))
        jsonschema.validate(value, schema("Told"))
        assert (value["ruling"] == "refuse") == (told.retry == "permanent")
    assert set(PASSES) == set(AnswerReason) - {AnswerReason.REFUSE}
    assert encode(Told("pass", AnswerReason.NO_LEASE)) == b'{"ruling":"pass","why":"no_lease"}'


@pytest.mark.parametrize(
    ("body", "valid"),
    [
        ({"recipient": "1", "message_id": "m"}, True),
        ({"recipient": "1", "message_id": "m", "text": None, "unknown": [1]}, True),
        ({"recipient": "1"}, False),
        ({"message_id": "m"}, False),
        ({"recipient": 8613900000001, "message_id": "m"}, False),
        ({"recipient": "1" * 129, "message_id": "m"}, False),
        ({"recipient": "1", "message_id": "m", "segment": 0}, False),
        ({"recipient": "1", "message_id": "m", "segment": 256}, False),
        ({"recipient": "1", "message_id": "m", "event_time_ms": 1_760_000_000}, False),
        ({"recipient": "1", "message_id": "m", "direction": "up"}, False),
        ({"recipient": "1", "message_id": "m", "sender": "s" * 65}, False),
    ],
)
def test_a_question_is_read_as_it_is_described(body: dict[str, Any], valid: bool) -> None:
    validator = jsonschema.Draft202012Validator(schema("Submission"))
    assert validator.is_valid(body) is valid
    if valid:
        assert submission(json.dumps(body).encode()).recipient == body["recipient"]
    else:
        with pytest.raises(msgspec.ValidationError):
            submission(json.dumps(body).encode())


JUNK = b"{" + b",".join(b'"%x":0' % n for n in range(100_000)) + b"}"
"""Names without end: to read them as Python's objects takes the time of a thousand questions."""
ASKED = b'{"recipient":"1","message_id":"m"}'


@pytest.fixture
def loosely(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of what was read loosely."""
    sizes: list[int] = []
    real = json.loads

    def loads(text: str) -> Any:
        sizes.append(len(text))
        return real(text)

    monkeypatch.setattr(json, "loads", loads)
    return sizes


@pytest.mark.parametrize("read", [question, questions, decode_reported])
def test_what_is_larger_than_a_question_is_not_read_loosely(
    read: Callable[[bytes], Any], loosely: list[int]
) -> None:
    assert len(JUNK) < contract.BODY_BYTES_MAX
    assert read(JUNK) is None
    assert read(b"[" + b"[]," * 300_000 + b"[]]") is None
    assert loosely == []


@pytest.mark.parametrize("read", [question, questions, decode_reported])
def test_what_is_read_loosely_is_read_once(
    read: Callable[[bytes], Any], loosely: list[int]
) -> None:
    body = JUNK[: contract.QUESTION_BYTES_MAX - 1] + b"\xff"
    assert read(body) is None
    assert loosely == [len(body)]


def test_each_message_of_a_bulk_is_read_when_it_is_its_turn(loosely: list[int]) -> None:
    large = b'{"recipient":"1","message_id":"m","text":"' + b"a" * contract.QUESTION_BYTES_MAX
    junk = JUNK[:10_000].rpartition(b",")[0] + b"}"
    for read in (questions, decode_reported):
        loosely.clear()
        body = b'{"messages":[' + b",".join((junk, junk, large + b'"}', ASKED)) + b"]}"
        found = read(body)
        assert not isinstance(found, Submission)
        assert found is not None
        assert loosely == []
        assert next(found) is None
        assert loosely == [len(junk)]
        assert [each and each.recipient for each in found] == [None, None, "1"]


def test_the_description_has_the_bounds_of_a_body() -> None:
    for path in ("/v1/submit", "/v1/submit/bulk", "/v1/report"):
        described = DESCRIBED["paths"][path]["post"]["description"]
        assert f"{contract.QUESTION_BYTES_MAX >> 10} KiB" in described
        several = f"{contract.BODY_BYTES_MAX >> 20} MiB" in described
        assert several == (path != "/v1/submit")
