"""Calibration: what is measured is what is there, and nothing is claimed that was not shown."""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from typer.testing import CliRunner

from detectors.chain import Params
from detectors.model.event import Batch
from detectors.suspects.clocks import ClockClass
from streams import wire
from streams.calibrate.cohort import Cohort
from streams.calibrate.history import TopicHistory
from streams.calibrate.propose import propose, proposed, unreached
from streams.calibrate.rates import Rate, lower, upper
from streams.calibrate.survey import Survey, _pieces, whole
from streams.cli import calibrate as command
from streams.config import Settings, load
from streams.demo.brokers import Broker
from streams.errors import ConfigError, UsageError
from streams.scenarios import DEFAULT_START_MS, Rates, generate, merged, ordinary

SETTINGS = Settings()
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def surveyed(
    values: list[dict[str, object]],
    settings: Settings = SETTINGS,
    judged: frozenset[str] = frozenset(),
) -> Survey:
    survey = Survey(settings.params(), settings.recogniser(), judged=judged)
    for at in range(0, len(values), 3000):
        chunk = [json.dumps(value).encode() for value in values[at : at + 3000]]
        decoded = wire.decode(
            intake=settings.intake(), topic="t", partition=0, values=chunk,
            keys=[None] * len(chunk), offsets=np.arange(at, at + len(chunk)), timestamps_ms=None,
            next_offset=at + len(chunk),
        )  # fmt: skip
        survey.take(decoded.batch)
    survey.close()
    return survey


def people(count: int, **parameters: Any) -> list[dict[str, object]]:
    """New phones, half an hour apart."""
    sides = [
        generate(
            "B1", i, recipient=i, start_ms=DEFAULT_START_MS + i * HOUR_MS // 2, history=False,
            **parameters,
        )
        for i in range(count)
    ]  # fmt: skip
    return [event.value for event in merged(*sides)]


# -- what may be claimed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alarms", "days", "standing"),
    [
        (0, 299_000, "open"),
        (0, 2_990_000, "open"),
        (0, 3_000_000, "shown"),
        (1, 4_000_000, "open"),
        (1, 4_800_000, "shown"),
        (20, 3_000_000, "exceeded"),
        (0, 0, "open"),
    ],
)
def test_one_in_a_million_is_claimed_from_enough_days_only(
    alarms: int, days: float, standing: str
) -> None:
    assert Rate(alarms, days).standing(1e-6) == standing


@pytest.mark.parametrize("alarms", [0, 1, 5, 40])
def test_the_days_needed_are_the_fewest_that_show_it(alarms: int) -> None:
    needed = Rate(alarms, 1).days_needed(1e-6)
    assert Rate(alarms, needed).standing(1e-6) == "shown"
    assert Rate(alarms, needed * 0.999).standing(1e-6) != "shown"


def test_the_interval_holds_the_true_rate_as_often_as_it_says() -> None:
    rng, mean = np.random.default_rng(3), 4.2
    held = sum(lower(k, 0.025) <= mean <= upper(k, 0.025) for k in rng.poisson(mean, 4000).tolist())
    assert 0.95 <= held / 4000 <= 0.995


def test_great_counts_use_an_approximation_that_meets_the_exact_one() -> None:
    for tail in (0.025, 0.05):
        assert math.isclose(upper(1000, tail), upper(1001, tail) - 1, rel_tol=1e-4)
        assert math.isclose(lower(1000, tail), lower(1001, tail) - 1, rel_tol=1e-4)


# -- what is measured -----------------------------------------------------------------------------


def test_the_survey_decides_as_the_chain_does_however_the_history_is_cut() -> None:
    values = [event.value for event in merged(generate("A1", 3), generate("B2", 3, recipient=9))]
    survey = surveyed(values)
    assert survey.alarms.counts(frozenset())[1] == 1
    (name,) = (n for n, each in survey.alarms.by_recipient.items() if each.throttle)
    assert survey.alarms.counts(frozenset([name]))[1] == 0
    episode = survey.alarms.by_recipient[name].episodes[0]
    assert survey.alarms.counts(frozenset([episode]))[1] == 0


def test_pieces_hold_every_event_once_and_end_before_ticks() -> None:
    batch = surveyed_batch(9_000)
    pieces = list(_pieces(batch))
    assert np.concatenate([p.offset for p in pieces]).tolist() == batch.offset.tolist()
    assert [p.next_offset for p in pieces] == [4095, 8191, 9000]


def surveyed_batch(count: int) -> Batch:
    events = ordinary(500, DEFAULT_START_MS, 1, duration_ms=300 * DAY_MS)
    values = [json.dumps(e.value).encode() for _, e in zip(range(count), events, strict=False)]
    return wire.decode(
        intake=SETTINGS.intake(), topic="t", partition=0, values=values, keys=[None] * count,
        offsets=np.arange(count), timestamps_ms=None, next_offset=count,
    ).batch  # fmt: skip


def test_the_cohort_knows_how_many_recipients_there_are_from_a_sample() -> None:
    cohort, rng = Cohort(people_max=4096), np.random.default_rng(1)
    everyone = np.arange(8_613_900_000_000, 8_613_900_200_000, dtype=np.uint64)
    for _ in range(4):
        rng.shuffle(everyone)
        n = len(everyone)
        cohort.observe(everyone, np.full(n, 9), np.zeros(n, np.uint32), np.zeros(n, np.bool_))
    assert len(cohort.people) <= 4096
    assert abs(cohort.recipients / 200_000 - 1) < 0.05


def test_pace_and_novelty_are_those_of_the_people() -> None:
    at_s = 1_000_000
    cohort = Cohort()

    def sit(start_s: int, platforms: range, gap_s: int) -> None:
        k = len(platforms)
        cohort.observe(
            np.full(k, 8_613_900_000_001, np.uint64),
            start_s + gap_s * np.arange(k),
            np.array(platforms, np.uint32),
            np.ones(k, np.bool_),
        )

    sit(at_s, range(1, 11), 62)
    sit(at_s + 10 * 86_400, range(6, 16), 62)
    cohort.close()
    assert cohort.gaps[62 // 5] == cohort.gaps.sum() == 18
    assert cohort.spree_novelty[:, 1].sum() == 20
    assert cohort.spree_novelty[3].tolist() == [5, 10]
    assert cohort.known[15] == 1


def test_recipients_left_out_are_counted_and_measured_no_more() -> None:
    cohort = Cohort()
    who = np.array([8_613_900_000_001], np.uint64)
    cohort.observe(who, np.array([9]), np.array([5], np.uint32), np.array([True]))
    cohort.leave_out(int(who[0]))
    cohort.observe(who, np.array([99]), np.array([6], np.uint32), np.array([True]))
    assert cohort.recipients == 1
    assert cohort.gaps.sum() == 0


def test_stray_clocks_make_no_days() -> None:
    values = people(60)
    stray = [{**values[0], "event_time_ms": DEFAULT_START_MS - i * DAY_MS} for i in range(1, 50)]
    busy = [event.value for event in ordinary(20_000, DEFAULT_START_MS, 2, duration_ms=6 * HOUR_MS)]
    survey = surveyed([*stray, *busy])
    assert 6 / 24 <= survey.days <= 8 / 24


# -- what is proposed -----------------------------------------------------------------------------


def minute_stamps(values: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    for value in values:
        at_ms = value["event_time_ms"]
        assert isinstance(at_ms, int)
        yield {**value, "event_time_ms": at_ms // 60_000 * 60_000, "gateway_id": "cmpp-1"}


def test_a_gateway_with_minute_stamps_is_found_and_proposed() -> None:
    survey = surveyed(list(minute_stamps(people(150))))
    assert survey.stamps()["cmpp-1"][1] is ClockClass.MINUTE
    changes = {c.name: c for c in propose(SETTINGS, survey, Rate(0, 10_000))}
    assert changes["detect.stamps"].value == {"cmpp-1": "minute"}


def test_faster_people_raise_the_bar_and_the_higher_bar_spares_them() -> None:
    values = people(250, gap_s=60, variation=0.6)
    survey = surveyed(values)
    alarms = survey.alarms.counts(frozenset())[1]
    assert alarms >= 2
    changes = list(propose(SETTINGS, survey, Rate(alarms, 250.0)))
    (margin,) = (c for c in changes if c.name == "detect.burst_margin")
    better = surveyed(values, proposed(SETTINGS, changes))
    assert better.alarms.counts(frozenset())[1] <= alarms / 2
    assert not [
        c for c in propose(SETTINGS, survey, Rate(0, 250.0)) if c.name == "detect.burst_margin"
    ], "what is not shown to be over the target changes nothing"
    assert 0 < margin.value <= 3


@pytest.mark.parametrize("by", ["recipient", "episode"])
def test_who_was_judged_no_error_hinders_no_search_for_a_margin(by: str) -> None:
    flood = [event.value for event in generate("A2", 1, recipient=9_999, history=False)]
    values = people(250, gap_s=60, variation=0.6) + flood
    survey = surveyed(values)
    (name,) = (n for n in survey.alarms.by_recipient if n.endswith("9999"))
    alarms = survey.alarms.counts(frozenset({name}))[1]
    assert alarms >= 2
    changes = propose(SETTINGS, survey, Rate(alarms, 250.0))
    assert not [c for c in changes if c.name == "detect.burst_margin"], "nothing spares the flood"
    word = name if by == "recipient" else survey.alarms.by_recipient[name].episodes[0]
    again = surveyed(values, judged=frozenset({word}))
    assert again.peaks.over(5)[50] == survey.peaks.over(5)[50] - 1
    assert name not in [miss.recipient for miss in again.peaks.misses]
    assert again.alarms.unmatched(frozenset({word, "nobody"})) == {"nobody"}
    changes = propose(SETTINGS, again, Rate(alarms, 250.0))
    assert [c for c in changes if c.name == "detect.burst_margin"]


def test_old_acquaintances_lower_the_bars_for_slow_floods() -> None:
    rng = Random(1)
    values: list[dict[str, object]] = [
        {
            "schema_version": 1, "recipient": f"86139{i:08}", "sender": f"shop{k}",
            "text": f"【店铺{chr(0x4E00 + k + i)}】验证码{rng.randrange(10**6):06}",
            "event_time_ms": DEFAULT_START_MS + week + i * 600_000 + k * 90_000,
            "message_id": f"{week}-{i}-{k}",
        }
        for week in (0, 9 * DAY_MS)
        for i in range(300)
        for k in range(8)
    ]  # fmt: skip
    values.sort(key=lambda v: int(str(v["event_time_ms"])))
    survey = surveyed(values)
    changes = {c.name: c.value for c in propose(SETTINGS, survey, Rate(0, 1.0))}
    assert changes["detect.p_novel"] <= 0.1


@pytest.mark.parametrize(
    ("name", "says"),
    [("A2", "no detect.burst_margin brings"), ("A4-day", "spaced_10min_24h")],
    ids=["burst", "slow"],
)
def test_where_no_setting_brings_the_target_that_is_said_with_its_numbers(
    name: str, says: str
) -> None:
    floods = merged(*(generate(name, seed, recipient=seed) for seed in range(3)))
    survey = surveyed([event.value for event in floods])
    alarms = survey.alarms.counts(frozenset())[1]
    assert alarms >= len(survey.alarms.by_recipient) == 3
    (reason,) = unreached(survey, Rate(alarms, 1000.0), frozenset())
    assert says in reason
    assert "3,000 per million" in reason
    changes = propose(SETTINGS, survey, Rate(alarms, 1000.0))
    assert not [c for c in changes if c.name == "detect.burst_margin"]
    assert not list(unreached(survey, Rate(0, 1000.0), frozenset()))


def test_sizes_of_one_file_are_those_of_all_partitions() -> None:
    params = whole(Params(), 32)
    assert params.sieve.rows_max == (1 << 24) - 2
    assert params.suspects_max == 32 * Params().suspects_max


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    codes = Rates(marketing=0, courier=0, notices=0, personal=0)
    calm = ordinary(3000, DEFAULT_START_MS - DAY_MS, 1, duration_ms=2 * DAY_MS, rates=codes)
    attack = generate("A1", 3, recipient=7, history=False)
    path = tmp_path_factory.mktemp("history") / "days.jsonl.gz"
    lines = [json.dumps(event.value) for event in merged(calm, attack)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def run(*arguments: str) -> dict[str, Any]:
    import typer

    app = typer.Typer()
    app.command()(command.calibrate)
    result = CliRunner().invoke(app, [*arguments, "--json", "-q"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_everything_from_a_file_to_settings_that_the_program_accepts(
    history: Path, tmp_path: Path
) -> None:
    settings, page = tmp_path / "proposed.toml", tmp_path / "page.html"
    found = run(str(history), "--write", str(settings), "--report", str(page))
    rates = found["rates"]["current"]
    assert rates["throttle"]["episodes"] == 1
    assert rates["throttle"]["standing"] in ("open", "exceeded")
    load(settings)
    html = page.read_text()
    assert not re.search(r'(src|href)="(?!#|data:)|url\((?!#)|<script', html), "it links to nothing"
    assert "8617000000007" not in html, "recipients are masked"
    assert html.count("<svg") == 7


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


def test_a_command_to_exempt_is_written_where_the_number_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    week = tmp_path / "week.jsonl"
    events = (
        json.dumps(event.value)
        for day in range(7)
        for event in generate(
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


def test_a_target_out_of_reach_is_said_in_text_json_and_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    floods, page = tmp_path / "floods.jsonl", tmp_path / "page.html"
    events = merged(*(generate("A2", seed, recipient=seed, history=False) for seed in range(3)))
    floods.write_text("\n".join(json.dumps(event.value) for event in events))
    found = run(str(floods), "--report", str(page))
    (reason,) = found["unreached"]
    assert reason in page.read_text()
    command._say(found)
    said = capsys.readouterr().out
    assert f"warning: the target is out of reach: {reason}" in said
    assert "stay in shadow" in said


@pytest.mark.parametrize("content", ["", '{"x": 1}\n'], ids=["empty", "no-events"])
def test_a_history_without_events_is_an_error_and_no_result(content: str, tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(content)
    with pytest.raises(UsageError, match="no event that counts"):
        run(str(file))


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


@pytest.mark.kafka
def test_a_range_of_a_topic_is_read_twice_and_nothing_is_committed(
    kafka: Broker, unique: str
) -> None:
    clients = {"bootstrap_servers": kafka.bootstrap}
    admin = KafkaAdminClient(**clients)
    admin.create_topics({unique: {"num_partitions": 2, "replication_factor": 1}})
    producer = KafkaProducer(**clients)
    start_ms = DEFAULT_START_MS
    for i in range(1000):
        producer.send(unique, b"%d" % i, partition=i % 2, timestamp_ms=start_ms + i * 1000)
    producer.flush()
    producer.close()
    topic = TopicHistory(clients, unique, start_ms + 200_000, start_ms + 700_000)
    for _ in range(2):
        told: list[int] = []
        slices = list(topic.slices(told.append))
        assert sorted(int(v or b"") for each in slices for v in each.values) == [*range(200, 700)]
        assert sum(told) == topic.records == 500
        for each in slices:
            assert each.timestamps_ms is not None
            assert (each.timestamps_ms - start_ms == 1000 * np.array(each.values).astype(int)).all()
    assert not [group for group in admin.list_groups() if unique in str(group)]
    admin.close()
    with pytest.raises(ConfigError, match="no topic"):
        TopicHistory(clients, f"{unique}-absent", None, None)
