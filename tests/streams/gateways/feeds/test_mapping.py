"""From a carrier's fields to the contract's: what is mapped, and how a refusal is said."""

from __future__ import annotations

from typing import Any

import pytest

from streams.common.errors import UsageError
from streams.gateways.feeds.mapping import FIELDS, NUMBERS, FieldMap, UnmappableError


@pytest.mark.parametrize(
    ("written", "form", "zone"),
    [
        ("1772422380000", "ms", "UTC"),
        (1772422380, "s", "UTC"),
        ("1772422380.0", "s", "UTC"),
        ("1772422380000000", "us", "UTC"),
        ("2026-03-02T11:33:00+08:00", "iso", "UTC"),
        ("2026-03-02T03:33:00", "iso", "UTC"),
        ("20260302113300", "%Y%m%d%H%M%S", "Asia/Shanghai"),
    ],
)
def test_a_time_is_read_as_it_was_promised(written: Any, form: str, zone: str) -> None:
    rules = FieldMap.parse([], [], form, zone)
    row = {"recipient": "1", "sender": "2", "event_time_ms": written}
    assert rules.value(row, "x")["event_time_ms"] == 1_772_422_380_000


@pytest.mark.parametrize(
    "row",
    [
        {"sender": "2", "event_time_ms": "5"},
        {"recipient": "", "sender": "2", "event_time_ms": "5"},
        {"recipient": "1", "sender": "2", "event_time_ms": "yesterday"},
        {"recipient": "1", "sender": "2", "event_time_ms": "5", "segment": "first"},
    ],
)
def test_a_record_without_what_is_required_is_not_made_up(row: dict[str, Any]) -> None:
    with pytest.raises(UnmappableError):
        FieldMap.parse([], [], "ms", "UTC").value(row, "x")


@pytest.mark.parametrize(
    ("maps", "constants", "zone"),
    [(["recipient"], [], "UTC"), (["called=x"], [], "UTC"), ([], ["x=1"], "UTC"),
     ([], [], "Dalian"), ([], [], "Asia"), ([], [], "")],
)  # fmt: skip
def test_a_wrong_mapping_is_said_at_once(maps: list[str], constants: list[str], zone: str) -> None:
    with pytest.raises(UsageError):
        FieldMap.parse(maps, constants, "iso", zone)


ROW = {"recipient": "1", "sender": "2", "event_time_ms": "5"}


def plain(*maps: str, constants: tuple[str, ...] = ()) -> FieldMap:
    return FieldMap.parse(maps, constants, "ms", "UTC")


def test_fields_of_the_contract_s_names_need_no_mapping_and_others_are_dropped() -> None:
    value = plain().value({**ROW, "colour": "red", "segment": "2"}, "m")
    assert value == {
        "schema_version": 1, "recipient": "1", "sender": "2", "event_time_ms": 5,
        "segment": 2, "message_id": "m",
    }  # fmt: skip


def test_one_source_may_give_several_fields() -> None:
    value = plain("message_id=id", "event_id=id").value({**ROW, "id": "9"})
    assert (value["message_id"], value["event_id"]) == ("9", "9")


def test_a_constant_stands_for_its_field_whatever_the_row_says() -> None:
    value = plain(constants=("gateway_id=smsc-1", "segment=3")).value({**ROW, "gateway_id": "x"})
    assert (value["gateway_id"], value["segment"]) == ("smsc-1", 3)


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_field_is_an_absent_one(empty: str | None) -> None:
    assert "text" not in plain().value({**ROW, "text": empty})


def test_without_an_id_of_its_own_a_row_gets_that_of_its_place() -> None:
    assert "message_id" not in plain().value(ROW)
    assert plain().value({**ROW, "message_id": "own"}, "place")["message_id"] == "own"


def test_an_error_names_the_field_and_nothing_that_stands_in_it() -> None:
    with pytest.raises(UnmappableError) as found:
        plain("event_time_ms=at").value({"recipient": "1", "sender": "2", "at": "secret"})
    assert str(found.value) == "at is no event_time_ms in the form that --time names"
    with pytest.raises(UnmappableError, match="no sender"):
        plain().value({"recipient": "1", "event_time_ms": "5"})


def test_a_constant_that_is_no_number_is_said_at_once() -> None:
    with pytest.raises(UsageError, match="segment"):
        plain(constants=("segment=first",))
    assert set(FIELDS) >= NUMBERS


def test_a_time_without_a_zone_asks_for_one_and_is_no_bad_row() -> None:
    rules = FieldMap.parse([], [], "iso", None)
    with pytest.raises(UsageError, match="--zone"):
        rules.value({**ROW, "event_time_ms": "2026-03-02T03:33:00"})
    assert rules.value({**ROW, "event_time_ms": "2026-03-02T03:33:00Z"})["event_time_ms"]


def test_mappings_that_give_other_values_are_described_otherwise() -> None:
    same = plain("sender=a", "recipient=b").described
    assert plain("recipient=b", "sender=a").described == same
    others = {plain("sender=a").described, plain("sender=b").described, plain().described,
              FieldMap.parse([], [], "s", "UTC").described}  # fmt: skip
    assert len(others | {same}) == 5


@pytest.mark.parametrize("name", ["hot", "memory"])
def test_records_that_only_otpguard_writes_are_brought_in_by_nobody(name: str) -> None:
    with pytest.raises(UsageError, match=f"event_type {name} is otpguard's own"):
        plain(constants=(f"event_type={name}",))
    with pytest.raises(UnmappableError, match=f"event_type {name} is otpguard's own"):
        plain().value({**ROW, "event_type": name})
    assert plain().value({**ROW, "event_type": "hotel"})["event_type"] == "hotel"
