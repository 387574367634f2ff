"""Offers a steady stream without end: `python -m tests.faults.steady BOOTSTRAP TOPIC RATE SEED`.

Subscribers have habits: each gets codes of the same four platforms, again and again, and its row
knows them from before (`tests.bench.resume.seed`), so that three a minute make nobody a suspect:
what is new to a row is rare in a nation's traffic too. With two alone each would re-send for
everybody, and the worker would open 131,072 episodes of that kind a quarter of an hour later.
Every ten seconds a flood of new platforms begins. The rate holds whatever the worker does: what is
late is sent at once, and nothing is sent twice.
"""

from __future__ import annotations

import random
import sys
import time
from collections import deque
from typing import Final

from streams.config import Settings
from tests.bench.resume import send_in_place
from tests.bench.traffic import (
    FIRST_RECIPIENT,
    PLATFORMS,
    Record,
    habitual,
    plain,
    producer_to,
)

SUBSCRIBERS: Final = 1_000_000
HABITS: Final = 4
FLOOD_EVERY_S: Final = 10
FLOOD_MESSAGES: Final = 9
BEAT_S: Final = 0.005


def main(bootstrap: str, topic: str, rate: str, seed: str) -> None:
    """Send until killed."""
    per_s, rng, partitions = int(rate), random.Random(int(seed)), Settings().topics.partitions
    producer = producer_to(bootstrap, linger_ms=5)

    def send(record: Record) -> None:
        send_in_place(producer, topic, partitions, record)

    began = time.monotonic()
    sent = victims = 0
    flood: deque[tuple[float, int, int]] = deque()  # due at, victim, message
    while True:
        passed_s = time.monotonic() - began
        now_ms = time.time_ns() // 1_000_000
        if passed_s >= victims * FLOOD_EVERY_S:
            victim = FIRST_RECIPIENT + 2 * SUBSCRIBERS + victims
            flood.extend((passed_s + i, victim, i) for i in range(FLOOD_MESSAGES))
            victims += 1
        while flood and flood[0][0] <= passed_s:
            _, victim, message = flood.popleft()
            send(plain(victim, PLATFORMS + (victim * 7 + message) % 400, now_ms, sent))
            sent += 1
        for _ in range(int(passed_s * per_s) - sent):
            send(habitual(int(rng.random() * SUBSCRIBERS), now_ms, sent, HABITS))
            sent += 1
        producer.poll(0)
        time.sleep(BEAT_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
