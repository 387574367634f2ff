"""Offers events at given rates, floods among them: `python -m tests.bench.offer`, see `main`.

A process of its own, so that what it costs is not the worker's. The rate holds whatever the worker
does: events are due by the clock, and what is late is sent at once.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from tests.bench.traffic import (
    FIRST_RECIPIENT,
    PLATFORMS,
    Record,
    categorised,
    habitual,
    plain,
    produce,
    producer_to,
)

FLOODS_PER_S: Final = 25
"""Each crosses the bar once: so many latencies a second."""
FLOOD_MESSAGES: Final = 9
FLOOD_GAP_MS: Final = 400
"""At 2.5 a second a flood of new platforms crosses the bar with its fifth message."""
BEAT_S: Final = 0.005
SUBSCRIBERS: Final = 1_000_000
VICTIMS_FROM: Final = FIRST_RECIPIENT + 2 * SUBSCRIBERS


def floods(start_ms: int, first: int) -> Iterator[Record]:
    """Floods without end, in order of time; every one on a recipient that had no message yet."""
    step_ms = 1000 // FLOODS_PER_S
    lag = FLOOD_GAP_MS // step_ms  # floods that begin between two messages of one
    turn = 0
    while True:
        at_ms = start_ms + turn * step_ms
        for message in range(FLOOD_MESSAGES):
            begun = turn - message * lag
            if begun >= 0:
                victim = first + begun
                platform = PLATFORMS + (begun * 7 + message) % 400
                yield plain(VICTIMS_FROM + victim, platform, at_ms, message)
        turn += 1


def offer(
    send: Callable[[Record], None],
    rate: int,
    seconds: float,
    rng: random.Random,
    first_victim: int,
) -> int:
    """Send `rate` events a second for so long; return how many were sent."""
    began = time.monotonic()
    start_ms = time.time_ns() // 1_000_000
    flood = floods(start_ms, first_victim)
    waiting = next(flood)
    sent = 0
    while (passed_s := time.monotonic() - began) < seconds:
        now_ms = time.time_ns() // 1_000_000
        while waiting.event_time_ms <= now_ms:
            send(waiting)
            sent += 1
            waiting = next(flood)
        for _ in range(max(0, int(passed_s * rate) - sent)):
            send(habitual(int(rng.random() * SUBSCRIBERS), now_ms, sent))
            sent += 1
        time.sleep(BEAT_S)
    return sent


def main(bootstrap: str, topic: str, *levels: str) -> None:
    """usage: BOOTSTRAP TOPIC [category] RATE:SECONDS...

    A level begins with each line on standard input. With `category` events say themselves that
    they are codes.
    """
    producer = producer_to(bootstrap, linger_ms=5)
    says = levels[0] == "category"

    def send(record: Record) -> None:
        produce(producer, topic, categorised(record) if says else record)
        producer.poll(0)

    rng = random.Random(7)
    first_victim = 0
    for level in levels[says:]:
        rate, _, seconds = level.partition(":")
        if not sys.stdin.readline():
            return
        began = time.time()
        sent = offer(send, int(rate), float(seconds), rng, first_victim)
        first_victim += 100_000
        ended = time.time()
        unsent = producer.flush(30)
        line = {
            "rate": int(rate), "sent": sent, "unsent": unsent, "began": began, "ended": ended,
        }  # fmt: skip
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
