"""All scenarios by name: those of `otpguard scenario`, and those of the evaluation alone.

`python -m tests.scenarios.catalog A14 --seed 3 | otpguard replay -` plays a scenario. Without a
name the module lists all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from detectors.model.times import DAY_MS
from streams.tools import scenarios as rehearsals
from streams.tools.scenarios import Labelled, Scenario
from streams.tools.scenarios.catalog import history_of_all, nothing_before
from streams.tools.scenarios.message_writer import MessageWriter
from tests.scenarios import attack_tools, attacks, look_alikes


def history_of_weeks(writer: MessageWriter, start_ms: int, **_: Any) -> Iterator[Labelled]:
    """Write three codes of each known platform, oldest first, in three weeks of nine."""
    uses = [
        (start_ms - int((7 * week + 2 + writer.rng.random() * 6) * DAY_MS), platform)
        for platform in writer.list_used()
        for week in writer.rng.sample(range(9), 3)
    ]
    for at_ms, platform in sorted(uses, key=lambda use: use[0]):
        yield writer.past(writer.own(at_ms, platform))


SCENARIOS: Final[dict[str, Scenario]] = rehearsals.SCENARIOS | {
    scenario.name: scenario
    for scenario in (
        Scenario("A3", attacks.a3),
        Scenario("A4-day", attacks.a4_day),
        Scenario("A8", attacks.a8),
        Scenario("A9", attacks.a9),
        Scenario("A9-sender", attacks.a9_sender),
        Scenario("A11", attacks.a11),
        Scenario("A12", attacks.a12),
        Scenario("A13", attacks.a13),
        Scenario("A14", attacks.a14, history=history_of_weeks),
        Scenario("A15", attacks.a15),
        # It writes its own history, beside the floods.
        Scenario("A16", attacks.a16, history=nothing_before),
        Scenario("A17", attacks.a17),
        Scenario("A18", attacks.a18),
        Scenario("A19", attacks.a19),
        Scenario("A20", attack_tools.a20, history=attack_tools.history_with_bank),
        Scenario("A21", attack_tools.a21, history=attack_tools.history_of_all_with_bank),
        Scenario("B7", look_alikes.b7),
        Scenario("B8", look_alikes.b8),
        Scenario("B9", look_alikes.b9),
        Scenario("B10", look_alikes.b10),
        Scenario("B11", look_alikes.b11),
        Scenario("B12", look_alikes.b12, history=history_of_all),
        Scenario("B13", look_alikes.b13),
        Scenario("B14", look_alikes.b14),
        Scenario("B15", look_alikes.b15),
        Scenario("B16", look_alikes.b16),
        Scenario("B17", look_alikes.b17),
        Scenario("B18", look_alikes.b18),
    )
}


def generate(name: str, seed: int, **parameters: Any) -> Iterator[Labelled]:
    """Generate one run of any scenario, as `streams.tools.scenarios.generate` does."""
    return rehearsals.generate(SCENARIOS[name], seed, **parameters)


def main() -> None:
    """Print the events of a run as JSON lines, or the list of all scenarios."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.catalog")
    parser.add_argument("name", nargs="?", choices=SCENARIOS, help="; ".join(SCENARIOS))
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same events")
    options = parser.parse_args()
    if options.name is None:
        for name, scenario in SCENARIOS.items():
            print(f"{name:10} {scenario.summary}")
        return
    for event in generate(options.name, options.seed):
        print(msgspec.json.encode(event.value).decode())


if __name__ == "__main__":
    main()
