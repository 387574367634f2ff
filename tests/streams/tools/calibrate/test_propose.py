"""Proposals: each from what was measured, none where the history does not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from detectors.suspects.clocks import ClockClass
from streams.config import Settings
from streams.tools.calibrate.alarm_rates import Rate
from streams.tools.calibrate.propose import ProposedChange, apply_changes, find_unreached, propose
from streams.tools.scenarios import DEFAULT_START_MS, generate, merge_streams
from tests.builders.detectors.recognise.fanout import BRANDS
from tests.builders.streams.tools.calibrate.survey import DAY_MS, SETTINGS, people, surveyed
from tests.scenarios import catalog


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
    better = surveyed(values, apply_changes(SETTINGS, changes))
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
    assert again.peaks.levels[50:].sum() == survey.peaks.levels[50:].sum() - 1
    assert name not in [miss.recipient for miss in again.peaks.misses]
    assert again.alarms.find_unmatched(frozenset({word, "nobody"})) == {"nobody"}
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
    floods = merge_streams(*(catalog.generate(name, seed, recipient=seed) for seed in range(3)))
    survey = surveyed([event.value for event in floods])
    alarms = survey.alarms.counts(frozenset())[1]
    assert alarms >= len(survey.alarms.by_recipient) == 3
    (reason,) = find_unreached(survey, Rate(alarms, 1000.0), frozenset())
    assert says in reason
    assert "3,000 per million" in reason
    changes = propose(SETTINGS, survey, Rate(alarms, 1000.0))
    assert not [c for c in changes if c.name == "detect.burst_margin"]
    assert not list(find_unreached(survey, Rate(0, 1000.0), frozenset()))


def test_a_feed_without_texts_lowers_the_confidence_that_counts() -> None:
    bare = [{k: v for k, v in value.items() if k != "text"} for value in people(3)]
    survey = surveyed(bare)
    changes = {c.name: c for c in propose(SETTINGS, survey, Rate(0, 10.0))}
    assert changes["recognise.confidence_min"].value == 0.4
    low = SETTINGS.model_copy(
        update={"recognise": SETTINGS.recognise.model_copy(update={"confidence_min": 0.3})}
    )
    assert not [c for c in propose(low, survey, Rate(0, 10.0)) if "confidence" in c.name]


def test_senders_with_many_names_in_their_texts_are_proposed() -> None:
    names = BRANDS[:10]
    values = [
        {**value, "sender": "AcmeSend", "text": f"Your {names[i % len(names)]} code is 482913"}
        for i, value in enumerate(people(60))
    ]
    survey = surveyed(values)
    changes = {c.name: c for c in propose(SETTINGS, survey, Rate(0, 10_000))}
    assert changes["recognise.shared_senders"].value == ["acmesend"]
    better = apply_changes(SETTINGS, list(changes.values()))
    assert "recognise.shared_senders" not in {
        c.name for c in propose(better, surveyed(values, better), Rate(0, 10_000))
    }


def test_an_empty_history_proposes_nothing() -> None:
    assert list(propose(SETTINGS, surveyed([]), Rate(0, 0.0))) == []


def test_few_sprees_propose_no_share_of_novel_platforms() -> None:
    changes = propose(SETTINGS, surveyed(people(10)), Rate(0, 10.0))
    assert not [c for c in changes if c.name == "detect.p_novel"]


def test_a_change_touches_its_setting_alone_and_is_checked() -> None:
    change = ProposedChange("detect.burst_margin", 0.0, 1.5, "so")
    settings = apply_changes(SETTINGS, [change])
    assert settings.detect.burst_margin == 1.5
    assert settings.recognise == SETTINGS.recognise
    assert isinstance(settings, Settings)
    with pytest.raises(ValueError, match="burst_margin"):
        apply_changes(SETTINGS, [ProposedChange("detect.burst_margin", 0.0, 99.0, "so")])
