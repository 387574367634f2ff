"""The Kafka side of an adapter: reads actions and overrides, publishes acknowledgements.

At start, the adapter reads all overrides, then all leases, and then follows both. It publishes the
outcome of each action. It commits an offset once the outcomes of all earlier records are published,
so a restart does not publish them again.

One process serves one gateway and reads all partitions. Its consumer group serves only to store
offsets. With them it stores a sign of life, by which commands know whom they have to wait for
(`streams.cluster.at_work`). No call in this module blocks for long: while the broker is down,
leases still end and unpublished records wait.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import AuthorizationError, KafkaError
from kafka.structs import OffsetAndMetadata

from detectors.leases.rails import utilisation
from detectors.model.records import Action
from detectors.thresholds import RAILS_ALARM_RATIO
from streams.cluster.at_work import ALIVE, ENDED, write_sign
from streams.cluster.read import LOOKING, Places, bear, partitions_of
from streams.common import UnavailableError, tr
from streams.config import Topics
from streams.gateways.enforce.ack_outbox import BLOCK_MS, AckOutbox
from streams.gateways.enforce.reconcile import Reconciler, Report
from streams.telemetry.metrics import Metrics
from streams.wire import (
    EVERYONE,
    Counts,
    UnreadableError,
    action_headers,
    action_key,
    decode_action,
    decode_override,
    encode_ack,
    encode_action,
    encode_counts,
    key_parts,
)
from streams.wire.desired_state import REMEMBER_MS, mode, rails_at, rails_times

log = logging.getLogger(__name__)

POLL_MS: Final = 50  # also the maximum delay between a finished order and its acknowledgement
CALM_POLL_MS: Final = 250
"""Poll timeout while no order is under way and no deadline is near. Only a new record can need
attention then, and a record ends the poll at once. One loop costs 0.7 ms even without work. At 20
loops per second that would add 8 µs to each of a gate's 3,000 answers."""
POLL_RECORDS: Final = 2_000
# large enough for the acknowledgements of one batch: each producer batch wakes the sender
BATCH_BYTES: Final = 262_144
COMMIT_S: Final = 1.0
ASK_S: Final = 5.0
"""Interval for committing unchanged offsets. The response shows that the broker is alive, and the
commit shows that the adapter is. Offsets that are never committed again expire."""
LOG_APPEND_TIME: Final = 1  # Kafka's timestamp type for a time set by the broker
STALE_S: Final = 20.0
"""Leases count as stale after this time without proof that they are current. The broker is asked
every 5 s. The alert about a silent broker starts at the same age."""
REBUILD_S: Final = 120.0
"""Time limit for reading the topics at start. Two days of leases take seconds to read; a broker
that needs longer has a problem."""

Position = tuple[TopicPartition, int]


class Adapter:
    """Runs until `stop` is set.

    `ready` is set once all leases are read and the gateway answers.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        clients: Mapping[str, Any],
        topics: Topics,
        group: str,
        metrics: Metrics,
        clock_ms: Callable[[], int],
        current_at: float | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """`clients` are the connection arguments for Kafka clients.

        `current_at` is the monotonic time when the leases of the previous adapter in this process
        were last current. `on_ready` is called once, when `ready` is set.
        """
        self._reconciler = reconciler
        self._topics = topics
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._consumer = KafkaConsumer(
            **clients,
            client_id=group,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=POLL_RECORDS,
            **LOOKING,
        )
        self._places = Places(self._consumer)
        self._outbox = AckOutbox(
            partial(
                KafkaProducer,
                **clients, client_id=group, acks="all", linger_ms=5, batch_size=BATCH_BYTES,
                max_block_ms=BLOCK_MS,
            )
        )  # fmt: skip
        self._counts = self._counts_topic()
        self._words = {topics.everyone, topics.override}
        self._told: dict[TopicPartition, int] = {}  # as committed before the start
        self._rebuilt: list[tuple[Action, Position, int | None]] | None = None
        self._commit_at = 0.0  # on the monotonic clock, as are `_asked_at` and `_broker_at`
        self._committed: dict[TopicPartition, int] = {}
        self._asked_at = 0.0
        self._broker_at = time.monotonic()
        metrics.follow("broker_silence_seconds", lambda: time.monotonic() - self._broker_at)
        self.current_at = self._broker_at if current_at is None else current_at
        metrics.follow("leases_age_seconds", lambda: time.monotonic() - self.current_at)
        self._rails_open = False
        self._rails_near = False
        self._rails_times = 1
        self._up: bool | None = None  # None: not known yet
        self.ready = threading.Event()
        self._on_ready = on_ready

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set. Raise UnavailableError if only a restart can help."""
        try:
            self._rebuild(stop)
            self._places.had_rights = True
            while not stop.is_set():
                calm = self._reconciler.calm(self._clock_ms(), CALM_POLL_MS)
                self._take(CALM_POLL_MS if calm else POLL_MS)
                self._turn()
                if not self._places.failing:
                    self.current_at = self._broker_at
            self._finish()
        finally:
            self._reconciler.close()
            self._outbox.producer.close(timeout=5)
            self._consumer.close()

    def unready(self) -> str:
        """Return why the leases are not current; an empty string if they are current.

        Thread-safe.
        """
        if not self.ready.is_set():
            return "reading the leases"
        age_s = time.monotonic() - self.current_at
        return f"the leases were current {age_s:.0f} s ago" if age_s > STALE_S else ""

    def _rebuild(self, stop: threading.Event) -> None:
        """Read all overrides and then all leases, before the first order to the gateway."""
        overrides = [each for name in self._words for each in partitions_of(self._consumer, name)]
        leases = partitions_of(self._consumer, self._topics.throttle)
        for partition, end in self._consumer.end_offsets([*overrides, *leases]).items():
            told = self._consumer.committed(partition) or 0
            # A committed offset beyond the end belongs to an earlier topic that was deleted.
            self._told[partition] = told if told <= end else 0
        self._read_whole(overrides, stop)
        self._rebuilt = []
        self._read_whole(leases, stop)
        self._enter_rebuilt()
        # An empty partition has no records from which its position could be learned.
        self._places.look()
        log.info("rebuilt: %d recipients", len(self._reconciler.book.touched_by(EVERYONE)))

    def _read_whole(self, new: list[TopicPartition], stop: threading.Event) -> None:
        """Read these partitions to their ends, and go on with those that are read already."""
        self._consumer.assign([*self._consumer.assignment(), *new])
        self._consumer.seek_to_beginning(*new)
        ends = self._consumer.end_offsets(new)
        deadline = time.monotonic() + REBUILD_S
        while any(self._consumer.position(each) < end for each, end in ends.items()):
            self._take(POLL_MS)
            if stop.is_set():
                return
            if time.monotonic() > deadline:
                raise UnavailableError(tr("the topics of leases could not be read to their ends"))

    def _take(self, timeout_ms: int) -> None:
        """Process polled records. An unreadable record is counted and logged, then skipped."""
        polled = self._places.follow(timeout_ms, POLL_RECORDS)
        # Overrides come first: a release and the lease that it ends may be in the same poll.
        for partition in sorted(polled, key=lambda each: each.topic not in self._words):
            enter = self._enter_word if partition.topic in self._words else self._enter_lease
            for record in polled[partition]:
                if record.value is None:
                    if partition.topic in self._words:
                        self._forget(partition.topic, record.key)
                    continue
                try:
                    enter(partition, record)
                except UnreadableError as error:
                    place = partition.topic, partition.partition, record.offset
                    # A traceback would show the record's content.
                    log.error("refused a %s record at %s[%d]@%d", error.kind, *place)  # noqa: TRY400
                    self._metrics.add("records_refused_total", kind=error.kind)

    def _enter_word(self, partition: TopicPartition, record: Any) -> None:
        word = decode_override(record.value)
        if partition.topic != self._topics.of_override(word.recipient):
            # Permission to write overrides for one recipient must not allow global overrides.
            raise UnreadableError
        told = record.offset < self._told.get(partition, 0)
        self._reconciler.override(word, (partition, record.offset), told=told)
        # An override that ends when it begins only cancels an earlier override.
        ends = word.expires_at_ms is not None and word.expires_at_ms <= word.issued_at_ms
        if word.verb not in ("mode", "rails") and not (told or ends):
            self._metrics.add("false_alarm_signals_total", kind=word.verb)

    def _enter_lease(self, partition: TopicPartition, record: Any) -> None:
        action, position = decode_action(record.value), (partition, record.offset)
        # A timestamp from the writer can be as wrong as the lease; a broker timestamp cannot.
        written_ms = record.timestamp if record.timestamp_type == LOG_APPEND_TIME else None
        now_ms = self._clock_ms()
        if self._rebuilt is None or action.expires_at_ms + REMEMBER_MS <= now_ms:
            self._enter_action(action, position, written_ms)
        else:
            self._rebuilt.append((action, position, written_ms))

    def _enter_action(self, action: Action, position: Position, written_ms: int | None) -> None:
        partition, offset = position
        told = offset < self._told.get(partition, 0)
        now_ms = self._clock_ms()
        self._reconciler.action(action, position, now_ms, told=told, written_ms=written_ms)

    def _enter_rebuilt(self) -> None:
        """Process the leases read at start, in the order in which they were issued.

        Partitions are read one after another. In that order the rails (limits on the number of
        leases) would count other rates and totals than when the leases were first processed.
        """
        leases, self._rebuilt = self._rebuilt or [], None
        for action, position, written_ms in sorted(leases, key=lambda each: each[0].issued_at_ms):
            self._enter_action(action, position, written_ms)

    def _forget(self, topic: str, key: bytes | None) -> None:
        """Process the tombstone of an override; ignore a key that does not belong to the topic."""
        parts = key_parts(key)
        if parts and topic == self._topics.of_override(parts[0]):
            self._reconciler.forget(*parts)

    def _turn(self) -> None:
        now_ms = self._clock_ms()
        self._publish(self._reconciler.step(now_ms))
        if time.monotonic() >= self._commit_at:
            self._commit_at = time.monotonic() + COMMIT_S
            self._commit()
        self._watch(now_ms)

    def _publish(self, report: Report) -> None:
        for ack in report.acks:
            self._outbox.put(self._topics.acks, ack.action_id.encode(), encode_ack(ack))
        for action in report.dead:
            headers = [*action_headers(action), ("gateway", self._reconciler.gateway_id.encode())]
            self._outbox.put(
                self._topics.undeliverable,
                action_key(action),
                encode_action(action),
                headers,
            )
        for counts in report.counts:
            if not (self._counts and self._tell_counts(counts)):
                break  # the next send might block for the same reason

    def _counts_topic(self) -> str:
        """Return the topic for counts, or "" if it is missing or not visible to this user.

        Enforcement works without counts. A send to a missing topic would block until the topic
        exists.
        """
        name = self._topics.counts
        if self._consumer.partitions_for_topic(name):
            return name
        log.warning(
            "no topic %s, or no right to see it: what is refused by platform is not told; "
            "`otpguard topics create` makes topics, `otpguard topics acls` lists the rights",
            name,
        )
        return ""

    def _tell_counts(self, counts: Counts) -> bool:
        """Publish the refused-message counts. Return False if they are lost, which is harmless."""
        try:
            sent = self._outbox.producer.send(
                self._counts, encode_counts(counts), key=counts.action_id.encode()
            )
        except KafkaError as error:
            self._no_counts(error)
            return False
        sent.add_errback(self._no_counts)
        return True

    def _no_counts(self, error: BaseException) -> None:
        if self._counts:
            log.warning("what is refused by platform is not told: %s", type(error).__name__)
        if isinstance(error, AuthorizationError):
            self._counts = ""

    def _commit(self) -> None:
        """Commit the offsets before which everything is published.

        After a crash, outcomes that are published but not committed are published again.
        """
        if self._outbox.look():
            self._broker_at = time.monotonic()
        if not self._outbox.waiting:
            safe = self._safe()
            if safe != self._committed or time.monotonic() - self._asked_at > ASK_S:
                self._asked_at = time.monotonic()
                try:
                    self._consumer.commit_async(
                        self._add_sign_of_life(safe, ALIVE), self._on_answer
                    )
                except KafkaError as error:
                    # Leases still end meanwhile; the metric of the broker's silence shows the
                    # problem.
                    bear(error)
                else:
                    self._committed = safe

    def _on_answer(self, _offsets: object, answer: object) -> None:
        if not isinstance(answer, Exception):
            self._broker_at = time.monotonic()

    def _safe(self) -> dict[TopicPartition, int]:
        """Return the offsets before which all outcomes are published, for known partitions.

        The positions are recorded here instead of asking the client. After a restart of its broker
        the client would answer only when the broker is back.
        """
        safe = dict(self._places.next)
        for partition, offset in self._reconciler.list_unsettled():
            safe[partition] = min(safe[partition], offset)
        return safe

    def _watch(self, now_ms: int) -> None:
        """Update gauges, and log each change of a state once."""
        reconciler = self._reconciler
        rails, params = reconciler.book.rails, rails_at(reconciler.book, now_ms)
        share = utilisation(params, rails, now_ms)
        if rails.open != self._rails_open:
            self._rails_open = rails.open
            log.warning("rails %s", "hold back new leases" if rails.open else "let leases in again")
        if (share >= RAILS_ALARM_RATIO) != self._rails_near:
            self._rails_near = not self._rails_near
            log.warning("leases are at %.0f %% of what the rails let in", share * 100)
        if reconciler.up != self._up and (reconciler.up or reconciler.away):
            self._up = reconciler.up
            name = reconciler.gateway_id
            if reconciler.up:
                log.info("gateway %s answers", name)
            else:
                log.warning("gateway %s is away, messages pass: %s", name, reconciler.away)
        if reconciler.up and not self.ready.is_set():
            self.ready.set()
            self._on_ready()
        times = rails_times(reconciler.book, now_ms)
        if times != self._rails_times:
            self._rails_times = times
            log.warning("rails let in %d times the leases of the settings", times)
        self._metrics.put("rails_raised_ratio", times)
        self._metrics.put("rails_open", rails.open)
        self._metrics.put("rails_load_ratio", share)
        self._metrics.put("gateway_up", reconciler.up)
        self._metrics.put("leases_held", len(reconciler.holds))
        self._metrics.put("actions_unacknowledged", reconciler.pending() + self._outbox.late)
        self._metrics.set_mode(mode(reconciler.book, now_ms))

    def _finish(self) -> None:
        """Publish and commit what is possible within seconds. A new adapter publishes the rest."""
        self._publish(self._reconciler.step(self._clock_ms()))
        try:
            self._outbox.producer.flush(timeout=5)
            self._outbox.look()
            if not self._outbox.waiting:
                self._consumer.commit(self._add_sign_of_life(self._safe(), ENDED), timeout_ms=5_000)
                return
        except KafkaError:
            pass
        log.warning("the broker is away; a successor will acknowledge again")

    def _add_sign_of_life(
        self, offsets: Mapping[TopicPartition, int], state: str
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        sign = write_sign(state, self._clock_ms())
        return {each: OffsetAndMetadata(offset, sign, -1) for each, offset in offsets.items()}
