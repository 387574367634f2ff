"""The worker's agent: applies polled records to the states, and publishes the decisions.

Its steps are decode, decide, publish. A state never changes across an `await`, and not while it is
copied. Therefore a checkpoint always sees the state at one offset, and all outputs of the earlier
events are already in the outbox.

An *envelope* holds the records that one poll returned for one partition. 20,000 records take up
to 0.4 s of CPU time, and several times longer on a busy machine. So the event loop gets control at
least once per tick (4,096 offsets). In a campaign (an attack on many recipients) a message costs
fifteen times as much as an ordinary one, and the event loop gets control more often.

The small envelopes of a poll are applied together, before the large ones. Few records per call are
expensive, because the fixed cost of the call is most of the cost.

A *tick* is a fixed range of `TICK_OFFSETS` offsets of a partition. If the worker is behind, the
incomplete tick at the end of an envelope waits for the next poll, because its other records are
already in the log. Per event, half a tick costs a third more than a whole one.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from detectors import chain
from detectors.model.event import TICK_OFFSETS
from streams import wire
from streams.common import ConfigError, UnavailableError, tr
from streams.config import Topics
from streams.engine.state.manager import Admission, AssignedPartition, StateManager
from streams.engine.state.outbox import Output
from streams.engine.transport.driver import Consumer
from streams.engine.transport.envelope import Envelope, Poll
from streams.engine.worker.dead_letter_limit import Letters
from streams.engine.worker.observe import Observer, time_stage
from streams.engine.worker.reader import Reader, records_of
from streams.wire.events import BLOCK
from streams.wire.layout import ROWS_MIN

log = logging.getLogger(__name__)

OUTBOX_MAX: Final = 10_000
"""Number of outputs of a partition that may wait for the broker; with more, its events wait too."""

TURNS_TO_SEND: Final = 5
"""Turns of the event loop until the producer's tasks have sent a record; three pass before the
connection has the record. With one turn, a lease waited while two more parts of its poll were
processed."""

APPLIED_S: Final = 0.1
SPAN_MIN: Final = 256
"""Minimum number of records that are applied at once. The worker chooses the number so that, by its
latest measurements, they take `APPLIED_S` seconds. The maximum is one tick, which takes 25 ms with
ordinary traffic. In a campaign a whole tick took 0.5 s: the loop was blocked, and the first lease
waited for the last."""

SMALL: Final = ROWS_MIN
"""Number of records from which an envelope is applied alone. Its values are then parsed by their
layouts, and the fixed cost per call matters little."""

_AHEAD: Final = wire.RejectReason.AHEAD_OF_LOG


@dataclass(slots=True)
class Detector:
    """Turns records into decisions; holds all parts that the agent needs."""

    params: chain.Params
    reader: Reader
    topics: Topics
    states: StateManager
    observer: Observer
    letters: Letters
    now: Callable[[], float] = time.monotonic
    # Number of offsets that are applied at once.
    _span: int = field(default=TICK_OFFSETS, init=False)

    async def handle(self, poll: Poll, consumer: Consumer) -> None:
        """Apply the records of a poll to the states, or have them read again."""
        waiting = poll.take()
        for group in _groups(waiting, min(BLOCK, self._span)):
            applied = await self._handle_together(group)
            waiting = [each for each in waiting if each.partition not in applied]
        waiting.reverse()
        while waiting:  # An envelope is released as soon as it is processed.
            await self._handle(waiting.pop(), consumer)

    async def _handle(self, envelope: Envelope, consumer: Consumer) -> None:
        assigned = self.states.partitions.get(envelope.partition)
        if assigned is None or assigned.next is None:
            return
        for each in envelope.pieces(TICK_OFFSETS):
            if not self._at_work(assigned):
                # The records came before a rebalance, or one has begun: the rest will be read
                # again.
                return
            piece = each
            if assigned.deferred is not None and assigned.deferred.next_offset == each.start:
                piece = each.after(assigned.deferred)
            assigned.deferred = None
            admission = assigned.admit(piece)
            if admission is Admission.DUPLICATE:
                continue
            if admission is not Admission.APPLY:
                await self._amiss(admission, assigned, piece, consumer)
            if admission is Admission.REFETCH:
                return
            if (piece := piece.since(assigned.next)).ends_early(TICK_OFFSETS):
                assigned.deferred = piece.alone()
                return
            for part in piece.pieces(self._span):
                async with assigned.state_lock:
                    if not self._at_work(assigned):
                        return
                    self._apply(assigned, part)
                await self._publish((assigned,))

    async def _handle_together(self, envelopes: Sequence[Envelope]) -> Collection[int]:
        """Apply together the envelopes that can be applied whole; return their partitions.

        Such an envelope begins at the next offset of its partition, and needs no special handling
        (see `_follows`). If there are fewer than two of them, apply none. The caller handles all
        other envelopes one by one.
        """
        ready = {}
        for envelope in envelopes:
            assigned = self.states.partitions.get(envelope.partition)
            if assigned is not None and self._at_work(assigned) and _follows(assigned, envelope):
                ready[envelope.partition] = assigned, envelope
        if len(ready) < 2:
            return ()
        self._apply_together(list(ready.values()))
        await self._publish([assigned for assigned, _ in ready.values()])
        return ready.keys()

    async def _publish(self, applied: Sequence[AssignedPartition]) -> None:
        """Publish what was decided, then let other tasks run, so that the records are sent."""
        waiting = [assigned for assigned in applied if assigned.outbox.waiting]
        with time_stage(self.observer.metrics, "publish"):
            for assigned in waiting:
                await assigned.outbox.push()
        for assigned in applied:
            if len(assigned.outbox) > OUTBOX_MAX:
                await assigned.outbox.settle(assigned.outbox.mark)
        for _ in range(TURNS_TO_SEND if waiting else 1):
            await asyncio.sleep(0)

    def _apply_together(self, ready: Sequence[tuple[AssignedPartition, Envelope]]) -> None:
        """Apply the records of several partitions, without an `await`."""
        began = self.now()
        decoded, rejects, codes = self.reader.read_together([envelope for _, envelope in ready])
        with time_stage(self.observer.metrics, "detect"):
            decided = chain.process_together(
                self.params, [assigned.state for assigned, _ in ready], decoded.batch, codes
            )
        for (assigned, envelope), refused, decisions in zip(ready, rejects, decided, strict=True):
            if decisions.ahead:
                records = records_of(envelope)
                decoded = wire.refuse(decoded, _AHEAD, decisions.ahead, records)
                refused.extend(wire.refusals(_AHEAD, decisions.ahead, records))
                refused.sort(key=attrgetter("offset"))
            told = decisions.actions or decisions.episodes or decisions.incidents or decisions.parts
            if refused or told:
                assigned.outbox.add(self._outputs(assigned.partition, refused, decisions))
            assigned.next = envelope.next_offset
        self.states.progress += len(ready)
        self.observer.count_batch(
            decoded,
            {assigned.partition: some for (assigned, _), some in zip(ready, decided, strict=True)},
        )
        self._pace(sum(len(envelope.values) for _, envelope in ready), self.now() - began)

    async def _amiss(
        self, admission: Admission, assigned: AssignedPartition, piece: Envelope, consumer: Consumer
    ) -> None:
        """Handle a wrong offset: have missing records read again, or report that they are lost.

        Raises ConfigError if the log was recreated, UnavailableError if another worker is ahead.
        """
        assert assigned.next is not None
        match admission:
            case Admission.REFETCH:
                log.info(
                    "partition %d: expected %d, got %d; reading again",
                    assigned.partition,
                    assigned.next,
                    piece.start,
                )
                await consumer.seek_to({assigned.partition: assigned.next})
            case Admission.LOG_RESET:
                raise ConfigError(
                    tr(
                        "partition {partition}: the state ends at offset {next}, but the log "
                        "at {end}: the input was truncated or created again; raise `epoch`"
                    ).format(partition=assigned.partition, next=assigned.next, end=piece.highwater)
                )
            case Admission.GAP:
                if assigned.overtaken(await consumer.newest_commit(assigned.partition)):
                    raise UnavailableError(
                        tr("partition {partition}: another worker is past offset {next}").format(
                            partition=assigned.partition, next=assigned.next
                        )
                    )
                self.observer.metrics.add("offset_gaps_total")
                log.error(
                    "partition %d: offsets %d to %d are gone from the log; going on without them",
                    assigned.partition,
                    assigned.next,
                    piece.start,
                )

    def _at_work(self, assigned: AssignedPartition) -> bool:
        return self.states.positioned and self.states.partitions.get(assigned.partition) is assigned

    def _apply(self, assigned: AssignedPartition, envelope: Envelope) -> None:
        """Apply at most the records between two ticks: their strings are still in the CPU cache.

        The chain stops at each tick in any case.
        """
        began = self.now()
        decoded, codes = self.reader.read(envelope)
        with time_stage(self.observer.metrics, "detect"):
            decisions = chain.process(self.params, assigned.state, decoded.batch, codes)
        if decisions.ahead:
            decoded = wire.refuse(decoded, _AHEAD, decisions.ahead, records_of(envelope))
        assigned.outbox.add(self._outputs(envelope.partition, decoded.rejects, decisions))
        assigned.next = envelope.next_offset
        self.states.progress += 1
        self.observer.count_batch(decoded, {assigned.partition: decisions})
        self._pace(len(envelope.values), self.now() - began)

    def _pace(self, records: int, spent_s: float) -> None:
        """Choose how many records to apply next, from the time that the last records took.

        The number is a power of two, so that a part ends at every tick. The number changes no
        decision.
        """
        if records >= SPAN_MIN:
            fitting = int(records * APPLIED_S / max(spent_s, 1e-6))
            span = 1 << max(fitting, SPAN_MIN).bit_length() - 1
            self._span = min(span, TICK_OFFSETS)

    def _outputs(
        self, partition: int, rejects: Sequence[wire.Reject], decisions: chain.Decisions
    ) -> Iterator[Output]:
        for action in decisions.actions:
            yield Output(
                self.topics.throttle,
                wire.action_key(action),
                wire.encode_action(action),
                wire.action_headers(action),
                action.issued_at_ms,
            )
        for record in decisions.episodes:
            yield Output(
                self.topics.episode,
                record.recipient.encode(),
                wire.encode_episode(record),
                wire.episode_headers(record),
            )
        for incident in decisions.incidents:
            yield Output(
                self.topics.incident,
                incident.recipient.encode(),
                wire.encode_incident(incident),
                wire.incident_headers(incident),
            )
        for part in decisions.parts:
            yield Output(
                self.topics.platform_parts,
                str(partition).encode(),
                wire.encode_part(part),
                wire.part_headers(part, self.states.topic),
            )
        for reject in self.letters.admit(partition, rejects):
            yield Output(
                self.topics.dead_letters, *wire.dead_letter(reject, self.states.topic, partition)
            )


def _groups(polled: Sequence[Envelope], most: int) -> Iterator[list[Envelope]]:
    """Yield groups of the small envelopes, each with at most `most` records."""
    group: list[Envelope] = []
    records = 0
    for envelope in polled:
        number = len(envelope.values)
        if number >= SMALL:
            continue
        if group and records + number > most:
            yield group
            group, records = [], 0
        group.append(envelope)
        records += number
    if group:
        yield group


def _follows(assigned: AssignedPartition, envelope: Envelope) -> bool:
    """Return true if the envelope continues its partition exactly, and nothing must be awaited."""
    return (
        assigned.next == envelope.start < envelope.next_offset <= envelope.highwater
        and assigned.deferred is None
        and not assigned.state_lock.locked()
        and not envelope.refused
        and not envelope.ends_early(TICK_OFFSETS)
    )
