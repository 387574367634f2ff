"""`python -m tests.adversary.teaching`: measures the rule that refused codes do not make a platform
known.

Three measurements. An attacker lets the same small flood come on days in a row, so that its
platforms become known. A number that people share must still settle. A person who was throttled by
mistake must find the own new platforms known a few days later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import merge
from random import Random

from streams.tools.scenarios import DEFAULT_START_MS, Labelled, generate
from streams.tools.scenarios.message_writer import MessageWriter, in_order
from tests.adversary.arena import Played, play
from tests.adversary.moves import DAY_MS, HOUR_MS, SECOND_MS, Field, Move, metronome, own_life
from tests.scenarios.play import play as play_labelled

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


SHARED = 60
PEOPLE = 10
LOG_INS = 12


def play_shared_numbers(numbers: int = SHARED, days: int = 7) -> list[int]:
    """Count the numbers with 40 platforms and 300 codes a day that are throttled on each day."""
    runs = [
        generate("B5", seed, recipient=seed, days=days, platforms=40, a_day=300)
        for seed in range(numbers)
    ]
    return _count_by_day(merge(*runs, key=_time_of), days)


def play_people(people: int = PEOPLE, days: int = 7, *, rush: bool = True) -> list[int]:
    """Count the people throttled on each day who log in to the same new platforms every day.

    On the first day the log-ins come 30 s apart, which is throttled by mistake: somebody releases
    the person, and all codes arrive, but the worker does not know that. On the next days they come
    in the same rush, or else over twelve hours and in a rush on the last day alone.
    """
    runs = []
    for index in range(people):
        writer = MessageWriter("teaching", 1, index, 14)
        platforms = writer.strangers(LOG_INS)
        events = list(writer.history(DEFAULT_START_MS))
        for day in range(days):
            fast = rush or day in (0, days - 1)
            gap_ms = 30 * SECOND_MS if fast else HOUR_MS
            at_ms = DEFAULT_START_MS + day * (DAY_MS + HOUR_MS)
            for number, platform in enumerate(platforms):
                events.append(writer.own(at_ms + number * gap_ms, platform))
        runs.append(in_order(events))
    return _count_by_day(merge(*runs, key=_time_of), days)


def _time_of(event: Labelled) -> int:
    time_ms: int = event.value["event_time_ms"]
    return time_ms


def _count_by_day(events: Iterable[Labelled], days: int) -> list[int]:
    outcomes = play_labelled(events, stride=64).values()
    return [sum(o.throttled_by_day[day] > 0 for o in outcomes) for day in range(days)]


def main() -> None:
    """Print the three measurements."""
    for days in (2, 3, 4, 6):
        taught, blasted = play_days(days, blasted=False), play_days(days)
        print(
            f"small flood on {days} days: {taught.codes - taught.reached} of {taught.codes} codes"
            f" refused; then {blasted.reached - taught.reached} of {FLOOD_CODES} pass,"
            f" {blasted.learnt} platforms known"
        )
    print(f"{SHARED} shared numbers, throttled by day: {play_shared_numbers()}")
    print(f"{PEOPLE} people in a rush each day, throttled by day: {play_people()}")
    print(f"{PEOPLE} people in a rush on the first and last day: {play_people(rush=False)}")


if __name__ == "__main__":
    main()
