"""Builders that test_campaign_records.py shares with other tests."""

from __future__ import annotations

from detectors.campaigns.campaign import Abused, Campaign

CAMPAIGN = Campaign(
    campaign_id="1:sms:0:1", open=True, start_ms=1, opened_ms=2, newest_ms=3, end_ms=4, victims=9,
    victims_open=8, victims_throttled=7, messages=60, pace_per_minute=2.0, growth_per_minute=0.9,
    platforms=(Abused("sig:a", 7, 9),), platforms_total=1,
)  # fmt: skip
