"""The harness itself, small: what it offers is what it says, and what it computes adds up."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from streams import wire
from streams.config import Settings
from tests.bench import (
    compare,
    latency,
    live,
    offer,
    polls,
    report,
    resume,
    scale,
    stages,
    state,
    turns,
    worker,
    worst,
)
from tests.bench.compare import make_topics, python
from tests.bench.harness import PeerError
from tests.bench.stages import TOPIC, Pass, Records
from tests.bench.traffic import Record, Traffic, categorised, fill, plain
from tests.nodes import Broker

COUNTS_EACH = """
import json, sys, time
from confluent_kafka import Consumer, Producer
bootstrap, topic, group, total, output = sys.argv[1:]
settings = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
consumer, producer = Consumer(settings), Producer({"bootstrap.servers": bootstrap})
consumer.subscribe([topic])
seen = 0
while seen < int(total):
    for message in consumer.consume(1_000, 0.05):
        assert json.loads(message.value())["category"] == "otp"
        producer.produce(output, b"1", message.key())
        seen += 1
    producer.flush()
    print(json.dumps({"events": seen}), flush=True)
    time.sleep(PAUSE_S)
"""

NOW_MS = time.time_ns() // 1_000_000


def columns(made: list[Record]) -> Records:
    return Records(
        [one.value for one in made],
        [one.recipient for one in made],
        [one.event_time_ms for one in made],
    )


def decoded(made: list[Record]) -> wire.Decoded:
    log = columns(made)
    return wire.decode(
        Settings().intake(), TOPIC, 0, log.values, log.keys, range(len(log)), log.times_ms, len(log)
    )


@pytest.mark.parametrize("case", worst.CASES, ids=lambda case: case.name)
def test_a_worst_case_is_legal_and_ends_in_time(case: worst.Case) -> None:
    made = list(case.made(60, NOW_MS))
    found = decoded(made)
    assert len(made) == 60
    assert not found.rejects
    assert found.noncanonical_keys == 0
    assert made[-1].event_time_ms <= NOW_MS + 60_000


def test_new_templates_are_all_different_and_the_longest_texts_as_long_as_can_be() -> None:
    texts = decoded(list(worst.templates(200, NOW_MS))).batch.text
    mask = str.maketrans("0123456789", "0000000000")
    assert len({text.translate(mask) for text in texts}) > 190
    longest = decoded(list(worst.longest(2, NOW_MS))).batch.text
    assert {len(text) for text in longest} <= set(range(17_000, 17_086))


def test_every_flood_that_is_offered_crosses_the_bar_once() -> None:
    made = list(islice(offer.floods(NOW_MS, 0), 2_000))
    assert [one.event_time_ms for one in made] == sorted(one.event_time_ms for one in made)
    run = Pass(Settings())
    run.run(columns(made), 500, 0, len(made))
    whole = len({one.recipient for one in made}) - offer.FLOOD_MESSAGES * 10  # some have begun only
    assert whole <= run.decisions["actions"] <= len({one.recipient for one in made})


def test_polls_of_many_partitions_are_taken_in_whole_and_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polls, "POLLS", dict.fromkeys(polls.EACH, 2))
    runs = polls.live(warm=1_000)
    assert [run["each"] for run in runs] == list(polls.EACH)
    assert all({"decode", "process", "agent"} <= run["parts_us_per_event"].keys() for run in runs)
    assert "32 partitions x 78" in report.poll_table({"polls": runs})


def test_each_stage_of_the_chain_is_timed_by_itself() -> None:
    took = stages.profile(4_000, 500)["us_per_event"]
    for stage in ("decode", "recognise", "chain", "sift_together", "find_unrecorded"):
        assert took[stage] > 0


def test_ways_of_setting_take_turns_and_stand_beside_the_first() -> None:
    found = turns.measure(events=4_000, rounds=2, batch=500)
    assert [(one["case"], one["way"]) for one in found] == [
        (case, way) for case in turns.PLAYED for way in turns.WAYS
    ]
    assert all(len(one["us_per_event"]) == 2 and one["median_us"] > 0 for one in found)
    assert [one["relative"] for one in found[:: len(turns.WAYS)]] == [1, 1]
    assert turns.table({"turns": found}).count("campaign") == len(turns.WAYS)


def test_the_rate_that_is_offered_is_the_rate_that_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept = [0.0]  # the only time that passes
    clock = SimpleNamespace(
        sleep=slept.append,
        monotonic=lambda: sum(slept),
        time_ns=lambda: 1_700_000_000_000_000_000 + round(sum(slept) * 1e9),
    )
    monkeypatch.setattr(offer, "time", clock)
    sent: list[Record] = []
    assert offer.offer(sent.append, 2_000, 0.5, random.Random(1), 0) == len(sent)
    assert 980 <= len(sent) <= 1_000


def test_percentiles_of_nothing_are_refused() -> None:
    found = latency.percentiles(np.arange(1, 101) / 1000)
    assert (found["leases"], round(found["p50_ms"], 1), found["max_ms"]) == (100, 50.5, 100.0)
    with pytest.raises(PeerError):
        latency.percentiles(np.array([]))


def test_state_is_measured_with_a_row_for_every_recipient() -> None:
    size = state.grow(20_000, 4_000)
    assert size["tracked"] == 20_000
    assert 112 < size["sieve_bytes_per_recipient"] < 140
    assert size["checkpoint"]["bytes"] >= size["checkpoint"]["rows"] * 112
    assert all(0 < cost["sieve_us"] < cost["all_us"] for cost in size["costs"])
    assert len(size["costs"]) == 6


def test_pauses_are_of_ticks_that_evict_and_let_go() -> None:
    found = state.pauses(1 << 16, 1 << 12)
    assert (found["suspects"], found["let_go"] > 3_000) == (4096, True)
    assert found["eviction_ms"] > 0
    assert found["expiry_ms"] > 0


def test_throughput_is_of_the_stretch_in_which_all_workers_move() -> None:
    samples = [(i * 0.1, [1_000 * i, 1_000 * min(i, 20)], i * 0.01, 0.0) for i in range(30)]
    found = scale._rate(samples)
    assert found["events_per_s"] == pytest.approx(20_000, rel=0.15)
    assert found["client_us"] == pytest.approx(5, rel=0.15)
    with pytest.raises(PeerError):
        scale._rate([(i * 0.1, [i, 7], 0.0, 0.0) for i in range(30)])


def test_the_model_grows_workers_with_traffic_or_with_memory() -> None:
    places = scale.models(us_per_event=5)
    nation, continent = places["nation"], places["continent"]
    assert nation["cores_busy"] == pytest.approx(15_000 * 5e-6)
    assert nation["state_gb"] == pytest.approx(100e6 * 0.5 * 125 / 1e9)
    assert nation["workers"] == 2
    assert continent["workers"] >= continent["workers_by_memory"] > continent["workers_by_cpu"]
    assert continent["partitions"] >= 4 * continent["workers"]


def test_pictures_and_tables_show_every_level(tmp_path: Path) -> None:
    level = {
        "offered_per_s": 1_000, "taken_per_s": 999.0, "us_per_event": 9.0, "core_used": 0.1,
        "broker_core": 0.7,
        "checkpoints": 3, "leases": 2, "p50_ms": 5.0, "p95_ms": 6.0, "p99_ms": 7.0, "max_ms": 7.0,
        "delays_ms": [5.0, 7.0],
    }  # fmt: skip
    figures = {"partitions": 4, "seconds": 1, "checkpoint_cycle_s": 10, "levels": [level]}
    assert "| 1,000 | 999 | 2 | 5 | 6 | 7 | 7 | 9.0 | 10% | 70% | 3 |" in report.latency_table(
        figures
    )
    report.latency_picture(figures, tmp_path / "latency.svg")
    assert (tmp_path / "latency.svg").stat().st_size > 5_000


def test_a_code_that_says_itself_what_it_is_is_the_same_event() -> None:
    made = plain(offer.VICTIMS_FROM, 3, NOW_MS, 7)
    told = categorised(made)
    assert json.loads(told.value) == {"category": "otp", **json.loads(made.value)}
    assert told[2:] == made[2:]
    assert [*decoded([told]).batch.category] == ["otp"]


@pytest.mark.parametrize(
    ("key", "recipient"),
    [
        (b"8617002000123", 8_617_002_000_123),
        (b'["8617002000123", [1.7e9, 1.7e9]]', 8_617_002_000_123),
        (b"8617002000123\x00\x00\x01\x99\x12\x86\x00\x00", 8_617_002_000_123),
        (b"8617000000123", 0),  # a subscriber with habits
        (b"chunk-17", 0),
        (None, 0),
    ],
)
def test_a_victim_is_found_in_whatever_key_a_peer_writes(key: bytes | None, recipient: int) -> None:
    assert live.victim(key) == recipient


def test_a_program_is_as_far_as_its_newest_whole_line_says(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"")
    assert live.said(log) == 0
    log.write_bytes(b'a warning\n{"events": 7}\n{"events": 12, "all": false}\noops\n{"events": 1')
    assert live.said(log) == 12
    log.write_bytes(b'{"events": 5}\n' + b"x" * 9_000)
    assert live.said(log) == 0  # only the end is read


def test_cost_is_between_two_moments_and_a_peer_that_reads_nothing_has_none() -> None:
    offered = {"sent": 3_000, "began": 1.0, "ended": 4.0}
    found = live._cost(1_000, offered, (100, 1.0, 10.0), (2_100, 1.1, 12.0))
    assert found["sent_per_s"] == found["taken_per_s"] == 1_000
    assert found["us_per_event"] == pytest.approx(50)
    assert found["core_used"] == pytest.approx(0.05)
    with pytest.raises(PeerError, match="read nothing at 1,000"):
        live._cost(1_000, offered, (100, 1.0, 10.0), (100, 1.1, 12.0))


def test_what_the_broker_did_not_take_is_not_measured() -> None:
    line = {"rate": 1_000, "sent": 3_000, "unsent": 0, "began": 1.0, "ended": 4.0}
    lines = [line, line | {"unsent": 12}]
    said = io.BytesIO(b"".join(json.dumps(one).encode() + b"\n" for one in lines))
    generator = cast("subprocess.Popen[bytes]", SimpleNamespace(stdout=said))
    assert latency.ended(generator) == line
    with pytest.raises(PeerError, match="did not take 12 of 3,000 events"):
        latency.ended(generator)


def test_each_peer_is_told_what_it_needs_live_and_on_a_backlog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compare, "pathway", lambda: ["pathway"])
    monkeypatch.setattr(compare, "java", lambda name: [name])
    turn = compare.Round(
        Broker("kafka", "4", "there:9092"), Traffic("in", 32, 0, 0, 0, 0), 9, "run", Path("log")
    )

    def commands(turn: compare.Round) -> dict[str, list[str]]:
        found = {}
        for peer in compare.those("flink,pathway,streams,faust", 5):
            with peer.start(turn) as one:
                found[peer.name] = [*one.command][-5:]
        return found

    ended = commands(turn)
    assert ended["Flink, heap state"] == ["there:9092", "in", "run", "9", "1"]
    assert ended["Pathway, persistence"] == ["in", "run", "9", "1", "persistence"]
    assert ended["stock Faust"] == ["there:9092", "in", "run", "9", "32"]
    going_on = commands(replace(turn, live=True))
    assert going_on["Flink, heap state"] == ["in", "run", "9", "1", "live"]
    assert going_on["Pathway, persistence"][-2:] == ["persistence", "run-counts"]
    assert going_on["Kafka Streams, RocksDB"] == ended["Kafka Streams, RocksDB"]


def test_the_version_of_pathway_is_that_of_its_lock() -> None:
    lock = compare.HERE / "peers" / "pathway" / "requirements.txt"
    assert f"pathway=={compare.PATHWAY}\n" in lock.read_text()


def test_the_live_table_and_picture_say_who_falls_behind(tmp_path: Path) -> None:
    level = {
        "offered_per_s": 1_000, "taken_per_s": 999.0, "us_per_event": 9.04, "core_used": 0.1,
        "kept_up": True, "p50_ms": 5.0, "p99_ms": 1_007.0,
    }  # fmt: skip
    lost = level | {"offered_per_s": 15_000, "taken_per_s": 4_200.0, "kept_up": False}
    common = {"version": "1", "settings": "as it comes", "failed": ""}
    figures = {
        "partitions": 32, "seconds": 8, "rates": [1_000, 15_000], "load": [9.0, 12.25],
        "peers": [
            common | {"name": "otpguard", "job": "whole", "writes": "leases", "levels": [level]},
            common | {"name": "slow", "job": "bare", "writes": "counts", "levels": [level, lost]},
            common | {"name": "ended", "job": "bare", "levels": [], "failed": "exit code 1"},
        ],
    }  # fmt: skip
    table = report.live_table(figures)
    assert "load of the machine 9.0 before, 12.2 after" in table
    assert "| whole | otpguard | 1,000 | 9.04 | 10% | leases | 5 | 1,007 |" in table
    assert "| bare | slow | 15,000 | 9.04 | 10% | falls behind: 4,200/s | | |" in table
    assert "| bare | ended | exit code 1 |" in table
    report.live_picture(figures, tmp_path / "live.svg")
    assert (tmp_path / "live.svg").stat().st_size > 5_000


@pytest.mark.broker
@pytest.mark.integration
@pytest.mark.parametrize("pause_s", [0.0, 4.0], ids=["steadily", "in bursts"])
def test_a_peer_is_offered_rates_and_its_outputs_are_timed(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    """However long it reads nothing: on a busy core that is longer than a rate is measured."""
    monkeypatch.setattr(live, "WARM_S", 0.5)
    monkeypatch.setattr(live, "WARM_PEER_S", 1.0)
    monkeypatch.setattr(live, "SETTLE_S", 0.5)
    monkeypatch.setattr(live, "LATE_S", 30.0)  # nobody is behind on a busy machine
    counting = tmp_path / "peer.py"
    counting.write_text(COUNTS_EACH.replace("PAUSE_S", str(pause_s)))
    start = compare.program(lambda: [sys.executable, str(counting)], live=[compare.OUTPUT])
    peer = compare.Peer("counter", "bare", "1", "none", start, writes="its counts")
    monkeypatch.setattr(compare, "peers", lambda _: [peer])
    found = live.measure(
        broker, rates=[200, 400], seconds=3, partitions=2, only="", whole_cycle_s=5,
        folder=tmp_path,
    )  # fmt: skip
    (one,) = found["peers"]
    assert one["failed"] == ""
    assert [level["offered_per_s"] for level in one["levels"]] == [200, 400]
    assert all(level["kept_up"] and level["unseen"] == 0 for level in one["levels"])
    assert all(0 < level["p50_ms"] <= level["p99_ms"] for level in one["levels"])


@pytest.mark.broker
def test_a_killed_worker_is_back_with_every_recipient_of_the_changelog(
    broker: Broker, tmp_path: Path
) -> None:
    found = resume.come_back(broker, recipients=3_000, partitions=4, folder=tmp_path)
    assert found["checkpoint_bytes"] >= 3_000 * 112
    assert 0 < found["new"]["restored_s"] <= found["new"]["at_work_s"]
    assert 0 < found["back"]["restored_s"] <= found["back"]["at_work_s"]
    assert "after kill -9" in "\n".join(report._return_lines(found))


@pytest.mark.broker
def test_the_bare_job_holds_every_code_in_its_changelog(broker: Broker, unique: str) -> None:
    topic = f"{unique}.input"
    make_topics(broker, 2, topic)
    sent = fill(broker.bootstrap, topic, 2, 3_000, category=True)
    with worker.configured(broker, sent, unique, checkpoint_cycle_s=1) as one:
        ended = subprocess.run(
            [*python("otpguard_bare.py"), str(sent.events)],
            env=os.environ | one.env, capture_output=True, timeout=60, check=False, text=True,
        )  # fmt: skip
    assert ended.stdout, ended.stderr
    said = json.loads(ended.stdout.splitlines()[-1])
    assert (said["events"], said["codes"], said["sum"]) == (3_000, sent.codes, sent.codes)
