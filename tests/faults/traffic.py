"""Input for fault runs: floods among other codes, out of order, with duplicates and poison.

Also the network's lists of hot platforms, good and bad ones, where the workers take such lists, and
floods so slow that a list alone can tell them: which one is held decides at which code, if at all.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heapreplace

from detectors.hot.network import sign_list
from detectors.model.event import platform_id
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from detectors.thresholds import HOT_VALID_MS
from streams.wire import encode_listed

POISON = (
    b"{bad",
    b"null",
    b"[]",
    b"{}",
    b'{"schema_version":9}',
    b'{"schema_version":1,"recipient":17,"sender":"1","event_time_ms":1,"message_id":"x"}',
)
PLATFORMS = [f"平台{i:03d}" for i in range(150)]
OF_ONE_PLATFORM = 4
"""Floods of each partition, of 40, that go to one victim and have one platform. The victim gets a
lease that names this platform alone, because the victim's row is older than a week."""
HABITS = PLATFORMS[-6:]
HABITS_MS = 8 * DAY_MS  # from the victim's habits to the first flood
RESENT = 300
RESEND_EVERY = 20_000  # records, on average
LIST_KEY = "a key of sixteen"
LIST_EVERY_MS = 2 * MINUTE_MS  # on average, from one list to the next
TOOLS = [[f"工具{i}之{j:02d}" for j in range(10)] for i in range(5)]
"""Platforms of tools that flood slowly. Of each less is met than a list may have."""
LIST_TOOLS = 2  # of which a list has the platforms
COMMON = 60  # platforms, of which every recipient meets too many: refused
SLOW_VICTIMS = 16  # of each partition, at any time
SLOW_PACE_MS = 2 * MINUTE_MS  # one code in so long: too slow for all rules but those of a list
SLOW_FIRST = 100_000  # the victims' numbers follow on: no other recipient has one
TEXT = "【{}】您的验证码是{:06d}，5分钟内有效，请勿泄露给他人，如非本人操作请忽略本短信。"


@dataclass(frozen=True)
class Record:
    """What goes to the input topic."""

    partition: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


def traffic(
    seed: int,
    events: int,
    partitions: int,
    start_ms: int,
    span_ms: int,
    *,
    lists: bool = False,
    one_platform: bool = False,
) -> Iterator[Record]:
    """Yield `events` records or a few more: one in eight floods one of few victims.

    Some are late, some come twice at once, and now and then a gateway sends its last ones again.
    With `lists` come slow floods too, a code in each partition every few seconds, and now and then
    a list to every partition; all else is the same without. With `one_platform` a victim of each
    partition has a history of `HABITS`, and then gets codes of one platform alone.
    """
    rng = random.Random(seed)
    resend = random.Random(seed)
    listing = random.Random(seed)
    slow = SlowFloods(seed, partitions, start_ms) if lists else None
    newest: deque[Record] = deque(maxlen=RESENT)
    for partition in range(partitions if one_platform else 0):
        recipient, at_ms = f"86138{partition:08d}", start_ms - HABITS_MS
        for name in HABITS:
            text = TEXT.format(name, 482913)
            value = code(recipient, "10690001", at_ms, f"{seed}-{name}-{partition}", text)
            yield Record(partition, recipient.encode(), value, at_ms)
    for i in range(events):
        partition = rng.randrange(partitions)
        number = rng.randrange(40) if rng.random() < 0.12 else 1000 + rng.randrange(30_000)
        alone = one_platform and number < OF_ONE_PLATFORM
        if alone:
            number = 0
        recipient = f"86138{number * partitions + partition:08d}"
        at_ms = start_ms + i * span_ms // events
        if rng.random() < 0.02:
            at_ms -= rng.randrange(120_000)  # late, as from a slow gateway
        sender = f"1069{rng.randrange(10_000):04d}"
        name = rng.choice(PLATFORMS)
        if alone:
            name = PLATFORMS[0]
        text = TEXT.format(name, rng.randrange(1_000_000))
        value = code(recipient, sender, at_ms, f"{seed}-{i}", text)
        record = Record(partition, recipient.encode(), value, start_ms + i * span_ms // events)
        yield record
        newest.append(record)
        if resend.random() < 1 / RESEND_EVERY:
            yield from newest
        if slow is not None:
            yield from slow.until(record.timestamp_ms)
            if listing.random() < span_ms / events / LIST_EVERY_MS:
                yield from told(listing, partitions, record.timestamp_ms)
        dice = rng.random()
        if dice < 0.01:
            yield record  # a producer's retry
        elif dice < 0.011:
            poison = rng.choice((*POISON, None))
            yield Record(partition, recipient.encode(), poison, record.timestamp_ms)


def code(recipient: str, sender: str, at_ms: int, message_id: str, text: str) -> bytes:
    """Return an event with a code."""
    return json.dumps(
        {
            "schema_version": 1,
            "recipient": recipient,
            "sender": sender,
            "event_time_ms": at_ms,
            "message_id": message_id,
            "text": text,
            "gateway_id": "smsc-1",
        },
        ensure_ascii=False,
    ).encode()


class SlowFloods:
    """Floods by tools, one code in two minutes, so many in each partition at any time.

    Who has had all codes of its tool gives way to somebody new.
    """

    def __init__(self, seed: int, partitions: int, start_ms: int) -> None:
        self._rng = random.Random(f"slow/{seed}")
        self._partitions = partitions
        self._born = SLOW_FIRST
        self._victims = [
            self._victim(start_ms, partition)
            for _ in range(SLOW_VICTIMS)
            for partition in range(partitions)
        ]
        heapify(self._victims)

    def until(self, at_ms: int) -> Iterator[Record]:
        """Yield the codes that are due by then."""
        while self._victims[0][0] <= at_ms:
            due_ms, number, partition, platforms = self._victims[0]
            recipient = f"86138{number * self._partitions + partition:08d}"
            left = len(platforms)
            text = TEXT.format(platforms.pop(), self._rng.randrange(1_000_000))
            value = code(recipient, "10690001", due_ms, f"slow-{number}-{left}", text)
            yield Record(partition, recipient.encode(), value, due_ms)
            pace_ms = int(SLOW_PACE_MS * self._rng.uniform(0.7, 1.3))
            heapreplace(
                self._victims,
                (due_ms + pace_ms, number, partition, platforms)
                if platforms
                else self._victim(due_ms, partition),
            )

    def _victim(self, at_ms: int, partition: int) -> tuple[int, int, int, list[str]]:
        """Return when the next code comes, to whom, where, and the platforms that are left."""
        self._born += 1
        tool = self._rng.choice(TOOLS)
        first_ms = at_ms + self._rng.randrange(len(tool) * SLOW_PACE_MS)
        return first_ms, self._born, partition, self._rng.sample(tool, len(tool))


def told(rng: random.Random, partitions: int, at_ms: int) -> Iterator[Record]:
    """Yield one list for every partition, as the agent appends it; near half are refused."""
    names = [name for tool in rng.sample(TOOLS, LIST_TOOLS) for name in tool]
    if rng.random() < 0.1:
        names = rng.sample(PLATFORMS, COMMON)
    platforms = [platform_id(f"sig:{name}") for name in names]
    made = sign_list(LIST_KEY.encode(), at_ms, at_ms + HOT_VALID_MS, platforms)
    dice = rng.random()
    if dice < 0.05:
        made = made._replace(platforms=made.platforms[1:])  # forged
    elif dice < 0.1:
        made = sign_list(LIST_KEY.encode(), at_ms - HOT_VALID_MS, at_ms - 1, platforms)  # over
    elif dice < 0.4:  # older than what is held: whoever lost that would take it
        made = sign_list(LIST_KEY.encode(), at_ms - HOUR_MS, at_ms + HOUR_MS, platforms)
    for partition in range(partitions):
        yield Record(partition, None, encode_listed(made), at_ms)
