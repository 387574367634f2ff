"""The kinds of attack that operators rehearse.

Every function writes one run: events of one or more recipients in the order of event time. The
defaults were observed or published for tools with 20 to 1,000 endpoints.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.tools.scenarios import platform_profiles as shipped
from streams.tools.scenarios.labelled_events import Labelled, merge_streams
from streams.tools.scenarios.message_writer import MessageWriter, draw_times, in_order
from streams.tools.scenarios.platform_profiles import PLATFORMS, PlatformProfile

REPEATS_MAX: Final = 2  # Maximum number of repeats of a platform in the Dalian incident.


def hits(rng: Random, count: int, platforms: Sequence[PlatformProfile]) -> list[PlatformProfile]:
    """Draw the sender of each of `count` messages: every platform once, some up to twice more.

    Where the count is too small for all platforms, some never send; where it is too large for
    REPEATS_MAX repeats each, they go round again.
    """
    pool = list(platforms)
    extra = pool * REPEATS_MAX
    rng.shuffle(pool)
    rng.shuffle(extra)
    chosen = (pool + extra * -(-count // len(extra)))[:count]
    rng.shuffle(chosen)
    return chosen


def endpoints(
    writer: MessageWriter, platforms: int, number: int | None
) -> Sequence[PlatformProfile]:
    """Return the platforms of the tool with this number, or draw platforms for this run."""
    return (
        writer.rng.sample(PLATFORMS, platforms)
        if number is None
        else shipped.tool(number, platforms)
    )


def own_life(
    writer: MessageWriter,
    start_ms: int,
    span_ms: int,
    used: Sequence[PlatformProfile],
    *,
    known: int,
    new: int,
    again: float = 0.0,
) -> list[Labelled]:
    """Write the victim's own codes during the flood: one of its bank, sent twice, and a few others.

    `again` is the probability that the victim asks for a code of a new platform again, after 60 to
    120 s; half of that is the probability of a third time. It does not depend on whether the code
    arrived, which the writer of a log cannot know.
    """
    rng = writer.rng
    at_ms = start_ms + int(rng.random() * span_ms)
    events = [writer.own(at_ms, writer.person.bank), writer.own(at_ms + 65_000, writer.person.bank)]
    asked = rng.sample(writer.person.known, min(known, len(writer.person.known)))
    strangers = writer.strangers(new, but=used)
    times = draw_times(rng, len(asked) + new, start_ms, span_ms)
    for at_ms, who in zip(times, asked, strict=False):
        events += writer.write_request(at_ms, who)
    for first_ms, who in zip(times[len(asked) :], strangers, strict=True):
        at_ms = first_ms
        events.append(writer.own(at_ms, who))
        for chance in (again, 0.5):
            if rng.random() >= chance:
                break
            at_ms += int(rng.uniform(60, 120) * 1000)
            events.append(writer.own(at_ms, who))
    return events


def a1(
    writer: MessageWriter,
    start_ms: int,
    *,
    platforms: int = 60,
    messages: int = 68,
    minutes: float = 35,
    known_codes: int = 2,
    new_codes: int = 1,
    again: float = 0.0,
    tool: int | None = None,
) -> Iterator[Labelled]:
    """The incident: 68 codes of 40 to 60 platforms in 35 minutes, the bank's among them."""
    used = endpoints(writer, platforms, tool)
    span_ms = int(minutes * MINUTE_MS)
    times = draw_times(writer.rng, messages, start_ms, span_ms)
    flood = [
        writer.code(at, who)
        for at, who in zip(times, hits(writer.rng, messages, used), strict=True)
    ]
    yield from in_order(
        flood
        + own_life(writer, start_ms, span_ms, used, known=known_codes, new=new_codes, again=again)
    )


def a2(
    writer: MessageWriter,
    start_ms: int,
    *,
    platforms: int | None = None,
    again: float = 0.0,
    tool: int | None = None,
) -> Iterator[Labelled]:
    """A burst: 200 codes of 120 to 200 platforms in 5 minutes."""
    platforms = platforms or writer.rng.randint(120, 200)
    yield from a1(
        writer, start_ms, platforms=platforms, messages=200, minutes=5, again=again, tool=tool
    )


def a4(
    writer: MessageWriter,
    start_ms: int,
    *,
    hours: float = 3,
    messages: int = 60,
    platforms: int = 60,
    tool: int | None = None,
) -> Iterator[Labelled]:
    """Low and slow: 60 codes in 3 hours (with hours=24, messages=96: 4 an hour for a day)."""
    yield from a1(
        writer,
        start_ms,
        platforms=platforms,
        messages=messages,
        minutes=60 * hours,
        new_codes=0,
        tool=tool,
    )


def a5(
    writer: MessageWriter,
    start_ms: int,
    *,
    days: int = 7,
    slots: int = 2,
    rate_min: float = 4.5,
    platforms: int = 300,
    new_codes: int = 0,
    again: float = 0.0,
    tool: int | None = None,
) -> Iterator[Labelled]:
    """Days: 4 to 5 codes a minute in slots of 2 hours, for a week."""
    used = endpoints(writer, platforms, tool)
    messages = round(rate_min * 120)
    for day in range(days):
        for hour in sorted(writer.rng.sample(range(8, 22, 2), slots)):
            slot_ms = start_ms + day * DAY_MS + (hour - 8) * HOUR_MS
            times = draw_times(writer.rng, messages, slot_ms, 2 * HOUR_MS)
            order = hits(writer.rng, messages, used)
            flood = [writer.code(at, who) for at, who in zip(times, order, strict=True)]
            own = own_life(writer, slot_ms, 2 * HOUR_MS, used, known=1, new=new_codes, again=again)
            yield from in_order(flood + own)


def a6(
    writer: MessageWriter,
    start_ms: int,
    *,
    recipients: int = 500,
    platforms: int = 60,
    codes: int | None = None,
    tool: int | None = None,
) -> Iterator[Labelled]:
    """A campaign: 500 to 5,000 recipients, 20 to 70 codes each in 30 minutes, same platforms."""
    used = endpoints(writer, platforms, tool)

    def victim(offset: int) -> Iterator[Labelled]:
        other = writer.other("A6", offset)
        count = codes or other.rng.randint(20, 70)
        first_ms = start_ms + int(other.rng.random() * 10 * MINUTE_MS)
        times = draw_times(other.rng, count, first_ms, 30 * MINUTE_MS)
        flood = zip(times, hits(other.rng, count, used), strict=True)
        sent = [other.code(at, who) for at, who in flood]
        return iter(
            in_order(sent + own_life(other, first_ms, 30 * MINUTE_MS, used, known=1, new=0))
        )

    yield from merge_streams(*map(victim, range(recipients)))


def a7(
    writer: MessageWriter, start_ms: int, *, platforms: int = 1, minutes: int = 60
) -> Iterator[Labelled]:
    """One platform, or two, sending again every minute for an hour."""
    used = writer.strangers(platforms)
    times = draw_times(writer.rng, minutes, start_ms, minutes * MINUTE_MS)
    flood = [writer.code(at, used[n % platforms]) for n, at in enumerate(times)]
    yield from in_order(
        flood + own_life(writer, start_ms, minutes * MINUTE_MS, used, known=2, new=0)
    )


def a10(
    writer: MessageWriter,
    start_ms: int,
    *,
    recipients: int = 2000,
    rate_min: float | None = None,
) -> Iterator[Labelled]:
    """A sweep: one platform reaches 2,000 consecutive numbers once or twice, 50 to 500 a minute."""
    platform = writer.rng.choice(PLATFORMS)
    gap_ms = MINUTE_MS / (rate_min or writer.rng.uniform(50, 500))
    at = float(start_ms)
    for offset in range(recipients):
        other = MessageWriter("A10", writer.seed, writer.index + offset, memory=0)
        for _ in range(writer.rng.randint(1, 2)):
            yield other.code(int(at), platform)
            at += writer.rng.expovariate(1 / gap_ms)
