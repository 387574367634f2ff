"""Publishes overrides from the desk to Kafka, and collects the gateways' acknowledgements.

The process has one producer and one reader thread that stay connected. So a person on the phone
waits only for gateways, not for new connections.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.cluster.admin import client_arguments, unusable
from streams.cluster.at_work import Sign, gateway_signs, gateways_at_work, sort_gateways
from streams.cluster.prompt import AGREED_S, LATELY, PromptProducer, say
from streams.cluster.read import Places, readable
from streams.common.clock import now_ms
from streams.common.language import tr
from streams.config import Settings
from streams.wire import (
    EVERYONE,
    Ack,
    Override,
    decode_ack,
    encode_override,
    override_id,
    override_key,
)

log = logging.getLogger(__name__)

WORDS_MAX: Final = 1_000
"""Maximum number of overrides whose acknowledgements are kept in memory."""

GATEWAYS_MAX: Final = 256

SIGNS_S: Final = 15.0
"""Pause in seconds between two readings of the gateways' signs of life. Chosen: three signs."""

AGAIN_S: Final = 1.0
"""Pause in seconds before the reader starts again after an error."""


@dataclass(slots=True)
class Said:
    """A published override, and the gateways' answers so far."""

    word_id: str
    obeyed: dict[str, float] = field(default_factory=dict)  # gateway -> seconds until it confirmed
    failed: dict[str, str] = field(default_factory=dict)  # gateway -> why it did not apply it
    at_work: frozenset[str] = frozenset()  # gateways that should answer
    silent: frozenset[str] = frozenset()  # gateways that are stopped, as far as is known

    @property
    def gateways(self) -> int:
        """Number of gateways that should answer or have answered."""
        return len(self.at_work | self.obeyed.keys() | self.failed.keys())

    @property
    def missing(self) -> list[str]:
        """Names of the gateways at work that have not answered, sorted."""
        return sorted(self.at_work - self.obeyed.keys() - self.failed.keys())

    @property
    def list_stopped(self) -> list[str]:
        return sorted(self.silent - self.obeyed.keys() - self.failed.keys())


class HeardWords:
    """Stores acknowledgements in memory: which gateways are at work, and their answers.

    Threads may share it.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._changed = threading.Condition()
        self._of_word: OrderedDict[str, dict[str, tuple[Ack, float]]] = OrderedDict()
        self._gateways: OrderedDict[str, int] = OrderedDict()  # gateway -> newest answer, ms
        self._signs: Mapping[str, Sign] = {}

    def note(self, gateway_id: str, at_ms: int) -> None:
        """Store that a gateway was at work at `at_ms`."""
        with self._changed:
            self._gateways[gateway_id] = max(self._gateways.get(gateway_id, 0), at_ms)
            self._gateways.move_to_end(gateway_id)
            if len(self._gateways) > GATEWAYS_MAX:
                self._gateways.popitem(last=False)

    def see(self, signs: Mapping[str, Sign]) -> None:
        """Store the newest sign of life of each gateway."""
        with self._changed:
            self._signs = signs
            self._changed.notify_all()

    def take(self, ack: Ack) -> None:
        """Store an acknowledgement. Only acknowledgements of overrides are kept."""
        self.note(ack.gateway_id, ack.at_ms)
        with self._changed:
            if ack.action_id.startswith("override-"):
                word = self._of_word.setdefault(ack.action_id, {})
                word[ack.gateway_id] = ack, time.monotonic()
                if len(self._of_word) > WORDS_MAX:
                    self._of_word.popitem(last=False)
                self._changed.notify_all()

    def at_work(self) -> set[str]:
        with self._changed:
            return self._list_gateways()[0]

    def wait(self, word_id: str, said_at: float, wait_s: float) -> Said:
        """Wait until all gateways at work have answered, at most `wait_s`. Return the answers.

        `said_at` is the monotonic time (s) of publishing. After the last expected answer, it waits
        `AGREED_S` more, because another gateway may answer too.
        """
        end = said_at + wait_s
        with self._changed:
            while True:
                answers = self._of_word.get(word_id, {})
                known, silent = self._list_gateways()
                now = time.monotonic()
                newest = max((at for _, at in answers.values()), default=now)
                agreed = bool(known) and known <= answers.keys()
                if (agreed and now - newest >= AGREED_S) or now >= end:
                    told = _summarise(word_id, answers, said_at)
                    told.at_work, told.silent = frozenset(known), frozenset(silent)
                    return told
                pause = end - now
                self._changed.wait(min(pause, AGREED_S) if agreed else pause)

    def _list_gateways(self) -> tuple[set[str], set[str]]:
        at_work, stopped = sort_gateways(self._gateways, self._signs, self._now_ms())
        return set(at_work), set(stopped)


def _summarise(word_id: str, answers: Mapping[str, tuple[Ack, float]], said_at: float) -> Said:
    told = Said(word_id)
    for gateway, (ack, at) in answers.items():
        if ack.state == "applied":
            told.obeyed[gateway] = max(0.0, at - said_at)
        else:
            told.failed[gateway] = ack.why or ack.state
    return told


class Speaker:
    """Publishes overrides on Kafka. `speaking_on` creates it for a block."""

    def __init__(self, settings: Settings, producer: Any, heard: HeardWords) -> None:
        self._topics = settings.topics
        self._producer = producer
        self._heard = heard
        self._said_at: OrderedDict[str, float] = OrderedDict()  # word -> monotonic seconds

    def say(self, word: Override, wait_s: float) -> Said:
        """Publish an override and wait for the gateways, at most `wait_s` seconds.

        Raise UnavailableError if the broker did not accept the record. If no broker answered, the
        record may still reach the topic and be applied. The text of the error then says so.
        """
        topic = self._topics.everyone if word.recipient == EVERYONE else self._topics.override
        said_at = time.monotonic()
        offset = say(self._producer, topic, encode_override(word), override_key(word))
        word_id = override_id(word, offset)
        self._said_at[word_id] = said_at
        if len(self._said_at) > WORDS_MAX:
            self._said_at.popitem(last=False)
        return self._heard.wait(word_id, said_at, wait_s)

    def collect_answers(self, word_id: str) -> Said:
        """Return the answers to an override so far.

        They are empty if another process published the override.
        """
        said_at = self._said_at.get(word_id)
        if said_at is None:
            return Said(word_id, at_work=frozenset(self._heard.at_work()))
        return self._heard.wait(word_id, said_at, 0)


@contextmanager
def speaking_on(settings: Settings, now_ms: Callable[[], int]) -> Iterator[Speaker]:
    """Yield a `Speaker`. Its reader thread runs until the block ends.

    Raise UnavailableError if no broker answers.
    """
    clients = client_arguments(settings.kafka)
    heard, stop = HeardWords(now_ms), threading.Event()
    try:
        producer = PromptProducer(clients)
    except KafkaError as error:
        raise unusable(tr("cannot reach Kafka"), error) from None
    reader = threading.Thread(
        target=_follow, args=(clients, settings.topics.acks, heard, stop), name="acks", daemon=True
    )
    reader.start()
    signs = threading.Thread(
        target=_look, args=(settings, heard, stop), name="signs of life", daemon=True
    )
    signs.start()
    try:
        yield Speaker(settings, producer, heard)
    finally:
        stop.set()
        reader.join()
        signs.join()
        producer.close()


def _look(settings: Settings, heard: HeardWords, stop: threading.Event) -> None:
    """Read the gateways' signs of life until `stop` is set."""
    while not stop.is_set():
        if signs := gateway_signs(settings):
            heard.see(signs)
        stop.wait(SIGNS_S)


def _follow(
    clients: Mapping[str, Any], topic: str, heard: HeardWords, stop: threading.Event
) -> None:
    """Read acknowledgements until `stop` is set. After an error, start again."""
    while not stop.is_set():
        try:
            with closing(KafkaConsumer(**clients, allow_auto_create_topics=False)) as consumer:
                _read(consumer, topic, heard, stop)
        except Exception as error:  # noqa: BLE001 - the reader must start again
            log.warning("acknowledgements cannot be read: %s", type(error).__name__)
            stop.wait(AGAIN_S)


def _read(consumer: Any, topic: str, heard: HeardWords, stop: threading.Event) -> None:
    places = [
        TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()
    ]
    if not places:
        stop.wait(AGAIN_S)
        return
    for gateway_id, at_ms in gateways_at_work(consumer, places, now_ms()).items():
        heard.note(gateway_id, at_ms)
    ends = consumer.end_offsets(places)
    firsts = consumer.beginning_offsets(places)
    for place in places:
        consumer.seek(place, max(firsts[place], ends[place] - LATELY))
    stood = Places(consumer)
    while not stop.is_set():
        for batch in stood.poll(100).values():
            for ack in readable(batch, decode_ack):
                heard.take(ack)
