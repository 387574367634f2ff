"""The indexer reads the topics that the desk needs and writes their records into the store.

The indexer does not use a consumer group. Its offsets are stored in the database, in the same
transaction as the rows. So a crash at any time neither loses nor duplicates a record.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

from kafka import TopicPartition
from kafka.errors import KafkaError
from sqlalchemy import select

from streams.cases.store.engine import writing
from streams.cases.store.index_tables import meta, places
from streams.cases.store.index_writer import SOURCES, LogRecord, PlaceRead, Source, Writer
from streams.cases.store.log_reader import LogReader, Polled, log_record
from streams.cases.store.people_tables import erased
from streams.cases.store.removal import forget
from streams.cases.store.store import CaseStore
from streams.cluster.admin import working
from streams.cluster.lag import events_behind
from streams.common import now_ms, tr
from streams.config import Kafka, Settings, Topics
from streams.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

BEAT_S: Final = 1.0
"""Interval in seconds between two reads of the topics' end offsets. They give the age of the index
that the desk shows."""


def sources(topics: Topics) -> dict[str, Source]:
    """Return the kind of records by topic name."""
    return {getattr(topics, setting): source for setting, source in SOURCES.items()}


class Indexer:
    """Copies records from the topics to the store. Only one may run per store.

    Threads must not share it.
    """

    def __init__(
        self,
        store: CaseStore,
        kafka: Kafka,
        topics: Topics,
        *,
        batch_records_max: int,
        clock: Callable[[], int],
        written: Callable[[int, int], None] = lambda _records, _unreadable: None,
    ) -> None:
        """Create an indexer. It connects in `run` or `catch_up`.

        `count_written` is called after each batch with two counts: records, and unreadable records.
        """
        self._store = store
        self._kafka = kafka
        self._sources = sources(topics)
        self._most = batch_records_max
        self._clock = clock
        self._written = written
        self._at: dict[TopicPartition, PlaceRead] = {}
        self._ids: dict[str, str] = {}  # of the topics
        self._caught_up = False
        self._until: Mapping[tuple[str, int], int] | None = None
        self._patient = False  # True: wait for a broker that does not answer
        self.behind = 0  # records on the topics that are not read yet
        self.read_ms = 0  # all records up to this time are in the store

    def run(self, stop: threading.Event, each_beat: Callable[[], None] = lambda: None) -> None:
        """Read the topics until `stop` is set. Call `each_beat` about once a second.

        If a broker becomes unreachable later, the indexer waits for it. Raise ConfigError if a
        topic does not exist. Raise UnavailableError if no broker answers at the start, the database
        does not answer, or another indexer writes to the store. A supervisor then restarts it.
        """
        self._patient = True
        self._drive(stop.is_set, each_beat)

    def catch_up(self, until: Mapping[tuple[str, int], int] | None = None) -> None:
        """Read all records that are on the topics now, then return.

        `until` maps topic and partition to an offset. Only records before this offset are written,
        and none of a partition that is missing in `until`.
        """
        self._until = until
        self._drive(lambda: self._caught_up, lambda: None)

    def _drive(self, ended: Callable[[], bool], each_beat: Callable[[], None]) -> None:
        with (
            self._store.answering(),
            working(tr("cannot read the topics of the desk")),
            closing(LogReader(self._kafka)) as reader,
        ):
            self._start(reader)
            with self._store.people.connect() as connection:
                gone = list(connection.scalars(select(erased.c.identity)))
            writer = Writer(self._store.index, gone)
            beaten = 0.0
            while not ended():
                polled = reader.poll(self._most)
                self._take(writer, polled)
                if time.monotonic() - beaten >= BEAT_S or not (polled.records or self._caught_up):
                    self._beat(reader, writer)
                    beaten = time.monotonic()
                    each_beat()

    def _start(self, reader: LogReader) -> None:
        """Begin to read at the stored offsets.

        A topic with another id than stored was deleted and created again, or belongs to another
        cluster. Its stored offsets are deleted, and it is read from its beginning.
        """
        found = reader.partitions(self._sources)
        self._ids = reader.ids(self._sources)
        with writing(self._store.index).begin() as connection:
            before = {row.key: row.value for row in connection.execute(select(meta))}
            for topic, made in self._ids.items():
                if before.get(topic, made) != made:
                    log.warning("%s was created again: reading it whole", topic)
                    connection.execute(places.delete().where(places.c.topic == topic))
                connection.execute(meta.delete().where(meta.c.key == topic))
                connection.execute(meta.insert().values(key=topic, value=made))
            known = {
                TopicPartition(row.topic, row.partition): PlaceRead(
                    row.topic, row.partition, row.next_offset, row.next_offset, row.end_offset,
                    row.record_ms, row.read_ms,
                )
                for row in connection.execute(select(places))
            }  # fmt: skip
        self._at = {place: known.get(place, PlaceRead(*place)) for place in found}
        reader.start({place: at.next_offset for place, at in self._at.items()})

    def _take(self, writer: Writer, polled: Polled) -> None:
        """Write the polled records and the new offsets in one transaction."""
        batch: list[LogRecord] = []
        moved: list[PlaceRead] = []
        for place, records in polled.records.items():
            until = None if self._until is None else self._until.get(place, 0)
            told = [log_record(self._sources[place.topic], record) for record in records]
            batch += [each for each in told if until is None or each.offset < until]
            at = self._at[place]
            at.next_offset = told[-1].offset + 1
            at.end_offset = max(at.end_offset, at.next_offset)
            at.record_ms = max(at.record_ms, told[-1].written_ms)
            moved.append(at)
        for place, position in polled.ends.items():
            self._at[place].next_offset = position
        if moved:
            self._written(len(batch), writer.take(batch, moved))

    def _beat(self, reader: LogReader, writer: Writer) -> None:
        """Read the end offsets, and store which partitions are read to the end at this time.

        If a topic was deleted and created again, or has more partitions, reading begins again.
        """
        now_ms = self._clock()
        if reader.ids(self._sources).items() - self._ids.items() or reader.has_grown():
            self._start(reader)
        try:
            ends = reader.ends(list(self._at))
        except KafkaError as error:
            if not self._patient:
                raise
            # The client retries by itself. Meanwhile the desk shows that the index gets older.
            log.warning("the broker does not say how far the topics go: %s", type(error).__name__)
            return
        for place, at in self._at.items():
            at.end_offset = ends[place]
            if at.next_offset is not None and at.next_offset >= at.end_offset:
                at.read_ms = max(at.read_ms, now_ms)
        writer.take((), [at for at in self._at.values() if at.next_offset is not None])
        self.behind = sum(max(0, a.end_offset - (a.before or 0)) for a in self._at.values())
        self.read_ms = min(at.read_ms for at in self._at.values())
        self._caught_up = self._caught_up or self.read_ms >= now_ms


def indexer_of(settings: Settings, store: CaseStore, metrics: Metrics) -> Indexer:
    """Return an indexer with these settings that publishes its metrics."""

    def count_written(records: int, unreadable: int) -> None:
        metrics.add("index_records_total", records)
        metrics.add("index_unreadable_total", unreadable)

    made = Indexer(
        store,
        settings.kafka,
        settings.topics,
        batch_records_max=settings.desk.batch_records_max,
        clock=now_ms,
        written=count_written,
    )
    metrics.follow("index_records_behind", lambda: float(made.behind))
    return made


FORGET_S: Final = 3_600.0  # Interval in seconds between two deletions of old rows.

BEHIND_S: Final = 15.0  # Interval in seconds between two measurements of the workers' backlog.


class Chores:
    """Runs the periodic tasks when they are due."""

    def __init__(self, settings: Settings, store: CaseStore) -> None:
        self._settings = settings
        self._store = store
        self._forgot = self._looked = float("-inf")

    def __call__(self) -> None:
        """Run the tasks that are due. The indexer calls this about once a second."""
        now = time.monotonic()
        if now - self._looked >= BEHIND_S:
            self._looked = now
            self._store.note_behind(events_behind(self._settings, now_ms()))
        if now - self._forgot >= FORGET_S:
            self._forgot = now
            rows = forget(self._store, self._settings.desk, now_ms())
            if rows:
                log.info("deleted what is old: %s", dict(rows))
