"""Copies a carrier's existing topic to `sms.delivery.v1`, keyed by recipient.

The source may have any key or none, JSON or Avro, and any field names. Source offsets are committed
after the target has acknowledged all records before them: at least once. A record that is too large
for the target would fail again at each new start. Therefore it is counted as unreadable, logged by
its position, and skipped. While the brokers receive one batch, the next batch is read and
converted. The client is librdkafka. With aiokafka an event cost 12 us of CPU time, but 100,000
events per second allow 10 us.
"""

import io
import json
import logging
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from streams.common import ConfigError, OtpguardError, UnavailableError, UsageError, tr
from streams.gateways.feeds.mapping import FieldMap, UnmappableError
from streams.gateways.feeds.record_keys import canonical_keys, decode_recipient
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers, reserved_type

POLL_S: Final = 0.2
POLL_RECORDS: Final = 20_000
FLUSH_S: Final = 60.0
CONFLUENT_MAGIC: Final = 0  # First byte of Confluent's header; four bytes of schema id follow.
UNKNOWN_MAX: Final = 100  # Maximum number of unknown schema ids that are logged.
_HEAD: Final = struct.Struct(">bI")

log = logging.getLogger(__name__)

Row = Mapping[str, Any]


_encode: Final = msgspec.json.Encoder().encode
json_reader: Final[Callable[[bytes], Row]] = msgspec.json.Decoder(dict[str, Any]).decode


def schema_files(words: Sequence[str]) -> dict[str, Path]:
    """Parse schema files by schema id: `ID=FILE`, or `FILE` (key "") for values without an id.

    >>> schema_files(["7=cdr.avsc", "old.avsc"])
    {'7': PosixPath('cdr.avsc'), '': PosixPath('old.avsc')}
    """
    files: dict[str, Path] = {}
    for word in words:
        number, equals, name = word.partition("=")
        key, path = (number, name) if equals and number.isdecimal() else ("", word)
        if key in files:
            raise UsageError(
                tr("two Avro schemas for {what}").format(what=key or tr("values without an id"))
            )
        files[key] = Path(path)
    return files


def avro_reader(files: Mapping[str, Path]) -> Callable[[bytes], Row]:
    """Return a function that decodes Avro values, each with the schema named in its header.

    `files` are the writers' schemas by schema id. Confluent's header is a zero byte and the id in
    four bytes. The key "" is for values without a header. No schema registry is asked. An id
    without a file is not guessed: it raises UnmappableError, and is logged when it first appears.
    """
    import fastavro  # noqa: PLC0415 - an extra

    schemas: dict[int | None, Any] = {}
    for number, file in files.items():
        try:
            schema = fastavro.parse_schema(json.loads(file.read_text("utf-8-sig")))
        except (
            OSError, ValueError, RecursionError, fastavro.schema.SchemaParseException
        ) as error:  # fmt: skip
            raise UsageError(f"{file}: {error}") from None
        schemas[int(number) if number else None] = schema
        log.info("Avro values %s are read by %s", f"of schema id {number}" if number else
                 "without a schema id", file)  # fmt: skip
    return _AvroReader(schemas, fastavro.schemaless_reader)


@dataclass(eq=False)
class _AvroReader:
    """Selects the schema of each value."""

    _schemas: Mapping[int | None, Any]
    _decode: Callable[..., Any]
    _unknown: set[int] = field(init=False, default_factory=set)

    def __call__(self, value: bytes) -> Row:
        number = None
        if len(value) >= _HEAD.size and value[0] == CONFLUENT_MAGIC:
            _, number = _HEAD.unpack_from(value)
        if number is not None and number in self._schemas:
            return self._row(value, _HEAD.size, number)
        try:
            return self._row(value, 0, None)
        except Exception:
            # There is no schema for values without an id, or the bytes are foreign and raise any
            # exception. It is raised again, so the value is not lost: it is published unchanged.
            # Here only the missing schema is logged.
            self._miss(number)
            raise

    def _row(self, value: bytes, start: int, number: int | None) -> Row:
        body = io.BytesIO(value)
        body.seek(start)
        row = self._decode(body, self._schemas[number], None)
        if not isinstance(row, dict) or body.tell() != len(value):
            raise UnmappableError(tr("no Avro record of this schema"))
        return row

    def _miss(self, number: int | None) -> None:
        """Log each unknown id once, for up to `UNKNOWN_MAX` ids."""
        if number is None or number in self._unknown or len(self._unknown) >= UNKNOWN_MAX:
            return
        self._unknown.add(number)
        log.error(
            "values name schema id %d, for which there is no file: --avro-schema %d=FILE",
            number, number,
        )  # fmt: skip


@dataclass(slots=True)
class OutgoingBatch:
    """Records of a source, with the keys and values to publish for them."""

    records: Sequence[Any]
    keys: Sequence[bytes]
    values: Sequence[bytes]
    unread: set[int]  # Indices of records that could not be read.
    # Indices of records that are too large for the target.
    refused: set[int] = field(default_factory=set)

    def count(self, metrics: Metrics) -> None:
        """Count the events that are published, and those that nobody can read or publish."""
        unreadable = len(self.unread | self.refused)
        metrics.add("feed_events_total", len(self.values) - unreadable, outcome="published")
        metrics.add("feed_events_total", unreadable, outcome="unreadable")


@dataclass(eq=False)
class Rekeyer:
    """Converts source values to target values and keys. Pure.

    Without rules, values already are `sms.delivery.v1` and are copied unchanged, byte for byte.
    """

    _numbers: Numbers
    _rules: FieldMap | None
    _read: Callable[[bytes], Row] = json_reader

    def convert(self, given: Sequence[bytes | None], records: Sequence[Any]) -> OutgoingBatch:
        """Return what to publish for n values of the source; `records` are where they come from.

        Unreadable values are published unchanged, and the worker writes a dead letter for each.
        Raises UsageError if the rules are incomplete, for example without a time zone.
        """
        values: list[bytes] = []
        written: list[str] = []
        unread: set[int] = set()
        for at, found in enumerate(given):
            value = found or b""
            # Only otpguard itself may publish lists and memory records, so the value is dropped.
            if reserved_type(value):
                value = b""
            try:
                if self._rules is None:
                    recipient = decode_recipient(value).recipient
                else:
                    row = self._rules.value(self._read(value))
                    if "message_id" not in row:
                        row["message_id"] = "-".join(map(str, _place(records[at])))
                    recipient, value = row["recipient"], _encode(row)
            except Exception as error:  # Decoders of foreign bytes can raise any exception.
                if isinstance(error, (MemoryError, UsageError)):
                    raise
                recipient = ""
                unread.add(at)
            values.append(value)
            written.append(recipient)
        keys, _ = canonical_keys(self._numbers, written)
        return OutgoingBatch(records, keys, values, unread)


def run(
    clients: Mapping[str, Any],
    source: str,
    target: str,
    group: str,
    rekeyer: Rekeyer,
    metrics: Metrics,
    stop: threading.Event,
    *,
    until_end: bool = False,
) -> int:
    """Copy records until `stop` is set, or with `until_end` up to the end of the source.

    Returns the number of published records. Raises UnavailableError if only a restart helps; a
    restart loses nothing. Raises ConfigError if a topic or right is missing, and UsageError if the
    rules do not define how to read the records.
    """
    consumer = Consumer(
        {
            **clients,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    batches = BatchPublisher(clients, target)
    total, ended = 0, set[int]()
    try:
        consumer.subscribe([source], on_assign=lambda *_: ended.clear())
        while not stop.is_set():
            records = []
            for record in consumer.consume(POLL_RECORDS, POLL_S):
                error = record.error()
                if error is None:
                    records.append(record)
                    ended.discard(record.partition())
                elif _is_end(error):
                    ended.add(record.partition())
            batch = rekeyer.convert([record.value() for record in records], records)
            total += _settle(consumer, batches, metrics)
            if records:
                batches.publish(batch)
            elif until_end and ended and len(ended) == len(consumer.assignment()):
                break
        total += _settle(consumer, batches, metrics)
    except KafkaException as error:
        raise to_error(error, source, target) from None
    finally:
        consumer.close()
    return total


def to_error(error: KafkaException, source: str, target: str) -> OtpguardError:
    """Return the error to raise: ConfigError if no restart helps, else UnavailableError."""
    name = error.args[0].name()
    if error.args[0].code() in _LASTING:
        return ConfigError(
            tr("cannot re-key {source} into {target}: {name}").format(
                source=source, target=target, name=name
            )
        )
    return UnavailableError(tr("cannot re-key {source}: {name}").format(source=source, name=name))


class BatchPublisher:
    """Publishes one batch at a time to the target, in the order of its records.

    If the target refuses a record as too large, the records sent together with it are sent again.
    """

    def __init__(self, clients: Mapping[str, Any], topic: str) -> None:
        self.topic = topic
        self._failed: list[KafkaError] = []
        # Values refused as too large; some only shared a request with one that was.
        self._too_large: set[bytes] = set()
        self._batch: OutgoingBatch | None = None
        self._producer = Producer(
            {
                **clients,
                "acks": "all",
                "enable.idempotence": True,  # A retry neither duplicates nor reorders records.
                "linger.ms": 5,
                "queue.buffering.max.messages": 10 * POLL_RECORDS,
                # The partitioner of all Java clients, so that all producers agree.
                "partitioner": "murmur2_random",
                "delivery.report.only.error": True,
                "on_delivery": self._on_delivery,
            }
        )

    def publish(self, batch: OutgoingBatch) -> None:
        """Send a batch; the batch before it must be settled."""
        self._batch = batch
        self._send(batch, range(len(batch.records)))

    def settle(self) -> OutgoingBatch | None:
        """Wait until the target has all that it can accept of the batch, and return the batch.

        Returns None if no batch is pending. Raises KafkaException or UnavailableError if the target
        does not accept the batch.
        """
        batch, self._batch = self._batch, None
        if batch is None:
            return None
        halves: list[Sequence[int]] = [self._flush(batch, range(len(batch.records)))]
        # librdkafka fails a request as a whole, so the failed records are sent again in halves.
        while halves:
            part = halves.pop()
            if not part:
                continue
            self._send(batch, part)
            failed = self._flush(batch, part)
            if len(part) == 1:
                batch.refused.update(failed)
            else:
                middle = (len(failed) + 1) // 2
                halves += [failed[middle:], failed[:middle]]
        return batch

    def _send(self, batch: OutgoingBatch, part: Sequence[int]) -> None:
        produce, topic, keys, values = self._producer.produce, self.topic, batch.keys, batch.values
        for at in part:
            try:
                produce(topic, values[at], keys[at])
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
                batch.refused.add(at)

    def _flush(self, batch: OutgoingBatch, part: Sequence[int]) -> list[int]:
        """Wait for the acknowledgements, and return the indices of refused records.

        A record is refused as too large, or because it shared a request with one that was.
        """
        waiting = self._producer.flush(FLUSH_S)
        if self._failed:
            raise KafkaException(self._failed[0])
        if waiting:
            raise UnavailableError(
                tr("{topic} took no record for {flush_s:g} s").format(
                    topic=self.topic, flush_s=FLUSH_S
                )
            )
        if not self._too_large:
            return []
        values, self._too_large = self._too_large, set()
        return [at for at in part if batch.values[at] in values]

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            return
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            self._too_large.add(message.value())
        else:
            self._failed.append(error)


def _settle(consumer: Consumer, batches: BatchPublisher, metrics: Metrics) -> int:
    """Wait for a batch, count it, and commit the source offsets after it.

    Returns how many records were published.
    """
    batch = batches.settle()
    if batch is None:
        return 0
    for at in sorted(batch.refused):
        place = "/".join(map(str, _place(batch.records[at])))
        log.error("the record %s is too large for %s: passed over", place, batches.topic)
    batch.count(metrics)
    _commit(consumer, batch.records)
    return len(batch.records) - len(batch.refused)


def _place(record: Message) -> tuple[str, int, int]:
    return record.topic(), record.partition(), record.offset()


def _commit(consumer: Consumer, records: Sequence[Message]) -> None:
    """Commit the source offset after the last record of each partition.

    Offsets are committed only for partitions that this consumer still owns. The new owner of any
    other partition begins at the last commit.
    """
    ours = {(each.topic, each.partition) for each in consumer.assignment()}
    last = {(record.topic(), record.partition()): record.offset() for record in records}
    mine = [TopicPartition(*place, offset + 1) for place, offset in last.items() if place in ours]
    try:
        if mine:
            consumer.commit(offsets=mine, asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() not in _MOVING:
            raise


def _is_end(error: KafkaError) -> bool:
    """Return true at the end of a partition; raise errors that librdkafka cannot recover from."""
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
        return True
    if error.retriable() or error.code() in _PASSING:
        return False
    raise KafkaException(error)


_PASSING: Final = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT}  # noqa: SLF001
_LASTING: Final = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}
"""Errors that a retry cannot solve: a missing topic or a missing right."""

_MOVING: Final = {
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
}
"""Errors during a rebalance. The new owner of a partition reads its uncommitted records again."""
