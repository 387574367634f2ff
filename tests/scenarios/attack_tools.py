"""Floods at the pace of real tools: one generator, and a table of paces in `tools.toml`.

A tool asks platforms, and the platforms decide what reaches the phone. A platform keeps a least
time between two codes to one number. Most platforms also limit the codes of an hour. Those that do
not go on to the end of a run.
"""

import tomllib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Final, Literal, NamedTuple

from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.tools.scenarios.labelled_events import Labelled, Role, merge_streams
from streams.tools.scenarios.message_writer import MessageWriter, in_order
from streams.tools.scenarios.numbering import port
from streams.tools.scenarios.platform_profiles import PLATFORMS, PlatformProfile
from streams.tools.scenarios.wording import CODES, Wording

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tool:
    """The pace of a family of tools. `tools.toml` says what each field means."""

    name: str
    alive: tuple[int, int]
    order: Literal["list", "random", "clock"]
    at_once: int
    gap_s: Span
    round_s: Span
    minutes: float
    codes: int
    runs: int
    rest_min: Span


def _tool(entry: dict[str, object]) -> Tool:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    return Tool(**values)  # type: ignore[arg-type]  # a test reads the file


_TABLE: Final = Path(__file__).with_name("tools.toml").read_text(encoding="utf-8")

TOOLS: Final = tuple(_tool(entry) for entry in tomllib.loads(_TABLE)["tools"])

FAST, ROUND, REPEATED = range(3)
"""The first three tools: a fast list, one code in 30 s, and a small list that is started again."""

COOL_DOWNS_S: Final = (60, 120, 60, 15, 60, 90, 60, 180, 60, 120, 60, 30, 60, 120, 60, 200)
"""The pace at which the tool that respects resend limits asks its platforms, in turn."""


class ResendLimits(NamedTuple):
    """How a platform protects one number: seconds between codes, and codes in an hour (0: any)."""

    resend_s: int
    an_hour: int


_LIMITS: Final = (
    *[ResendLimits(60, 5)] * 5, *[ResendLimits(60, 10)] * 2, ResendLimits(120, 5),
    ResendLimits(60, 0), ResendLimits(15, 0),
)  # fmt: skip
"""Most pages state 60 s, and two platforms in ten have no limit for an hour. Assumed."""

FEW: Final = 5
"""A list this short has platforms that limit nothing: its user kept those that go on sending."""

UNLIMITED: Final = ResendLimits(1, 0)


def limits_of(platform: PlatformProfile) -> ResendLimits:
    """Return the limits of a platform, which follow from its name."""
    return _LIMITS[zlib.crc32(platform.name.encode()) // 19 % len(_LIMITS)]


def draw_requests(
    rng: Random, tool: Tool, platforms: int, span_ms: float
) -> Iterator[tuple[int, int]]:
    """Yield the times of a run's requests, in ms from its start, and the platform's place."""
    gap_ms = 1000 * rng.uniform(*tool.gap_s)
    if tool.order == "clock":
        yield from sorted(
            (round(at * 1000), n)
            for n in range(platforms)
            for at in range(n, round(span_ms / 1000), COOL_DOWNS_S[n % len(COOL_DOWNS_S)])
        )
        return
    at_ms, listed = 0.0, cycle(range(platforms))
    while at_ms < span_ms:
        for n in range(platforms):
            who = next(listed) if tool.order == "list" else rng.randrange(platforms)
            yield round(at_ms), who
            if n % tool.at_once == tool.at_once - 1 or tool.at_once == 1:
                at_ms += gap_ms
        at_ms += 1000 * rng.uniform(*tool.round_s) + (gap_ms if tool.at_once > 1 else 0)


def draw_delivered(
    rng: Random, tool: Tool, platforms: Sequence[PlatformProfile], start_ms: int
) -> list[tuple[int, PlatformProfile]]:
    """Return the codes that reach the phone, with their times, over all runs of a tool."""
    short = len(platforms) <= FEW
    limits = [UNLIMITED if short else limits_of(platform) for platform in platforms]
    passed: list[list[int]] = [[] for _ in platforms]
    arrived: list[tuple[int, PlatformProfile]] = []
    span_ms = tool.minutes * MINUTE_MS
    for _ in range(tool.runs):
        codes, last_ms = 0, start_ms
        for after_ms, n in draw_requests(rng, tool, len(platforms), span_ms):
            at_ms, times = start_ms + after_ms, passed[n]
            last_ms = at_ms
            resend_s, an_hour = limits[n]
            if times and at_ms - times[-1] < 1000 * resend_s:
                continue
            if an_hour and len(times) >= an_hour and at_ms - times[-an_hour] < HOUR_MS:
                continue
            times.append(at_ms)
            arrived.append((at_ms + rng.randrange(2000), platforms[n]))
            codes += 1
            if tool.codes and codes >= tool.codes:
                break
        start_ms = last_ms + round(rng.uniform(*tool.rest_min) * MINUTE_MS)
    return sorted(arrived, key=lambda each: each[0])


UNLISTED_BANK: Final = PlatformProfile(
    "云岭农商银行", (Wording(port("云岭农商银行"), CODES["bank"][0]),), 6
)
"""A bank whose number no registry lists, so nothing but the memory of a row lets its codes pass."""

BANK_DAYS: Final = (33, 96)
"""Days before a flood on which the victim got a code of the unlisted bank."""


def history_with_bank(writer: MessageWriter, start_ms: int, **_: object) -> Iterator[Labelled]:
    """Write the usual history, and two codes of a bank that no registry lists."""
    bank = [writer.code(start_ms - days * DAY_MS, UNLISTED_BANK) for days in reversed(BANK_DAYS)]
    yield from merge_streams(writer.history(start_ms), (writer.past(code) for code in bank))


def history_of_all_with_bank(
    writer: MessageWriter, start_ms: int, *, recipients: int, **_: object
) -> Iterator[Labelled]:
    """Write this history for all victims of a campaign."""
    others = (writer.other(writer.scenario, offset) for offset in range(recipients))
    yield from merge_streams(*(history_with_bank(other, start_ms) for other in others))


def a20(
    writer: MessageWriter,
    start_ms: int,
    *,
    family: int = ROUND,
    own_codes: int = 3,
    bank_codes: int = 1,
    list_number: int | None = None,
) -> Iterator[Labelled]:
    """A flood at the pace of a real tool; `family` is its number in the table.

    Meanwhile the victim asks for codes of platforms that it knows, and of its bank, each some time
    after a code of the flood. `list_number` names a list that several floods share.
    """
    rng, tool = writer.rng, TOOLS[family]
    source = rng if list_number is None else Random(f"list/{family}/{list_number}")
    used = source.sample(PLATFORMS, source.randint(*tool.alive))
    flood = draw_delivered(rng, tool, used, start_ms)
    events = [writer.code(at_ms, who) for at_ms, who in flood]
    wanted = [UNLISTED_BANK] * bank_codes
    if writer.person.known:
        wanted += rng.choices(writer.person.known, k=own_codes)
    for who in wanted:
        at_ms = rng.choice(flood)[0] + rng.randrange(3 * MINUTE_MS)
        role = Role.BANK if who is UNLISTED_BANK else Role.KNOWN
        events.append(writer.own(at_ms, who, role))
    yield from in_order(events)


def a21(
    writer: MessageWriter,
    start_ms: int,
    *,
    family: int = ROUND,
    recipients: int = 100,
    apart_min: float = 5,
) -> Iterator[Labelled]:
    """A campaign at the pace of a real tool: 100 victims in turn, by one list."""
    yield from merge_streams(
        *(
            a20(
                writer.other("A21", offset),
                start_ms + round(offset * apart_min * MINUTE_MS),
                family=family,
                list_number=writer.seed,
            )
            for offset in range(recipients)
        )
    )
