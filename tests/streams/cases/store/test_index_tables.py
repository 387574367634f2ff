"""Texts of the index: written and looked for in the one form that every database keeps."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, insert, select

from streams.cases.store.index_tables import INDEX, meta


@pytest.mark.parametrize("text", ["plain", "from:a\0b", "half a pair \ud83d", "\0"])
def test_a_text_is_found_by_what_was_written(text: str) -> None:
    engine = create_engine("sqlite://")
    INDEX.create_all(engine, [meta])
    with engine.begin() as connection:
        connection.execute(insert(meta).values(key=text, value=text))
        found = connection.execute(select(meta).where(meta.c.key == text)).one()
    engine.dispose()
    assert found.value == found.key
    assert not {"\0", "\ud83d"} & set(found.key)
