"""The writer: what one recipient gets is repeatable, labelled, and at the pace asked for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from statistics import mean, stdev

import pytest

from detectors.model.times import DAY_MS
from streams.tools.scenarios import DEFAULT_START_MS, Role, person
from streams.tools.scenarios.labelled_events import Labelled, Truth
from streams.tools.scenarios.message_writer import (
    HISTORY_DAYS,
    PRESSES_MOST,
    USES_MOST,
    MessageWriter,
    draw_paced,
    draw_times,
    in_order,
)
from streams.tools.scenarios.platform_profiles import BANKS, PLATFORMS
from streams.tools.scenarios.wording import NOTICES


def written(pen: MessageWriter) -> list[Labelled]:
    return [pen.code(5, PLATFORMS[0]), pen.own(6, pen.person.bank), pen.notice(7, NOTICES)]


def test_the_same_run_writes_the_same_and_another_others() -> None:
    once = written(MessageWriter("A1", 3, 7))
    assert written(MessageWriter("A1", 3, 7)) == once
    for other in (("A2", 3, 7), ("A1", 4, 7), ("A1", 3, 8)):
        assert written(MessageWriter(*other)) != once
    assert [event.value["message_id"] for event in once] == ["A1-3-7-1", "A1-3-7-2", "A1-3-7-3"]


def test_own_codes_are_labelled_by_what_the_carrier_can_know() -> None:
    pen = MessageWriter("B", 1, 7, memory=14)
    (stranger,) = pen.strangers(1)
    roles = [pen.own(1, who).truth.role for who in (pen.person.bank, pen.person.known[0], stranger)]
    assert roles == [Role.BANK, Role.KNOWN, Role.NEW]


def test_fields_override_those_of_the_contract() -> None:
    event = MessageWriter("B", 1, 7).code(5, PLATFORMS[0], sender="x", segment=2)
    assert (event.value["sender"], event.value["segment"]) == ("x", 2)


def test_a_notice_is_no_code_and_a_bank_sends_its_own() -> None:
    pen = MessageWriter("B", 1, 7)
    bank = pen.notice(5, NOTICES, platform=BANKS[0])
    assert (bank.truth.role, bank.value["sender"]) == (Role.OTHER, BANKS[0].sender)
    shop = pen.notice(5, NOTICES, platform=PLATFORMS[0])
    assert shop.value["sender"].startswith("1069")


def test_strangers_are_distinct_unknown_and_none_of_those_named() -> None:
    pen = MessageWriter("B", 1, 7)
    first = pen.strangers(50)
    second = pen.strangers(50, but=first)
    assert len(set(first)) == 50
    assert not {*first, *pen.person.known} & set(second)


@pytest.mark.parametrize("memory", [0, 1, 14, 80])
def test_a_history_has_up_to_three_codes_of_each_known_platform_oldest_first(memory: int) -> None:
    pen = MessageWriter("B", 1, 7, memory)
    events = list(pen.history(DEFAULT_START_MS))
    times = [event.value["event_time_ms"] for event in events]
    counts = Counter(event.truth.platform for event in events)
    assert len(counts) == memory
    assert max(counts.values(), default=1) <= USES_MOST
    assert times == sorted(times)
    assert all(2 * DAY_MS <= DEFAULT_START_MS - at <= HISTORY_DAYS * DAY_MS for at in times)
    assert all(
        event.truth == Truth(Role.KNOWN, "history", event.truth.platform) for event in events
    )


def test_platforms_that_are_used_together_come_within_seconds_on_days_apart() -> None:
    who = next(index for index in range(100) if person(index).together)
    pen = MessageWriter("B", 1, who)
    together = {platform.name for platform in pen.person.known[: pen.person.together]}
    times: dict[str, list[int]] = {}
    for event in pen.history(DEFAULT_START_MS):
        if event.truth.platform in together:
            times.setdefault(event.truth.platform, []).append(event.value["event_time_ms"])
    for sitting in zip(*times.values(), strict=True):
        assert max(sitting) - min(sitting) <= 20_000
    (first, *_) = times.values()
    assert all(4 * DAY_MS <= b - a <= 6 * DAY_MS for a, b in pairwise(first))


def test_a_recipient_reads_its_platforms_in_all_their_wordings_and_a_flood_in_one() -> None:
    platform = next(each for each in PLATFORMS if each.usual == 3)
    pen = MessageWriter("B", 1, 7)
    senders = {wording.sender for wording in platform.wordings}
    assert {pen.own(n, platform).value["sender"] for n in range(50)} == senders
    assert {pen.code(n, platform).value["sender"] for n in range(50)} == {platform.sender}
    single = MessageWriter("B", 1, 7, wordings=1)
    assert {single.own(n, platform).value["sender"] for n in range(50)} == {platform.sender}


def test_some_people_press_again_up_to_six_times() -> None:
    def presses(*, impatient: bool) -> list[int]:
        people = [who for who in range(2000) if person(who).impatient is impatient][:200]
        return [
            pen.presses()
            for pen in (MessageWriter("B", 1, who) for who in people)
            for _ in range(20)
        ]

    patient, impatient = presses(impatient=False), presses(impatient=True)
    assert mean(patient) == pytest.approx(0.25 * 0.98 + 3.5 * 0.02, abs=0.05)
    assert mean(impatient) == pytest.approx(3.5 * (0.2 * 0.98 + 0.02), abs=0.2)
    assert max(patient) >= max(impatient) == PRESSES_MOST


def test_scattered_times_lie_in_their_span_in_order() -> None:
    times = draw_times(Random(1), 500, 1000, 60_000)
    assert times == sorted(times)
    assert times[0] >= 1000
    assert times[-1] < 61_000


def test_paced_gaps_have_the_mean_and_variation_that_were_asked_for() -> None:
    gaps = [
        b - a for a, b in pairwise(draw_paced(Random(1), 20_000, 0, gap_ms=54_000, variation=0.45))
    ]
    assert mean(gaps) == pytest.approx(54_000, rel=0.02)
    assert stdev(gaps) / mean(gaps) == pytest.approx(0.45, rel=0.05)


def test_events_of_one_time_keep_their_order() -> None:
    def event(at_ms: int, name: str) -> Labelled:
        return Labelled({"event_time_ms": at_ms}, Truth(Role.OTHER, name, ""))

    events = [event(2, "a"), event(1, "b"), event(2, "c"), event(1, "d")]
    assert [e.truth.scenario for e in in_order(events)] == ["b", "d", "a", "c"]
