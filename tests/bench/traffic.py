"""Generates the events of a benchmark: a worker's share of a nation's traffic.

One million subscribers, seven messages of ten with a code, platforms by popularity, and among them
what looks like an attack and what is one. Times end now. They are spread as a day's traffic is, so
that windows, memories and bursts are as full as in life: it is the reading that is fast.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka import Producer

from streams.tools.scenarios import Labelled, Rates, Role, generate, merge_streams, ordinary

SUBSCRIBERS: Final = 1_000_000
SEED: Final = 20_260_302

RATES: Final = Rates(
    codes=2.0, bank_codes=0.1, marketing=0.3, courier=0.2, notices=0.2, personal=0.2
)
"""Messages per subscriber-day: 70 % codes. Several times the published .16 codes a day, so that
more recipients come near a bar than in life."""

LOOKALIKES: Final = {"B1": 1 / 730, "B3": 1 / 50, "B4": 1 / 200}
"""Per subscriber-day: someone moving house, shopping day, travelling."""

FLOODS_PER_DAY: Final = 60
"""Incidents like that of Dalian, in a day of a million subscribers. Chosen: enough to be seen."""

DAY_MS: Final = 86_400_000

GATEWAYS: Final = ("smsgw-a1", "smsgw-a2", "smsgw-b1", "smsgw-b2")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was sent to the topic: the truth that every peer's result is held against."""

    topic: str
    partitions: int
    events: int
    codes: int
    bytes: int
    newest_ms: int


def events(number: int, end_ms: int, *, subscribers: int = SUBSCRIBERS) -> Iterator[Labelled]:
    """`number` events in order of time, ending at about `end_ms`."""
    span_ms = round(number / (RATES.total * subscribers) * DAY_MS)
    start_ms = end_ms - span_ms
    days = span_ms / DAY_MS
    streams: list[Iterator[Labelled]] = [
        ordinary(subscribers, start_ms, SEED, duration_ms=2 * span_ms, rates=RATES)
    ]
    index = count(subscribers)  # those in episodes are others, with traffic of their own
    rates = {name: rate * subscribers for name, rate in LOOKALIKES.items()} | {"A1": FLOODS_PER_DAY}
    for name, per_day in rates.items():
        runs = max(1, round(per_day * days))
        for run in range(runs):
            at_ms = start_ms + span_ms * run // runs
            streams.append(
                generate(name, SEED, recipient=next(index), start_ms=at_ms, history=False)
            )
    return islice(merge_streams(*streams), number)


def value(event: Labelled, number: int, *, category: bool = False) -> bytes:
    """The event as a gateway would send it; with `category` it says itself whether it is a code."""
    gateway = GATEWAYS[number % len(GATEWAYS)]
    fields: dict[str, Any] = event.value | {
        "gateway_id": gateway,
        "account_id": f"ac{number % 5000:06d}",
        "route_id": f"rt-{number % 40:02d}",
        "mcc_mnc": "46000",
    }
    if category:
        fields["category"] = "notice" if event.truth.role is Role.OTHER else "otp"
    return msgspec.json.encode(fields)


class Record(NamedTuple):
    """What is sent to the topic."""

    recipient: bytes  # the key
    value: bytes
    event_time_ms: int  # the record's time too
    code: bool = True


def fill(bootstrap: str, topic: str, partitions: int, number: int, *, category: bool) -> Traffic:
    """Send `number` events to an empty topic."""
    now_ms = time.time_ns() // 1_000_000
    return send(bootstrap, topic, partitions, records(number, now_ms, category=category))


def records(number: int, end_ms: int, *, category: bool = False) -> Iterator[Record]:
    """`number` events of the mixed traffic, as they are sent."""
    for i, event in enumerate(events(number, end_ms)):
        yield Record(
            event.value["recipient"].encode(),
            value(event, i, category=category),
            event.value["event_time_ms"],
            event.truth.role is not Role.OTHER,
        )


def producer_to(bootstrap: str, **more: object) -> Producer:
    """A producer that puts a recipient where Java's clients would."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.size": 1 << 20,
            "queue.buffering.max.messages": 500_000,
            "compression.type": "none",  # every peer then reads the same bytes at the same cost
            **{name.replace("_", "."): setting for name, setting in more.items()},
        }
    )


def produce(producer: Producer, topic: str, record: Record) -> None:
    """Hand a record over; wait while the producer's queue is full."""
    while True:
        try:
            producer.produce(topic, record.value, record.recipient, timestamp=record.event_time_ms)
            break
        except BufferError:
            producer.poll(0.01)


def send(bootstrap: str, topic: str, partitions: int, made: Iterable[Record]) -> Traffic:
    """Send records to a topic, keyed by recipient. Returns when the broker has all of them."""
    producer = producer_to(bootstrap)
    sent = codes = size = newest_ms = 0
    for record in made:
        produce(producer, topic, record)
        newest_ms = record.event_time_ms
        sent += 1
        size += len(record.value)
        codes += record.code
    if producer.flush(60):
        raise RuntimeError(f"{topic}: the broker did not take every event")
    return Traffic(topic, partitions, sent, codes, size, newest_ms)


# --- plain codes: one form of text, so that recipients, platforms and times can be chosen ---------

_FORM: Final = (
    '{"schema_version":1,"recipient":"%%d","sender":"10690%06d","event_time_ms":%%d,'
    '"message_id":"m%%d","event_type":"submit","text":"【%s】您的验证码是%%06d，5分钟内有效，'
    '请勿泄露给他人。如非本人操作，请忽略本短信。","gateway_id":"smsgw-a1","account_id":"ac000417",'
    '"route_id":"rt-07","mcc_mnc":"46000"}'
)
_SYLLABLES: Final = "云海星风山水光石林天地金木火土春夏秋冬东南西北日月雨雪花草竹"
FIRST_RECIPIENT: Final = 8_617_000_000_000
PLATFORMS: Final = 600


@lru_cache(maxsize=20_000)
def form(platform: int) -> bytes:
    """A code of this platform, with places for recipient, time, number and code."""
    name, rest = "", platform
    for _ in range(4):
        rest, i = divmod(rest, len(_SYLLABLES))
        name += _SYLLABLES[i]
    return (_FORM % (platform, name)).encode()


def plain(recipient: int, platform: int, event_time_ms: int, number: int) -> Record:
    """A verification code of about 360 bytes."""
    made = form(platform) % (recipient, event_time_ms, number, number * 7919 % 1_000_000)
    return Record(b"%d" % recipient, made, event_time_ms)


_PARCEL: Final = (
    '{"schema_version":1,"recipient":"%d","sender":"1069000417","event_time_ms":%d,'
    '"message_id":"m%d","event_type":"submit","text":"【菜鸟驿站】您的包裹已到幸福路店，'
    '请凭取件码%d于今天20:00前领取，如有疑问请联系驿站工作人员。","gateway_id":"smsgw-a1",'
    '"account_id":"ac000417","route_id":"rt-07","mcc_mnc":"46000"}'
).encode()


def parcel(recipient: int, event_time_ms: int, number: int) -> Record:
    """A notice about a parcel, with a pick-up code. It is as long as a plain code."""
    made = _PARCEL % (recipient, event_time_ms, number, 100_000 + number * 7919 % 900_000)
    return Record(b"%d" % recipient, made, event_time_ms, code=False)


def categorised(record: Record) -> Record:
    """The same plain code, which says itself that it is one."""
    return record._replace(value=b'{"category":"otp",' + record.value[1:])


HABITS: Final = 2
"""Platforms of one subscriber. Strangers at such rates would make a flood of everybody's traffic:
50,000 events/s are those of hundreds of millions of subscribers, and here a million get them."""


def habitual(subscriber: int, event_time_ms: int, number: int, habits: int = HABITS) -> Record:
    """A code of one of the subscriber's own platforms; `subscriber` is a number from 0."""
    platform = (subscriber * 31 + number % habits * 101) % PLATFORMS
    return plain(FIRST_RECIPIENT + subscriber, platform, event_time_ms, number)
