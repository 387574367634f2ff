"""Publishes overrides to Kafka, for desk and commands, and collects the gateways' acknowledgements.

The desk has one producer and one reader thread that stay connected. So a person on the phone
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

from streams.cluster import prompt
from streams.cluster.admin import client_arguments, working
from streams.cluster.at_work import Gateways, Sign, gateway_signs, sort_gateways
from streams.cluster.prompt import AGREED_S, LATELY, PromptProducer
from streams.cluster.read import LOOKING, Places, readable
from streams.common import tr
from streams.config import Settings
from streams.wire import (
    Ack,
    Override,
    decode_ack,
    encode_override,
    override_id,
    override_key,
)

log = logging.getLogger(__name__)

WORDS_MAX: Final = 1_000  # Maximum number of overrides whose acknowledgements are kept in memory.

SIGNS_S: Final = 15.0
"""Pause in seconds between two readings of the gateways' signs of life. Chosen: three signs."""

AGAIN_S: Final = 1.0  # Pause in seconds after an error, before reading starts again.


@dataclass(slots=True)
class Said:
    """A published override, and the gateways' answers so far."""

    word_id: str
    obeyed: dict[str, float] = field(default_factory=dict)  # gateway -> seconds until it confirmed
    failed: dict[str, str] = field(default_factory=dict)  # gateway -> why it did not apply it
    # Gateways that should answer, and those that are stopped as far as is known, each with the time
    # at which it was last heard of (UTC, ms).
    at_work: Mapping[str, int] = field(default_factory=dict)
    silent: Mapping[str, int] = field(default_factory=dict)

    @property
    def gateways(self) -> int:
        """Number of gateways that should answer or have answered."""
        return len(self.at_work.keys() | self.obeyed.keys() | self.failed.keys())

    @property
    def has_unknown(self) -> bool:
        """True if a gateway confirmed, but the user may not see which gateways are at work."""
        return bool(self.obeyed) and not self.at_work and not self.silent

    @property
    def missing(self) -> list[str]:
        """Names of the gateways at work that have not answered, sorted."""
        return sorted(self.at_work.keys() - self.obeyed.keys() - self.failed.keys())

    @property
    def list_stopped(self) -> list[str]:
        return sorted(self.silent.keys() - self.obeyed.keys() - self.failed.keys())


class HeardWords:
    """Stores in memory which gateways are at work, and their answers to overrides.

    Threads may share it. `signs_read`: the signs of life are known. Before, it is not known which
    gateways should answer.
    """

    def __init__(self, now_ms: Callable[[], int], *, signs_read: bool = True) -> None:
        self._now_ms = now_ms
        self._signs_read = signs_read
        self._changed = threading.Condition()
        self._of_word: OrderedDict[str, dict[str, tuple[Ack, float]]] = OrderedDict()
        self._signs: Mapping[str, Sign] = {}

    def see(self, signs: Mapping[str, Sign]) -> None:
        """Store the newest sign of life of each gateway. If `signs` is empty, nothing changes."""
        with self._changed:
            self._signs = signs or self._signs
            self._signs_read = True
            self._changed.notify_all()

    def take(self, ack: Ack) -> None:
        """Store an acknowledgement of an override; others are ignored."""
        with self._changed:
            if ack.action_id.startswith("override-"):
                word = self._of_word.setdefault(ack.action_id, {})
                word[ack.gateway_id] = ack, time.monotonic()
                if len(self._of_word) > WORDS_MAX:
                    self._of_word.popitem(last=False)
                self._changed.notify_all()

    def at_work(self) -> Mapping[str, int]:
        with self._changed:
            return self._list_gateways().at_work

    def wait(self, word_id: str, said_at: float, wait_s: float) -> Said:
        """Wait until all gateways at work have answered, at most `wait_s`. Return the answers.

        `said_at` is the monotonic time (s) of publishing. After the last expected answer, it waits
        `AGREED_S` more, because another gateway may answer too. If no gateway is known to be at
        work, the first answer is the last expected one.
        """
        end = said_at + wait_s
        with self._changed:
            while True:
                answers = self._of_word.get(word_id, {})
                known, silent = self._list_gateways()
                now = time.monotonic()
                newest = max((at for _, at in answers.values()), default=now)
                agreed = self._signs_read and bool(answers) and known.keys() <= answers.keys()
                if (agreed and now - newest >= AGREED_S) or now >= end:
                    obeyed = {
                        gateway: max(0.0, at - said_at)
                        for gateway, (ack, at) in answers.items()
                        if ack.state == "applied"
                    }
                    failed = {
                        gateway: ack.why or ack.state
                        for gateway, (ack, _) in answers.items()
                        if gateway not in obeyed
                    }
                    return Said(word_id, obeyed, failed, known, silent)
                pause = end - now
                self._changed.wait(min(pause, AGREED_S) if agreed else pause)

    def _list_gateways(self) -> Gateways:
        return sort_gateways(self._signs, self._now_ms())


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
        topic = self._topics.of_override(word.recipient)
        said_at = time.monotonic()
        offset = prompt.say(self._producer, topic, encode_override(word), override_key(word))
        word_id = override_id(word, offset)
        self._said_at[word_id] = said_at
        if len(self._said_at) > WORDS_MAX:
            self._said_at.popitem(last=False)
        return self._heard.wait(word_id, said_at, wait_s)

    def at_work(self) -> Mapping[str, int]:
        """Return the gateways at work, each with its newest sign of life (UTC, ms)."""
        return self._heard.at_work()

    def collect_answers(self, word_id: str) -> Said:
        """Return the answers to an override so far.

        The result is empty if another process published the override.
        """
        said_at = self._said_at.get(word_id)
        if said_at is None:
            return Said(word_id, at_work=self.at_work())
        return self._heard.wait(word_id, said_at, 0)


@contextmanager
def speaking_on(
    settings: Settings, now_ms: Callable[[], int], *, listen: bool = True
) -> Iterator[Speaker]:
    """Yield a `Speaker`. Its reader threads run until the block ends.

    `listen`: read the gateways' answers and signs of life. Raise UnavailableError if no broker
    answers.
    """
    clients, acks = client_arguments(settings.kafka), settings.topics.acks
    heard, stop = HeardWords(now_ms, signs_read=False), threading.Event()
    with working(tr("cannot reach Kafka")):
        producer = PromptProducer(clients)
    readers = [
        threading.Thread(target=_follow, args=(clients, acks, heard, stop), daemon=True),
        threading.Thread(target=_look, args=(settings, heard, stop), daemon=True),
    ]
    for each in readers if listen else ():
        each.start()
    try:
        yield Speaker(settings, producer, heard)
    finally:
        stop.set()
        for each in readers if listen else ():
            each.join()
        producer.close()


def _look(settings: Settings, heard: HeardWords, stop: threading.Event) -> None:
    """Read the gateways' signs of life until `stop` is set."""
    while not stop.is_set():
        heard.see(gateway_signs(settings))
        stop.wait(SIGNS_S)


def _follow(
    clients: Mapping[str, Any], topic: str, heard: HeardWords, stop: threading.Event
) -> None:
    """Read acknowledgements until `stop` is set. After an error, start again."""
    while not stop.is_set():
        try:
            with closing(KafkaConsumer(**clients, **LOOKING)) as consumer:
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
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    firsts = consumer.beginning_offsets(places)
    for place in places:
        consumer.seek(place, max(firsts[place], ends[place] - LATELY))
    stood = Places(consumer)
    while not stop.is_set():
        for batch in stood.poll(100).values():
            for ack in readable(batch, decode_ack):
                heard.take(ack)
