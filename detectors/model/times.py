"""Constants of time."""

from typing import Final

EPOCH_S: Final = 1_577_836_800
"""2020-01-01 UTC, in Unix seconds. The core counts seconds and days from this time, so 31 bits of
seconds are enough until 2088."""

DAY_S: Final = 86_400
"""One day. Messages of a platform within a day are one sighting. A platform that was seen longer
ago is known."""

MINUTE_S: Final = 60
HOUR_S: Final = 3600
MINUTE_MS: Final = 1000 * MINUTE_S
HOUR_MS: Final = 1000 * HOUR_S
DAY_MS: Final = 1000 * DAY_S
