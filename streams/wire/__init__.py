"""Bytes of Kafka records <-> what the core works on. No other module knows the wire formats."""

from streams.wire.control import (
    EVERYONE,
    Ack,
    AckState,
    Override,
    VersionError,
    decode_ack,
    decode_override,
    encode_ack,
    encode_override,
    override_key,
)
from streams.wire.events import Decoded, Event, Intake, Outcome, Reason, Reject, decode
from streams.wire.recipients import Numbers

__all__ = [
    "EVERYONE",
    "Ack",
    "AckState",
    "Decoded",
    "Event",
    "Intake",
    "Numbers",
    "Outcome",
    "Override",
    "Reason",
    "Reject",
    "VersionError",
    "decode",
    "decode_ack",
    "decode_override",
    "encode_ack",
    "encode_override",
    "override_key",
]
