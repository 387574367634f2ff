"""Campaigns in words."""

from __future__ import annotations

from dataclasses import replace

from detectors.campaigns.campaign import Abused, Campaign
from detectors.model.event import Trust
from detectors.model.records import EpisodeRecord, Sighting
from detectors.model.times import MINUTE_MS
from streams.cases.network_views import MAP_COLUMNS, campaign_lines, campaign_row, map_floods
from tests.builders.streams.cases.standing import OPENED
from tests.builders.streams.wire.campaign_records import CAMPAIGN


def test_one_campaign_reads_as_a_person_would_say_it() -> None:
    lines = list(campaign_lines(CAMPAIGN))
    assert lines[0] == "1:sms:0:1"
    assert lines[1].startswith("goes on: from 1970-01-01")
    assert "9 victims, 8 in open cases, 7 rose to THROTTLE" in lines
    assert lines[-1] == "  9  sig:a"
    over = list(campaign_lines(replace(CAMPAIGN, open=False, platforms_total=70)))
    assert over[1].startswith("over: from")
    assert over[-1] == "  69 more"


def test_a_row_has_what_a_list_shows() -> None:
    row = campaign_row(replace(CAMPAIGN, platforms=(Abused("sig:a", 7, 9),)))
    assert (row["state"], row["victims"], row["growth"]) == ("open", 9, 0.9)
    assert campaign_row(replace(CAMPAIGN, open=False))["state"] == "over"


def sighting(platform: int, minute: float, *, novel: bool = True) -> Sighting:
    return Sighting(f"sig:{platform}", platform, int(minute * MINUTE_MS), novel, Trust.NONE)


def flood(n: int, *sightings: Sighting) -> EpisodeRecord:
    return replace(OPENED, episode_id=f"1:sms:0:{n}", sightings=sightings)


def campaign_of(last_minute: int, platforms: int = 3) -> Campaign:
    abused = tuple(Abused(f"sig:{n}", n, 9) for n in range(1, platforms + 1))
    return replace(CAMPAIGN, start_ms=30_000, end_ms=last_minute * MINUTE_MS, platforms=abused)


def test_a_map_counts_each_flood_once_for_a_platform_and_minute() -> None:
    first = flood(1, sighting(1, 0.6), sighting(2, 1), sighting(3, 2))
    later = flood(1, sighting(1, 4), sighting(3, 2))  # renewed: it tells the same again
    second = flood(2, sighting(1, 0.9), sighting(2, 3), sighting(3, 2.5), sighting(9, 2))
    others = [
        flood(3, sighting(1, 1), sighting(2, 1)),  # too few platforms in common
        flood(4, *(sighting(n, 1, novel=False) for n in (1, 2, 3))),
        flood(5, *(sighting(n, 0.2) for n in (1, 2, 3))),  # before it
        flood(6, *(sighting(n, 6) for n in (1, 2, 3))),  # after it
    ]
    found = map_floods(campaign_of(5), [first, second, later, *others])
    assert found == {
        "rows": [
            {"platform": "sig:1", "floods": {0: 2}},
            {"platform": "sig:2", "floods": {1: 1, 3: 1}},
            {"platform": "sig:3", "floods": {2: 2}},
        ],
        "columns": 6, "begin_ms": 0, "step_ms": MINUTE_MS, "most": 2,
    }  # fmt: skip


def test_a_map_of_a_long_campaign_fits_a_page_and_an_empty_one_has_no_row() -> None:
    record = flood(1, *(sighting(n, 1439) for n in (1, 2, 3)))
    found = map_floods(campaign_of(1439, platforms=64), [record])
    assert found["step_ms"] == 24 * MINUTE_MS
    assert found["columns"] == MAP_COLUMNS
    assert found["rows"][0]["floods"] == {MAP_COLUMNS - 1: 1}
    assert (map_floods(campaign_of(5), [])["rows"], map_floods(campaign_of(5), [])["most"]) == (
        [],
        0,
    )
