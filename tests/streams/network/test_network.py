"""The network's list from end to end: workers vote, the agent adds up, each partition adopts it.

Two numbers are flooded, each in a partition of its own, so no partition by itself has the two votes
that make a platform hot. A third, in another partition and with another worker, is flooded slowly.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import Producer

from detectors.model.event import TICK_OFFSETS, platform_id
from detectors.model.records import Level
from detectors.model.times import HOUR_MS, MINUTE_MS
from detectors.thresholds import HOT_VOTERS
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.cluster.topics import create
from streams.config import Topics, load
from streams.wire import Intake, Numbers, decode, decode_episode
from streams.wire.partitioner import partition_of
from tests.bench.traffic import producer_to
from tests.enforce.loop import now_ms, ready
from tests.enforce.services import ours
from tests.faults.traffic import TEXT
from tests.nodes import Broker
from tests.waiting import END_S, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PARTITIONS: Final = 4
TOOL: Final = tuple(f"工具{n:02d}" for n in range(24))
OTHERS: Final = tuple(f"别家{n:02d}" for n in range(24))
EVERYBODY_S: Final = tuple(f"常用{n:02d}" for n in range(60))
KEY: Final = "a key of sixteen"
SLOWLY: Final = 11
"""Codes of the slow flood, one in two minutes: too few and too slow for a partition by itself."""

Event = tuple[str, str, int]
"""Recipient, platform, time."""


class Traffic:
    """Recipients by partition, and their messages on the input."""

    def __init__(self, producer: Producer, topic: str) -> None:
        self._producer, self._topic = producer, topic
        self._spare: defaultdict[int, list[str]] = defaultdict(list)
        self._number, self._sent = 0, 0

    def somebody(self, partition: int) -> str:
        """A number of this partition that nobody has sent to."""
        while not self._spare[partition]:
            self._number += 1
            number = f"86139{self._number:08d}"
            self._spare[partition_of(number.encode(), PARTITIONS)].append(number)
        return self._spare[partition].pop()

    def log_ins(self, ticks: int, begin_ms: int, end_ms: int) -> Iterator[Event]:
        """What people do: in each partition so many ticks of codes, each to somebody new."""
        draw, count = random.Random(self._number), ticks * TICK_OFFSETS
        for n in range(count):
            at_ms = begin_ms + n * (end_ms - begin_ms) // count
            for each in range(PARTITIONS):
                yield self.somebody(each), draw.choice(EVERYBODY_S), at_ms

    def send(self, *parts: Iterator[Event]) -> None:
        """Append messages in the order of their times."""
        for who, platform, at_ms in sorted((e for part in parts for e in part), key=lambda e: e[2]):
            self._sent += 1
            value = {
                "schema_version": 1, "recipient": who, "sender": "10690001", "event_time_ms": at_ms,
                "message_id": f"n{self._sent}", "gateway_id": "smsc-1",
                "text": TEXT.format(platform, self._sent % 1_000_000),
            }  # fmt: skip
            self._producer.produce(
                self._topic, json.dumps(value, ensure_ascii=False).encode(), who.encode()
            )
        assert self._producer.flush(END_S) == 0


def flood(who: str, platforms: tuple[str, ...], begin_ms: int, pace_ms: int) -> Iterator[Event]:
    for n, platform in enumerate(platforms):
        yield who, platform, begin_ms + n * pace_ms


def test_a_slow_flood_is_known_by_what_five_floods_of_other_partitions_used(
    kafka: Broker, unique: str, tmp_path: Path
) -> None:
    path = tmp_path / "otpguard.toml"
    names = [each for each in Topics.model_fields if each not in ("partitions", "replication")]
    path.write_text(
        f'app_id = "{unique}"\nmode = "enforce"\ninput = {{country = "CN"}}\n'
        f'kafka = {{bootstrap = "{kafka.bootstrap}"}}\n'
        f'detect = {{hot = "network", hot_key = "{KEY}", recipients_max = 200_000}}\n'
        f'worker = {{data_dir = "{tmp_path}/worker"}}\n'
        f"[topics]\npartitions = {PARTITIONS}\nreplication = 1\n"
        + "".join(f'{each} = "{unique}.{each}"\n' for each in names)
    )
    settings = load(path)
    create(settings)
    clients = client_arguments(settings.kafka)
    intake = Intake(Numbers("CN"), listed=True)
    program = partial(ours, path, tmp_path)
    begin_ms = now_ms() - 4 * HOUR_MS

    def at(minutes: float) -> int:
        return begin_ms + int(minutes * MINUTE_MS)

    found: dict[int, set[int]] = {}
    starts = dict.fromkeys(range(PARTITIONS), 0)

    def lists() -> dict[int, set[int]]:
        """The newest list in each partition of the input, which is read on and not anew."""
        for record in records(clients, settings.topics.input, starts=starts):
            starts[record.partition] = record.offset + 1
            if record.key is None:
                batch = decode(intake, "in", 0, [record.value], [None], [0], None, 1).batch
                assert batch.listed is not None
                told = batch.listed(0)
                assert told is not None
                found[record.partition] = set(told.platforms)
        return found

    def rules(who: str) -> dict[str, Level]:
        """What a number's episodes say: rule and level."""
        made = [decode_episode(r.value) for r in records(clients, settings.topics.episode)]
        return {each.reason.rule: each.level for each in made if each.recipient == who}

    with ExitStack() as stack:
        for server in (
            program("worker", "worker"),
            program("worker-2", "worker"),
            program("platforms", "agent", "platforms"),
        ):
            stack.enter_context(server)
            wait_until(lambda: ready(server.port), f"{server.name} is ready")  # noqa: B023
        traffic = Traffic(producer_to(kafka.bootstrap), settings.topics.input)
        victims = [traffic.somebody(n % 2) for n in range(HOT_VOTERS)]
        traffic.send(traffic.log_ins(2, at(0), at(125)))  # over a span's end: the base is told
        traffic.send(
            traffic.log_ins(4, at(125), at(195)),  # until the floods are over: votes are whole
            *(flood(who, TOOL, at(126 + 2 * n), 5_000) for n, who in enumerate(victims)),
        )
        hot = {platform_id(f"sig:{name}") for name in TOOL}
        wait_until(
            lambda: len(lists()) == PARTITIONS and all(hot <= told for told in lists().values()),
            "the agent has told every partition of the tool's platforms",
            pause_s=2,
        )
        assert all(told <= hot for told in lists().values()), "what people use is not hot"
        hers, not_hers = traffic.somebody(2), traffic.somebody(2)
        traffic.send(
            traffic.log_ins(1, at(195), at(225)),
            flood(hers, TOOL[:SLOWLY], at(198), 2 * MINUTE_MS),
            flood(not_hers, OTHERS[:SLOWLY], at(198), 2 * MINUTE_MS),
        )
        wait_until(lambda: "hot" in rules(hers), "the slow flood is known by the list", pause_s=1)
        assert rules(hers)["hot"] is Level.THROTTLE
        last = traffic.somebody(2)
        traffic.send(flood(last, EVERYBODY_S, at(226), 2_000))
        wait_until(lambda: rules(last), "everything before it is read", pause_s=1)
        assert Level.THROTTLE not in rules(not_hers).values(), "the list told them apart"
