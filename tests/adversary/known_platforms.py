"""`python -m tests.adversary.known_platforms`: what a limit on known platforms gives and takes.

A flood of three hours abuses 60 new platforms and four that the victim has used for weeks. The
victim asks 72 times for a code of these four, and asks again 70 s later if the first code was
refused. Each row is a limit on known platforms; each column a pace of the flood's codes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple
from unittest.mock import patch

from detectors.chain import Params
from detectors.episodes import limit as known_limit
from detectors.leases.gateway_rule import Ruling
from detectors.model.event import Trust
from detectors.suspects import limit as all_limit
from detectors.suspects.judge import JudgeParams
from detectors.thresholds import KNOWN_LIMITS, LIMITS_TOTAL
from streams.cases.rulings import LogMessage, RulingGateway
from tests.adversary.search import (
    OFFSETS_EACH,
    OFFSETS_S,
    PARAMS,
    USED,
    VICTIM,
    Sent,
    densest,
    own_weeks,
)
from tests.detectors.stand_in import HOUR_MS, START_MS, Event, run

HOURS: Final = 3
NEW, ABUSED, ASKED = 60, 4, 72
PACES_S: Final = (77, 311)
"""Time between two of the flood's codes of one known platform: 187 and 46 codes an hour in all."""

ENFORCED: Final = replace(PARAMS, judge=JudgeParams(rules={"known": "enforce"}))


class Rule(NamedTuple):
    """A limit on known platforms."""

    name: str
    an_hour: int  # repeated codes of all platforms together
    params: Params = PARAMS
    known: tuple[int, int, int] | None = None  # codes of one platform in 10 min, hour, day
    pace_ms: int = 0  # a gateway passes one code of a known platform in this time


RULES: Final = (
    Rule("none", 9999),
    Rule("all together 80 an hour", 80),
    Rule("all together 58 an hour", 58),
    Rule("all together 54 an hour", 54),
    Rule("54, and `known` enforced: 8, 16, 30", 54, ENFORCED),
    Rule("54, and `known` enforced: 5, 8, 12", 54, ENFORCED, (5, 8, 12)),
    Rule("one code of each in two minutes, no other limit", 9999, pace_ms=120_000),
    Rule("one code of each in four minutes, and 54", 54, pace_ms=240_000),
)


class Came(NamedTuple):
    """What a limit comes to."""

    flood: int  # the flood's codes of known platforms in the worst hour
    lost: int  # requests of the victim whose two codes were refused
    silent: int  # requests after which no code of the platform came for five minutes


def messages(pace_s: int, again: set[Sent]) -> Iterator[Sent]:
    """Yield the weeks before, the flood, the victim's requests, and those that are repeated."""
    yield from own_weeks()
    end_ms = START_MS + HOURS * HOUR_MS
    for n, at_ms in enumerate(range(START_MS, end_ms, 20_000)):
        yield _sent(at_ms, f"new {n % NEW}", own=False)
    for n in range(ABUSED):
        for at_ms in range(START_MS + 3000 + n * pace_s * 1000 // ABUSED, end_ms, pace_s * 1000):
            yield _sent(at_ms, USED[n], own=False)
    for first in requests():
        yield first
        if first in again:
            yield _sent(first.arrives_ms + 70_000, first.event.platform, own=True)


def requests() -> list[Sent]:
    """Return the victim's requests during the flood."""
    step_ms = (HOURS * HOUR_MS - 120_000) // ASKED
    return [
        _sent(START_MS + 60_500 + n * step_ms, USED[n * 3 % ABUSED], own=True) for n in range(ASKED)
    ]


def _sent(at_ms: int, platform: str, *, own: bool) -> Sent:
    return Sent(at_ms, at_ms, Event(at_ms, VICTIM, platform, gateway="gw"), own)


def passed(rule: Rule, sent: list[Sent]) -> set[Sent]:
    """Play messages against the chain and a gateway; return those that it let pass."""
    sent.sort(key=lambda each: each.arrives_ms)
    first_ms, offsets = sent[0].arrives_ms, list[int]()
    for each in sent:
        wanted = (each.arrives_ms - first_ms) // (OFFSETS_S * 1000) * OFFSETS_EACH
        offsets.append(max(wanted, offsets[-1] + OFFSETS_EACH if offsets else 0))
    gateway, last_ms, came = RulingGateway(), dict[str, int](), set[Sent]()
    actions = run(rule.params, [each.event for each in sent], offsets=offsets).actions
    gateway.add(replace(action, cause=action.cause._replace(at_ms=0)) for action in actions)
    for each, offset in zip(sent, offsets, strict=True):
        at_ms, platform = each.arrives_ms, each.event.platform
        message = LogMessage(str(VICTIM), at_ms, offset, True, platform, Trust.NONE)
        paced = platform in USED and at_ms - last_ms.get(platform, 0) < rule.pace_ms
        if gateway.rule(message)[0] is not Ruling.REFUSE and not paced:
            came.add(each)
            last_ms[platform] = at_ms
    return came


def measured(rule: Rule, pace_s: int) -> Came:
    """Play until the victim repeats exactly the refused requests, in at most six rounds."""
    again, asked = set[Sent](), requests()
    for _ in range(6):
        came = passed(rule, [*messages(pace_s, again)])
        refused = {first for first in asked if first not in came}
        if refused == again:
            break
        again = refused
    during = [each for each in came if each.arrives_ms >= START_MS and each.event.platform in USED]
    lost = [
        first
        for first in refused
        if _sent(first.arrives_ms + 70_000, first.event.platform, own=True) not in came
    ]
    silent = sum(
        not any(
            each.event.platform == first.event.platform
            and 0 <= each.arrives_ms - first.arrives_ms <= 300_000
            for each in during
        )
        for first in lost
    )
    flood = sorted(each.arrives_ms for each in during if not each.own)
    return Came(densest(flood, HOUR_MS), len(lost), silent)


def main() -> None:
    """Print the table."""
    print("| limit on known platforms |", " | ".join(f"each in {s} s" for s in PACES_S), "|")
    for rule in RULES:
        hour, day = LIMITS_TOTAL
        limits = (
            hour._replace(known=rule.an_hour),
            day._replace(known=max(day.known, rule.an_hour)),
        )
        known = zip(KNOWN_LIMITS, rule.known or [most for *_, most in KNOWN_LIMITS], strict=True)
        with (
            patch.object(all_limit, "LIMITS_TOTAL", limits),
            patch.object(known_limit, "KNOWN_LIMITS", [(*each[:2], most) for each, most in known]),
        ):
            cells = [measured(rule, pace_s) for pace_s in PACES_S]
        print(f"| {rule.name} |", " | ".join("; ".join(map(str, cell)) for cell in cells), "|")


if __name__ == "__main__":
    main()
