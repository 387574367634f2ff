"""The second step, up and down, with an account that is there."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import inspect, text

from streams.desk.store.engine import engine, writing
from streams.desk.store.migrations.versions import r0001_people as before
from streams.desk.store.migrations.versions import r0002_given as step

ANN = "INSERT INTO accounts VALUES ('ann', 'Ann', 'approver', 'local', '', 0, 0, 0, 1, NULL, '', 1)"


def test_it_adds_the_column_and_drops_it(tmp_path: Path) -> None:
    people = engine(f"sqlite:///{tmp_path / 'desk.db'}", "people")
    with writing(people).begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            before.upgrade()
            connection.execute(text(ANN))
            step.upgrade()
            assert connection.execute(text("SELECT name, given_ms FROM accounts")).all() == [
                ("ann", None)
            ]
            step.downgrade()
        columns = {each["name"] for each in inspect(connection).get_columns("accounts")}
        assert "given_ms" not in columns
