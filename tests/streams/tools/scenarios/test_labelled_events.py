"""One labelled event: the contract's fields, and no text where a feed has none."""

from __future__ import annotations

from streams.tools.scenarios.labelled_events import message


def test_optional_fields_join_those_of_the_contract() -> None:
    value = message("8617000000001", "1069", "hi", 5, "m1", segment=2, text_prefix="h")
    assert value == {
        "schema_version": 1,
        "recipient": "8617000000001",
        "sender": "1069",
        "event_time_ms": 5,
        "message_id": "m1",
        "text": "hi",
        "segment": 2,
        "text_prefix": "h",
    }


def test_an_empty_text_is_left_out() -> None:
    assert "text" not in message("8617000000001", "1069", "", 5, "m1")
