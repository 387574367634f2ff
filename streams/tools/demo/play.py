"""Plays a script against a real worker, with a simulated gateway in the loop.

Gateway and worker communicate only through Kafka. Every message is sent to the topic when the event
clock reaches its time, whether or not the gateway delivers it. A consumer reads the output of the
worker, and the overrides of a person at the desk. It passes both to the gateway at once.

The clock does not wait for the worker. A late decision therefore comes too late for the messages in
between, as it would at a carrier. There is one exception. A person requests a code again after a
minute, and a worker answers within a second. At 240 times the speed, that minute takes only a
quarter of a second. Therefore the clock stops before this request. The stop lasts, in real time, at
most as long as the person waited.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from detectors.leases.gateway_rule import Ruling
from detectors.model.records import Action
from streams.common import OtpguardError, tr
from streams.config import Topics
from streams.tools.demo.audience import Audience
from streams.tools.demo.demo_gateway import StandInGateway
from streams.tools.demo.desk_process import DeskProcess
from streams.tools.demo.event_clock import EventClock
from streams.tools.demo.stage import WorkerProcess
from streams.wire import Ack, decode_action, decode_override, encode_ack, encode_counts
from streams.wire.partitioner import partition_of

BATCH_BYTES = 256 * 1024
"""Batch size for the messages of the days before. Chosen: a few hundred messages, so that each
request carries enough data."""

QUIET_S = 2.0
"""Seconds without a new record after which the output topics count as read to the end."""

COUNT_S = 180.0
"""Longest time in seconds that a worker may be behind. Measured: 4 to 8 s after the history of a
week; a busy machine takes many times longer."""


ANNOUNCED = {
    "watch": "WATCH: the detector has noticed",
    "throttle": "THROTTLE: the detector has asked for a lease",
}
"""Levels of the victim's episode that are announced when it reaches them."""

_partition_of = cache(partition_of)


@dataclass(frozen=True, slots=True)
class Offer:
    """One message to be sent to the topic, encoded in advance."""

    recipient: str  # Canonical number, which is also the key.
    event_time_ms: int
    value: Mapping[str, Any]
    body: bytes
    partition: int


@dataclass(slots=True)
class Record:
    """Everything that was observed during the run."""

    # One ruling for each message to the victim.
    answers: list[Ruling] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)  # Actions about the victim.
    # Episode records about the victim.
    episodes: list[dict[str, Any]] = field(default_factory=list)
    strangers: int = 0  # Number of actions about other subscribers.
    refused: int = 0  # Number of refused messages to other subscribers.
    # (partition, offset) of a message to the victim -> real time in seconds: when the message was
    # sent (`sent`), and when the action that it caused was read (`heard`).
    sent: dict[tuple[int, int], float] = field(default_factory=dict)
    heard: dict[tuple[int, int], float] = field(default_factory=dict)
    offered: int = 0

    def reaction_ms(self, partition: int, offset: int) -> float | None:
        """Return the real time from sending a message to reading the action that it caused.

        None if either was not observed.
        """
        at = partition, offset
        if at not in self.sent or at not in self.heard:
            return None
        return (self.heard[at] - self.sent[at]) * 1000


class Player:
    """One run against one broker and one worker."""

    producer: AIOKafkaProducer

    def __init__(
        self,
        bootstrap: str,
        topics: Topics,
        worker: WorkerProcess,
        gateway: StandInGateway,
        victim: str,
        audience: Audience,
        desk: DeskProcess | None = None,
    ) -> None:
        self.bootstrap, self.topics = bootstrap, topics
        self.worker, self.gateway, self.desk = worker, gateway, desk
        self.victim, self.audience = victim, audience
        self.record = Record()
        self.history = 0
        self.heard = asyncio.Event()  # Set by every record of the worker.

    def pack(self, value: Mapping[str, Any]) -> Offer:
        """Return one message, encoded, with the partition that any producer would choose."""
        recipient = value["recipient"]
        partition = _partition_of(recipient.encode(), self.topics.partitions)
        body = msgspec.json.encode(value)
        return Offer(recipient, value["event_time_ms"], value, body, partition)

    @asynccontextmanager
    async def perform(
        self,
        history: Iterable[Mapping[str, Any]],
        live: Iterable[Mapping[str, Any]],
        speed: float,
        second_requests: Mapping[str, int],
    ) -> AsyncIterator[None]:
        """Write the history while the worker starts, then play the live part.

        The block runs afterwards, while everything still works. `speed` seconds of the event clock
        pass per real second. `second_requests` maps message ids to milliseconds: before such a
        message the clock stops until the worker allows it, at most for this time.
        """
        topics, audience = self.topics, self.audience
        async with (
            AIOKafkaProducer(
                bootstrap_servers=self.bootstrap, max_batch_size=BATCH_BYTES, linger_ms=2
            ) as self.producer,
            AIOKafkaConsumer(
                *{topics.throttle, topics.episode, topics.override, topics.everyone},
                bootstrap_servers=self.bootstrap,
                auto_offset_reset="earliest",
            ) as consumer,
        ):
            listening = asyncio.create_task(self._listen(consumer))
            try:
                await self._pour(map(self.pack, history))
                self.history = self.record.offered
                offers = list(map(self.pack, live))
                audience.step(tr("Starting the worker"))
                await asyncio.to_thread(self.worker.wait_ready)
                audience.line(
                    tr("Metrics while it runs: {url}").format(url=f"{self.worker.address}/metrics")
                )
                audience.step(tr("Counting the days before"))
                await self._wait_counted()
                audience.step(
                    tr("The incident, {speed} times as fast as it was").format(speed=f"{speed:g}")
                )
                if self.desk is not None:
                    self.desk.show(audience)
                await self._live(offers, speed, second_requests)
                await self._wait_counted()
                await self._silence()
                if listening.done():
                    listening.result()
                yield
            finally:
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening

    def follow(self, clock: EventClock) -> None:
        if self.desk is not None:
            self.desk.follow(clock)

    async def _send(self, offer: Offer) -> asyncio.Future[Any]:
        """Send a message; return the future of the record's place."""
        key, topic = offer.recipient.encode(), self.topics.input
        return await self.producer.send(topic, offer.body, key=key, partition=offer.partition)

    async def _pour(self, offers: Iterable[Offer]) -> None:
        self.audience.step(tr("Writing the days before"))
        for offer in offers:
            await self._send(offer)
            self.record.offered += 1
        await self.producer.flush()

    async def _wait_counted(self) -> None:
        deadline = time.monotonic() + COUNT_S
        while True:
            taken = await asyncio.to_thread(self.worker.metric, "otpguard_events_total")
            self.audience.at(
                taken, self.record.offered, tr("{n} messages counted").format(n=f"{taken:,.0f}")
            )
            if taken >= self.record.offered:
                return
            self.worker.check()
            if time.monotonic() > deadline:
                raise OtpguardError(
                    tr(
                        "the worker took in {taken:,.0f} of {offered:,} messages within "
                        "{count_s:.0f} s:\n{tail}"
                    ).format(
                        taken=taken,
                        offered=self.record.offered,
                        count_s=COUNT_S,
                        tail=self.worker.tail(),
                    )
                )
            await asyncio.sleep(0.1)

    async def _live(
        self, offers: Sequence[Offer], speed: float, second_requests: Mapping[str, int]
    ) -> None:
        first_ms, last_ms = offers[0].event_time_ms, offers[-1].event_time_ms
        clock, record, audience = EventClock(first_ms, speed), self.record, self.audience
        self.follow(clock)
        for offer in offers:
            at_ms = offer.event_time_ms
            if at_ms > clock.now_ms():
                note = tr("{n} messages to the victim, {refused} refused").format(
                    n=len(record.answers), refused=record.answers.count(Ruling.REFUSE)
                )
                audience.at(
                    at_ms - first_ms, last_ms - first_ms, f"{audience.clock(at_ms)}  {note}"
                )
                self.worker.check()
                await self._publish_counts(clock.now_ms())
                await clock.reach(at_ms)
            gap_ms = second_requests.get(offer.value["message_id"])
            began = time.monotonic()
            if gap_ms is not None:
                await self._wait_allowed(offer, gap_ms)
                clock.began += time.monotonic() - began  # It stood still.
                self.follow(clock)
                began = time.monotonic()
            answer = self.gateway.ask(offer.recipient, offer.value)
            sending = await self._send(offer)
            if offer.recipient != self.victim:
                record.refused += answer is Ruling.REFUSE
                continue
            record.answers.append(answer)
            written = await sending  # The offset shows which message caused an action.
            record.sent[written.partition, written.offset] = began
            if answer is Ruling.TRUSTED:
                audience.moment(at_ms, tr("a code of a bank passes the throttle"))
        await self._publish_counts(clock.now_ms())
        await self.producer.flush()
        record.offered += len(offers)

    async def _wait_allowed(self, offer: Offer, gap_ms: int) -> None:
        """Wait until the gateway would not refuse this retry, at most `gap_ms` milliseconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(gap_ms / 1000):
                while self.gateway.would(offer.value, offer.event_time_ms) is Ruling.REFUSE:
                    self.heard.clear()
                    await self.heard.wait()

    async def _publish_counts(self, now_ms: float) -> None:
        for counts in self.gateway.counts(int(now_ms)):
            key, value = counts.action_id.encode(), encode_counts(counts)
            await self.producer.send(self.topics.counts, key=key, value=value)

    async def _silence(self) -> None:
        """Return after QUIET_S seconds without a new record from the worker."""
        with suppress(TimeoutError):
            while True:
                self.heard.clear()
                async with asyncio.timeout(QUIET_S):
                    await self.heard.wait()

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        """Pass each record to the gateway as it arrives; store the records about the victim."""
        async for message in consumer:
            self.heard.set()
            if message.value is None:  # A tombstone.
                continue
            # Readers skip unreadable records; the report counts the readable ones.
            with suppress(ValueError, RecursionError):
                ack = self._take(message)
                if ack is not None:
                    key, value = ack.action_id.encode(), encode_ack(ack)
                    await self.producer.send(self.topics.acks, key=key, value=value)

    def _take(self, message: ConsumerRecord[Any, Any]) -> Ack | None:
        """Process a record; return the gateway's acknowledgement if the record is for gateways."""
        if message.topic == self.topics.throttle:
            return self._hear(decode_action(message.value))
        if message.topic in (self.topics.override, self.topics.everyone):
            return self.gateway.obey(decode_override(message.value), message.offset)
        if message.key == self.victim.encode():
            episode = msgspec.json.decode(message.value)
            self.record.episodes.append(episode)
            if episode["change"] in ("opened", "raised"):
                self.audience.moment(episode["at_ms"], tr(ANNOUNCED[episode["level"]]))
        return None

    def _hear(self, action: Action) -> Ack:
        ack = self.gateway.learn(action)
        if action.recipient == self.victim:
            self.record.actions.append(action)
            cause = action.cause
            self.record.heard.setdefault((cause.partition, cause.offset), time.monotonic())
        else:
            self.record.strangers += 1
        return ack
