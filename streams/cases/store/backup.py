"""Saves a store to a file of gzipped JSON lines, and restores it into an empty store.

The file format is the same for SQLite and PostgreSQL, so a backup can move a store between the two.
Sessions are not saved, so people have to log in again after a restore. The file contains phone
numbers and password hashes. Protect it like the store itself.
"""

import base64
import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, LargeBinary, Table, func, insert, select, text

from streams.cases.store.engine import writing
from streams.cases.store.index_tables import FORMAT, INDEX, cases, meta
from streams.cases.store.migrate import head
from streams.cases.store.people_tables import PEOPLE, accounts, sessions
from streams.cases.store.rebuild import pieces
from streams.cases.store.store import CaseStore
from streams.common import UsageError, tr, unwritten
from streams.common.files import whole_file
from streams.wire.version import UNDECODABLE, encode_json

FORM: Final = "otpguard.desk/1"  # Name and version of the file format, written in the first line.

STEP: Final = 1_000

SCRATCH: Final = "otpguard-desk"
"""Name prefix of temporary files for unfinished backups. The next backup deletes files that a
killed process left. The prefix identifies them, because each backup has another final name."""


def save(store: CaseStore, path: Path, now_ms: int, *, people_only: bool = False) -> Counter[str]:
    """Save the store to a file that only its owner can read. Return saved rows by table.

    The file appears only when it is complete. Each half is a consistent snapshot: first the index,
    then the people half. `people_only` leaves the index out.
    """
    halves = ([] if people_only else [(store.index, _tables(INDEX))]) + [
        (store.people, [t for t in _tables(PEOPLE) if t is not sessions])
    ]
    done: Counter[str] = Counter()
    digest = hashlib.sha256()
    head_ = {"form": FORM, "index": FORMAT, "people": head(), "at_ms": now_ms}
    with _whole(path) as file:

        def put(line: Any) -> None:
            written = encode_json(line) + b"\n"
            digest.update(written)
            file.write(written)

        put(head_)
        for engine, tables in halves:
            with _still(engine) as connection:
                for table in tables:
                    for some in pieces(connection, table):
                        for row in some:
                            put([str(table.name), _plain(row)])
                            done[table.name] += 1
        file.write(encode_json({"end": digest.hexdigest(), "rows": sum(done.values())}) + b"\n")
    return done


def restore(store: CaseStore, path: Path) -> Counter[str]:
    """Fill an empty store from a backup. Return restored rows by table.

    The index is only restored if its format is this program's; otherwise it has to be rebuilt from
    the topics.

    All errors are raised before anything is written. Raise UsageError if the store is not empty.
    Raise UsageError also if the file is not a backup, is truncated or changed, or has another
    revision of the people tables.
    """
    _empty(store)
    told = _check_digest(path)
    if told["people"] != head():
        raise UsageError(
            tr("{path} is of tables {found}, this program's are {wanted}: restore it with that")
            .format(path=path, found=told["people"], wanted=head())
        )  # fmt: skip
    done: Counter[str] = Counter()
    index = told["index"] == FORMAT  # otherwise the index is rebuilt from the topics
    for engine, tables in ((store.people, _tables(PEOPLE)), (store.index, _tables(INDEX))):
        if engine is store.index and not index:
            continue
        by_name = {table.name: table for table in tables}
        with writing(engine).begin() as connection:
            if engine is store.index:
                connection.execute(meta.delete())
            done += _fill(connection, by_name, (line for _, line in _lines(path)))
            _counted_on(connection, tables)
    return done


def saved_ms(path: Path) -> int:
    """Return the time of a backup (ms). Raise UsageError if the file is not a valid backup."""
    return _check_digest(path)["at_ms"]


def _fill(
    connection: Connection, tables: Mapping[str, Table], lines: Iterable[Any]
) -> Counter[str]:
    done: Counter[str] = Counter()
    kept: dict[str, list[dict[str, Any]]] = {}

    def flush(name: str) -> None:
        if rows := kept.pop(name, []):
            connection.execute(insert(tables[name]), rows)
            done[name] += len(rows)

    for line in lines:
        if not isinstance(line, list) or line[0] not in tables:
            continue
        name, row = line
        rows = kept.setdefault(name, [])
        rows.append(_convert_types(tables[name], row))
        if len(rows) >= STEP:
            flush(name)
    for name in list(kept):
        flush(name)
    return done


def _counted_on(connection: Connection, tables: Iterable[Table]) -> None:
    """Set the sequences of PostgreSQL behind the largest restored ids."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        for column in table.primary_key:
            if column.autoincrement is True:
                most = connection.scalar(select(func.max(column))) or 0
                connection.execute(
                    text("SELECT setval(pg_get_serial_sequence(:t, :c), :n, false)"),
                    {"t": table.name, "c": column.name, "n": most + 1},
                )


def _empty(store: CaseStore) -> None:
    for engine, table in ((store.people, accounts), (store.index, cases)):
        with engine.connect() as connection:
            if connection.execute(select(table).limit(1)).first() is not None:
                raise UsageError(
                    tr("this store is not empty; desk.store names one that is, to restore into")
                )


def _check_digest(path: Path) -> dict[str, Any]:
    """Verify the digest of a backup file, and return its first line."""
    digest = hashlib.sha256()
    first = end = None
    for raw, end in _lines(path):
        if isinstance(end, dict) and "end" in end:
            break
        digest.update(raw)
        first = end if first is None else first
    if not isinstance(first, dict) or first.get("form") != FORM:
        raise UsageError(tr("{path} is no backup of a case store").format(path=path))
    if not isinstance(end, dict) or end.get("end") != digest.hexdigest():
        raise UsageError(tr("{path} is cut short, or was changed").format(path=path))
    return first


def _lines(path: Path) -> Iterator[tuple[bytes, Any]]:
    """Yield the lines of a backup file, each as bytes and decoded."""
    try:
        with gzip.open(path, "rb") as file:
            for raw in file:
                yield raw, msgspec.json.decode(raw)
    except UNDECODABLE:
        raise UsageError(tr("{path} is cut short, or was changed").format(path=path)) from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(
            tr("{path} cannot be read: {kind}").format(path=path, kind=type(error).__name__)
        ) from None


def _tables(metadata: Any) -> list[Table]:
    return list(metadata.sorted_tables)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(name): base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in row.items()
    }


def _convert_types(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: base64.b64decode(value)
        if isinstance(table.c[name].type, LargeBinary) and value is not None
        else value
        for name, value in row.items()
    }


@contextmanager
def _still(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that reads from one snapshot, even if others write meanwhile."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def _whole(path: Path) -> Iterator[gzip.GzipFile]:
    """Yield a gzip file under a temporary name, which is renamed to `path` when it is complete.

    The temporary name is unique. Otherwise two backups to the same path, such as one by hand during
    the nightly one, would write into the same file.
    """
    try:
        with (
            whole_file(path, SCRATCH, mode=0o600) as below,
            gzip.GzipFile(fileobj=below, mode="wb", compresslevel=1, mtime=0) as file,
        ):
            yield file
    except OSError as error:
        raise unwritten(path, error) from None
