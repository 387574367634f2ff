"""Limits of what is taken in and set up, which settings, the wire and commands share."""

from __future__ import annotations

from typing import Final

VALUE_BYTES_MAX: Final = 131_072
"""A text of 255 parts, the most a concatenated SMS can have, holds 17,000 Chinese characters: 51 kB
in UTF-8, and 103 kB where a producer escapes them."""

PARTITIONS_MAX: Final = 1024
"""Of the input and of the changelog. Chosen: 5 M recipients in each are more than one country
has numbers; what is larger is several installations."""

AHEAD_MAX_MS: Final = 300_000
"""Gateway clocks run within seconds of each other; 5 min forgives one without time service, and is
half a lease, so that no lease outlives its flood by more than that."""
