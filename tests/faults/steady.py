"""Offers a steady stream without end: `python -m tests.faults.steady BOOTSTRAP TOPIC RATE SEED`.

One of five messages is a code, the others are notices about parcels. Each of four million
subscribers knows six platforms from before (`tests.bench.resume.seed`) and gets a code of one of
them in turn: at 50,000 messages a second a code every 400 s, 50 times what people get. So no
platform comes twice within half an hour, and nobody is a suspect. The stream has no repeats,
because a worker keeps the times of repeats for a day, so its memory would grow for a day. (Until
December 2026 each of a million subscribers got a code of one of four platforms every 20 s. Repeated
codes of known platforms have a limit now, so such traffic is a flood against everybody.) Every ten
seconds a flood of new platforms begins. The rate holds whatever the worker does: what is late is
sent at once, and nothing is sent twice.
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
    parcel,
    plain,
    producer_to,
)

SUBSCRIBERS: Final = 4_000_000
HABITS: Final = 6
CODE_EVERY: Final = 5
STRIDE: Final = 1_234_567
"""From one subscriber to the next, by number. It has no common divisor with their number, so every
subscriber has had a code before any has the next one."""
FLOOD_EVERY_S: Final = 10
FLOOD_MESSAGES: Final = 9
BEAT_S: Final = 0.005


def main(bootstrap: str, topic: str, rate: str, seed: str) -> None:
    """Send until killed."""
    per_s, rng, partitions = int(rate), random.Random(int(seed)), Settings().topics.partitions
    first = rng.randrange(SUBSCRIBERS)
    producer = producer_to(bootstrap, linger_ms=5)

    def send(record: Record) -> None:
        send_in_place(producer, topic, partitions, record)

    began = time.monotonic()
    sent = victims = codes = 0
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
            if sent % CODE_EVERY == 0:
                turn, place = divmod(codes, SUBSCRIBERS)
                number = codes * HABITS + turn % HABITS  # modulo HABITS it is the turn's platform
                send(habitual((first + place * STRIDE) % SUBSCRIBERS, now_ms, number, HABITS))
                codes += 1
            else:
                send(parcel(FIRST_RECIPIENT + int(rng.random() * SUBSCRIBERS), now_ms, sent))
            sent += 1
        producer.poll(0)
        time.sleep(BEAT_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
