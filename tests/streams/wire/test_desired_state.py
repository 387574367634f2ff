"""What should be enforced, decided by the book alone."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, strategies as st

from detectors.leases.gateway_rule import Lease, Ruling, rule
from detectors.leases.rails import RailParams
from detectors.leases.retry_budget import SecondPasses, window_of
from detectors.model.event import Trust, platform_id
from detectors.model.records import Action, AgainWindow, Reason
from detectors.model.times import DAY_MS, HOUR_MS
from detectors.thresholds import AGAIN_MOST, LEASE_MAX_MS
from streams.wire import EVERYONE, Override
from streams.wire.desired_state import (
    REMEMBER_MS,
    DesiredState,
    NoLease,
    came_before_the_word,
    desired_lease,
    due,
    forget_override,
    let_in,
    mode,
    rails_times,
    take_action,
    take_override,
)
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action, override


def book_of(*records: object, params: RailParams | None = None) -> DesiredState:
    book = DesiredState(params or RailParams())
    for record in records:
        if isinstance(record, Action):
            take_action(book, record, START_MS)
        else:
            take_override(book, record)  # type: ignore[arg-type]
    return book


def check(records: list[object], expected: str | NoLease, at_ms: int = START_MS + 1) -> None:
    answer = desired_lease(book_of(*records), RECIPIENT, at_ms)
    assert (answer.action_id if isinstance(answer, Lease) else answer) == expected


FIRST = "1:sms.delivery.v1:0:1"
SECOND = "1:sms.delivery.v1:0:2"


def test_a_lease_stands_until_the_moment_it_ends() -> None:
    check([action()], FIRST, START_MS + LEASE_MS - 1)
    check([action()], NoLease.OVER, START_MS + LEASE_MS)


def test_only_enforce_is_obeyed() -> None:
    check([action(mode="shadow")], NoLease.SHADOW)


def test_the_higher_revision_wins_in_either_order_and_the_higher_epoch_over_it() -> None:
    check([action(revision=1), action(revision=2)], SECOND)
    check([action(revision=2), action(revision=1)], SECOND)
    check([action(revision=9), action(revision=2, epoch=2)], "2:sms.delivery.v1:0:2")
    check([action(revision=2, epoch=2), action(revision=9)], "2:sms.delivery.v1:0:2")


def test_a_release_of_the_detector_always_counts_but_not_over_a_newer_lease() -> None:
    release = action(revision=2, verb="release")
    check([action(revision=1), release], NoLease.RELEASE)
    check([release, action(revision=1)], NoLease.RELEASE)
    check([action(revision=3), release], "1:sms.delivery.v1:0:3")


def test_a_release_by_hand_ends_what_was_issued_before_and_holds_until_it_ends() -> None:
    word = override("release", issued_at_ms=START_MS + 1, expires_at_ms=START_MS + 60_000)
    check([action(), word], NoLease.RELEASED)
    check([action(), word], NoLease.RELEASED, START_MS + 60_000)  # the lease was issued before
    renewal = action(revision=2, at_ms=START_MS + 30_000)
    check([word, renewal], NoLease.RELEASED, START_MS + 59_999)
    check([word, renewal], SECOND, START_MS + 60_000)


@pytest.mark.parametrize(
    ("rule", "threshold", "covered"),
    [
        ("relapse", 3, True),
        ("returns", 13 / 3, True),
        ("volume_6h", 40, True),
        ("limit_35min", 5, True),
        ("limit_24h", 20, False),
        ("returns", 13, False),
        ("burst", 2.6, False),
    ],
)
def test_a_release_covers_leases_that_rest_on_the_flood_before_it(
    rule: str, threshold: float, *, covered: bool
) -> None:
    """A false throttle, a release, the same platforms an hour and three days later."""
    word = override("release", issued_at_ms=START_MS + 1, expires_at_ms=START_MS + 60_000)
    for later_ms, wanted in ((HOUR_MS, covered), (3 * DAY_MS, covered), (3 * DAY_MS + 2, False)):
        at_ms, book = START_MS + later_ms, book_of(action(), word)
        due(book, at_ms)
        reason = Reason(rule, threshold, threshold, "again")
        take_action(book, replace(action(revision=2, at_ms=at_ms), reason=reason), at_ms)
        answer = desired_lease(book, RECIPIENT, at_ms + 1)
        assert (answer is NoLease.RELEASED) is wanted
        assert wanted or isinstance(answer, Lease)


def test_an_exempt_recipient_is_never_held_back_until_the_word_ends() -> None:
    word = override("exempt", expires_at_ms=START_MS + 60_000)
    check([word, action()], NoLease.EXEMPT, START_MS + 59_999)
    check([word, action()], FIRST, START_MS + 60_000)
    check([override("exempt", recipient="8613900000002"), action()], FIRST)


def test_the_switch_stops_everybody_and_lets_go_when_it_is_set_back() -> None:
    off = override("mode", recipient=EVERYONE, mode="off", expires_at_ms=None)
    check([action(), off], NoLease.MODE)
    check([action(), override("mode", recipient=EVERYONE, mode="shadow")], NoLease.MODE)
    back = override("mode", recipient=EVERYONE, mode="enforce", expires_at_ms=None)
    check([action(), off, back], FIRST)
    assert mode(book_of(off), START_MS) == "off"


def test_the_switch_does_not_make_shadow_leases_real() -> None:
    on = override("mode", recipient=EVERYONE, mode="enforce")
    check([action(mode="shadow"), on], NoLease.SHADOW)


@pytest.mark.parametrize("recipient", [RECIPIENT, EVERYONE])
def test_an_allowed_platform_passes_beside_the_known_ones(recipient: str) -> None:
    word = override("allow", recipient=recipient, platform="sig:某校", expires_at_ms=START_MS + 9)
    book = book_of(action(pass_ids=(7,)), word)
    lease = desired_lease(book, RECIPIENT, START_MS + 8)
    assert isinstance(lease, Lease)
    assert set(lease.scope.pass_ids) == {7, platform_id("sig:某校")}
    later = desired_lease(book, RECIPIENT, START_MS + 9)
    assert isinstance(later, Lease)
    assert later.scope.pass_ids == (7,)


def test_a_word_that_is_deleted_was_never_said() -> None:
    book = book_of(action(), override("exempt"), override("allow", platform="sig:某校"))
    assert desired_lease(book, RECIPIENT, START_MS + 1) is NoLease.EXEMPT
    assert list(forget_override(book, RECIPIENT, "exempt", "")) == [RECIPIENT]
    lease = desired_lease(book, RECIPIENT, START_MS + 1)
    assert isinstance(lease, Lease)
    assert platform_id("sig:某校") in lease.scope.pass_ids
    assert list(forget_override(book, RECIPIENT, "allow", "sig:某校")) == [RECIPIENT]
    assert not book.overrides
    assert list(forget_override(book, RECIPIENT, "allow", "sig:某校")) == []


def test_a_switch_that_is_deleted_is_set_back_for_everybody() -> None:
    book = book_of(action(), override("mode", EVERYONE, mode="off"))
    assert desired_lease(book, RECIPIENT, START_MS + 1) is NoLease.MODE
    assert list(forget_override(book, EVERYONE, "mode", "")) == [RECIPIENT]
    assert isinstance(desired_lease(book, RECIPIENT, START_MS + 1), Lease)


def test_past_a_rail_new_leases_do_not_stand_and_old_ones_do() -> None:
    book = DesiredState(RailParams(new_per_minute=2, recipients_max=10))
    for revision in range(1, 5):
        take_action(book, action(f"86139000000{revision:02}", revision), START_MS)
    answers = [desired_lease(book, f"86139000000{n:02}", START_MS) for n in range(1, 5)]
    assert [isinstance(answer, Lease) for answer in answers] == [True, True, False, False]
    assert answers[2] is NoLease.RAIL


def test_time_alone_names_those_whose_answer_changes() -> None:
    book = book_of(action(), override("exempt", expires_at_ms=START_MS + 60_000))
    assert due(book, START_MS + 59_999) == set()
    assert due(book, START_MS + 60_000) == {RECIPIENT}
    assert due(book, START_MS + LEASE_MS) == {RECIPIENT}


def test_what_is_long_over_is_forgotten_and_late_older_actions_are_not_believed_before() -> None:
    book = book_of(action(revision=2), override("exempt"))
    due(book, START_MS + LEASE_MS + REMEMBER_MS - 1)
    assert take_action(book, action(revision=1), START_MS) is NoLease.STALE
    due(book, START_MS + 3_600_000 + REMEMBER_MS)
    assert (book.entries, book.overrides, book.deadlines) == ({}, {}, [])


@given(st.randoms(use_true_random=False), st.lists(st.integers(1, 30), min_size=1, max_size=12))
def test_neither_order_nor_repetition_changes_what_stands(
    chance: random.Random, revisions: list[int]
) -> None:
    actions = [
        action(revision=each, verb="release" if each % 5 == 0 else "throttle", epoch=each % 3)
        for each in revisions
    ]
    shuffled = actions + chance.choices(actions, k=3)
    chance.shuffle(shuffled)
    now = START_MS + 1
    assert desired_lease(book_of(*actions), RECIPIENT, now) == desired_lease(
        book_of(*shuffled), RECIPIENT, now
    )


SMALL = RailParams(new_per_minute=10, recipients_max=100)


def raised(times: int = 3, at_ms: int = START_MS + 1000, **more: Any) -> Override:
    ends = {"expires_at_ms": at_ms + 3_600_000, **more}
    return override("rails", EVERYONE, times=times, issued_at_ms=at_ms, schema_version=2, **ends)


def rush(count: int, at_ms: int = START_MS, first: int = 0) -> list[Action]:
    return [action(f"8613{n:09}", n + 1, at_ms=at_ms + n) for n in range(first, first + count)]


def held(book: DesiredState, at_ms: int) -> int:
    return sum(isinstance(desired_lease(book, name, at_ms), Lease) for name in book.entries)


def test_a_campaign_past_the_rails_is_let_in_by_the_operator_s_word_and_no_more_than_it_says() -> (
    None
):
    book = book_of(*rush(40), params=SMALL)
    assert held(book, START_MS + 100) == 10
    assert let_in(book, START_MS + 100) == set(), "nobody said anything"
    take_override(book, raised())
    assert let_in(book, START_MS + 999) == set(), "not before it was said"
    assert let_in(book, START_MS + 1000) == set(), "forty a minute are more than thirty"
    take_override(book, raised(times=4))
    assert len(let_in(book, START_MS + 1000)) == 30
    assert held(book, START_MS + 1001) == 40
    assert let_in(book, START_MS + 1001) == set()


def test_raised_rails_hold_new_leases_from_the_word_on_until_it_ends() -> None:
    word = raised(expires_at_ms=START_MS + 600_000)
    book = book_of(word, *rush(30, START_MS + 2000), params=SMALL)
    assert held(book, START_MS + 2100) == 30
    assert rails_times(book, START_MS + 600_000) == 1
    later_ms = START_MS + 600_000
    for each in rush(30, later_ms, first=100):
        take_action(book, each, later_ms + 200)
    assert held(book, later_ms + 200) == 30 + 10, "those in force stay, of new ones as before"


def test_whoever_reads_it_all_again_lets_in_the_same() -> None:
    live = book_of(*rush(25), params=SMALL)
    take_override(live, raised())
    let_in(live, START_MS + 2000)
    for each in rush(4, START_MS + 3000, first=50):
        take_action(live, each, START_MS + 3100)
    again = DesiredState(SMALL)
    take_override(again, raised())
    for each in [*rush(25), *rush(4, START_MS + 3000, first=50)]:
        take_action(again, each, START_MS + 9000)
    let_in(again, START_MS + 9000)
    assert {name: entry.refusal for name, entry in again.entries.items()} == {
        name: entry.refusal for name, entry in live.entries.items()
    }


def test_a_lease_of_before_the_word_that_is_read_after_it_is_looked_at_again() -> None:
    book = book_of(raised(), *rush(12), params=SMALL)
    late = f"8613{11:09}"
    assert came_before_the_word(book, late, START_MS + 2000)
    assert not came_before_the_word(book, late, START_MS + 90_000_000)
    assert not came_before_the_word(book, f"8613{1:09}", START_MS + 2000), "it stands"


def test_an_overlong_lease_is_not_let_in_by_any_word() -> None:
    long = action(lease_ms=LEASE_MAX_MS + 1)
    book = book_of(long, raised(times=10), params=SMALL)
    assert let_in(book, START_MS + 1000) == set()


def once(key: str, **more: Any) -> Override:
    return override(
        "allow", platform=key, once=True, actor="victim", via="mo", schema_version=3, **more
    )


def lease_of(*records: object, at_ms: int = START_MS + 1) -> Lease:
    found = desired_lease(book_of(*records), RECIPIENT, at_ms)
    assert isinstance(found, Lease)
    return found


def test_a_word_for_one_code_is_a_window_and_opens_no_platform() -> None:
    word = once("sig:a", expires_at_ms=START_MS + 300_000)
    lease = lease_of(action(), word)
    window = AgainWindow(platform_id("sig:a"), START_MS, START_MS + 300_000, hot=False)
    assert (lease.again, lease.scope) == ((window,), action().scope)
    assert lease_of(action(), word, at_ms=START_MS + 300_000).again == ()


def test_a_word_for_one_code_widens_the_lease_s_own_window_and_leaves_hot_platforms_shut() -> None:
    own, hot, other = (
        AgainWindow(platform_id(key), START_MS + 55_000, START_MS + 150_000, hot=key == "sig:hot")
        for key in ("sig:own", "sig:hot", "sig:other")
    )
    given = replace(action(), again=(own, hot, other))
    found = lease_of(given, once("sig:own"), once("sig:hot")).again
    assert found == (own._replace(from_ms=START_MS, until_ms=START_MS + 3_600_000), hot, other)


def test_whoever_replies_has_of_a_gateway_what_second_requests_have_and_no_more() -> None:
    """A reply that somebody forged opens eight platforms, of which three get one code through."""
    keys = [f"sig:p{nth}" for nth in range(8)]
    lease = lease_of(action(), *map(once, keys))
    passes, passed = SecondPasses(), list[str]()
    for at_ms in range(START_MS + 1, START_MS + LEASE_MS, 1_000):
        for key in keys:  # the flood goes on, with all of them
            ruling = rule(lease, otp=True, platform=key, trust=Trust.NONE, now_ms=at_ms)
            window = window_of(lease, key, at_ms)
            assert (ruling, window is None) == (Ruling.AGAIN, False)
            if window is not None and passes.take(RECIPIENT, window, at_ms):
                passed.append(key)
    assert passed == keys[:AGAIN_MOST]


def platforms(revision: int, *keys: str, **more: Any) -> Action:
    """A platform lease that names these platforms."""
    named = tuple(sorted(map(platform_id, keys)))
    return replace(action(revision=revision, verb="throttle_platforms", **more), refused_ids=named)


def windows(revision: int, of: Action, key: str) -> Action:
    """A retry-window record of this lease."""
    again = (AgainWindow(platform_id(key), START_MS, START_MS + 95_000, hot=False),)
    return replace(of, verb="retry_windows", revision=revision, again=again)


def ruled(lease: Lease | NoLease, key: str, at_ms: int = START_MS + 1) -> Ruling:
    given = lease if isinstance(lease, Lease) else None
    return rule(given, otp=True, platform=key, trust=Trust.NONE, now_ms=at_ms)


FULL = action(revision=6, pass_ids=(platform_id("sig:a"),))
HELD = platforms(5, "sig:a", "sig:b")
RECORDS: dict[str, list[Action]] = {
    "both": [
        action(revision=1), platforms(2, "sig:c"), action(revision=4, verb="release"), HELD, FULL,
        windows(7, FULL, "sig:x"),
    ],
    "windows": [FULL, HELD, windows(6, FULL, "sig:x"), windows(8, FULL, "sig:y"),
                windows(7, HELD, "sig:b"), windows(9, action(revision=3), "sig:z")],
    "ended": [FULL, HELD, action(revision=9, verb="release"), platforms(10),
              windows(8, HELD, "sig:b")],
    "platforms": [HELD, platforms(3), action(revision=7, verb="release"), windows(9, HELD, "sig:b"),
                  action(revision=6)],
    "shadow": [FULL, HELD, platforms(8, "sig:a", mode="shadow"), action(revision=7)],
}  # fmt: skip


@pytest.mark.parametrize("records", RECORDS.values(), ids=RECORDS)
def test_two_kinds_of_lease_and_windows_read_in_any_order_and_twice_lead_to_the_same(
    records: Sequence[Action],
) -> None:
    wanted = desired_lease(book_of(*records), RECIPIENT, START_MS + 1)
    for order in permutations(records):
        for said in (order, (*order, *order)):
            book = book_of(*said)
            assert desired_lease(book, RECIPIENT, START_MS + 1) == wanted
            assert (RECIPIENT in book.rails.until_ms) is isinstance(wanted, Lease)


def test_both_kinds_become_one_lease_that_refuses_what_each_of_them_does() -> None:
    lease = lease_of(*RECORDS["both"])
    assert (lease.action_id, lease.also, lease.narrow) == (FULL.action_id, HELD.action_id, False)
    assert ruled(lease, "sig:a") is Ruling.REFUSE, "known, and named by the platform lease"
    assert ruled(lease, "sig:new") is Ruling.REFUSE
    assert ruled(lease, "sig:x") is Ruling.AGAIN
    alone = lease_of(HELD)
    assert ruled(alone, "sig:b") is Ruling.REFUSE
    assert ruled(alone, "sig:new") is Ruling.OTHER


def test_the_lease_that_lasts_longer_goes_on_when_the_other_ends() -> None:
    for first, second in ((LEASE_MS, 2 * LEASE_MS), (2 * LEASE_MS, LEASE_MS)):
        book = book_of(action(revision=1, lease_ms=first), platforms(2, "sig:b", lease_ms=second))
        merged = desired_lease(book, RECIPIENT, START_MS + LEASE_MS - 1)
        assert isinstance(merged, Lease)
        assert merged.expires_at_ms == START_MS + LEASE_MS
        assert due(book, START_MS + LEASE_MS) == {RECIPIENT}
        rest = desired_lease(book, RECIPIENT, START_MS + LEASE_MS)
        assert isinstance(rest, Lease)
        assert (rest.narrow, rest.expires_at_ms) == (second > first, START_MS + 2 * LEASE_MS)


def test_windows_change_only_the_lease_that_they_name() -> None:
    lease = lease_of(FULL, windows(9, action(revision=3), "sig:x"))
    assert lease.again == ()
    newer = replace(FULL, action_id="1:sms.delivery.v1:0:8", revision=8)
    assert lease_of(FULL, windows(7, FULL, "sig:x"), newer).again == ()
    told_later = replace(FULL, revision=9, again=windows(9, FULL, "sig:y").again)
    assert lease_of(windows(7, FULL, "sig:x"), told_later).again == told_later.again
    check([windows(7, FULL, "sig:x")], NoLease.NONE)


def test_entries_of_windows_and_platform_leases_are_forgotten_like_others() -> None:
    book = book_of(FULL, HELD, windows(7, FULL, "sig:x"))
    assert len(book.entries) == 3
    due(book, START_MS + LEASE_MS + REMEMBER_MS)
    assert (book.entries, book.deadlines) == ({}, [])


@pytest.mark.parametrize(
    "word",
    [
        override("release", issued_at_ms=START_MS + 1),
        override("exempt"),
        override("mode", EVERYONE, mode="off"),
        override("allow", platform="sig:b"),
    ],
    ids=lambda word: word.verb,
)
def test_the_operators_words_win_over_both_kinds_of_lease(word: Override) -> None:
    for records in ([HELD], [FULL, HELD]):
        book = book_of(*records, word)
        assert ruled(desired_lease(book, RECIPIENT, START_MS + 1), "sig:b") is not Ruling.REFUSE


@pytest.mark.parametrize("later_ms", [HOUR_MS, 3 * DAY_MS])
def test_after_a_release_a_relapse_refuses_nothing_by_either_kind(later_ms: int) -> None:
    """A false throttle, a release, the same platforms an hour later."""
    word = override("release", issued_at_ms=START_MS + 1, expires_at_ms=START_MS + 60_000)
    reason, at_ms = Reason("relapse", 3, 3, "again"), START_MS + later_ms
    book = book_of(action(), word)
    due(book, at_ms)
    for again in (action(revision=7, at_ms=at_ms), platforms(8, "sig:b", at_ms=at_ms)):
        take_action(book, replace(again, reason=reason), at_ms)
        assert desired_lease(book, RECIPIENT, at_ms + 1) is NoLease.RELEASED


def test_a_recipient_with_both_kinds_takes_one_place_of_the_rails() -> None:
    book = DesiredState(RailParams(new_per_minute=1, recipients_max=1))
    for record in (HELD, FULL):
        take_action(book, record, START_MS)
    assert isinstance(desired_lease(book, RECIPIENT, START_MS), Lease)
    other = action("8613900000002", 9, at_ms=START_MS + 61_000)
    take_action(book, other, START_MS + 61_000)
    assert desired_lease(book, other.recipient, START_MS + 61_000) is NoLease.RAIL
    for ended in (action(revision=10, verb="release"), platforms(11)):
        assert RECIPIENT in book.rails.until_ms
        take_action(book, ended, START_MS)
    assert RECIPIENT not in book.rails.until_ms


def test_leases_that_single_codes_keep_alive_give_their_places_to_real_victims() -> None:
    """2.8 codes a second, each of which renews a lease of an hour, fill the limit of a million."""
    params = RailParams.for_network(1_000_000)
    book, most, end_s = DesiredState(params), params.recipients_max, 2 * 3_600
    for code in range(int(2.8 * end_s)):
        at_ms = START_MS + round(code / 2.8 * 1000)
        take_action(
            book, action(f"861380{code % most:07}", code, at_ms=at_ms, lease_ms=HOUR_MS), at_ms
        )
    at_ms = START_MS + end_s * 1000
    assert len(book.rails.until_ms) == most
    late = action("8613700000000", 1_000_000, at_ms=at_ms, lease_ms=HOUR_MS)
    take_action(book, late, at_ms)
    assert desired_lease(book, late.recipient, at_ms) is NoLease.RAIL, "it is as slow as they are"
    victims = [f"861390{n:07}" for n in range(360)]
    for n, victim in enumerate(victims):
        take_action(book, action(victim, 2_000_000 + n, at_ms=at_ms + n * 100), at_ms + n * 100)
    then_ms = at_ms + 36_000
    ended = due(book, then_ms)
    assert all(isinstance(desired_lease(book, each, then_ms), Lease) for each in victims)
    assert sum(desired_lease(book, each, then_ms) is NoLease.RAIL for each in ended) == 360
    assert len(book.rails.until_ms) == most


def test_a_release_covers_a_limit_within_a_flood_that_it_covers() -> None:
    """A known platform that is refused during a relapse, which an operator released."""
    word = override("release", issued_at_ms=START_MS + 1, expires_at_ms=START_MS + 2)
    at_ms = HOUR_MS
    known = replace(
        platforms(8, "sig:b", at_ms=START_MS + at_ms), reason=Reason("known_1h", 16, 16, "often")
    )
    relapse = action(revision=7, at_ms=START_MS + at_ms)
    for reason, covered in ((Reason("relapse", 3, 3, "again"), True), (known.reason, False)):
        book = book_of(word)
        for each in (replace(relapse, reason=reason), known):
            take_action(book, each, START_MS + at_ms)
        answer = desired_lease(book, RECIPIENT, START_MS + at_ms + 1)
        assert (answer is NoLease.RELEASED) is covered
