"""`otpguard.campaign.v1`: the golden file holds its bytes; here, what a reader may rely on."""

from __future__ import annotations

import msgspec
import pytest

from detectors.campaigns.campaign import Abused, Campaign
from streams.wire import UnreadableError, VersionError, decode_campaign, encode_campaign
from streams.wire.campaigns import campaign_headers

CAMPAIGN = Campaign(
    campaign_id="1:sms:0:1", open=True, start_ms=1, opened_ms=2, newest_ms=3, end_ms=4, victims=9,
    victims_open=8, victims_throttled=7, messages=60, pace_per_minute=2.0, growth_per_minute=0.9,
    platforms=(Abused("sig:a", 7, 9),), platforms_total=1,
)  # fmt: skip


def test_a_campaign_comes_back_as_it_went() -> None:
    assert decode_campaign(encode_campaign(CAMPAIGN)) == CAMPAIGN


def test_the_same_campaign_has_the_same_bytes_and_headers_and_names_nobody() -> None:
    assert encode_campaign(CAMPAIGN) == encode_campaign(decode_campaign(encode_campaign(CAMPAIGN)))
    headers = dict(campaign_headers(CAMPAIGN))
    assert headers["ce_time"] == b"1970-01-01T00:00:00.004Z"
    assert headers["ce_id"] == b"1:sms:0:1/4/9"
    assert b"recipient" not in encode_campaign(CAMPAIGN)


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"victims": -1}, {"platforms": 3}])
def test_what_is_newer_or_no_campaign_is_refused(change: dict[str, object]) -> None:
    value = msgspec.json.decode(encode_campaign(CAMPAIGN)) | change
    kind = VersionError if "schema_version" in change else UnreadableError
    with pytest.raises(kind):
        decode_campaign(msgspec.json.encode(value))
