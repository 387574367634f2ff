"""`python -m tests.scenarios.paces`: prints at which code a steady flood is found, by its pace.

One code of another platform that the recipient does not know, every so many seconds; and one
platform that sends all of them. The table stands in `detectors/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.chain import Params
from detectors.episodes.lease import EpisodeParams
from detectors.model.records import Level
from tests.detectors.stand_in import DAY_MS, HOUR_MS, START_MS, Event, run

PACES_S: Final = (2, 10, 20, 30, 40, 45, 50, 60, 75, 90, 105, 120, 150, 180, 240, 300, 600)
CODES_MAX: Final = 200
RECIPIENT: Final = 8613800000001
PARAMS: Final = Params(episode=EpisodeParams(mode="enforce"))


def found_at(pace_s: float, known: int, *, platforms: int = CODES_MAX) -> dict[Level, int]:
    """The code, from 1 on, at which each level is reached by a recipient who knows so many.

    The codes come of so many platforms by turns. A level that is not reached is left out.
    """
    before = [
        Event(START_MS - days * DAY_MS + i * HOUR_MS, RECIPIENT, f"known {i}")
        for days in (40, 7)
        for i in range(known)
    ]
    flood = [
        Event(START_MS + round(n * pace_s * 1000), RECIPIENT, f"new {n % platforms}")
        for n in range(CODES_MAX)
    ]
    found: dict[Level, int] = {}
    for record in run(PARAMS, before + flood).episodes:
        if record.kind == "flood" and record.change in ("opened", "raised"):
            code = record.revision - len(before) + 1
            for level in (Level.WATCH, Level.THROTTLE):
                if level <= record.level:
                    found.setdefault(level, code)
    return found


def table() -> Iterator[str]:
    """Markdown, line by line."""
    yield "| one code every | small memory: WATCH | THROTTLE | 14 known: WATCH | THROTTLE | after |"
    yield "|---|---|---|---|---|---|"
    for pace_s in PACES_S:
        small, large = found_at(pace_s, 6), found_at(pace_s, 14)
        levels = (Level.WATCH, Level.THROTTLE)
        cells = [found.get(level) for found in (small, large) for level in levels]
        last = cells[-1]
        after = f"{(last - 1) * pace_s / 60:.0f} min" if last else ""
        shown = " | ".join("-" if cell is None else str(cell) for cell in cells)
        yield f"| {pace_s} s | {shown} | {after} |"


if __name__ == "__main__":
    print("\n".join(table()))
