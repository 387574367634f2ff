"""The first revision: a database that has it is migrated by the steps after it alone."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from streams.cases.store.engine import engine
from streams.cases.store.migrate import current, head, upgrade
from streams.cases.store.migrations.versions import r0001_people as step
from streams.cases.store.people_tables import PEOPLE


def test_a_database_of_the_first_release_keeps_its_tables_and_rows(tmp_path: Path) -> None:
    people = engine(f"sqlite:///{tmp_path / 'desk.db'}", "people")
    upgrade(people)
    with people.execution_options(otpguard_writes=True).begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{step.revision}'"))
        connection.execute(text("INSERT INTO notes VALUES (1, 'e', '86139', 'li.lei', 5, 'a')"))
    upgrade(people)
    with people.connect() as connection:
        assert current(connection) == head()
        assert set(inspect(connection).get_table_names()) == {*PEOPLE.tables, "alembic_version"}
        assert connection.execute(text("SELECT text FROM notes")).scalar() == "a"
