"""How a platform was used, and whether it is told: counted from what floods were made of."""

from __future__ import annotations

import pytest

from streams.people.notices.platform_use import (
    IDS_MAX,
    WINDOWS_MAX,
    PlatformUse,
    Telling,
    to_tell,
    trend,
    uses,
)
from tests.streams.people.notices.incidents import DAY0_MS, DAY_MS, incident, use_of

NOW_MS = DAY0_MS + DAY_MS
A, B = "sig:a", "sig:b"


def test_messages_are_counted_once_by_minute_flood_and_victim() -> None:
    records = [
        incident("e1", "8613900000001", (A, DAY0_MS), (B, DAY0_MS + 1), (A, DAY0_MS + 61_000),
                 earlier=((A, DAY0_MS + 2),)),
        incident("e2", "8613900000002", (A, DAY0_MS + 3)),
    ]  # fmt: skip
    found = uses([*records, *records], DAY0_MS, NOW_MS)
    a = found[A]
    assert (a.messages, a.refused, len(a.episodes), len(a.victims)) == (4, 3, 2, 2)
    assert a.minutes == {DAY0_MS: 3, DAY0_MS + 60_000: 1}
    assert (a.senders, a.accounts) == ({"10690001111": 3}, {"acct-7": 3})
    assert a.message_ids == ["e1-m0", "e1-m2", "e2-m0"]
    assert found[B].messages == 1


def test_what_passes_and_what_is_of_another_day_names_nobody() -> None:
    records = [
        incident("e1", "861", ("", DAY0_MS), would="pass"),
        incident("e2", "862", (A, DAY0_MS - 1), (A, NOW_MS)),
    ]
    assert uses(records, DAY0_MS, NOW_MS) == {}


def test_windows_end_where_nothing_came_for_half_an_hour() -> None:
    use = PlatformUse(A)
    for minute in (0, 1, 20, 51, 52, 200):
        use.minutes[DAY0_MS + minute * 60_000] += minute + 1
    spans = [(w.from_ms - DAY0_MS, w.until_ms - DAY0_MS, w.messages, w.most_a_minute)
             for w in use.windows()]  # fmt: skip
    assert spans == [
        (0, 21 * 60_000, 24, 21), (51 * 60_000, 53 * 60_000, 105, 53),
        (200 * 60_000, 201 * 60_000, 201, 201),
    ]  # fmt: skip


def test_a_report_is_bounded_whatever_came() -> None:
    use = PlatformUse(A)
    for nth in range(WINDOWS_MAX + 20):
        use.minutes[DAY0_MS + nth * 3_600_000] += nth + 1
    windows = use.windows()
    assert len(windows) == WINDOWS_MAX
    assert min(w.messages for w in windows) == 21  # the largest are kept
    assert [w.from_ms for w in windows] == sorted(w.from_ms for w in windows)
    many = [incident(f"e{n}", "861", (A, DAY0_MS + n)) for n in range(IDS_MAX + 10)]
    assert len(uses(many, DAY0_MS, NOW_MS)[A].message_ids) == IDS_MAX


def used(messages: int) -> PlatformUse:
    use = PlatformUse(A)
    use.minutes[DAY0_MS] = messages
    return use


@pytest.mark.parametrize(
    ("messages", "told", "at_once", "telling"),
    [
        (20, {}, None, Telling.DIGEST),
        (19, {}, None, Telling.FEW),
        (100, {DAY0_MS: 100}, None, Telling.TOLD),
        (100, {DAY0_MS: 100}, 50, Telling.TOLD),
        (50, {}, 50, Telling.AT_ONCE),
        (49, {}, 50, Telling.NOT_YET),
        (50, {DAY0_MS - DAY_MS: 100}, None, Telling.QUIET),
        (51, {DAY0_MS - DAY_MS: 100}, None, Telling.DIGEST),
        (50, {DAY0_MS - 8 * DAY_MS: 100}, None, Telling.DIGEST),  # a week is over
        (60, {DAY0_MS - 3 * DAY_MS: 200, DAY0_MS - DAY_MS: 80}, None, Telling.QUIET),
        (80, {DAY0_MS - 3 * DAY_MS: 100, DAY0_MS - DAY_MS: 200}, None, Telling.DIGEST),
    ],
)
def test_who_is_told_and_who_is_left_in_peace(
    messages: int, told: dict[int, int], at_once: int | None, telling: Telling
) -> None:
    decided = to_tell(used(messages), told=told, today_ms=DAY0_MS, now_ms=NOW_MS,
                      messages_min=20, at_once=at_once)  # fmt: skip
    assert decided is telling


def test_a_trend_compares_whole_days_on_both_sides_of_the_first_letter() -> None:
    days = uses(
        [*use_of(A, DAY0_MS, 6, 10), *use_of(A, DAY0_MS + DAY_MS, 6, 10),
         *use_of(A, DAY0_MS + 3 * DAY_MS, 1, 6)],
        DAY0_MS, DAY0_MS + 4 * DAY_MS,
    )[A].days()  # fmt: skip
    found = trend(days, DAY0_MS + 2 * DAY_MS + 5, DAY0_MS, DAY0_MS + 4 * DAY_MS)
    assert found == (60.0, 6.0)
    assert trend(days, None, DAY0_MS, DAY0_MS + 4 * DAY_MS) == (None, None)
