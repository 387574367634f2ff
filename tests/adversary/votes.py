"""`python -m tests.adversary.votes`: attacks on the votes for abused platforms.

Six codes at each victim on the day before use up the victims' votes. And an attacker who floods
four numbers of his own votes for the platforms of a line of business, so that people who sign up
there are throttled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from streams.tools.scenarios import DEFAULT_START_MS, Labelled, merge_streams
from streams.tools.scenarios.labelled_events import Role
from streams.tools.scenarios.message_writer import MessageWriter
from tests.adversary.moves import DAY_MS, HOUR_MS
from tests.scenarios.catalog import generate
from tests.scenarios.play import Outcome, play

VICTIMS = 150
CODES = 20
OTHERS = 1500
LINE = 40
SIGN_UPS = 40

_ELSEWHERE = 5_000_000  # recipients whom nobody attacks
_STRIDE = 256  # offsets from one event to the next, so that ticks come as in a busy partition


def others() -> list[Iterator[Labelled]]:
    """The codes of other people's week, which say what people meet."""
    return [
        MessageWriter("others", 1, _ELSEWHERE + n).history(
            DEFAULT_START_MS, first=7 if n % 6 else 60, last=0.1
        )
        for n in range(OTHERS)
    ]


def spend_votes(victim: int) -> Iterator[Labelled]:
    """Six codes of platforms that the campaign does not use, on the day before."""
    writer = MessageWriter("A6", 1, victim)
    start_ms = DEFAULT_START_MS - DAY_MS + HOUR_MS + victim * 10_000
    for n, platform in enumerate(writer.strangers(6)):
        code = writer.code(start_ms + n * 3_000, platform)
        yield Labelled(code.value, replace(code.truth, scenario="history"))


def missed_in_campaign(*, spent: bool) -> float:
    """Play a campaign of 20 codes at each victim; the share of victims that are not throttled."""
    campaign = generate("A6", 1, recipients=VICTIMS, codes=CODES)
    before = [spend_votes(victim) for victim in range(VICTIMS)] if spent else []
    outcomes = play(merge_streams(campaign, *before, *others()), stride=_STRIDE)
    floods = [outcome for outcome in outcomes.values() if outcome.sent[Role.ATTACK]]
    assert len(floods) == VICTIMS
    return sum(outcome.throttle is None for outcome in floods) / VICTIMS


def throttled_at_a_line_of_business(numbers: int) -> int:
    """Count the people of 40 who sign up at one line of business, which an attacker votes for."""
    attack = generate(
        "A16", 1, recipients=SIGN_UPS, numbers=numbers, platforms=LINE, share=1.0, memory=14
    )
    outcomes: dict[str, Outcome] = play(merge_streams(attack, *others()), stride=_STRIDE)
    people = [outcome for outcome in outcomes.values() if outcome.sent[Role.NEW]]
    return sum(outcome.throttle is not None for outcome in people)


def main() -> None:
    """Print the figures."""
    for spent in (False, True):
        what = "after votes were spent" if spent else "plain"
        print(f"campaign of {CODES} codes, {what}: {missed_in_campaign(spent=spent):.2f} missed")
    for numbers in (0, 4, 32):
        throttled = throttled_at_a_line_of_business(numbers)
        print(f"{numbers} numbers vote for a line of business: {throttled} of {SIGN_UPS} throttled")


if __name__ == "__main__":
    main()
