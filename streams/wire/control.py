"""The small topics around the leases: the operator's word, and what adapters did and counted.

Unknown fields are skipped; a schema version above ours is an error that names it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from detectors.model.times import DAY_MS
from streams.wire.version import SCHEMA_VERSION, Integer, TimeMs, Word32, reader

EVERYONE: Final = "*"

OverrideVerb = Literal["release", "allow", "exempt", "mode", "rails"]
AckState = Literal["applied", "ignored", "failed", "expired"]
Switch = Literal["shadow", "enforce", "off"]

_Word = Annotated[str, Meta(max_length=256)]

RAILS_VERSION: Final = 2
"""Of a word about the rails, which an adapter of before does not know: it refuses the record as of
a newer program, and its rails stay as they are. Other words bear version 1, but for `once`."""

ONCE_VERSION: Final = 3
"""Of a word that lets one code of a platform pass. An adapter of before would open the platform for
all of them, so it shall refuse the record."""

RAILS_TIMES_MAX: Final = 10
"""The most that a word raises the rails by: 10,000 leases a minute for ten million subscribers. No
campaign in view needs more, and a detector gone wrong is held at that."""

RAILS_FOR_MAX_MS: Final = DAY_MS
"""A word about the rails ends within a day: what is needed for longer belongs into the settings."""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """`otpguard.override.v1`: one word of an operator, until it ends or is said anew.

    Of equal `override_key` the last on the log counts. `release`: no lease is enforced that was
    issued before this, nor any until it ends. `exempt`: none until it ends. `allow`: one more
    platform passes, or `once` the next code of it, as a second request does. `mode`: the switch of
    everything. `rails`: so many times the leases that the rails let in.
    """

    recipient: _Word  # canonical, or EVERYONE for `mode`, `rails` and `allow`
    verb: OverrideVerb
    actor: _Word
    reason: _Word
    issued_at_ms: TimeMs
    expires_at_ms: TimeMs | None = None  # None: until said otherwise
    platform: _Word = ""  # key of the platform, for `allow`
    mode: Switch = "enforce"  # for `mode`
    times: Annotated[int, Meta(ge=1, le=RAILS_TIMES_MAX)] = 1  # for `rails`
    once: bool = False  # for `allow`
    via: _Word = ""  # the channel: cli, desk, mo
    ticket: _Word = ""
    approved_by: _Word = ""  # the second person, where it takes two
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.verb == "release" and self.expires_at_ms is None:
            raise ValueError("a release ends")
        if (self.verb == "allow") != bool(self.platform):
            raise ValueError("a platform belongs to `allow`")
        if (self.verb == "mode") > (self.recipient == EVERYONE):
            raise ValueError("`mode` is about everyone")
        if self.verb == "rails":
            if self.recipient != EVERYONE or self.schema_version < RAILS_VERSION:
                raise ValueError("`rails` is about everyone, from version 2 on")
            ends_ms = self.expires_at_ms
            if ends_ms is None or ends_ms > self.issued_at_ms + RAILS_FOR_MAX_MS:
                raise ValueError("raised rails end within a day")
        elif self.times != 1:
            raise ValueError("times belong to `rails`")
        if self.once and (
            self.verb != "allow"
            or self.recipient == EVERYONE
            or self.expires_at_ms is None
            or self.schema_version < ONCE_VERSION
        ):
            raise ValueError("one code of a platform passes at one number, until some time")
        if self.recipient == EVERYONE and self.verb in ("release", "exempt"):
            raise ValueError("to hold everything back, use `mode`")


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """`otpguard.throttle.acks.v1`: what one adapter did with one action."""

    action_id: str
    gateway_id: str
    state: AckState
    why: str
    at_ms: TimeMs
    refused_count: Integer = 0  # messages refused under the action; with `expired` only
    schema_version: int = SCHEMA_VERSION


COUNTED_PLATFORMS_MAX: Final = 64

_Refused = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """`otpguard.throttle.counts.v1`: what one gateway has refused so far under one lease.

    Later records of a lease and gateway take the place of earlier ones. `by_platform` is empty
    where a gateway cannot tell, and else has those of whom most was refused.
    """

    action_id: str
    episode_id: str
    gateway_id: str
    at_ms: TimeMs
    refused: _Refused
    by_platform: Annotated[dict[Word32, _Refused], Meta(max_length=COUNTED_PLATFORMS_MAX)] = (
        msgspec.field(default_factory=dict)
    )
    schema_version: int = SCHEMA_VERSION


_ADDED: Final = {"via": "", "ticket": "", "approved_by": "", "times": 1, "once": False}
"""Fields of an override that are left out where they are as here: a word without them is written
byte for byte as before there were any."""

_REQUIRED: Final = object()
_encode: Final = msgspec.json.Encoder().encode
_counts: Final = reader(Counts)
_override: Final = reader(Override, ONCE_VERSION)
_ack: Final = reader(Ack)


def override_key(override: Override) -> bytes:
    """The record's key: the topic is compacted to the last word about each."""
    return f"{override.recipient}|{override.verb}|{override.platform}".encode()


def key_parts(key: bytes) -> tuple[str, str, str]:
    """Recipient, verb and platform of an override's key; ValueError if it is none.

    >>> key_parts(b"*|allow|sig:a|b")
    ('*', 'allow', 'sig:a|b')
    """
    recipient, verb, platform = key.decode().split("|", 2)
    return recipient, verb, platform


def override_id(override: Override, offset: int) -> str:
    """The id by which adapters acknowledge it; words about everyone have a topic of their own.

    >>> override_id(Override(recipient="*", verb="mode", actor="", reason="", issued_at_ms=0), 7)
    'override-all-7'
    """
    return f"override-all-{offset}" if override.recipient == EVERYONE else f"override-{offset}"


def encode_override(override: Override) -> bytes:
    """The record's value.

    >>> word = Override(recipient="8613900000001", verb="release", actor="noc", reason="ticket 7",
    ...                 issued_at_ms=0, expires_at_ms=3_600_000)
    >>> override_key(word), decode_override(encode_override(word)) == word
    (b'8613900000001|release|', True)
    """
    fields = msgspec.structs.asdict(override)
    return _encode({k: v for k, v in fields.items() if v != _ADDED.get(k, _REQUIRED)})


def decode_override(value: bytes) -> Override:
    """Raise VersionError, or UnreadableError if it is no override at all."""
    return _override(value)


def encode_ack(ack: Ack) -> bytes:
    """The record's value; its key is the action's id."""
    return _encode(ack)


def decode_ack(value: bytes) -> Ack:
    """Raise VersionError, or UnreadableError if it is no acknowledgement."""
    return _ack(value)


def encode_counts(counts: Counts) -> bytes:
    """The record's value; its key is the action's id.

    >>> encode_counts(Counts(action_id="a", episode_id="e", gateway_id="g", at_ms=0, refused=2,
    ...                      by_platform={7: 2}))[-53:]
    b'"refused":2,"by_platform":{"7":2},"schema_version":1}'
    """
    return _encode(counts)


def decode_counts(value: bytes) -> Counts:
    """Raise VersionError, or UnreadableError if it is no record of counts."""
    return _counts(value)
