"""Input for fault runs: floods among other codes, out of order, with duplicates and poison.

Also the network's lists of hot platforms, good and bad ones, where the workers take such lists.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from detectors.bars import HOT_VALID_MS
from detectors.hot.network import signed
from detectors.model.event import platform_id
from detectors.model.times import HOUR_MS
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
RESENT = 300
RESEND_EVERY = 20_000  # records, on average
LIST_KEY = "a key of sixteen"
LIST_EVERY = 400  # records, on average, from one list to the next
COMMON = 60  # platforms, of which every recipient meets too many: refused
TEXT = "【{}】您的验证码是{:06d}，5分钟内有效，请勿泄露给他人，如非本人操作请忽略本短信。"


@dataclass(frozen=True)
class Record:
    """What goes to the input topic."""

    partition: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


def traffic(
    seed: int, events: int, partitions: int, start_ms: int, span_ms: int, *, lists: bool = False
) -> Iterator[Record]:
    """Yield `events` records or a few more: one in eight floods one of few victims.

    Some are late, some come twice at once, and now and then a gateway sends its last ones again.
    With `lists` a list comes to every partition now and then; all else is the same without.
    """
    rng = random.Random(seed)
    resend = random.Random(seed)
    listing = random.Random(seed)
    newest: deque[Record] = deque(maxlen=RESENT)
    for i in range(events):
        partition = rng.randrange(partitions)
        number = rng.randrange(40) if rng.random() < 0.12 else 1000 + rng.randrange(30_000)
        recipient = f"86138{number * partitions + partition:08d}"
        at_ms = start_ms + i * span_ms // events
        if rng.random() < 0.02:
            at_ms -= rng.randrange(120_000)  # late, as from a slow gateway
        value = json.dumps(
            {
                "schema_version": 1,
                "recipient": recipient,
                "sender": f"1069{rng.randrange(10_000):04d}",
                "event_time_ms": at_ms,
                "message_id": f"{seed}-{i}",
                "text": TEXT.format(rng.choice(PLATFORMS), rng.randrange(1_000_000)),
                "gateway_id": "smsc-1",
            },
            ensure_ascii=False,
        ).encode()
        record = Record(partition, recipient.encode(), value, start_ms + i * span_ms // events)
        yield record
        newest.append(record)
        if resend.random() < 1 / RESEND_EVERY:
            yield from newest
        if lists and listing.random() < 1 / LIST_EVERY:
            yield from told(listing, partitions, record.timestamp_ms)
        dice = rng.random()
        if dice < 0.01:
            yield record  # a producer's retry
        elif dice < 0.011:
            poison = rng.choice((*POISON, None))
            yield Record(partition, recipient.encode(), poison, record.timestamp_ms)


def told(rng: random.Random, partitions: int, at_ms: int) -> Iterator[Record]:
    """Yield one list for every partition, as the agent appends it; near half are refused."""
    count = COMMON if rng.random() < 0.1 else rng.randrange(1, 11)
    platforms = [platform_id(f"sig:{name}") for name in rng.sample(PLATFORMS, count)]
    made = signed(LIST_KEY.encode(), at_ms, at_ms + HOT_VALID_MS, platforms)
    dice = rng.random()
    if dice < 0.05:
        made = made._replace(platforms=made.platforms[1:])  # forged
    elif dice < 0.1:
        made = signed(LIST_KEY.encode(), at_ms - HOT_VALID_MS, at_ms - 1, platforms)  # over
    elif dice < 0.4:  # older than what is held: whoever lost that would take it
        made = signed(LIST_KEY.encode(), at_ms - HOUR_MS, at_ms + HOUR_MS, platforms)
    for partition in range(partitions):
        yield Record(partition, None, encode_listed(made), at_ms)
