"""`otpguard campaigns` as typed, against a real broker."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.common.errors import UnavailableError, UsageError
from streams.config import Kafka
from streams.wire import encode_campaign, encode_episode
from tests.builders.streams.cli.cases import Desk, desk
from tests.builders.streams.wire.campaign_records import CAMPAIGN
from tests.nodes import Broker
from tests.streams.cases.store.filled import campaign, flood
from tests.streams.cli.called import called, refused, settings_file

__all__ = ["desk"]


@pytest.mark.broker
def test_open_campaigns_are_listed_and_one_is_shown(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    kafka = Kafka(bootstrap=broker.bootstrap)
    with Cluster(kafka) as cluster:
        cluster.create(unique, 1, 1, {})
    path = tmp_path / "otpguard.toml"
    path.write_text(
        f'kafka.bootstrap = "{broker.bootstrap}"\ntopics.campaign = "{unique}"\n', "utf-8"
    )
    before = called("campaigns", "ls", "--config", str(path))
    open_ = replace(CAMPAIGN, end_ms=now_ms)
    over = replace(open_, campaign_id="1:sms:0:2", open=False)
    old = replace(over, campaign_id="1:sms:0:3", end_ms=now_ms - 9 * 86_400_000)
    gone = replace(open_, campaign_id="1:sms:0:4")
    surge = replace(over, campaign_id="surge:1", kind="surge", end_ms=now_ms - 2 * 86_400_000)
    producer = KafkaProducer(**client_arguments(kafka), acks="all")
    for each in (replace(open_, victims=1), open_, over, old, gone, surge):
        producer.send(unique, encode_campaign(each), key=each.campaign_id.encode())
    producer.send(unique, None, key=gone.campaign_id.encode())
    producer.flush()
    producer.close()
    config = ("--config", str(path))
    assert "perhaps `otpguard agent campaigns` does not run" in before
    (row,) = json.loads(called("campaigns", "ls", "--json", *config))
    assert (row["campaign"], row["victims"]) == ("1:sms:0:1", 9)
    assert "1:sms:0:1" in called("campaigns", "ls", *config)
    rows = json.loads(called("campaigns", "ls", "--all", "--json", *config))
    assert [each["campaign"] for each in rows] == ["1:sms:0:1", "1:sms:0:2"]
    rows = json.loads(called("campaigns", "ls", "--all", "--since", "30d", "--json", *config))
    assert len(rows) == 4
    assert "surge: within an hour many platforms" in called("campaigns", "show", "surge:1", *config)
    shown = called("campaigns", "show", "1:sms:0:1", *config)
    assert "9 victims" in shown
    assert json.loads(called("campaigns", "show", "1:sms:0:1", "--json", *config))["victims"] == 9
    refused(UsageError, "no campaign '1:sms:0:4'", "campaigns", "show", "1:sms:0:4", *config)


@pytest.mark.broker
def test_a_map_of_a_campaign_is_a_page_of_its_own_without_a_number(desk: Desk) -> None:
    now_ms = time.time_ns() // 1_000_000
    with Cluster(desk.kafka) as cluster:
        cluster.create(f"{desk.topics['episode']}.campaign", 1, 1, {})
    desk.topics["campaign"] = f"{desk.topics['episode']}.campaign"
    settings = desk.folder / "otpguard.toml"
    settings.write_text(f'{settings.read_text()}\ntopics.campaign = "{desk.topics["campaign"]}"\n')
    found = campaign(victims=5, end_ms=now_ms)
    desk.put("campaign", encode_campaign(found), found.campaign_id.encode())
    page = desk.folder / "campaign.html"
    words = ("campaigns", "show", found.campaign_id, "--html", str(page))
    desk.ask(*words)
    assert "No flood of it is in the topic" in page.read_text()
    for n in range(5):
        record, _ = flood(n, recipient=f"861390000000{n}", at_ms=now_ms - 60_000 * n)
        desk.put("episode", encode_episode(record))
    assert desk.ask(*words) == f"wrote {page}\n"
    told = page.read_text("utf-8")
    assert page.stat().st_mode & 0o777 == 0o600
    assert told.count("<svg") == 2
    assert told.count('<rect class="refused"') == 2 * 5 * 5  # two sizes, platforms, minutes
    assert "5 victims" in told
    assert "86139000" not in told
    assert "<script" not in told


def test_without_a_broker_it_says_so(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    refused(UnavailableError, "127.0.0.1:9", "campaigns", "ls", "--config", config)
