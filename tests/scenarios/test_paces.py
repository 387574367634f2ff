"""The table of pace against codes, and that it stands in the page about detection as measured."""

from __future__ import annotations

from pathlib import Path

from detectors.model.records import Level
from tests.scenarios.paces import PACES_S, found_at, table

PAGE = Path(__file__).parents[2] / "detectors" / "README.md"


def test_the_page_about_detection_has_the_table_as_it_is_measured() -> None:
    assert "\n".join(table()) in PAGE.read_text(encoding="utf-8")


def test_no_steady_flood_of_new_platforms_takes_more_than_fifty_codes() -> None:
    for pace_s in PACES_S:
        for known in (6, 14):
            assert found_at(pace_s, known)[Level.THROTTLE] <= 50, f"{pace_s} s, {known} known"
