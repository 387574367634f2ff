"""The second step: calls are found by ticket, case and time without reading all of them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from streams.cases.store.engine import engine
from streams.cases.store.migrate import run


def test_calls_of_an_older_store_get_their_indexes_and_stay(tmp_path: Path) -> None:
    people = engine(f"sqlite:///{tmp_path / 'desk.db'}", "people")
    with people.execution_options(otpguard_writes=True).begin() as connection:
        run(connection, "0001")
        connection.execute(
            text(
                "INSERT INTO calls VALUES (1, '86139', 'e', 'li.lei', 5, 'none', 0, 'T-1', 'told')"
            )
        )
        run(connection, "0002")
        names = {each["name"] for each in inspect(connection).get_indexes("calls")}
        assert names >= {"ix_calls_ticket", "ix_calls_episode_id", "ix_calls_at_ms"}
        assert connection.scalar(text("SELECT ticket FROM calls")) == "T-1"
