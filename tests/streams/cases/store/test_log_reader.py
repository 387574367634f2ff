"""The reader of the desk's topics on a real broker: what it brings, and how far it says it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import KafkaError, Producer
from kafka import KafkaProducer, TopicPartition
from kafka.errors import TopicAuthorizationFailedError

from streams.cases.store import log_reader
from streams.cases.store.log_reader import LogReader
from streams.cluster.admin import Cluster
from streams.common.errors import ConfigError
from streams.config import Kafka
from tests.nodes import Broker
from tests.waiting import END_S, wait_until


class Reads:
    """What a reader brought of one partition."""

    def __init__(self, reader: LogReader, records_max: int = 100) -> None:
        self.reader = reader
        self.most = records_max
        self.values: list[bytes | None] = []
        self.end = -1

    def until_end(self) -> int:
        """Read on until nothing is left, and return where that is."""
        self.end = -1
        wait_until(self._polled, "the partition is read to its end")
        return self.end

    def _polled(self) -> bool:
        polled = self.reader.poll(self.most)
        for records in polled.records.values():
            self.values += [each.value() for each in records]
        for self.end in polled.ends.values():
            pass
        return self.end >= 0


@pytest.fixture
def place(broker: Broker, unique: str) -> TopicPartition:
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(unique, 1, 1, {})
    return TopicPartition(unique, 0)


@pytest.fixture
def reader(broker: Broker) -> Iterator[LogReader]:
    with closing(LogReader(Kafka(bootstrap=broker.bootstrap))) as made:
        yield made


def written(broker: Broker, place: TopicPartition, *values: bytes) -> None:
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        for each in values:
            producer.send(place.topic, each)
        producer.flush()


@pytest.mark.broker
@pytest.mark.parametrize("most", [1, 2, 100])
def test_records_come_in_order_from_where_it_is_told(
    broker: Broker, reader: LogReader, place: TopicPartition, most: int
) -> None:
    written(broker, place, b"0", b"1", b"2", b"3", b"4")
    reads = Reads(reader, most)
    reader.start({place: 2})
    assert (reads.until_end(), reads.values) == (5, [b"2", b"3", b"4"])
    written(broker, place, b"5")
    assert (reads.until_end(), reads.values) == (6, [b"2", b"3", b"4", b"5"])
    assert reader.ends([place]) == {place: 6}


@pytest.mark.broker
def test_the_end_lies_behind_what_transactions_leave(
    broker: Broker, reader: LogReader, place: TopicPartition
) -> None:
    writer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": place.topic})
    writer.init_transactions(END_S)
    for keep, value in ((True, b"kept"), (False, b"given up")):
        writer.begin_transaction()
        writer.produce(place.topic, value, partition=0)
        assert writer.flush(END_S) == 0  # else an abort takes back what was not sent
        (writer.commit_transaction if keep else writer.abort_transaction)(END_S)
    wait_until(lambda: reader.ends([place]) == {place: 4}, "both marks are on the log")
    reads = Reads(reader)
    reader.start({place: None})
    assert (reads.until_end(), reads.values) == (4, [b"kept"])
    writer.begin_transaction()  # left open: nothing behind it is decided
    writer.produce(place.topic, b"open", partition=0)
    assert writer.flush(END_S) == 0
    written(broker, place, b"behind it")
    assert reader.ends([place]) == {place: 4}
    assert reader.poll(10) == ({}, {})
    writer.commit_transaction(END_S)
    wait_until(lambda: reads.until_end() == 7, "the rest is decided")
    assert reads.values == [b"kept", b"open", b"behind it"]


@pytest.mark.broker
def test_where_retention_overtook_it_goes_on_with_what_there_is(
    broker: Broker, reader: LogReader, place: TopicPartition
) -> None:
    written(broker, place, b"0", b"1")
    reader.start({place: 99})
    reads = Reads(reader)
    assert (reads.until_end(), reads.values) == (2, [b"0", b"1"])


@pytest.mark.broker
def test_a_topic_that_is_not_there_is_named(reader: LogReader, place: TopicPartition) -> None:
    assert reader.partitions([place.topic]) == [place]
    with pytest.raises(ConfigError, match="nowhere"):
        reader.partitions([place.topic, "nowhere"])


def test_only_what_lasts_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    """Errors of brokers by their numbers; the group is one that nobody joins."""
    log_reader._refuse(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
    assert caplog.text == ""
    log_reader._refuse(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    log_reader._refuse(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    assert caplog.text.count("librdkafka: ") == 2
    with pytest.raises(TopicAuthorizationFailedError):
        log_reader._refuse(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
