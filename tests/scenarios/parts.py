"""Plays the parts of an evaluation on several cores, and keeps each one's figures in a file.

So a run that is stopped goes on where it was, and one may be made of many short ones. What another
version of the detector, or of the scenarios, came to is never taken: its files have another name.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.scenarios.evaluate import Part
from tests.scenarios.figures import Figures

ROOT: Final = Path(__file__).parents[2]
DECIDES: Final = (
    "detectors",
    "streams/tools/scenarios",
    "streams/wire",
    "streams/network/list_agent.py",
    "tests/scenarios/attack_tools.py",
    "tests/scenarios/attacks.py",
    "tests/scenarios/catalog.py",
    "tests/scenarios/evaluate.py",
    "tests/scenarios/figures.py",
    "tests/scenarios/look_alikes.py",
    "tests/scenarios/network.py",
    "tests/scenarios/play.py",
    "tests/scenarios/tools.toml",
)
"""Where the code and the data are that the figures depend on."""

SUFFIXES: Final = (".py", ".toml", ".json")


@cache
def version() -> str:
    """Of all that the figures depend on: a hash of the files' contents."""
    digest = hashlib.sha256()
    for place in DECIDES:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.suffix in SUFFIXES:
                digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of figures, one file for each part."""

    folder: Path

    def path(self, part: Part) -> Path:
        """Where a part's figures are."""
        text = f"{part!r}/{version()}"
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self.folder / f"{part.row.name}-{part.first}-{name}.figures"

    def read(self, part: Part) -> Figures | None:
        """The figures of a part; None if it was not played."""
        try:
            figures: Figures = pickle.loads(self.path(part).read_bytes())
        except FileNotFoundError:
            return None
        return figures

    def write(self, part: Part, figures: Figures) -> None:
        """Whole or not at all: several runs may share the folder."""
        path = self.path(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_bytes(pickle.dumps(figures))
        beside.replace(path)


def play_parts(
    parts: Iterable[Part],
    kept: Kept,
    *,
    jobs: int,
    seconds: float,
    done: Callable[[Part], None],
) -> list[Part]:
    """Plays what was not played yet and returns the parts that are left when the time is over.

    No part is begun after `seconds`; `done` is told of each one that is there, played now or
    before.
    """
    left = []
    for part in parts:
        if kept.path(part).exists():
            done(part)
        else:
            left.append(part)
    if not left:
        return []
    end_s = time.monotonic() + seconds
    waiting = iter(left)
    with ProcessPoolExecutor(jobs) as executor:
        running: dict[Future[Figures], Part] = {}
        while True:
            while len(running) < 2 * jobs and time.monotonic() < end_s:
                following = next(waiting, None)
                if following is None:
                    break
                running[executor.submit(following.play)] = following
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                part = running.pop(future)
                kept.write(part, future.result())
                done(part)
    return list(waiting)
