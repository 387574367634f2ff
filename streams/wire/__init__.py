"""Bytes of Kafka records <-> what the core works on. No other module knows the wire formats."""

from streams.wire.control import (
    EVERYONE,
    Ack,
    AckState,
    Override,
    decode_ack,
    decode_override,
    encode_ack,
    encode_override,
    override_id,
    override_key,
)
from streams.wire.events import Decoded, Event, Intake, Outcome, Reason, Reject, decode
from streams.wire.outputs import (
    DEAD_LETTER_BYTES_MAX,
    Headers,
    action_headers,
    dead_letter,
    decode_action,
    decode_episode,
    encode_action,
    encode_episode,
    episode_headers,
)
from streams.wire.recipients import Numbers
from streams.wire.version import VersionError

__all__ = [
    "DEAD_LETTER_BYTES_MAX",
    "EVERYONE",
    "Ack",
    "AckState",
    "Decoded",
    "Event",
    "Headers",
    "Intake",
    "Numbers",
    "Outcome",
    "Override",
    "Reason",
    "Reject",
    "VersionError",
    "action_headers",
    "dead_letter",
    "decode",
    "decode_ack",
    "decode_action",
    "decode_episode",
    "decode_override",
    "encode_ack",
    "encode_action",
    "encode_episode",
    "encode_override",
    "episode_headers",
    "override_id",
    "override_key",
]
