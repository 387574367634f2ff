"""`otpguard doctor` names what is wrong, in what a person may get wrong, and is calm otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, Shape
from streams.cluster.at_work import Sign
from streams.cluster.lag import ClusterFacts
from streams.cluster.topics import create, topics
from streams.common.errors import Exit
from streams.config import Settings, load
from streams.config.sections.serving import PORTS
from streams.telemetry.metrics import Metrics
from streams.telemetry.metrics_server import serve
from streams.tools.operate import diagnosis as module
from streams.tools.operate.diagnosis import STANDBY, _examine_facts, _sources, examine_protection
from tests.builders.streams.tools.operate.diagnosis import NAMES, doctor
from tests.nodes import Broker
from tests.streams.cases.store.filled import NOW_MS
from tests.waiting import END_S

pytestmark = pytest.mark.broker


@pytest.fixture
def config(kafka: Broker, unique: str, tmp_path: Path) -> Path:
    path = tmp_path / "otpguard.toml"
    path.write_text("\n".join([
        f'app_id = "{unique}"',
        f'kafka = {{bootstrap = "{kafka.bootstrap}"}}',
        "[topics]", "partitions = 2", "replication = 1",
        *(f'{name} = "{unique}.{name}"' for name in NAMES),
    ]))  # fmt: skip
    return path


def send(settings: Settings, keys: Sequence[bytes], *, ahead_ms: int = 0) -> None:
    now_ms = time.time_ns() // 1_000_000 + ahead_ms
    with closing(KafkaProducer(bootstrap_servers=settings.kafka.bootstrap)) as producer:
        for number, key in enumerate(keys):
            value = {
                "schema_version": 1, "recipient": "13900000001", "sender": "10690000000",
                "event_time_ms": now_ms, "message_id": str(number), "text": "【某校】验证码 123456",
            }  # fmt: skip
            producer.send(
                settings.topics.input, json.dumps(value).encode(), key=key, timestamp_ms=now_ms
            )
        producer.flush()


class Record:
    def __init__(self, at_ms: int, **value: object) -> None:
        self.timestamp, self.value = at_ms, json.dumps(value).encode()


def reported(by: str | None, gateway: str, times: Iterable[int]) -> list[Record]:
    return [Record(at, gateway_id=gateway, reported_by=by) for at in times]


@pytest.mark.parametrize(
    ("records", "state"),
    [
        (reported("gate@a", "g1", range(0, 900, 10)) + reported("gate@b", "g2", range(900)), "ok"),
        (
            reported(None, "g1", range(0, 900, 10)) + reported("gate@a", "g1", range(890, 2_000)),
            "ok",
        ),
        (
            reported(None, "g1", range(0, 900, 10)) + reported("gate@a", "g1", range(0, 900, 9)),
            "bad",
        ),
        (reported("gate@a", "g1", range(99)) + reported("gate@b", "g1", range(99)), "bad"),
        ([], "ok"),
    ],
    ids=["two gateways", "one takes over", "feed and gate", "two gates", "nothing"],
)
def test_two_sources_of_one_gateway_at_a_time_are_wrong(records: list[Record], state: str) -> None:
    deep = Record(7)
    deep.value = b'{"x":' + b"[" * 100_000
    assert _sources([*records, Record(5), Record(6, gateway_id=7), deep]).state == state


def test_what_brokers_tell_is_judged_and_what_they_hide_is_not_known() -> None:
    signs = {
        "smsc-1": Sign(NOW_MS - 3_000, ended=False),
        "smsc-2": Sign(NOW_MS - 9_000, ended=True),
    }
    facts = ClusterFacts({0: 3, 1: 70, 2: 0}, {"10.0.0.3 w1": 3}, signs, 4)
    found = {each.check: each for each in _examine_facts(facts, NOW_MS)}
    told = found["lag"].says
    assert (
        told == "1 worker, 73 events are not in a checkpoint yet, partition 1: 70, partition 0: 3"
    )
    assert found["gateways"].says == "smsc-1: leases as of 3 s ago, smsc-2 stopped"
    assert found["dead letters"].says == "4 in the last hour"
    assert [each.state for each in found.values()] == ["ok", "warn", "warn"]
    assert found["gateways"].remedy
    late = {"smsc-1": Sign(NOW_MS - 400_000, ended=False)}
    for facts, states in (
        (ClusterFacts(), ["unknown"] * 3),
        (ClusterFacts({}, {}, {}, 0), ["warn", "unknown", "ok"]),
        (ClusterFacts({0: 0}, {}, late, 0), ["warn", "warn", "ok"]),
        (ClusterFacts({0: 0}, {"w": 1}, {"a": Sign(NOW_MS, ended=False)}, 0), ["ok"] * 3),
    ):
        assert [each.state for each in _examine_facts(facts, NOW_MS)] == states


def test_a_working_installation_has_nothing_wrong_and_some_things_to_look_at(config: Path) -> None:
    settings = load(config)
    create(settings)
    send(settings, [b"8613900000001"] * 100)
    code, found = doctor(config)
    assert code == Exit.NO, [each for each in found.values() if each["state"] == "bad"]
    assert [name for name, each in found.items() if each["state"] == "unknown"] == [
        "protection", "gateways",
    ]  # fmt: skip
    assert "Kafka 4" in found["broker"]["says"]
    # one broker, without an authoriser, no worker yet: said, and no reason to stop
    for check in ("topics", "rights", "lag"):
        assert found[check]["state"] == "warn"
        assert found[check]["remedy"]
    told = [f"{kind} {port}" for kind, port in PORTS.items()]
    assert found["ports"]["says"] == ", ".join(told)
    for check in ("ports", "keys", "partitions", "events", "clocks"):
        assert found[check]["state"] == "ok"


def test_events_ahead_of_the_brokers_clock_are_named(config: Path) -> None:
    settings = load(config)
    create(settings)
    send(settings, [b"8613900000001"] * 20, ahead_ms=60_000)
    code, found = doctor(config)
    assert code == Exit.CONFIG
    assert "s ahead of their records" in found["clocks"]["says"]


def test_a_gateway_whose_clock_is_behind_is_named_and_a_backlog_is_not(config: Path) -> None:
    """Every lease of such a gateway's flood was over when it was written, and nobody said so."""
    settings = load(config)
    create(settings)
    send(settings, [b"8613900000001"] * 20, ahead_ms=-8 * 3_600_000)
    code, found = doctor(config)
    assert code == Exit.NO
    assert found["clocks"]["state"] == "warn"
    assert "s behind their records" in found["clocks"]["says"]
    assert found["clocks"]["remedy"]
    send(settings, [b"8613900000001"])
    _, found = doctor(config)
    assert found["clocks"]["state"] == "ok"


def test_foreign_keys_and_a_clock_ahead_are_named(config: Path) -> None:
    settings = load(config)
    with Cluster(settings.kafka) as cluster:
        cluster.create(settings.topics.input, 2, 1, {"message.timestamp.type": "CreateTime"})
    create(settings)
    send(settings, [b"+86 139 0000 0001"] * 20, ahead_ms=60_000)
    code, found = doctor(config)
    assert code == Exit.CONFIG
    assert found["keys"]["state"] == "bad"
    assert "feed kafka" in found["keys"]["remedy"]
    assert found["clocks"]["state"] == "bad"
    assert "s ahead of this machine's clock" in found["clocks"]["says"]


@pytest.mark.parametrize(
    ("ahead_ms", "says"),
    [
        (-10 * 366 * 86_400_000, "10.0% of 100 would be refused: "),  # before 2020
        (8 * 3_600_000, "10.0% of 100 have a time ahead of their record: "),  # an unnamed zone
    ],
    ids=["refused", "ahead"],
)
def test_a_share_of_wrong_times_is_no_health(config: Path, ahead_ms: int, says: str) -> None:
    settings = load(config)
    create(settings)
    send(settings, [b"8613900000001"] * 90)
    send(settings, [b"8613900000001"] * 10, ahead_ms=ahead_ms)
    code, found = doctor(config)
    assert code == Exit.NO
    assert found["events"]["state"] == "warn"
    assert found["events"]["says"].startswith(says)


def test_topics_that_keep_records_too_long_are_named_with_the_command(config: Path) -> None:
    settings = load(config)
    with Cluster(settings.kafka) as cluster:
        cluster.create(settings.topics.dead_letters, 2, 1, {"retention.ms": "259200000"})
    create(settings)
    done = subprocess.run(
        [sys.executable, "-m", "streams", "doctor", "--json", "--config", str(config)],
        capture_output=True, text=True, check=False, timeout=END_S,
    )  # fmt: skip
    said = [each for each in json.loads(done.stdout) if "segment.ms" in each["says"]]
    assert [each["state"] for each in said] == ["warn"]
    assert "records last up to 10.0 days" in said[0]["says"]
    assert "--add-config segment.ms=25920000" in said[0]["remedy"]


def test_a_standby_site_says_what_it_lacks_to_take_over(config: Path) -> None:
    text, key = config.read_text(), config.with_name("memory.key")
    key.write_text("a key of sixteen, and more")
    create(load(config))
    with_key = f'detect = {{memory_key_file = "{key}"}}\n'
    answered, found = doctor(config, command=("failover", "check"))
    assert (answered, set(found)) == (Exit.NO, {"standby"}), "no other site is named"
    assert "no second site" in found["standby"]["says"]
    assert "primary.bootstrap" in found["standby"]["remedy"]
    for epoch, there, more, says in (
        (1, 1, "", "not above"),
        (0, 1, "", "not above"),
        (2, 0, with_key, "no site has epoch 0"),
        (2, 1, "", "no memory"),
        (2, 1, with_key, "over 1"),
    ):
        other = f'primary = {{bootstrap = "127.0.0.1:1", epoch = {there}}}'
        config.write_text(f"epoch = {epoch}\n{other}\n{more}{text}")
        _, found = doctor(config, command=("failover", "check"))
        assert set(STANDBY) - {"gateways"} <= found.keys() <= set(STANDBY)
        assert says in found["standby"]["says"]
        assert found["memory"]["state"] == "unknown"
        assert found["standby"]["state"] == ("ok" if more and there else "bad")
        assert found["overrides"]["state"] == "warn"
        assert "otpguard topics restore" in found["overrides"]["remedy"]
    settings, old_ms = load(config), time.time_ns() // 1_000_000 - 37 * 3_600_000
    with closing(KafkaProducer(bootstrap_servers=settings.kafka.bootstrap)) as out:
        name = b"8613900000001|exempt|"
        out.send(settings.topics.override, b"{}", name, timestamp_ms=old_ms).get(END_S)
        name = b"*|mode|"
        out.send(settings.topics.everyone, b"{}", name, timestamp_ms=old_ms).get(END_S)
    metrics = Metrics("memory")
    for age_s, read, missing, state, says in (
        (60, 0, 0, "warn", "0 of 0 partitions, 1,200 recipients; the age is unknown"),
        (60, 3, 1, "warn", "3 of 4 partitions, 1,200 recipients; the age is unknown"),
        (60, 4, 0, "ok", "4 of 4 partitions, 1,200 recipients, 1 min old"),
        (3600, 4, 0, "warn", "4 of 4 partitions, 1,200 recipients, 60 min old"),
    ):
        metrics.put("memory_age_seconds", age_s)
        metrics.put("memory_partitions", read, state="read")
        metrics.put("memory_partitions", missing, state="missing")
        metrics.put("memory_recipients", 1200)
        with serve("127.0.0.1", 0, metrics.registry, live=str, ready=str) as where:
            port = f"http = {{port = {where.partition(':')[2]}}}\n"
            path = config.with_name("served.toml")
            path.write_text(port + config.read_text())
            _, found = doctor(path, command=("failover", "check"))
        assert found["memory"]["state"] == state
        assert says in found["memory"]["says"]
    says = "2 in force or ended lately, 1 of the mode, the newest 37.0 h old"
    assert says in found["overrides"]["says"]
    assert found["overrides"]["state"] == "warn", "a backup is made each night"
    with closing(KafkaProducer(bootstrap_servers=settings.kafka.bootstrap)) as out:
        name = b"*|mode|"
        lately_ms = old_ms + 2 * 3_600_000
        out.send(settings.topics.everyone, b"{}", name, timestamp_ms=lately_ms).get(END_S)
    _, found = doctor(config, command=("failover", "check"))
    assert found["overrides"]["state"] == "ok"
    config.write_text(text)
    _, found = doctor(config, "--role", "support")
    assert not found.keys() & {"standby", "overrides", "memory"}


def test_the_share_of_numbers_that_are_only_observed_is_read_from_the_worker() -> None:
    metrics = Metrics("worker")
    metrics.put("recipients_observed_ratio", 0.974)
    with serve("127.0.0.1", 0, metrics.registry, live=str, ready=str) as where:
        settings = Settings.model_validate({"http": {"port": int(where.partition(":")[2])}})
        found = examine_protection(settings)
    assert found.state == "ok"
    assert found.says.startswith("97% of the numbers seen in the last day would only be observed")
    assert "detect.enforce_cold" in found.says
    assert examine_protection(settings).state == "unknown", "no worker is there any more"


def test_a_port_that_all_processes_share_is_looked_at(config: Path) -> None:
    text = config.read_text()
    for port, state in ((9464, "warn"), (0, "ok")):
        config.write_text(f"http = {{port = {port}}}\n{text}")
        _, found = doctor(config)
        assert found["ports"]["state"] == state
        assert ("OTPGUARD_HTTP_PORT" in found["ports"]["remedy"]) == (port != 0)


def test_missing_topics_are_named_with_the_way_to_make_them(config: Path) -> None:
    code, found = doctor(config)
    assert code == Exit.CONFIG
    assert "are missing" in found["topics"]["says"]
    assert found["topics"]["remedy"] == "`otpguard topics create` makes them"
    assert found["rights"]["state"] == "warn"  # nobody asks for rights here


def test_a_wrong_cleanup_and_refused_events_are_named(config: Path) -> None:
    settings = load(config)
    with Cluster(settings.kafka) as cluster:
        cluster.create(settings.changelog, 2, 1, {"cleanup.policy": "delete"})
        cluster.create(settings.topics.input, 2, 1, {})
    with closing(KafkaProducer(bootstrap_servers=settings.kafka.bootstrap)) as producer:
        for _ in range(10):
            producer.send(settings.topics.input, b"not JSON")
        producer.flush()
    code, found = doctor(config)
    assert code == Exit.CONFIG
    assert "100% of 10 would be refused" in found["events"]["says"]
    code, found = doctor(config, "--role", "monitor")
    assert found["sample"]["state"] == "unknown"


@pytest.mark.parametrize("role", ["override", "everyone", "changelog"])
def test_nobody_is_told_to_make_a_topic_anew_whose_cleanup_can_be_changed(role: str) -> None:
    """A topic of words made anew has lost the kill switch and all exemptions."""
    settings = Settings(topics={"everyone": "everyone"})
    wanted = topics(settings)
    (topic,) = (each for each in wanted if each.role == role)
    found = {each.name: Shape(each.partitions, 3, each.configs) for each in wanted}
    found[topic.name] = replace(found[topic.name], configs={"cleanup.policy": "delete"})
    cluster = SimpleNamespace(shapes=lambda _: found)
    checks = module._shapes(settings, cast("Cluster", cluster))
    (remedy,) = (each.remedy for each in checks if each.state == "bad")
    assert f"--alter --topic {topic.name} --add-config cleanup.policy=compact" in remedy
    assert "anew" not in remedy


def test_a_broker_that_is_away_ends_it_with_one_finding(tmp_path: Path) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_text('kafka = {bootstrap = "127.0.0.1:1"}')
    code, found = doctor(path)
    assert code == Exit.CONFIG
    assert found.keys() == {"settings", "ports", "protection", "broker"}
    assert "no broker answers" in found["broker"]["says"]
