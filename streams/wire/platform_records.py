"""Encode and decode figures of platforms: partial sums per partition, and sums of the network.

`otpguard.platform.parts.v1` holds the partial sums of one partition. `otpguard.platform.v1` holds
one platform's sums over all partitions. Neither contains a full phone number: a sweep (codes to
many consecutive numbers) is described by numbers without their last three digits. A part that a
replay or another owner writes again has the same bytes and the same offset.
"""

from dataclasses import asdict
from typing import Annotated, Final, cast

import msgspec
from msgspec import Meta

from detectors.hot.published_sums import TOLD_MOST, HotPart, VoteSum
from detectors.platforms.days import KEPT_DAYS, PlatformDay, PlatformFigures
from detectors.platforms.figures import PART_PLATFORMS, PlatformCounts, PlatformPart
from detectors.platforms.first_contacts import PAIRS_PART, SweepPart, Thousand
from detectors.platforms.sweeps import SWEEP_RULES, TOLD_MOST as SWEEP_TOLD, Sweep, SweepRule
from streams.wire.outputs import Headers, PlatformKey, agent_event
from streams.wire.version import SCHEMA_VERSION, TimeMs, Word32, encode_json, reader

PART_COUNT_MAX: Final = 2**32
"""Largest count of one partition in half an hour, about two million per second. The sum over a
thousand partitions and a week still fits into the network's record (at most 2**53)."""

_Count = Annotated[int, Meta(ge=0, le=2**53)]
_PartCount = Annotated[int, Meta(ge=0, le=PART_COUNT_MAX)]
_Share = Annotated[float, Meta(ge=0, le=1)]


class _Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    platform: PlatformKey
    platform_id: Word32
    codes: _PartCount
    recipients: _PartCount = 0  # left out if 0, as are the next two
    strangers: _PartCount = 0
    flood_codes: _PartCount = 0


class _Votes(msgspec.Struct, frozen=True, array_like=True):
    platform_id: Word32
    voters: _Count
    weight: _Count


class _Met(msgspec.Struct, frozen=True, array_like=True):
    platform_id: Word32
    units: _Count


class _Hot(msgspec.Struct, frozen=True, kw_only=True):
    weight: _Count
    votes: Annotated[tuple[_Votes, ...], Meta(max_length=TOLD_MOST)]
    base_total: _Count
    base: Annotated[tuple[_Met, ...], Meta(max_length=TOLD_MOST)] | msgspec.UnsetType = (
        msgspec.UNSET
    )  # left out if unchanged since the last part


class _Thousand(msgspec.Struct, frozen=True, array_like=True):
    platform_id: Word32
    thousand: _Count
    strangers: _PartCount
    fresh: _PartCount


class _Strangers(msgspec.Struct, frozen=True, kw_only=True):
    start_ms: TimeMs
    thousands: Annotated[tuple[_Thousand, ...], Meta(max_length=PAIRS_PART)]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a record of `otpguard.platform.parts.v1`, in the order on the wire."""

    schema_version: int = SCHEMA_VERSION
    partition: _Count
    offset: _Count
    epoch: _Count
    start_ms: TimeMs
    platforms: Annotated[tuple[_Counts, ...], Meta(max_length=PART_PLATFORMS + 1)]
    hot: _Hot | msgspec.UnsetType = msgspec.UNSET  # left out if there is nothing new
    sweep: _Strangers | msgspec.UnsetType = msgspec.UNSET  # left out if there is nothing new


class _Day(msgspec.Struct, frozen=True):
    day_ms: TimeMs
    codes: _Count
    recipients: _Count
    strangers: _Count
    flood_codes: _Count


class _Sweep(msgspec.Struct, frozen=True):
    rule: SweepRule
    first_ms: TimeMs
    last_ms: TimeMs
    strangers: _Count
    thousands: Annotated[tuple[_Count, ...], Meta(max_length=SWEEP_TOLD)]


class _Platform(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a record of `otpguard.platform.v1`, in the order on the wire."""

    schema_version: int = SCHEMA_VERSION
    platform: PlatformKey
    platform_id: Word32
    newest_ms: TimeMs
    days: Annotated[tuple[_Day, ...], Meta(min_length=1, max_length=KEPT_DAYS)]
    codes: _Count
    flood_share: _Share
    strangers_share: _Share
    trend: Annotated[float, Meta(ge=0)] | None
    sweeps: Annotated[tuple[_Sweep, ...], Meta(max_length=len(SWEEP_RULES))] | msgspec.UnsetType = (
        msgspec.UNSET
    )  # left out if there is none


_part: Final = reader(_Part)
_platform: Final = reader(_Platform)


def encode_part(part: PlatformPart) -> bytes:
    """Return the value of the record. The record's key is the number of the input partition."""
    # `asdict` would block the event loop for a third of a second per half hour (600 platforms in
    # each of 32 partitions).
    counts = tuple(
        _Counts(
            each.platform, each.platform_id, each.codes, each.recipients, each.strangers,
            each.flood_codes,
        )
        for each in part.platforms
    )  # fmt: skip
    return encode_json(
        _Part(
            partition=part.partition,
            offset=part.offset,
            epoch=part.epoch,
            start_ms=part.start_ms,
            platforms=counts,
            hot=msgspec.UNSET if part.hot is None else _hot(part.hot),
            sweep=msgspec.UNSET if part.sweep is None else _strangers(part.sweep),
        )
    )


# The core's tuples are encoded directly. They give the same JSON arrays as `_Votes`, `_Met` and
# `_Thousand`, without creating thousands of such objects per part.


def _hot(part: HotPart) -> _Hot:
    votes = cast("tuple[_Votes, ...]", part.votes)
    base = msgspec.UNSET if part.base is None else cast("tuple[_Met, ...]", part.base)
    return _Hot(weight=part.weight, votes=votes, base_total=part.base_total, base=base)


def _strangers(part: SweepPart) -> _Strangers:
    thousands = cast("tuple[_Thousand, ...]", part.thousands)
    return _Strangers(start_ms=part.start_ms, thousands=thousands)


def _strangers_of(read: _Strangers | msgspec.UnsetType) -> SweepPart | None:
    if isinstance(read, msgspec.UnsetType):
        return None
    thousands = (
        Thousand(each.platform_id, each.thousand, each.strangers, each.fresh)
        for each in read.thousands
    )
    return SweepPart(read.start_ms, tuple(thousands))


def _hot_of(read: _Hot | msgspec.UnsetType) -> HotPart | None:
    if isinstance(read, msgspec.UnsetType):
        return None
    base = read.base
    return HotPart(
        read.weight,
        tuple(VoteSum(each.platform_id, each.voters, each.weight) for each in read.votes),
        read.base_total,
        None
        if isinstance(base, msgspec.UnsetType)
        else tuple((each.platform_id, each.units) for each in base),
    )


def decode_part(value: bytes) -> PlatformPart:
    """Decode partial sums. Raises VersionError for a newer schema, else UnreadableError."""
    read = _part(value)
    counts = tuple(
        PlatformCounts(
            each.platform, each.platform_id, each.codes, each.recipients, each.strangers,
            each.flood_codes,
        )
        for each in read.platforms
    )  # fmt: skip
    return PlatformPart(
        read.partition, read.offset, read.epoch, read.start_ms, counts, _hot_of(read.hot),
        _strangers_of(read.sweep),
    )  # fmt: skip


def part_headers(part: PlatformPart, topic: str) -> Headers:
    """Return CloudEvents 1.0 headers in Kafka's binary mode. `topic` is the input topic."""
    identity = f"{part.epoch}:{topic}:{part.partition}:{part.offset}/platforms"
    source = f"/otpguard/{topic}/{part.partition}"
    return agent_event("otpguard.platform.parts.v1", identity, source, part.start_ms)


def encode_platform(figures: PlatformFigures) -> bytes:
    """Return the value of the record. The record's key is the platform's id."""
    sweeps = tuple(_Sweep(*each) for each in figures.sweeps) or msgspec.UNSET
    return encode_json(_Platform(**asdict(figures) | {"sweeps": sweeps}))


def decode_platform(value: bytes) -> PlatformFigures:
    """Decode a platform's figures. Raises VersionError for a newer schema, else UnreadableError."""
    read = _platform(value)
    days = tuple(
        PlatformDay(each.day_ms, each.codes, each.recipients, each.strangers, each.flood_codes)
        for each in read.days
    )
    sweeps = () if isinstance(read.sweeps, msgspec.UnsetType) else tuple(
        Sweep(each.rule, each.first_ms, each.last_ms, each.strangers, each.thousands)
        for each in read.sweeps
    )  # fmt: skip
    return PlatformFigures(
        read.platform, read.platform_id, read.newest_ms, days, read.codes, read.flood_share,
        read.strangers_share, read.trend,
        sweeps,
    )  # fmt: skip


def platform_headers(figures: PlatformFigures) -> Headers:
    """Return CloudEvents 1.0 headers in Kafka's binary mode."""
    identity = f"{figures.platform_id}/{figures.newest_ms}/{figures.codes}"
    return agent_event(
        "otpguard.platform.v1", identity, "/otpguard/agent/platforms", figures.newest_ms
    )
