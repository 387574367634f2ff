"""The constants that times are counted with."""

from __future__ import annotations

from typing import Final

EPOCH_S: Final = 1_577_836_800
"""2020-01-01 UTC, in Unix seconds. The core counts seconds and days from here: 31 bits of seconds
last until 2088."""

DAY_S: Final = 86_400
"""A platform's messages within a day are one sighting; seen longer ago than that, it is known."""

MINUTE_S: Final = 60
HOUR_S: Final = 3600
MINUTE_MS: Final = 1000 * MINUTE_S
HOUR_MS: Final = 1000 * HOUR_S
DAY_MS: Final = 1000 * DAY_S
