"""`python -m tests.adversary.teaching`: what a lease refuses teaches nothing, and what that costs.

Three measurements. An attacker lets the same small flood come on days in a row, so that its
platforms become known. A number that people share must still settle. A person who was throttled by
mistake must find the own new platforms known a few days later.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.adversary.arena import Played, play
from tests.adversary.moves import DAY_MS, HOUR_MS, SECOND_MS, Field, Move, metronome, own_life

PLATFORMS = 24
"""One under the number of platforms within 35 min that confirms an episode."""

FLOOD_CODES = 1800


def small_flood(f: Field, platforms: Sequence[str]) -> Move:
    """Five platforms 10 s apart, the others 45 s: a THROTTLE that nothing confirms."""
    shots, at = [], f.now_ms
    for number, platform in enumerate(platforms):
        shots.append(f.shot(at, platform))
        at += (10 if number < 4 else 45) * SECOND_MS
    return Move("small flood", f"{len(platforms)} platforms", shots, at)


def blast(f: Field, platforms: Sequence[str]) -> Move:
    """Many codes of the same platforms, one in two seconds."""
    shots = [
        f.shot(f.now_ms + i * 2 * SECOND_MS, platforms[i % len(platforms)])
        for i in range(FLOOD_CODES)
    ]
    return Move("blast", f"{FLOOD_CODES} codes", shots, shots[-1].arrives_ms)


def play_days(days: int, *, blasted: bool = True) -> Played:
    """Play the small flood on so many days at the same hour, and the blast on the day after."""
    f = Field(Random(f"teaching/{days}"))
    moves = [own_life(f)]
    busy_ms = f.now_ms
    platforms = f.platforms(PLATFORMS)
    for _ in range(days):
        moves.append(small_flood(f, platforms))
        f.now_ms += DAY_MS + HOUR_MS
    if blasted:
        moves.append(blast(f, platforms))
    end_ms = moves[-1].end_ms + 2 * HOUR_MS
    moves.append(Move("others", "", [*metronome(busy_ms, end_ms)], end_ms))
    return play(moves)
