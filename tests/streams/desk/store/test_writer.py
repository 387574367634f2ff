"""Records into rows: whatever is read twice, late or half-way, the rows are the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import event, select

from detectors.model.event import platform_id
from detectors.model.records import NOWHERE
from streams.desk.store.tables import INDEX, cases, places
from streams.desk.store.writer import LogRecord, PlaceRead, Source, Writer
from streams.errors import UnavailableError
from streams.wire import Notice, override_key
from tests.enforce.records import START_MS, override
from tests.streams.desk.store.filled import (
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
)

TAOBAO = platform_id("sig:甲平台")


def rows(store: FilledStore) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the index."""
    with store.index.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in INDEX.sorted_tables
        }


def everything(store: FilledStore) -> list[LogRecord]:
    """Records of every kind, of two floods, in the order of their topics."""
    record, lease = flood()
    renewed = replace(
        record, change="renewed", revision=12, since_ms=START_MS, path=(), rungs=(), scope=NOWHERE,
        known=0, at_ms=START_MS + 5_000,
    )  # fmt: skip
    other, other_lease = flood(1, recipient="8613900000002", platforms=["sig:甲平台", "sig:己"])
    sending = Notice(
        notice_id="n", episode_id=record.episode_id, kind="victim_start", to=record.recipient,
        channel="smpp", template="t", state="sending", why="", at_ms=START_MS,
    )  # fmt: skip
    sent = Notice(
        **{**{f: getattr(sending, f) for f in sending.__struct_fields__}, "state": "sent"}
    )
    return logged(
        store,
        [
            record, renewed, ended(record), other, lease, other_lease,
            acked(lease), acked(lease, "expired", refused=9), acked(other_lease),
            counted(lease, {TAOBAO: 1}), counted(lease, {TAOBAO: 3, 7: 1}),
            counted(other_lease, {TAOBAO: 2}),
            incident(record), incident(record, first=3),
            override("release"), override("release", reason="again"), sending, sent,
            *audited({}, {"verb": "view"}),
        ],
        START_MS,
    )  # fmt: skip


def read(batch: list[LogRecord], known: dict[str, int]) -> list[PlaceRead]:
    """How far these bring a store that knew this."""
    ends = {each.topic: each.offset + 1 for each in batch}
    moved = [PlaceRead(t, 0, known.get(t), end, end, 0, 0) for t, end in ends.items()]
    known |= ends
    return moved


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


def test_a_word_whose_record_is_deleted_is_withdrawn(tmp_path: Path) -> None:
    store = opened(tmp_path)
    word = override("exempt", expires_at_ms=None)
    (said,) = fill(store, word)
    assert store.find(word.recipient).exempt is not None
    gone = LogRecord("override", said.topic, 0, 1, START_MS + 9, override_key(word), None)
    Writer(store.index).take([gone], [])
    found = store.find(word.recipient)
    assert found.exempt is None
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


def test_a_gateway_that_counts_anew_takes_nothing_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    record, lease = flood()
    fill(store, record, lease, counted(lease, {TAOBAO: 5}))
    fill(store, counted(lease, {TAOBAO: 1}))
    assert store.case(record.episode_id).line.refused == 5
    assert sum(each.refused for each in store.platforms().platforms) == 5
