"""Who is told, who is not and why, by leases, answers, words and what was told before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from detectors.model.records import Action
from streams.people.notices.notice_book import (
    EPISODE_WAIT_MS,
    NoticeBook,
    NotifyParams,
    PendingNotice,
    Unsent,
)
from streams.wire import EVERYONE, Notice, Override
from streams.wire.notice_records import NoticeState
from tests.builders.streams.people.notices.notice_book import ack, episode, notice
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action, override, renumbered

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def book(**params: Any) -> NoticeBook:
    return NoticeBook(NotifyParams(**params))


def told(on: NoticeBook, of: Action, now_ms: int = START_MS + 200) -> NoticeBook:
    """The book after lease, answer and episode."""
    on.action(of, now_ms)
    on.episode(episode(of), now_ms)
    on.ack(ack(of), now_ms)
    return on


def sent(on: NoticeBook, pending: PendingNotice, at_ms: int) -> None:
    """Do as a notifier does."""
    for state in ("sending", "sent"):
        on.take_notice(
            Notice(
                notice_id=pending.notice_id,
                episode_id=pending.episode_id,
                kind=pending.kind,
                to=pending.recipient,
                channel="file",
                template="",
                state=state,
                why="",
                at_ms=at_ms,
            )
        )
    on.count_sending(at_ms)
    on.remove(pending.notice_id)


def due(on: NoticeBook, now_ms: int = START_MS + 300) -> PendingNotice:
    found = on.next(now_ms)
    assert isinstance(found, PendingNotice), found
    return found


def why_not(on: NoticeBook, now_ms: int = START_MS + 300) -> Unsent:
    found = on.next(now_ms)
    assert isinstance(found, tuple), found
    return found[1]


def test_a_victim_is_told_once_her_lease_is_applied_and_not_before() -> None:
    lease, on = action(), book()
    on.action(lease, START_MS)
    on.episode(episode(lease), START_MS)
    assert on.next(START_MS + 100) is None
    for state in ("ignored", "failed", "expired"):
        on.ack(ack(lease, state), START_MS + 100)
        assert on.next(START_MS + 100) is None
    on.ack(ack(lease), START_MS + 100)
    pending = due(on)
    assert (pending.recipient, pending.kind) == (RECIPIENT, "victim_start")
    assert pending.facts.messages == lease.evidence.messages
    assert pending.facts.at_ms == lease.evidence.first_ms


@pytest.mark.parametrize("order", ["lea", "lae", "ael", "ela", "eal", "ale"])
def test_the_order_of_topics_does_not_matter(order: str) -> None:
    lease, on = action(), book()
    for each in order:
        if each == "l":
            on.action(lease, START_MS)
        elif each == "e":
            on.episode(episode(lease), START_MS)
        else:
            on.ack(ack(lease), START_MS)
    assert due(on).recipient == RECIPIENT


def test_a_victim_of_single_platforms_is_told_that_only_these_are_refused() -> None:
    lease = replace(action(verb="throttle_platforms"), refused_ids=(1, 2))
    pending = due(told(book(), lease))
    assert (pending.kind, pending.facts.few) == ("victim_start", True)
    assert not due(told(book(), action())).facts.few
    over = replace(lease, refused_ids=())
    assert told(book(), over).next(START_MS + 300) is None, "it refuses nothing"


def test_an_episode_is_told_once_whatever_is_renewed_and_by_how_many_gateways() -> None:
    on = told(book(), action())
    sent(on, due(on), START_MS + 300)
    on.ack(ack(action(), gateway="g2"), START_MS + 400)
    for nth in range(2, 40):
        told(on, replace(renumbered(action(at_ms=START_MS + nth * 300_000), 1, nth)),
             START_MS + nth * 300_000)  # fmt: skip
        assert on.next(START_MS + nth * 300_000 + 10) is None


def test_only_the_gateways_that_were_named_say_that_it_is_applied() -> None:
    lease, on = action(), book(gateways=frozenset({"g2"}))
    told(on, lease)
    assert on.next(START_MS + 300) is None
    on.ack(ack(lease, gateway="g2"), START_MS + 300)
    assert due(on).recipient == RECIPIENT


def test_in_shadow_nobody_is_told_anything() -> None:
    on = told(book(), action(mode="shadow"))
    assert on.next(START_MS + 300) is None
    assert not on.queue


def test_the_canary_rings_no_phone() -> None:
    number = int(RECIPIENT)
    on = told(book(canary=range(number, number + 1)), action())
    assert not on.queue


@pytest.mark.parametrize(
    ("word", "why"),
    [
        (override("exempt"), Unsent.EXEMPT),
        (override("release"), Unsent.RELEASED),
        (override("mode", EVERYONE, mode="shadow"), Unsent.SWITCH),
        (override("mode", EVERYONE, mode="off"), Unsent.SWITCH),
    ],
)
def test_the_operator_s_word_holds_a_notice_back(word: Override, why: Unsent) -> None:
    on = told(book(), action())
    on.word(word, 7, START_MS + 200)
    assert why_not(on) is why


def test_a_token_is_nobody_that_can_be_told() -> None:
    assert why_not(told(book(), action("h1:00112233445566aa"))) is Unsent.TOKEN


def test_a_chronic_number_is_not_told() -> None:
    on = told(book(), action())
    on.episode(episode(action(), chronic=True), START_MS + 200)
    assert why_not(on) is Unsent.CHRONIC


def test_the_episode_s_record_is_waited_for_but_not_for_ever() -> None:
    lease, on = action(), book()
    on.action(lease, START_MS)
    on.ack(ack(lease), START_MS)
    assert on.next(START_MS + EPISODE_WAIT_MS - 1) is None
    assert due(on, START_MS + EPISODE_WAIT_MS).recipient == RECIPIENT


def test_a_lease_that_ended_before_is_not_told_of_and_a_later_one_is() -> None:
    on = told(book(), action())
    late = START_MS + LEASE_MS
    assert why_not(on, late) is Unsent.OVER
    on.take_notice(notice(action(), "suppressed", Unsent.OVER, late))
    on.remove(f"{action().episode_id}:victim_start")
    told(on, renumbered(action(at_ms=late), 1, 9), late + 10)
    assert due(on, late + 20).recipient == RECIPIENT


def test_a_number_is_held_off_for_a_day_and_told_again_after_it() -> None:
    on = told(book(), action())
    sent(on, due(on), START_MS + 300)
    later = START_MS + 23 * HOUR_MS
    second = replace(renumbered(action(at_ms=later), 1, 900), episode_id="1:x:0:900")
    told(on, second, later)
    assert why_not(on, later + 10) is Unsent.HOLD_OFF
    on.take_notice(notice(second, "suppressed", Unsent.HOLD_OFF, later))
    on.remove("1:x:0:900:victim_start")
    third_ms = START_MS + 25 * HOUR_MS
    third = replace(renumbered(action(at_ms=third_ms), 1, 950), episode_id="1:x:0:950")
    told(on, third, third_ms)
    assert due(on, third_ms + 10).episode_id == "1:x:0:950"


def test_what_did_not_go_holds_nothing_off() -> None:
    on = told(book(), action())
    for state, why in (("sending", ""), ("failed", Unsent.AWAY), ("suppressed", Unsent.LATE)):
        on.take_notice(notice(action(), state, why, START_MS + 300))  # type: ignore[arg-type]
    on.remove(f"{action().episode_id}:victim_start")
    at_ms = START_MS + HOUR_MS
    other = replace(renumbered(action(at_ms=at_ms), 1, 900), episode_id="1:x:0:900")
    told(on, other, at_ms)
    assert due(on, at_ms + 10).recipient == RECIPIENT


def test_a_minute_has_no_more_than_its_cap_and_what_waits_too_long_is_given_up() -> None:
    on = book(per_minute=600)
    for nth in range(5_000):
        number = str(8613900000000 + nth)
        told(on, replace(action(number), episode_id=f"e{nth}", action_id=f"a{nth}"))
    now_ms, out, given_up, minutes = START_MS + 1_000, 0, 0, []
    while on.queue and now_ms < START_MS + HOUR_MS:
        found = on.next(now_ms)
        if isinstance(found, PendingNotice):
            sent(on, found, now_ms)
            minutes.append(now_ms)
            out += 1
        elif isinstance(found, tuple):
            assert found[1] in (Unsent.CAP, Unsent.OVER)
            on.remove(found[0].notice_id)
            given_up += 1
        else:
            now_ms += 1_000
    for at in range(len(minutes) - 600):
        assert minutes[at + 600] - minutes[at] >= 60_000
    assert (out, given_up) == (5_000, 0)  # nine minutes, within the lease


ABROAD = "88213900000001"


def test_a_number_outside_the_prefixes_gets_no_notice_of_any_kind() -> None:
    on = told(book(prefixes={"86": 9, "852": 9}, released=True), action(ABROAD))
    assert why_not(on) is Unsent.ABROAD
    on.take_notice(notice(action(ABROAD), "suppressed", Unsent.ABROAD))
    on.remove(f"{action(ABROAD).episode_id}:victim_start")
    on.word(override("release", ABROAD), 7, START_MS + 300)
    assert why_not(on) is Unsent.ABROAD
    assert due(told(book(prefixes={"86": 9}), action())).recipient == RECIPIENT


def numbered(nth: int, prefix: str, at_ms: int = START_MS) -> Action:
    lease = renumbered(action(f"{prefix}{nth:08}", at_ms=at_ms), 1, nth)
    return replace(lease, episode_id=f"e{nth}")


@pytest.mark.parametrize("capped", [{"per_day": 3}, {"prefixes": {"86": 99, "8613": 3}}])
def test_a_day_and_a_prefix_have_no_more_than_their_cap_and_a_successor_knows(
    capped: dict[str, Any],
) -> None:
    on, successor = book(**capped), book(**capped)
    for nth in range(3):
        lease = numbered(nth, "8613")
        sent(told(on, lease), due(on), START_MS + 300)
        states: tuple[NoticeState, ...] = ("sending", "failed", "sending", "sent")
        for state in states:  # a try that was not taken is none
            successor.take_notice(notice(lease, state, "away" if state == "failed" else ""))
    for each in (on, successor):
        assert each.is_day_full(START_MS)
        told(each, numbered(3, "8613"))
        assert why_not(each) is Unsent.CAP
        each.remove(next(iter(each.queue)))
        tomorrow_ms = START_MS - START_MS % DAY_MS + DAY_MS
        assert not each.is_day_full(tomorrow_ms)
        told(each, numbered(4, "8613", tomorrow_ms), tomorrow_ms)
        assert due(each, tomorrow_ms).recipient.endswith("4")


def test_the_cap_of_one_prefix_leaves_the_others() -> None:
    on = book(prefixes={"86": 1, "852": 1})
    sent(told(on, numbered(1, "86")), due(on), START_MS + 300)
    told(on, numbered(2, "852"))
    assert due(on).recipient.startswith("852")
    on.turn(START_MS + 3 * DAY_MS)
    assert not on._days, "days that are over are forgotten"


def test_a_smaller_cap_gives_up_what_a_lease_does_not_outlive() -> None:
    on = book(per_minute=1, age_max_ms=120_000)
    for nth in range(5):
        told(on, replace(action(str(8613900000000 + nth)), episode_id=f"e{nth}",
                         action_id=f"a{nth}"))  # fmt: skip
    sent(on, due(on), START_MS + 300)
    assert on.next(START_MS + 1_000) is None
    assert on.full
    sent(on, due(on, START_MS + 61_000), START_MS + 61_000)
    assert on.next(START_MS + 62_000) is None
    assert why_not(on, START_MS + 120_300) is Unsent.CAP


def test_a_clock_that_is_set_back_holds_nothing_up_for_longer_than_a_minute() -> None:
    on, back_ms = book(per_minute=2), START_MS - HOUR_MS
    for nth in range(4):
        told(on, replace(action(str(8613900000000 + nth)), episode_id=f"e{nth}",
                         action_id=f"a{nth}"))  # fmt: skip
    for _ in range(2):
        sent(on, due(on), START_MS + 300)
    assert on.next(START_MS + 400) is None
    assert on.next(back_ms) is None, "the cap holds whatever the clock says"
    assert on.full
    assert due(on, back_ms + 60_000).recipient == "8613900000002"
    on.count_sending(back_ms + 60_000)
    on.count_sending(back_ms)  # again, before anything was asked for
    assert on.next(back_ms + 59_999) is None
    assert due(on, back_ms + 60_000).recipient == "8613900000002"


def test_after_a_clock_was_set_back_what_waits_is_as_old_as_it_is() -> None:
    lease, on, back_ms = action(), book(age_max_ms=120_000), START_MS - HOUR_MS
    on.action(lease, START_MS)
    on.ack(ack(lease), START_MS)
    assert on.next(back_ms) is None
    assert due(on, back_ms + EPISODE_WAIT_MS).recipient == RECIPIENT
    assert why_not(on, back_ms + 120_001) is Unsent.LATE


def test_the_book_forgets_and_stays_small() -> None:
    on = book()
    for nth in range(300):
        at_ms = START_MS + nth * 600_000
        lease = replace(action(str(8613900000000 + nth), nth + 1, at_ms=at_ms),
                        episode_id=f"e{nth}", action_id=f"a{nth}")  # fmt: skip
        told(on, lease, at_ms)
        sent(on, due(on, at_ms + 10), at_ms + 10)
        on.turn(at_ms)
    tables = ("_leases", "_newest", "_applied", "episodes", "_told", "_last")
    assert all(0 < len(getattr(on, name)) < 160 for name in tables)
    on.turn(START_MS + 300 * 600_000 + 30 * HOUR_MS)
    assert not any(getattr(on, name) for name in (*tables, "_ends", "_heap"))


# -- what was told before


def test_a_successor_tells_nobody_again() -> None:
    on = told(book(), action())
    on.take_notice(notice(action(), "sending"))
    on.take_notice(notice(action(), "sent"))
    assert list(on.resume(START_MS + HOUR_MS)) == []
    assert on.next(START_MS + 300) is None


def test_what_a_process_left_is_sent_once_more_and_then_nobody_knows() -> None:
    on = told(book(), action())
    on.take_notice(notice(action(), "sending", at_ms=START_MS + 250))
    assert list(on.resume(START_MS + 300)) == []
    pending = due(on)
    assert pending.unresolved
    assert pending.facts.messages == 8
    on = told(book(), action())
    on.take_notice(notice(action(), "sending", at_ms=START_MS + 250))
    on.take_notice(notice(action(), "sending", at_ms=START_MS + 260))
    (last,) = on.resume(START_MS + 300)
    assert (last.state, last.why) == ("failed", Unsent.UNKNOWN)
    assert on.next(START_MS + 300) is None


def test_a_record_that_came_twice_is_one_try() -> None:
    on = told(book(), action())
    for _ in range(3):
        on.take_notice(notice(action(), "sending", at_ms=START_MS + 250))
    assert list(on.resume(START_MS + 300)) == []
    assert due(on).unresolved


def test_what_was_left_and_cannot_be_sent_again_stays_unknown() -> None:
    on = told(book(), action())
    on.take_notice(notice(action(), "sending", at_ms=START_MS + 250))
    assert list(on.resume(START_MS + 300)) == []
    assert why_not(on, START_MS + LEASE_MS) is Unsent.UNKNOWN


def test_what_another_process_has_just_begun_is_its_own() -> None:
    on = told(book(), action())
    on.take_notice(notice(action(), "sending", at_ms=START_MS + 250))
    on.remove(f"{action().episode_id}:victim_start")
    assert list(on.resume(START_MS + 250)) == []
    assert on.next(START_MS + 300) is None


# -- other kinds


def test_the_end_is_told_to_whoever_was_told_of_the_beginning() -> None:
    lease = action()
    on = told(book(end=True), lease)
    on.episode(episode(lease, "ended"), START_MS + 250)
    assert [each.kind for each in on.queue.values()] == ["victim_start"]
    sent(on, due(on), START_MS + 300)
    on.episode(episode(lease, "ended"), START_MS + 400)
    assert due(on, START_MS + 500).kind == "victim_end"
    silent = told(book(), lease)
    sent(silent, due(silent), START_MS + 300)
    silent.episode(episode(lease, "ended"), START_MS + 400)
    assert silent.next(START_MS + 500) is None


@pytest.mark.parametrize("verb", ["release", "exempt"])
def test_a_number_is_told_that_somebody_opened_it(verb: str) -> None:
    on = book(released=True)
    on.word(override(verb), 7, START_MS + 200)
    pending = due(on)
    assert (pending.notice_id, pending.kind) == ("override-7:victim_released", "victim_released")
    quiet = book()
    quiet.word(override(verb), 7, START_MS + 200)
    assert quiet.next(START_MS + 300) is None


def test_old_words_and_those_that_took_one_back_are_not_told() -> None:
    on = book(released=True)
    on.word(override("release"), 7, START_MS + 2 * HOUR_MS)
    on.word(override("exempt", expires_at_ms=START_MS), 8, START_MS + 10)
    on.word(override("allow", platform="sig:a"), 9, START_MS + 10)
    assert on.next(START_MS + 20) is None
