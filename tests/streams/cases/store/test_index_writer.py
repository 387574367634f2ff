"""Records into rows: whatever is read twice, late or half-way, the rows are the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from streams.cases.store import index_writer as module
from streams.cases.store.index_tables import INDEX, cases, places
from streams.cases.store.index_writer import LogRecord, PlaceRead, Source, Writer
from streams.common.errors import UnavailableError
from streams.wire import override_key
from tests.builders.streams.cases.store.index_writer import (
    TAOBAO,
    everything,
    nuls_are_kept_as_databases_keep_them,
    read,
    rows,
)
from tests.enforce.records import START_MS, override
from tests.streams.cases.store.filled import (
    PLATFORMS,
    FilledStore,
    acked,
    audited,
    counted,
    ended,
    fill,
    flood,
    incident,
    logged,
    opened,
    week_of,
)


def stored(tmp_path: Path, name: str) -> FilledStore:
    (tmp_path / name).mkdir()
    return opened(tmp_path / name)


def test_the_rows_are_the_same_whatever_the_edges_of_batches(tmp_path: Path) -> None:
    whole = stored(tmp_path, "whole")
    batch = everything(whole)
    Writer(whole.index).take(batch, read(batch, {}))
    draw = random.Random(7)
    for n in range(8):
        store = stored(tmp_path, f"{n}")
        writer, left, known = Writer(store.index), list(batch), dict[str, int]()
        while left:
            size = draw.randint(1, 5)
            writer.take(left[:size], read(left[:size], known))
            left = left[size:]
        assert rows(store) == rows(whole)


def test_a_replay_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    batch = everything(store)
    writer, known = Writer(store.index), dict[str, int]()
    writer.take(batch, read(batch, known))
    before = rows(store)
    for some in (batch, batch[::-1], batch[3:9]):
        writer.take(some, [])
        assert rows(store) == before


def test_topics_may_be_read_in_any_order_of_one_another(tmp_path: Path) -> None:
    whole = stored(tmp_path, "whole")
    batch = everything(whole)
    Writer(whole.index).take(batch, read(batch, {}))
    store = stored(tmp_path, "other")
    writer, known = Writer(store.index), dict[str, int]()
    for source in ("acks", "counts", "audit", "incident", "notice", "throttle", "override",
                   "episode"):  # fmt: skip
        some = [each for each in batch if each.source == source]
        writer.take(some, read(some, known))
    assert rows(store) == rows(whole)


@contextmanager
def dying_at(store: FilledStore, statement: int) -> Iterator[list[int]]:
    """Let the database fail at its n-th statement from now on, and count them."""
    seen = [0]

    def before(*_: Any) -> None:
        seen[0] += 1
        if seen[0] == statement:
            raise KeyboardInterrupt  # nobody catches it on the way, as nobody does a SIGKILL

    event.listen(store.index, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        event.remove(store.index, "before_cursor_execute", before)


def test_whatever_statement_it_dies_at_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    whole = stored(tmp_path, "whole")
    batch = everything(whole)
    Writer(whole.index).take(batch, read(batch, {}))
    wanted = rows(whole)
    statement, died = 1, True
    while died:
        store = stored(tmp_path, f"at-{statement}")
        died = False
        with dying_at(store, statement):
            try:
                _follow(store, batch)
            except KeyboardInterrupt:
                died = True
        _follow(store, batch)  # as the next process does: from where the store says it is
        assert rows(store) == wanted, statement
        statement += 1
    assert statement > 25, "it was to die in the middle of something"


def _follow(store: FilledStore, batch: list[LogRecord]) -> None:
    with store.index.connect() as connection:
        known = {row.topic: row.next_offset for row in connection.execute(select(places))}
    left = [each for each in batch if each.offset >= known.get(each.topic, 0)]
    writer = Writer(store.index)
    for at in range(0, len(left), 6):
        writer.take(left[at : at + 6], read(left[at : at + 6], known))


def test_a_second_indexer_is_found_out_before_it_writes(tmp_path: Path) -> None:
    store = opened(tmp_path)
    batch = everything(store)
    Writer(store.index).take(batch[:3], read(batch[:3], {}))
    before = rows(store)
    with pytest.raises(UnavailableError, match="another indexer"):
        Writer(store.index).take(batch[3:4], [PlaceRead(batch[3].topic, 0, 0, 4, 4, 0, 0)])
    assert rows(store) == before


def test_what_cannot_be_read_is_counted_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path)
    good = everything(store)[:1]
    bad = [LogRecord(each, each, 0, 0, 0, b"", b'{"8613900000009') for each in get_args(Source)]
    assert Writer(store.index).take([*bad, *good], []) == 10
    assert len(rows(store)["cases"]) == 1
    assert "8613900000009" not in caplog.text


def test_a_nul_in_any_text_is_kept_as_databases_keep_it(tmp_path: Path) -> None:
    nuls_are_kept_as_databases_keep_them(opened(tmp_path))


def test_a_case_is_one_whatever_its_id_and_its_senders_hold(tmp_path: Path) -> None:
    store = opened(tmp_path)
    record, lease = flood(platforms=["from:branda\0x0", *PLATFORMS])
    record, lease = replace(record, episode_id="1:a\0b"), replace(lease, episode_id="1:a\0b")
    fill(store, record, lease, acked(lease))
    fill(store, ended(record))
    file = store.case("1:a\0b")
    assert (len(file.case.records), len(file.case.actions), file.line.open) == (2, 1, False)
    names = [each.platform for each in store.platforms()[0]]
    assert names.count("from:branda\ufffdx0") == 1
    assert {each.floods for each in store.platforms()[0]} == {1}, "of one case, not of two"


def test_the_digest_of_a_line_of_the_audit_is_of_its_own_bytes(tmp_path: Path) -> None:
    store = opened(tmp_path)
    first, second = audited({"detail": "a\0b"}, {})
    fill(store, first, second)
    lines = {row[1]: row for row in rows(store)["audit"]}
    digest = [column.name for column in INDEX.tables["audit"].c].index("digest")
    assert lines[0][digest] == second.prev


@pytest.mark.parametrize("key", [b"1" + b"0" * 20, b"9" * 5_000, str(2**32).encode(), b"", b"x"])
def test_a_number_that_no_column_holds_is_refused_and_stops_nobody(
    tmp_path: Path, key: bytes
) -> None:
    store = opened(tmp_path)
    (good,) = logged(store, [week_of("sig:a")], START_MS)
    bad = good._replace(key=key, offset=9)
    gone = bad._replace(value=None, offset=10)
    assert Writer(store.index).take([bad, good, gone], []) == 2
    assert len(rows(store)["platform_weeks"]) == 1


def test_counts_whose_sum_no_column_holds_are_refused(tmp_path: Path) -> None:
    store = opened(tmp_path)
    record, lease = flood()
    most = 2**63 - 1
    bad = [counted(lease, {TAOBAO: most}, gateway=name) for name in ("a", "b")]
    bad = [msgspec.structs.replace(each, at_ms=START_MS, refused=most) for each in bad]
    part = msgspec.structs.replace(bad[0], refused=7)
    refused = acked(lease, "expired", gateway="c", refused=most)
    good = counted(lease, {TAOBAO: 2})
    largest = acked(lease, "expired", gateway="d", refused=2**40)
    batch = logged(store, [record, lease, *bad, part, refused, good, largest], START_MS)
    assert Writer(store.index).take(batch, []) == 4
    assert store.live()[0][0].refused == 2 + 2**40


def test_one_record_that_the_database_never_keeps_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = stored(tmp_path, "one")
    batch = everything(store)
    bad = next(each for each in batch if each.source == "acks")
    read_ack = module._READERS["acks"]

    def read_too_much(record: LogRecord, some: Any, erased: Any) -> None:
        read_ack(record, some, erased)
        if record is bad:
            some.tables["acks"][-1] |= {"at_ms": 10**20, "gateway_id": "8613900000009"}

    monkeypatch.setattr(module, "_READERS", {**module._READERS, "acks": read_too_much})
    assert Writer(store.index).take(batch, read(batch, {})) == 1
    other = stored(tmp_path, "other")
    rest = [each for each in batch if each is not bad]
    Writer(other.index).take(rest, read(batch, {}))
    assert rows(store) == rows(other)
    assert "8613900000009" not in caplog.text
    assert f"{bad.topic}[0]@{bad.offset}" in caplog.text


def test_a_database_that_is_away_passes_nothing_over(tmp_path: Path) -> None:
    store = opened(tmp_path)
    batch = everything(store)
    before = rows(store)

    def locked(*_: Any) -> None:
        raise OperationalError("insert", {}, Exception("database is locked"))

    event.listen(store.index, "before_cursor_execute", locked)
    with pytest.raises(OperationalError):
        Writer(store.index).take(batch, read(batch, {}))
    event.remove(store.index, "before_cursor_execute", locked)
    assert rows(store) == before


def test_a_word_whose_record_is_deleted_is_withdrawn(tmp_path: Path) -> None:
    store = opened(tmp_path)
    word = override("exempt", expires_at_ms=None)
    (said,) = fill(store, word)
    assert [each.holds for each in store.find(word.recipient).words] == [True]
    gone = LogRecord("override", said.topic, 0, 1, START_MS + 9, override_key(word), None)
    Writer(store.index).take([gone], [])
    found = store.find(word.recipient)
    assert not any(each.holds for each in found.words)
    assert len(found.words) == 1, "it was said, and stays in the history"


def test_what_was_erased_does_not_come_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    record, lease = flood()
    records: list[Any] = [record, lease, counted(lease, {7: 1}), incident(record)]
    records += [*audited({"subject": record.recipient}), override("allow", platform="sig:a")]
    batch = logged(store, records, START_MS)
    erased = [record.episode_id, "audit:desk/desk-1:0", "override-0"]
    Writer(store.index, erased).take(batch, [])
    found = {name: len(each) for name, each in rows(store).items() if each}
    assert found == {"meta": 1, "audit": 1}
    assert [(a.actor, a.subject) for a in store.audit()] == [("li.lei", "[erased]")]


def test_a_renewal_leaves_what_it_does_not_tell_of_as_it_was(tmp_path: Path) -> None:
    store = opened(tmp_path)
    batch = everything(store)
    Writer(store.index).take(batch[:2], [])
    with store.index.connect() as connection:
        row = connection.execute(select(cases)).mappings().one()
    assert (row["change"], row["known"], row["throttled"]) == ("renewed", 8, True)


def test_a_flood_that_drops_its_oldest_sightings_began_when_it_began(tmp_path: Path) -> None:
    record, lease = flood()
    later = replace(record.evidence, first_ms=record.evidence.first_ms + 60_000)
    renewed = replace(record, change="renewed", revision=record.revision + 1, evidence=later)
    store = opened(tmp_path)
    fill(store, record, lease, renewed)
    file = store.case(record.episode_id)
    assert file.line.first_ms == record.evidence.first_ms
    assert file.case.last.evidence.first_ms == record.evidence.first_ms


def test_a_gateway_that_counts_anew_takes_nothing_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    record, lease = flood()
    fill(store, record, lease, counted(lease, {TAOBAO: 5}))
    fill(store, counted(lease, {TAOBAO: 1}))
    assert store.case(record.episode_id).line.refused == 5
    assert sum(each.refused for each in store.platforms()[0]) == 5
