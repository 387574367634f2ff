"""SQLAlchemy engines for the databases of the desk: SQLite files or PostgreSQL, by URL.

There are two databases, called halves. *index* is built from the topics and can be rebuilt.
*people* has what people wrote at the desk; it is migrated and never dropped. In SQLite the halves
are two files (`desk.db` and `desk-index.db`), readable only by their owner. In PostgreSQL they are
two schemas.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    RowMapping,
    Select,
    StaticPool,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, TimeoutError as NoConnectionError

from streams.common import ConfigError, UnavailableError, mask_url, tr

Half = Literal["index", "people"]

SCHEMAS: Final[dict[Half, str]] = {"index": "otpguard_index", "people": "otpguard_people"}
BUSY_MS: Final = 30_000
"""Longest wait (ms) for another process's transaction. The indexer's transactions take at most a
second."""

LOCK: Final = 0x6F74_7067  # key of the PostgreSQL advisory lock: "otpg" in ASCII

CHUNK: Final = 300
"""Values in one SQL `IN` list. Older SQLite versions allow at most 999 variables, and a primary key
may have three columns."""

AWAY: Final = (DBAPIError, NoConnectionError)
"""Errors of a database that does not answer. `NoConnectionError` means that all connections of the
pool are in use and none was returned in time."""

_POSTGRESQL: Final = "postgresql+psycopg://otpguard@db/otpguard"
"""Example URL for an error message."""


def parse_url(url: str) -> URL:
    """Parse a URL. Raise ConfigError if it is invalid or names an unsupported database."""
    try:
        read = make_url(url)
    except (ArgumentError, ValueError):  # ArgumentError: not a URL. ValueError: a bad port.
        read = None
    if read is None or read.drivername not in ("sqlite", "postgresql+psycopg") or not read.database:
        raise ConfigError(
            tr("desk.store: no URL of a store; such as sqlite:////var/lib/otpguard/desk.db or {pg}")
            .format(pg=_POSTGRESQL)
        )  # fmt: skip
    return read


def files(url: str) -> dict[Half, Path]:
    """Return the files of an SQLite store by half; empty for PostgreSQL."""
    read = parse_url(url)
    if read.drivername != "sqlite":
        return {}
    people = Path(str(read.database))
    return {"people": people, "index": people.with_name(f"{people.stem}-index{people.suffix}")}


def engine(url: str, half: Half, password: str = "", aside: str = "") -> Engine:
    """Return an engine for one half of the store. It connects at the first query.

    `aside`: use the file or schema with this suffix instead of the live one.
    """
    read = parse_url(url)
    if read.drivername == "sqlite":
        path = files(url)[half]
        return _sqlite(path.with_name(f"{path.stem}{aside and '-' + aside}{path.suffix}"), half)
    if password:
        read = read.set(password=password)
    made = create_engine(
        read,
        pool_pre_ping=True,
        connect_args={
            "options": f"-c search_path={SCHEMAS[half]}{aside and '_' + aside} -c jit=off",
            "connect_timeout": 10,
        },
    )
    return made.execution_options(isolation_level="READ COMMITTED")


def in_memory() -> Engine:
    """Return an engine for an empty database in memory.

    Threads share its one connection: only one may use it at a time. The database ends with the
    engine.
    """
    return create_engine(
        "sqlite://",
        paramstyle="named",
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )


def rows_of(
    connection: Connection, wanted: Select[Any], column: Any, values: Sequence[Any]
) -> Iterator[RowMapping]:
    """Yield the selected rows whose column has one of these values."""
    for at in range(0, len(values), CHUNK):
        some = wanted.where(column.in_(values[at : at + CHUNK]))
        yield from connection.execute(some).mappings()


def writing(on: Engine) -> Engine:
    """Return the engine with an option for writing transactions.

    SQLite then takes the write lock at `BEGIN`, so a transaction cannot fail later for this lock.
    """
    return on.execution_options(otpguard_writes=True)


def _sqlite(path: Path, half: Half) -> Engine:
    made = create_engine(
        URL.create("sqlite", database=str(path)),
        paramstyle="named",  # rows are dicts, as for PostgreSQL
        connect_args={"timeout": 30},
    )

    @event.listens_for(made, "do_connect")
    def create(*_: Any) -> None:
        # Mode 0600, whatever the umask. SQLite gives the -wal and -shm files the same mode.
        if not path.exists():
            try:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            except OSError as error:
                raise ConfigError(
                    tr(
                        "{path}: {strerror}; make this folder, or name another file in desk.store "
                        "(sqlite:////absolute/path/desk.db)"
                    ).format(path=path, strerror=error.strerror)
                ) from None

    @event.listens_for(made, "connect")
    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the listener `begin` below starts transactions
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_MS}",
            "journal_mode=WAL",
            # After a power loss the index reads lost rows again. The people half may lose nothing.
            f"synchronous={'NORMAL' if half == 'index' else 'FULL'}",
            "secure_delete=ON",  # erased bytes are overwritten
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-32000",
        ):
            _set(cursor, pragma)
        cursor.close()

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("otpguard_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return made


def _set(cursor: sqlite3.Cursor, pragma: str) -> None:
    """Set a pragma. Retry while the file is locked, for at most `BUSY_MS`.

    SQLite ignores its own `busy_timeout` when a file changes to WAL mode. It fails at once if two
    connections change the mode together, or if the last connection is just removing the WAL.
    """
    end = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def alone(connection: Connection) -> None:
    """Take a lock, so that only one process creates tables. SQLite allows one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def away(error: DBAPIError | NoConnectionError, url: str) -> UnavailableError:
    """Return an error for people. It has no SQL, no parameters (phone numbers), no password."""
    met = error.orig if isinstance(error, DBAPIError) else None
    kind = type(error if met is None else met).__name__
    return UnavailableError(
        tr("the case store {where} does not answer: {kind}").format(where=mask_url(url), kind=kind)
    )
