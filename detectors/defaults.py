"""Numbers that an operator may set, as they are where nobody does; no bar of detection is here.

In a module of their own, without numpy, so that settings can be read, and help be asked for,
without the detector.
"""

from __future__ import annotations

from typing import Final

ROWS_MAX: Final = 1 << 20
"""Recipients remembered in a partition: some 150 MB when all are used."""

WINDOW_S: Final = 300
"""Of the tumbling counts: five minutes show a flood whole."""

SUSPECTS_MAX: Final = 1 << 15
"""Of a partition; past it a tick lets go the longest idle."""

NAMES_MAX: Final = 16_384
"""Platform names remembered for explanations."""

EPOCH: Final = 1
"""Raised when the input topic is created again: offsets begin anew."""

LEASE_MS: Final = 600_000
"""Ten minutes, the life of most codes; renewed when half is over."""

EPISODE_MOST_S: Final = 86_400
"""A day: then an episode ends, and has to be found again."""

QUIET_S: Final = 1800
"""Without a message of the flood for so long, it is over. Waves are at most 30 min apart."""

COLD_KNOWN: Final = 6
"""A recipient that knows fewer platforms is throttled in shadow only."""

CHRONIC_DAYS: Final = 7
"""Days with a THROTTLE, of the last 14: a disposable or test number."""

LEASE_MOST_MS: Final = 3_600_000
"""An hour, the longest lease of a slow flood: a longest of six refuses 1 % more of it, and leaves a
lease for twice as long when the flood is over (simulated)."""
