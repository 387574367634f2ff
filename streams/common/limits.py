"""Limits on input and topics that settings, wire formats and commands share."""

from typing import Final

VALUE_BYTES_MAX: Final = 131_072
"""Maximum size of a record value. A concatenated SMS has at most 255 parts, or 17,000 Chinese
characters. These are 51 kB in UTF-8, and 103 kB if the producer escapes them."""

PARTITIONS_MAX: Final = 1024
"""Maximum number of partitions of the input and of the changelog. Chosen: with 5 million recipients
per partition this is more than one country has numbers. Larger networks need several installations.
"""

GATEWAY_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""Regular expression of a gateway's name. Names stand on screens and in consumer groups."""

AHEAD_MAX_MS: Final = 300_000
"""How far an event's time may be in the future. Gateway clocks normally differ by seconds; 5 min
tolerates a gateway without time synchronisation. This is half a lease, so no lease outlives its
flood by more than that."""
