"""What the detector is for, on fixed seeds: the small form of `make evaluate`.

`make integration` plays the scenarios of `LATER`, which take half a minute of computing together.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from detectors.chain import Params
from streams.tools.scenarios import (
    DEFAULT_START_MS,
    Labelled,
    Role,
    generate,
    merge_streams,
    ordinary,
)
from streams.tools.scenarios.platform_profiles import ABUSED
from tests.scenarios.evaluate import (
    Row,
    could_matter,
    could_throttle,
    outlined,
    play_part,
    stream,
)
from tests.scenarios.figures import Figures
from tests.scenarios.people import PLAIN
from tests.scenarios.play import PARAMS, play
from tests.scenarios.trace import person_to_person

TRACE = Path(__file__).with_name("copenhagen-sms.csv.gz")
"""SMS of the Copenhagen Networks Study. README.md of this folder names authors and licence."""
HOUR_MS = 3_600_000

LATER = ("A5", "A9", "A12", "A18")
"""A week-long flood, and the disguises of 200 incidents besides A8."""


@cache
def figures(name: str, runs: int, *, confidence_min: float = 0.5, **parameters: Any) -> Figures:
    """The first runs of a scenario, seeds 0 to `runs` - 1."""
    part = 1 if runs == 1 else runs
    row = Row(name, name, runs, part, {**PLAIN, **parameters}, confidence_min)
    return play_part(row, 0, runs)


def split(*cases: tuple[str, int]) -> list[ParameterSet]:
    """Scenarios and runs as parameters of a test; those of `LATER` are for `make integration`."""
    marks = dict.fromkeys(LATER, pytest.mark.integration)
    return [pytest.param(*case, marks=marks.get(case[0], ())) for case in cases]


@pytest.mark.parametrize(
    ("platforms", "missed_max"), [(60, 0.03), (40, 0.08)], ids=["60-platforms", "40-platforms"]
)
def test_the_incident_is_noticed_and_stopped_in_time(platforms: int, missed_max: float) -> None:
    found = figures("A1", 200, platforms=platforms)
    assert found.missed <= missed_max
    assert found.minutes(found.throttle, 0.5) <= 3.2
    assert found.messages(found.throttle, 0.5) <= 8
    if platforms == 60:
        assert found.minutes(found.watch, 0.5) <= 1.5
        assert found.minutes(found.throttle, 0.95) <= 14
        assert found.after / found.flood >= 0.8


@pytest.mark.parametrize(("name", "runs"), [("A2", 20), ("A3", 20)])
def test_a_burst_is_stopped_within_seconds(name: str, runs: int) -> None:
    found = figures(name, runs)
    assert found.missed == 0
    assert found.minutes(found.throttle, 0.5) <= 0.25
    assert found.messages(found.throttle, 0.5) <= 8


def test_a_slow_flood_is_at_least_watched() -> None:
    found = figures("A4", 60)
    assert len(found.watch) >= 0.7 * found.recipients


def test_a_day_long_flood_is_stopped() -> None:
    found = figures("A4-day", 60)
    assert found.missed <= 0.05


def held_by_day(params: Params) -> list[float]:
    """The share of a week-long flood that is refused, on the worst day first."""
    sent, refused = Counter[int](), Counter[int]()
    for seed in range(2):
        for outcome in play(generate("A5", seed, **PLAIN), params=params).values():
            sent += outcome.flood_by_day
            refused += outcome.refused_by_day
    assert len(sent) == 7
    return sorted(refused[day] / sent[day] for day in sent)


def test_a_week_long_flood_is_held_back_every_day() -> None:
    assert held_by_day(replace(PARAMS, episode=replace(PARAMS.episode, again=False)))[0] >= 0.98


@pytest.mark.integration
def test_second_requests_let_a_hundredth_of_it_pass() -> None:
    assert held_by_day(PARAMS)[0] >= 0.97


@pytest.mark.parametrize(
    ("name", "runs"), split(("A8", 200), ("A9", 200), ("A12", 200), ("A18", 200))
)
def test_disguises_delay_it_little(name: str, runs: int) -> None:
    plain, found = figures("A1", 200), figures(name, runs)
    assert found.missed <= 0.03
    assert found.minutes(found.throttle, 0.5) <= 1.26 * plain.minutes(plain.throttle, 0.5)


def test_a_feed_without_texts_is_defended_too() -> None:
    plain, found = figures("A1", 200), figures("A9-sender", 200, confidence_min=0.4)
    assert found.missed <= 0.03
    assert found.minutes(found.throttle, 0.5) <= 1.31 * plain.minutes(plain.throttle, 0.5)


def test_a_campaign_is_a_flood_at_each_of_its_recipients() -> None:
    found = figures("A6", 1)
    assert found.recipients == 500
    assert found.missed <= 0.15  # 20 codes in 30 minutes are as slow as a person


@pytest.mark.parametrize(
    ("platforms", "gap_s", "repeats", "most"),
    [(12, 41, 15, 50), (36, 41, 10, 65), (53, 60, 10, 50)],
)
def test_priming_does_not_buy_a_blast(
    platforms: int, gap_s: float, repeats: int, most: int
) -> None:
    found = figures("A13", 20, platforms=platforms, gap_s=gap_s, repeats=repeats)
    assert found.missed == 0
    assert found.messages(found.throttle, 0.95) <= most


def played(name: str, runs: int, stride: int = 256, **parameters: Any) -> Figures:
    """The same beside other traffic, which moves ticks."""
    people = {**PLAIN, **parameters}
    return play_part(Row(name, name, runs, runs, people, stride=stride), 0, runs)


@pytest.mark.parametrize("stride", [1, 64, 1000])
def test_a_taught_memory_gives_up_nothing_that_came_in_three_weeks(stride: int) -> None:
    """However much other traffic there is: where ticks are rare, suspects stay suspects."""
    found = played("A14", 20, stride)
    assert len(found.throttle) == found.recipients
    assert found.sent[Role.KNOWN] >= 13 * 20
    assert found.refused[Role.KNOWN] == found.refused[Role.BANK] == 0


def test_who_changes_platforms_for_years_keeps_being_served() -> None:
    found = played("B13", 20)
    assert (found.watch, found.throttle) == ([], [])
    rushed = played("B13", 20, rush=10)
    assert len(rushed.throttle) >= 15
    # Of some 5,500 codes. With other people it was one of a platform unused for 611 days, and one
    # whose only code before was refused as ahead of the log.
    assert rushed.refused[Role.KNOWN] <= 0.001 * rushed.sent[Role.KNOWN]
    assert rushed.refused[Role.NEW] == 0


@pytest.mark.parametrize("name", ["A7", "A10"])
def test_one_platform_alone_is_no_flood(name: str) -> None:
    found = figures(name, 10 if name == "A7" else 1)
    assert (found.watch, found.throttle) == ([], [])


@pytest.mark.parametrize(
    ("name", "runs"),
    split(
        ("A1", 200), ("A2", 20), ("A3", 20), ("A4", 60), ("A4-day", 60), ("A5", 2), ("A6", 1),
        ("A7", 10), ("A8", 200), ("A9", 200), ("A11", 200), ("A12", 200), ("A13", 20),
    ),
)  # fmt: skip
def test_trusted_platforms_always_get_through_and_known_ones_unless_the_flood_abuses_them(
    name: str, runs: int
) -> None:
    found = figures(name, runs)
    assert found.sent[Role.BANK] >= 2 * runs
    assert found.refused[Role.BANK] == 0
    assert found.sent[Role.KNOWN] >= runs
    # In 100 runs of A3 one of 296 own codes is refused: the flood had sent nine of that platform in
    # the hour before, among 2,000 codes, so the limit on all platforms together holds for it.
    assert found.refused[Role.KNOWN] <= (1 if name == "A3" else 0)


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("B1", 200), ("B3", 200), ("B4", 200), ("B7", 50), ("B8", 50),
        ("B9", 50), ("B10", 50), ("B12", 1),
    ],
)  # fmt: skip
def test_nothing_that_only_looks_like_an_attack_is_throttled(name: str, runs: int) -> None:
    found = figures(name, runs)
    assert found.recipients >= runs
    assert found.throttle == []
    assert sum(found.refused.values()) == 0


def test_a_test_number_is_not_throttled_although_its_one_platform_has_a_limit() -> None:
    """A number of a platform's own tests gets hundreds of its codes a day, like a flood of one."""
    assert figures("B6", 5).throttle == []


def test_a_power_user_is_throttled_in_a_few_cases_of_a_hundred_at_most() -> None:
    found = figures("B2", 200)
    assert len(found.throttle) <= 0.02 * found.recipients  # 1e-6 of all days, as 1 in 20,000 is one


def test_a_number_that_turned_shared_is_left_alone_from_the_fifth_day_on() -> None:
    found = figures("B5", 20)
    assert found.throttled_by_day[0] > 0, "numbers that nothing happens to prove nothing"
    assert not any(found.throttled_by_day[day] for day in (4, 5, 6))


def test_a_shared_number_that_was_watched_is_not_watched_for_good() -> None:
    parameters = {**PLAIN, "platforms": 12, "a_day": 120}
    found = play_part(Row("B5", "B5", 1, parameters=parameters), 28, 1)  # watched on its first day
    assert len(found.watch) == 1
    assert not found.throttle


def test_a_public_number_is_throttled_every_day_and_keeps_what_it_knows() -> None:
    found = figures("B11", 1)
    assert set(found.throttled_by_day) == {0, 1, 2}  # chronic, for a person to exempt
    assert found.sent[Role.KNOWN] > 0
    assert found.refused[Role.KNOWN] == 0


@pytest.mark.parametrize(
    ("name", "runs", "parameters"), [("B1", 100, {"gap_s": 45}), ("B3", 1500, {"ads": 0})]
)
def test_runs_that_are_not_played_could_not_raise_an_alarm(
    name: str, runs: int, parameters: dict[str, Any]
) -> None:
    row = Row(name, name, runs, parameters={**PLAIN, **parameters})
    outcomes = play(stream(row, 0, runs))
    alarmed = {recipient for recipient, outcome in outcomes.items() if outcome.watch}
    kept = set[str]()
    for seed in range(runs):
        events = list(stream(row, seed, 1, history=False))
        kept |= {events[0].value["recipient"]} if could_matter(events) else set()
    assert alarmed
    assert alarmed <= kept
    assert len(kept) < runs


@pytest.mark.parametrize(
    ("name", "runs", "parameters"),
    [("B1", 60, {"gap_s": 36}), ("B2", 60, {"gap_s": 40}), ("B3", 300, {"ads": 0})],
)
@pytest.mark.parametrize("abused", [0.05, 0.5])
def test_an_outline_shows_all_runs_that_are_throttled(
    name: str, runs: int, parameters: dict[str, Any], abused: float
) -> None:
    row = Row(name, name, runs, parameters={"memory": 14, "abused": abused, **parameters})
    outcomes = play(stream(row, 0, runs), hot=ABUSED)
    throttled = {recipient for recipient, outcome in outcomes.items() if outcome.throttle}
    hot = frozenset(who.name for who in ABUSED)
    kept = set[str]()
    for seed in range(runs):
        outline, known = outlined(row, seed)
        full = [*stream(row, seed, 1, history=False)]
        times = [each.value["event_time_ms"] for each in full]
        assert [each.value["event_time_ms"] for each in outline] == times
        assert [e.truth.platform for e in outline] == [e.truth.platform for e in full]
        kept |= {full[0].value["recipient"]} if could_throttle(outline, known, hot) else set()
    assert throttled or name == "B3"
    assert throttled <= kept
    assert len(kept) < runs or abused == 0.5


@pytest.mark.parametrize(
    ("name", "runs"),
    split(("A1", 200), ("A8", 200), ("A12", 200), ("B1", 200), ("B3", 200), ("B7", 50), ("B8", 50)),
)
def test_codes_are_told_from_what_is_none(name: str, runs: int) -> None:
    found = figures(name, runs)
    codes = [role for role in Role if role is not Role.OTHER]
    assert sum(found.recognised[r] for r in codes) >= 0.99 * sum(found.sent[r] for r in codes)
    assert found.recognised[Role.OTHER] == 0


@pytest.mark.parametrize("seed", [3, 20])
def test_in_the_traffic_of_twenty_thousand_only_the_victim_is_throttled(seed: int) -> None:
    victim = 1_000_000

    def traffic() -> Iterator[Labelled]:
        look_alikes = (
            generate(name, seed, recipient=2_000_000 + n, start_ms=DEFAULT_START_MS + n * 300_000)
            for n, name in enumerate(("B1", "B2", "B4"))
        )
        incident = generate("A1", seed, recipient=victim)
        everyday = ordinary(20_000, DEFAULT_START_MS, seed, duration_ms=HOUR_MS)
        return merge_streams(*look_alikes, incident, everyday)

    outcomes = play(traffic())
    throttled = [recipient for recipient, outcome in outcomes.items() if outcome.throttle]
    assert throttled == ["8617001000000"]


@pytest.mark.parametrize("as_codes", [False, True], ids=["as-they-were", "as-if-codes"])
def test_real_conversations_raise_no_alarm(*, as_codes: bool) -> None:
    with gzip.open(TRACE, "rt", encoding="utf-8") as lines:
        events = person_to_person(lines, DEFAULT_START_MS, as_codes=as_codes)
        first = next(events)
        outcomes = play(chain([first], events))
    assert len(outcomes) > 500
    assert sum(sum(o.recognised.values()) for o in outcomes.values()) == (24_333 if as_codes else 0)
    assert not any(outcome.throttle for outcome in outcomes.values())
    # One phone had 67 messages in 35 minutes: if they were codes, it would be one to look at.
    assert sum(outcome.watch is not None for outcome in outcomes.values()) == int(as_codes)
