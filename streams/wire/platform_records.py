"""Encode and decode figures of platforms: partial sums per partition, and sums of the network.

`otpguard.platform.parts.v1` holds the partial sums of one partition. `otpguard.platform.v1` holds
one platform's sums over all partitions. Neither contains a full phone number: a sweep (codes to
many consecutive numbers) is described by numbers without their last three digits. A part that a
replay or another owner writes again has the same bytes and the same offset.
"""

from dataclasses import asdict
from typing import Annotated, Final

from msgspec import UNSET, Meta
from msgspec.structs import astuple

from detectors.hot.published_sums import TOLD_MOST, HotPart, VoteSum
from detectors.platforms.days import KEPT_DAYS, PlatformDay, PlatformFigures
from detectors.platforms.figures import PART_PLATFORMS, PlatformCounts, PlatformPart
from detectors.platforms.first_contacts import PAIRS_PART, SweepPart
from detectors.platforms.sweeps import SWEEP_RULES, TOLD_MOST as SWEEP_TOLD, Sweep
from streams.wire.outputs import Headers, PlatformKey, agent_event
from streams.wire.version import Word32, derive, encode_json, left_out, reader, several

PART_COUNT_MAX: Final = 2**32
"""Largest count of one partition in half an hour, about two million per second. The sum over a
thousand partitions and a week still fits into the network's record (at most 2**53)."""

_Count = Annotated[int, Meta(ge=0, le=2**53)]
_PartCount = Annotated[int, Meta(ge=0, le=PART_COUNT_MAX)]
_Share = Annotated[float, Meta(ge=0, le=1)]


_Counts: Final = derive(
    PlatformCounts,
    "platform platform_id codes recipients strangers flood_codes",
    platform=PlatformKey,
    platform_id=Word32,
    codes=_PartCount,
    recipients=(_PartCount, 0),
    strangers=(_PartCount, 0),
    flood_codes=(_PartCount, 0),
    omit_defaults=True,
)
# The core's tuples (`VoteSum`, counts, `Thousand`) are arrays on the wire, field by field.
_Votes = tuple[Word32, _Count, _Count]
_Met = tuple[Word32, _Count]
_Thousand = tuple[Word32, _Count, _PartCount, _PartCount]


_Hot: Final = derive(
    HotPart,
    "weight votes base_total base",
    weight=_Count,
    votes=several(_Votes, TOLD_MOST),
    base_total=_Count,
    base=left_out(several(_Met, TOLD_MOST)),  # unchanged since the last part
)
_Strangers: Final = derive(
    SweepPart, "start_ms thousands", thousands=several(_Thousand, PAIRS_PART)
)
_Part: Final = derive(
    PlatformPart,
    "schema_version partition offset epoch start_ms platforms hot sweep",
    partition=_Count,
    offset=_Count,
    epoch=_Count,
    platforms=several(_Counts, PART_PLATFORMS + 1),
    hot=left_out(_Hot),
    sweep=left_out(_Strangers),
)
_Day: Final = derive(
    PlatformDay,
    "day_ms codes recipients strangers flood_codes",
    codes=_Count,
    recipients=_Count,
    strangers=_Count,
    flood_codes=_Count,
)
_Sweep: Final = derive(
    Sweep,
    "rule first_ms last_ms strangers thousands",
    strangers=_Count,
    thousands=several(_Count, SWEEP_TOLD),
)
_Platform: Final = derive(
    PlatformFigures,
    "schema_version platform platform_id newest_ms days codes flood_share strangers_share trend "
    "sweeps",
    platform=PlatformKey,
    platform_id=Word32,
    days=several(_Day, KEPT_DAYS, least=1),
    codes=_Count,
    flood_share=_Share,
    strangers_share=_Share,
    trend=Annotated[float, Meta(ge=0)] | None,
    sweeps=left_out(several(_Sweep, len(SWEEP_RULES))),
)

_part: Final = reader(_Part)
_platform: Final = reader(_Platform)


def encode_part(part: PlatformPart) -> bytes:
    """Encode the partial sums of one partition. The record's key is the number of the partition."""
    # `asdict` would block the event loop for a third of a second per half hour (600 platforms in
    # each of 32 partitions).
    counts = tuple(_Counts(*each) for each in part.platforms)
    hot, sweep = part.hot, part.sweep
    return encode_json(
        _Part(
            partition=part.partition,
            offset=part.offset,
            epoch=part.epoch,
            start_ms=part.start_ms,
            platforms=counts,
            hot=UNSET
            if hot is None
            else _Hot(
                weight=hot.weight,
                votes=hot.votes,
                base_total=hot.base_total,
                base=UNSET if hot.base is None else hot.base,
            ),
            sweep=UNSET if sweep is None else _Strangers(**sweep._asdict()),
        )
    )


def decode_part(value: bytes) -> PlatformPart:
    """Decode partial sums. Raises VersionError for a newer schema, else UnreadableError."""
    read = _part(value)
    counts = tuple(PlatformCounts(*astuple(each)) for each in read.platforms)
    hot, sweep = read.hot or None, read.sweep or None
    return PlatformPart(
        read.partition,
        read.offset,
        read.epoch,
        read.start_ms,
        counts,
        hot
        and HotPart(
            hot.weight,
            tuple(map(VoteSum._make, hot.votes)),
            hot.base_total,
            None if hot.base is UNSET else hot.base,
        ),
        sweep and SweepPart(sweep.start_ms, sweep.thousands),
    )


def part_headers(part: PlatformPart, topic: str) -> Headers:
    """Return the headers for the partial sums of one partition.

    The headers are CloudEvents 1.0 in Kafka's binary mode. `topic` is the input topic.
    """
    identity = f"{part.epoch}:{topic}:{part.partition}:{part.offset}/platforms"
    source = f"/otpguard/{topic}/{part.partition}"
    return agent_event("otpguard.platform.parts.v1", identity, source, part.start_ms)


def encode_platform(figures: PlatformFigures) -> bytes:
    """Encode a platform's figures. The record's key is the platform's id."""
    sweeps = tuple(_Sweep(*each) for each in figures.sweeps) or UNSET
    return encode_json(_Platform(**asdict(figures) | {"sweeps": sweeps}))


def decode_platform(value: bytes) -> PlatformFigures:
    """Decode a platform's figures. Raises VersionError for a newer schema, else UnreadableError."""
    read = _platform(value)
    days = tuple(PlatformDay(*astuple(each)) for each in read.days)
    sweeps = tuple(Sweep(*astuple(each)) for each in read.sweeps or ())
    return PlatformFigures(
        read.platform, read.platform_id, read.newest_ms, days, read.codes, read.flood_share,
        read.strangers_share, read.trend, sweeps,
    )  # fmt: skip


def platform_headers(figures: PlatformFigures) -> Headers:
    """Return the headers for a platform's figures: CloudEvents 1.0 in Kafka's binary mode."""
    identity = f"{figures.platform_id}/{figures.newest_ms}/{figures.codes}"
    return agent_event(
        "otpguard.platform.v1", identity, "/otpguard/agent/platforms", figures.newest_ms
    )
