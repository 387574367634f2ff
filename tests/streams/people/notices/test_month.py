"""A month counted from records: each once, those of other months not, and what is lost is said."""

from __future__ import annotations

import msgspec

from streams.people.notices.month import (
    MonthPlatform,
    MonthRecords,
    SecondRequestCount,
    count_month,
    figures,
)
from streams.wire import RAILS_VERSION
from tests.builders.streams.people.notices.month import (
    FROM_MS,
    UNTIL_MS,
    A,
    counted,
    flood,
)
from tests.enforce.records import override
from tests.streams.people.notices.incidents import DAY_MS


def test_every_figure_is_counted_once_and_of_this_month_alone() -> None:
    month = counted()
    assert (month.floods, month.watched, month.victims) == (5, 1, 5)
    assert (month.floods_refused, month.floods_observed) == (4, 1)
    assert month.by_day == {FROM_MS: 2, **{FROM_MS + n * DAY_MS: 1 for n in range(1, 4)}}
    assert (month.to_notice.n, month.to_notice.median_s, month.to_notice.p95_s) == (5, 120, 240)
    assert (month.to_hold.n, month.to_hold.median_s) == (2, 0.5)
    assert month.refused == 20 + 3 + 7
    assert month.own == SecondRequestCount(asked=1, arrived=1)
    assert month.words == {"release": 1, "allow": 1}
    assert (month.replies, month.false_signals) == (1, 2)
    assert month.notices == {"sent": 1, "suppressed": 1, "failed": 1}
    assert month.unlisted == 9
    assert month.lost == {"acks": FROM_MS + 23 * DAY_MS}


def test_a_word_that_ends_another_is_no_word_of_its_own() -> None:
    lease = flood(0, FROM_MS + 1)
    said = override("release", lease.recipient, issued_at_ms=FROM_MS + 9,
                    expires_at_ms=FROM_MS + 10**6)  # fmt: skip
    over = msgspec.structs.replace(said, issued_at_ms=FROM_MS + 99, expires_at_ms=FROM_MS + 99)
    of_before = override("exempt", flood(1, FROM_MS).recipient, issued_at_ms=FROM_MS + 9,
                         expires_at_ms=FROM_MS + 9)  # fmt: skip
    records = MonthRecords(episodes=[lease, flood(1, FROM_MS)], words=[said, said, over, of_before])
    month = count_month(records, FROM_MS, UNTIL_MS)
    assert (month.words, month.false_signals) == ({"release": 1}, 1)


def test_words_about_the_gateways_themselves_are_no_words_about_people() -> None:
    rails = override("rails", "*", times=2, issued_at_ms=FROM_MS + 9,
                     expires_at_ms=FROM_MS + 10**6, schema_version=RAILS_VERSION)  # fmt: skip
    mode = override("mode", "*", mode="off", issued_at_ms=FROM_MS + 9)
    month = count_month(MonthRecords(words=[rails, mode]), FROM_MS, UNTIL_MS)
    assert (month.words, month.false_signals) == ({}, 0)


def test_a_platform_shows_what_telling_it_did() -> None:
    month = counted()
    platform, _ = month.platforms
    assert platform == MonthPlatform(A, 66, 8, "6", told=True, before=60.0, after=6 / 28)
    assert month.platforms_used == 2


def test_a_month_without_records_is_no_month_without_floods() -> None:
    month = count_month(MonthRecords(reach_ms={"episode": UNTIL_MS}), FROM_MS, UNTIL_MS)
    assert (month.floods, month.to_notice.median_s) == (0, None)
    assert month.lost == {"episode": UNTIL_MS}


def test_the_figures_name_nobody() -> None:
    said = str(figures(counted()))
    assert "86139" not in said
    assert figures(counted())["from"] == "2024-10-04T00:00:00Z"
