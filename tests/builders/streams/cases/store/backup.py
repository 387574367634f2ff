"""Builders that test_backup.py shares with other tests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from streams.cases.store.people_tables import PEOPLE
from tests.streams.cases.store.filled import FilledStore


def people(store: FilledStore) -> dict[str, list[tuple[Any, ...]]]:
    with store.people.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in PEOPLE.sorted_tables
        }
