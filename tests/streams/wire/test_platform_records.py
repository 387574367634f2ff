"""The contracts of platform figures: the golden files hold their bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources

import jsonschema
import msgspec
import pytest

from detectors.hot.published_sums import TOLD_MOST, HotPart, VoteSum
from detectors.platforms.days import KEPT_DAYS, PlatformDay
from detectors.platforms.figures import PART_PLATFORMS, PlatformCounts, PlatformPart
from detectors.platforms.first_contacts import PAIRS_PART, SweepPart
from detectors.platforms.sweeps import TOLD_MOST as SWEEP_TOLD, Sweep
from streams.wire import (
    UnreadableError,
    VersionError,
    decode_part,
    decode_platform,
    encode_part,
    encode_platform,
    part_headers,
    platform_headers,
)
from streams.wire.outputs import PLATFORM_CHARS_MAX
from streams.wire.platform_records import PART_COUNT_MAX
from tests.builders.streams.wire.platform_records import FIGURES, PART

SCHEMAS = resources.files("streams.wire") / "schemas"


def test_both_come_back_as_they_went() -> None:
    assert decode_part(encode_part(PART)) == PART
    assert decode_platform(encode_platform(FIGURES)) == FIGURES


def test_the_same_part_has_the_same_id_and_zeros_cost_nothing() -> None:
    assert dict(part_headers(PART, "sms"))["ce_id"] == b"1:sms:3:8192/platforms"
    assert dict(platform_headers(FIGURES))["ce_time"] == b"1970-01-02T00:00:00.000Z"
    assert b"strangers" not in encode_part(PART)


def test_the_largest_part_is_under_every_broker_s_limit() -> None:
    counts = PlatformCounts("sig:" + "名" * 12, 4_000_000_000, 99_999, 88_888, 77_777, 66_666)
    assert len(encode_part(PlatformPart(3, 1, 1, 0, (counts,) * (PART_PLATFORMS + 1)))) < 900_000


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"platforms": 3}, {"days": []}])
def test_what_is_newer_or_something_else_is_refused(change: dict[str, object]) -> None:
    for value, decode in ((encode_part(PART), decode_part),
                          (encode_platform(FIGURES), decode_platform)):  # fmt: skip
        wrong = msgspec.json.decode(value)
        if not change.keys() <= wrong.keys():
            continue
        kind = VersionError if "schema_version" in change else UnreadableError
        with pytest.raises(kind):
            decode(msgspec.json.encode(wrong | change))


@pytest.mark.parametrize(
    "counts", [{"platform": "x" * (PLATFORM_CHARS_MAX + 1)}, {"codes": PART_COUNT_MAX + 1}]
)
def test_a_part_that_no_platform_s_record_could_hold_is_refused(counts: dict[str, object]) -> None:
    wrong = msgspec.json.decode(encode_part(PART))
    wrong["platforms"][0] |= counts
    schema = json.loads((SCHEMAS / "otpguard.platform.parts.v1.json").read_text("utf-8"))
    assert not jsonschema.Draft202012Validator(schema).is_valid(wrong)
    with pytest.raises(UnreadableError):
        decode_part(msgspec.json.encode(wrong))


def test_the_largest_parts_of_a_week_are_figures_that_can_be_read() -> None:
    """Of a thousand partitions, each of which tells every half hour."""
    largest = PART_COUNT_MAX * 1000 * 48
    days = (PlatformDay(86_400_000, largest, largest, largest, largest),) * KEPT_DAYS
    figures = replace(
        FIGURES, platform="x" * PLATFORM_CHARS_MAX, days=days, codes=largest * KEPT_DAYS
    )
    assert decode_platform(encode_platform(figures)) == figures


HOT = HotPart(1 << 20, (VoteSum(7, 2, 1 << 19), VoteSum(9, 1, 3)), 6400, ((7, 64), (9, 128)))


@pytest.mark.parametrize("hot", [HOT, HOT._replace(base=None), HotPart(0, (), 0, ())])
def test_sums_of_hot_platforms_come_back_as_they_went(hot: HotPart) -> None:
    part = replace(PART, hot=hot)
    assert decode_part(encode_part(part)) == part
    assert (b'"base":' in encode_part(part)) == (hot.base is not None)
    assert b"hot" not in encode_part(PART)


def test_the_largest_sums_are_under_every_broker_s_limit_too() -> None:
    hot = HotPart(1 << 31, (VoteSum(1 << 31, 1024, 1 << 31),) * TOLD_MOST, 1 << 40,
                  ((1 << 31, 1 << 31),) * TOLD_MOST)  # fmt: skip
    counts = PlatformCounts("sig:" + "名" * 12, 4_000_000_000, 99_999, 88_888, 77_777, 66_666)
    sweep = SweepPart(0, ((1 << 31, 10**12 - 1, 99, 99),) * PAIRS_PART)
    part = PlatformPart(3, 1, 1, 0, (counts,) * (PART_PLATFORMS + 1), hot, sweep)
    assert len(encode_part(part)) < 1_000_000


def test_strangers_by_neighbourhood_come_back_as_they_went() -> None:
    sweep = SweepPart(86_400_000, ((7, 8613800138, 31, 12), (9, 0, 3, 0)))
    part = replace(PART, sweep=sweep)
    assert decode_part(encode_part(part)) == part
    assert b"sweep" not in encode_part(PART)
    wrong = msgspec.json.decode(encode_part(part))
    wrong["sweep"]["thousands"] = [[7, 8613800138, -1, 0]]
    with pytest.raises(UnreadableError):
        decode_part(msgspec.json.encode(wrong))


def test_sweeps_come_back_with_a_platform_s_figures_and_no_header_names_a_number() -> None:
    swept = Sweep("range", 86_400_000, 86_700_000, 2_940, (8613800138,) * SWEEP_TOLD)
    figures = replace(FIGURES, sweeps=(Sweep("fresh", 0, 300_000, 60, ()), swept))
    assert decode_platform(encode_platform(figures)) == figures
    assert b"sweeps" not in encode_platform(FIGURES)
    told = platform_headers(figures) + part_headers(PART, "sms")
    assert not any(b"8613800138" in value for _, value in told)
