"""Default values of the operator's settings. Detection thresholds are in `detectors.thresholds`.

This module does not import numpy. So settings and help texts can be read without loading the
detector.
"""

from typing import Final

ROWS_MAX: Final = 1 << 20
"""Maximum number of recipients remembered per partition: about 150 MB when all are used."""

WINDOW_S: Final = 300
"""Length of the tumbling windows in seconds. Five minutes show a whole flood."""

SUSPECTS_MAX: Final = 1 << 15
"""Maximum number of suspects (recipients under exact rules) per partition. Past it, a tick releases
those that were idle longest."""

NAMES_MAX: Final = 16_384
"""Maximum number of platform names remembered for explanations."""

EPOCH: Final = 1
"""Number of the input topic's generation. Increase it when the topic is created again, because the
offsets then start again at 0."""

LEASE_MS: Final = 600_000
"""Minimum duration of a lease in milliseconds: ten minutes, the validity of most codes. A lease can
be renewed when half of this time is over."""

EPISODE_MOST_S: Final = 86_400
"""Maximum duration of an episode in seconds: one day. Then the episode ends, and the flood must be
detected again."""

QUIET_S: Final = 1800
"""Seconds without a message of the flood after which an episode ends. The waves of a flood are at
most 30 minutes apart."""

COLD_KNOWN: Final = 6
"""A recipient that knows so many platforms is throttled whatever the age of its row (memory)."""

COLD_DAYS: Final = 30
"""Age of a recipient's row in days from which it is throttled however few platforms it knows. One
person in five uses fewer than six (`streams.tools.scenarios.people`). Where both are below, what
is missing may be history, so throttles are shadow only."""

CHRONIC_DAYS: Final = 7
"""Number of days with a THROTTLE, of the last 14, from which a recipient is chronic: a disposable
or test number."""

LEASE_MOST_MS: Final = 3_600_000
"""Maximum duration of a lease, for slow floods, in milliseconds: one hour. A maximum of six hours
refuses 1 % more of such a flood, and leaves a lease for twice as long when the flood is over
(simulated)."""
