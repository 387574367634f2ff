"""Further kinds of attack, which only the evaluation needs.

Every function writes one run: events of one or more recipients in the order of event time.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.tools.scenarios.attacks import a1, a4, endpoints, hits, own_life
from streams.tools.scenarios.labelled_events import Labelled, merge_streams
from streams.tools.scenarios.message_writer import MessageWriter, draw_paced, draw_times, in_order
from streams.tools.scenarios.numbering import port
from streams.tools.scenarios.platform_profiles import PLATFORMS
from streams.tools.scenarios.wording import COURIER, MARKETING, SHARED_CHINESE, SHARED_LATIN

ALL: Final = 1 << 10
"""More than the number of all platforms."""


def a3(
    writer: MessageWriter,
    start_ms: int,
    *,
    waves: int | None = None,
    platforms: int | None = None,
    period_s: int | None = None,
) -> Iterator[Labelled]:
    """A wave tool: 5 to 60 waves, 30 or 60 s apart, each hitting 30 to 300 platforms once.

    All of the first wave's hits succeed; later platforms refuse repeats, 20 % succeed.
    """
    rng = writer.rng
    waves = waves or rng.randint(5, 60)
    used = rng.sample(PLATFORMS, platforms or rng.randint(30, 300))
    period_ms = 1000 * (period_s or rng.choice((30, 60)))
    events: list[Labelled] = []
    for wave in range(waves):
        order = rng.sample(used, len(used))
        times = draw_times(rng, len(used), start_ms + wave * period_ms, period_ms)
        success = 1.0 if wave == 0 else 0.2
        for at, who in zip(times, order, strict=True):
            if rng.random() < success:
                events.append(writer.code(at, who))
    yield from in_order(
        events + own_life(writer, start_ms, waves * period_ms, used, known=2, new=1)
    )


def a4_day(writer: MessageWriter, start_ms: int, *, tool: int | None = None) -> Iterator[Labelled]:
    """Low and slow over a day: 96 codes of 60 platforms in 24 hours."""
    yield from a4(writer, start_ms, hours=24, messages=96, tool=tool)


def a8(
    writer: MessageWriter,
    start_ms: int,
    *,
    minutes: float = 35,
    pool: int = 500,
    rate_min: float = 2,
    again: float = 0.0,
) -> Iterator[Labelled]:
    """Rotation: 2 a minute from a pool of 500, none twice in 24 h, each from a new port."""
    messages, span_ms = round(minutes * rate_min), int(minutes * MINUTE_MS)
    used = writer.rng.sample(PLATFORMS, pool)
    times = draw_times(writer.rng, messages, start_ms, span_ms)
    flood = [
        writer.code(at, who, sender=port(who.name, writer.rng.randrange(1, 10_000)))
        for at, who in zip(times, islice(used, messages), strict=True)
    ]
    own = own_life(writer, start_ms, span_ms, used, known=2, new=1, again=again)
    yield from in_order(flood + own)


def a9(writer: MessageWriter, start_ms: int, *, without_text: float = 0) -> Iterator[Labelled]:
    """Mixed: the incident by ports, names and short codes, in many languages.

    Half of the platforms are foreign ones; a third of those with a port use a short code. A share
    of the messages may come without text, as some feeds have them.
    """
    named = [p for p in PLATFORMS if not p.sender.isdigit()]
    ported = [p for p in PLATFORMS if p.sender.isdigit()]
    used = writer.rng.sample(named, 30) + writer.rng.sample(ported, 30)
    short = {who.name: str(writer.rng.randrange(20_000, 99_999)) for who in used[30:40]}
    span_ms = 35 * MINUTE_MS
    flood = []
    for at, who in zip(
        draw_times(writer.rng, 68, start_ms, span_ms), hits(writer.rng, 68, used), strict=True
    ):
        fields: dict[str, Any] = {"sender": short.get(who.name, who.sender)}
        if writer.rng.random() < without_text:
            fields["text"] = ""
        flood.append(writer.code(at, who, **fields))
    yield from in_order(flood + own_life(writer, start_ms, span_ms, used, known=2, new=1))


def a9_sender(writer: MessageWriter, start_ms: int) -> Iterator[Labelled]:
    """The mixed incident in a feed without any text: only senders tell."""
    yield from a9(writer, start_ms, without_text=1.0)


def a11(writer: MessageWriter, start_ms: int, *, platforms: int = 10) -> Iterator[Labelled]:
    """The throttle as a weapon: 10 platforms at once, then nothing, so that the bank is cut off."""
    used = writer.strangers(platforms)
    times = draw_times(writer.rng, platforms, start_ms, 2 * MINUTE_MS)
    flood = [writer.code(at, who) for at, who in zip(times, used, strict=True)]
    after_ms = start_ms + 2 * MINUTE_MS
    own = own_life(writer, after_ms, 10 * MINUTE_MS, used, known=ALL, new=0)
    yield from in_order(flood + own)


def a12(writer: MessageWriter, start_ms: int) -> Iterator[Labelled]:
    """A smoke screen: 30 marketing or courier texts an hour around the incident."""
    flood = list(a1(writer, start_ms))
    times = draw_times(writer.rng, 78, start_ms - HOUR_MS, 156 * MINUTE_MS)
    smoke = [writer.notice(at, writer.rng.choice((MARKETING, COURIER))) for at in times]
    yield from in_order(flood + smoke)


def a13(
    writer: MessageWriter,
    start_ms: int,
    *,
    platforms: int = 12,
    gap_s: float = 41,
    repeats: int = 15,
    pace_s: float = 1,
) -> Iterator[Labelled]:
    """Prime, then blast: 12 platforms one by one, then 15 more codes of each, one a second."""
    used = writer.strangers(platforms)
    primed_ms = [start_ms + round(1000 * gap_s * n) for n in range(platforms)]
    blast_ms = [primed_ms[-1] + round(1000 * pace_s * n) for n in range(1, platforms * repeats + 1)]
    order = used + used * repeats
    flood = [writer.code(at, who) for at, who in zip(primed_ms + blast_ms, order, strict=True)]
    span_ms = flood[-1].value["event_time_ms"] - start_ms
    yield from in_order(flood + own_life(writer, start_ms, span_ms, used, known=2, new=0))


def a14(
    writer: MessageWriter,
    start_ms: int,
    *,
    platforms: int = 22,
    rounds: int = 2,
    a_day: int = 11,
    apart_days: int = 2,
    codes: int = 220,
) -> Iterator[Labelled]:
    """A taught memory: 22 platforms twice each, 11 a day an hour apart, days before the flood.

    Then 220 codes of theirs in two hours, and 8 of others in a rush, so that a lease refuses what
    the recipient does not know; of its own platforms each sends it a code meanwhile.
    """
    rng = writer.rng
    used = writer.strangers(platforms)
    days = -(-platforms // a_day)
    taught = [
        writer.code(start_ms + (turn * max(days, apart_days) + n // a_day) * DAY_MS + at_ms, who)
        for turn in range(rounds)
        for n, who in enumerate(used)
        for at_ms in [n % a_day * HOUR_MS]
    ]
    flood_ms = start_ms + (rounds * max(days, apart_days) + 1) * DAY_MS
    times = draw_times(rng, codes, flood_ms, 2 * HOUR_MS)
    flood = [writer.code(at, used[n % platforms]) for n, at in enumerate(times)]
    rush = [
        writer.code(flood_ms + n * 5_000, who) for n, who in enumerate(writer.strangers(8, used))
    ]
    own = own_life(writer, flood_ms + 60_000, 8 * MINUTE_MS, used, known=ALL, new=0)
    yield from in_order(taught + flood + rush + own)


def a15(
    writer: MessageWriter,
    start_ms: int,
    *,
    hours: float = 2,
    tool: int | None = None,
) -> Iterator[Labelled]:
    """One code in two minutes, for two hours: slower than a person who sets up a phone."""
    yield from a4(writer, start_ms, hours=hours, messages=round(30 * hours), tool=tool)


def a16(
    writer: MessageWriter,
    start_ms: int,
    *,
    recipients: int = 100,
    numbers: int = 30,
    platforms: int = 40,
    share: float = 0.3,
) -> Iterator[Labelled]:
    """A poisoner floods 30 numbers of its own for a week, so that others' platforms become hot.

    It aims at people who set up a phone and have a share of their log-ins at platforms that it
    chose, as rare as it can find: those stand out most. Its own numbers count as what was before.
    """
    chosen = PLATFORMS[-platforms:]

    def own(number: int) -> Iterator[Labelled]:
        other = writer.other("A16", recipients + number)
        first_ms = start_ms - (1 + number % 7) * DAY_MS + number * HOUR_MS
        for n, who in enumerate(other.rng.sample(chosen, min(60, platforms))):
            code = other.code(first_ms + n * 5_000, who)
            yield Labelled(code.value, replace(code.truth, scenario="history"))

    def aimed_at(offset: int) -> Iterator[Labelled]:
        other = writer.other("A16", offset)
        aimed = [who for who in chosen if who not in other.person.known]
        others = other.strangers(30, but=chosen)
        other.rng.shuffle(aimed)
        count = other.rng.randint(10, 30)
        gaps = draw_paced(other.rng, count, start_ms, gap_ms=90_000, variation=0.45)
        for at_ms in gaps:
            pool = aimed if aimed and other.rng.random() < share else others
            yield other.own(at_ms, pool.pop())

    def before(offset: int) -> Iterator[Labelled]:
        return writer.other("A16-before", offset).history(start_ms)

    people = range(recipients)
    yield from merge_streams(
        *map(before, people), *map(own, range(numbers)), *map(aimed_at, people)
    )


def a17(
    writer: MessageWriter,
    start_ms: int,
    *,
    platforms: int = 35,
    minutes: float = 35,
    again: float = 0.0,
    tool: int | None = None,
) -> Iterator[Labelled]:
    """Every platform twice, the second time after one to two minutes, as a person would ask."""
    used = endpoints(writer, platforms, tool)
    span_ms = int(minutes * MINUTE_MS)
    flood = []
    for at, who in zip(draw_times(writer.rng, platforms, start_ms, span_ms), used, strict=True):
        again_ms = at + int(writer.rng.uniform(60, 120) * 1000)
        flood += [writer.code(at, who), writer.code(again_ms, who)]
    own = own_life(writer, start_ms, span_ms, used, known=2, new=1, again=again)
    yield from in_order(flood + own)


def a18(writer: MessageWriter, start_ms: int, *, sender: str = "AUTHMSG") -> Iterator[Labelled]:
    """The incident through one aggregator: 60 platforms behind one sender, without signatures.

    Only the running text names them. Each keeps its own wording.
    """
    used = writer.rng.sample(PLATFORMS, 60)
    span_ms = 35 * MINUTE_MS
    times = draw_times(writer.rng, 68, start_ms, span_ms)
    flood = []
    for at, who in zip(times, hits(writer.rng, 68, used), strict=True):
        formats = SHARED_LATIN if who.name.isascii() else SHARED_CHINESE
        wording = formats[zlib.crc32(who.name.encode()) % len(formats)]
        text = wording.format(name=who.name, code=f"{writer.rng.randrange(10**6):06d}")
        flood.append(writer.code(at, who, sender=sender, text=text))
    yield from in_order(flood + own_life(writer, start_ms, span_ms, used, known=2, new=1))


def a19(
    writer: MessageWriter,
    start_ms: int,
    *,
    platforms: int = 105,
    minutes: float = 35,
    period_s: int = 150,
    again: float = 0.0,
    tool: int | None = None,
) -> Iterator[Labelled]:
    """Second requests abused: waves of platforms within a second, each again 60 s later at once.

    Who knows the rule that lets a second message pass fills every window that it opens.
    """
    used = endpoints(writer, platforms, tool)
    span_ms = int(minutes * MINUTE_MS)
    waves = max(1, span_ms // (period_s * 1000))
    flood = []
    for n, who in enumerate(used):
        at = start_ms + n % waves * period_s * 1000 + n // waves * 1000 // (-(-platforms // waves))
        flood += [writer.code(at, who), writer.code(at + 60_000, who)]
    own = own_life(writer, start_ms, span_ms, used, known=2, new=1, again=again)
    yield from in_order(flood + own)
