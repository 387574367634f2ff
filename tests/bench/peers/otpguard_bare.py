"""otpguard's pieces put together for the bare job: its transport, table and checkpoints, no detector.

usage: otpguard_bare.py EVENTS  (settings by the environment, as the worker's)

The envelope transport under a Faust agent, a decoder of the three fields that the job needs, the
detectors' open-addressing table, and the worker's state manager with its checkpoints: at least once, from
the offset that the last manifest covers. As in Flink a window is closed five minutes behind the
newest event time of its partition, added to the total and forgotten.

At the end the changelog is read back: the sum is what its manifests hold, not what memory does.
"""

import asyncio
import json
import os
import sys
import uuid
from time import monotonic

import msgspec
import numpy as np
import uvloop
from confluent_kafka import Consumer, TopicPartition

from detectors.partition import Params, Snapshot
from detectors.recipients.table import WORDS, Table
from streams.common import heap
from streams.engine.worker import app as worker
from streams.engine.state import checkpoint
from streams.engine.state.checkpoint import ChangelogReader
from streams.config import TABLE, Settings, load
from streams.engine.state.manager import Admission, StateManager
from streams.telemetry.metrics import Metrics
from streams.engine.transport.driver import STORE_URL, App, TableManager
from streams.engine.worker.publisher import Publisher

WINDOW_MS = 60_000
GRACE_MS = 300_000
SLOTS = 8  # six windows can be open at once; a power of two picks a slot without a division
SLOT_WORDS = slice(1, 1 + SLOTS)
SWEEP_OFFSETS = 1 << 16  # how often closed windows are looked for: offsets of the partition
LOW = np.uint64(0xFFFF_FFFF)
HIGH = np.uint64(32)


class Event(msgspec.Struct, gc=False):
    recipient: int  # digits in a string: read without making one
    event_time_ms: int
    category: str = ""


decode = msgspec.json.Decoder(Event, strict=False).decode


class Windows:
    """Counts of one partition: a row for each recipient with open windows.

    Word 0 is the recipient, words 1 to 8 are slots of `window << 32 | count`.
    """

    def __init__(self, rows_max):
        self.table = Table(rows_max)
        self.closed = 0  # codes in windows that are closed
        self.late = 0  # codes that came after their window was closed: not counted
        self.newest_ms = 0
        self.suspects = ()

    @property
    def recipients(self):
        return self.table.count

    @property
    def codes(self):
        return self.closed + int((self.table.words[: self.table.used, SLOT_WORDS] & LOW).sum())

    def count(self, recipient, time_ms):
        """Codes (n,) in the order of the log: recipients as uint64, times in ms as int64."""
        newest = np.maximum.accumulate(np.concatenate(([self.newest_ms], time_ms)))
        self.newest_ms = int(newest[-1])
        window = time_ms // WINDOW_MS
        timely = (window + 1) * WINDOW_MS > newest[:-1] - GRACE_MS
        if not timely.all():
            self.late += int(len(timely) - timely.sum())
            recipient, window = recipient[timely], window[timely]
        row = self.table.find_or_add(recipient)
        key = row.astype(np.uint64) << HIGH | window.astype(np.uint64)
        key.sort()
        start = np.flatnonzero(key != np.concatenate(([~np.uint64(0)], key[:-1])))
        size = np.diff(start, append=len(key)).astype(np.uint64)
        key = key[start]
        window = key & LOW
        cell = (key >> HIGH) * np.uint64(WORDS) + np.uint64(1) + window % np.uint64(SLOTS)
        cell = cell.astype(np.int64)
        cells = self.table.words.reshape(-1)
        lap = window // np.uint64(SLOTS)  # within one, no two windows of a row share a slot
        for one in range(int(lap.min()), int(lap.max()) + 1) if len(lap) else ():
            here = np.flatnonzero(lap == np.uint64(one))
            at, number = cell[here], window[here]
            held = cells[at]
            same = held >> HIGH == number
            counted = held & LOW
            self.closed += int(counted[~same].sum())
            cells[at] = number << HIGH | np.where(same, counted, np.uint64(0)) + size[here]

    def close(self):
        """Adds up and forgets what is behind the watermark, and recipients that have no more."""
        rows = self.table.words[: self.table.used]
        slots = rows[:, SLOT_WORDS]
        last = max(0, (self.newest_ms - GRACE_MS) // WINDOW_MS)  # the first that is still open
        over = slots >> HIGH < np.uint64(last)
        self.closed += int((slots[over] & LOW).sum())
        slots[over] = 0
        self.table.drop(rows[(rows[:, 0] != 0) & ~slots.any(axis=1), 0])

    def snapshot(self):
        rest = {"closed": self.closed, "late": self.late, "newest_ms": self.newest_ms}
        rows = self.table.words[: self.table.used, : 1 + SLOTS].copy()
        return Snapshot({"format": 1}, rows, rest)

    @classmethod
    def restored(cls, held, rows_max):
        windows = cls(rows_max)
        words = np.zeros((len(held.rows), WORDS), np.uint64)
        words[:, : 1 + SLOTS] = held.rows
        windows.table = Table.over(words, rows_max)
        windows.closed, windows.late = held.rest["closed"], held.rest["late"]
        windows.newest_ms = held.rest["newest_ms"]
        return windows


class CountStates(StateManager):
    """The worker's state manager over another state."""

    def _state(self, partition, restored):
        rows_max = self.params.sieve.rows_max
        return Windows(rows_max) if restored is None else Windows.restored(restored.snapshot, rows_max)

    def _copy(self, assigned):
        return assigned.state.snapshot()


class Counting:
    """One run of the app."""

    def __init__(self, settings, total):
        self.settings, self.total = settings, total
        self.seen = self.codes = 0
        self.app = App(settings.app_id, **worker.faust_settings(settings))
        metrics = Metrics()
        self.states = self.app.states = CountStates(
            topic=settings.topics.input,
            params=Params(),
            epoch=settings.epoch,
            cycle_s=settings.worker.checkpoint_cycle_s,
            bytes_per_s=settings.worker.checkpoint_bytes_per_s,
            deadline_s=settings.worker.revoke_deadline_s,
            send=None,  # it publishes nothing
            append=Publisher(self.app, settings.changelog, metrics).append,
            metrics=metrics,
            fatal=worker.fatal,
        )
        self.app.Table(
            TABLE, store=STORE_URL, key_type=bytes, value_type=bytes,
            partitions=settings.topics.partitions, recovery_buffer_size=2,
        )
        source = self.app.topic(settings.topics.input, value_type=bytes, value_serializer="raw")
        self.app.agent(source, concurrency=1, name="count")(self.count)

    async def count(self, stream):
        try:
            async for poll in stream:
                for envelope in poll.take():
                    await self.take(envelope)
        except Exception as error:
            worker.fatal(error)

    async def take(self, envelope):
        assigned = self.states.partitions.get(envelope.partition)
        if not self.states.positioned or assigned is None or assigned.next is None:
            return  # from before a rebalance
        match assigned.admit(envelope):
            case Admission.DUPLICATE:
                return
            case Admission.REFETCH:
                await self.app.consumer.seek_to({assigned.partition: assigned.next})
                return
            case Admission.APPLY:
                pass
            case wrong:
                raise RuntimeError(f"partition {assigned.partition}: {wrong}")
        async with assigned.state_lock:
            self.apply(assigned, envelope.since(assigned.next))
        everything = self.seen >= self.total
        print(json.dumps({"events": self.seen, "all": everything}), flush=True)
        if everything:
            await self.finish()

    def apply(self, assigned, envelope):
        values = envelope.values
        codes = [event for event in map(decode, values) if event.category == "otp"]
        recipient = np.array([event.recipient for event in codes], np.uint64)
        time_ms = np.array([event.event_time_ms for event in codes], np.int64)
        assigned.state.count(recipient, time_ms)
        if assigned.next // SWEEP_OFFSETS != envelope.next_offset // SWEEP_OFFSETS:
            assigned.state.close()
        assigned.next = envelope.next_offset
        self.states.progress += 1
        self.seen += len(values)
        self.codes += len(codes)

    async def finish(self):
        await self.states.flush(fenced=False)
        held = await asyncio.to_thread(self.held)
        done = {"events": self.seen, "codes": self.codes, "sum": held, "done": True}
        print(json.dumps(done), flush=True)
        os._exit(0)

    def held(self):
        """Codes in the windows of the newest checkpoints, as the changelog has them."""
        topic = self.settings.changelog
        consumer = Consumer(
            {"bootstrap.servers": self.settings.kafka.bootstrap, "group.id": uuid.uuid4().hex}
        )
        total = 0
        for partition in range(self.settings.topics.partitions):
            at = TopicPartition(topic, partition, 0)
            end = consumer.get_watermark_offsets(at)[1]
            consumer.assign([at])
            reader, until_s = ChangelogReader(), monotonic() + 30
            while end and monotonic() < until_s:
                for record in consumer.consume(100, 0.5):
                    reader.put(record.key(), record.value())
                    end = 0 if record.offset() + 1 >= end else end
            restored = reader.restore(partition, self.settings.epoch)
            if restored is not None:
                total += Windows.restored(restored.snapshot, 1 << 20).codes
        consumer.close()
        return total

    async def run(self):
        heap.collect_rarely()
        writing = asyncio.create_task(self.states.write_checkpoints())
        await self.app.start()
        await writing


if __name__ == "__main__":
    heap.keep_freed_memory()
    checkpoint.WORDS = 1 + SLOTS  # rows of this job are narrower than the detectors'
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Counting(load(), int(sys.argv[1])).run())
