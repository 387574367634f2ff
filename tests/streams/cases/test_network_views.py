"""Platforms in words, and their ranking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.model.times import DAY_MS
from detectors.platforms.sweeps import Sweep
from streams.cases.network_views import (
    ORDERS,
    is_young,
    platform_lines,
    platform_row,
    rank_platforms,
)
from tests.builders.streams.wire.platform_records import FIGURES

QUIET = replace(FIGURES, platform="sig:b", flood_share=0.0, codes=500, trend=2.5)
SMALL = replace(FIGURES, platform="sig:c", flood_share=1.0, codes=3)


@pytest.mark.parametrize(
    ("order", "first"), [("floods", "sig:a"), ("codes", "sig:b"), ("trend", "sig:b")]
)
def test_a_ranking_leaves_out_who_sends_little(order: str, first: str) -> None:
    found = rank_platforms([QUIET, FIGURES, SMALL], order, 10, 5)
    assert found[0].platform == first
    assert len(found) == 2
    assert len(rank_platforms([QUIET, FIGURES, SMALL], order, 0, 1)) == 1


def test_every_order_is_one() -> None:
    for order in ORDERS:
        assert rank_platforms([FIGURES], order, 0, 9) == [FIGURES]


def test_a_sweep_is_told_with_the_numbers_that_lie_together() -> None:
    swept = Sweep("range", 0, 600_000, 2_940, (8613800138, 8613800139))
    told = replace(FIGURES, sweeps=(Sweep("fresh", 0, 300_000, 60, ()), swept))
    lines = list(platform_lines(told, young=False))
    assert "sweep of unused numbers" in lines[2]
    assert "60 strangers in an hour" in lines[2]
    assert "2,940 strangers" in lines[3]
    assert lines[4].strip() == "among 8613800138xxx 8613800139xxx"
    assert platform_row(told)["sweep"] == "fresh range"
    assert rank_platforms([FIGURES, told], "sweeps", 0, 1) == [told]


def test_one_platform_reads_as_a_person_would_say_it() -> None:
    lines = list(platform_lines(replace(FIGURES, trend=2.0), young=False))
    assert lines[0] == "sig:a  #7"
    assert "90 codes in 1 day; 33.3 % of them were part of floods" in lines[1]
    assert lines[2] == "yesterday 2 times as many as on the days before"
    assert lines[3].strip().startswith("1970-01-02  90 codes, 40 recipients, 20 of them")
    assert platform_row(FIGURES)["recipients"] == 40


def test_the_share_of_strangers_is_not_known_before_a_week_is() -> None:
    """On the first days all recipients are strangers to every platform, whoever floods them."""
    (day,) = FIGURES.days
    later = replace(FIGURES, days=(replace(day, day_ms=day.day_ms + 6 * DAY_MS),))
    assert is_young([FIGURES])
    assert is_young([])
    assert not is_young([FIGURES, later])
    for young, says in ((True, "did not know it: not known yet"), (False, "know it: 50.0 %")):
        assert says in list(platform_lines(FIGURES, young=young))[1]
