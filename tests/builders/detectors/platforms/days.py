"""Builders that test_days.py shares with other tests."""

from __future__ import annotations

from detectors.model.times import DAY_MS
from detectors.platforms.figures import REST, PlatformCounts, PlatformPart

DAY = 20_000


def part(
    partition: int, offset: int, *, day: int = DAY, epoch: int = 1, **codes: int
) -> PlatformPart:
    """Of platforms p1, p2, …: so many codes each, a tenth of them of floods."""
    counts = [
        PlatformCounts(
            "" if name == "rest" else f"sig:{name}",
            REST if name == "rest" else int(name[1:]),
            n, n // 2, n // 4, n // 10,
        )
        for name, n in codes.items()
    ]  # fmt: skip
    return PlatformPart(partition, offset, epoch, day * DAY_MS + 3_600_000, tuple(counts))
