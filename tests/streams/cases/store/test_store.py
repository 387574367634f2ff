"""The case store as the desk asks it: one number, one case, lists, and how fresh all of it is."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from detectors.model.event import platform_id
from detectors.model.records import Level
from detectors.model.times import DAY_MS
from streams.cases.standing import Doing
from streams.cases.store.answers import AuditPlace
from streams.cases.store.index_writer import Writer
from streams.cases.store.store import ORDERS, QUIET_MS
from streams.common.errors import ConfigError, UnavailableError, UsageError
from streams.wire import EVERYONE, Ack, Notice
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, override
from tests.streams.cases.store.filled import (
    NOW_MS,
    FilledStore,
    acked,
    audited,
    campaign,
    counted,
    ended,
    fill,
    flood,
    incident,
    opened,
    week_of,
)

OTHER = "8613900000002"


@pytest.fixture
def store(tmp_path: Path) -> FilledStore:
    return opened(tmp_path)


def test_a_number_without_a_case_is_answered_with_how_fresh_that_is(store: FilledStore) -> None:
    found = store.find(RECIPIENT)
    assert (found.newest, found.cases, found.codes, found.known) == (None, (), None, None)
    assert found.freshness.read_ms == 0
    assert found.freshness.lag_ms == NOW_MS
    fill(store, *flood())
    store.at_ms += 5_000
    found = store.find(OTHER)
    assert found.newest is None
    assert found.freshness.lag_ms == 5_000


def test_a_victim_is_found_with_everything_that_belongs_to_her(store: FilledStore) -> None:
    record, lease = flood()
    taobao = platform_id("sig:甲平台")
    notice = Notice(
        notice_id=f"{record.episode_id}:victim_start", episode_id=record.episode_id,
        kind="victim_start", to=RECIPIENT, channel="smpp", template="victim_start/zh",
        state="sent", why="", at_ms=START_MS + 900,
    )  # fmt: skip
    fill(
        store,
        record,
        lease,
        acked(lease),
        acked(lease, "ignored", "smsc-2"),
        counted(lease, {taobao: 9, 77: 5}),
        counted(lease, {taobao: 2}, "smsc-2"),
        override("allow", platform="sig:甲平台", ticket="T-1"),
        notice,
    )
    store.papers.add_note("ann", "called at noon", recipient=RECIPIENT)
    store.papers.add_call("ann", RECIPIENT, identified_by="called from it", same_caller=True)
    found = store.find(RECIPIENT)
    assert found.newest is not None
    case = found.newest
    assert case.line.state is Doing.THROTTLED
    assert case.line.refused == 16
    assert case.refused == {platform_id("sig:甲平台"): 11, 77: 5}
    (acks,) = case.case.acks.values()
    assert {(a.gateway_id, a.state) for a in acks} == {
        ("smsc-1", "applied"), ("smsc-2", "ignored"),
    }  # fmt: skip
    assert [(w.word.verb, w.holds, w.word.ticket) for w in case.words] == [("allow", True, "T-1")]
    assert [n.state for n in case.notices] == ["sent"]
    assert [n.text for n in case.papers.notes] == ["called at noon"]
    assert [c.same_caller for c in found.calls] == [True]
    assert (found.codes, found.known) == (5, 8)
    assert {e.would for e in case.events} == {"refuse"}


def test_the_incident_tells_more_than_sightings_where_there_is_one(store: FilledStore) -> None:
    record, lease = flood()
    fill(store, record, lease, incident(record), incident(record, first=3))
    case = store.case(record.episode_id)
    assert sum(e.would == "refuse" for e in case.events) == 6
    assert [e.platform for e in case.events if not e.would] == [
        s.platform for s in record.sightings
    ]


def test_the_open_flood_comes_first_and_earlier_cases_are_named(store: FilledStore) -> None:
    old, old_lease = flood(at_ms=START_MS - 86_400_000)
    new, new_lease = flood(1)
    fill(store, new, new_lease, old, old_lease, ended(old, START_MS - 86_000_000))
    found = store.find(RECIPIENT)
    assert found.newest is not None
    assert found.newest.line.episode_id == new.episode_id
    assert [each.episode_id for each in found.newest.others] == [old.episode_id]
    assert [each.state for each in found.cases] == [Doing.UNCONFIRMED, Doing.OVER]
    assert found.leases_ended == 1


def test_words_change_the_state_in_the_live_list_too(store: FilledStore) -> None:
    record, lease = flood()
    fill(store, record, lease, acked(lease))
    assert [each.state for each in store.live()[0]] == [Doing.THROTTLED]
    fill(store, override("release", issued_at_ms=NOW_MS, expires_at_ms=NOW_MS + 600_000))
    assert [each.state for each in store.live()[0]] == [Doing.RELEASED]
    (said,) = store.find(RECIPIENT).words
    assert said.word_id == "override-0"
    fill(store, Ack(action_id=said.word_id, gateway_id="smsc-1", state="applied", why="",
                    at_ms=NOW_MS))  # fmt: skip
    told = store.word(said.word_id)
    assert told is not None
    assert [(a.gateway_id, a.state) for a in told.acks] == [("smsc-1", "applied")]
    assert store.word("override-99") is None


def test_the_kill_switch_is_seen_by_every_case(store: FilledStore) -> None:
    record, lease = flood()
    fill(store, record, lease, acked(lease), override("mode", EVERYONE, mode="off"))
    assert [each.state for each in store.live()[0]] == [Doing.OFF]
    assert [w.word.mode for w in store.words_now()] == ["off"]
    store.at_ms = START_MS + 3_600_000
    assert store.words_now() == ()


def test_a_word_said_anew_takes_the_place_of_the_one_before(store: FilledStore) -> None:
    fill(store, override("exempt", reason="a"), override("exempt", reason="b"))
    found = store.find(RECIPIENT)
    assert [w.holds for w in found.words] == [False, True]
    assert [each.word.reason for each in found.words if each.holds] == ["b"]


def test_live_lists_numbers_of_which_single_platforms_are_refused(store: FilledStore) -> None:
    record, lease = flood(1)
    limit = replace(record, kind="limit", level=Level.WATCH)
    fill(store, limit, replace(lease, verb="throttle_platforms", refused_ids=(5,)))
    (line,) = store.live()[0]
    assert (line.kind, line.recipient) == ("limit", record.recipient)
    assert store.find(record.recipient).newest is not None


def test_live_lists_what_goes_on_the_newest_message_first(store: FilledStore) -> None:
    first, _ = flood()
    second, _ = flood(1, recipient=OTHER, at_ms=START_MS + 30_000)
    watched, _ = flood(2, recipient="8613900000003")
    watched = replace(watched, level=Level.WATCH)
    over, _ = flood(3, recipient="8613900000004")
    fill(store, first, second, watched, over, ended(over))
    assert [each.recipient for each in store.live()[0]] == [OTHER, RECIPIENT]
    assert len(store.live(1)[0]) == 1


def test_floods_are_sorted_and_watched_ones_are_there_if_asked_for(store: FilledStore) -> None:
    some = [flood(n, recipient=f"861390000000{n}")[0] for n in range(1, 4)]
    counts = ((9, 5, 5), (99, 8, 60_000), (30, 29, 1))  # messages, platforms, age in ms
    one, two, three = (
        replace(each, evidence=replace(each.evidence, messages=messages, platforms=platforms,
                                       first_ms=each.evidence.last_ms - age))
        for each, (messages, platforms, age) in zip(some, counts, strict=True)
    )  # fmt: skip
    fill(store, one, replace(two, level=Level.WATCH), three)
    orders = {
        order: "".join(each.recipient[-1] for each in store.floods(order, bool, limit=9))
        for order in ORDERS
    }
    assert orders == {"worst": "312", "pace": "231", "newest": "231", "longest": "213",
                      "messages": "231", "platforms": "321"}  # fmt: skip
    assert [each.level for each in store.floods("worst", bool, limit=2)] == ["throttle", "throttle"]


@pytest.mark.parametrize("leased", [False, True])
def test_a_flood_that_went_quiet_is_live_as_long_as_its_lease(
    store: FilledStore, leased: bool
) -> None:
    record, lease = flood()
    fill(store, record, *((lease,) if leased else ()))
    over_ms = record.evidence.last_ms + QUIET_MS
    store.at_ms = max(over_ms, lease.expires_at_ms if leased else 0) - 1
    assert store.live()[1] == len(store.floods("newest", bool, limit=9)) == 1
    store.at_ms += 1
    assert store.live()[1] == len(store.floods("newest", bool, limit=9)) == 0


def test_paces_are_counts_by_time_of_records_that_are_new_enough(store: FilledStore) -> None:
    record, _ = flood()
    later = replace(record, revision=record.revision + 1,
                    evidence=replace(record.evidence, messages=60))  # fmt: skip
    fill(store, later, record)
    seen = {record.episode_id: [record.evidence, later.evidence]}
    assert store.paces([record.episode_id, "another"], NOW_MS) == seen
    assert store.paces([record.episode_id], NOW_MS + 1) == {}


def test_campaigns_are_those_that_their_agent_told_most_victims_first(store: FilledStore) -> None:
    assert store.campaigns() == ([], 0), "no agent has told anything"
    small, large = campaign(1), campaign(2, victims=500)
    fill(store, small, large)
    told = store.campaigns()
    assert told == ([large, small], NOW_MS)
    over = replace(small, open=False, victims_open=0, victims=600)
    fill(store, over)
    assert store.campaigns()[0] == [over, large], "the newest word of each"
    assert store.campaigns(since_ms=START_MS + 1)[0] == []


def test_a_campaign_whose_record_was_deleted_is_gone_and_an_older_word_changes_nothing(
    store: FilledStore,
) -> None:
    (first, second) = fill(store, campaign(1), campaign(1, victims=40))
    writer = Writer(store.index)
    writer.take([first], [])
    assert [each.victims for each in store.campaigns()[0]] == [40]
    gone = second._replace(offset=second.offset + 1, value=None)
    again = second._replace(offset=second.offset + 2, value=first.value)
    writer.take([gone], [])
    assert store.campaigns()[0] == []
    writer.take([gone, again], [])
    writer.take([gone], [])
    assert [each.victims for each in store.campaigns()[0]] == [12]


def test_platforms_are_ranked_by_the_floods_they_were_seen_in(store: FilledStore) -> None:
    record, lease = flood()
    other, _ = flood(1, recipient=OTHER, platforms=["sig:甲平台"])
    fill(store, record, lease, counted(lease, {platform_id("sig:甲平台"): 7}), other)
    (top, *rest), told_ms = store.platforms()
    assert (top.platform, top.floods, top.novel, top.refused) == ("sig:甲平台", 2, 2, 7)
    assert (top.week, told_ms) == (None, 0), "no agent has told anything"
    assert {each.floods for each in rest} == {1}
    week = week_of("sig:甲平台")
    (told,) = fill(store, week, week_of("sig:从未见过"))[:1]
    found, told_ms = store.platforms()
    assert (found[0].week, told_ms) == (week, NOW_MS)
    assert len(found) == 5, "what was in no flood is on no list of them"
    Writer(store.index).take([told._replace(offset=9, value=None)], [])
    assert store.platforms()[0][0].week is None
    store.at_ms += 8 * 86_400_000
    assert store.platforms()[0] == []


def test_the_audit_is_searched_and_read_page_by_page(store: FilledStore) -> None:
    said = [{"subject": RECIPIENT if n % 2 else OTHER, "at_ms": START_MS} for n in range(6)]
    fill(store, *audited(*said, {"verb": "release", "actor": "ann", "at_ms": START_MS + 9}))
    assert [each.actor for each in store.audit(verb="release")] == ["ann"]
    assert len(store.audit(subject=RECIPIENT)) == 3
    pages = [*store.audit(limit=3)]
    while page := store.audit(limit=3, behind=AuditPlace.of(pages[-1])):
        pages += page
    assert len(pages) == len(set(pages)) == 7


def test_the_mark_changes_with_the_index(store: FilledStore) -> None:
    before = store.mark()
    fill(store, *flood())
    assert store.mark() != before
    assert store.mark() == store.mark()


def test_a_case_that_is_none_is_said_so(store: FilledStore) -> None:
    with pytest.raises(UsageError, match="no case"):
        store.case("1:x:0:1")


def test_a_token_is_found_by_the_number_that_was_typed(tmp_path: Path) -> None:
    store = opened(tmp_path, tokens=lambda number: [f"hk1:{number}"])
    record, lease = flood(recipient=f"hk1:{RECIPIENT}")
    fill(store, record, lease)
    found = store.find(RECIPIENT)
    assert found.newest is not None
    assert store.forms(RECIPIENT) == (RECIPIENT, f"hk1:{RECIPIENT}")


def test_an_index_of_another_format_is_not_read(store: FilledStore, tmp_path: Path) -> None:
    with store.index.connect() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '0' WHERE key = 'format'")
        connection.commit()
    with pytest.raises(ConfigError, match="rebuild"):
        opened(tmp_path)


def test_a_lease_that_lapsed_is_told_from_one_that_stands(store: FilledStore) -> None:
    record, lease = flood()
    fill(store, record, lease, acked(lease))
    store.at_ms = START_MS + LEASE_MS
    assert [each.state for each in store.live()[0]] == [Doing.LAPSED]


def test_a_store_whose_connections_are_all_in_use_is_away(
    store: FilledStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool: Any = store.index.pool
    monkeypatch.setattr(pool, "_timeout", 0.05)
    with ExitStack() as held:
        for _ in range(pool.size() + pool._max_overflow):
            held.enter_context(store.index.connect())
        with pytest.raises(UnavailableError, match="does not answer: TimeoutError"):
            store.find(RECIPIENT)
        with pytest.raises(UnavailableError):
            store.records("e1")
        with pytest.raises(UnavailableError):
            store.find_named("e1", None)


def test_last_digits_are_found_by_an_index_and_never_a_token(store: FilledStore) -> None:
    numbers = ("8613900001234", "8613900011234", "8613900001235", "hk1:00001234")
    for n, recipient in enumerate(numbers):
        fill(store, flood(n, recipient=recipient, at_ms=START_MS + n * 1_000)[0])
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    event.listen(store.index, "before_cursor_execute", note)
    found = store.find_tail("1234", START_MS - DAY_MS, 10)
    assert [each.recipient for each in found] == [numbers[1], numbers[0]]
    assert store.find_tail("1234", START_MS - DAY_MS, 1) == found[:1]
    assert store.find_tail("1234", START_MS + DAY_MS, 10) == ()
    statement, parameters = next(each for each in asked if "FROM cases" in each[0])
    with store.index.connect() as connection:
        word = "EXPLAIN QUERY PLAN "
        if connection.dialect.name == "postgresql":  # it would read so few rows without an index
            connection.exec_driver_sql("SET enable_seqscan = off")
            word = "EXPLAIN "
        told = connection.exec_driver_sql(word + statement, parameters).all()
    assert "cases_tail" in str(told)


def test_floods_that_go_on_are_counted_by_what_is_done_about_them(store: FilledStore) -> None:
    refused, lease = flood(1)
    observed, shadow = flood(2, recipient="8613900000002", mode="shadow")
    exempt, third = flood(3, recipient="8613900000003")
    fill(store, refused, lease, acked(lease), observed, shadow, exempt, third, acked(third),
         override("exempt", "8613900000003"))  # fmt: skip
    assert store.count_floods() == {"refused": 1, "observed": 2}
    outcomes = [each.outcome for each in store.all(ended=False)]
    assert sorted(outcomes) == ["observed", "observed", "refused"]
