"""The first step."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import inspect

from streams.cases.store.engine import engine, writing
from streams.cases.store.migrations.versions import r0001_people as step
from streams.cases.store.people_tables import PEOPLE


def test_it_makes_the_tables(tmp_path: Path) -> None:
    people = engine(f"sqlite:///{tmp_path / 'desk.db'}", "people")
    with (
        writing(people).begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        step.upgrade()
        assert set(inspect(connection).get_table_names()) == set(PEOPLE.tables) - {"handovers"}
