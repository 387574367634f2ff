"""Rebuilds the index from the topics, and checks an index against the topics.

Topics delete old records: a lease after two days, an acknowledgement after a week. These records
are copied from the old index, which stores the records' original bytes. So a rebuilt index comes
from the same records as before, even if the tables have changed.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, func, inspect, select, text, tuple_, update

from streams.cases.store.engine import SCHEMAS, files, rows_of, writing
from streams.cases.store.index_tables import (
    INDEX,
    acks,
    audit,
    campaigns,
    cases,
    changes,
    counts,
    incidents,
    leases,
    notices,
    places,
    platform_days,
    platform_weeks,
    words,
)
from streams.cases.store.index_writer import LogRecord, Source, Writer
from streams.cases.store.indexer import Indexer
from streams.cases.store.packing import unpack
from streams.cases.store.removal import forget
from streams.cases.store.store import CaseStore
from streams.config import Settings

ASIDE: Final = "new"  # Suffix of the file or schema in which the new index is built.

STEP: Final = 1_000

RAW: Final[tuple[tuple[Source, Table], ...]] = (
    ("episode", changes),
    ("throttle", leases),
    ("incident", incidents),
)
"""Tables that store the original record in `value`. A rebuild processes these records again."""

TOLD: Final = (acks, counts, notices, audit, words)
"""Tables with one row per record. A rebuild copies their rows, under the guards of the writer."""

NETWORK: Final = (campaigns, platform_weeks)
"""Tables of campaign and platform records. Nothing is copied, because their topics are compacted
and still have the newest record of every key."""

RISING: Final = {
    "acks": "at_ms", "counts": "refused", "notices": "at_ms", "campaigns": "offset",
    "platform_weeks": "offset",
}  # fmt: skip
"""Table name -> column that only rises. In a check, a row of the live index may differ if its value
in this column is higher: then the row is newer."""


@dataclass(frozen=True, slots=True)
class TableCheck:
    """Result of a check: one table of the index, compared with the topics. Counts are rows."""

    table: str
    compared: int
    missing: int  # on the topics, but not in the index
    different: int
    beyond: int  # in the index, but no longer on the topics


def rebuild(
    settings: Settings,
    opened: Callable[..., CaseStore],
    clock: Callable[[], int],
) -> dict[str, int]:
    """Build a new index, and replace the live index. Return the number of new rows by table.

    `opened` opens the store. Readers use the old index until the replacement. A running indexer
    then exits with code 75, and its supervisor starts it again.
    """
    with _aside(settings, opened, clock) as (old, new):
        _carry_over(old.index, new.index)
        forget(new, settings.desk, clock())
        with new.index.connect() as connection:
            rows = {
                table.name: int(connection.scalar(select(func.count()).select_from(table)) or 0)
                for table in INDEX.sorted_tables
            }
        new.index.dispose()
        _take_its_place(old)
        return rows


def check(
    settings: Settings,
    opened: Callable[..., CaseStore],
    clock: Callable[[], int],
) -> list[TableCheck]:
    """Compare the index with a temporary index that is built from the topics.

    The temporary index reads only up to the offsets of the live index. So newer records, which the
    live index has not read yet, do not count as missing.
    """
    with _aside(settings, opened, clock, as_far=True) as (old, new):
        forget(new, settings.desk, clock())
        with old.index.connect() as live, new.index.connect() as fresh:
            return [
                _compare_table(live, fresh, table)
                for table in (*(table for _, table in RAW), *TOLD, *NETWORK, cases, platform_days)
            ]


@contextmanager
def _aside(
    settings: Settings,
    opened: Callable[..., CaseStore],
    clock: Callable[[], int],
    *,
    as_far: bool = False,
) -> Iterator[tuple[CaseStore, CaseStore]]:
    """Yield the live store, and a store with a temporary index built from the topics.

    With `as_far`, the temporary index reads only up to the offsets of the live index. The temporary
    index is deleted at the end, unless it has replaced the live index.
    """
    with closing(opened(any_format=True)) as old, old.answering():
        _drop_aside(old)
        _make_aside(old)
        try:
            with closing(opened(aside=ASIDE)) as new:
                Indexer(
                    new,
                    settings.kafka,
                    settings.topics,
                    batch_records_max=settings.desk.batch_records_max,
                    clock=clock,
                ).catch_up(_read(old) if as_far else None)
                yield old, new
        finally:
            _drop_aside(old)


def _read(store: CaseStore) -> dict[tuple[str, int], int]:
    """Return the next offset that the index will read, by topic and partition."""
    with store.index.connect() as connection:
        return {
            (row.topic, row.partition): row.next_offset
            for row in connection.execute(select(places))
        }


def _carry_over(old: Engine, new: Engine) -> None:
    """Copy records that only the old index still has to the new index."""
    writer = Writer(new)
    with old.connect() as connection:
        has = set(inspect(connection).get_table_names())
        for source, table in RAW:
            if table.name in has:
                for some in pieces(connection, table):
                    writer.take([_record(source, table, row) for row in some], [])
        for table in TOLD:
            if table.name in has:
                for some in pieces(connection, table):
                    writer.put(table.name, some)
        withdrawn = (
            [
                (row["word_id"], row["withdrawn_ms"])
                for some in pieces(connection, words)
                for row in some
                if row["withdrawn_ms"] is not None
            ]
            if words.name in has
            else []
        )
    with writing(new).begin() as connection:
        for word_id, ms in withdrawn:
            connection.execute(
                update(words)
                .where(words.c.word_id == word_id, words.c.withdrawn_ms.is_(None))
                .values(withdrawn_ms=ms)
            )


def _record(source: Source, table: Table, row: Mapping[str, Any]) -> LogRecord:
    return LogRecord(source, table.name, 0, 0, row["written_ms"], None, unpack(row["value"]))


def pieces(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """Yield all rows of a table in lists of at most `STEP`, ordered by primary key."""
    keys = list(table.primary_key)
    behind: tuple[Any, ...] | None = None
    while True:
        wanted = select(table).order_by(*keys).limit(STEP)
        if behind is not None:
            wanted = wanted.where(tuple_(*keys) > behind)
        rows = [dict(row) for row in connection.execute(wanted).mappings()]
        if not rows:
            return
        yield rows
        behind = tuple(rows[-1][key.name] for key in keys)


def _compare_table(live: Connection, fresh: Connection, table: Table) -> TableCheck:
    keys = list(table.primary_key)
    compared = missing = different = 0
    whole = not _more_changes(live, fresh, None)
    for some in pieces(fresh, table):
        asked = [tuple(row[key.name] for key in keys) for row in some]
        found = {
            tuple(held[key.name] for key in keys): dict(held)
            for held in rows_of(live, select(table), tuple_(*keys), asked)
        }
        for key, row in zip(asked, some, strict=True):
            compared += 1
            if key not in found:
                missing += 1
            elif not _agree(table, found[key], row) and not _may_differ(
                table, found[key], row, live, fresh, whole=whole
            ):
                different += 1
    total = int(live.scalar(select(func.count()).select_from(table)) or 0)
    return TableCheck(table.name, compared, missing, different, total - (compared - missing))


def _agree(table: Table, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if "value" in table.c and unpack(one["value"]) != unpack(other["value"]):
        return False
    return all(one[c.name] == other[c.name] for c in table.c if c.name != "value")


def _may_differ(
    table: Table,
    row: Mapping[str, Any],
    new: Mapping[str, Any],
    live: Connection,
    fresh: Connection,
    *,
    whole: bool,
) -> bool:
    """Return true if a row may differ.

    The live row may be newer, or come from records that the topics have deleted. `whole` means that
    the topics still have all episode records.
    """
    if rising := RISING.get(table.name):
        return bool(row[rising] > new[rising])
    if table.name == cases.name:
        return _more_changes(live, fresh, row["episode_id"])
    if table.name == words.name:  # its tombstone may be compacted away
        return all(row[name] == new[name] for name in new if name != "withdrawn_ms")
    return table.name == platform_days.name and not whole


def _more_changes(live: Connection, fresh: Connection, episode_id: str | None) -> bool:
    wanted = select(func.count()).select_from(changes)
    if episode_id is not None:
        wanted = wanted.where(changes.c.episode_id == episode_id)
    return (live.scalar(wanted) or 0) > (fresh.scalar(wanted) or 0)


# --- files and schemas of an index -------------------------------------------------------------


def _make_aside(old: CaseStore) -> None:
    if old.index.dialect.name == "postgresql":
        with old.index.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {SCHEMAS['index']}_{ASIDE}"))


def _drop_aside(old: CaseStore) -> None:
    if old.index.dialect.name == "postgresql":
        with old.index.begin() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMAS['index']}_{ASIDE} CASCADE"))
        return
    path = files(old.url)["index"]
    for end in ("", "-wal", "-shm"):
        path.with_name(f"{path.stem}-{ASIDE}{path.suffix}{end}").unlink(missing_ok=True)


def _take_its_place(old: CaseStore) -> None:
    """Replace the old index with the new index in one transaction."""
    if old.index.dialect.name == "postgresql":
        with old.index.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {SCHEMAS['index']} CASCADE"))
            connection.execute(
                text(f"ALTER SCHEMA {SCHEMAS['index']}_{ASIDE} RENAME TO {SCHEMAS['index']}")
            )
        return
    path = files(old.url)["index"]
    aside = path.with_name(f"{path.stem}-{ASIDE}{path.suffix}")
    with old.index.connect() as connection, closing(sqlite3.connect(aside)) as fresh:
        live = connection.connection.driver_connection
        assert live is not None
        connection.rollback()
        fresh.backup(live)  # waits for a writer; readers keep the state that they have
