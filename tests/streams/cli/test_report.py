"""`otpguard report`: a month from the topics of a broker, in three shapes."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from kafka import KafkaProducer

from detectors.model.records import Cause
from streams.cluster.admin import client_arguments
from streams.cluster.topics import create
from streams.common.errors import UnavailableError, UsageError
from streams.config import Settings, Topics, load
from streams.wire import encode_ack, encode_episode, encode_incident, encode_override, override_key
from tests.builders.streams.people.notices.month import ack, flood
from tests.enforce.records import override
from tests.nodes import Broker
from tests.streams.cli.called import NOWHERE, called, refused, settings_file
from tests.streams.people.evidence.packs import fingerprint, key as pack_key
from tests.streams.people.notices.incidents import DAY0_MS, use_of
from tests.waiting import END_S


def test_a_month_that_is_none_and_a_broker_that_is_away(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    for month in ("2026-13", "2026-1", "November", "0000-01", "9999-12"):
        refused(UsageError, "is no month", "report", "--month", month, "-c", config)
    refused(UnavailableError, NOWHERE, "report", "--month", "2026-11", "-c", config)


def keep(settings: Settings, names: list[str]) -> None:
    """Have a broker keep records of a month that is long over."""
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap})
    for_ever = ConfigEntry("retention.ms", "-1", incremental_operation=AlterConfigOpType.SET)
    topics = [ConfigResource("TOPIC", name, incremental_configs=[for_ever]) for name in names]
    for done in admin.incremental_alter_configs(topics).values():
        done.result(END_S)


@pytest.mark.broker
def test_a_month_is_counted_from_the_topics(broker: Broker, unique: str, tmp_path: Path) -> None:
    names = [each for each in Topics.model_fields if each not in ("partitions", "replication")]
    config = tmp_path / "otpguard.toml"
    lines = [f'kafka.bootstrap = "{broker.bootstrap}"', f'app_id = "{unique[:40]}"', "[topics]",
             "partitions = 1", "replication = 1", *(f'{n} = "{unique}.{n}"' for n in names),
             '[reports]\norg = "中国移动"']  # fmt: skip
    config.write_text("\n".join(lines), encoding="utf-8")
    settings = load(config)
    keep(settings, create(settings))
    case = flood(1, DAY0_MS + 5)
    word = override("release", case.recipient, issued_at_ms=DAY0_MS + 9, expires_at_ms=DAY0_MS + 99)
    with closing(KafkaProducer(**client_arguments(settings.kafka), acks="all")) as out:
        for topic, key, value in (
            (settings.topics.episode, b"k", encode_episode(case)),
            (settings.topics.acks, b"k", encode_ack(ack(case, 700))),
            (settings.topics.override, override_key(word), encode_override(word)),
            *((settings.topics.incident, b"k", encode_incident(each))
              for each in use_of("sig:听潮课堂", DAY0_MS, 6, 10)),
        ):  # fmt: skip
            out.send(topic, value, key=key, timestamp_ms=DAY0_MS + 10)
        out.flush()
    assert case.cause == Cause("sms", 0, 1, DAY0_MS + 5)
    month = ("report", "--month", "2024-10", "-c", str(config))
    found = json.loads(called(*month, "--json"))
    assert (found["floods"], found["words"], found["false_signals"]) == (1, {"release": 1}, 1)
    assert found["to_hold"]["median_s"] == 0.7
    assert found["platforms"][0]["messages"] == 60
    assert set(found["lost"]) <= {"acks", "counts", "episode", "incident", "notice"}
    called(*month, "--out", str(tmp_path / "out"), "--pdf")  # nobody signs it
    made = {each.suffix: each.read_bytes() for each in (tmp_path / "out").iterdir()}
    assert set(made) == {".html", ".json", ".pdf"}
    assert json.loads(made[".json"]) == found
    assert made[".pdf"].startswith(b"%PDF-")
    assert "听潮课堂".encode() in made[".html"]
    assert case.recipient.encode() not in made[".html"] + made[".json"]
    pem = tmp_path / "pack.pem"
    pem.write_text(pack_key().to_pem(), "ascii")
    pem.chmod(0o600)
    called(*month, "--out", str(tmp_path / "signed"), "--key", str(pem))
    folder = tmp_path / "signed" / "otpguard-2024-10"
    said = called("evidence", "verify", str(folder), "--fingerprint", fingerprint())
    assert "report of 2024-10, made by 中国移动" in said
    assert json.loads((folder / "otpguard-2024-10.json").read_bytes()) == found
    refused(UsageError, "exists", *month, "--out", str(tmp_path / "signed"), "--key", str(pem))
