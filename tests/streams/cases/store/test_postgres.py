"""The case store in PostgreSQL: what holds in SQLite's files holds there, test by test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from inspect import signature
from pathlib import Path
from random import Random
from string import ascii_letters
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from streams.cases.store.accounts import Accounts
from streams.cases.store.backup import restore, save
from streams.cases.store.erase import erase
from streams.cases.store.index_writer import Writer
from streams.cases.store.opening import open_store as opened_by
from streams.cases.store.people_tables import PEOPLE
from streams.cases.store.rebuild import check, rebuild
from streams.cases.store.roles import DeskRole
from streams.cases.store.store import CaseStore
from streams.common.clock import now_ms
from streams.common.errors import UsageError
from tests.builders.streams.cases.store.backup import people
from tests.builders.streams.cases.store.index_writer import (
    everything,
    nuls_are_kept_as_databases_keep_them,
    read,
    rows as all_rows,
)
from tests.builders.streams.cases.store.indexer import Site, rows, story
from tests.builders.streams.cases.store.rebuild import told
from tests.builders.streams.cases.store.removal import one_of_each
from tests.enforce.records import RECIPIENT, START_MS
from tests.nodes import Broker
from tests.postgres import Postgres, need_postgres, server
from tests.streams.cases.store import (
    test_accounts as of_accounts,
    test_papers as of_papers,
    test_removal as of_removal,
    test_store as of_store,
)
from tests.streams.cases.store.filled import FilledStore, acked, flood, logged, opened as sqlite
from tests.waiting import END_S

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    need_postgres()
    with server() as running:
        yield running


@pytest.fixture
def store(postgres: Postgres) -> Iterator[FilledStore]:
    with closing(FilledStore(postgres.database())) as made:
        yield made


SAME = [
    pytest.param(function, id=f"{module.__name__.rpartition('.')[2]}-{name}")
    for module in (of_store, of_papers, of_removal)
    for name, function in vars(module).items()
    if name.startswith("test_") and list(signature(function).parameters) == ["store"]
]


@pytest.mark.parametrize("test", SAME)
def test_it_holds_as_it_does_in_sqlite(
    store: FilledStore, test: Callable[[FilledStore], None]
) -> None:
    test(store)


@pytest.mark.parametrize(
    "test",
    [
        of_accounts.test_wrong_passwords_lock_for_a_while_and_the_right_one_does_not_open,
        of_accounts.test_sessions_end_one_by_one_all_at_once_and_with_rights,
        of_accounts.test_a_session_ends_when_idle_and_in_any_case,
        of_accounts.test_whoever_another_vouches_for_takes_over_no_local_account,
    ],
)
def test_accounts_are_as_they_are_in_sqlite(
    store: FilledStore, test: Callable[[FilledStore], None]
) -> None:
    store.accounts = Accounts(store.people, lambda: store.at_ms, of_accounts.CHEAP)
    roles = [DeskRole.AGENT, DeskRole.LEAD]
    store.accounts.add("ann", roles, password=of_accounts.PASSWORD)
    test(store)


def test_there_were_enough_tests_to_share() -> None:
    assert len(SAME) > 20


def test_rows_are_those_of_sqlite_record_by_record(store: FilledStore, tmp_path: Path) -> None:
    other = sqlite(tmp_path)
    batch = everything(other)
    for each in (other, store):
        known: dict[str, int] = {}
        writer = Writer(each.index)
        for at in range(0, len(batch), 3):
            writer.take(batch[at : at + 3], read(batch[at : at + 3], known))
        writer.take(batch[::-1], [])
    assert all_rows(store) == all_rows(other)


def test_a_nul_in_any_text_is_kept_as_it_is_in_sqlite(store: FilledStore) -> None:
    nuls_are_kept_as_databases_keep_them(store)


def test_what_strangers_ask_for_with_a_nul_is_not_found_and_no_error(store: FilledStore) -> None:
    assert store.audit(actor="a\0b") == ()
    with pytest.raises(UsageError):
        store.case("a\0b")


def test_a_key_too_long_for_an_index_stops_no_other_record(store: FilledStore) -> None:
    record, lease = flood()
    long = "".join(Random(7).choices(ascii_letters, k=20_000))
    too_long = msgspec.structs.replace(acked(lease), action_id=long)
    batch = logged(store, [record, lease, too_long, acked(lease)], START_MS)
    assert Writer(store.index).take(batch, read(batch, {})) == 1
    (acks,) = store.case(record.episode_id).case.acks.values()
    assert [each.gateway_id for each in acks] == ["smsc-1"]


def test_a_new_store_has_the_tables_of_the_program(store: FilledStore) -> None:
    with store.people.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), PEOPLE) == []


def test_several_consoles_that_start_at_once_find_one_store(postgres: Postgres) -> None:
    url = postgres.database()
    with ThreadPoolExecutor(6) as pool:
        for opened in [pool.submit(CaseStore, url) for _ in range(6)]:
            opened.result(END_S).close()


def test_a_number_is_erased_from_every_row(store: FilledStore) -> None:
    one_of_each(store)
    store.papers.add_note("ann", f"{RECIPIENT} called", recipient=RECIPIENT)
    store.papers.add_note("ann", "as 13900000001", recipient="8613900000002")
    done = erase(store, RECIPIENT)
    assert done.searched == ()
    assert done.rows["cases"] == 1
    assert RECIPIENT not in repr(all_rows(store))
    assert "13900000001" not in repr(people(store))


def test_a_backup_moves_a_store_from_sqlite_and_back(store: FilledStore, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = sqlite(tmp_path / "a")
    one_of_each(first)
    first.accounts.add("ann", [DeskRole.AGENT], password="correct horse battery")
    first.papers.add_note("ann", "呼叫", recipient=RECIPIENT)
    save(first, tmp_path / "1.gz", 7)
    restore(store, tmp_path / "1.gz")
    assert (all_rows(store), people(store)) == (all_rows(first), people(first))
    assert store.papers.add_note("ann", "next", recipient=RECIPIENT).note_id == 2
    save(store, tmp_path / "2.gz", 7)
    back = sqlite(tmp_path / "b")
    restore(back, tmp_path / "2.gz")
    assert all_rows(back) == all_rows(first)


def test_the_index_is_made_anew_while_a_console_reads(
    broker: Broker, unique: str, tmp_path: Path, postgres: Postgres
) -> None:
    site = Site(broker, unique, tmp_path)
    with closing(site.producer):
        site.write(*story(0, 3))
    desk = site.settings.desk.model_copy(update={"store": postgres.database(), "cases_days": 3_650})
    site.settings = site.settings.model_copy(update={"desk": desk})
    with closing(CaseStore(desk.store)) as console:
        site.indexer(console).catch_up()
        before = rows(console)
        how: Any = (site.settings, partial(opened_by, site.settings), now_ms)
        assert told(check(*how)) == {}
        assert rebuild(*how)["cases"] == 3
        assert rows(console) == before
        site.indexer(console).catch_up()
        assert rows(console) == before
