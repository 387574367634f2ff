"""Whatever bytes come, a decoder returns a record that can be used, or raises its one error."""

from __future__ import annotations

import json
import random
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from streams import wire
from streams.common.language import moment
from streams.wire import Intake, Numbers, Outcome, UnreadableError
from tests.builders.streams.wire.bytes import DECODERS, DEEP, mutated

GOLDEN = Path(__file__).parents[2] / "golden"
TOPICS = pytest.mark.parametrize("topic", DECODERS)


def test_every_decoder_of_a_record_is_tried_here() -> None:
    named = {getattr(wire, name) for name in wire.__all__ if name.startswith("decode_")}
    assert named - set(DECODERS.values()) == {wire.decode_event, wire.decode_together}


def golden(topic: str) -> list[bytes]:
    return (GOLDEN / f"{topic}.jsonl").read_bytes().splitlines()


def leaves(value: Any) -> list[Any]:
    """Everything that a record holds, flat."""
    if isinstance(value, msgspec.Struct):
        return [leaf for name in value.__struct_fields__ for leaf in leaves(getattr(value, name))]
    if is_dataclass(value):
        return [leaf for each in fields(value) for leaf in leaves(getattr(value, each.name))]
    if isinstance(value, dict):
        return [leaf for item in value.items() for leaf in leaves(item)]
    if isinstance(value, tuple | list):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


def read(topic: str, value: bytes) -> tuple[Any, UnreadableError | None]:
    try:
        return DECODERS[topic](value), None
    except UnreadableError as error:
        return None, error


def check(topic: str, value: bytes) -> None:
    """A record whose parts can be printed, written and counted; or the error, without content."""
    record, error = read(topic, value)
    if error is not None:
        assert error.__cause__ is None
        assert error.__context__ is None or error.__suppress_context__
        assert len(str(error)) < 200
        return
    for leaf in leaves(record):
        if isinstance(leaf, str):
            leaf.encode()
        elif isinstance(leaf, int):
            assert -(2**63) <= leaf < 2**64
    for name in ("at_ms", "issued_at_ms", "expires_at_ms"):
        if getattr(record, name, None) is not None:
            assert getattr(record, name) >= 0
            moment(getattr(record, name))
    if topic == "otpguard.throttle.v1":
        wire.action_headers(record)
    if topic == "otpguard.episode.v1":
        wire.episode_headers(record)
    if topic == "otpguard.incident.v1":
        wire.incident_headers(record)


@TOPICS
@given(value=st.binary(max_size=200))
def test_random_bytes_are_a_record_or_the_one_error(topic: str, value: bytes) -> None:
    check(topic, value)


@TOPICS
@given(chance=st.randoms(use_true_random=True))
def test_mutated_records_are_a_record_or_the_one_error(topic: str, chance: random.Random) -> None:
    check(topic, mutated(chance.choice(golden(topic)), chance))


@TOPICS
def test_what_the_parser_stumbles_over_is_the_one_error(topic: str) -> None:
    line = golden(topic)[0]
    for value in (
        line.replace(b":", b":\xff", 1),
        line[:-1] + b',"x":' + DEEP + b"}",
        b'{"schema_version":1,"x":' + DEEP,
        b'{"schema_version":' + b"9" * 5_000 + b"}",
        b"\xff\xfe",
    ):
        with pytest.raises(UnreadableError):
            DECODERS[topic](value)


@TOPICS
def test_every_string_that_is_not_utf_8_is_the_one_error(topic: str) -> None:
    line = golden(topic)[0]
    strings = [found.span(1) for found in re.finditer(rb'"([^"\\]+)"[],}]', line)]
    assert strings
    for start, end in strings:
        with pytest.raises(UnreadableError):
            DECODERS[topic](line[:start] + b"\xff" + line[end:])


@TOPICS
@pytest.mark.parametrize("time", [-1, 10**15, 2**63, 10**300])
def test_times_before_1970_or_after_9999_are_no_times(topic: str, time: int) -> None:
    record = json.loads(golden(topic)[0])
    named = [name for name in record if name.endswith("_ms")]
    assert named
    for name in named:
        with pytest.raises(UnreadableError):
            DECODERS[topic](json.dumps(record | {name: time}).encode())


def test_an_error_tells_where_and_nothing_that_the_record_holds() -> None:
    line = golden("otpguard.throttle.v1")[0].replace(b'"bank"', b'"8617000000001"')
    with pytest.raises(UnreadableError, match=r"\$\.scope\.trust") as caught:
        wire.decode_action(line)
    assert "8617000000001" not in str(caught.value)


EVENTS = golden("sms.delivery.v1")


@given(values=st.lists(st.binary(max_size=200) | st.none(), max_size=5), chance=st.randoms())
def test_bytes_of_the_input_become_events_or_dead_letters_and_nothing_is_raised(
    values: list[bytes | None], chance: random.Random
) -> None:
    values += [mutated(chance.choice(EVENTS), chance) for _ in range(5)]
    n = len(values)
    read = wire.decode(Intake(Numbers("CN")), "in", 0, values, [None] * n, range(n), [-1] * n, n)
    assert sum(read.outcomes.values()) == n
    assert len(read.rejects) == read.outcomes[Outcome.REJECTED]


@given(value=st.binary(max_size=200), chance=st.randoms())
def test_one_event_by_itself_is_an_event_or_the_one_error(
    value: bytes, chance: random.Random
) -> None:
    for each in (value, mutated(chance.choice(EVENTS), chance)):
        try:
            wire.decode_event(each)
        except UnreadableError:
            continue
