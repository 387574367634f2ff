"""Databases by URL: whose files they are, what is wrong with one, and what an error may say."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from streams.cases.store.engine import away, engine, files, parse_url, writing
from streams.cases.store.store import CaseStore
from streams.common.errors import ConfigError, UnavailableError
from tests.enforce.records import RECIPIENT
from tests.ports import free_port
from tests.streams.cases.store.filled import opened
from tests.waiting import END_S, wait_until


@pytest.mark.parametrize(
    "url", ["", "desk.db", "mysql://u:secret@h/d", "sqlite://", "postgresql+psycopg://h:x/d", "::"]
)
def test_a_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"desk\.store") as refused:
        parse_url(url)
    assert "secret" not in str(refused.value)


def test_the_files_of_a_store_belong_to_its_owner_alone(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.find(RECIPIENT)
    found = files(store.url)
    assert found == {"people": tmp_path / "desk.db", "index": tmp_path / "desk-index.db"}
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert files("postgresql+psycopg://otpguard@db/otpguard") == {}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.*make this folder"):
        CaseStore(f"sqlite:///{tmp_path}/nowhere/desk.db")


def test_the_log_is_kept_and_erased_bytes_are_overwritten(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for half, synchronous in ((store.index, 1), (store.people, 2)):
        with half.connect() as connection:
            asked = ("journal_mode", "secure_delete", "foreign_keys", "synchronous")
            found = [connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in asked]
        assert found == ["wal", 1, 1, synchronous]


def test_who_opens_a_file_waits_until_others_let_it_have_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where several make it together: there SQLite fails at once, whatever its timeout."""
    path, refused = tmp_path / "desk.db", Event()

    def sleep(seconds: float) -> None:
        refused.set()
        time.sleep(seconds)

    waiting = SimpleNamespace(monotonic=time.monotonic, sleep=sleep)
    monkeypatch.setattr("streams.cases.store.engine.time", waiting)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        other.execute("BEGIN IMMEDIATE")
        opened = pool.submit(engine(f"sqlite:///{path}", "people").connect)
        wait_until(lambda: refused.is_set() or opened.done(), "it is refused once")
        assert not opened.done()
        other.execute("COMMIT")
        with opened.result(END_S) as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_readers_go_on_while_somebody_writes(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with writing(store.index).begin() as connection:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('a', 'b')")
        assert store.live() == ((), 0)


def test_a_server_that_is_away_is_told_from_a_wrong_url_and_no_number_is_said() -> None:
    url = f"postgresql+psycopg://otpguard:geheim@127.0.0.1:{free_port()}/otpguard"
    with pytest.raises(UnavailableError) as told:
        CaseStore(url)
    assert "geheim" not in str(told.value)
    error = OperationalError(f"SELECT '{RECIPIENT}'", {"n": RECIPIENT}, Exception(RECIPIENT))
    assert RECIPIENT not in str(away(error, url))


def test_an_engine_is_made_without_asking_the_server() -> None:
    assert engine("postgresql+psycopg://otpguard@db/otpguard", "index").dialect.name == "postgresql"
