"""Builders that test_platform_records.py shares with other tests."""

from __future__ import annotations

from detectors.platforms.days import PlatformDay, PlatformFigures
from detectors.platforms.figures import PlatformCounts, PlatformPart

PART = PlatformPart(3, 8192, 1, 86_400_000, (PlatformCounts("sig:a", 7, 9, 4, 0, 2),))


DAY = PlatformDay(86_400_000, 90, 40, 20, 30)


FIGURES = PlatformFigures("sig:a", 7, 86_400_000, (DAY,), 90, 0.3333, 0.5, None)
