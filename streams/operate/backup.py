"""The operator's words, saved to a file and said again: what no log of events makes anew.

Checkpoints are made anew from the input, leases end by themselves, episodes and acknowledgements
are history. Exemptions, allowed platforms and the switch are known from these topics alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import BrokerResponseError

from streams.cluster.admin import working
from streams.cluster.read import newest_records
from streams.errors import UsageError
from streams.language import tr
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


@dataclass(frozen=True, slots=True)
class RestoredWords:
    """Counts of one file's words."""

    said: int
    standing: int  # left alone: there is a word of that key already, and it may be newer


def saved(clients: Mapping[str, Any], topics: Iterable[str]) -> Iterator[str]:
    """Yield a line of JSON for each word that stands, after one that names the form.

    Words of a newer program stand too, and are saved as they are: that program can restore them.
    Raise ConfigError or UnavailableError if a topic cannot be read.
    """
    yield json.dumps({"form": FORM})
    for topic in dict.fromkeys(topics):
        for record in newest_records(clients, topic).values():
            if _is_word(record.value):
                yield json.dumps({"word": json.loads(record.value)}, ensure_ascii=False)


def restore(
    clients: Mapping[str, Any], lines: Iterable[str], override: str, everyone: str
) -> RestoredWords:
    """Say the words of a file again that have no successor, each on the topic where it belongs.

    Whatever has a word's key is its successor, even if only a newer program can read it. Raise
    UsageError, before anything is said, if the file is none of ours or a word is no word;
    ConfigError or UnavailableError if a topic cannot be read or written. A word that the broker
    refuses raises too, once all others are written.
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
                except BrokerResponseError as error:  # this word alone: the others are restored
                    refused = error
        if refused is not None:
            raise refused
    return RestoredWords(said, len(words) - said)


def _words(lines: Iterable[str]) -> Iterator[Override]:
    rows = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    try:
        _, form_line = next(rows, (1, "null"))
        form = json.loads(form_line)
        if form != {"form": FORM}:
            raise UsageError(
                tr("line 1: no file of words: it should begin with {form}").format(form=FORM)
            )
        for number, line in rows:
            try:
                yield decode_override(json.dumps(json.loads(line)["word"]).encode())
            except VersionError as error:
                raise UsageError(
                    tr(
                        "line {number}: a word of a newer program, which can restore this file "
                        "({error})"
                    ).format(number=number, error=error)
                ) from None
            except (KeyError, TypeError, UnreadableError) as error:
                raise UsageError(
                    tr("line {number}: no word of an operator: {error}").format(
                        number=number, error=error
                    )
                ) from None
    except (json.JSONDecodeError, RecursionError) as error:
        msg = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise UsageError(tr("no file of words: {msg}").format(msg=msg)) from None


def _is_word(value: bytes) -> bool:
    """Tell if a value is a word, of this program or of a newer one."""
    try:
        decode_override(value)
    except VersionError:
        return True
    except UnreadableError:
        return False
    return True
