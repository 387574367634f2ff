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
    """The parts by which the agent turns records into decisions."""

    params: chain.Params
    reader: Reader
    topics: Topics
    keeper: StateManager
    observer: Observer
    letters: Letters

    async def handle(self, envelope: Envelope, consumer: Consumer) -> None:
        """Apply an envelope to its partition's state, or have its records read again."""
        if envelope.poll is not None and (polled := envelope.poll.take()):
            self.reader.expect(polled)
        part = self.keeper.parts.get(envelope.partition)
        if part is None or part.next is None:
            return
        for each in envelope.pieces(TICK_OFFSETS):
            if not self._at_work(part):
                return  # from before a rebalance, or one began: what is left will be read again
            piece = each
            if part.waiting is not None and part.waiting.next_offset == each.start:
                piece = each.after(part.waiting)
            part.waiting = None
            admission = part.admit(piece)
            if admission is Admission.SEEN:
                continue
            if admission is not Admission.APPLY:
                await self._amiss(admission, part, piece, consumer)
            if admission is Admission.SEEK:
                return
            if (piece := piece.since(part.next)).ends_early(TICK_OFFSETS):
                part.waiting = piece.alone()
                return
            async with part.still:
                if not self._at_work(part):
                    return
                self._apply(part, piece)
            with timed(self.observer.metrics, "publish"):
                await part.outbox.push()
            if len(part.outbox) > OUTBOX_MAX:
                await part.outbox.settle(part.outbox.mark)
            await asyncio.sleep(0)

    async def _amiss(
        self, admission: Admission, part: AssignedPartition, piece: Envelope, consumer: Consumer
    ) -> None:
        """Have records read again that are missing before a piece, or say that they are lost.

        Raises ConfigError if the log is another one, UnavailableError if the state is not newest.
        """
        assert part.next is not None
        match admission:
            case Admission.SEEK:
                log.info(
                    "partition %d: expected %d, got %d; reading again",
                    part.partition,
                    part.next,
                    piece.start,
                )
                await consumer.seek_to({part.partition: part.next})
            case Admission.AHEAD:
                raise ConfigError(
                    f"partition {part.partition}: the state ends at offset {part.next}, the log at "
                    f"{piece.highwater}: the input was cut or created anew; raise `epoch`"
                )
            case Admission.LOST:
                if part.overtaken(await consumer.newest_commit(part.partition)):
                    raise UnavailableError(
                        f"partition {part.partition}: another worker is past offset {part.next}"
                    )
                self.observer.metrics.add("offset_gaps_total")
                log.error(
                    "partition %d: offsets %d to %d are gone from the log; going on without them",
                    part.partition,
                    part.next,
                    piece.start,
                )

    def _at_work(self, part: AssignedPartition) -> bool:
        return self.keeper.placed and self.keeper.parts.get(part.partition) is part

    def _apply(self, part: AssignedPartition, envelope: Envelope) -> None:
        """Take some records in; up to a tick, so that their strings still lie in the cache.

        The chain stops at a tick anyhow.
        """
        decoded, codes = self.reader.read(envelope)
        with timed(self.observer.metrics, "detect"):
            decisions = chain.process(self.params, part.state, decoded.batch, codes)
        if decisions.ahead:
            decoded = wire.refuse(
                decoded, wire.RejectReason.AHEAD_OF_LOG, decisions.ahead, records_of(envelope)
            )
        part.outbox.add(self._outputs(envelope.partition, decoded, decisions))
        part.next = envelope.next_offset
        self.keeper.progress += 1
        self.observer.applied(part.partition, decoded, decisions)

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
                self.topics.dead_letters, *wire.dead_letter(reject, self.keeper.topic, partition)
            )
