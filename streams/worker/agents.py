"""The one agent: polls of records in, what the chain decided out.

Decode, call, publish. A state changes with no await in between, and not while it is copied, so a
checkpoint always sees it at one offset, with everything its events made already in the outbox. An
envelope of 20,000 records takes up to .4 s of CPU when all of them are new to the worker, and a
multiple of that in time on a busy machine; the loop is let go at every tick in it, and more often
in a campaign, whose messages cost fifteen times as much.

The small envelopes of a poll are applied together, before the large ones: most of what an event
costs at a live rate is paid once for each call.

Where the worker is behind, the end of an envelope waits for the rest of its tick, which the log
already holds: half a tick costs a third more an event than a whole one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from detectors import chain
from detectors.model.event import TICK_OFFSETS
from streams import wire
from streams.errors import ConfigError, UnavailableError
from streams.language import tr
from streams.state.manager import Admission, AssignedPartition, StateManager
from streams.state.outbox import Output
from streams.wire.events import BLOCK
from streams.wire.layout import ROWS_MIN
from streams.worker.letters import Letters
from streams.worker.observe import Observer, timed
from streams.worker.reader import Reader, records_of

if TYPE_CHECKING:
    from streams.config import Topics
    from streams.transport.driver import Consumer
    from streams.transport.envelope import Envelope, Poll

log = logging.getLogger(__name__)

OUTBOX_MAX: Final = 10_000
"""Outputs of a partition that may wait for the broker before its events wait too."""

TURNS_TO_SEND: Final = 5
"""Turns of the loop until the producer's tasks have put a record on the wire: three until they hand
it to the connection. With one turn a lease waited while two more parts of its poll were at work."""

APPLIED_S: Final = 0.1
SPAN_MIN: Final = 256
"""As many records are applied at once as take so long, going by the last ones; but no more than a
tick's worth, which ordinary traffic fills in 25 ms, and not fewer than this. In a campaign a tick's
worth took .5 s, for which the loop was silent and the first lease waited for the last."""

SMALL: Final = ROWS_MIN
"""Records from which an envelope is applied by itself: then its values are read by their layouts,
and what is paid once for it is little."""

_AHEAD: Final = wire.RejectReason.AHEAD_OF_LOG


@dataclass(slots=True)
class Detector:
    """All by which the agent turns records into decisions."""

    params: chain.Params
    reader: Reader
    topics: Topics
    states: StateManager
    observer: Observer
    letters: Letters
    now: Callable[[], float] = time.monotonic
    _span: int = field(default=TICK_OFFSETS, init=False)  # offsets that are applied at once

    async def handle(self, poll: Poll, consumer: Consumer) -> None:
        """Apply what a poll brought to the states, or have its records read again."""
        waiting = poll.take()
        for group in _groups(waiting, min(BLOCK, self._span)):
            applied = await self._handle_together(group)
            waiting = [each for each in waiting if each.partition not in applied]
        waiting.reverse()
        while waiting:  # no envelope is held for longer than it is at work
            await self._handle(waiting.pop(), consumer)

    async def _handle(self, envelope: Envelope, consumer: Consumer) -> None:
        assigned = self.states.partitions.get(envelope.partition)
        if assigned is None or assigned.next is None:
            return
        for each in envelope.pieces(TICK_OFFSETS):
            if not self._at_work(assigned):
                return  # from before a rebalance, or one began: what is left will be read again
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
                published = assigned.outbox.waiting
                with timed(self.observer.metrics, "publish"):
                    await assigned.outbox.push()
                if len(assigned.outbox) > OUTBOX_MAX:
                    await assigned.outbox.settle(assigned.outbox.mark)
                await _let_go(published=published)

    async def _handle_together(self, envelopes: Sequence[Envelope]) -> Collection[int]:
        """Apply those that are exactly what follows; return their partitions."""
        ready = {}
        for envelope in envelopes:
            assigned = self.states.partitions.get(envelope.partition)
            if assigned is not None and self._at_work(assigned) and _follows(assigned, envelope):
                ready[envelope.partition] = assigned, envelope
        if len(ready) < 2:
            return ()
        self._apply_together(list(ready.values()))
        waiting = [assigned for assigned, _ in ready.values() if assigned.outbox.waiting]
        with timed(self.observer.metrics, "publish"):
            for assigned in waiting:
                await assigned.outbox.push()
        for assigned, _ in ready.values():
            if len(assigned.outbox) > OUTBOX_MAX:
                await assigned.outbox.settle(assigned.outbox.mark)
        await _let_go(published=bool(waiting))
        return ready.keys()

    def _apply_together(self, ready: Sequence[tuple[AssignedPartition, Envelope]]) -> None:
        """Take the records of several partitions in; no await, as for one."""
        began = self.now()
        decoded, rejects, codes = self.reader.read_together([envelope for _, envelope in ready])
        with timed(self.observer.metrics, "detect"):
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
        self.observer.applied(
            decoded,
            {assigned.partition: some for (assigned, _), some in zip(ready, decided, strict=True)},
        )
        self._pace(sum(len(envelope.values) for _, envelope in ready), self.now() - began)

    async def _amiss(
        self, admission: Admission, assigned: AssignedPartition, piece: Envelope, consumer: Consumer
    ) -> None:
        """Have records read again that are missing before a piece, or say that they are lost.

        Raises ConfigError if the log is another one, UnavailableError if the state is not newest.
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
                        "partition {partition}: the state ends at offset {next}, the log at {end}: "
                        "the input was cut or created anew; raise `epoch`"
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
        """Take some records in; up to a tick, so that their strings still lie in the cache.

        The chain stops at a tick anyhow.
        """
        began = self.now()
        decoded, codes = self.reader.read(envelope)
        with timed(self.observer.metrics, "detect"):
            decisions = chain.process(self.params, assigned.state, decoded.batch, codes)
        if decisions.ahead:
            decoded = wire.refuse(decoded, _AHEAD, decisions.ahead, records_of(envelope))
        assigned.outbox.add(self._outputs(envelope.partition, decoded.rejects, decisions))
        assigned.next = envelope.next_offset
        self.states.progress += 1
        self.observer.applied(decoded, {assigned.partition: decisions})
        self._pace(len(envelope.values), self.now() - began)

    def _pace(self, records: int, spent_s: float) -> None:
        """Choose the span of what is applied next, by how long so many records took.

        A power of two, so that a part ends at every tick. The cuts change no decision.
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
                action.recipient.encode(),
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


async def _let_go(*, published: bool) -> None:
    """Let others have the loop; what was just published is then on its way."""
    for _ in range(TURNS_TO_SEND if published else 1):
        await asyncio.sleep(0)


def _groups(polled: Sequence[Envelope], most: int) -> Iterator[list[Envelope]]:
    """The small ones among these, at most so many records together."""
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
    """Tell if nothing is amiss with the envelope, and nothing to wait for."""
    return (
        assigned.next == envelope.start < envelope.next_offset <= envelope.highwater
        and assigned.deferred is None
        and not assigned.state_lock.locked()
        and not envelope.refused
        and not envelope.ends_early(TICK_OFFSETS)
    )
