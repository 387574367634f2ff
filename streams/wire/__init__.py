"""Bytes of Kafka records <-> what the core works on. No other module knows the wire formats."""

from streams.wire.events import Decoded, Event, Intake, Outcome, Reason, Reject, decode
from streams.wire.recipients import Numbers

__all__ = [
    "Decoded",
    "Event",
    "Intake",
    "Numbers",
    "Outcome",
    "Reason",
    "Reject",
    "decode",
]
