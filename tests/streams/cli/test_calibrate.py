"""`otpguard calibrate`: from files to a document, and settings that can be used."""

from __future__ import annotations

import csv
import gzip
import json
import re
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import typer
from kafka import KafkaProducer
from typer.testing import CliRunner

from streams.cli import calibrate as command
from streams.cluster.admin import Cluster
from streams.common.errors import UsageError
from streams.config import Kafka
from streams.tools.scenarios import DEFAULT_START_MS, Rates, generate, merge_streams, ordinary
from streams.tools.scenarios.message_writer import MessageWriter
from tests.nodes import Broker
from tests.scenarios import catalog
from tests.streams.cli.called import refused

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    codes = Rates(marketing=0, courier=0, notices=0, personal=0)
    calm = ordinary(3000, DEFAULT_START_MS - DAY_MS, 1, duration_ms=2 * DAY_MS, rates=codes)
    attack = generate("A1", 3, recipient=7, history=False)
    path = tmp_path_factory.mktemp("history") / "days.jsonl.gz"
    lines = [json.dumps(event.value) for event in merge_streams(calm, attack)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(command.calibrate)
    return app


def run(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(_app(), [*arguments, "--json", "-q"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_flood_in_a_file_is_counted_and_its_recipient_masked(history: Path) -> None:
    found = run(str(history))
    rates = found["rates"]["current"]
    assert rates["throttle"]["episodes"] == 1
    assert rates["throttle"]["standing"] in ("open", "exceeded")
    assert "8617000000007" not in json.dumps(found), "recipients are masked"


def test_recipients_are_shown_when_asked_and_judged_attacks_are_no_false_alarms(
    history: Path, tmp_path: Path
) -> None:
    found = run(str(history), "--show-recipients")
    (case,) = found["throttled"]
    judged = tmp_path / "judged.txt"
    for word in (case["episode_id"], f"+{case['recipient']}"):
        judged.write_text(f"# seen by the fraud desk\n{word}\n8613900000000\n")
        again = run(str(history), "--judged", str(judged))
        assert again["rates"]["current"]["throttle"]["episodes"] == 0
        assert again["throttled"][0]["set_aside"] is True
        assert again["set_aside"] == 1
        assert again["judged"] == {"named": 2, "without_alarm": 1}


def test_a_test_number_is_counted_by_its_rules_and_listed_for_exemption(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = tmp_path / "days.jsonl"
    events = generate("B6", 5, recipient=1, history=False, days=12)
    days.write_text("\n".join(json.dumps(event.value) for event in events))
    found = run(str(days), "--show-recipients")
    (number,) = found["chronic"]
    assert number["limits"] >= 3
    assert number["command"].startswith("otpguard exempt 8617000000001 ")
    rules = {each["rule"]: each["episodes"] for each in found["rules"]}
    assert rules["limit_total_24h"] >= 1
    command._say(found)
    said = capsys.readouterr().out
    assert "codes of all platforms after their first of the day, within 24 hours" in said
    assert f"{number['limits']} days with limits on single platforms" in said


def test_who_came_near_a_limit_is_listed_with_the_rule_and_the_platform(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = MessageWriter("near", 1, 1, 14)
    (platform,) = writer.strangers(1)
    day_ms = DEFAULT_START_MS + DAY_MS
    codes = [writer.own(day_ms + n * 180_000, platform) for n in range(9)]
    path = tmp_path / "near.jsonl"
    events = [*writer.history(DEFAULT_START_MS), *codes]
    path.write_text("\n".join(json.dumps(event.value) for event in events))
    found = run(str(path))
    (near,) = found["near_limits"]
    assert (near["rule"], near["score"], near["threshold"]) == ("limit_35min", 8, 10)
    assert near["platform"]
    assert "*" in near["recipient"]
    assert near["at"].startswith("20")
    command._say(found)
    said = capsys.readouterr().out
    assert "within a fifth of a limit on messages" in said
    assert near["platform"] in said


def test_a_command_to_exempt_is_written_where_the_number_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    week = tmp_path / "week.jsonl"
    events = (
        json.dumps(event.value)
        for day in range(7)
        for event in catalog.generate(
            "A11", day, recipient=1, start_ms=DEFAULT_START_MS + day * DAY_MS, history=False
        )
    )
    week.write_text("\n".join(events))
    masked, whole_ = run(str(week)), run(str(week), "--show-recipients")
    assert [number["command"] for number in masked["chronic"]] == [None]
    (number,) = whole_["chronic"]
    assert number["command"].startswith("otpguard exempt 8617000000001 ")
    command._say(masked)
    assert "otpguard exempt" not in capsys.readouterr().out
    command._say(whole_)
    assert number["command"] in capsys.readouterr().out


def test_a_target_out_of_reach_is_said_in_text_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    floods = tmp_path / "floods.jsonl"
    events = merge_streams(
        *(generate("A2", seed, recipient=seed, history=False) for seed in range(3))
    )
    floods.write_text("\n".join(json.dumps(event.value) for event in events))
    found = run(str(floods))
    (reason,) = found["unreached"]
    command._say(found)
    said = capsys.readouterr().out
    assert f"warning: the target is out of reach: {reason}" in said
    assert "stay in shadow" in said


@pytest.mark.parametrize("content", ["", '{"x": 1}\n'], ids=["empty", "no-events"])
def test_a_history_without_events_is_an_error_and_no_result(content: str, tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"no event that counts|the file is empty"):
        run(str(file))


# -- what people read ------------------------------------------------------------------------------


@pytest.fixture
def mixed(history: Path, tmp_path: Path) -> Path:
    """The same days with two attacks more, each victim with the weeks that made its memory."""
    attacks = merge_streams(*(generate("A1", seed, recipient=70 + seed) for seed in range(2)))
    calm = gzip.decompress(history.read_bytes()).decode().splitlines()
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join([*calm, *(json.dumps(event.value) for event in attacks)]))
    return path


def test_attacks_that_were_mixed_in_stretch_no_days_and_that_is_said(
    history: Path, mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, found = run(str(history)), run(str(mixed))
    assert found["history"]["days"] == plain["history"]["days"]
    assert found["history"]["from"] == plain["history"]["from"]
    left = found["history"]["outside"]
    assert left["messages"] > 0
    assert left["from"] < found["history"]["from"]
    command._say(found)
    said = capsys.readouterr().out
    assert f"{left['messages']} messages between {left['from']}" in said
    assert plain["history"]["outside"]["messages"] == 0
    command._say(plain)
    assert "hardly any traffic" not in capsys.readouterr().out


def test_an_attack_is_marked_as_one_and_a_judged_one_as_judged(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(str(mixed), "--show-recipients")
    verdicts = {case["verdict"] for case in found["throttled"]}
    assert verdicts == {"looks_like_attack"}
    assert found["looks_like_attack"] == found["throttled_recipients"] == 3
    command._say(found)
    assert capsys.readouterr().out.count("looks like an attack") == 3
    judged = tmp_path / "judged.txt"
    judged.write_text(found["throttled"][0]["episode_id"])
    again = run(str(mixed), "--judged", str(judged))
    assert [case["verdict"] for case in again["throttled"]].count("judged") == 1


def test_who_was_throttled_in_the_first_batch_is_no_person_of_the_sample(mixed: Path) -> None:
    found = run(str(mixed))
    assert found["longest_spree"] < 10, "the sixty platforms of the attacks are nobody's log-ins"


def test_what_nothing_is_known_of_is_said_so_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = tmp_path / "one.jsonl"
    event = next(iter(generate("A1", 1, history=False)))
    one.write_text(json.dumps(event.value))
    done = CliRunner().invoke(_app(), [str(one), "-q"])
    assert done.exit_code == 0
    assert not re.search(r"\bNone\b|\bnan\b|of 0\b", done.output)
    assert "too few log-ins to tell" in done.output
    assert "days are too short to know people's platforms: 30 days are needed" in done.output
    assert "proposes no change" in done.output
    assert "proposed" not in done.output.replace("proposes", "")
    assert capsys.readouterr().out == ""


def test_names_in_a_history_cannot_command_the_terminal(history: Path, tmp_path: Path) -> None:
    minute, path = 60_000, tmp_path / "coarse.jsonl"
    events = [json.loads(line) for line in gzip.decompress(history.read_bytes()).splitlines()]
    path.write_text("\n".join(
        json.dumps(
            each
            | {"gateway_id": "smsc-1\x1b]52;c;cm0=\x07"}
            | {"event_time_ms": each["event_time_ms"] // minute * minute}
        )
        for each in events
    ))  # fmt: skip
    told = CliRunner().invoke(_app(), [str(path), "-q"], catch_exceptions=False).stdout
    assert r"stamps of smsc-1\x1b]52;c;cm0=\x07" in told
    assert "".join(told.split()).isprintable()


# -- where history comes from ---------------------------------------------------------------------


def test_call_detail_records_say_what_the_same_events_in_json_say(
    history: Path, tmp_path: Path
) -> None:
    events = [json.loads(line) for line in gzip.decompress(history.read_bytes()).splitlines()]
    path = tmp_path / "cdr.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["called", "calling", "time", "id", "words"])
        writer.writerow(["", "", "", "", "a row that cannot be mapped"])
        writer.writerows(
            [e["recipient"], e["sender"], e["event_time_ms"] / 1000, e["message_id"], e["text"]]
            for e in events
        )
    maps = ["recipient=called", "sender=calling", "event_time_ms=time", "message_id=id"]
    options = [word for each in (*maps, "text=words") for word in ("--map", each)]
    found, same = run(str(path), *options, "--time", "s"), run(str(history))
    for name in ("codes", "messages", "subscriber_days"):
        assert found["history"][name] == same["history"][name]
    assert found["history"]["refused"] == 1
    assert found["rates"] == same["rates"]


def test_a_file_that_nobody_described_is_read_as_feed_csv_reads_it(
    history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Names, delimiter, encoding, times and their zone, and texts in hexadecimal."""
    monkeypatch.setenv("OTPGUARD_INPUT_COUNTRY", "CN")
    events = [json.loads(line) for line in gzip.decompress(history.read_bytes()).splitlines()]
    path = tmp_path / "cdr.txt"
    with path.open("w", newline="", encoding="gb18030") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["被叫", "主叫", "提交时间", "内容"])
        for e in events:
            at = datetime.fromtimestamp(e["event_time_ms"] / 1000, ZoneInfo("Asia/Shanghai"))
            words = e["text"].encode("utf-16-be").hex()
            writer.writerow([e["recipient"], e["sender"], f"{at:%d.%m.%Y %H:%M:%S.%f}", words])
    done = CliRunner().invoke(_app(), [str(path), "--json", "-q"], catch_exceptions=False)
    found, same = json.loads(done.stdout), run(str(history))
    for name in ("codes", "messages", "subscriber_days"):
        assert found["history"][name] == same["history"][name]
    assert found["rates"] == same["rates"]
    for word in ("--delimiter", "gb18030", "recipient=被叫", "%d.%m.%Y", "--zone", "--text hex"):
        assert word in done.stderr


@pytest.mark.broker
def test_the_input_topic_says_what_its_events_in_a_file_say(
    broker: Broker, unique: str, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = f"{unique}.input"
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(topic, 1, 1, {})
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        for line in gzip.decompress(history.read_bytes()).splitlines():
            producer.send(topic, line, key=json.loads(line)["recipient"].encode())
        producer.flush()
    monkeypatch.setenv("OTPGUARD_KAFKA_BOOTSTRAP", broker.bootstrap)
    monkeypatch.setenv("OTPGUARD_TOPICS_INPUT", topic)
    found, same = run("--kafka", "--since", "9999d"), run(str(history))
    for name in ("codes", "messages", "refused"):
        assert found["history"][name] == same["history"][name]
    assert found["source"] == f"topic {topic}"


# -- what the command refuses ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--delimiter", "ab"), "'ab' is no delimiter of one character"),
        (("--delimiter", ""), "is no delimiter of one character"),
        (("--delimiter", '"'), "has another meaning in a file"),
        (("--encoding", "nosuch"), "no encoding 'nosuch'"),
        (("--encoding", "base64"), "no encoding 'base64'"),
    ],
)
def test_a_csv_that_cannot_be_read_so_is_refused_in_a_sentence(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    path = tmp_path / "cdr.csv"
    path.write_text("recipient,sender,event_time_ms\n")
    refused(UsageError, says, "calibrate", str(path), "-q", *words)
