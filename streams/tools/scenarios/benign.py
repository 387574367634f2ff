"""Traffic that looks like an attack: B1 to B6. None of it may be throttled."""

from collections.abc import Iterator
from typing import Final

from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.tools.scenarios.labelled_events import Labelled
from streams.tools.scenarios.message_writer import MessageWriter, draw_paced, draw_times, in_order
from streams.tools.scenarios.platform_profiles import ABUSED, PlatformProfile
from streams.tools.scenarios.wording import MARKETING

NOVEL: Final = 0.96
"""Share of a person's log-ins with a novel platform after a week of memory, which is the worst
case. After half a year it is about 0.5.
"""

VARIATION: Final = 0.45
"""Coefficient of variation of the gaps between a person's requests. Chosen: a log-in (open an
app, type a number, wait for the code, type it) rarely takes under 25 s; with a mean of 54 s,
6 % of the gaps are then shorter. With 0.6 there are ten times as many alarms.
"""


PRESS_S: Final = 40
"""Mean seconds until a person presses the button again: between the 20 s and 60 s that pages
require. The log-in at the next platform takes longer.
"""

KAPPA: Final = 30
"""Similarity of people in the share of their novel platforms that floods abuse. A person's share
is drawn from Beta(q kappa, (1 - q) kappa), where q is the mean share. Not measured.
"""


def strangers(
    writer: MessageWriter, count: int, abused: float, kappa: float
) -> list[PlatformProfile]:
    """Draw platforms that are new to a person; a share of them is abused by floods."""
    if not abused:
        return writer.strangers(count)
    share = writer.rng.betavariate(abused * kappa, (1 - abused) * kappa)
    known = {platform.name for platform in writer.person.known}
    hot = [who for who in ABUSED if who.name not in known]
    hot = writer.rng.sample(hot, len(hot))
    others = writer.strangers(count, but=ABUSED)
    return [
        hot.pop() if hot and writer.rng.random() < share else others.pop() for _ in range(count)
    ]


def requests(
    writer: MessageWriter, count: int, novel: float, abused: float = 0, kappa: float = KAPPA
) -> list[PlatformProfile]:
    """Return the platforms of which a person requests codes while logging in to this many."""
    fresh = strangers(writer, count, abused, kappa)
    known = writer.rng.sample(writer.person.known, len(writer.person.known))
    asked: list[PlatformProfile] = []
    for _ in range(count):
        use_known = known and writer.rng.random() >= novel
        asked.append(known.pop() if use_known else fresh.pop())
        asked += asked[-1:] * writer.presses()
    return asked


def log_ins(
    writer: MessageWriter,
    start_ms: int,
    count: int,
    *,
    gap_s: float,
    novel: float = NOVEL,
    variation: float = VARIATION,
    abused: float = 0,
    kappa: float = KAPPA,
) -> list[Labelled]:
    """Write the codes of this many log-ins, with this mean gap between requests."""
    asked = requests(writer, count, novel, abused, kappa)
    times = draw_paced(writer.rng, len(asked), start_ms, gap_ms=1000 * gap_s, variation=variation)
    early_ms, before = 0.0, (start_ms, asked[0])
    events = []
    for at_ms, platform in zip(times, asked, strict=True):
        if before[1] == platform:  # a press on the same page
            early_ms += (at_ms - before[0]) * (1 - min(1.0, PRESS_S / gap_s))
        before = at_ms, platform
        events.append(writer.own(at_ms - int(early_ms), platform))
    return events


def b1(
    writer: MessageWriter,
    start_ms: int,
    *,
    gap_s: float = 90,
    novel: float = NOVEL,
    variation: float = VARIATION,
    abused: float = 0,
    kappa: float = KAPPA,
) -> Iterator[Labelled]:
    """A new phone: 10 to 30 log-ins, 90 s apart on average, some are asked again."""
    yield from log_ins(
        writer,
        start_ms,
        writer.rng.randint(10, 30),
        gap_s=gap_s,
        novel=novel,
        variation=variation,
        abused=abused,
        kappa=kappa,
    )


def b2(
    writer: MessageWriter,
    start_ms: int,
    *,
    gap_s: float = 54,
    novel: float = NOVEL,
    variation: float = VARIATION,
    abused: float = 0,
    kappa: float = KAPPA,
) -> Iterator[Labelled]:
    """A power user sets up: 30 to 60 log-ins, 54 s apart on average."""
    yield from log_ins(
        writer,
        start_ms,
        writer.rng.randint(30, 60),
        gap_s=gap_s,
        novel=novel,
        variation=variation,
        abused=abused,
        kappa=kappa,
    )


def b3(
    writer: MessageWriter,
    start_ms: int,
    *,
    novel: float = NOVEL,
    ads: int = 30,
    abused: float = 0,
    kappa: float = KAPPA,
) -> Iterator[Labelled]:
    """A shopping festival evening of 4 hours: 4 to 10 log-ins, 10 pay codes, 30 marketing texts.

    The log-ins come here and there over the evening, each to another shop.
    """
    rng, span_ms = writer.rng, 4 * HOUR_MS
    asked = requests(writer, rng.randint(4, 10), novel, abused, kappa)
    times = draw_times(rng, len(asked), start_ms, span_ms)
    logins = [writer.own(at, platform) for at, platform in zip(times, asked, strict=True)]
    pay = [writer.own(at, writer.person.bank) for at in draw_times(rng, 10, start_ms, span_ms)]
    offers = [writer.notice(at, MARKETING) for at in draw_times(rng, ads, start_ms, span_ms)]
    yield from in_order(logins + pay + offers)


def b4(writer: MessageWriter, start_ms: int) -> Iterator[Labelled]:
    """A bank's page fails: 4 to 10 codes of one bank in 10 minutes."""
    for at in draw_times(writer.rng, writer.rng.randint(4, 10), start_ms, 10 * MINUTE_MS):
        yield writer.own(at, writer.person.bank)


def b5(
    writer: MessageWriter,
    start_ms: int,
    *,
    days: int = 7,
    platforms: int | None = None,
    a_day: int | None = None,
) -> Iterator[Labelled]:
    """A shared number of an enterprise: 50 to 300 codes a day of 5 to 40 platforms, every day."""
    rng = writer.rng
    used = writer.strangers(platforms or rng.randint(5, 40))
    count = a_day or rng.randint(50, 300)
    for day in range(days):
        for at in draw_times(rng, count, start_ms + day * DAY_MS, 10 * HOUR_MS):
            yield writer.own(at, rng.choice(used))


def b6(writer: MessageWriter, start_ms: int, *, days: int = 1) -> Iterator[Labelled]:
    """A test number: 20 runs a day, each 30 codes of one to three platforms in 5 minutes."""
    rng = writer.rng
    used = writer.strangers(rng.randint(1, 3))
    for day in range(days):
        runs = draw_times(rng, 20, start_ms + day * DAY_MS, 10 * HOUR_MS)
        for at in sorted(at for run in runs for at in draw_times(rng, 30, run, 5 * MINUTE_MS)):
            yield writer.own(at, rng.choice(used))
