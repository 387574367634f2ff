"""The writer that writes one recipient's messages, and times to write them at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from detectors.model.times import DAY_MS
from streams.tools.scenarios.labelled_events import Labelled, Role, Truth, message
from streams.tools.scenarios.numbering import port
from streams.tools.scenarios.people import person
from streams.tools.scenarios.platform_profiles import PLATFORMS, PlatformProfile
from streams.tools.scenarios.wording import Wording

HISTORY_DAYS: Final = 182
USES_MOST: Final = 3
"""Maximum number of codes of a platform in a history. Workers learn nothing from a fourth one."""

USES_APART_DAYS: Final = 8
"""Minimum days between codes of a platform in a history, so that a platform comes in three
different weeks.
"""

SITTINGS: Final = 4
SITTINGS_APART_DAYS: Final = 5
"""Days of a history on which a person uses the platforms that it always uses together."""

FAILING: Final = 0.02
"""Share of requests whose page fails: whoever asks presses again one to six times. Assumed."""

RESENT: Final = 0.2  # Chance of a patient person to press again after a code, each time.

IMPATIENT: Final = 0.2  # Chance of an impatient person to press again one to six times.

PRESSES_MOST: Final = 6


class MessageWriter:
    """Writes the messages that one recipient gets in one run of one scenario.

    `rng` is the run's only source of chance; it follows from scenario, seed and recipient. The
    recipient uses `memory` platforms. Each of these writes its texts in at most `wordings` ways.
    The recipient uses `together` of these platforms within seconds of each other. Each of the three
    that is None gets a value as it occurs among people.
    """

    def __init__(
        self,
        scenario: str,
        seed: int,
        index: int,
        memory: int | None = None,
        wordings: int | None = None,
        together: int | None = None,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.index = index
        self.memory = memory
        self.wordings = wordings
        self.together = together
        self.person = person(index, memory, together)
        self.rng = Random(f"{scenario}/{seed}/{index}")
        self._ids = f"{scenario}-{seed}-{index}"
        self._written = 0

    def other(self, scenario: str, offset: int) -> MessageWriter:
        """Make a writer for another recipient, whose index is higher by `offset`."""
        people = self.memory, self.wordings, self.together
        return MessageWriter(scenario, self.seed, self.index + offset, *people)

    def code(
        self, at_ms: int, platform: PlatformProfile, role: Role = Role.ATTACK, **fields: Any
    ) -> Labelled:
        """Write a verification code in the platform's first wording.

        `fields` override or add to those of the contract.
        """
        return self._code(at_ms, platform, role, platform.wordings[0], fields)

    def _code(
        self,
        at_ms: int,
        platform: PlatformProfile,
        role: Role,
        wording: Wording,
        fields: dict[str, Any],
    ) -> Labelled:
        digits = f"{self.rng.randrange(10**platform.digits):0{platform.digits}d}"
        text = wording.text.format(name=platform.name, code=digits)
        truth = Truth(role, self.scenario, platform.name)
        return self._write(at_ms, wording.sender, text, truth, fields)

    def own(
        self, at_ms: int, platform: PlatformProfile, role: Role | None = None, **fields: Any
    ) -> Labelled:
        """Write a code that the recipient asked for, in one of the wordings of its platform.

        Without `role`, the label is what the carrier can know of the code.
        """
        if role is None and platform.trusted:
            role = Role.BANK
        elif role is None:
            role = Role.KNOWN if platform in self.person.known else Role.NEW
        usual = min(len(platform.wordings), self.wordings or platform.usual)
        wording = platform.wordings[self.rng.randrange(usual)]
        return self._code(at_ms, platform, role, wording, fields)

    def presses(self) -> int:
        """Draw how often somebody who asked for a code presses the button again."""
        if self.rng.random() < FAILING:
            return self.rng.randint(1, PRESSES_MOST)
        if self.person.impatient:
            return self.rng.randint(1, PRESSES_MOST) if self.rng.random() < IMPATIENT else 0
        presses = 0
        while self.rng.random() < RESENT:
            presses += 1
        return presses

    def write_request(self, at_ms: int, platform: PlatformProfile) -> list[Labelled]:
        """Write the codes of one request: one, and one for each further press, 20 to 60 s apart."""
        events = [self.own(at_ms, platform)]
        for _ in range(self.presses()):
            at_ms += int(self.rng.uniform(20, 60) * 1000)
            events.append(self.own(at_ms, platform))
        return events

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

    def list_used(self) -> list[PlatformProfile]:
        """The platforms that the carrier knows of this recipient, its bank last."""
        return [*self.person.known, self.person.bank] if self.memory != 0 else []

    def history(
        self, before_ms: int, first: float = HISTORY_DAYS, last: float = 2
    ) -> Iterator[Labelled]:
        """Write codes of each known platform, oldest first, from `first` to `last` days before.

        Each platform comes one to three times, by how often this person uses it. Platforms that
        it uses together come within 20 s, on days that are five days apart.
        """
        rng, together = self.rng, self.person.together
        uses: list[tuple[int, PlatformProfile]] = []
        for number, (platform, gap) in enumerate(
            zip(self.list_used(), self.person.gaps_days, strict=False)
        ):
            if number < together:
                continue
            age = last + rng.expovariate(1 / gap)
            if age > first:
                age = rng.uniform(last, first)
            for _ in range(USES_MOST):
                uses.append((before_ms - int(age * DAY_MS), platform))
                age += max(USES_APART_DAYS, rng.expovariate(1 / gap))
                if age > first:
                    break
        for sitting in range(SITTINGS if together else 0):
            age = last + SITTINGS_APART_DAYS * sitting + rng.random()
            uses += [
                (before_ms - int(age * DAY_MS) + rng.randrange(20_000), platform)
                for platform in self.person.known[:together]
            ]
        for at_ms, platform in sorted(uses, key=lambda use: use[0]):
            yield self.past(self.own(at_ms, platform))

    @staticmethod
    def past(code: Labelled) -> Labelled:
        """Label a code as one that came before the scenario and is not counted."""
        return Labelled(code.value, Truth(Role.KNOWN, "history", code.truth.platform))

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


def draw_times(rng: Random, count: int, start_ms: int, span_ms: int) -> list[int]:
    """Draw `count` times, uniform over the span, in order: a Poisson stream of a known count."""
    return sorted(start_ms + int(rng.random() * span_ms) for _ in range(count))


def draw_paced(
    rng: Random, count: int, start_ms: int, *, gap_ms: float, variation: float
) -> list[int]:
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
    """Return the events sorted by event time; events of the same time keep their order."""
    return sorted(events, key=lambda event: event.value["event_time_ms"])
