"""Further traffic that looks like an attack, for the evaluation. None of it may be throttled."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.tools.scenarios.benign import VARIATION, b5, log_ins, requests
from streams.tools.scenarios.labelled_events import Labelled, Role
from streams.tools.scenarios.message_writer import MessageWriter, draw_paced, draw_times, in_order
from streams.tools.scenarios.platform_profiles import PLATFORMS, PlatformProfile
from streams.tools.scenarios.wording import COURIER, MARKETING


def b7(writer: MessageWriter, start_ms: int) -> Iterator[Labelled]:
    """Ten courier messages a day, most with a pick-up code, which is no verification code."""
    for at in draw_times(writer.rng, 10, start_ms, 12 * HOUR_MS):
        yield writer.notice(at, COURIER)


def b8(writer: MessageWriter, start_ms: int, *, hours: int = 6) -> Iterator[Labelled]:
    """Marketing, 20 an hour, each of another sender."""
    for at in draw_times(writer.rng, 20 * hours, start_ms, hours * HOUR_MS):
        yield writer.notice(at, MARKETING)


def b9(writer: MessageWriter, start_ms: int) -> Iterator[Labelled]:
    """Eight own codes in 20 minutes in 2 to 4 segments each, every segment's receipt twice."""
    rng = writer.rng
    events: list[Labelled] = []
    for number, at in enumerate(draw_times(rng, 8, start_ms, 20 * MINUTE_MS)):
        platform = rng.choice(writer.person.known)
        segments, message_id = rng.randint(2, 4), f"B9-{writer.seed}-{writer.index}-long-{number}"
        for segment in range(1, segments + 1):
            part: dict[str, Any] = {
                "segment": segment, "segments": segments, "message_id": message_id,
            }  # fmt: skip
            receipt = {**part, "text": "", "event_type": "receipt", "status": "delivered"}
            events.append(writer.own(at, platform, **part))
            events += [writer.own(at + late_ms, platform, **receipt) for late_ms in (4_000, 9_000)]
    yield from in_order(events)


def b10(writer: MessageWriter, start_ms: int) -> Iterator[Labelled]:
    """Six own codes in 20 minutes, each tried 2 to 5 times, 15 s apart, because it was refused."""
    rng = writer.rng
    events: list[Labelled] = []
    for number, at in enumerate(draw_times(rng, 6, start_ms, 20 * MINUTE_MS)):
        platform, message_id = (
            rng.choice(writer.person.known),
            f"B10-{writer.seed}-{writer.index}-{number}",
        )
        for attempt in range(1, rng.randint(2, 5) + 1):
            late_ms = (attempt - 1) * 15_000
            events.append(
                writer.own(at + late_ms, platform, attempt=attempt, message_id=message_id)
            )
    yield from in_order(events)


def b11(
    writer: MessageWriter, start_ms: int, *, days: int = 3, rate_min: float = 1
) -> Iterator[Labelled]:
    """A public disposable number: a message a minute all day, 77 % codes, of any platform."""
    rng = writer.rng
    for day in range(days):
        for at in draw_times(rng, round(rate_min * 1440), start_ms + day * DAY_MS, DAY_MS):
            if rng.random() < 0.77:
                yield writer.own(at, rng.choice(PLATFORMS))
            else:
                yield writer.notice(at, MARKETING)


def b12(
    writer: MessageWriter, start_ms: int, *, recipients: int = 500, minutes: float = 40
) -> Iterator[Labelled]:
    """A gateway flushes its backlog: 40 minutes of codes, all handed on within 10 seconds.

    Events come in the order of arrival, not of event time; `ingest_time_ms` is the time of arrival.
    Each recipient logs in 6 to 12 times, as on a new phone. By arrival, each would be a flood.
    """
    backlog: list[Labelled] = []
    span_ms = int(minutes * MINUTE_MS)
    for offset in range(recipients):
        other = writer.other("B12", offset)
        count = other.rng.randint(6, 12)
        logins = log_ins(other, start_ms, count, gap_s=150)
        backlog += [e for e in logins if e.value["event_time_ms"] < start_ms + span_ms]
    writer.rng.shuffle(backlog)
    for number, event in enumerate(backlog):
        arrival_ms = start_ms + span_ms + number * 10_000 // len(backlog)
        yield Labelled({**event.value, "ingest_time_ms": arrival_ms}, event.truth)


def b13(
    writer: MessageWriter, start_ms: int, *, years: float = 5, changes: float = 6, rush: int = 0
) -> Iterator[Labelled]:
    """A person who changes six platforms a year, for five years, at a code in six days.

    With `rush`, this many new platforms come at once at the end, and then a code of each platform
    in use.
    """
    rng, days = writer.rng, round(365 * years)
    fresh = deque(writer.strangers(min(400, round(years * changes) + rush + 1)))
    using = [*writer.person.known, writer.person.bank]
    met = set(using)

    def ask(at_ms: int, who: PlatformProfile) -> Labelled:
        role = Role.BANK if who.trusted else Role.KNOWN if who in met else Role.NEW
        met.add(who)
        return writer.code(at_ms, who, role)

    for day in range(days):
        if rng.random() < changes / 365:
            place = rng.randrange(len(using))
            using[place] = fresh.popleft() if len(fresh) > rush else using[0]
        if rng.random() < 0.16:
            yield ask(start_ms + day * DAY_MS + rng.randrange(DAY_MS), rng.choice(using))
    end_ms = start_ms + (days + 2) * DAY_MS
    yield from (writer.code(end_ms + n * 5_000, fresh.popleft()) for n in range(rush))
    if rush:
        known = [who for who in using if who in met]
        yield from (ask(end_ms + 5 * MINUTE_MS + n, who) for n, who in enumerate(known))


def b14(writer: MessageWriter, start_ms: int, *, days: int = 5) -> Iterator[Labelled]:
    """A tester: 10 to 40 platforms on five days, each three to eight times a day."""
    rng = writer.rng
    used = writer.strangers(rng.randint(10, 40))
    for day in range(days):
        times = [
            (at, who)
            for who in used
            for at in draw_times(rng, rng.randint(3, 8), start_ms + day * DAY_MS, 8 * HOUR_MS)
        ]
        yield from (writer.own(at, who) for at, who in sorted(times, key=lambda each: each[0]))


def b15(writer: MessageWriter, start_ms: int, *, days: int = 3) -> Iterator[Labelled]:
    """A courier: 20 to 60 pick-up codes a day, and log-ins to three platforms again and again."""
    rng = writer.rng
    used = writer.strangers(3)
    for day in range(days):
        begin_ms = start_ms + day * DAY_MS
        parcels = draw_times(rng, rng.randint(20, 60), begin_ms, 10 * HOUR_MS)
        events = [writer.notice(at, COURIER) for at in parcels]
        for at in draw_times(rng, rng.randint(6, 15), begin_ms, 10 * HOUR_MS):
            events += writer.write_request(at, rng.choice(used))
        yield from in_order(events)


def b16(writer: MessageWriter, start_ms: int, *, gap_s: float = 120) -> Iterator[Labelled]:
    """A migration: 40 to 80 accounts get a new number, on two evenings."""
    asked = requests(writer, writer.rng.randint(40, 80), 1.0)
    for evening in range(2):
        part = asked[evening * len(asked) // 2 : (evening + 1) * len(asked) // 2]
        begin_ms = start_ms + evening * DAY_MS
        times = draw_paced(
            writer.rng, len(part), begin_ms, gap_ms=1000 * gap_s, variation=VARIATION
        )
        yield from (writer.own(at, who) for at, who in zip(times, part, strict=True))


def b17(
    writer: MessageWriter, start_ms: int, *, own_days: int = 14, days: int = 7
) -> Iterator[Labelled]:
    """A shop's number: two weeks of one person's codes, then shared by everybody overnight."""
    rng = writer.rng
    for at in draw_times(rng, own_days // 2, start_ms, own_days * DAY_MS):
        yield writer.own(at, rng.choice(writer.person.known or (writer.person.bank,)))
    yield from b5(writer, start_ms + (own_days + 1) * DAY_MS, days=days)


def b18(writer: MessageWriter, start_ms: int) -> Iterator[Labelled]:
    """Pages fail: 3 to 15 platforms, each tried again one to four times, 10 min to 3 h later."""
    rng = writer.rng
    events: list[Labelled] = []
    who = writer.strangers(rng.randint(3, 15))
    for at_ms, platform in zip(draw_times(rng, len(who), start_ms, 2 * HOUR_MS), who, strict=True):
        for _ in range(1 + rng.randint(1, 4)):
            events += writer.write_request(at_ms, platform)
            at_ms += rng.randrange(10 * MINUTE_MS, 3 * HOUR_MS)  # noqa: PLW2901 - of this platform
    yield from in_order(events)
