"""Records of incidents: what is left out, what is bounded, what names one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors.model.event import Trust
from detectors.model.incidents import FloodMessage
from detectors.thresholds import INCIDENT_RECORD_MAX
from streams.wire.incident_records import (
    EARLIER_MAX,
    KNOWN_MAX,
    decode_incident,
    encode_incident,
    incident_headers,
)
from streams.wire.version import UnreadableError

GOLDEN = Path(__file__).parents[2] / "golden" / "otpguard.incident.v1.jsonl"
FIRST, SECOND, THIRD = (decode_incident(line) for line in GOLDEN.read_bytes().splitlines())


def test_of_a_message_that_passes_nothing_but_its_class_place_and_time_is_written() -> None:
    passing = FloodMessage(7, 5, "pass", False, Trust.BANK, "gw-1")
    written = json.loads(encode_incident(replace(SECOND, messages=(passing,))))
    assert written["messages"] == [
        {
            "offset": 7,
            "at_ms": 5,
            "would": "pass",
            "novel": False,
            "trust": "bank",
            "gateway_id": "gw-1",
        }
    ]


def test_later_records_have_neither_basis_nor_earlier_sightings() -> None:
    assert {"basis", "earlier"} <= json.loads(encode_incident(FIRST)).keys()
    for record in (SECOND, THIRD):
        assert not {"basis", "earlier"} & json.loads(encode_incident(record)).keys()


def test_a_bar_that_nothing_reaches_survives_json() -> None:
    assert FIRST.basis is not None
    assert FIRST.basis.rungs[-1].throttle == float("inf")


@pytest.mark.parametrize(
    ("place", "limit"),
    [
        (("messages",), INCIDENT_RECORD_MAX),
        (("earlier",), EARLIER_MAX),
        (("basis", "known"), KNOWN_MAX),
    ],
)
def test_a_record_longer_than_any_is_refused(place: tuple[str, ...], limit: int) -> None:
    record = json.loads(encode_incident(FIRST))
    held: Any = record
    for name in place[:-1]:
        held = held[name]
    one = held[place[-1]][0]
    held[place[-1]] = [one] * limit
    decode_incident(msgspec.json.encode(record))
    held[place[-1]] = [one] * (limit + 1)
    with pytest.raises(UnreadableError):
        decode_incident(msgspec.json.encode(record))


def test_no_two_records_of_an_episode_have_one_name() -> None:
    same_cause = replace(SECOND, first=SECOND.first + 3)
    names = [dict(incident_headers(each))["ce_id"] for each in (FIRST, SECOND, same_cause)]
    assert len(set(names)) == 3
    assert not any(FIRST.recipient.encode() in each for each in names)
