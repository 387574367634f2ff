"""Dead letters: what was refused and why, and sending it in again.

That a letter was replayed is written behind it into its own partition of the dead letters' topic
(a *mark*, with the position and time that the event got in the input), so it lasts as long as the
letter does. Marks follow their events: whoever dies in between repeats at most `BATCH` events, each
with its original bytes, and the detector counts a platform once a day at a recipient. A letter
whose source is the target of a mark is a replay that was refused again; it is not replayed by
itself.
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
from kafka.errors import KafkaError

from detectors.model.times import HOUR_MS
from streams import clock
from streams.cluster.admin import unusable, working
from streams.cluster.read import reading
from streams.errors import UsageError
from streams.language import tr
from streams.wire import LISTED_TYPE, Intake, decode, is_listed
from streams.wire.partitioner import partition_of

BATCH: Final = 200
"""Letters whose events may be in the input without a mark yet: .2 s at the default rate."""
LETTERS_MAX: Final = 1_000_000
"""Looked at in one go: 600 bytes each. A longer time is looked at in parts (--since, --until)."""
SAID_AGAIN_MS: Final = HOUR_MS
"""A worker that died says letters again that may be marked already: within a checkpoint's cycle and
an outage. Reading begins so much earlier than asked, for the marks."""
MARK: Final = b"replayed/"
ACKNOWLEDGED_S: Final = 30.0

Tell = Callable[[int], None]
"""Told how many records were read or sent since it was last told."""


class RecordPosition(NamedTuple):
    """A record of Kafka."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @staticmethod
    def parse(written: str) -> RecordPosition:
        """Raise ValueError if it is none."""
        topic, partition, offset = written.rsplit("/", 2)
        return RecordPosition(topic, int(partition), int(offset))


class LetterStatus(StrEnum):
    """The fate of a letter: the closed set that `ls` shows."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    REFUSED_AGAIN = "refused again"  # is what a replay came to, and was not replayed itself


class Letter(NamedTuple):
    """A dead letter without its bytes."""

    partition: int  # where it lies in the dead letters' topic
    offset: int
    written_ms: int
    reason: str
    source: RecordPosition
    time_ms: int  # of the record that was refused; -1: it had none
    bytes: int  # of the value as it lies here
    whole: bool  # nothing was cut, and there is something to replay
    fate: LetterStatus = LetterStatus.WAITING

    @property
    def position(self) -> str:
        """Partition and offset, as people write them."""
        return f"{self.partition}:{self.offset}"

    @property
    def identity(self) -> tuple[RecordPosition, int]:
        """The record that was refused. A worker that died says again what it had said."""
        return self.source, self.time_ms


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on letters. Times: milliseconds UTC, of when a letter was written."""

    reasons: frozenset[str] = frozenset()  # empty: all
    since_ms: int | None = None
    until_ms: int | None = None
    partition: int | None = None  # of the source

    def admits(self, letter: Letter) -> bool:
        """Tell if the filter admits this letter."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (self.since_ms is None or letter.written_ms >= self.since_ms)
            and (self.until_ms is None or letter.written_ms < self.until_ms)
            and (self.partition is None or letter.source.partition == self.partition)
        )


@dataclass(frozen=True, slots=True)
class FoundLetters:
    """Letters in the order of their writing, each once, and what else was there."""

    letters: list[Letter]
    repeats: int  # of a letter, by workers that did their last events again after a crash
    foreign: int  # records that are neither letters nor marks

    def counts(self) -> dict[str, Counter[LetterStatus]]:
        """Reason -> fate -> letters."""
        counts: dict[str, Counter[LetterStatus]] = {}
        for letter in self.letters:
            counts.setdefault(letter.reason, Counter())[letter.fate] += 1
        return dict(sorted(counts.items()))


@dataclass(slots=True)
class LetterReplay:
    """The result of a replay, or, as a trial, of one that would follow."""

    published: int = 0
    refused_still: Counter[str] = field(default_factory=Counter)  # by reason of today's refusal
    replayed_before: int = 0
    refused_again: int = 0  # left out, being replays themselves
    not_whole: int = 0


def find(
    clients: Mapping[str, Any], topic: str, wanted: Filter, tell: Tell = lambda _: None
) -> FoundLetters:
    """Return the letters that are meant, up to the end as it is now.

    Raise ConfigError if the topic is not there or not for us, UnavailableError if the broker goes
    away, UsageError past LETTERS_MAX.
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
                        "over {letters_max:,} dead letters are meant: narrow them with --since and "
                        "--until, --reason or --partition"
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
    """Return a letter, its record with the original bytes, and where it was replayed to, if it was.

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
        # A mark is behind the record that it tells of, and the letter may be said again behind it.
        since_ms = min(letter.written_ms, letter.time_ms) - SAID_AGAIN_MS
        marks = _Marks()
        for each in reader.records(reader.spans(since_ms if since_ms >= 0 else None)):
            marks.take(each)
    return letter._replace(fate=marks.fate(letter)), record, marks.done.get(letter.identity)


@dataclass(slots=True)
class Replayer:
    """Sends letters in again: original key and value.

    The key decides on the partition, as Java's partitioner has it: a producer that hashes in
    another way may have put the letter's record elsewhere than the rest of its recipient's. Without
    a key it goes to the partition that it came from, or with `by_key` to any, as it must after
    partitions were added. The events get the time of now as their records' time; their event times
    stay.
    """

    clients: Mapping[str, Any]
    topic: str  # of the dead letters
    target: str
    intake: Intake
    per_s: float = 1000.0
    by_key: bool = False
    unchecked: bool = False
    again: bool = False

    def choose(self, letters: Iterable[Letter]) -> tuple[list[Letter], LetterReplay]:
        """Return the letters that may be replayed, and an account of those that may not."""
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
        """Replay these, oldest event first, and account for each; at most `limit`.

        `stop` is asked after each letter; a batch that was begun is published.

        Returns only when everything that was published is marked. Raise ConfigError or
        UnavailableError if it cannot go on; what was acknowledged is marked then too, if it can be.
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
                    self._publish(producer, batch, partitions, account)
                    sent += len(batch)
                    batch = []
                    time.sleep(max(0.0, sent / self.per_s - (time.monotonic() - began)))
                if stop() or account.published + len(batch) == limit:
                    break
            if producer is not None and batch:
                self._publish(producer, batch, partitions, account)

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
        """Read the letters' bytes, all partitions side by side, in the order of the source's times.

        A recipient's letters may lie in several partitions. Those that have expired are left out.
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
        """The reason for which this version, by these settings, would refuse it at this instant."""
        if is_listed(record.value or b""):
            return LISTED_TYPE  # the agent tells it again itself: no other word is one
        if self.unchecked:
            return None
        now_ms = clock.now_ms()
        rejects = decode(
            self.intake, self.target, letter.source.partition,
            [record.value], [_headers(record).get("key")], [0], [now_ms], 1,
        ).rejects  # fmt: skip
        return rejects[0].reason.value if rejects else None

    def _publish(
        self,
        producer: KafkaProducer,
        batch: Sequence[tuple[Letter, Any]],
        partitions: int,
        account: LetterReplay,
    ) -> None:
        """Publish a batch, then the marks of what was acknowledged."""
        pending = [
            producer.send(
                self.target,
                record.value,
                _headers(record).get("key"),
                [
                    (
                        "dead_letter",
                        str(RecordPosition(self.topic, letter.partition, letter.offset)).encode(),
                    )
                ],
                partition=self._partition(letter, _headers(record).get("key"), partitions),
            )
            for letter, record in batch
        ]
        failed: KafkaError | None = None
        marks = []
        for (letter, _), future in zip(batch, pending, strict=True):
            try:
                got = future.get(timeout=ACKNOWLEDGED_S + 5)
            except KafkaError as error:
                failed = failed or error
                continue
            account.published += 1
            marks.append(
                producer.send(
                    self.topic,
                    b"",
                    MARK + f"{letter.source.partition}-{letter.source.offset}".encode(),
                    _mark_headers(
                        letter,
                        RecordPosition(self.target, got.partition, got.offset),
                        got.timestamp,
                    ),
                    partition=letter.partition,
                )
            )
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
        if failed is not None:
            raise failed

    def _partition(self, letter: Letter, key: bytes | None, partitions: int) -> int | None:
        if key is not None:
            return partition_of(key, partitions)
        source = letter.source
        if self.by_key or source.topic != self.target or source.partition >= partitions:
            return None
        return source.partition


@dataclass(slots=True)
class _Marks:
    """The marks that were read, and what they say of a letter."""

    done: dict[tuple[RecordPosition, int], RecordPosition] = field(default_factory=dict)
    targets: set[tuple[RecordPosition, int | None]] = field(default_factory=set)

    def take(self, record: Any) -> bool:
        """Remember a mark; return whether the record is one."""
        if (mark := _mark(record)) is None:
            return False
        identity, target, time_ms = mark
        self.done.setdefault(identity, target)
        self.targets.add((target, time_ms))
        return True

    def fate(self, letter: Letter) -> LetterStatus:
        """The fate of a letter. An input that was made anew has other records at the same places.

        Marks of older programs do not tell the time of the replay: there the place must suffice.
        """
        if letter.identity in self.done:
            return LetterStatus.REPLAYED
        replayed = {letter.identity, (letter.source, None)} & self.targets
        return LetterStatus.REFUSED_AGAIN if replayed else LetterStatus.WAITING


def _headers(record: Any) -> dict[str, bytes]:
    return {name: value for name, value in record.headers if value is not None}


def _letter(record: Any) -> Letter | None:
    """The letter that a record is; None if it is none."""
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


def _mark(record: Any) -> tuple[tuple[RecordPosition, int], RecordPosition, int | None] | None:
    """The replayed letter of a mark, where it went and when; None for a record that is no mark."""
    if not (record.key or b"").startswith(MARK):
        return None
    headers = _headers(record)
    try:
        identity = (_source(headers), int(headers["time"]))
        replayed = headers.get("replayed_time")
        target = RecordPosition.parse(headers["replayed_to"].decode())
        return identity, target, None if replayed is None else int(replayed)
    except (LookupError, ValueError):
        return None


def _mark_headers(
    letter: Letter, target: RecordPosition, replayed_ms: int
) -> list[tuple[str, bytes]]:
    source = letter.source
    return [
        ("replayed_to", str(target).encode()),
        ("replayed_time", str(replayed_ms).encode()),
        ("topic", source.topic.encode()),
        ("partition", str(source.partition).encode()),
        ("offset", str(source.offset).encode()),
        ("time", str(letter.time_ms).encode()),
    ]


def _source(headers: Mapping[str, bytes]) -> RecordPosition:
    return RecordPosition(
        headers["topic"].decode(), int(headers["partition"]), int(headers["offset"])
    )
