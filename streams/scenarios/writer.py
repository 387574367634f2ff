"""The writer that writes one recipient's messages, and times to write them at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from detectors.model.times import DAY_MS
from streams.scenarios.events import Labelled, Role, Truth, message
from streams.scenarios.numbering import port
from streams.scenarios.people import HABITS, person
from streams.scenarios.platforms import PLATFORMS, PlatformProfile


class MessageWriter:
    """Writes what one recipient gets in one run of one scenario.

    `rng` is the run's only source of chance; it follows from scenario, seed and recipient.
    """

    def __init__(self, scenario: str, seed: int, index: int, memory: int = HABITS) -> None:
        self.scenario = scenario
        self.seed = seed
        self.index = index
        self.memory = memory
        self.person = person(index, memory)
        self.rng = Random(f"{scenario}/{seed}/{index}")
        self._ids = f"{scenario}-{seed}-{index}"
        self._written = 0

    def code(
        self, at_ms: int, platform: PlatformProfile, role: Role = Role.ATTACK, **fields: Any
    ) -> Labelled:
        """A verification code; `fields` override or add to those of the contract."""
        digits = f"{self.rng.randrange(10**platform.digits):0{platform.digits}d}"
        text = platform.wording.format(name=platform.name, code=digits)
        truth = Truth(role, self.scenario, platform.name)
        return self._write(at_ms, platform.sender, text, truth, fields)

    def own(self, at_ms: int, platform: PlatformProfile, **fields: Any) -> Labelled:
        """A code that the recipient asked for, labelled by what the carrier can know of it."""
        if platform.trusted:
            role = Role.BANK
        else:
            role = Role.KNOWN if platform in self.person.known else Role.NEW
        return self.code(at_ms, platform, role, **fields)

    def notice(
        self,
        at_ms: int,
        formats: Sequence[str],
        platform: PlatformProfile | None = None,
        **fields: Any,
    ) -> Labelled:
        """A message that is no code, in one of these formats, of this platform or of any."""
        platform = platform or self.rng.choice(PLATFORMS)
        a, b, c = (self.rng.randrange(10 ** (n - 1), 10**n) for n in (4, 6, 12))
        text = self.rng.choice(formats).format(name=platform.name, a=a, b=b, c=c)
        sender = platform.sender if platform.trusted else port(platform.name, 1)
        truth = Truth(Role.OTHER, self.scenario, platform.name)
        return self._write(at_ms, sender, text, truth, fields)

    def history(self, before_ms: int, first: float = 60, last: float = 2) -> Iterator[Labelled]:
        """One code of each known platform, oldest first, so many days before that time."""
        platforms = [*self.person.known, self.person.bank] if self.memory else []
        self.rng.shuffle(platforms)
        ages = sorted((self.rng.uniform(last, first) * DAY_MS for _ in platforms), reverse=True)
        for age, platform in zip(ages, platforms, strict=True):
            code = self.code(before_ms - int(age), platform)
            yield Labelled(code.value, Truth(Role.KNOWN, "history", platform.name))

    def weeks(self, before_ms: int) -> Iterator[Labelled]:
        """Three codes of each known platform, oldest first, in three different weeks of nine."""
        platforms = [*self.person.known, self.person.bank] if self.memory else []
        uses = [
            (before_ms - int((7 * week + 2 + self.rng.random() * 6) * DAY_MS), platform.name)
            for platform in platforms
            for week in self.rng.sample(range(9), 3)
        ]
        named = {platform.name: platform for platform in platforms}
        for at_ms, name in sorted(uses):
            code = self.code(at_ms, named[name])
            yield Labelled(code.value, Truth(Role.KNOWN, "history", name))

    def strangers(self, count: int, but: Sequence[PlatformProfile] = ()) -> list[PlatformProfile]:
        """Draw distinct platforms that the recipient does not know, none of `but`."""
        taken = {platform.name for platform in (*self.person.known, *but)}
        return self.rng.sample([p for p in PLATFORMS if p.name not in taken], count)

    def _write(
        self, at_ms: int, sender: str, text: str, truth: Truth, fields: dict[str, Any]
    ) -> Labelled:
        self._written += 1
        own = {"sender": sender, "text": text, "message_id": f"{self._ids}-{self._written}"}
        value = message(recipient=self.person.recipient, time_ms=at_ms, **{**own, **fields})
        return Labelled(value, truth)


def scattered(rng: Random, count: int, start_ms: int, span_ms: int) -> list[int]:
    """Draw `count` times, uniform over the span, in order: a Poisson stream of a known count."""
    return sorted(start_ms + int(rng.random() * span_ms) for _ in range(count))


def paced(rng: Random, count: int, start_ms: int, *, gap_ms: float, variation: float) -> list[int]:
    """Draw times at a person's pace: log-normal gaps of this mean and coefficient of variation.

    Log-normal because times of human tasks are.
    """
    sigma = math.sqrt(math.log1p(variation**2))
    mu = math.log(gap_ms) - sigma**2 / 2
    times, at = [], float(start_ms)
    for _ in range(count):
        times.append(int(at))
        at += rng.lognormvariate(mu, sigma)
    return times


def in_order(events: list[Labelled]) -> list[Labelled]:
    """The same events by event time; those of one time keep their order."""
    return sorted(events, key=lambda event: event.value["event_time_ms"])
