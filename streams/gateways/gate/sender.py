"""Publishes events to Kafka in a thread of its own, through the spool on disk.

The event loop only appends events to a bounded queue in memory. librdkafka does the sending: it
releases the GIL while it works, and costs a tenth of a client in pure Python. If the disk fails,
events go directly to Kafka. If Kafka fails too, events are counted as lost.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.cluster.librdkafka import is_fatal
from streams.gateways.gate.spool import Loss, Pair, Spool, TakenBatch, weight
from streams.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

# what a kill -9 may lose; also the maximum wait of an event on an idle machine
LINGER_S: Final = 0.01
BATCH_MAX: Final = 5_000
BATCH_BYTES_MAX: Final = 1 << 20
"""Maximum of events that are written, read and sent together. The last event may exceed the bytes.
"""
IN_FLIGHT_MAX: Final = 20_000
IN_FLIGHT_BYTES_MAX: Final = 32 << 20
"""Maximum of events given to librdkafka and not acknowledged; further events wait on disk. The last
batch may exceed these numbers. Usual events fill 6 MB. Events with full texts can be 100 kB each.
librdkafka stores a second copy."""
DIRECT_MAX: Final = 20_000  # events that wait in memory for Kafka while the disk fails
DIRECT_BYTES_MAX: Final = 32 << 20  # limit for the same events in bytes
TRIM_S: Final = 0.25
ADOPT_S: Final = 10.0
PAUSE_S: Final = 1.0  # before an event that Kafka rejected is tried again
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
    "queue.buffering.max.messages": 2 * (IN_FLIGHT_MAX + DIRECT_MAX),
    "queue.buffering.max.kbytes": 2 * (IN_FLIGHT_BYTES_MAX + DIRECT_BYTES_MAX) >> 10,
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
        self._bytes_kept = 0  # written by the sender thread
        # events that Kafka rejected or the disk did not take
        self._direct: deque[tuple[TakenBatch | None, Pair]] = deque()
        self._direct_at = 0.0
        self._direct_bytes = 0
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._published = 0  # events not yet added to the metrics
        # Events that bypassed the queue. Each counter is written by one thread only.
        self._past_given = 0  # written by the event loop
        self._past_back = 0  # written by the sender thread
        self._bypassed = 0  # events not yet added to the metrics
        self._disk = True
        self._failed_at = -ADOPT_S  # monotonic
        self._said = ""
        self._stop = threading.Event()
        self._producer: Any = None
        self._broken = True  # True if there is no producer, or it has failed for good
        self._renew_at = self._made_at = 0.0
        self._trim_at = self._adopt_at = 0.0
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        metrics.follow("gate_queue_events", lambda: len(self._queue))
        metrics.put("gate_spool_up", 1)

    def put(self, key: bytes, value: bytes) -> None:
        """Queue one event. Never blocks."""
        octets = len(key) + len(value)
        waiting = self._bytes_put - self._bytes_kept
        if len(self._queue) < self._queue_max and waiting + octets <= self._queue_bytes_max:
            self._bytes_put += octets
            self._queue.append((key, value))
        else:
            self._past_the_queue(key, value)

    def _past_the_queue(self, key: bytes, value: bytes) -> None:
        """Give an event directly to Kafka, because the thread is blocked by a disk that hangs.

        An event that librdkafka cannot store is counted as lost. The thread counts the results of
        the others.
        """
        outcome = "queue_full"
        if self._producer is not None:
            pair = key, value
            try:
                self._producer.produce(
                    self._topic, value, key, on_delivery=partial(self._past_delivered, pair)
                )
            except BufferError:
                pass
            except KafkaException as error:
                if error.args[0].code() in _NEVER:
                    outcome = "refused"
            else:
                self._past_given += 1
                return
        self._metrics.add("gate_events_total", outcome=outcome)

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
        self._count_published()

    def _renew(self) -> None:
        """Create a producer if the last one failed and has returned all its events."""
        now = time.monotonic()
        if not self._broken or now < self._renew_at:
            return
        if self._producer is not None and len(self._producer):
            self._purge()
            return
        self._made_at, self._renew_at = now, now + RENEW_S
        self._producer = Producer(
            {**self._clients, **_ARGUMENTS}, logger=logging.getLogger("librdkafka")
        )
        self._broken = False

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
            self._break()

    def _break(self) -> None:
        """Make a failed producer return its events. The next producer sends these events.

        An idempotent producer fails for good if a permission is missing, or if the broker lost
        acknowledged data. Events that were in flight may then be on the topic twice.
        """
        if self._broken:
            return
        self._broken = True
        self._renew_at = max(time.monotonic() + PAUSE_S, self._made_at + RENEW_S)
        self._purge()

    def _purge(self) -> None:
        """Make the producer return all its events through delivery reports."""
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)

    def _has_room(self) -> bool:
        """Return whether events may be given to librdkafka now."""
        full = self._in_flight >= IN_FLIGHT_MAX or self._in_flight_bytes >= IN_FLIGHT_BYTES_MAX
        return not (self._broken or full)

    def _turn(self) -> None:
        """Write the queued events to disk, and send as many events as there is room for."""
        put = self._bytes_put
        while self._queue and self._bytes_kept < put:
            self._keep()
        if self._direct and time.monotonic() >= self._direct_at:
            for _ in range(len(self._direct)):
                if not self._has_room():
                    break
                batch, pair = self._direct.popleft()
                self._direct_bytes -= weight(pair)
                self._produce(batch, pair)
        while self._has_room():
            taken: list[tuple[TakenBatch, Pair]] = []
            self._on_disk(lambda: taken.extend(self._spool.take()))  # noqa: B023
            for batch, pair in taken:
                self._produce(batch, pair)
            if not taken:
                break

    def _keep(self) -> None:
        """Write the oldest events of the queue to disk."""
        pairs: list[Pair] = []
        octets = 0
        while self._queue and len(pairs) < BATCH_MAX and octets < BATCH_BYTES_MAX:
            pairs.append(self._queue.popleft())
            octets += weight(pairs[-1])
        if self._on_disk(lambda: self._spool.append(pairs, self._clock_ms())):
            self._disk_takes(takes=True)
        else:
            self._past_the_disk(pairs)
        self._bytes_kept += octets

    def _count_published(self) -> None:
        """Count acknowledged events once per turn; counting each event alone would cost much."""
        if self._published:
            self._metrics.add("gate_events_total", self._published, outcome="published")
            self._published = 0
        if self._bypassed:
            self._metrics.add("gate_events_total", self._bypassed, outcome="bypassed")
            self._bypassed = 0

    def _past_the_disk(self, batch: list[Pair]) -> None:
        lost = 0
        for pair in batch:
            if len(self._direct) < DIRECT_MAX and self._direct_bytes < DIRECT_BYTES_MAX:
                self._put_back(None, pair)
            else:
                lost += 1
        if lost:
            self._metrics.add("gate_events_total", lost, outcome="disk_failed")

    def _put_back(self, batch: TakenBatch | None, pair: Pair) -> None:
        self._direct.append((batch, pair))
        self._direct_bytes += weight(pair)

    def _produce(self, batch: TakenBatch | None, pair: Pair) -> None:
        try:
            self._producer.produce(
                self._topic, pair[1], pair[0], on_delivery=partial(self._on_delivery, batch, pair)
            )
            self._in_flight += 1
            self._in_flight_bytes += weight(pair)
        except BufferError:
            self._again(batch, pair, "BufferError")
        except KafkaException as raised:
            self._on_failure(batch, pair, raised.args[0])

    def _on_delivery(
        self, batch: TakenBatch | None, pair: Pair, error: KafkaError | None, _: Message
    ) -> None:
        self._in_flight -= 1
        self._in_flight_bytes -= weight(pair)
        if error is not None:
            self._on_failure(batch, pair, error)
            return
        self._published += 1
        if batch is not None:
            self._on_disk(partial(self._spool.acknowledge, batch))

    def _past_delivered(self, pair: Pair, error: KafkaError | None, _: Message) -> None:
        """Count an event that bypassed the queue, or put it back into the queue after an error.

        This runs in the sender thread, so the disk responds again.
        """
        self._past_back += 1
        if error is None:
            self._bypassed += 1
        elif error.code() in _NEVER:
            self._on_refusal(error)
        else:
            self._bytes_kept -= weight(pair)
            self._queue.append(pair)

    def _on_failure(self, batch: TakenBatch | None, pair: Pair, error: KafkaError) -> None:
        """Drop an event that Kafka will never accept; retry any other event."""
        if is_fatal(error):
            self._break()
        if error.code() not in _NEVER:
            self._again(batch, pair, error.name())
            return
        self._on_refusal(error)
        if batch is not None:
            self._on_disk(partial(self._spool.acknowledge, batch))

    def _on_refusal(self, error: KafkaError) -> None:
        self._say(f"the broker never takes an event: {error.name()}")
        self._metrics.add("gate_events_total", outcome="refused")

    def _again(self, batch: TakenBatch | None, pair: Pair, why: str) -> None:
        """Put an event back for a later retry. Their number is bounded by those in flight."""
        self._put_back(batch, pair)
        self._direct_at = time.monotonic() + PAUSE_S
        if not self._broken:  # otherwise the failure of the producer is logged already
            self._say(f"events wait for the broker: {why}")

    def _on_disk(self, do: Callable[[], object]) -> bool:
        """Run an operation of the spool. Return False if the disk fails."""
        try:
            do()
        except OSError as error:
            self._disk_takes(error.strerror or "", takes=False)
            return False
        return True

    def _disk_takes(self, why: str = "", *, takes: bool) -> None:
        if not takes:
            self._failed_at = time.monotonic()
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
        while (self._in_flight or self._past()) and time.monotonic() < end:
            self._renew()
            self._poll(LINGER_S)
            self._turn()
        self._count_published()
        self._on_disk(lambda: self._spool.trim(self._clock_ms()))
        if lost := self._off_disk():
            self._metrics.add("gate_events_total", lost, outcome="disk_failed")
            log.error("%d events are lost: neither the disk nor Kafka has them", lost)
        left = self._spool.waiting()
        self._on_disk(self._spool.close)
        log.info("events are left to the next: %d", left)

    def _off_disk(self) -> int:
        """Return the number of unacknowledged events that are in no file.

        The disk did not take them, or the spool dropped them.
        """
        return self._in_flight + len(self._direct) - self._spool.outstanding() + self._past()

    def _past(self) -> int:
        """Return the number of events that bypassed the queue and have no delivery report yet."""
        return self._past_given - self._past_back

    def _say(self, sentence: str) -> None:
        """Log a message, unless it is the same as the last message."""
        if sentence != self._said:
            self._said = sentence
            log.warning("%s", sentence)
