"""Sends small test floods to reserved numbers, to check that a real flood would be stopped.

The messages go to the input topic only, so no phone receives them. The answers show that the whole
path works: topic, worker, adapter and, in enforce mode, the gateway.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from detectors.model.records import Action
from streams.cluster.read import LOOKING, Places, partitions_of
from streams.common import UnavailableError, clock
from streams.config import Canary, Topics
from streams.telemetry.metrics import Metrics
from streams.tools.scenarios.message_writer import MessageWriter
from streams.wire import UnreadableError, decode_ack, decode_action

log = logging.getLogger(__name__)

GATEWAY: Final = "canary"  # Shown as a separate gateway in the metrics.
# Number of platforms that the number knows. Must exceed `detect.cold_known`; otherwise its leases
# stay in shadow mode.
MEMORY: Final = 8
FLOOD_MAX: Final = 24  # Number of messages; a burst is throttled after 5 to 8.
PACE_S: Final = 0.2
POLL_MS: Final = 50
# Acknowledgements stored in one run; no gateway sends more within a minute.
ACKS_MAX: Final = 10_000


class CanaryOutcome(StrEnum):
    """Possible results of a run."""

    APPLIED = "applied"  # The gateway enforces the lease.
    # An adapter read the lease but may not enforce it: shadow mode, kill switch, too many leases.
    IGNORED = "ignored"
    LEASED = "leased"  # There is a lease; no acknowledgement was required.
    FAILED = "failed"  # The gateway did not accept the lease.
    UNACKNOWLEDGED = "unacknowledged"  # There is a lease, but no adapter acknowledged it.
    MISSED = "missed"  # There is no lease.


GOOD: Final = frozenset({CanaryOutcome.APPLIED, CanaryOutcome.IGNORED, CanaryOutcome.LEASED})


@dataclass(slots=True)
class Run:
    """One test flood and the answers to it."""

    recipient: str
    began: float  # Wall-clock time in seconds, before the first message of the flood.
    action_id: str = ""  # Id of the action with the first lease.
    throttled_s: float = 0.0  # Seconds from the first message to the lease; 0 without a lease.
    acknowledged_s: float = 0.0  # Seconds from the first message to the acknowledgement.
    # Action id -> state, for all actions acknowledged during the run.
    states: dict[str, str] = field(default_factory=dict)
    waited_s: int = 0  # Whole seconds since the first message.
    # Monotonic time in seconds, for measurements.
    began_timer: float = field(default_factory=time.monotonic)

    @property
    def is_acknowledged(self) -> bool:
        return self.action_id in self.states


def number(settings: Canary, turn: int) -> str:
    """Return the recipient for a run of the daemon; it is used again after all others."""
    return str(int(settings.first) + turn % settings.turns)


def spare_number(settings: Canary) -> str:
    """Return a recipient for a manual flood, from the last tenth; changes every second."""
    spare = settings.numbers - settings.turns
    return str(int(settings.first) + settings.turns + int(time.time()) % spare)


def history(recipient: str, now_ms: int) -> Iterator[dict[str, Any]]:
    """Yield earlier codes, so that the recipient has known platforms."""
    for event in _writer(recipient).history(now_ms):
        yield event.value | {"recipient": recipient, "gateway_id": GATEWAY}


def flood(recipient: str) -> Iterator[dict[str, Any]]:
    """Yield codes of platforms unknown to the recipient.

    Each code gets the time at which it is taken from the iterator.
    """
    writer = _writer(recipient)
    run = clock.now_ms()
    for nth, platform in enumerate(writer.strangers(FLOOD_MAX)):
        value = writer.code(clock.now_ms(), platform).value
        own = {"recipient": recipient, "gateway_id": GATEWAY, "message_id": f"canary-{run}-{nth}"}
        yield value | own


def _writer(recipient: str) -> MessageWriter:
    """Return a writer whose platforms depend only on the number, so known ones stay the same."""
    return MessageWriter("canary", int(recipient), 0, MEMORY)


class Watch:
    """Sends floods, and waits for their leases and acknowledgements."""

    def __init__(
        self,
        settings: Canary,
        clients: Mapping[str, Any],
        topics: Topics,
        metrics: Metrics,
        show: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`clients` are the arguments with which Kafka clients connect to the cluster.

        `show` is called with the seconds that passed while a flood waits for its lease.
        """
        self._show = show
        self.latest: Run | None = None  # The run that began last; it may still be going on.
        self._settings = settings
        self._topics = topics
        self._metrics = metrics
        self._producer = KafkaProducer(**clients, client_id="otpguard-canary", acks="all")
        self._consumer = KafkaConsumer(**clients, client_id="otpguard-canary", **LOOKING)
        self._start_reading()
        # Until the first run ends, the start counts as a success, so that no alert fires too early.
        metrics.put("canary_last_success_timestamp_seconds", time.time())

    def run(self, stop: threading.Event, *, acknowledged: bool = True) -> None:
        """Start a run at every multiple of the period, so that a restart floods no number twice."""
        period_s = self._settings.period_s
        while not stop.is_set():
            turn = int(time.time() // period_s) + 1
            if stop.wait(turn * period_s - time.time()):
                break
            self.flood(number(self._settings, turn), acknowledged=acknowledged)

    def flood(self, recipient: str, *, acknowledged: bool = True) -> CanaryOutcome:
        """Run one flood, and update the metrics; `is_acknowledged`: wait for an adapter too."""
        try:
            run = self._flood(recipient, acknowledged=acknowledged)
        except (KafkaError, UnavailableError) as error:
            log.warning("the broker is away: %s", type(error).__name__)
            outcome = CanaryOutcome.MISSED
        else:
            outcome = outcome_of(run, acknowledged=acknowledged)
            if run.action_id:
                self._metrics.put("canary_throttle_seconds", run.throttled_s)
            if run.is_acknowledged:
                self._metrics.put("canary_acknowledge_seconds", run.acknowledged_s)
        self._metrics.add("canary_runs_total", outcome=outcome)
        if outcome in GOOD:
            self._metrics.put("canary_last_success_timestamp_seconds", time.time())
        log.info("the flood was %s", outcome)
        return outcome

    def close(self) -> None:
        self._producer.close(timeout=5)
        self._consumer.close()

    def _flood(self, recipient: str, *, acknowledged: bool) -> Run:
        self._start_reading()
        for value in history(recipient, clock.now_ms()):
            self._send(value)
        self._producer.flush(timeout=self._settings.deadline_s)
        self.latest = run = Run(recipient, time.time())
        end = time.monotonic() + self._settings.deadline_s
        for value in flood(recipient):
            self._send(value)
            due = time.monotonic() + PACE_S
            while not run.action_id and time.monotonic() < due:
                self._take(run)
            if run.action_id:
                break
        while time.monotonic() < end and not (
            run.is_acknowledged if acknowledged else run.action_id
        ):
            self._take(run)
        return run

    def _start_reading(self) -> None:
        """Move to the ends of the topics, as they are now. Raise ConfigError if one is missing."""
        topics = self._topics.throttle, self._topics.acks
        places = [place for topic in topics for place in partitions_of(self._consumer, topic)]
        self._consumer.assign(places)
        self._consumer.seek_to_end()
        for place in places:
            # Seeks are lazy: this fixes the position before the first message.
            self._consumer.position(place)
        self._places = Places(self._consumer)

    def _send(self, value: Mapping[str, Any]) -> None:
        key = str(value["recipient"]).encode()
        self._producer.send(self._topics.input, json.dumps(value).encode(), key=key)

    def _take(self, run: Run) -> None:
        """Process the records that arrived; an acknowledgement may be read before its lease."""
        waited_s = int(time.monotonic() - run.began_timer)
        self._show(waited_s - run.waited_s)
        run.waited_s = waited_s
        for place, records in self._places.poll(POLL_MS).items():
            for record in records:
                if record.value is None:
                    continue
                try:
                    if place.topic == self._topics.acks:
                        ack = decode_ack(record.value)
                        if len(run.states) < ACKS_MAX:
                            run.states.setdefault(ack.action_id, ack.state)
                    elif record.key == run.recipient.encode():
                        self._lease(run, decode_action(record.value))
                except UnreadableError as error:
                    self._metrics.add("records_refused_total", kind=error.kind)
                    position = place.topic, place.partition, record.offset
                    log.warning("passed over a %s record at %s[%d]@%d", error.kind, *position)
        if run.is_acknowledged and not run.acknowledged_s:
            run.acknowledged_s = time.monotonic() - run.began_timer

    def _lease(self, run: Run, action: Action) -> None:
        """Store the first lease that this flood caused."""
        new = action.verb == "throttle" and action.issued_at_ms >= int(run.began * 1000)
        if new and not run.action_id:
            run.action_id = action.action_id
            run.throttled_s = time.monotonic() - run.began_timer


def outcome_of(run: Run, *, acknowledged: bool) -> CanaryOutcome:
    """Return the outcome of a run.

    >>> outcome_of(Run("8617000000000", 0.0), acknowledged=True)
    <CanaryOutcome.MISSED: 'missed'>
    """
    if not run.action_id:
        return CanaryOutcome.MISSED
    if not acknowledged:
        return CanaryOutcome.LEASED
    state = run.states.get(run.action_id)
    if state is None:
        return CanaryOutcome.UNACKNOWLEDGED
    return {"applied": CanaryOutcome.APPLIED, "ignored": CanaryOutcome.IGNORED}.get(
        state, CanaryOutcome.FAILED
    )
