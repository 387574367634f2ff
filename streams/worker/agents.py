"""The one agent: an envelope of records in, what the chain decided out.

Decode, call, publish. A state changes with no await in between, and not while it is copied, so a
checkpoint always sees it at one offset, with everything its events made already in the outbox. An
envelope of 20,000 records takes up to .4 s of CPU when all of them are new to the worker, and a
multiple of that in time on a busy machine; the loop is let go at every tick in it.

Where the worker is behind, the end of an envelope waits for the rest of its tick, which the log
already holds: half a tick costs a third more an event than a whole one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from detectors import chain
from detectors.model.event import TICK_OFFSETS
from streams import wire
from streams.errors import ConfigError, UnavailableError
from streams.state.manager import Admission, AssignedPartition, StateManager
from streams.state.outbox import Output
from streams.worker.letters import Letters
from streams.worker.observe import Observer, timed
from streams.worker.reader import Reader

if TYPE_CHECKING:
    from streams.config import Topics
    from streams.transport.driver import Consumer, Envelope

log = logging.getLogger(__name__)

OUTBOX_MAX: Final = 10_000
"""Outputs of a partition that may wait for the broker before its events wait too."""


def records_of(envelope: Envelope) -> wire.Records:
    """The same records, as the wire knows them."""
    return wire.Records(
        envelope.partition,
        envelope.next_offset,
        envelope.values,
        envelope.keys,
        np.asarray(envelope.offsets, np.int64),
        np.asarray(envelope.timestamps_ms, np.int64),
    )


@dataclass(slots=True)
class Detector:
    """All by which the agent turns records into decisions."""

    params: chain.Params
    reader: Reader
    topics: Topics
    states: StateManager
    observer: Observer
    letters: Letters

    async def handle(self, envelope: Envelope, consumer: Consumer) -> None:
        """Apply an envelope to its partition's state, or have its records read again."""
        if envelope.poll is not None and (polled := envelope.poll.take()):
            self.reader.expect(polled)
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
            async with assigned.state_lock:
                if not self._at_work(assigned):
                    return
                self._apply(assigned, piece)
            with timed(self.observer.metrics, "publish"):
                await assigned.outbox.push()
            if len(assigned.outbox) > OUTBOX_MAX:
                await assigned.outbox.settle(assigned.outbox.mark)
            await asyncio.sleep(0)

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
                    f"partition {assigned.partition}: the state ends at offset {assigned.next}, "
                    f"the log at {piece.highwater}: the input was cut or created anew; "
                    "raise `epoch`"
                )
            case Admission.GAP:
                if assigned.overtaken(await consumer.newest_commit(assigned.partition)):
                    raise UnavailableError(
                        f"partition {assigned.partition}: "
                        f"another worker is past offset {assigned.next}"
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
        decoded, codes = self.reader.read(envelope)
        with timed(self.observer.metrics, "detect"):
            decisions = chain.process(self.params, assigned.state, decoded.batch, codes)
        if decisions.ahead:
            decoded = wire.refuse(
                decoded, wire.RejectReason.AHEAD_OF_LOG, decisions.ahead, records_of(envelope)
            )
        assigned.outbox.add(self._outputs(envelope.partition, decoded, decisions))
        assigned.next = envelope.next_offset
        self.states.progress += 1
        self.observer.applied(assigned.partition, decoded, decisions)

    def _outputs(
        self, partition: int, decoded: wire.Decoded, decisions: chain.Decisions
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
        for reject in self.letters.admit(partition, decoded.rejects):
            yield Output(
                self.topics.dead_letters, *wire.dead_letter(reject, self.states.topic, partition)
            )
