"""`otpguard.campaign.v1`: the golden file holds its bytes; here, what a reader may rely on."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import jsonschema
import msgspec
import pytest

from detectors.campaigns.campaign import PLATFORMS_MAX, Abused
from detectors.campaigns.floods import FLOODS_MAX
from streams.wire import (
    UnreadableError,
    VersionError,
    decode_campaign,
    decode_episode,
    encode_campaign,
)
from streams.wire.campaign_records import _Campaign, campaign_headers
from streams.wire.outputs import ID_CHARS_MAX, MESSAGES_MAX, PLATFORM_CHARS_MAX
from streams.wire.version import reader
from tests.builders.streams.wire.campaign_records import CAMPAIGN

GOLDEN = Path(__file__).parents[2] / "golden"
SCHEMAS = resources.files("streams.wire") / "schemas"


def test_a_campaign_comes_back_as_it_went() -> None:
    assert decode_campaign(encode_campaign(CAMPAIGN)) == CAMPAIGN
    for refused in (0, 5):
        told = replace(CAMPAIGN, victims_refused=refused)
        assert decode_campaign(encode_campaign(told)) == told


def test_episodes_of_any_size_make_a_campaign_that_can_be_written_and_read() -> None:
    """The largest of each field that the reader of episodes takes, as often as they are known."""
    line = (GOLDEN / "otpguard.episode.v1.jsonl").read_bytes().splitlines()[-1]
    episode = json.loads(line)
    worst = "\x01" * PLATFORM_CHARS_MAX
    episode["evidence"]["messages"] = MESSAGES_MAX
    episode["episode_id"] = "\x01" * ID_CHARS_MAX
    episode["sightings"] = [episode["sightings"][0] | {"platform": worst}]
    read = decode_episode(json.dumps(episode).encode())
    campaign = replace(
        CAMPAIGN,
        campaign_id=read.episode_id,
        messages=read.evidence.messages * FLOODS_MAX,
        platforms=(Abused(read.sightings[0].platform, 2**32 - 1, 9),) * PLATFORMS_MAX,
    )
    value = encode_campaign(campaign)
    assert decode_campaign(value) == campaign
    assert len(value) < 900_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("episode_id", "x" * (ID_CHARS_MAX + 1)),
        ("evidence.messages", MESSAGES_MAX + 1),
        ("evidence.messages", -1),
        ("evidence.messages", 2**63 - 1),
        ("sightings", "x" * (PLATFORM_CHARS_MAX + 1)),
    ],
)
def test_an_episode_that_no_campaign_could_hold_is_refused(name: str, value: object) -> None:
    episode = json.loads((GOLDEN / "otpguard.episode.v1.jsonl").read_bytes().splitlines()[-1])
    if name == "sightings":
        episode[name] = [episode[name][0] | {"platform": value}]
    elif name == "evidence.messages":
        episode["evidence"]["messages"] = value
    else:
        episode[name] = value
    schema = json.loads((SCHEMAS / "otpguard.episode.v1.json").read_text("utf-8"))
    assert not jsonschema.Draft202012Validator(schema).is_valid(episode)
    with pytest.raises(UnreadableError):
        decode_episode(json.dumps(episode).encode())


def test_the_same_campaign_has_the_same_bytes_and_headers_and_names_nobody() -> None:
    assert encode_campaign(CAMPAIGN) == encode_campaign(decode_campaign(encode_campaign(CAMPAIGN)))
    headers = dict(campaign_headers(CAMPAIGN))
    assert headers["ce_time"] == b"1970-01-01T00:00:00.004Z"
    assert headers["ce_id"] == b"1:sms:0:1/4/9"
    assert b"recipient" not in encode_campaign(CAMPAIGN)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"schema_version": 3}, VersionError), ({"victims": -1}, UnreadableError),
        ({"platforms": 3}, UnreadableError), ({"schema_version": 2}, UnreadableError),
        ({"kind": "surge"}, UnreadableError),
    ],
)  # fmt: skip
def test_what_is_newer_or_no_campaign_is_refused(
    change: dict[str, object], error: type[UnreadableError]
) -> None:
    value = msgspec.json.decode(encode_campaign(CAMPAIGN)) | change
    with pytest.raises(UnreadableError) as refused:
        decode_campaign(msgspec.json.encode(value))
    assert refused.type is error


def test_a_surge_has_version_2_so_that_a_reader_of_version_1_skips_it() -> None:
    surge = replace(CAMPAIGN, kind="surge")
    assert decode_campaign(encode_campaign(surge)) == surge
    old = reader(_Campaign, 1)
    assert old(encode_campaign(CAMPAIGN)).victims == CAMPAIGN.victims
    with pytest.raises(VersionError):
        old(encode_campaign(surge))
