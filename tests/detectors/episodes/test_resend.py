"""One platform that sends again and again: announced once, ended once, and never a throttle."""

from __future__ import annotations

import pytest

from detectors.chain import Params, Partition
from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.lease import EpisodeParams
from detectors.episodes.resend import Resend, end, observe
from detectors.model.event import TICK_OFFSETS
from detectors.model.records import Cause, EpisodeRecord, Level
from detectors.thresholds import RESEND_MESSAGES
from tests.builders.detectors.chain import ENFORCE, VICTIM, changes, flood, history, idle
from tests.detectors.stand_in import HOUR_MS, MINUTE_MS, START_MS, Event, run

SIGNED = EpisodeParams(epoch=4, version="1.2", config="c0ffee")


def test_one_platform_that_repeats_is_no_flood_but_an_episode_of_its_own() -> None:
    resend = [Event(START_MS + i * MINUTE_MS, VICTIM, "one") for i in range(60)]
    decisions = run(ENFORCE, history() + resend + idle(2 * TICK_OFFSETS, START_MS + 2 * HOUR_MS))
    assert {a.verb for a in decisions.actions} == {"throttle_platforms"}
    assert changes(decisions) == []
    assert changes(decisions, "resend") == [("opened", Level.WATCH), ("ended", Level.CLEAR)]
    limits = changes(decisions, "limit")
    assert limits[0] == ("opened", Level.WATCH)
    assert limits[-1] == ("ended", Level.CLEAR)
    resends = [each for each in decisions.episodes if each.kind == "resend"]
    record: EpisodeRecord = resends[0]
    assert record.sightings[0].platform == "one"
    assert record.at_ms - START_MS <= 30 * MINUTE_MS
    assert resends[1].evidence.messages >= 40


def test_a_banks_retries_and_a_flood_are_no_resend() -> None:
    bank = [Event(START_MS + i * MINUTE_MS, VICTIM + 1, "bank", 1) for i in range(10)]
    attack = flood(68, gap_ms=30_000)
    decisions = run(ENFORCE, history() + sorted(bank + attack))
    assert changes(decisions, "resend") == []
    assert changes(decisions) != []


def test_recipients_watched_for_resends_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.chain.RESEND_RECIPIENTS_MAX", 2)
    params = Params()
    events = sorted(
        Event(START_MS + i * 10_000, VICTIM + r, "one") for r in range(5) for i in range(30)
    )
    partition = Partition(params)
    decisions = run(params, events, partition)
    assert len(partition.resends) == 2
    assert len(changes(decisions, "resend")) == 2


def offered(platforms: list[int]) -> tuple[Resend, EpisodeLog]:
    """A recipient to whom these platforms sent, a message a second."""
    book, held = EpisodeLog(), Resend("8613800000001", 1_000)
    for i, platform in enumerate(platforms):
        cause = Cause("sms.delivery.v1", 3, 100 + i, START_MS + i * 1000)
        observe(SIGNED, book, held, cause, platform=platform)
    return held, book


def test_the_message_that_reaches_the_threshold_announces_and_no_later_one() -> None:
    held, book = offered([7] * (RESEND_MESSAGES + 4))
    assert [(r.change, r.revision, r.evidence.messages) for r in book.records] == [
        ("opened", 99 + RESEND_MESSAGES, RESEND_MESSAGES)
    ]
    assert book.records[0].episode_id == f"4:sms.delivery.v1:3:{99 + RESEND_MESSAGES}:resend"
    assert (book.records[0].mode, book.records[0].scope.pass_ids) == ("shadow", ())
    assert held.platform == 7


def test_platforms_by_turns_cancel_one_another_out() -> None:
    """Misra and Gries: only who sends over a third of the messages can stay in two places."""
    held, book = offered([1, 2, 3] * 40)
    assert book.records == []
    assert len(held.counts) <= 2


def test_one_that_sends_most_of_all_stands_among_many() -> None:
    many = [platform for i in range(30) for platform in (7, 7, 100 + i)]
    held, book = offered(many)
    assert held.platform == 7
    assert len(book.records) == 1


def test_only_what_was_announced_is_ended() -> None:
    least = RESEND_MESSAGES
    for count, told in ((least - 1, []), (least, ["opened", "ended"])):
        held, book = offered([7] * count)
        end(SIGNED, book, held, Cause("sms.delivery.v1", 3, 500, START_MS + HOUR_MS))
        assert [record.change for record in book.records] == told
    ended = book.records[-1]
    assert (ended.level, ended.revision, ended.version) == (Level.CLEAR, 500, "1.2")
    assert ended.episode_id == book.records[0].episode_id
