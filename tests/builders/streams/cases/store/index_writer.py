"""Builders that test_index_writer.py shares with other tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import msgspec
from sqlalchemy import select

from detectors.model.event import platform_id
from detectors.model.records import NOWHERE
from streams.cases.store.index_tables import INDEX
from streams.cases.store.index_writer import LogRecord, PlaceRead, Source, Writer
from streams.wire import Notice
from tests.enforce.records import START_MS, override
from tests.streams.cases.store.filled import (
    FilledStore,
    acked,
    audited,
    campaign,
    counted,
    ended,
    flood,
    incident,
    logged,
    week_of,
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


def with_a_nul_each(value: Any) -> Iterator[Any]:
    """Yield what a record says as often as it has texts, each time with a NUL in another."""
    if isinstance(value, str):
        yield f"{value}\0x"
    elif isinstance(value, dict | list):
        for at, each in value.items() if isinstance(value, dict) else enumerate(value):
            for changed in with_a_nul_each(each):
                copy = value.copy()
                copy[at] = changed
                yield copy


def nuls_are_kept_as_databases_keep_them(store: FilledStore) -> None:
    """Whatever text of whatever record holds a NUL, it is taken or refused, and stops nobody."""
    sources = {each.source: each for each in everything(store)}
    sources |= {each.source: each for each in logged(store, [campaign(), week_of("sig:a")], 7)}
    assert sources.keys() == set(get_args(Source))
    batch = [
        each._replace(offset=at, value=msgspec.json.encode(told))
        for each in sources.values()
        for at, told in enumerate(with_a_nul_each(msgspec.json.decode(each.value or b"")))
    ]
    batch += [sources["campaign"]._replace(key=b"1:a\0b:0:7")]
    batch += [sources["override"]._replace(key=b"8613900000001|allow|sig:a\0b", value=None)]
    unreadable = Writer(store.index).take(batch, [])
    assert unreadable < len(batch) / 2, "most texts are free"
    texts = [text for each in rows(store).values() for row in each for text in row]
    assert any("\ufffd" in text for text in texts if isinstance(text, str))
    assert not any("\0" in text for text in texts if isinstance(text, str))
