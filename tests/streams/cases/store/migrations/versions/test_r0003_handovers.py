"""The third step: a table for cases that are handed over, beside what is there."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from streams.cases.store.engine import engine
from streams.cases.store.migrate import run


def test_an_older_store_gets_the_table_and_keeps_its_notes(tmp_path: Path) -> None:
    people = engine(f"sqlite:///{tmp_path / 'desk.db'}", "people")
    with people.execution_options(otpguard_writes=True).begin() as connection:
        run(connection, "0002")
        connection.execute(text("INSERT INTO notes VALUES (1, 'e', '86139', 'li.lei', 5, 'a')"))
        run(connection, "0003")
        assert "handovers" in inspect(connection).get_table_names()
        assert connection.scalar(text("SELECT count(*) FROM notes")) == 1
