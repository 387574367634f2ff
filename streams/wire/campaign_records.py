"""Encode and decode `otpguard.campaign.v1`: the current figures of one campaign.

A surge has schema version 2 and the field `kind`. Readers of version 1 skip it.

The topic is compacted. The records contain no phone numbers.
"""

from dataclasses import asdict
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta

from detectors.campaigns.campaign import PLATFORMS_MAX, Abused, Campaign
from streams.wire.outputs import EpisodeId, Headers, PlatformKey, agent_event
from streams.wire.version import (
    Number63,
    UnreadableError,
    Word32,
    derive,
    encode_json,
    left_out,
    reader,
    several,
)

SURGE_VERSION: Final = 2

_Pace = Annotated[float, Meta(ge=0)]


_Abused: Final = derive(
    Abused,
    "platform platform_id victims",
    platform=PlatformKey,
    platform_id=Word32,
    victims=Number63,
)
_Campaign: Final = derive(
    Campaign,
    "schema_version campaign_id open start_ms opened_ms newest_ms end_ms victims victims_open "
    "victims_throttled messages pace_per_minute growth_per_minute platforms platforms_total kind "
    "victims_refused",
    campaign_id=EpisodeId,
    victims=Number63,
    victims_open=Number63,
    victims_throttled=Number63,
    messages=Number63,
    pace_per_minute=_Pace,
    growth_per_minute=_Pace,
    platforms=several(_Abused, PLATFORMS_MAX),
    platforms_total=Number63,
    kind=left_out(Literal["surge"]),  # absent in version 1
    victims_refused=left_out(Number63),
)

_campaign: Final = reader(_Campaign, SURGE_VERSION)


def encode_campaign(campaign: Campaign) -> bytes:
    """Return the value of the record. The record's key is the campaign's id."""
    of_kind: dict[str, object] = {"kind": UNSET}
    if campaign.kind == "surge":
        of_kind = {"schema_version": SURGE_VERSION}
    if campaign.victims_refused is None:
        of_kind["victims_refused"] = UNSET
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
    if read.victims_refused is UNSET:
        fields["victims_refused"] = None
    return Campaign(**fields | {"platforms": platforms})


def campaign_headers(campaign: Campaign) -> Headers:
    """Return CloudEvents 1.0 headers in Kafka's binary mode.

    The headers depend on the record alone, so a replay repeats them exactly.
    """
    identity = f"{campaign.campaign_id}/{campaign.end_ms}/{campaign.victims}"
    return agent_event(
        "otpguard.campaign.v1", identity, "/otpguard/agent/campaigns", campaign.end_ms
    )
