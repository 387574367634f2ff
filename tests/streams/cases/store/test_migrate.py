"""People's tables: made whole where there are none, migrated where there are, never dropped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from streams.cases.store.engine import engine
from streams.cases.store.migrate import current, head, upgrade
from streams.cases.store.people_tables import PEOPLE
from streams.cases.store.roles import DeskRole
from streams.cases.store.store import CaseStore
from streams.common.errors import ConfigError
from tests.streams.cases.store.filled import opened
from tests.waiting import END_S


def test_a_new_store_has_the_tables_of_the_program(tmp_path: Path) -> None:
    people = engine(f"sqlite:///{tmp_path / 'desk.db'}", "people")
    upgrade(people)
    with people.connect() as connection:
        assert current(connection) == head()
        assert compare_metadata(MigrationContext.configure(connection), PEOPLE) == []


def test_an_upgrade_leaves_what_is_there(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.accounts.add("ann", [DeskRole.AGENT], password="correct horse battery")
    upgrade(store.people)
    assert [each.name for each in opened(tmp_path).accounts.all()] == ["ann"]


def test_a_store_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with store.people.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer"):
        opened(tmp_path)


def test_several_that_open_a_new_store_at_once_all_find_it_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'desk.db'}"
    with ThreadPoolExecutor(6) as pool:
        for opened in [pool.submit(CaseStore, url) for _ in range(6)]:
            opened.result(END_S).close()
