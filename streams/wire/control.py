"""Encode and decode the small topics around leases: overrides, acknowledgements and counts.

Operators send overrides. Adapters, which apply leases at gateways, send acknowledgements of actions
and counts of refused messages. The key of their records is the action's id. Unknown fields are
skipped. Decoders raise VersionError for a schema version above the known one, else UnreadableError.
"""

from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from detectors.model.times import DAY_MS
from streams.common.errors import refuse_faults
from streams.wire.version import (
    SCHEMA_VERSION,
    GatewayId,
    Integer,
    Number63,
    ShortText,
    TimeMs,
    Word32,
    encode_json,
    reader,
)

EVERYONE: Final = "*"

OverrideVerb = Literal["release", "allow", "exempt", "mode", "rails"]
AckState = Literal["applied", "ignored", "failed", "expired"]
Switch = Literal["shadow", "enforce", "off"]

RAILS_VERSION: Final = 2
"""Schema version of a `rails` override. An older adapter does not know this verb. The higher
version makes it refuse the record, and its rails (the limits on new leases) stay unchanged. Other
overrides have version 1, except those with `once`."""

ONCE_VERSION: Final = 3
"""Schema version of an override with `once`, which lets one code of a platform pass. An older
adapter would ignore `once` and let all codes of the platform pass. The higher version makes it
refuse the record."""

RAILS_TIMES_MAX: Final = 10
"""Largest factor by which an override can raise the rails. Ten times is 10,000 leases per minute
for ten million subscribers. No expected campaign needs more, and this still limits a detector that
malfunctions."""

RAILS_FOR_MAX_MS: Final = DAY_MS
"""Longest duration of a `rails` override, in ms. Raise the rails for longer in the settings."""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """`otpguard.override.v1`: one override by an operator. It applies until it ends or is replaced.

    If several records have the same `override_key`, the last one in the log applies.

    - `release`: leases issued before the override are not enforced, nor any lease until it ends.
    - `exempt`: no lease is enforced until the override ends.
    - `allow`: one more platform passes. With `once`, only its next code passes.
    - `mode`: sets the mode for everyone.
    - `rails`: multiplies the number of leases that the rails admit by `times`.
    """

    recipient: ShortText  # canonical form, or EVERYONE for `mode`, `rails` and `allow`
    verb: OverrideVerb
    actor: ShortText
    reason: ShortText
    issued_at_ms: TimeMs
    expires_at_ms: TimeMs | None = None  # None: until another override replaces it
    platform: ShortText = ""  # key of the platform, for `allow`
    mode: Switch = "enforce"  # for `mode`
    times: Annotated[int, Meta(ge=1, le=RAILS_TIMES_MAX)] = 1  # for `rails`
    once: bool = False  # for `allow`
    via: ShortText = ""  # channel that the operator used: cli, desk, mo
    ticket: ShortText = ""
    approved_by: ShortText = ""  # second person, where an override needs two
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        everyone, ends_ms = self.recipient == EVERYONE, self.expires_at_ms
        raises = self.verb == "rails"
        refuse_faults(
            {
                "a release ends": self.verb == "release" and ends_ms is None,
                "a platform belongs to `allow`": (self.verb == "allow") != bool(self.platform),
                "`mode` is about everyone": self.verb == "mode" and not everyone,
                "`rails` is about everyone, from version 2 on": (
                    raises and not (everyone and self.schema_version >= RAILS_VERSION)
                ),
                "raised rails end within a day": raises and (
                    ends_ms is None or ends_ms > self.issued_at_ms + RAILS_FOR_MAX_MS
                ),
                "times belong to `rails`": not raises and self.times != 1,
                "one code of a platform passes at one number, until some time": self.once and (
                    self.verb != "allow" or everyone or ends_ms is None
                    or self.schema_version < ONCE_VERSION
                ),
                "to hold everything back, use `mode`": (
                    everyone and self.verb in ("release", "exempt")
                ),
            }
        )  # fmt: skip


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """`otpguard.throttle.acks.v1`: the result of one action at one adapter."""

    action_id: str
    gateway_id: GatewayId
    state: AckState
    why: str
    at_ms: TimeMs
    refused_count: Integer = 0  # messages refused under the action; only with `expired`
    schema_version: int = SCHEMA_VERSION


COUNTED_PLATFORMS_MAX: Final = 64


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """`otpguard.throttle.counts.v1`: messages that one gateway has refused so far under one lease.

    A later record of the same lease and gateway replaces an earlier one. `by_platform` counts the
    platforms with the most refused messages. It is empty if the gateway does not know platforms.

    >>> encode_counts(Counts(action_id="a", episode_id="e", gateway_id="g", at_ms=0, refused=2,
    ...                      by_platform={7: 2}))[-53:]
    b'"refused":2,"by_platform":{"7":2},"schema_version":1}'
    """

    action_id: str
    episode_id: str
    gateway_id: GatewayId
    at_ms: TimeMs
    refused: Number63
    by_platform: Annotated[dict[Word32, Number63], Meta(max_length=COUNTED_PLATFORMS_MAX)] = (
        msgspec.field(default_factory=dict)
    )
    schema_version: int = SCHEMA_VERSION


_ADDED: Final = {"via": "", "ticket": "", "approved_by": "", "times": 1, "once": False}
"""Fields of an override that are left out if they have these default values. An override without
them has the same bytes as in program versions that did not know these fields."""

_REQUIRED: Final = object()
encode_ack: Final[Callable[[Ack], bytes]] = encode_json
encode_counts: Final[Callable[[Counts], bytes]] = encode_json
decode_override: Final = reader(Override, ONCE_VERSION)
decode_ack: Final = reader(Ack)
decode_counts: Final = reader(Counts)


def override_key(override: Override) -> bytes:
    """Return the record's key. Compaction keeps the last override of each key."""
    return f"{override.recipient}|{override.verb}|{override.platform}".encode()


def key_parts(key: bytes | None) -> tuple[str, str, str] | None:
    """Return recipient, verb and platform of an override's key; None for other keys.

    >>> key_parts(b"*|allow|sig:a|b"), key_parts(None)
    (('*', 'allow', 'sig:a|b'), None)
    """
    recipient, *others = (key or b"").decode(errors="replace").split("|", 2)
    return (recipient, others[0], others[1]) if len(others) == 2 else None


def override_id(override: Override, offset: int) -> str:
    """Return the id with which adapters acknowledge the override at this offset.

    Overrides for everyone have a topic of their own, so their ids have another prefix.

    >>> override_id(Override(recipient="*", verb="mode", actor="", reason="", issued_at_ms=0), 7)
    'override-all-7'
    """
    return f"override-all-{offset}" if override.recipient == EVERYONE else f"override-{offset}"


def encode_override(override: Override) -> bytes:
    """Return the value of the record.

    >>> word = Override(recipient="8613900000001", verb="release", actor="noc", reason="ticket 7",
    ...                 issued_at_ms=0, expires_at_ms=3_600_000)
    >>> override_key(word), decode_override(encode_override(word)) == word
    (b'8613900000001|release|', True)
    """
    fields = msgspec.structs.asdict(override)
    return encode_json({k: v for k, v in fields.items() if v != _ADDED.get(k, _REQUIRED)})
