"""Measures the effect of attacks, faults and unusual platforms on throughput and the event loop.

Each case is a topic of its own, read by a worker like any other, beside ordinary traffic in the
same run.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from tests.bench import worker
from tests.bench.compare import drop_topics, make_topics
from tests.bench.harness import BROKER_CPU, pin, run, scraped
from tests.bench.traffic import FIRST_RECIPIENT, PLATFORMS, Record, plain, records, send
from tests.nodes import Broker

PARTITIONS: Final = 4
CHECKPOINT_CYCLE_S: Final = 5
"""Some in each case, which takes seconds: an attacker's suspects are most of what they copy."""
HOUR_MS: Final = 3_600_000
VICTIMS: Final = 5_000
LIVE_PER_S: Final = 15_000
"""Messages a second of a campaign as it comes. A backlog that is read at once has half an hour's
leases in a minute; what a worker can stand is told by the pace at which it is attacked."""
LARGEST_TEXT: Final = 17_085
"""Characters of a text of 255 parts of 67: the longest that SMS has."""
COMMON: Final = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就"


@dataclass(frozen=True, slots=True)
class Case:
    """Something that could go wrong."""

    name: str
    what: str
    made: Callable[[int, int], Iterator[Record]]  # of how many events, and the time they end at
    share: float = 1.0  # of the events of the ordinary run
    settings: tuple[tuple[str, str], ...] = ()


def one_recipient(n: int, end_ms: int) -> Iterator[Record]:
    """Everything to one number: one partition has it all."""
    for i in range(n):
        yield plain(FIRST_RECIPIENT, i * 31 % PLATFORMS, end_ms - (n - i) * HOUR_MS // n, i)


def campaign(n: int, end_ms: int) -> Iterator[Record]:
    """5,000 victims under attack at once, by the same platforms, in half an hour."""
    rng = random.Random(1)
    for i in range(n):
        at_ms = end_ms - (n - i) * HOUR_MS // 2 // n
        yield plain(FIRST_RECIPIENT + rng.randrange(VICTIMS), rng.randrange(PLATFORMS), at_ms, i)


def campaign_live(n: int, end_ms: int) -> Iterator[Record]:
    """The same as it would arrive: as many messages a second as a worker could be sent."""
    rng = random.Random(1)
    for i in range(n):
        at_ms = end_ms - (n - i) * 1000 // LIVE_PER_S
        yield plain(FIRST_RECIPIENT + rng.randrange(VICTIMS), rng.randrange(PLATFORMS), at_ms, i)


def suspects(n: int, end_ms: int) -> Iterator[Record]:
    """Every recipient gets a code of a new platform every quarter of an hour."""
    crowd = max(1, n // 20)
    for i in range(n):
        at_ms = end_ms - (n - i) * 5 * HOUR_MS // n
        yield plain(FIRST_RECIPIENT + i % crowd, (i // crowd + i % crowd * 7) % PLATFORMS, at_ms, i)


def templates(n: int, end_ms: int) -> Iterator[Record]:
    """No text comes twice, whatever its digits: nothing is found in the cache."""
    rng = random.Random(2)
    for i in range(n):
        made = plain(
            FIRST_RECIPIENT + rng.randrange(1_000_000), rng.randrange(PLATFORMS),
            end_ms - (n - i) * HOUR_MS // n, i,
        )  # fmt: skip
        odd = "".join(rng.choices(COMMON, k=6)).encode()
        yield made._replace(value=made.value.replace("本人操作".encode(), odd))


def platforms(n: int, end_ms: int) -> Iterator[Record]:
    """10,000 platforms, all as frequent."""
    rng = random.Random(3)
    for i in range(n):
        at_ms = end_ms - (n - i) * HOUR_MS // n
        yield plain(FIRST_RECIPIENT + rng.randrange(1_000_000), rng.randrange(10_000), at_ms, i)


def longest(n: int, end_ms: int) -> Iterator[Record]:
    """Texts of 51 kB, the longest that a concatenated SMS can have."""
    more = ("，" + COMMON * 600)[: LARGEST_TEXT - 41].encode()
    for made in platforms(n, end_ms):
        yield made._replace(value=made.value.replace("，请忽略本短信".encode(), more))


def old(n: int, end_ms: int) -> Iterator[Record]:
    """Ordinary traffic that has waited for an hour."""
    return records(n, end_ms - HOUR_MS)


CASES: Final = (
    Case("ordinary", "the mixed traffic of the whole job", records),
    Case("one recipient", "all to one number, 600 platforms", one_recipient, 0.5),
    Case("campaign", "5,000 victims, 600 platforms, half an hour", campaign),
    Case("campaign as it comes", "the same victims, 15,000 messages a second", campaign_live),
    Case("all suspects", "every recipient has 20 new platforms in five hours", suspects),
    Case("new templates", "every text is a new template", templates, 0.5),
    Case("10,000 platforms", "as many platforms, all as frequent", platforms),
    Case("largest batch", "ordinary, polls of up to 200,000 records and 64 MB", records, 1.0,
         (("OTPGUARD_KAFKA_POLL_RECORDS_MAX", "200000"),
          ("OTPGUARD_KAFKA_FETCH_BYTES_MAX", str(64 << 20)))),
    Case("longest texts", "51 kB each", longest, 0.01),
    Case("backlog", "ordinary, an hour old", old),
)  # fmt: skip


class Silences:
    """Watches how long the worker's event loop was silent, while it is measured."""

    def __init__(self, one: worker.Worker) -> None:
        self.longest_s = 0.0
        self._one = one
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            # asked for only once it works: before that the loop starts, which is another matter
            if not self._one.series.get("otpguard_codes_total"):
                continue
            series = scraped(self._one.page)
            self.longest_s = max(self.longest_s, series.get("otpguard_loop_silence_seconds", 0.0))


def measure(
    broker: Broker, *, events: int, only: str, cycle_s: int, folder: Path
) -> list[dict[str, Any]]:
    """Each case beside ordinary traffic."""
    pin(broker.pids, BROKER_CPU)
    found: list[dict[str, Any]] = []
    words = only.lower().split(",")
    chosen = [c for c in CASES if c.name == "ordinary" or any(w in c.name for w in words)]
    stamp = time.time_ns() // 1_000_000_000
    for i, case in enumerate(chosen):
        n = round(events * case.share)
        topic = f"worst-{stamp}-{i}.input"
        make_topics(broker, PARTITIONS, topic)
        sent = send(broker.bootstrap, topic, PARTITIONS, case.made(n, time.time_ns() // 1_000_000))
        name = f"worst-{stamp}-{i}.run"
        with (
            worker.configured(broker, sent, name, checkpoint_cycle_s=cycle_s) as one,
            Silences(one) as silences,
        ):
            finished = run(
                one.command, broker, warm=n // 3, log=folder / f"{name}.log",
                progress=one.progress, total=n, env=one.env | dict(case.settings),
            )  # fmt: skip
            series = one.series
        drop_topics(broker, topic)
        drop_topics(broker, name)
        cost = finished.cost
        found.append(
            {
                "name": case.name,
                "what": case.what,
                "events": n,
                "bytes_per_event": sent.bytes / sent.events,
                "us_per_event": cost.client_us,
                "events_per_s": cost.events_per_s,
                "mb_per_s": cost.events_per_s * sent.bytes / sent.events / 1e6,
                "judged": series["otpguard_judged_total"],
                "silent_s": silences.longest_s,
                "rss_mb": cost.rss / 1e6,
            }
        )
    ordinary = found[0]["events_per_s"]
    for one_ in found:
        one_["relative"] = one_["events_per_s"] / ordinary
    return found
