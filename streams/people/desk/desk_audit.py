"""Writes the desk's chain of the audit log, one record at a time.

Each record names the digest of the record before. A record is confirmed by the broker before its
action is done. If the broker does not answer in time, the record may be written, lost, or written
later. Reading the log does not settle this. So the chain ends there, and the next record begins a
new chain. A chain never forks.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

from kafka.errors import KafkaError

from streams.cluster.admin import client_arguments, unusable, working
from streams.cluster.prompt import SENT_S, PromptProducer
from streams.cluster.read import readable, reading
from streams.common import tr
from streams.config import Settings
from streams.wire import audit_record, chain_start, decode_audit, encode_audit, hash_record

CHAIN_MAX: Final = 96
"""Maximum length of the first part of a new chain's name. A name has at most 128 characters; the
rest is a suffix that distinguishes the new chains."""

LOOK_BACK: Final = 1_000
"""Number of newest records per partition that are searched first for the end of a chain. If it is
not found, the number is doubled."""

Tail = tuple[int, str]
"""End of a chain: the number of its next record, and the digest of the record before."""


class DeskLedger:
    """Appends records to one chain. Threads may share it. `tail` reads the chain's end from Kafka.

    After a restart the same chain continues. After a record that was not confirmed, a new chain
    begins.
    """

    def __init__(
        self,
        send: Callable[[bytes, bytes], None],
        tail: Callable[[], Tail],
        chain: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._send = send
        self._tail = tail
        self._name = self._chain = chain
        self._now_ms = now_ms
        self._doubts = 0
        self._next: Tail | None = None
        self._lock = threading.Lock()

    def write(self, **fields: Any) -> None:
        """Write one record and wait for the broker. Raise UnavailableError without confirmation.

        `fields` are those of `AuditRecord`, without its chain and its time. After an error, the
        action that the record describes must not be done.
        """
        with self._lock:
            seq, prev = self._next or self._tail()
            place = {"chain": self._chain, "seq": seq, "prev": prev}
            value = encode_audit(audit_record({**place, "at_ms": self._now_ms(), **fields}))
            try:
                self._send(self._chain.encode(), value)
            except BaseException:
                self._begin()
                raise
            self._next = seq + 1, hash_record(value)

    def _begin(self) -> None:
        self._doubts += 1
        self._chain = f"{self._name[:CHAIN_MAX]}/{self._now_ms()}.{self._doubts}"
        self._next = 0, chain_start(self._chain)


@contextmanager
def ledger_on(settings: Settings, chain: str, now_ms: Callable[[], int]) -> Iterator[DeskLedger]:
    """Yield a writer for one chain on Kafka. Raise UnavailableError if no broker answers."""
    clients = client_arguments(settings.kafka)
    topic = settings.topics.audit
    with working(tr("cannot reach Kafka")):
        producer = PromptProducer(clients)

    def send(key: bytes, value: bytes) -> None:
        try:
            producer.send(topic, value, key=key).get(timeout=SENT_S)
        except KafkaError as error:
            producer.drop()
            raise unusable(tr("cannot publish to {topic}").format(topic=topic), error) from None

    with closing(producer):
        yield DeskLedger(send, lambda: tail_of(clients, topic, chain), chain, now_ms)


def tail_of(clients: Mapping[str, Any], topic: str, chain: str) -> Tail:
    """Read the end of a chain from the topic. A chain without records begins at number 0.

    Raise ConfigError or UnavailableError if the topic cannot be read.
    """
    look = LOOK_BACK
    with reading(clients, topic) as reader:
        whole = reader.spans()
        while True:
            spans = {p: (max(first, end - look), end) for p, (first, end) in whole.items()}
            mine = (each for each in reader.records(spans) if each.key == chain.encode())
            found = readable(mine, lambda value: (decode_audit(value).seq, value))
            if newest := max(found, default=None):
                return newest[0] + 1, hash_record(newest[1])
            if spans == whole:
                return 0, chain_start(chain)
            look *= 2
