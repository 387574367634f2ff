"""Streams merged by event time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from streams.tools.scenarios import Labelled, Role, Truth, generate, merge_streams
from tests.builders.streams.tools.scenarios.catalog import at


def test_merging_keeps_every_event_in_order() -> None:
    parts = [list(generate("A1", seed, recipient=seed)) for seed in range(5)]
    whole = list(merge_streams(*parts))
    assert [at(e) for e in whole] == sorted(at(e) for e in whole)
    assert Counter(e.value["message_id"] for e in whole) == Counter(
        e.value["message_id"] for part in parts for e in part
    )


def stream(name: str, *times_ms: int) -> Iterator[Labelled]:
    for time_ms in times_ms:
        value = {"event_time_ms": time_ms, "message_id": name}
        yield Labelled(value, Truth(Role.OTHER, name, ""))


def test_events_of_one_time_come_in_the_order_of_their_streams() -> None:
    whole = merge_streams(stream("a", 1, 5, 5), stream("b", 0, 5, 9), stream("c"))
    assert [(at(e), e.truth.scenario) for e in whole] == [
        (0, "b"), (1, "a"), (5, "a"), (5, "a"), (5, "b"), (9, "b"),
    ]  # fmt: skip


def test_a_stream_is_asked_for_one_event_at_a_time() -> None:
    asked: list[int] = []

    def endless() -> Iterator[Labelled]:
        for event in stream("a", *range(1000)):
            asked.append(at(event))
            yield event

    whole = merge_streams(endless(), stream("b", 3))
    assert [at(next(whole)) for _ in range(3)] == [0, 1, 2]
    assert len(asked) <= 4
