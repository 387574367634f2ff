"""Saves and restores the operators' overrides in their topics, and deletes those that are over.

Nothing else can rebuild these overrides. Checkpoints can be rebuilt from the input, leases expire,
and episodes and acknowledgements are history. Only these topics contain exemptions, allowed
platforms and the kill switch.

An override that ended long ago is deleted, so that the topic forgets its number. Adapters only read
overrides: a process that enforces must not edit the operator's decisions. Kafka has no conditional
delete. An override published under the same key in the meantime is therefore found after the
deletion, and published again, byte for byte.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import BrokerResponseError

from detectors.thresholds import RELAPSE_S
from streams.cluster.admin import working
from streams.cluster.read import newest_records, reading
from streams.common import UsageError, tr
from streams.wire import (
    EVERYONE,
    Override,
    UnreadableError,
    VersionError,
    decode_override,
    encode_override,
    override_key,
)

FORM: Final = "otpguard.words/1"
KEPT_MS: Final = RELAPSE_S * 1000
"""Time that an override is kept after its end. A release covers leases for as long as the detector
remembers the flood."""


@dataclass(frozen=True, slots=True)
class RestoredWords:
    """Counts of the overrides in one file."""

    said: int
    standing: int  # Not published: an override with this key exists, and may be newer.


def save_overrides(clients: Mapping[str, Any], topics: Iterable[str]) -> Iterator[str]:
    """Yield a line that names the format, then a line of JSON for each key's newest override.

    Overrides that have ended are saved too, until they are purged. Overrides of a newer program
    are saved unchanged; that program can restore them. Raise ConfigError or UnavailableError if a
    topic cannot be read.
    """
    yield json.dumps({"form": FORM})
    for topic in dict.fromkeys(topics):
        for record in newest_records(clients, topic).values():
            try:
                decode_override(record.value)
            except VersionError:
                pass  # A newer program can read it.
            except UnreadableError:
                continue
            yield json.dumps({"word": json.loads(record.value)}, ensure_ascii=False)


def restore(
    clients: Mapping[str, Any], lines: Iterable[str], override: str, everyone: str
) -> RestoredWords:
    """Publish the overrides of a file again, each to its topic, unless its key exists.

    Any record with the same key replaces an override, even a record that only a newer program can
    read. Raise UsageError, before anything is published, if the file has another format or a line
    is not an override. Raise ConfigError or UnavailableError if a topic cannot be read or written.
    If the broker refuses an override, the error is raised after all others are written.
    """
    words = list(_words(lines))
    standing = {
        topic: newest_records(clients, topic).keys()
        for topic in dict.fromkeys((override, everyone))
    }
    said = 0
    refused: BrokerResponseError | None = None
    with working(tr("cannot restore")), closing(KafkaProducer(**clients, acks="all")) as producer:
        for word in words:
            topic, key = everyone if word.recipient == EVERYONE else override, override_key(word)
            if key not in standing[topic]:
                try:
                    producer.send(topic, encode_override(word), key=key).get(10)
                    said += 1
                # Only this override is refused; the others are still restored.
                except BrokerResponseError as error:
                    refused = error
        if refused is not None:
            raise refused
    return RestoredWords(said, len(words) - said)


def _words(lines: Iterable[str]) -> Iterator[Override]:
    rows = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    try:
        _, form_line = next(rows, (1, "null"))
        if json.loads(form_line) != {"form": FORM}:
            raise UsageError(
                tr("line 1: not a file of overrides: it should begin with {form}").format(form=FORM)
            )
        for number, line in rows:
            try:
                yield decode_override(json.dumps(json.loads(line)["word"]).encode())
            except VersionError as error:
                raise UsageError(
                    tr(
                        "line {number}: an override of a newer version, which can restore "
                        "this file ({error})"
                    ).format(number=number, error=error)
                ) from None
            except (KeyError, TypeError, UnreadableError) as error:
                raise UsageError(
                    tr("line {number}: not an operator's override: {error}").format(
                        number=number, error=error
                    )
                ) from None
    except (json.JSONDecodeError, RecursionError) as error:
        msg = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise UsageError(tr("not a file of overrides: {msg}").format(msg=msg)) from None


@dataclass(frozen=True, slots=True)
class Tidied:
    """Counts of the overrides in one topic."""

    words: int  # Overrides that remain.
    deleted: int
    said_again: int


def tidy(clients: Mapping[str, Any], topic: str, now_ms: int, *, dry_run: bool = False) -> Tidied:
    """Delete overrides that ended over three days before `now_ms` (UTC); only count if `dry_run`.

    Raise ConfigError or UnavailableError if the topic cannot be read or written.
    """
    with (
        reading(clients, topic) as reader,
        working(tr("cannot tidy {topic}").format(topic=topic)),
        closing(KafkaProducer(**clients, acks="all")) as producer,
    ):
        spans = reader.spans()
        newest = _newest(reader.records(spans), {})
        words = {key: found for key, found in newest.items() if found.value is not None}
        over = {key: found for key, found in words.items() if _is_over(found.value, now_ms)}
        if dry_run or not over:
            return Tidied(len(words) - len(over), len(over), 0)
        deleted = _delete(producer, over)
        since = {p: (spans[p][1], end) for p, (_, end) in reader.spans().items()}
        again = {
            key: found
            for key, found in _newest(reader.records(since), deleted).items()
            if found.value is not None and found.offset < deleted.get(key, 0)
        }
        for key, found in again.items():
            producer.send(topic, found.value, key=key, partition=found.partition).get(10)
        return Tidied(len(words) - len(over) + len(again), len(over), len(again))


def _newest(records: Iterable[Any], ours: Mapping[bytes, int]) -> dict[bytes, Any]:
    """Return the newest record of each key, without the deletions at the offsets in `ours`."""
    return {
        record.key: record
        for record in records
        if record.key is not None and ours.get(record.key) != record.offset
    }


def _delete(producer: KafkaProducer, over: Mapping[bytes, Any]) -> dict[bytes, int]:
    """Write the deletions, each to the partition of its override; return their offsets by key."""
    sent = {
        key: producer.send(found.topic, None, key=key, partition=found.partition)
        for key, found in over.items()
    }
    producer.flush(timeout=60)
    return {key: future.get(10).offset for key, future in sent.items()}


def _is_over(value: bytes | None, now_ms: int) -> bool:
    """Return true if an override ended long ago; an unreadable one is never deleted."""
    try:
        word = decode_override(value or b"")
    except UnreadableError:
        return False
    return word.expires_at_ms is not None and word.expires_at_ms + KEPT_MS <= now_ms
