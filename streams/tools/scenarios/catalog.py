"""The scenarios that `otpguard scenario` rehearses, and the function that runs a scenario.

The evaluation (`tests/scenarios`) has further ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Final

from detectors.model.times import HOUR_MS
from streams.tools.scenarios import attacks, benign
from streams.tools.scenarios.labelled_events import Labelled, merge_streams
from streams.tools.scenarios.message_writer import MessageWriter
from streams.tools.scenarios.ordinary import ordinary

DEFAULT_START_MS: Final = 1_772_422_380_000
"""2026-03-02 11:33 in Dalian (UTC+8): the minute at which the incident began."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A generator, with its meaning and its frequency."""

    name: str
    write: Callable[..., Iterator[Labelled]]  # (writer, start_ms, **parameters)
    per_subscriber_day: float | None = None  # of look-alikes; None where no rate is known
    history: Callable[..., Iterator[Labelled]] | None = None  # None: the first recipient's

    @property
    def attack(self) -> bool:
        """True if the scenario is an attack, which the detector should stop."""
        return self.name.startswith("A")

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of this scenario and their defaults; the seed draws those that are None."""
        return {
            name: parameter.default
            for name, parameter in signature(self.write).parameters.items()
            if parameter.kind is Parameter.KEYWORD_ONLY
        }

    @property
    def summary(self) -> str:
        return (self.write.__doc__ or "").strip().splitlines()[0]


def everyday(
    writer: MessageWriter, start_ms: int, *, subscribers: int = 20_000, hours: float = 1
) -> Iterator[Labelled]:
    """Ordinary traffic: codes, marketing, courier, bank and personal messages of 20,000 people."""
    yield from ordinary(
        subscribers, start_ms, writer.seed, duration_ms=round(hours * HOUR_MS), first=writer.index
    )


def nothing_before(_writer: MessageWriter, _start_ms: int, **_: Any) -> Iterator[Labelled]:
    """Write no history, for sweeps and ordinary traffic."""
    yield from ()


def history_of_all(
    writer: MessageWriter, start_ms: int, *, recipients: int, **_: Any
) -> Iterator[Labelled]:
    """Write the history of all recipients of a scenario."""
    others = (writer.other(writer.scenario, offset) for offset in range(recipients))
    yield from merge_streams(*(other.history(start_ms) for other in others))


SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario("A1", attacks.a1),
        Scenario("A2", attacks.a2),
        Scenario("A4", attacks.a4),
        Scenario("A5", attacks.a5),
        Scenario("A6", attacks.a6, history=history_of_all),
        Scenario("A7", attacks.a7),
        Scenario("A10", attacks.a10, history=nothing_before),
        Scenario("B1", benign.b1, 1 / 730),
        Scenario("B2", benign.b2, 1 / 20_000),
        Scenario("B3", benign.b3, 1 / 50),
        Scenario("B4", benign.b4, 1 / 200),
        Scenario("B5", benign.b5),
        Scenario("B6", benign.b6),
        Scenario("ordinary", everyday, history=nothing_before),
    )
}


def generate(
    scenario: str | Scenario,
    seed: int,
    *,
    recipient: int = 0,
    start_ms: int = DEFAULT_START_MS,
    memory: int | None = None,
    wordings: int | None = None,
    together: int | None = None,
    history: bool = True,
    **parameters: Any,
) -> Iterator[Labelled]:
    """Generate one run of a scenario: first the recipient's history, then the scenario itself.

    `recipient` is the index of the (first) subscriber. It knows `memory` platforms, which write in
    at most `wordings` ways each, and uses `together` of them in quick succession; what is not given
    is as with people. They came 2 to 182 days before `start_ms`; with `history=False` that part is
    left out. The same arguments give the same events. `parameters` are the scenario's own. Raise
    KeyError for an unknown name and TypeError for an unknown parameter.
    """
    chosen = SCENARIOS[scenario] if isinstance(scenario, str) else scenario
    people = recipient, memory, wordings, together
    if history:
        # A writer of its own, so that what happens does not depend on what was before.
        earlier = MessageWriter(f"{chosen.name}-before", seed, *people)
        given = chosen.parameters | parameters
        before = chosen.history(earlier, start_ms, **given) if chosen.history else None
        yield from before or earlier.history(start_ms)
    yield from chosen.write(MessageWriter(chosen.name, seed, *people), start_ms, **parameters)
