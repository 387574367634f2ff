"""Databases of the desk, by URL: SQLite files that belong to this user alone, or PostgreSQL.

Two of everything: the *index*, which the indexer makes of topics and which may be made anew, and
*people*, which holds what was said and done at the desk and is migrated, never dropped. In SQLite
they are two files (`desk.db` and `desk-index.db`), in PostgreSQL two schemas.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from streams.errors import ConfigError, UnavailableError
from streams.language import tr
from streams.shown import masked

Half = Literal["index", "people"]

SCHEMAS: Final[dict[Half, str]] = {"index": "otpguard_index", "people": "otpguard_people"}
BUSY_MS: Final = 30_000
"""Longest wait for another process' transaction; the indexer's take a second at most."""

BUSY_PAUSE_S: Final = 0.01

LOCK: Final = 0x6F74_7067  # of PostgreSQL; "otpg"

AWAY: Final = (DBAPIError, NoConnectionError)
"""Errors of a database that does not answer; the second where all connections are in use, and
nobody gives one back in time."""

DRIVERS: Final = ("sqlite", "postgresql+psycopg")

_POSTGRESQL: Final = "postgresql+psycopg://otpguard@db/otpguard"
"""An example."""


def parsed(url: str) -> URL:
    """The URL. Raise ConfigError if it is none, or of a database that is not known here."""
    try:
        read = make_url(url)
    except (ArgumentError, ValueError):  # no URL; no port
        read = None
    if read is None or read.drivername not in DRIVERS or not read.database:
        raise ConfigError(
            tr("desk.store: no URL of a store; such as sqlite:////var/lib/otpguard/desk.db or {pg}")
            .format(pg=_POSTGRESQL)
        )  # fmt: skip
    return read


def files(url: str) -> dict[Half, Path]:
    """The files of an SQLite store; empty for PostgreSQL."""
    read = parsed(url)
    if read.drivername != "sqlite":
        return {}
    people = Path(str(read.database))
    return {"people": people, "index": people.with_name(f"{people.stem}-index{people.suffix}")}


def engine(url: str, half: Half, password: str = "", aside: str = "") -> Engine:
    """One half of the store. It is opened with the first question.

    With `aside`, an index of this name beside the one that counts.
    """
    read = parsed(url)
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
    """Return an empty database of this process alone, for one thread; it goes with the engine."""
    return create_engine("sqlite://", paramstyle="named")


def writing(on: Engine) -> Engine:
    """The same, for a transaction that writes: SQLite locks at once, and never fails half-way."""
    return on.execution_options(otpguard_writes=True)


def _sqlite(path: Path, half: Half) -> Engine:
    made = create_engine(
        URL.create("sqlite", database=str(path)),
        paramstyle="named",  # as PostgreSQL's: a row goes as it is, whatever its order
        connect_args={"timeout": 30},
    )

    @event.listens_for(made, "do_connect")
    def create(*_: Any) -> None:
        if not path.exists():  # for nobody else, whatever the umask; -wal and -shm take it over
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
        connection.isolation_level = None  # transactions begin where `begin` below says so
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_MS}",
            "journal_mode=WAL",
            # What the index loses with a machine is read again; of people nothing may be lost.
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
    """Set a pragma, however long others keep the file, but no longer than `BUSY_MS`.

    SQLite does not wait for them where a file is to have its log: it fails at once if two ask for
    that together, or if one asks while another, the last to leave, clears the log away.
    """
    end = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(BUSY_PAUSE_S)
        else:
            return


def alone(connection: Connection) -> None:
    """Wait until no other process makes tables here; SQLite's writers are alone in any case."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def away(error: DBAPIError | NoConnectionError, url: str) -> UnavailableError:
    """The error for people: no statement, no parameter (they hold numbers), no password."""
    met = error.orig if isinstance(error, DBAPIError) else None
    kind = type(error if met is None else met).__name__
    return UnavailableError(
        tr("the case store {where} does not answer: {kind}").format(where=masked(url), kind=kind)
    )
