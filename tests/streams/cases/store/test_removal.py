"""What is old goes, by its class; what is held, and what goes on, stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from detectors.model.times import DAY_MS
from streams.cases.store.index_tables import INDEX
from streams.cases.store.removal import forget
from streams.cases.store.roles import DeskRole
from streams.config import DeskSettings
from tests.builders.streams.cases.store.removal import OTHER, one_of_each
from tests.enforce.records import RECIPIENT, START_MS, override
from tests.streams.cases.store.filled import (
    FilledStore,
    acked,
    counted,
    fill,
    flood,
    incident,
    opened,
)

AGES = DeskSettings(cases_days=180, audit_days=400, papers_days=1_095)


@pytest.fixture
def store(tmp_path: Path) -> FilledStore:
    return opened(tmp_path)


def left(store: FilledStore) -> dict[str, int]:
    """Rows by table, without how far topics are read."""
    with store.index.connect() as connection:
        found = {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in INDEX.sorted_tables
            if table.name not in ("meta", "places")
        }
    return {name: n for name, n in found.items() if n}


def test_a_case_goes_with_everything_that_hangs_on_it_and_not_a_day_too_soon(
    store: FilledStore,
) -> None:
    one_of_each(store)
    before = left(store)
    assert len(before) == 11, "a table is not tried here"
    assert not forget(store, AGES, START_MS + 179 * DAY_MS)
    assert left(store) == before
    done = forget(store, AGES, START_MS + 182 * DAY_MS)
    assert done["cases"] == 1
    assert left(store) == {"audit": 1}, "the audit has an age of its own"
    assert forget(store, AGES, START_MS + 401 * DAY_MS) == {"audit": 1}


def test_a_case_that_goes_on_stays_unless_its_worker_is_long_gone(store: FilledStore) -> None:
    fill(store, *flood())
    forget(store, AGES, START_MS + 181 * DAY_MS)
    assert left(store)["cases"] == 1
    forget(store, AGES, START_MS + 183 * DAY_MS)
    assert "cases" not in left(store)


@pytest.mark.parametrize("by", ["case", "number"])
def test_what_is_held_stays_until_the_hold_is_lifted(store: FilledStore, by: str) -> None:
    episode_id = one_of_each(store)
    one_of_each(store, 1, OTHER)
    subject = episode_id if by == "case" else RECIPIENT
    hold = store.papers.hold("ann", subject, "调证2026-17", "police")
    assert store.case(episode_id).papers.held
    late_ms = START_MS + 999 * DAY_MS
    forget(store, AGES, late_ms)
    found = store.find(RECIPIENT)
    assert found.newest is not None
    assert found.newest.case.acks
    assert any(each.would for each in found.newest.events), "of the incident record"
    assert store.find(OTHER).newest is None
    if by == "number":
        assert store.audit(subject=RECIPIENT)
        assert found.words
    store.papers.lift("ann", hold.hold_id)
    forget(store, AGES, late_ms)
    assert left(store) == {}


def test_words_that_hold_stay_and_what_they_took_the_place_of_goes(store: FilledStore) -> None:
    fill(
        store,
        override("exempt", expires_at_ms=None, reason="a"),
        override("exempt", expires_at_ms=None, reason="b"),
        written_ms=START_MS,
    )
    forget(store, AGES, START_MS + 999 * DAY_MS)
    assert [w.word.reason for w in store.find(RECIPIENT).words] == ["b"]


def test_acknowledgements_that_nobody_asks_for_go_too(store: FilledStore) -> None:
    _, lease = flood()
    fill(store, acked(lease), written_ms=START_MS)
    forget(store, AGES, START_MS + 181 * DAY_MS)
    assert left(store) == {}


def caseless(store: FilledStore, n: int = 0, recipient: str = RECIPIENT) -> str:
    """Rows of a flood whose own records its topic had forgotten; its episode."""
    record, lease = flood(n, recipient=recipient)
    fill(store, lease, acked(lease), counted(lease, {7: 1}), incident(record), written_ms=START_MS)
    return record.episode_id


def test_rows_whose_case_nobody_read_go_by_their_own_age(store: FilledStore) -> None:
    caseless(store)
    before = left(store)
    assert set(before) - {"platform_days"} == {"links", "leases", "acks", "counts", "incidents"}
    forget(store, AGES, START_MS + 180 * DAY_MS)
    assert left(store) == before
    forget(store, AGES, START_MS + 180 * DAY_MS + 1)
    assert set(left(store)) <= {"platform_days"}


def test_an_action_is_known_to_be_of_a_case_as_long_as_anything_names_it(
    store: FilledStore,
) -> None:
    record, lease = flood()
    fill(store, counted(lease, {7: 1}), incident(record), written_ms=START_MS)
    fill(store, acked(lease), written_ms=START_MS + DAY_MS)
    forget(store, AGES, START_MS + 180 * DAY_MS + 1)
    assert left(store)["links"] == 1
    forget(store, AGES, START_MS + 182 * DAY_MS)
    assert set(left(store)) <= {"platform_days"}


def test_what_is_held_stays_without_its_case_too(store: FilledStore) -> None:
    subjects = caseless(store), OTHER
    caseless(store, 1, OTHER)
    kept = {name: n for name, n in left(store).items() if name != "platform_days"}
    caseless(store, 2, "8613900000003")
    held = [store.papers.hold("ann", each, "调证2026-17", "police") for each in subjects]
    late_ms = START_MS + 999 * DAY_MS
    forget(store, AGES, late_ms)
    assert left(store) == kept
    for hold in held:
        store.papers.lift("ann", hold.hold_id)
    forget(store, AGES, late_ms)
    assert left(store) == {}


def test_papers_go_after_their_years_and_decided_appeals_alone(store: FilledStore) -> None:
    store.at_ms = START_MS
    store.accounts.add("ann", [DeskRole.AGENT], password="correct horse battery")
    store.papers.add_note("ann", "called", recipient=RECIPIENT)
    store.papers.add_call("ann", RECIPIENT, identified_by="number", same_caller=True)
    first = store.papers.add_appeal("ann", RECIPIENT, "why", due_ms=START_MS, identified_by="id")
    store.papers.add_appeal("ann", RECIPIENT, "open", due_ms=START_MS, identified_by="id")
    store.papers.decide_appeal(first.appeal_id, "bob", "granted", "lifted")
    store.accounts.begin(store.accounts.get("ann"), "local", "127.0.0.1")
    forget(store, AGES, START_MS + 1_094 * DAY_MS)
    assert len(store.papers.about(RECIPIENT, "").notes) == 1
    done = forget(store, AGES, START_MS + 1_096 * DAY_MS)
    assert done == {"notes": 1, "calls": 1, "appeals": 1}
    assert [each.text for each in store.papers.about(RECIPIENT, "").appeals] == ["open"]
