"""The targets of the detector on the scenarios, and the check of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal

from streams.tools.scenarios import Role
from tests.scenarios.evaluate import (
    CLASS_DAYS,
    LOOK_ALIKES,
    NETWORK,
    ORDINARY,
    PEOPLE,
    PEOPLE_LABELS,
    ROWS,
    TOOL_ROWS,
    per_million,
)
from tests.scenarios.figures import Figures

ByName = Mapping[str, Figures]
"""Figures by the row's label."""

INCIDENT: Final = "A1 incident, 60 platforms"


@dataclass(frozen=True, slots=True)
class Target:
    """One promise. It is looked at where all rows that it needs were played."""

    what: str
    needs: tuple[str, ...]  # labels
    value: Callable[[ByName], float]
    bound: float
    side: Literal["at most", "at least"] = "at most"

    def reached(self, value: float) -> bool:
        """Whether this value keeps the promise."""
        return value <= self.bound if self.side == "at most" else value >= self.bound


def label(name: str, nth: int = 0) -> str:
    """The label of the nth row of a scenario."""
    return [row.label for row in ROWS if row.name == name][nth]


def of(name: str, value: Callable[[Figures], float], nth: int = 0) -> Callable[[ByName], float]:
    """A value of one row alone."""
    return lambda figures: value(figures[label(name, nth)])


def watch_minutes(figures: Figures) -> float:
    """Median."""
    return figures.minutes(figures.watch, 0.5)


def throttle_minutes(figures: Figures) -> float:
    """Median."""
    return figures.minutes(figures.throttle, 0.5)


def throttle_messages(figures: Figures) -> float:
    """Median."""
    return figures.messages(figures.throttle, 0.5)


def throttle_messages_least(figures: Figures) -> float:
    """The lower end of the median's interval: of a bound that is itself the median of 400 runs."""
    return figures.messages_interval(figures.throttle, 0.5).low


def watched(figures: Figures) -> float:
    """Share of recipients that reached WATCH."""
    return len(figures.watch) / figures.recipients


def novel_refused(figures: Figures) -> float:
    """Return the share of a flood, but for known platforms, that was refused.

    Known platforms pass by design. People with up to 80 of them know some 3 % of a flood's.
    """
    return sum(figures.refused_by_day.values()) / sum(figures.flood_by_day.values())


def worst_day(figures: Figures) -> float:
    """The smallest share of a day's flood, but for known platforms, that was refused."""
    days = figures.flood_by_day
    return min((figures.refused_by_day[day] / n for day, n in days.items()), default=math.nan)


def refused(role: Role) -> Callable[[ByName], float]:
    """Return the share of codes of a role that was refused, over all rows but those of real tools.

    A14 is left out too: it has a target of its own for known platforms.
    """
    by_class = {row.label for row in (*PEOPLE, *TOOL_ROWS)} | {label("A14")}

    def share(figures: ByName) -> float:
        found = [each for name, each in figures.items() if name not in by_class]
        return sum(f.refused[role] for f in found) / max(1, sum(f.sent[role] for f in found))

    return share


def refused_of_class(people: str, role: Role) -> Callable[[ByName], float]:
    """Return the share of a class's codes of a role that was refused, over all floods."""

    def share(figures: ByName) -> float:
        found = [figures[name] for name in PEOPLE_LABELS[people]]
        return sum(f.refused[role] for f in found) / sum(f.sent[role] for f in found)

    return share


def class_upper_sum(memory: int) -> Callable[[ByName], float]:
    """Return the upper ends of a class's false throttles per million subscriber-days, added up.

    Days that are the same for all classes are taken from the rows of all people.
    """
    days = (CLASS_DAYS[memory], *SHARED_DAYS)
    return lambda figures: sum(
        per_million(row, figures[row.label], len(figures[row.label].throttle)).high for row in days
    )


SHARED_DAYS: Final = tuple(row for row in (*LOOK_ALIKES, ORDINARY) if row.name != "B2")


def upper_sum(figures: ByName) -> float:
    """Upper ends of the 95 % intervals of false throttles, added up over the classes of days."""
    return sum(
        per_million(row, figures[row.label], len(figures[row.label].throttle)).high
        for row in (*LOOK_ALIKES, ORDINARY)
    )


def estimate_sum(figures: ByName) -> float:
    """The estimates of false throttles, added up over the classes of days."""
    return sum(
        per_million(row, figures[row.label], len(figures[row.label].throttle)).estimate
        for row in (*LOOK_ALIKES, ORDINARY)
    )


def _own_codes() -> Iterator[Target]:
    """Yield the targets for own codes of each class of people."""
    for people, labels in PEOPLE_LABELS.items():
        most = 0.01 if people.startswith("60") else 0.002
        yield Target(f"{people}: share of own codes refused", labels,
                     refused_of_class(people, Role.KNOWN), most)  # fmt: skip
        yield Target(f"{people}: share of an unlisted bank's codes refused", labels,
                     refused_of_class(people, Role.BANK), 0)  # fmt: skip


def _class_days() -> Iterator[Target]:
    """Yield the targets for false throttles of each class of people."""
    for memory, row in CLASS_DAYS.items():
        yield Target(
            f"{memory} platforms: false throttles per million subscriber-days, upper ends added up",
            tuple(each.label for each in (row, *SHARED_DAYS)), class_upper_sum(memory), 1,
        )  # fmt: skip


PEOPLE_TARGETS: Final = (*_own_codes(), *_class_days())
"""All targets by class of people."""


def _disguise(name: str, factor: float, which: str) -> Target:
    return Target(
        f"{which}: median minutes to THROTTLE, times the plain incident's",
        (label(name), INCIDENT),
        lambda figures: (
            throttle_minutes(figures[label(name)]) / throttle_minutes(figures[INCIDENT])
        ),
        factor,
    )


def _alone(
    name: str, what: str, value: Callable[[Figures], float], bound: float, nth: int = 0
) -> Target:
    return Target(f"{label(name, nth)}: {what}", (label(name, nth),), of(name, value, nth), bound)


def _at_least(name: str, what: str, value: Callable[[Figures], float], bound: float) -> Target:
    what = f"{label(name)}: {what}"
    return Target(what, (label(name),), of(name, value), bound, "at least")


def _held(which: str, missed: float, share: float) -> tuple[Target, Target]:
    """The most of a row's recipients that may be missed, and the least of its codes refused."""
    return (
        Target(f"{which}: share missed", (which,), lambda f: f[which].missed, missed),
        Target(
            f"{which}: share refused of what was novel",
            (which,),
            lambda f: novel_refused(f[which]),
            share,
            "at least",
        ),
    )


def _median(which: str, value: Callable[[Figures], float], bound: float, what: str = "") -> Target:
    """The most messages of a flood before half of a row's recipients are throttled."""
    return Target(f"{which}: {_MESSAGES}{what}", (which,), lambda f: value(f[which]), bound)


def _asked_again(which: str, least: float) -> Target:
    """The least share of the victim's own new platforms that come after all; .7 are asked for."""
    which = f"{which}, the victim asks again"
    what = f"{which}: share of own codes of new platforms that came after all"
    return Target(what, (which,), lambda figures: figures[which].share_came, least, "at least")


def _let_through(which: str, what: str, value: Callable[[list[int]], float], most: float) -> Target:
    """The most of a flood's messages that pass as second requests."""
    which = f"{which}, the victim asks again"
    return Target(f"{which}: {what}", (which,), lambda f: value(f[which].extra), most)


_MINUTES = "median minutes to THROTTLE"
_MESSAGES = "median messages to THROTTLE"

TARGETS: Final = (
    _alone("A1", "median minutes to WATCH", watch_minutes, 1.5),
    _alone("A1", _MINUTES, throttle_minutes, 3.2),
    _alone("A1", _MESSAGES, throttle_messages, 8),
    _alone("A1", "minutes to THROTTLE, p95", lambda f: f.minutes(f.throttle, 0.95), 14),
    _alone("A1", "share missed", lambda f: f.missed, 0.03),
    _at_least("A1", "share of messages after THROTTLE", lambda f: f.after / f.flood, 0.8),
    _alone("A1", "share missed", lambda f: f.missed, 0.08, 1),
    _alone("A2", _MINUTES, throttle_minutes, 0.25),
    _alone("A2", _MESSAGES, throttle_messages, 8),
    _alone("A3", _MINUTES, throttle_minutes, 0.25),
    _alone("A3", _MESSAGES, throttle_messages, 8),
    _at_least("A4", "share that reached WATCH", watched, 0.7),
    _at_least("A4-day", "share that reached THROTTLE", lambda f: 1 - f.missed, 0.95),
    # The lease of so slow a flood is narrow: first codes of platforms that are not hot pass.
    _at_least("A4-day", "share refused of what was novel, no list", novel_refused, 0.3),
    _at_least("A5", "share refused of what was novel, worst day", worst_day, 0.98),
    _disguise("A8", 1.1, "A8"),
    _disguise("A9", 1.1, "A9"),
    _disguise("A9-sender", 1.25, "A9 without text"),
    _disguise("A12", 1.1, "A12"),
    *(
        _alone("A13", what, value, bound, nth)
        for nth, most in enumerate((50, 65, 50))
        for what, value, bound in (
            ("share missed", lambda f: f.missed, 0),
            ("messages to THROTTLE, p95", lambda f: f.messages(f.throttle, 0.95), most),
        )
    ),
    _disguise("A18", 1.25, "A18"),
    _alone("A11", "codes refused of trusted platforms", lambda f: f.refused[Role.BANK], 0),
    _alone("A11", "share of codes refused of known platforms",
           lambda f: f.refused[Role.KNOWN] / f.sent[Role.KNOWN], 0.003),
    # Nearly all are codes of people with over 60 platforms, of which a row forgets some.
    _alone("A14", "share of own codes refused",
           lambda f: f.refused[Role.KNOWN] / f.sent[Role.KNOWN], 0.015),
    *(
        Target(f"{label('A14', nth)}: share of the flood's codes refused, of all platforms of it",
               (label("A14", nth),),
               of("A14", lambda f: f.refused_by_day[5] / f.flood_by_day[5], nth), least, "at least")
        for nth, least in enumerate((0.3, 0.5))
    ),
    *(
        target
        for which, missed, share in (
            ("A4, 60 in 3 h: 0.9 of its platforms hot", 0.01, 0.75),
            ("A4, 60 in 3 h: 0.6 of its platforms hot", 0.02, 0.55),
            ("A4, 96 in 24 h: 0.9 of its platforms hot", 0.01, 0.7),
            ("A4, 96 in 24 h: 0.6 of its platforms hot", 0.01, 0.5),
            ("A6, 20 codes: 0.9 of its platforms hot", 0.01, 0.55),
            ("A6, 20 codes: 0.6 of its platforms hot", 0.32, 0.25),
            ("A15, one in two minutes: 0.9 of its platforms hot", 0.01, 0.8),
            ("A15, one in two minutes: 0.6 of its platforms hot", 0.03, 0.6),
            ("A6 campaign of 20-70 codes, 500 in one partition, list empty", 0.005, 0.8),
            ("A6 campaign of 20-70 codes, 16 of 500 in one of 32, list empty", 0.03, 0.75),
            (f"A6 campaign of 20-70 codes against 500 in 32 partitions, {NETWORK}", 0.005, 0.82),
            (f"A6 campaign of 20 against 500 in 32 partitions, {NETWORK}", 0.01, 0.5),
            (f"A15, one in two minutes after a campaign in 8 partitions, {NETWORK}", 0.01, 0.78),
            (f"A4, 60 in 3 h after a campaign in 8 partitions, {NETWORK}", 0.03, 0.55),
            (f"A4, 96 in 24 h after a campaign in 8 partitions, {NETWORK}", 0.01, 0.55),
        )
        for target in _held(which, missed, share)
    ),
    _median("A4, 60 in 3 h: 0.9 of its platforms hot", throttle_messages, 9),
    _median("A4, 60 in 3 h: 0.6 of its platforms hot", throttle_messages_least, 21,
            ", lower end of the interval"),
    _alone("A16", "share throttled of the people aimed at, 0.3 of log-ins at its platforms",
           lambda f: 1 - f.missed, 0.02),
    _alone("A16", "the same, 0.5 of log-ins", lambda f: 1 - f.missed, 0.2, 1),
    _asked_again("A1, 60 platforms: 0.9 hot", 0.66),
    _asked_again("A2, 150 platforms: 0.9 hot", 0.45),
    _asked_again("A5, two hours: 0.9 hot", 0.66),
    _asked_again("A8 rotation", 0.66),
    _let_through("A1, 60 platforms: 0.9 hot", "codes of the flood let through, mean", fmean, 1.5),
    *(
        _let_through(which, "codes of the flood let through, the most", max, 12)
        for which in (
            "A17, 100 platforms twice: 0.9 hot",
            "A17, 100 platforms twice: no list",
            "A19, waves that fill the windows: 0.9 hot",
            "A19, waves that fill the windows: 0.5 hot",
        )
    ),
    _alone("B13", "recipients throttled", lambda f: len(f.throttle), 0),
    Target("every scenario: share of codes refused of trusted platforms", (),
           refused(Role.BANK), 0),
    Target("floods of real tools: codes refused of a bank that no registry lists",
           tuple(row.label for row in TOOL_ROWS),
           lambda f: sum(f[row.label].refused[Role.BANK] for row in TOOL_ROWS), 0),
    # One person in forty uses over 60 platforms. A row forgets some of these.
    Target("every scenario: share of codes refused of known platforms", (),
           refused(Role.KNOWN), 0.001),
    # A number that a company begins to share looks like the target of a slow tool. It settles four
    # days after its first THROTTLE.
    _alone("B5", "share throttled on the first day",
           lambda f: f.throttled_by_day[0] / f.recipients, 0.75),
    _alone("B5", "share throttled on the fifth day",
           lambda f: f.throttled_by_day[4] / f.recipients, 0.03),
    _alone("B5", "share throttled on the seventh day",
           lambda f: f.throttled_by_day[6] / f.recipients, 0.01),
    _alone("B12", "recipients throttled", lambda f: len(f.throttle), 0),
    Target("false throttles per million subscriber-days, estimate",
           tuple(row.label for row in (*LOOK_ALIKES, ORDINARY)), estimate_sum, 1),
    Target("false throttles per million subscriber-days, upper ends of the intervals added up",
           tuple(row.label for row in (*LOOK_ALIKES, ORDINARY)), upper_sum, 1),
)  # fmt: skip


def compared(figures: ByName) -> list[dict[str, object]]:
    """One line for each target whose rows are there."""
    lines: list[dict[str, object]] = []
    for target in (*TARGETS, *PEOPLE_TARGETS):
        if all(name in figures for name in target.needs):
            value = target.value(figures)
            lines.append(
                {
                    "target": target.what,
                    "bound": f"{target.side} {target.bound:g}",
                    "value": round(value, 4) if math.isfinite(value) else None,
                    "reached": "yes" if target.reached(value) else "NO",
                }
            )
    return lines
