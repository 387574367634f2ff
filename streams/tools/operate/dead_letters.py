"""Dead letters: lists refused records with the reasons, and replays them to the input.

A replay appends a *mark* to the letter's own partition of the dead-letter topic. The mark holds the
position and time of the replayed event in the input, and lasts as long as the letter. Marks are
written after their events, so a crash in between repeats at most `BATCH` events. Each has its
original bytes, and the detector counts a platform once a day per recipient. If the target of a mark
is the source of a letter, that letter is a replay that was refused again. It is only replayed if
the operator asks for it.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from kafka import KafkaProducer
from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
)

from detectors.model.times import HOUR_MS
from streams.cluster.admin import unusable, working
from streams.cluster.read import reading
from streams.common import UsageError, clock, tr
from streams.wire import Intake, decode, reserved_type
from streams.wire.partitioner import partition_of

BATCH: Final = 200
"""Number of letters whose events may be in the input without a mark: 0.2 s at the default rate."""
LETTERS_MAX: Final = 1_000_000
"""Maximum number of letters per search, at 600 bytes each. Longer time spans are searched in parts
(--since, --until)."""
SAID_AGAIN_MS: Final = HOUR_MS
"""A restarted worker writes letters again that may already have marks. This happens within a
checkpoint cycle and an outage. Reading starts this much earlier than asked, to include the marks.
"""
MARK: Final = b"replayed/"
REFUSED: Final = (MessageSizeTooLargeError, InvalidRecordError, InvalidTimestampError)
"""Errors of one event, which Kafka does not take now or later. Other events are not affected."""
ACKNOWLEDGED_S: Final = 30.0

Tell = Callable[[int], None]  # Called with the number of records read or sent since the last call.


class RecordPosition(NamedTuple):
    """The position of a Kafka record."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @staticmethod
    def parse(written: str) -> RecordPosition:
        """Parse topic/partition/offset. Raise ValueError if the text has another form."""
        topic, partition, offset = written.rsplit("/", 2)
        return RecordPosition(topic, int(partition), int(offset))


class LetterStatus(StrEnum):
    """Outcome of a dead letter: the values that `otpguard dlq ls` shows."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    REFUSED_AGAIN = "refused again"  # It is a replay that was refused, and was not replayed itself.


class Letter(NamedTuple):
    """A dead letter without its bytes."""

    partition: int  # Partition in the dead-letter topic.
    offset: int
    written_ms: int
    reason: str
    source: RecordPosition
    time_ms: int  # Time of the refused record; -1: it had none.
    bytes: int  # Size of the value in the dead-letter topic.
    whole: bool  # The value was not truncated, and there is something to replay.
    fate: LetterStatus = LetterStatus.WAITING

    @property
    def position(self) -> str:
        """Partition and offset, as people write them."""
        return f"{self.partition}:{self.offset}"

    @property
    def identity(self) -> tuple[RecordPosition, int]:
        """Position and time (ms) of the refused record.

        A restarted worker may write a second letter for the same record. Both have this identity.
        """
        return self.source, self.time_ms


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on letters. Times: milliseconds UTC at which a letter was written."""

    reasons: frozenset[str] = frozenset()  # Empty: all.
    since_ms: int | None = None
    until_ms: int | None = None
    partition: int | None = None  # Partition of the source.

    def admits(self, letter: Letter) -> bool:
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (self.since_ms is None or letter.written_ms >= self.since_ms)
            and (self.until_ms is None or letter.written_ms < self.until_ms)
            and (self.partition is None or letter.source.partition == self.partition)
        )


@dataclass(frozen=True, slots=True)
class FoundLetters:
    """Letters in the order in which they were written, without repeats, and counts of the rest."""

    letters: list[Letter]
    repeats: int  # Letters written again by workers that repeated their last events after a crash.
    foreign: int  # Records that are neither letters nor marks.

    def counts(self) -> dict[str, Counter[LetterStatus]]:
        """Count the letters: reason -> status -> letters."""
        counts: dict[str, Counter[LetterStatus]] = {}
        for letter in self.letters:
            counts.setdefault(letter.reason, Counter())[letter.fate] += 1
        return dict(sorted(counts.items()))


@dataclass(slots=True)
class LetterReplay:
    """The result of a replay; for a dry run, the result that a replay would have."""

    published: int = 0
    refused_still: Counter[str] = field(default_factory=Counter)  # By reason of today's refusal.
    replayed_before: int = 0
    refused_again: int = 0  # Left out because they are replays themselves.
    not_whole: int = 0


def find(
    clients: Mapping[str, Any], topic: str, wanted: Filter, tell: Tell = lambda _: None
) -> FoundLetters:
    """Return the letters that the filter admits, up to the present end of the topic.

    `tell` is called for each record read. Raise ConfigError if the topic does not exist or must not
    be read, UnavailableError if the broker fails, UsageError for more than LETTERS_MAX letters.
    """
    letters: dict[tuple[RecordPosition, int], Letter] = {}
    marks = _Marks()
    repeats = foreign = 0
    with reading(clients, topic) as reader:
        since_ms = None if wanted.since_ms is None else wanted.since_ms - SAID_AGAIN_MS
        for record in reader.records(reader.spans(since_ms)):
            tell(1)
            if marks.take(record):
                continue
            if (letter := _letter(record)) is None:
                foreign += 1
            elif wanted.admits(letter):
                repeats += letter.identity in letters
                letters.setdefault(letter.identity, letter)
            if max(len(letters), len(marks.done)) > LETTERS_MAX:
                raise UsageError(
                    tr(
                        "over {letters_max:,} dead letters match: narrow the selection with "
                        "--since and --until, --reason or --partition"
                    ).format(letters_max=LETTERS_MAX)
                )
    told = [
        letter._replace(fate=marks.fate(letter))
        for letter in sorted(letters.values(), key=lambda one: (one.written_ms, one.source))
    ]
    return FoundLetters(told, repeats, foreign)


def show(
    clients: Mapping[str, Any], topic: str, position: str
) -> tuple[Letter, Any, RecordPosition | None]:
    """Return a letter, its record with the original bytes, and its replay position or None.

    Raise UsageError if there is no letter at the position, and otherwise what `find` raises.
    """
    partition, _, offset = position.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise UsageError(
            tr("{position!r} is no position; `otpguard dlq ls` shows them, such as 3:17").format(
                position=position
            )
        )
    with reading(clients, topic) as reader:
        begin, end = reader.spans().get(int(partition), (0, 0))
        if not begin <= int(offset) < end:
            told = tr("no dead letter at {position}: there are none in that partition")
            if end > begin:
                told = tr(
                    "no dead letter at {position}; partition {partition} of {topic} holds {begin} "
                    "to {last}"
                )
            raise UsageError(
                told.format(
                    position=position, partition=partition, topic=topic, begin=begin, last=end - 1
                )
            )
        record = next(reader.records({int(partition): (int(offset), end)}), None)
        letter = _letter(record) if record is not None and record.offset == int(offset) else None
        if letter is None:
            raise UsageError(
                tr("the record at {position} is no dead letter").format(position=position)
            )
        # A mark follows the record it refers to, and the letter may be written again after the
        # mark.
        since_ms = min(letter.written_ms, letter.time_ms) - SAID_AGAIN_MS
        marks = _Marks()
        for each in reader.records(reader.spans(since_ms if since_ms >= 0 else None)):
            marks.take(each)
    return letter._replace(fate=marks.fate(letter)), record, marks.done.get(letter.identity)


@dataclass(slots=True)
class Replayer:
    """Replays letters with their original keys and values.

    The key selects the partition, with Java's default partitioner. A producer with another
    partitioner may have put the record into a different partition than the recipient's other
    records. A letter without a key goes to the partition it came from. With `by_key` it goes to any
    partition, as is necessary after partitions were added. The record time of a replayed event is
    now; its event time is unchanged.
    """

    clients: Mapping[str, Any]
    topic: str  # The dead-letter topic.
    target: str
    intake: Intake
    per_s: float = 1000.0
    by_key: bool = False
    unchecked: bool = False
    again: bool = False

    def choose(self, letters: Iterable[Letter]) -> tuple[list[Letter], LetterReplay]:
        """Return the dead letters that may be replayed, and counts of those that may not."""
        chosen, account = [], LetterReplay()
        for letter in letters:
            if letter.fate is LetterStatus.REPLAYED:
                account.replayed_before += 1
            elif not letter.whole:
                account.not_whole += 1
            elif letter.fate is LetterStatus.REFUSED_AGAIN and not self.again:
                account.refused_again += 1
            else:
                chosen.append(letter)
        return chosen, account

    def run(
        self,
        letters: Sequence[Letter],
        account: LetterReplay,
        *,
        limit: int | None = None,
        dry_run: bool = False,
        stop: Callable[[], bool] = lambda: False,
        tell: Tell = lambda _: None,
    ) -> None:
        """Replay these letters, the oldest event first, and update `account`; at most `limit`.

        `stop` is asked after each letter; a started batch is still published. Returns only after
        all published events have marks. Raise ConfigError or UnavailableError if the replay cannot
        go on. Even then, events that were acknowledged get their marks if possible. An event that
        Kafka does not take is left out, and its error is raised after the others are replayed.
        """
        with ExitStack() as stack:
            stack.enter_context(
                working(
                    tr("cannot replay {topic} to {target}").format(
                        topic=self.topic, target=self.target
                    )
                )
            )
            with reading(self.clients, self.target) as reader:
                partitions = len(reader.partitions)
            producer = None
            if not dry_run:
                producer = stack.enter_context(closing(self._producer()))
            size = max(1, min(BATCH, int(self.per_s / 4)))
            began, sent = time.monotonic(), 0
            batch: list[tuple[Letter, Any]] = []
            refused: KafkaError | None = None
            for letter, record in self._records(letters, stack):
                tell(1)
                if (refusal := self._refused_now(letter, record)) is not None:
                    account.refused_still[refusal] += 1
                    continue
                batch.append((letter, record))
                if producer is None:
                    account.published += 1
                    batch.clear()
                elif len(batch) == size:
                    refused = self._publish(producer, batch, partitions, account) or refused
                    sent += len(batch)
                    batch = []
                    time.sleep(max(0.0, sent / self.per_s - (time.monotonic() - began)))
                if stop() or account.published + len(batch) == limit:
                    break
            if producer is not None and batch:
                refused = self._publish(producer, batch, partitions, account) or refused
            if refused is not None:
                raise refused

    def _producer(self) -> KafkaProducer:
        return KafkaProducer(
            **self.clients,
            client_id="otpguard-dlq",
            acks="all",
            linger_ms=5,
            request_timeout_ms=10_000,
            delivery_timeout_ms=int(ACKNOWLEDGED_S * 1000),
            max_block_ms=int(ACKNOWLEDGED_S * 1000),
        )

    def _records(self, letters: Sequence[Letter], stack: ExitStack) -> Iterator[tuple[Letter, Any]]:
        """Read the letters' bytes from all partitions, merged by the time of the source record.

        A recipient's letters may be in several partitions. Expired letters are left out.
        """
        by_partition: dict[int, dict[int, Letter]] = {}
        for letter in letters:
            by_partition.setdefault(letter.partition, {})[letter.offset] = letter

        def read(partition: int, wanted: Mapping[int, Letter]) -> Iterator[tuple[Letter, Any]]:
            reader = stack.enter_context(reading(self.clients, self.topic))
            for record in reader.records({partition: (min(wanted), max(wanted) + 1)}):
                if (letter := wanted.get(record.offset)) is not None:
                    yield letter, record

        yield from heapq.merge(
            *(read(*each) for each in sorted(by_partition.items())),
            key=lambda pair: (pair[0].time_ms, pair[0].source),
        )

    def _refused_now(self, letter: Letter, record: Any) -> str | None:
        """Return the reason for which a worker would refuse the event now, or None.

        This program version and its settings decide.
        """
        if found := reserved_type(record.value or b""):
            # The agent publishes such lists again itself. A memory record is imported again.
            return found
        if self.unchecked:
            return None
        rejects = decode(
            self.intake, self.target, letter.source.partition,
            [record.value], [_headers(record).get("key")], [0], [clock.now_ms()], 1,
        ).rejects  # fmt: skip
        return rejects[0].reason.value if rejects else None

    def _publish(
        self,
        producer: KafkaProducer,
        batch: Sequence[tuple[Letter, Any]],
        partitions: int,
        account: LetterReplay,
    ) -> KafkaError | None:
        """Publish a batch, then the marks of the acknowledged events.

        Return the error of an event that Kafka does not accept. The other events are published all
        the same.
        """
        failed: KafkaError | None = None
        pending = []
        for letter, record in batch:
            key = _headers(record).get("key")
            source = str(RecordPosition(self.topic, letter.partition, letter.offset)).encode()
            try:
                future = producer.send(
                    self.target,
                    record.value,
                    key,
                    [("dead_letter", source)],
                    partition=self._partition(letter, key, partitions),
                )
            except REFUSED as error:
                failed = error
                continue
            pending.append((letter, future))
        marks = []
        for letter, future in pending:
            try:
                got = future.get(timeout=ACKNOWLEDGED_S + 5)
            except KafkaError as error:
                failed = failed if isinstance(error, REFUSED) and failed else error
                continue
            account.published += 1
            marks.append(self._send_mark(producer, letter, got))
        try:
            for mark in marks:
                mark.get(timeout=ACKNOWLEDGED_S + 5)
        except KafkaError as error:
            raise unusable(
                tr(
                    "up to {n} events were replayed and could not be marked as such in {topic}: "
                    "the next replay repeats them"
                ).format(n=len(marks), topic=self.topic),
                error,
            ) from None
        if failed is not None and not isinstance(failed, REFUSED):
            raise failed
        return failed

    def _send_mark(self, producer: KafkaProducer, letter: Letter, replayed: Any) -> Any:
        source = letter.source
        headers = {
            "replayed_to": RecordPosition(self.target, replayed.partition, replayed.offset),
            "replayed_time": replayed.timestamp,
            "topic": source.topic,
            "partition": source.partition,
            "offset": source.offset,
            "time": letter.time_ms,
        }
        return producer.send(
            self.topic,
            b"",
            MARK + f"{source.partition}-{source.offset}".encode(),
            [(name, str(value).encode()) for name, value in headers.items()],
            partition=letter.partition,
        )

    def _partition(self, letter: Letter, key: bytes | None, partitions: int) -> int | None:
        if key is not None:
            return partition_of(key, partitions)
        source = letter.source
        if self.by_key or source.topic != self.target or source.partition >= partitions:
            return None
        return source.partition


@dataclass(slots=True)
class _Marks:
    """The marks that were read, and the status of letters that follows from them."""

    done: dict[tuple[RecordPosition, int], RecordPosition] = field(default_factory=dict)
    targets: set[tuple[RecordPosition, int]] = field(default_factory=set)

    def take(self, record: Any) -> bool:
        """Store a mark; return false if the record is not a mark."""
        if (mark := _mark(record)) is None:
            return False
        identity, target, time_ms = mark
        self.done.setdefault(identity, target)
        self.targets.add((target, time_ms))
        return True

    def fate(self, letter: Letter) -> LetterStatus:
        """Return the status of a letter.

        The time is compared too: a recreated input has other records at the same positions.
        """
        if letter.identity in self.done:
            return LetterStatus.REPLAYED
        is_replay = letter.identity in self.targets
        return LetterStatus.REFUSED_AGAIN if is_replay else LetterStatus.WAITING


def _headers(record: Any) -> dict[str, bytes]:
    return {name: value for name, value in record.headers if value is not None}


def _letter(record: Any) -> Letter | None:
    """Return a record as a letter; None if the record is not a letter."""
    headers = _headers(record)
    try:
        return Letter(
            partition=record.partition,
            offset=record.offset,
            written_ms=record.timestamp,
            reason=headers["reason"].decode(),
            source=_source(headers),
            time_ms=int(headers["time"]),
            bytes=len(record.value or b""),
            whole="size" not in headers and headers["reason"] != b"null_value",
        )
    except (LookupError, ValueError):
        return None


def _mark(record: Any) -> tuple[tuple[RecordPosition, int], RecordPosition, int] | None:
    """Parse a mark: the replayed letter, its new position and its time; None for other records."""
    if not (record.key or b"").startswith(MARK):
        return None
    headers = _headers(record)
    try:
        identity = (_source(headers), int(headers["time"]))
        target = RecordPosition.parse(headers["replayed_to"].decode())
        return identity, target, int(headers["replayed_time"])
    except (LookupError, ValueError):
        return None


def _source(headers: Mapping[str, bytes]) -> RecordPosition:
    return RecordPosition(
        headers["topic"].decode(), int(headers["partition"]), int(headers["offset"])
    )
