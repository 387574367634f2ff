"""What is known of floods, in whatever order and however often their records come."""

from __future__ import annotations

from random import Random

import pytest

from detectors.campaigns import floods as module
from detectors.campaigns.floods import KEPT_DAYS, Floods
from detectors.model.event import Trust
from detectors.model.records import EpisodeRecord, Level
from detectors.model.times import DAY_MS, MINUTE_MS
from tests.detectors.campaigns.tales import NOON_MS, record, tale, told


def facts(floods: Floods) -> dict[str, tuple[object, ...]]:
    return {
        each.episode_id: (each.opened_ms, each.last_ms, each.messages, each.level,
                          each.throttled, sorted(each.platforms))
        for each in floods.by_id.values()
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_records_of_different_recipients_may_come_in_any_order_and_twice(seed: int) -> None:
    rng = Random(seed)
    records = list(tale(rng, 20, NOON_MS, first=1))
    lives = [records[n : n + 3] for n in range(0, len(records), 3)]
    shuffled: list[EpisodeRecord] = []
    left = [list(life) for life in lives]
    while left:
        life = rng.choice(left)
        shuffled.append(life[0])
        if rng.random() < 0.7:  # else it comes again
            life.pop(0)
            left = [each for each in left if each]
    assert facts(told(shuffled)) == facts(told(records))
    assert told(shuffled).names == told(records).names


def test_a_record_that_says_nothing_new_changes_nothing() -> None:
    floods = Floods()
    opened = record(1, NOON_MS, [1, 2, 3])
    assert floods.take(opened, NOON_MS)
    assert not floods.take(opened, NOON_MS)
    assert floods.take(record(1, NOON_MS, [4], change="renewed", revision=9), NOON_MS)


def test_what_is_trusted_known_or_one_platform_s_resending_is_of_no_campaign() -> None:
    floods = Floods()
    floods.take(record(1, NOON_MS, [1], trust=Trust.BANK), NOON_MS)
    floods.take(record(1, NOON_MS, [2], novel=False, revision=5), NOON_MS)
    assert floods.by_id["1:sms:0:1"].platforms == set()
    assert not floods.take(record(2, NOON_MS, [3], kind="resend"), NOON_MS)
    assert len(floods.by_id) == 1


def test_a_renewal_of_what_nobody_saw_begin_is_passed_over() -> None:
    floods = Floods()
    assert not floods.take(record(1, NOON_MS, [1], change="renewed"), NOON_MS)
    assert (len(floods.by_id), floods.stale) == (0, 1)


def test_an_end_alone_tells_the_whole_flood() -> None:
    over = record(1, NOON_MS + MINUTE_MS, [1, 2], change="ended", level=Level.CLEAR,
                  opened_ms=NOON_MS)  # fmt: skip
    (flood,) = told([over]).by_id.values()
    assert (flood.opened_ms, flood.open, flood.platforms) == (NOON_MS, False, {1, 2})


def test_the_days_before_are_forgotten_whole_and_their_names_with_them() -> None:
    floods = Floods()
    floods.take(record(1, NOON_MS, [1]), NOON_MS)
    floods.take(record(2, NOON_MS + KEPT_DAYS * DAY_MS, [2]), NOON_MS + KEPT_DAYS * DAY_MS)
    assert not floods.forget(), "of today and two days before"
    later_ms = NOON_MS + (KEPT_DAYS + 1) * DAY_MS
    floods.take(record(3, later_ms, [2]), later_ms)
    assert floods.forget()
    assert set(floods.names) == {2}
    assert not floods.take(record(4, NOON_MS, [1]), later_ms), "too late"


def test_a_time_of_the_future_makes_nobody_forget() -> None:
    floods = told([record(1, NOON_MS, [1])])
    floods.take(record(2, NOON_MS + 400 * DAY_MS, [2]), written_ms=NOON_MS)
    floods.forget()
    assert len(floods.by_id) == 2


def test_floods_are_bounded_and_the_oldest_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLOODS_MAX", 3)
    floods = told(record(n, NOON_MS + n, [n]) for n in (5, 1, 2, 4, 3))
    assert sorted(each.opened_ms - NOON_MS for each in floods.by_id.values()) == [3, 4, 5]
