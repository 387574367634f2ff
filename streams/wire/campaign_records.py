"""Encode and decode `otpguard.campaign.v1`: the current figures of one campaign.

A surge has schema version 2 and the field `kind`. Readers of version 1 skip it.

The topic is compacted. The records contain no phone numbers.
"""

from dataclasses import asdict
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from detectors.campaigns.campaign import PLATFORMS_MAX, Abused, Campaign
from streams.wire.outputs import EpisodeId, Headers, PlatformKey, agent_event
from streams.wire.version import (
    SCHEMA_VERSION,
    Number63,
    TimeMs,
    UnreadableError,
    Word32,
    encode_json,
    reader,
)

SURGE_VERSION: Final = 2

_Pace = Annotated[float, Meta(ge=0)]


class _Abused(msgspec.Struct, frozen=True):
    platform: PlatformKey
    platform_id: Word32
    victims: Number63


class _Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a record of `otpguard.campaign.v1`, in the order on the wire."""

    schema_version: int = SCHEMA_VERSION
    campaign_id: EpisodeId
    open: bool
    start_ms: TimeMs
    opened_ms: TimeMs
    newest_ms: TimeMs
    end_ms: TimeMs
    victims: Number63
    victims_open: Number63
    victims_throttled: Number63
    messages: Number63
    pace_per_minute: _Pace
    growth_per_minute: _Pace
    platforms: Annotated[tuple[_Abused, ...], Meta(max_length=PLATFORMS_MAX)]
    platforms_total: Number63
    kind: Literal["surge"] | msgspec.UnsetType = msgspec.UNSET  # absent in version 1


_campaign: Final = reader(_Campaign, SURGE_VERSION)


def encode_campaign(campaign: Campaign) -> bytes:
    """Return the value of the record. The record's key is the campaign's id."""
    of_kind: dict[str, object] = {"kind": msgspec.UNSET}
    if campaign.kind == "surge":
        of_kind = {"schema_version": SURGE_VERSION}
    return encode_json(_Campaign(**asdict(campaign) | of_kind))


def decode_campaign(value: bytes) -> Campaign:
    """Decode a campaign. Raises VersionError for a newer schema, else UnreadableError."""
    read = _campaign(value)
    kind = read.kind or "floods"
    if (kind == "surge") is not (read.schema_version == SURGE_VERSION):
        raise UnreadableError("a kind of another schema version") from None
    fields = {name: getattr(read, name) for name in Campaign.__slots__} | {"kind": kind}
    platforms = tuple(
        Abused(each.platform, each.platform_id, each.victims) for each in read.platforms
    )
    return Campaign(**fields | {"platforms": platforms})


def campaign_headers(campaign: Campaign) -> Headers:
    """Return CloudEvents 1.0 headers in Kafka's binary mode.

    The headers depend on the record alone, so a replay repeats them exactly.
    """
    identity = f"{campaign.campaign_id}/{campaign.end_ms}/{campaign.victims}"
    return agent_event(
        "otpguard.campaign.v1", identity, "/otpguard/agent/campaigns", campaign.end_ms
    )
