"""`python -m tests.adversary.search`: looks for the plan that gets most through.

Plans of up to 14 days are mutated and selected. The aims are codes of platforms that the victim
does not use, in the worst hour, three hours and day, and own codes of the victim that are refused.
The best plans are kept for each aim and each size of list, so a search does not end at the first
hole. It knows what a plan may say, and the families of real tools: few platforms, taught ones,
waves with pauses, rounds of a list, and many codes of a platform in turn.
"""

from __future__ import annotations

import argparse
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from random import Random
from typing import Any, Final, NamedTuple

from detectors.chain import Params
from detectors.episodes.lease import EpisodeParams
from detectors.leases.gateway_rule import Ruling
from detectors.model.event import Trust
from streams.cases.rulings import LogMessage, RulingGateway
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event, run

PARAMS: Final = Params(episode=EpisodeParams(mode="enforce"))
VICTIM: Final = 8613900000001
OTHER: Final = 8613900000002
DAYS_MOST: Final = 14
GAP_LEAST_S: Final = 5
"""Between two codes of a plan, so that the most in an hour is 720 whatever the plan."""

OFFSETS_EACH: Final = 16
OFFSETS_S: Final = 4
"""A message takes `OFFSETS_EACH` offsets, and as many pass in `OFFSETS_S`: a quiet partition."""

QUIET_MS: Final = HOUR_MS
OTHERS: Final = 32
"""After so long a silence of the victim, so many messages of others come before the next one. A
partition is never silent for hours. If it were, the detector would wait for 16 messages before it
believes that the time has moved on, and a flood's first codes would not be counted."""

RANDOM_FIRST: Final = 40  # plans that are drawn before the first one is mutated
OWN_EVERY_MS: Final = 4 * HOUR_MS
USED: Final = tuple(f"used {n}" for n in range(14))


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a plan. `MUTABLE` says the range of each field."""

    platforms: int = 40
    first: int = 0  # of the pool: phases may abuse the same platforms
    taught: int = 0  # so many of them each send one code on an earlier day
    teach_days: int = 3
    gap_s: int = 30
    wave: int = 40  # codes
    pause_min: int = 0  # after each wave
    hours: int = 3
    repeats: int = 1  # codes of a platform before the next one has its turn
    rest_h: int = 0  # after the phase
    clock_min: int = 0  # of its gateway, which is so much slow
    whole_minutes: bool = False
    shared: bool = False  # all behind one sender that names nobody


MUTABLE: Final[dict[str, tuple[Any, ...]]] = {
    "platforms": (1, 2, 3, 4, 5, 8, 9, 12, 16, 24, 36, 42, 43, 48, 64, 100, 200, 400),
    "first": (0, 0, 0, 12, 48, 100, 200),
    "taught": (0, 0, 0, 4, 8, 12, 24, 48),
    "teach_days": (1, 2, 3, 5, 8),
    "gap_s": (5, 5, 8, 15, 30, 40, 45, 60, 120, 240),
    "wave": (4, 5, 8, 16, 24, 36, 40, 43, 48, 60, 200, 1000),
    "pause_min": (0, 0, 5, 11, 16, 31, 45, 61, 120, 240),
    "hours": (1, 3, 3, 6, 12, 24, 24, 48),
    "repeats": (1, 1, 1, 2, 5, 9, 10, 20),
    "rest_h": (0, 1, 3, 12, 25),
    "clock_min": (0, 0, 0, 1, 10, 45),
    "whole_minutes": (False, False, False, True),
    "shared": (False, False, False, True),
}
FAMILIES: Final[tuple[dict[str, tuple[Any, ...]], ...]] = (
    {},
    {"platforms": (1, 2, 3, 4), "gap_s": (5, 5, 15, 30, 60), "hours": (3, 6, 24), "wave": (1000,)},
    {"taught": (4, 8, 12, 24, 48), "gap_s": (5, 5, 5, 15), "hours": (3, 6, 24), "wave": (1000,)},
    {"platforms": (42, 43, 64, 100, 200, 400), "wave": (24, 36, 40, 43, 48),
     "pause_min": (31, 31, 45, 61), "gap_s": (5, 15, 30, 40, 45), "hours": (24, 24, 48)},
    {"platforms": (8, 12, 16, 24, 36, 42, 43, 48, 64), "gap_s": (30, 45, 60, 120, 240),
     "hours": (12, 24, 48), "wave": (1000,)},
    {"platforms": (4, 8, 16, 48, 100, 400), "repeats": (5, 9, 10, 20), "gap_s": (5, 15, 30, 60),
     "hours": (3, 6, 24), "wave": (1000,)},
)  # fmt: skip
"""Ranges of the fields that make a family; the other fields are mostly left plain."""
NEW_BESIDE: Final = (1, 2, 3, 4, 5)
"""Numbers of platforms that are not taught, beside those that are."""
Plan = tuple[Phase, ...]


class Sent(NamedTuple):
    """A message of a log: when it arrives, the time at its gateway then, and what it claims."""

    arrives_ms: int
    gateway_ms: int
    event: Event
    own: bool


def random_phase(rng: Random) -> Phase:
    """Draw a family, its fields from their ranges, and few or most of the other fields."""
    family = rng.choice(FAMILIES)
    share = 0.15 if family else 0.75
    ranges = {name: MUTABLE[name] for name in MUTABLE if rng.random() < share} | family
    phase = Phase(**{name: rng.choice(values) for name, values in ranges.items()})
    return _beside(rng, phase) if "taught" in family else phase


def _beside(rng: Random, phase: Phase) -> Phase:
    return replace(phase, platforms=max(phase.taught, 1) + rng.choice(NEW_BESIDE))


def _changed(rng: Random, phase: Phase, name: str) -> Any:
    """Draw another value of a field: the next one up or down, the plain one, an end, or any."""
    values = sorted(set(MUTABLE[name]))
    kind = rng.random()
    if kind < 0.2:
        return getattr(Phase(), name)
    if kind < 0.35:
        return rng.choice((values[0], values[-1]))
    if kind < 0.55 or getattr(phase, name) not in values:
        return rng.choice(MUTABLE[name])
    at = values.index(getattr(phase, name)) + rng.choice((-1, 1))
    return values[min(max(at, 0), len(values) - 1)]


def mutated(rng: Random, plan: Plan) -> Plan:
    """Change one to three fields, or add, drop or repeat a phase."""
    phases = list(plan)
    at = rng.randrange(len(phases))
    kind = rng.random()
    if kind < 0.1 and len(phases) < 4:
        phases.insert(at, random_phase(rng))
    elif kind < 0.2 and len(phases) < 4:
        phases.insert(at, phases[at])
    elif kind < 0.3 and len(phases) > 1:
        del phases[at]
    elif kind < 0.4:
        phases[at] = _beside(rng, phases[at])
    else:
        names = rng.sample([*MUTABLE], rng.choice((1, 1, 2, 3)))
        changes = {name: _changed(rng, phases[at], name) for name in names}
        phases[at] = replace(phases[at], **changes)
    return tuple(phases)


def codes_of(plan: Plan, codes_most: int) -> Iterator[Sent]:
    """Yield the codes of a plan, up to so many, phase by phase."""
    at_ms, sent = START_MS, 0
    for phase in plan:
        pool = [f"new {phase.first + n}" for n in range(phase.platforms)]
        for n in range(min(phase.taught, phase.platforms)):
            teach_ms = at_ms + n % phase.teach_days * DAY_MS + n // phase.teach_days * HOUR_MS
            yield _sent(phase, teach_ms, pool[n])
        if phase.taught:
            at_ms += (phase.teach_days + 1) * DAY_MS
        end_ms, n = at_ms + phase.hours * HOUR_MS, 0
        while at_ms < end_ms and at_ms < START_MS + DAYS_MOST * DAY_MS and sent < codes_most:
            yield _sent(phase, at_ms, pool[n // phase.repeats % len(pool)])
            n, sent = n + 1, sent + 1
            at_ms += phase.gap_s * 1000
            if n % phase.wave == 0:
                at_ms += phase.pause_min * MINUTE_MS
        at_ms += phase.rest_h * HOUR_MS


def _sent(phase: Phase, at_ms: int, platform: str) -> Sent:
    gateway_ms = at_ms - phase.clock_min * MINUTE_MS
    claims_ms = gateway_ms - (gateway_ms % MINUTE_MS if phase.whole_minutes else 0)
    gateway = f"gw {phase.clock_min} {phase.whole_minutes}"
    name = "shared" if phase.shared else platform
    return Sent(at_ms, gateway_ms, Event(claims_ms, VICTIM, name, gateway=gateway), own=False)


def own_weeks() -> Iterator[Sent]:
    """Yield the victim's own codes of the weeks before."""
    for week in range(3):
        for n, platform in enumerate(USED):
            at_ms = START_MS - (30 - 9 * week) * DAY_MS + n * HOUR_MS
            yield Sent(at_ms, at_ms, Event(at_ms, VICTIM, platform), own=True)


def own_life(until_ms: int) -> Iterator[Sent]:
    """Yield the weeks before, then one code in four hours, every sixth of a new platform."""
    yield from own_weeks()
    for n, at_ms in enumerate(range(START_MS + 20 * MINUTE_MS, until_ms, OWN_EVERY_MS)):
        platform = f"hers {n}" if n % 6 == 5 else USED[n * 5 % len(USED)]
        for press in range(3 if n % 6 == 5 else 1):
            press_ms = at_ms + press * 70_000
            yield Sent(press_ms, press_ms, Event(press_ms, VICTIM, platform), own=True)


def with_others(sent: Sequence[Sent]) -> Iterator[Sent]:
    """Yield these messages, and `OTHERS` trusted ones of another subscriber after each silence."""
    last_ms = 0
    for each in sent:
        if each.arrives_ms - last_ms > QUIET_MS:
            for n in range(OTHERS, 0, -1):
                at_ms = each.arrives_ms - n * 1000
                yield Sent(at_ms, at_ms, Event(at_ms, OTHER, "bank", trust=1), own=True)
        last_ms = each.arrives_ms
        yield each


@dataclass(slots=True)
class Score:
    """What a plan comes to."""

    hour: int = 0  # codes that reached the victim in the worst hour
    three_hours: int = 0
    day: int = 0
    lost: int = 0  # own codes of used platforms refused in the worst day
    denied: int = 0  # presses at platforms new to the victim refused in the worst day
    platforms: int = 0  # of the codes that reached the victim
    codes: int = 0


AIMS: Final = ("hour", "three_hours", "day", "lost", "denied")
SIZES: Final = (4, 40)
"""Sizes of lists that are searched apart: up to 4 platforms, up to 40, and more."""


def score(plan: Plan, codes_most: int, params: Params = PARAMS) -> Score:
    """Play a plan against the chain, with gateways that obey before the next message."""
    attack = list(codes_of(plan, codes_most))
    until_ms = max((each.arrives_ms for each in attack), default=START_MS) + 2 * HOUR_MS
    both = sorted([*attack, *own_life(until_ms)], key=lambda each: each.arrives_ms)
    sent = list(with_others(both))
    first_ms, offsets = sent[0].arrives_ms, list[int]()
    for each in sent:  # every offset is a sample of its gateway's clock
        wanted = (each.arrives_ms - first_ms) // (OFFSETS_S * 1000) * OFFSETS_EACH
        offsets.append(max(wanted, offsets[-1] + OFFSETS_EACH if offsets else 0))
    decisions = run(params, [each.event for each in sent], offsets=offsets)
    gateway = RulingGateway()
    # By offsets alone, since gateways have clocks of their own: codes are 5 s apart, a lease 0.5 s.
    gateway.add(
        replace(action, cause=action.cause._replace(at_ms=0)) for action in decisions.actions
    )
    return _counted(sent, offsets, gateway)


def _counted(sent: Sequence[Sent], offsets: Sequence[int], gateway: RulingGateway) -> Score:
    reached, lost, denied = list[int](), list[int](), list[int]()
    platforms = set[str]()
    for each, offset in zip(sent, offsets, strict=True):
        if each.event.recipient == OTHER:
            continue
        platform, at_ms = each.event.platform, each.arrives_ms
        message = LogMessage(str(VICTIM), each.gateway_ms, offset, True, platform, Trust.NONE)
        refused = gateway.rule(message)[0] is Ruling.REFUSE
        if each.own and refused:
            (lost if platform in USED else denied).append(at_ms)
        elif not each.own and not refused:
            reached.append(at_ms)
            platforms.add(platform)
    codes = sum(not each.own for each in sent)
    return Score(
        densest(reached, HOUR_MS), densest(reached, 3 * HOUR_MS), densest(reached, DAY_MS),
        densest(lost, DAY_MS), densest(denied, DAY_MS), len(platforms), codes,
    )  # fmt: skip


def densest(times_ms: Sequence[int], span_ms: int) -> int:
    """Return the most of these ascending times within a span."""
    return max(
        (i + 1 - bisect_right(times_ms, at - span_ms) for i, at in enumerate(times_ms)), default=0
    )


@dataclass(slots=True)
class Search:
    """The best plans so far, by aim and size of the list."""

    rng: Random
    codes_most: int
    best: dict[tuple[str, int], list[tuple[int, Plan, Score]]] = field(default_factory=dict)
    scored: int = 0

    def step(self) -> None:
        """Draw or mutate a plan, score it, and keep it where it is among the best."""
        plan = self._next()
        found = score(plan, self.codes_most)
        self.scored += 1
        size = bisect_right(SIZES, found.platforms - 1)
        for aim in AIMS:
            kept = self.best.setdefault((aim, size), [])
            if all(each[1] != plan for each in kept):
                kept.append((getattr(found, aim), plan, found))
                kept.sort(key=lambda each: (-each[0], len(each[1])))
                del kept[4:]

    def _next(self) -> Plan:
        if self.scored < RANDOM_FIRST or self.rng.random() < 0.15:
            return tuple(random_phase(self.rng) for _ in range(self.rng.choice((1, 1, 2))))
        size = self.rng.randrange(len(SIZES) + 1)
        kept = [self.best[each] for each in sorted(self.best) if each[1] == size]
        kept = [plans for plans in kept if plans[0][0]]
        if not kept:
            return (random_phase(self.rng),)
        plans = self.rng.choice(kept)
        rank = min(self.rng.randrange(len(plans)), self.rng.randrange(len(plans)))
        return mutated(self.rng, plans[rank][1])

    def worst(self, aim: str, size: int | None = None) -> tuple[int, Plan]:
        """Return the most that was found for an aim, and the plan for it."""
        found = [kept[0][:2] for (what, n), kept in self.best.items()
                 if what == aim and size in (None, n)]  # fmt: skip
        return max(found, key=lambda each: each[0], default=(0, ()))


def search(seed: int, plans: int, codes_most: int) -> Search:
    """Score so many plans from a random start."""
    found = Search(Random(f"search/{seed}"), codes_most)
    for _ in range(plans):
        found.step()
    return found


def _shown(plan: Plan) -> str:
    def phase(each: Phase) -> str:
        plain = Phase()
        said = (
            f"{f.name}={getattr(each, f.name)}"
            for f in fields(Phase)
            if getattr(each, f.name) != getattr(plain, f.name)
        )
        return f"({', '.join(said)})"

    return " then ".join(map(phase, plan))


def main() -> None:
    """Search and print the worst plan for each aim and size of list."""
    parser = argparse.ArgumentParser(prog="python -m tests.adversary.search", description=__doc__)
    parser.add_argument("--plans", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--codes", type=int, default=6000, help="codes of a plan, at most")
    asked = parser.parse_args()
    began = time.monotonic()
    found = search(asked.seed, asked.plans, asked.codes)
    for aim in AIMS:
        for size, name in enumerate(("up to 4 platforms", "up to 40", "more")):
            most, plan = found.worst(aim, size)
            print(f"{aim:12} {name:18} {most:6}  {_shown(plan)}")
    print(f"{asked.plans} plans in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
