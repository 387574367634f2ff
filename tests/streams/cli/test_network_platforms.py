"""`otpguard platforms` as typed, against a real broker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.common.errors import UsageError
from streams.config import Kafka
from streams.wire import encode_platform
from tests.builders.streams.wire.platform_records import FIGURES
from tests.nodes import Broker
from tests.streams.cli.called import called, refused


@pytest.mark.broker
def test_platforms_are_ranked_and_one_is_shown(broker: Broker, unique: str, tmp_path: Path) -> None:
    kafka = Kafka(bootstrap=broker.bootstrap)
    with Cluster(kafka) as cluster:
        cluster.create(unique, 1, 1, {})
    producer = KafkaProducer(**client_arguments(kafka), acks="all")
    other = replace(FIGURES, platform="sig:b", platform_id=8, codes=200, flood_share=0.9)
    gone = replace(FIGURES, platform="sig:c", platform_id=9)
    for each in (replace(FIGURES, codes=1), FIGURES, other, gone):
        key = str(each.platform_id).encode()
        producer.send(unique, encode_platform(each), key=key)
    producer.send(unique, None, key=b"9")
    producer.flush()
    producer.close()
    path = tmp_path / "otpguard.toml"
    path.write_text(
        f'kafka.bootstrap = "{broker.bootstrap}"\ntopics.platform = "{unique}"\n', "utf-8"
    )
    config = ("--config", str(path))
    rows = json.loads(called("platforms", "ls", "--least", "0", "--json", *config))
    assert [(each["platform"], each["codes"]) for each in rows] == [("sig:b", 200), ("sig:a", 90)]
    listed = called("platforms", "ls", *config)
    assert "90.0 %" in listed
    assert "not known yet" in listed, "the figures are of one day"
    assert "90 codes in 1 day;" in called("platforms", "show", "A", *config)
    shown = called("platforms", "show", "sig:b", "--json", *config)
    assert json.loads(shown)["flood_share"] == 0.9
    refused(UsageError, "no figures of sig:c", "platforms", "show", "sig:c", *config)
    called("platforms", "ls", "--by", "beauty", *config, code=2)
