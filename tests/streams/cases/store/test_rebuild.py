"""The index made anew from the topics: the same rows, and what topics let go of kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from streams.cases.store.erase import erase
from streams.cases.store.index_tables import acks, cases, changes, meta, words
from streams.cases.store.opening import open_store
from streams.cases.store.rebuild import check, rebuild
from streams.cases.store.store import CaseStore
from streams.common.clock import now_ms
from streams.common.errors import ConfigError
from tests.builders.streams.cases.store.indexer import Site, rows, story
from tests.builders.streams.cases.store.rebuild import told
from tests.enforce.records import START_MS, override
from tests.nodes import Broker
from tests.streams.cases.store.filled import audited, ended, flood

pytestmark = pytest.mark.broker


@pytest.fixture
def site(broker: Broker, unique: str, tmp_path: Path) -> Iterator[Site]:
    """Topics with something on each of them, and a store that has read it."""
    made = Site(broker, unique, tmp_path)
    with closing(made.producer):
        made.write(
            *story(0, 3),
            ended(flood(0, recipient="8613900000000")[0]),
            override("release"),
            *audited({}, {}),
        )
        with closing(CaseStore(made.url)) as store:
            made.indexer(store).catch_up()
        yield made


def run(site: Site, how: Any) -> Any:
    return how(site.settings, partial(open_store, site.settings), now_ms)


def settings_of(site: Site) -> Site:
    """Cases of the story are of a year ago: this store keeps them."""
    desk = site.settings.desk.model_copy(update={"cases_days": 3_650, "audit_days": 3_650})
    site.settings = site.settings.model_copy(update={"desk": desk})
    return site


def whole(site: Site) -> dict[str, list[tuple[Any, ...]]]:
    with closing(CaseStore(site.url)) as store:
        return rows(store)


def test_what_came_after_the_index_last_read_is_missing_nowhere(site: Site) -> None:
    settings_of(site)
    site.write(*story(7, 1), *audited({}, {}, chain="cli/noc"))
    assert told(run(site, check)) == {}


def test_a_rebuild_gives_the_same_rows(site: Site, tmp_path: Path) -> None:
    settings_of(site)
    before = whole(site)
    done = run(site, rebuild)
    assert whole(site) == before
    assert done["cases"] == 3
    assert sorted(path.name for path in tmp_path.iterdir() if "new" in path.name) == []
    run(site, rebuild)
    assert whole(site) == before


def test_a_check_agrees_and_finds_what_is_missing_or_was_changed(site: Site) -> None:
    settings_of(site)
    before = whole(site)
    assert told(run(site, check)) == {}
    assert whole(site) == before
    with closing(CaseStore(site.url)) as store, store.index.begin() as connection:
        connection.execute(update(cases).where(cases.c.novel == 8).values(novel=4))
        connection.execute(delete(acks))
    found = told(run(site, check))
    assert found["acks"] == (3, 0, 0)
    assert found["cases"][1] >= 1


def test_what_topics_no_longer_hold_is_taken_from_the_index_of_before(site: Site) -> None:
    settings_of(site)
    with closing(CaseStore(site.url)) as store:
        from tests.streams.cases.store.filled import FilledStore, fill

        old = FilledStore.__new__(FilledStore)
        old.__dict__.update(store.__dict__, at_ms=now_ms(), offsets={})
        old_records = story(40, 2)
        batch = fill(old, *old_records, override("exempt", "8613900000040", expires_at_ms=None))
        assert batch
    before = whole(site)
    assert told(run(site, check))["cases"] == (0, 0, 2)
    run(site, rebuild)
    after = whole(site)
    # Counts of a day are those of its last record where the earlier ones are gone.
    assert {n: r for n, r in after.items() if n != "platform_days"} == {
        n: r for n, r in before.items() if n != "platform_days"
    }


def test_an_index_of_another_shape_is_made_anew_from_its_own_values(site: Site) -> None:
    settings_of(site)
    before = whole(site)
    path = site.settings.desk.store.removeprefix("sqlite:///").replace("desk.db", "desk-index.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'format'")
        connection.execute("DROP TABLE cases")
        connection.execute("CREATE TABLE cases (something TEXT)")
        connection.commit()
    with pytest.raises(ConfigError, match="rebuild"):
        CaseStore(site.url)
    run(site, rebuild)
    assert whole(site) == before


def test_what_was_erased_does_not_come_back_from_the_topics(site: Site) -> None:
    settings_of(site)
    number = "8613900000000"
    with closing(CaseStore(site.url)) as store:
        erase(store, number)
    run(site, rebuild)
    with closing(CaseStore(site.url)) as store:
        assert store.find(number).newest is None
        assert store.find("8613900000001").newest is not None
    assert told(run(site, check)) == {}


def test_a_withdrawn_word_stays_withdrawn(site: Site) -> None:
    settings_of(site)
    with closing(CaseStore(site.url)) as store, store.index.begin() as connection:
        connection.execute(update(words).values(withdrawn_ms=START_MS))
    assert told(run(site, check)) == {}
    run(site, rebuild)
    with closing(CaseStore(site.url)) as store, store.index.connect() as connection:
        assert connection.scalars(select(words.c.withdrawn_ms)).all() == [START_MS]
        assert connection.scalar(select(meta.c.value).where(meta.c.key == "format"))
        assert connection.execute(select(changes)).first() is not None
