"""The indexer on a real broker: what is on the topics is in the store once, whoever dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka.errors import KafkaConnectionError
from sqlalchemy import select

from streams.cases.store.index_tables import acks, places
from streams.cases.store.index_writer import SOURCES
from streams.cases.store.indexer import Indexer, sources
from streams.cases.store.store import CaseStore
from streams.common.clock import now_ms
from streams.common.errors import ConfigError, UnavailableError
from streams.config import Settings
from streams.wire import encode_ack, encode_action, encode_episode
from tests.builders.streams.cases.store.indexer import Site, rows, story
from tests.builders.streams.cluster.read import remade
from tests.nodes import Broker
from tests.streams.cases.store.filled import (
    acked,
    audited,
    flood,
    opened,
)
from tests.threads import meanwhile
from tests.waiting import END_S, wait_until

ROOT = Path(__file__).parents[4]


@pytest.fixture
def site(broker: Broker, unique: str, tmp_path: Path) -> Iterator[Site]:
    made = Site(broker, unique, tmp_path)
    with closing(made.producer):
        yield made


def test_sources_name_every_topic_that_the_desk_reads() -> None:
    topics = Settings().topics
    assert set(sources(topics)) == {getattr(topics, each) for each in SOURCES}


@pytest.mark.broker
def test_what_is_on_the_topics_is_found_and_how_fresh_it_is(site: Site, tmp_path: Path) -> None:
    store = CaseStore(site.url)
    heard: list[tuple[int, int]] = []
    site.write(*story(0, 3), *audited({}, {}))
    site.producer.send(site.names["acks"], b"no acknowledgement").get()
    before_ms = now_ms()
    indexer = site.indexer(store, written=lambda *said: heard.append(said))
    indexer.catch_up()
    assert (sum(n for n, _ in heard), sum(bad for _, bad in heard)) == (18, 1)
    found = store.find("8613900000002")
    assert found.newest is not None
    assert found.newest.line.refused == 3
    assert len(store.audit()) == 2
    assert found.freshness.read_ms >= before_ms
    assert indexer.behind == 0
    whole = rows(store)
    site.indexer(store).catch_up()
    assert rows(store) == whole
    store.close()


@pytest.mark.broker
def test_what_a_transaction_gave_up_is_not_there_and_its_marks_are_nothing_unread(
    site: Site,
) -> None:
    """Workers write in transactions: the last thing on a partition is a mark, not a record."""
    store = CaseStore(site.url)
    writer = Producer({"bootstrap.servers": site.settings.kafka.bootstrap,
                       "transactional.id": site.settings.app_id})  # fmt: skip
    writer.init_transactions(END_S)
    for n, kept in enumerate((True, False, True, False)):
        key = f"86139{n:08d}"
        record, lease = flood(n, recipient=key)
        writer.begin_transaction()
        writer.produce(site.names["episode"], encode_episode(record), key, 0)
        writer.produce(site.names["throttle"], encode_action(lease), key, 0)
        assert writer.flush(END_S) == 0  # else an abort takes back what was not sent
        (writer.commit_transaction if kept else writer.abort_transaction)(END_S)
    indexer = site.indexer(store)
    indexer.catch_up()
    assert indexer.behind == 0
    assert [store.find(f"86139{n:08d}").newest is not None for n in range(4)] == [
        True, False, True, False,
    ]  # fmt: skip
    writer.begin_transaction()  # and stays open: what came before it is in
    writer.produce(site.names["episode"], encode_episode(record), key, 0)
    assert writer.flush(END_S) == 0
    before_ms = now_ms()
    site.indexer(store).catch_up()
    assert store.freshness().read_ms >= before_ms
    writer.abort_transaction(END_S)
    store.close()


@pytest.mark.broker
def test_it_goes_on_from_where_the_store_says_it_is(site: Site) -> None:
    store = CaseStore(site.url)
    site.write(*story(0, 2))
    site.indexer(store).catch_up()
    heard: list[int] = []
    with meanwhile(site.indexer(store, written=lambda n, _: heard.append(n)).run):
        site.write(*story(2, 1))
        wait_until(lambda: sum(heard) >= 5, "the new records are in")
    assert sum(heard) == 5, "what was in the store was not read again"
    assert len(store.all(ended=False)) == 3
    store.close()


@pytest.mark.broker
@pytest.mark.faults
def test_killed_again_and_again_it_loses_and_doubles_nothing(site: Site, tmp_path: Path) -> None:
    """SIGKILL as soon as each process has written something; the last one reads to the end."""
    (tmp_path / "whole").mkdir()
    whole = opened(tmp_path / "whole")
    store = CaseStore(site.url)

    def done() -> int:
        with store.index.connect() as connection:
            return sum(connection.scalars(select(places.c.next_offset)))

    # Of now, as the desk deletes its audit after a year.
    site.write(*audited(*({"at_ms": now_ms() + n} for n in range(20))))
    for n in range(4):
        site.write(*story(15 * n, 15))
        site.indexer(whole).catch_up()
        before = done()
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", "desk", "index", "--config", str(site.config)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
        )
        end = time.monotonic() + END_S
        while done() == before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        assert done() > before
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it ended by itself"
    site.indexer(store).catch_up()
    assert rows(store) == rows(whole)
    store.close()


@pytest.mark.broker
def test_a_second_indexer_ends_with_a_sentence(site: Site) -> None:
    store = CaseStore(site.url)
    site.write(*story(0, 1))
    site.indexer(store).catch_up()
    first = site.indexer(store)
    taken: list[int] = []

    def meddle(n: int, _: int) -> None:
        taken.append(n)
        if len(taken) == 1:
            site.indexer(store).catch_up()  # reads, from the same places, what the other has not

    site.write(*story(1, 6))
    first._written = meddle
    with pytest.raises(UnavailableError, match="another indexer"):
        first.catch_up()
    store.close()


@pytest.mark.broker
def test_a_topic_that_is_missing_is_named(site: Site) -> None:
    store = CaseStore(site.url)
    topics = site.settings.topics.model_copy(update={"audit": "nowhere"})
    indexer = Indexer(store, site.settings.kafka, topics, batch_records_max=7, clock=now_ms)
    with pytest.raises(ConfigError, match="nowhere"):
        indexer.catch_up()
    store.close()


@pytest.mark.kafka
@pytest.mark.parametrize("reads_on", [True, False])
def test_a_topic_that_was_recreated_longer_than_before_is_read_whole(
    site: Site, kafka: Broker, caplog: pytest.LogCaptureFixture, reads_on: bool
) -> None:
    """No offset shows it: the new topic has a record wherever the indexer goes on."""
    store = CaseStore(site.url)
    leases = [flood(n, recipient=f"86139{n:08d}")[1] for n in range(12)]
    values = [encode_ack(acked(each)) for each in leases]

    def known(count: int) -> bool:
        with store.index.connect() as connection:
            return count == len(list(connection.execute(select(acks.c.action_id))))

    for value in values[:4]:
        site.producer.send(site.names["acks"], value)
    site.producer.flush()
    indexer = site.indexer(store)
    with meanwhile(indexer.run) if reads_on else nullcontext():
        if not reads_on:
            indexer.catch_up()
        wait_until(lambda: known(4), "the first are in the index")
        remade({"bootstrap_servers": [kafka.bootstrap]}, site.names["acks"], *values[4:])
        if not reads_on:
            site.indexer(store).catch_up()
        wait_until(lambda: known(12), "all of the new topic are, too")
    # A reader that asks before the fifth record of the new topic is told by its offset instead.
    assert reads_on or "created again" in caplog.text
    store.close()


@pytest.mark.broker
def test_a_broker_that_goes_away_is_waited_for_and_the_age_shows(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = CaseStore(site.url)
    indexer, stop, beats = site.indexer(store), threading.Event(), 0

    def away(*_: object) -> None:
        raise KafkaConnectionError

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 1:
            monkeypatch.setattr("kafka.KafkaConsumer.end_offsets", away)
        elif beats == 2:
            stop.set()

    indexer.run(stop, beat)
    assert "does not say how far" in caplog.text
    with pytest.raises(UnavailableError):
        site.indexer(store).catch_up()
    store.close()
