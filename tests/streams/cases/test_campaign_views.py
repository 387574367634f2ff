"""Campaigns in words."""

from __future__ import annotations

from dataclasses import replace

from detectors.campaigns.campaign import Abused
from streams.cases.network_views import campaign_lines, campaign_row
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
