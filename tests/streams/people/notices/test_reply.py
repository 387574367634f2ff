"""A victim's reply: whose counts, what it opens, and what an attacker has of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from detectors.model.event import Trust, platform_id
from detectors.model.incidents import EarlierSighting, FloodMessage, IncidentRecord
from detectors.model.records import AgainWindow, Cause, Sighting
from streams.config.sections.notices import Notify
from streams.people.notices.notice_book import NoticeBook, NotifyParams
from streams.people.notices.reply import OPEN_MS, HeardReply, Opening, Replies
from streams.wire import Event, Numbers
from tests.builders.streams.people.notices.notice_book import ack, episode, notice
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action, override

NOW_MS = START_MS + 60_000


def saw(name: str, at_ms: int, **more: Any) -> Sighting:
    key = f"sig:{name}"
    return Sighting(key, platform_id(key), at_ms, **{"novel": True, "trust": Trust.NONE, **more})


def message(**fields: Any) -> Event:
    usual = {
        "schema_version": 1, "recipient": "10086", "sender": f"+{RECIPIENT}", "text": " kx ",
        "event_time_ms": NOW_MS, "message_id": "m1", "direction": "mo", "gateway_id": "msc-1",
    }  # fmt: skip
    return Event(**{**usual, **fields})


def replies(*sightings: Sighting, told: bool = True, **params: Any) -> Replies:
    lease, book = action(), NoticeBook(NotifyParams())
    book.action(lease, START_MS)
    book.ack(ack(lease), START_MS)
    made = Replies(
        Notify(reply=True, reply_to=["10086"], reply_gateways=["msc-1"], **params),
        Numbers("CN"),
        book,
    )
    record = replace(episode(lease), sightings=sightings)
    book.episode(record, START_MS)
    made.episode(record)
    if told:
        book.take_notice(notice(lease, "sent", at_ms=START_MS + 1_000))
    return made


def opened(on: Replies, event: Event | None = None, now_ms: int = NOW_MS) -> Opening:
    what, opening = on.evaluate(event or message(), now_ms)
    assert what is HeardReply.OPENED, what
    assert opening is not None
    return opening


def test_a_reply_opens_what_was_refused_and_is_not_hot_the_newest_first() -> None:
    on = replies(
        saw("old", START_MS), saw("hot", START_MS + 1, hot=True), saw("new", START_MS + 2),
        saw("bank", START_MS + 3, trust=Trust.BANK), saw("known", START_MS + 4, novel=False),
    )  # fmt: skip
    opening = opened(on)
    keys = on.to_open(opening, NOW_MS)
    assert keys == ["sig:new", "sig:old"]
    words = list(opening.words(keys))
    assert [(w.verb, w.platform, w.actor, w.via) for w in words] == [
        ("allow", "sig:new", "victim", "mo"), ("allow", "sig:old", "victim", "mo"),
    ]  # fmt: skip
    assert all(each.once for each in words)  # one code of each, and no platform whole
    assert {w.expires_at_ms for w in words} == {NOW_MS + 600_000}
    assert on.to_open(opening, NOW_MS) == []  # and nothing a second time


def test_it_opens_no_more_than_a_few_and_never_everything() -> None:
    on = replies(*(saw(f"p{nth}", START_MS + nth) for nth in range(60)))
    keys = on.to_open(opened(on), NOW_MS)
    assert keys == [f"sig:p{nth}" for nth in range(59, 51, -1)]


def test_what_comes_to_light_later_and_was_asked_before_is_opened_too() -> None:
    on = replies(saw("flood", START_MS))
    opening = opened(on)
    list(opening.words(on.to_open(opening, NOW_MS)))
    on.incident(incident(("hers", NOW_MS - 5_000), ("after", NOW_MS + 60_000)))
    assert on.to_open(opening, NOW_MS + 90_000) == ["sig:hers"]
    assert on.to_open(opening, NOW_MS + 600_000) == []  # it is over


def test_a_platform_that_other_floods_abuse_is_hot_in_this_one() -> None:
    on = replies()
    on.episode(replace(episode(action("8613900000002")), sightings=(saw("tool", 1, hot=True),)))
    on.incident(incident(("tool", NOW_MS - 9), ("hers", NOW_MS - 8)))
    assert on.to_open(opened(on), NOW_MS) == ["sig:hers"]


def test_a_platform_that_the_lease_says_is_hot_is_not_opened() -> None:
    on = replies(saw("tool", START_MS), saw("hers", START_MS))
    windows = [AgainWindow(platform_id(f"sig:{name}"), NOW_MS, NOW_MS + 9, hot=name == "tool")
               for name in ("tool", "hers")]  # fmt: skip
    on.lease(replace(action(), again=tuple(windows)))
    assert on.to_open(opened(on), NOW_MS) == ["sig:hers"]


def test_a_platform_that_was_hot_before_the_throttle_is_not_opened() -> None:
    on, key = replies(), "sig:tool"
    early = EarlierSighting(START_MS, True, Trust.NONE, key, platform_id(key), hot=True, offset=7)
    on.incident(replace(incident(("hers", NOW_MS - 9)), earlier=(early,)))
    assert on.to_open(opened(on), NOW_MS) == ["sig:hers"]


def test_who_sent_twice_before_the_reply_is_the_flood_and_not_she() -> None:
    on = replies(saw("hers", START_MS + 5), saw("flood", START_MS + 6))
    on.incident(incident(("flood", START_MS + 6), ("flood", NOW_MS - 1), ("hers", NOW_MS + 20_000)))
    opening = opened(on)
    assert on.to_open(opening, NOW_MS) == ["sig:hers"]  # she asked again after her reply
    early = EarlierSighting(START_MS - 9, True, Trust.NONE, "sig:hers", platform_id("sig:hers"))
    on.incident(replace(incident(), earlier=(early,)))
    assert on.to_open(opening, NOW_MS) == []  # what came before the lease counts


def test_a_reply_that_is_heard_late_is_about_what_she_saw_when_she_wrote_it() -> None:
    """She asked for her code again and again, while her reply waited for a busy machine."""
    on = replies(saw("hers", NOW_MS - 9))
    on.incident(incident(*(("hers", NOW_MS + n * 1_000) for n in range(1, 40))))
    late_ms = NOW_MS + 60_000
    opening = opened(on, message(event_time_ms=NOW_MS), late_ms)
    assert on.to_open(opening, late_ms) == ["sig:hers"]
    (word,) = opening.words(["sig:hers"])
    assert (word.issued_at_ms, word.expires_at_ms) == (late_ms, late_ms + OPEN_MS)


def test_a_gateway_s_clock_that_is_ahead_makes_no_message_one_of_before() -> None:
    on = replies(saw("hers", NOW_MS - 9))
    opening = opened(on, message(event_time_ms=NOW_MS + 60_000))
    on.incident(incident(("hers", NOW_MS + 40_000)))
    assert on.to_open(opening, NOW_MS) == ["sig:hers"]
    assert opening.asked_ms == NOW_MS


def test_the_same_record_twice_is_one_message() -> None:
    on = replies(saw("hers", NOW_MS - 9))
    for _ in range(2):
        on.incident(incident(("hers", NOW_MS - 9)))
    assert on.to_open(opened(on), NOW_MS) == ["sig:hers"]


def test_the_operator_s_own_word_is_not_shortened() -> None:
    on = replies(saw("hers", START_MS))
    on.book.word(override("allow", platform="sig:hers", expires_at_ms=None), 3, START_MS)
    assert on.to_open(opened(on), NOW_MS) == []


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"direction": "mt"}, HeardReply.OTHER),
        ({"direction": None}, HeardReply.OTHER),
        ({"recipient": "10010"}, HeardReply.OTHER),
        ({"text": "KX KX"}, HeardReply.OTHER),
        ({"text": None}, HeardReply.OTHER),
        ({"event_time_ms": NOW_MS - 300_001}, HeardReply.OLD),
        ({"gateway_id": None}, HeardReply.UNVOUCHED),
        ({"gateway_id": "smpp-7"}, HeardReply.UNVOUCHED),  # forged by whoever may submit
        ({"sender": "10086"}, HeardReply.NO_LEASE),
        ({"sender": "taobao"}, HeardReply.UNREADABLE),
        ({"sender": ""}, HeardReply.UNREADABLE),
        ({"sender": "h1:00112233445566aa"}, HeardReply.UNREADABLE),
        ({"sender": "+8613900000002"}, HeardReply.NO_LEASE),  # somebody else's number
        ({"sender": "+14155550100"}, HeardReply.NO_LEASE),  # a foreign one
    ],
)
def test_what_is_no_victim_s_reply_opens_nothing(fields: dict[str, Any], what: HeardReply) -> None:
    on = replies(saw("flood", START_MS))
    event = message(**fields)
    if event.sender == "10086":  # a short code is no number of a subscriber
        assert on.evaluate(event, NOW_MS)[0] in (HeardReply.NO_LEASE, HeardReply.UNREADABLE)
    else:
        assert on.evaluate(event, NOW_MS)[0] is what
    assert not on.openings


def test_whoever_was_not_told_of_a_reply_guessed_it() -> None:
    assert replies(told=False).evaluate(message(), NOW_MS)[0] is HeardReply.NOT_TOLD


def test_one_reply_a_day_after_a_restart_too() -> None:
    on = replies(saw("hers", START_MS))
    opening = opened(on)
    assert on.evaluate(message(), NOW_MS + 1)[0] is HeardReply.DAILY
    words = list(opening.words(on.to_open(opening, NOW_MS)))
    again = replies(saw("hers", START_MS))
    again.book.word(words[0], 9, NOW_MS)
    assert again.evaluate(message(), NOW_MS + 1)[0] is HeardReply.DAILY
    confirmed = replies(saw("hers", START_MS))
    confirmed.book.take_notice(notice(action(), "sent", at_ms=NOW_MS, kind="victim_opened"))
    assert confirmed.evaluate(message(), NOW_MS + 1)[0] is HeardReply.DAILY


def test_where_nothing_is_refused_there_is_nothing_to_open() -> None:
    on = replies(saw("hers", START_MS))
    at_ms = START_MS + LEASE_MS
    assert on.evaluate(message(event_time_ms=at_ms), at_ms)[0] is HeardReply.NO_LEASE
    opening = opened(on)
    assert on.to_open(opening, at_ms) == []


def test_openings_and_what_was_refused_are_forgotten() -> None:
    on = replies()
    opened(on)
    on.incident(incident(("hers", NOW_MS)))
    on.turn(NOW_MS + 600_000)
    assert not on.openings
    on.turn(NOW_MS + 3_600_000)
    assert not on._asked


def incident(*asked: tuple[str, int]) -> IncidentRecord:
    lease = action()
    return IncidentRecord(
        episode_id=lease.episode_id, epoch=1, revision=1, recipient=RECIPIENT, mode="enforce",
        at_ms=NOW_MS, first=0,
        messages=tuple(
            FloodMessage(nth, at_ms, "refuse", novel=True, trust=Trust.NONE, gateway="g",
                         platform=f"sig:{name}", platform_id=platform_id(f"sig:{name}"))
            for nth, (name, at_ms) in enumerate(asked)
        ),
        unlisted=None, basis=None, earlier=(), cause=Cause("sms", 0, 1, NOW_MS), version="0",
        config="",
    )  # fmt: skip
