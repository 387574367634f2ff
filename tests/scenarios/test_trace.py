"""Real timing between made-up numbers: nothing of the trace but its pace comes through."""

from __future__ import annotations

import pytest

from streams.tools.scenarios import Role
from streams.tools.scenarios.numbering import subscriber
from tests.scenarios.trace import person_to_person

LINES = ["timestamp,sender,recipient\n", "5,1,2\n", "9,2,1\n"]


def test_a_message_keeps_its_second_and_its_pair() -> None:
    events = list(person_to_person(LINES, 1_000_000, first=10))
    assert [event.value["event_time_ms"] for event in events] == [1_005_000, 1_009_000]
    assert [event.value["recipient"] for event in events] == [subscriber(12), subscriber(11)]
    assert [event.value["sender"] for event in events] == [
        "+" + subscriber(11),
        "+" + subscriber(12),
    ]
    assert {event.truth.role for event in events} == {Role.OTHER}


def test_at_its_hardest_every_message_is_a_code_of_a_port() -> None:
    events = list(person_to_person(LINES, 0, as_codes=True))
    assert all("验证码" in event.value["text"] for event in events)
    assert all(event.value["sender"].startswith("1069") for event in events)
    assert len({event.value["message_id"] for event in events}) == 2


@pytest.mark.parametrize(
    "lines", [["timestamp,sender\n", "5,1\n"], ["timestamp,sender,recipient\n", "x,1,2\n"]]
)
def test_a_file_that_is_no_trace_is_an_error(lines: list[str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        list(person_to_person(lines, 0))
