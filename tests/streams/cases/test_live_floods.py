"""The picture of `otpguard top`, folded from records: order, state, pace, and what is forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from detectors.model.records import Level
from streams.cases.live_floods import (
    BAR_MS,
    QUIET_MS,
    SORTS,
    Frame,
    LiveFlood,
    LiveFloods,
)
from streams.cases.standing import Doing
from streams.cluster.at_work import Sign
from streams.cluster.lag import ClusterFacts
from streams.wire import encode_ack, encode_action, encode_episode, encode_override, override_key
from tests.builders.streams.cases.standing import ENDED, LEASE, OPENED, ack
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, override

NOW_MS = START_MS + 1000


def filled(*records: tuple[str, bytes]) -> LiveFloods:
    floods = LiveFloods()
    for source, value in records:
        floods.take(source, None, value)
    return floods


def frame(floods: LiveFloods, at_ms: int = NOW_MS, **more: Any) -> Frame:
    facts = more.pop("facts", ClusterFacts())
    return floods.frame(at_ms, "enforce", facts, shown=lambda each: f"<{each}>", **more)


EPISODE = ("episode", encode_episode(OPENED))
ACTION = ("throttle", encode_action(LEASE))
ACK = ("acks", encode_ack(ack("applied")))


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([EPISODE], Doing.WATCHED),
        ([EPISODE, ACTION], Doing.UNCONFIRMED),
        ([EPISODE, ACTION, ACK], Doing.THROTTLED),
        ([ACK, ACTION, EPISODE], Doing.THROTTLED),  # topics have no common order
        ([EPISODE, ACTION, ("acks", encode_ack(ack("failed")))], Doing.FAILED),
    ],
)
def test_a_flood_stands_as_adapters_would_have_it(
    records: list[tuple[str, bytes]], state: Doing
) -> None:
    (row,) = frame(filled(*records)).rows
    assert (row.case.state, row.case.recipient) == (state, f"<{RECIPIENT}>")
    assert row.case.messages == OPENED.evidence.messages


def test_an_override_counts_until_its_tombstone() -> None:
    floods = filled(EPISODE, ACTION, ACK)
    word = override("mode", recipient="*", mode="off")
    floods.take("everyone", override_key(word), encode_override(word))
    off = frame(floods)
    assert (off.mode, off.rows[0].case.state) == ("off (kill switch)", Doing.OFF)
    floods.take("everyone", override_key(word), None)
    on = frame(floods)
    assert (on.mode, on.rows[0].case.state) == ("enforce", Doing.THROTTLED)


def test_a_flood_that_ended_or_went_quiet_is_no_longer_there() -> None:
    assert frame(filled(EPISODE, ("episode", encode_episode(ENDED)))).rows == []
    last_ms = OPENED.evidence.last_ms
    for records, over_ms in (
        ((EPISODE,), last_ms + QUIET_MS),
        ((EPISODE, ACTION), max(START_MS + LEASE_MS, last_ms + QUIET_MS)),
    ):
        floods = filled(*records)
        assert frame(floods, over_ms - 1).floods == 1
        assert frame(floods, over_ms).floods == 0
        assert floods.floods == {}


def other(n: int, **more: Any) -> tuple[str, bytes]:
    record = replace(
        OPENED, episode_id=f"1:sms.delivery.v1:0:{n}", recipient=f"86139000000{n:02}",
        evidence=replace(OPENED.evidence, **more.pop("evidence", {})), **more,
    )  # fmt: skip
    return "episode", encode_episode(record)


def test_the_worst_come_first_and_the_list_is_sorted_and_filtered() -> None:
    floods = filled(
        other(1, evidence={"messages": 9, "first_ms": 5}),
        other(2, level=Level.WATCH, evidence={"messages": 99, "first_ms": 9}),
        other(3, evidence={"messages": 30, "platforms": 29, "first_ms": 1}),
    )
    orders = {
        sort: [int(row.case.recipient[-3:-1]) for row in frame(floods, sort=sort).rows]
        for sort in SORTS
    }
    assert orders == {
        "worst": [3, 1, 2], "pace": [2, 3, 1], "newest": [2, 1, 3], "platforms": [3, 1, 2],
    }  # fmt: skip
    found = frame(floods, wanted="watch")
    assert [row.case.messages for row in found.rows] == [99]
    assert (found.floods, found.throttled) == (3, 2)
    assert len(frame(floods, rows_max=2).rows) == 2


def test_a_pace_has_the_messages_of_each_bar() -> None:
    flood = LiveFlood()
    for at_ms, messages in ((0, 3), (BAR_MS, 5), (BAR_MS + 5, 9), (3 * BAR_MS, 10)):
        flood.note(replace(OPENED.evidence, messages=messages, last_ms=at_ms))
    flood.note(replace(OPENED.evidence, messages=1, last_ms=0))  # a record that came late
    assert flood.pace() == [0, 0, 0, 0, 3, 2, 4, 1]


def test_what_cannot_be_read_is_counted_and_stops_nothing() -> None:
    floods = filled(("episode", b"{"), ("acks", b"[]"), EPISODE)
    assert (frame(floods).unreadable, frame(floods).floods) == (2, 1)


def test_lines_fit_a_terminal_and_name_what_is_not_known() -> None:
    floods = filled(EPISODE, ACTION, ACK)
    assert frame(floods).lines()[1] == "lag ?   workers ?   dead letters in 1 h ?"
    facts = ClusterFacts({0: 3, 1: 70}, {"w1": 2}, {"smsc-9": Sign(NOW_MS, ended=True)}, 4)
    lines = frame(floods, facts=facts).lines()
    assert lines == [
        "mode enforce   1 flood, 1 throttled",
        "lag 73 (#1: 70)   workers 1   dead letters in 1 h 4",
        "gateways smsc-1 (1 s), smsc-9 stopped",
    ]
    assert max(map(len, lines)) <= 80


def test_answers_of_floods_that_are_over_are_forgotten_when_they_are_many() -> None:
    at_ms = START_MS + QUIET_MS + 2
    goes_on = replace(OPENED, evidence=replace(OPENED.evidence, last_ms=at_ms))
    floods = filled(("episode", encode_episode(goes_on)), ACTION, ACK)
    for n in range(2000):
        floods.take("acks", None, encode_ack(ack("expired", action_id=f"1:sms.delivery.v1:1:{n}")))
    assert len(floods.acks) == 2001
    assert frame(floods, at_ms).floods == 1
    assert list(floods.acks) == [LEASE.action_id]
