"""Publishes events to Kafka in a thread of its own, through the spool on disk.

The event loop only appends events to a bounded queue in memory. librdkafka does the sending: it
releases the GIL while it works, and costs a tenth of a client in pure Python. If the disk fails or
hangs, events go directly to Kafka. If Kafka fails too, events are counted as lost.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.cluster.librdkafka import is_fatal
from streams.gateways.gate.spool import Loss, Pair, Spool, TakenBatch, weight
from streams.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

Taken = tuple[TakenBatch | None, Pair]
"""An event, and its batch on disk; None: it is on no disk."""

# what a kill -9 may lose; also the maximum wait of an event on an idle machine
LINGER_S: Final = 0.01
BATCH_MAX: Final = 5_000
BATCH_BYTES_MAX: Final = 1 << 20
"""Maximum of events that are written, read and sent together. The last event may exceed the bytes.
"""
IN_FLIGHT_MAX: Final = 20_000
"""Maximum of events given to librdkafka and not acknowledged; further events wait on disk. The last
batch may exceed this number. Usual events fill 6 MB."""
PRODUCER_MAX: Final = 80_000
PRODUCER_BYTES_MAX: Final = 64 << 20
"""Maximum of events in librdkafka, with those that go past a disk that hangs. Events with full
texts can be 100 kB each. Python stores a second copy."""
TRIM_S: Final = 0.25
ADOPT_S: Final = 10.0
PAUSE_S: Final = 1.0  # before anything is sent again, after Kafka rejected an event
RENEW_S: Final = 5.0  # minimum time between two producers, if each fails immediately
FLUSH_S: Final = 5.0  # maximum time for sending at the end

_NEVER: Final = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG}
"""Errors that a retry cannot fix."""

_ARGUMENTS: Final[Mapping[str, Any]] = {
    # Java's default partitioner: all producers of the topic must agree.
    "partitioner": "murmur2_random",
    "enable.idempotence": True,
    # Events spread over all partitions by key, and each partition gets its own batch. With 20 ms an
    # event arrives 15 ms sooner, but costs 6 µs more of about 90 µs.
    "linger.ms": 50,
    "compression.type": "lz4",
    "queue.buffering.max.messages": PRODUCER_MAX,
    "queue.buffering.max.kbytes": PRODUCER_BYTES_MAX >> 10,
    "message.timeout.ms": 300_000,
    "reconnect.backoff.max.ms": 2_000,
}


class EventSender:
    """Publishes the gate's events. Only the event loop may call `put`."""

    def __init__(
        self,
        clients: Mapping[str, Any],
        topic: str,
        spool: Spool,
        metrics: Metrics,
        queue_max: int,
        queue_bytes_max: int,
    ) -> None:
        """`clients` are librdkafka's connection arguments; the limits are those of the queue."""
        self._clients = clients
        self._topic = topic
        self._spool = spool
        spool.lose = self._count_lost
        self._metrics = metrics
        self._queue_max = queue_max
        self._queue_bytes_max = queue_bytes_max
        # Uses the monotonic clock: if the wall clock jumped an hour, all waiting events would be
        # too old.
        self._clock_ahead_ns = time.time_ns() - time.monotonic_ns()
        self._queue: deque[Pair] = deque()
        # Bytes in the queue, including the batch that the thread is writing, are the difference of
        # two counters. Each counter is written by one thread only, so no update is lost.
        self._bytes_put = 0  # written by the event loop
        self._bytes_left = 0  # of events that left the queue; written by the sender thread
        self._again: list[Taken] = []  # events on disk that Kafka or librdkafka rejected
        self._pause_until = 0.0
        self._outcomes: Counter[str] = Counter()  # events not yet added to the metrics
        self._disk = True
        self._failed_at = 0.0  # when the disk failed last
        self._said = ""
        self._stop = threading.Event()
        self._producer: Any = None
        self._broken = True  # there is no producer yet, or it has failed for good
        self._renew_at = self._trim_at = self._adopt_at = 0.0
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        metrics.follow("gate_queue_events", lambda: len(self._queue))
        metrics.put("gate_spool_up", 1)

    def put(self, key: bytes, value: bytes) -> None:
        """Queue one event. Never blocks.

        If the queue is full, the thread is blocked by a disk that hangs, or neither disk nor Kafka
        accepts events. Then the event goes directly to librdkafka, or is counted as lost.
        """
        pair = key, value
        if self._fits(pair):
            self._bytes_put += weight(pair)
            self._queue.append(pair)
        elif (error := self._produce(None, pair)) is not None:
            lost = "queue_full" if self._disk else "disk_failed"
            outcome = "refused" if error.code() in _NEVER else lost
            self._metrics.add("gate_events_total", outcome=outcome)

    def _fits(self, pair: Pair) -> bool:
        """Return whether the queue has room for an event."""
        octets = self._bytes_put - self._bytes_left + weight(pair)
        return len(self._queue) < self._queue_max and octets <= self._queue_bytes_max

    def start(self) -> None:
        """Start publishing. Events that ended processes left on disk are sent first."""
        self._thread.start()

    def close(self, timeout_s: float = FLUSH_S) -> None:
        """Give Kafka a short time for pending events. The rest stays on disk for a successor."""
        self._stop.set()
        self._thread.join(timeout_s + 2 * FLUSH_S)
        if self._thread.is_alive():
            log.error("the disk does not answer: %d events in memory are lost", len(self._queue))

    # -- in the thread

    def _clock_ms(self) -> int:
        """Return the wall clock time at the start plus the time elapsed since."""
        return (self._clock_ahead_ns + time.monotonic_ns()) // 1_000_000

    def _run(self) -> None:
        while not self._stop.is_set():
            self._run_guarded(self._round)
        self._run_guarded(self._finish)

    def _run_guarded(self, do: Callable[[], None]) -> None:
        """Run a function and survive any error: without this thread nothing is published.

        Only the error's type is logged, because its message may contain a record.
        """
        try:
            do()
        except Exception as error:  # noqa: BLE001 - any error, as the docstring explains
            self._say(f"the sender goes on after an error: {type(error).__name__}")
            self._stop.wait(PAUSE_S)

    def _round(self) -> None:
        self._renew()
        now = time.monotonic()
        if now >= self._adopt_at:
            self._adopt_at = now + ADOPT_S
            # A recent failure shows the state of the disk better than a probe.
            tried = self._on_disk(self._adopt) and now >= self._failed_at + ADOPT_S
            if tried and self._on_disk(self._spool.probe):
                self._disk_takes(takes=True)
        if now >= self._trim_at:
            self._trim_at = now + TRIM_S
            self._on_disk(self._trim)
        self._turn()
        # Waiting in `poll` instead would wake up for each partition's response, 1,000 times a
        # second.
        self._stop.wait(LINGER_S)
        self._poll(0)
        self._count_outcomes()

    def _renew(self) -> None:
        """Replace a producer that failed for good, once it has returned all its events.

        An idempotent producer fails for good if a permission is missing, or if the broker lost
        acknowledged data. The next producer sends the returned events. Events that were in flight
        may then be on the topic twice.
        """
        if not self._broken:
            return
        if self._producer is not None:
            self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        now = time.monotonic()
        if self._in_producer() or now < self._renew_at:
            return
        self._renew_at = now + RENEW_S
        self._producer = Producer(
            {**self._clients, **_ARGUMENTS}, logger=logging.getLogger("librdkafka")
        )
        self._broken = False

    def _in_producer(self) -> int:
        """Return the number of events whose delivery report was not processed."""
        return 0 if self._producer is None else len(self._producer)

    def _poll(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for delivery reports, and process them.

        A fatal error ends the producer, and librdkafka reports the error only once. It is logged
        here, and a new producer takes over. Any other error is raised.
        """
        if self._producer is None:
            return
        try:
            self._producer.poll(timeout_s)
        except KafkaException as raised:
            error = raised.args[0]
            if not is_fatal(error):
                raise
            self._say(f"events wait for another producer: {error.name()}")
            self._broken = True

    def _has_room(self) -> bool:
        """Return whether events may be given to librdkafka now."""
        paused = self._broken or time.monotonic() < self._pause_until
        return not paused and self._in_producer() < IN_FLIGHT_MAX

    def _turn(self) -> None:
        """Write the queued events to disk, and send events up to `IN_FLIGHT_MAX` in flight."""
        put = self._bytes_put
        while self._queue and self._bytes_left < put and self._keep():
            pass
        while self._has_room() and (taken := self._take()):
            self._send(taken)

    def _keep(self) -> bool:
        """Write the oldest events of the queue to disk, or send them if the disk fails.

        Return False if neither is possible: then the events stay in the queue.
        """
        pairs: list[Pair] = []
        octets = 0
        while self._queue and len(pairs) < BATCH_MAX and octets < BATCH_BYTES_MAX:
            pairs.append(self._queue.popleft())
            octets += weight(pairs[-1])
        kept = self._on_disk(lambda: self._spool.append(pairs, self._clock_ms()))
        if not kept and not self._has_room():
            self._queue.extendleft(reversed(pairs))
            return False
        self._bytes_left += octets  # before sending: what librdkafka rejects is added again
        if kept:
            self._disk_takes(takes=True)
        else:
            self._send([(None, pair) for pair in pairs])
        return True

    def _take(self) -> list[Taken]:
        """Return events to send: those that were rejected, or else the next ones on disk."""
        taken, self._again = self._again, []
        if not taken:
            self._on_disk(lambda: taken.extend(self._spool.take()))
        return taken

    def _send(self, taken: Sequence[Taken]) -> None:
        for batch, pair in taken:
            if (error := self._produce(batch, pair)) is not None:
                self._on_failure(batch, pair, error)

    def _produce(self, batch: TakenBatch | None, pair: Pair) -> KafkaError | None:
        """Give an event to librdkafka. Return why librdkafka does not accept it."""
        if self._producer is None:
            return KafkaError(KafkaError._STATE)  # noqa: SLF001 - its public name
        try:
            self._producer.produce(
                self._topic, pair[1], pair[0], on_delivery=partial(self._on_delivery, batch, pair)
            )
        except BufferError:
            return KafkaError(KafkaError._QUEUE_FULL)  # noqa: SLF001 - its public name
        except KafkaException as raised:
            return raised.args[0]
        return None

    def _on_delivery(
        self, batch: TakenBatch | None, pair: Pair, error: KafkaError | None, _: Message
    ) -> None:
        if error is not None:
            self._on_failure(batch, pair, error)
        elif batch is None:
            self._outcomes["bypassed"] += 1
        else:
            self._outcomes["published"] += 1
            self._spool.acknowledge(batch)

    def _on_failure(self, batch: TakenBatch | None, pair: Pair, error: KafkaError) -> None:
        """Drop an event that Kafka will never accept; retry any other event.

        An event that is not on disk returns to the queue. It is lost if the disk fails and the
        queue is full.
        """
        self._broken |= is_fatal(error)
        if error.code() in _NEVER:
            self._say(f"the broker never takes an event: {error.name()}")
            self._outcomes["refused"] += 1
            if batch is not None:
                self._spool.acknowledge(batch)
            return
        if batch is not None:
            self._again.append((batch, pair))
        elif self._disk or self._fits(pair):
            self._bytes_left -= weight(pair)
            self._queue.append(pair)
        else:
            self._outcomes["disk_failed"] += 1
        self._pause_until = time.monotonic() + PAUSE_S
        if not self._broken:  # otherwise the failure of the producer is logged already
            self._say(f"events wait for the broker: {error.name()}")

    def _count_outcomes(self) -> None:
        """Add outcomes to the metrics once per turn; counting each event alone would cost much."""
        for outcome, events in self._outcomes.items():
            self._metrics.add("gate_events_total", events, outcome=outcome)
        self._outcomes.clear()

    def _on_disk(self, do: Callable[[], object]) -> bool:
        """Run an operation of the spool. Return False if the disk fails."""
        try:
            do()
        except OSError as error:
            self._failed_at = time.monotonic()
            self._disk_takes(error.strerror or "", takes=False)
            return False
        return True

    def _disk_takes(self, why: str = "", *, takes: bool) -> None:
        if takes != self._disk:
            self._disk = takes
            if takes:
                log.info("the spool can be used again")
            else:
                log.error("the spool cannot be used: %s", why)
        self._metrics.put("gate_spool_up", takes)

    def _adopt(self) -> None:
        self._spool.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if found := self._spool.adopt():
            log.info("%d events of a process that ended are sent again", found)

    def _trim(self) -> None:
        spool, metrics = self._spool, self._metrics
        now_ms = self._clock_ms()
        spool.trim(now_ms)
        metrics.put("gate_spool_bytes", spool.size())
        metrics.put("gate_spool_events", spool.waiting() + self._off_disk())
        metrics.put("gate_spool_age_seconds", max(0, now_ms - (spool.oldest_ms or now_ms)) / 1000)

    def _count_lost(self, loss: Loss, events: int) -> None:
        self._metrics.add("gate_events_total", events, outcome=loss)
        why = {
            "spool_full": "they waited too long, or too many do",
            "disk_failed": "the spool cannot be read there",
        }[loss]
        log.error("%d events are lost: %s", events, why)

    def _finish(self) -> None:
        end = time.monotonic() + FLUSH_S
        self._turn()
        while self._in_producer() and time.monotonic() < end:
            self._renew()
            self._poll(LINGER_S)
            self._turn()
        self._count_outcomes()
        self._on_disk(lambda: self._spool.trim(self._clock_ms()))
        if lost := self._off_disk() + len(self._queue):
            self._metrics.add("gate_events_total", lost, outcome="disk_failed")
            log.error("%d events are lost: neither the disk nor Kafka has them", lost)
        left = self._spool.waiting()
        self._on_disk(self._spool.close)
        log.info("events are left to the next: %d", left)

    def _off_disk(self) -> int:
        """Return the number of unacknowledged events behind the queue that are in no file.

        The disk did not take them, or the spool dropped them.
        """
        return self._in_producer() + len(self._again) - self._spool.outstanding()

    def _say(self, sentence: str) -> None:
        """Log a message, unless it is the same as the last message."""
        if sentence != self._said:
            self._said = sentence
            log.warning("%s", sentence)
