"""The survey: the detector over a history, and what is counted beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from detectors.chain import Params
from detectors.model.event import Batch
from detectors.model.records import EpisodeRecord, Level
from streams import wire
from streams.tools.calibrate.survey import Alarmed, Alarms, _pieces, aside, whole
from streams.tools.scenarios import DEFAULT_START_MS, generate, merge_streams, ordinary
from tests.builders.streams.tools.calibrate.survey import (
    DAY_MS,
    HOUR_MS,
    SETTINGS,
    people,
    surveyed,
)


def test_the_survey_decides_as_the_chain_does_however_the_history_is_cut() -> None:
    values = [
        event.value for event in merge_streams(generate("A1", 3), generate("B2", 3, recipient=12))
    ]
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


def test_stray_clocks_make_no_days() -> None:
    values = people(60)
    stray = [{**values[0], "event_time_ms": DEFAULT_START_MS - i * DAY_MS} for i in range(1, 50)]
    busy = [event.value for event in ordinary(20_000, DEFAULT_START_MS, 2, duration_ms=6 * HOUR_MS)]
    survey = surveyed([*stray, *busy])
    assert 6 / 24 <= survey.days <= 8 / 24


def test_sizes_of_one_file_are_those_of_all_partitions() -> None:
    params = whole(Params(), 32)
    assert params.sieve.rows_max == (1 << 24) - 2
    assert params.suspects_max == 32 * Params().suspects_max


GOLDEN = Path(__file__).parents[3] / "golden" / "otpguard.episode.v1.jsonl"
RECORD = wire.decode_episode(GOLDEN.read_bytes().splitlines()[0])


def told(name: str, **more: Any) -> EpisodeRecord:
    fields: dict[str, Any] = {"kind": "flood", "change": "opened", "level": Level.WATCH}
    return replace(
        RECORD, recipient=name, episode_id=f"e-{name}", chronic=False, **{**fields, **more}
    )


def test_alarms_count_what_opened_or_rose_and_nothing_else() -> None:
    alarms = Alarms()
    rise = told("a", change="raised", level=Level.THROTTLE)
    alarms.take([told("a"), rise, told("a", change="ended"), told("b", kind="resend")])
    assert alarms.by_recipient.keys() == {"a"}
    held = alarms.by_recipient["a"]
    assert (held.watch, held.throttle, held.episodes) == (1, 1, ["e-a"])
    assert held.record == rise
    assert alarms.counts(frozenset()) == (1, 1)


def test_limits_on_single_platforms_and_rules_are_counted_without_those_set_aside() -> None:
    alarms = Alarms()
    limit = replace(told("a", kind="limit"), reason=replace(RECORD.reason, rule="limit_24h"))
    rise = told("b", change="raised", level=Level.THROTTLE)
    alarms.take([limit, replace(limit, change="renewed"), replace(limit, change="ended"), rise])
    days = [len(alarms.by_recipient[name].limits) for name in "ab"]
    assert days == [1, 0]
    assert alarms.rules(frozenset()) == {"limit_24h": 1, RECORD.reason.rule: 1}
    assert alarms.rules(frozenset({"a"})) == {RECORD.reason.rule: 1}
    assert alarms.counts(frozenset()) == (0, 1), "a limit is no alarm of a flood"


def test_who_is_one_too_many_is_counted_without_a_name() -> None:
    alarms = Alarms(recipients_max=1)
    alarms.take([told("a"), told("b"), told("c"), told("a")])
    assert alarms.by_recipient.keys() == {"a"}
    assert alarms.counts(frozenset()) == (4, 0)


def test_chronic_and_judged_recipients_are_set_aside() -> None:
    assert aside("a", Alarmed(chronic=True), frozenset())
    assert aside("a", Alarmed(), frozenset({"a"}))
    assert aside("a", Alarmed(episodes=["e"]), frozenset({"e"}))
    assert not aside("a", Alarmed(episodes=["e"]), frozenset({"b"}))


def test_so_many_throttles_of_one_recipient_keep_their_ids() -> None:
    alarms = Alarms()
    for i in range(30):
        rise = told("a", change="raised", level=Level.THROTTLE)
        alarms.take([replace(rise, episode_id=f"e{i}")])
    assert alarms.by_recipient["a"].episodes == [f"e{i}" for i in range(16, 30)]


def test_nothing_read_covers_no_days() -> None:
    survey = surveyed([])
    assert (survey.days, survey.messages) == (0.0, 0)
    assert survey.stamps() == {}
