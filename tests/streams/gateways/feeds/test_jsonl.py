"""JSON lines from a pipe: as they are, mapped, moved to this moment, paced; bad lines are named."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from streams.common.errors import Exit
from streams.gateways.feeds.jsonl import LinesReport, publish
from streams.gateways.feeds.mapping import FieldMap
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers
from tests.nodes import Broker
from tests.streams.gateways.feeds.target import TargetTopic
from tests.waiting import END_S, wait_until


class Topic(TargetTopic):
    def feed(
        self, content: bytes, rules: FieldMap | None = None, stop: Any = None, **how: Any
    ) -> LinesReport:
        return publish(
            io.BytesIO(content),
            self.producer,
            self.name,
            Numbers("CN"),
            rules,
            Metrics("feed"),
            stop or threading.Event(),
            **how,
        )


@pytest.fixture
def topic(broker: Broker, unique: str) -> Iterator[Topic]:
    made = Topic(broker, unique)
    with closing(made.producer):
        yield made


def line(n: int, at_ms: int = 1_772_422_380_000, **more: Any) -> bytes:
    value = {"recipient": f"+861390000{n:04}", "sender": "1069", "event_time_ms": at_ms}
    return json.dumps({"schema_version": 1, "message_id": str(n), **value, **more}).encode() + b"\n"


@pytest.mark.broker
def test_lines_stay_as_they_are_and_get_canonical_keys(topic: Topic) -> None:
    lines = [line(n) for n in range(50)]
    told = topic.feed(b"".join(lines) + b"\n" + line(50)[:-1])  # no end is needed in a pipe
    assert (told.published, told.unreadable) == (51, 0)
    records = topic.records()
    assert {record.value + b"\n" for record in records} == {*lines, line(50)}
    assert {record.key for record in records} == {b"861390000%04d" % n for n in range(51)}


@pytest.mark.broker
def test_a_line_without_a_field_names_the_keys_that_are_there(topic: Topic) -> None:
    told = topic.feed(b'{"called": "139", "calling": "1069", "recipent": "1"}\n')
    assert told.first == [
        (
            "line 1: no event_time_ms, recipient, sender; there are called, calling, recipent: "
            "--map event_time_ms=… --map recipient=… --map sender=…. Did you mean recipent?"
        )
    ]
    rules = FieldMap.parse(["recipient=caled", "event_time_ms=at"], [], "ms", None)
    mapped = topic.feed(b'{"called": "139", "sender": "1", "at": 1}\n', rules)
    assert mapped.first == [
        (
            "line 1: no recipient; there are called, sender, at: --map recipient=…. "
            "Did you mean called?"
        )
    ]


@pytest.mark.broker
def test_a_field_of_a_wrong_type_is_no_missing_field(topic: Topic) -> None:
    wrong = line(1, "2026-11-30")  # type: ignore[arg-type]
    told = topic.feed(wrong + line(1, recipient=861) + line(1, sender=None))
    assert told.first == [
        (
            "line 1: event_time_ms has another type than in sms.delivery.v1: "
            "--map event_time_ms=event_time_ms converts it"
        ),
        (
            "line 2: recipient has another type than in sms.delivery.v1: "
            "--map recipient=recipient converts it"
        ),
        "line 3: sender has another type than in sms.delivery.v1: --map sender=sender converts it",
    ]
    rules = FieldMap.parse([], [], "ms", None)
    mapped = topic.feed(wrong + line(1, sender=None) + line(1, recipient=8613900000001), rules)
    assert (mapped.published, mapped.first) == (1, [
        "line 1: event_time_ms is no event_time_ms in the form that --time names",
        "line 2: no sender",
    ])  # fmt: skip


@pytest.mark.broker
def test_lines_that_are_no_events_are_named_and_cost_no_others(topic: Topic) -> None:
    bad = [b"{\n", b"[]\n", b"\xff\xfe\n", b'{"recipient": "1"}\n', b"[" * 100_000 + b"\n"]
    stranger = line(2).replace(b"+8613900000002", b"nobody")
    stranger += line(4, event_type="hot")  # which the platform agent alone writes
    told = topic.feed(line(1) + b"".join(bad) + stranger + line(3))
    assert (told.published, told.unreadable) == (2, 7)
    assert told.first == [
        "line 2: it is no JSON object",
        "line 3: it is no JSON object",
        "line 4: it is no JSON object",
    ]
    assert len(topic.records()) == 2


@pytest.mark.broker
def test_other_names_are_mapped(topic: Topic) -> None:
    rules = FieldMap.parse(["recipient=dst", "sender=src", "event_time_ms=ts"], [], "s", None)
    told = topic.feed(b'{"dst": "13900000001", "src": "1069", "ts": 1772422380}\n', rules)
    assert told.published == 1
    (record,) = topic.records()
    assert json.loads(record.value) == {
        "schema_version": 1,
        "recipient": "13900000001",
        "sender": "1069",
        "event_time_ms": 1_772_422_380_000,
        "message_id": "line-1",
    }


@pytest.mark.broker
def test_a_line_that_becomes_too_large_for_kafka_is_named_and_costs_no_others(topic: Topic) -> None:
    names = ("text", "text_prefix", "signature", "category", "platform_id", "status", "error_code",
             "account_id", "gateway_id")  # fmt: skip
    rules = FieldMap.parse([f"{name}=x" for name in names], [], "ms", None)
    told = topic.feed(line(1) + line(2, x="x" * 120_000) + line(3), rules)
    assert (told.published, told.unreadable) == (2, 1)
    assert told.first == ["line 2: it is too long"]
    assert len(topic.records()) == 2


@pytest.mark.broker
def test_now_moves_all_times_alike_up_to_this_moment(topic: Topic) -> None:
    old_ms = 1_700_000_000_000
    topic.feed(b"".join(line(n, old_ms + n * 1000) for n in range(5)), now=True)
    now_ms = time.time_ns() // 1_000_000
    times = sorted(json.loads(record.value)["event_time_ms"] for record in topic.records())
    assert [at_ms - times[0] for at_ms in times] == [0, 1000, 2000, 3000, 4000]
    assert 0 <= now_ms - times[-1] < 1000 * END_S


@pytest.mark.parametrize("rules", [None, FieldMap.parse([], [], "ms", None)])
def test_a_time_that_no_clock_has_moves_no_others(rules: FieldMap | None) -> None:
    producer, now_ms = MagicMock(), time.time_ns() // 1_000_000
    content = line(1) + line(2, 10**30) + line(3)
    told = publish(
        io.BytesIO(content), producer, "t", Numbers("CN"), rules, MagicMock(), threading.Event(),
        now=True,
    )  # fmt: skip
    assert (told.published, told.unreadable) == (2, 1)
    assert told.first == [
        "line 2: event_time_ms is far ahead: another zone or unit? --zone and --time name them"
    ]
    times = [json.loads(call.args[1])["event_time_ms"] for call in producer.send.call_args_list]
    assert min(times) >= now_ms


@pytest.mark.broker
def test_a_rate_is_not_exceeded(topic: Topic) -> None:
    """It may be slower on a busy machine, never faster."""
    began = time.monotonic()
    topic.feed(b"".join(line(n) for n in range(60)), rate=50)
    assert time.monotonic() - began >= (60 - 5) / 50 - 0.1
    assert len(topic.records()) == 60


@pytest.mark.broker
def test_a_feed_that_is_told_to_stop_waits_for_no_rate(topic: Topic) -> None:
    stop = threading.Event()

    def tell() -> None:
        wait_until(topic.records, "the first line is published")
        stop.set()

    telling = threading.Thread(target=tell)
    telling.start()
    told = topic.feed(b"".join(line(n) for n in range(100)), stop=stop, rate=0.001)
    telling.join()
    assert told.published == 1


@pytest.mark.broker
def test_a_scenario_goes_through_a_pipe_and_bad_lines_are_an_exit_code(
    broker: Broker, topic: Topic, tmp_path: Path
) -> None:
    config = tmp_path / "otpguard.toml"
    config.write_text(
        f'kafka = {{bootstrap = "{broker.bootstrap}"}}\nhttp = {{port = 0}}\n'
        f'topics = {{input = "{topic.name}"}}\n'
    )
    run = [sys.executable, "-m", "streams"]
    made = subprocess.run([*run, "scenario", "A1"], capture_output=True, check=True, timeout=END_S)
    feed = [*run, "feed", "jsonl", "-", "--config", str(config), "--now", "--rate", "2000"]
    done = subprocess.run(feed, input=made.stdout, capture_output=True, check=False, timeout=END_S)
    assert done.returncode == Exit.DONE, done.stderr
    count = len(made.stdout.splitlines())
    assert f"published {count}" in done.stderr.decode()
    records = topic.records()
    assert len(records) == count
    newest_ms = max(json.loads(record.value)["event_time_ms"] for record in records)
    assert abs(time.time_ns() // 1_000_000 - newest_ms) < 1000 * END_S
    done = subprocess.run(
        feed, input=b"{}\nnonsense\n", capture_output=True, check=False, timeout=END_S
    )
    assert done.returncode == Exit.USAGE
    assert "line 2: it is no JSON object" in done.stderr.decode()
