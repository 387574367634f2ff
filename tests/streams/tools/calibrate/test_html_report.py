"""The page of a calibration: its headline says what was shown, and it links to nothing."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from streams.common.errors import UnavailableError, UsageError
from streams.tools.calibrate.html_report import headline, lead, write_page
from streams.tools.calibrate.peaks import LEVEL_STEP
from streams.tools.calibrate.propose import ProposedChange
from streams.tools.calibrate.result import Result, document
from tests.builders.streams.tools.calibrate.plots import rehearsed, some
from tests.builders.streams.tools.calibrate.result import result_of
from tests.builders.streams.tools.calibrate.survey import surveyed

__all__ = ["rehearsed", "some"]


def found(standing: str, episodes: int = 0, days: int = 4_000_000, **more: Any) -> dict[str, Any]:
    throttle = {"standing": standing, "episodes": episodes, "sentence": "at or under it"}
    return {
        "rates": {"current": {"throttle": throttle}},
        "history": {"subscriber_days": days},
        "changes": [],
        "unreached": [],
        "looks_like_attack": 0,
        "throttled_recipients": episodes,
        "set_aside": 0,
        **more,
    }


@pytest.mark.parametrize(
    ("standing", "episodes", "says"),
    [
        ("shown", 0, "At most one false throttle"),
        ("exceeded", 70, "70 throttles in 4,000,000 subscriber-days"),
        ("open", 1, "1 throttle in 4,000,000 subscriber-days: too few"),
        ("open", 2, "2 throttles in 4,000,000 subscriber-days: too few"),
    ],
)
def test_the_headline_says_what_was_shown(standing: str, episodes: int, says: str) -> None:
    assert says in headline(found(standing, episodes))


@pytest.mark.parametrize(
    ("standing", "episodes", "says"),
    [("open", 0, "No throttle"), ("exceeded", 1, "1 throttle"), ("exceeded", 7, "7 throttles")],
)
def test_too_little_history_is_said_first(standing: str, episodes: int, says: str) -> None:
    assert headline(found(standing, episodes, days=75)) == (
        "Too little history: 75 subscriber-days; a rate of one in a million needs about three "
        f"million. {says}"
    )


def test_a_grid_of_one_repeated_number_is_left_out(some: Result, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_page(some, document(some), page, "x")  # one recipient is over every bar
    assert "Any pair of thresholds" not in page.read_text("utf-8")
    more = deepcopy(some)
    more.current.peaks.levels[:, round(2 / LEVEL_STEP)] += 5
    write_page(more, document(more), page, "x")
    assert "Any pair of thresholds" in page.read_text("utf-8")


def test_the_lead_counts_what_should_change() -> None:
    assert "Nothing measured here" in lead(found("open"))
    assert "1 setting should be another" in lead(found("open", changes=[1]))
    assert "2 settings should" in lead(found("open", changes=[1, 2], unreached=["so"]))
    assert "No setting brings the target" in lead(found("open", unreached=["so"]))


def test_a_page_is_whole_masked_and_self_contained(some: Result, tmp_path: Path) -> None:
    some.changes = [ProposedChange("detect.stamps", {}, {"<b>": "minute"}, "measured & told")]
    page = tmp_path / "page.html"
    write_page(some, document(some), page, "otpguard calibrate <x>")
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 18
    assert not re.search(r'(src|href)="(?!#|data:)|url\((?!#)|<script', html)
    assert "8617000000007" not in html
    assert "&lt;b&gt;: minute" in html
    assert "otpguard calibrate &lt;x&gt;" in html
    assert "not set" in html


def test_no_page_is_made_of_nothing(tmp_path: Path) -> None:
    nothing = result_of(surveyed([]))
    with pytest.raises(UsageError, match="without any event"):
        write_page(nothing, document(nothing), tmp_path / "page.html", "x")


def test_a_place_that_cannot_be_written_is_one_sentence(some: Result, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        write_page(some, document(some), tmp_path / "nowhere" / "page.html", "x")
    with pytest.raises(UnavailableError, match="/dev/full: No space left"):
        write_page(some, document(some), Path("/dev/full"), "x")
