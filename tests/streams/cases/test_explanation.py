"""Explanations: what a person reads is what the record says, in every form."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from detectors.episodes.episode import REASONS
from detectors.model.event import Trust, platform_id
from detectors.model.records import EpisodeRecord, Level, merge_renewal, refuses
from streams.cases import explanation as explain
from streams.cases.log_replay import outputs, replay
from streams.config import Settings
from streams.tools.scenarios import generate
from streams.wire import decode_episode
from tests.builders.detectors.chain import ENFORCE, flood, many_platforms
from tests.detectors.stand_in import run as decide

SETTINGS = Settings()
GOLDEN = Path(__file__).parents[2] / "golden" / "otpguard.episode.v1.jsonl"


def replayed(name: str, seed: int = 3) -> list[bytes]:
    lines = [json.dumps(event.value).encode() for event in generate(name, seed)]
    steps = replay(SETTINGS, [lines])
    return list(chain.from_iterable(outputs(step, SETTINGS.topics.episode) for step in steps))


@pytest.fixture(scope="module")
def episodes() -> list[EpisodeRecord]:
    return [decode_episode(line) for line in replayed("A1") if line.startswith(b'{"topic"')]


@pytest.fixture(scope="module")
def throttled(episodes: list[EpisodeRecord]) -> EpisodeRecord:
    return next(record for record in episodes if record.level is Level.THROTTLE)


def test_every_sighting_is_told_with_its_fate(throttled: EpisodeRecord) -> None:
    told = explain.explain(throttled)
    assert len(told.sightings) == len(throttled.sightings)
    for row, sighting in zip(told.sightings, throttled.sightings, strict=True):
        assert row[2] == ("new" if sighting.novel else "known")
        passes = not sighting.novel or sighting.trust in throttled.scope.trust
        assert row[3].startswith("lets it pass" if passes else "refuses it")


def test_the_rule_its_score_and_what_it_is_not_are_there(throttled: EpisodeRecord) -> None:
    text = "\n".join(explain.lines(throttled))
    step = throttled.path[-1]
    assert f"THROTTLE  {step.rule} {step.score:g} of {step.threshold:g}" in text
    assert "a new phone's log-ins: those come 54 to 90 s apart" in text
    assert "refused: nothing (observed); enforced, codes of platforms" in text


@pytest.mark.parametrize("known", [14, 40, 60])
def test_platforms_beyond_the_row_are_told_as_known_and_pass(known: int) -> None:
    decisions = decide(ENFORCE, many_platforms(known) + flood(9))
    record = next(each for each in decisions.episodes if each.level is Level.THROTTLE)
    assert f"it knew {known} platforms, in " in "\n".join(explain.lines(record))
    for number in range(known):
        assert not refuses(record.scope, platform_id(f"known {number}"), Trust.NONE)
    assert refuses(record.scope, platform_id("new 1"), Trust.NONE)


def test_cells_of_a_sighting_are_the_same_in_lines_and_in_parts(throttled: EpisodeRecord) -> None:
    page = "\n".join(explain.lines(throttled))
    for cell in chain.from_iterable(explain.explain(throttled).sightings):
        assert cell in page


def test_a_renewal_is_explained_with_the_records_before_it(episodes: list[EpisodeRecord]) -> None:
    first, renewed = (
        next(each for each in episodes if each.change == change) for change in ("raised", "renewed")
    )
    told = explain.explain(merge_renewal(renewed, first))
    assert ", renewed at " in told.facts[0]
    assert told.path
    assert told.rungs
    assert told.passes
    assert "refuses it" in {fate for *_, fate in told.sightings}


def test_resending_is_told_as_what_it_is() -> None:
    lines = [line for line in replayed("A7") if b'"resend"' in line]
    text = "\n".join(explain.lines(decode_episode(lines[0])))
    assert "one platform re-sends" in text
    assert "nothing: the platform is reported, the recipient is not throttled" in text
    assert "known" not in text, "whether the recipient knows the platform was never asked"
    assert "it knew" not in text


def test_a_limit_on_single_platforms_is_told_with_its_rule_and_its_platforms() -> None:
    line = next(x for x in GOLDEN.read_bytes().splitlines() if b'"kind":"limit"' in x)
    record = decode_episode(line)
    text = "\n".join(explain.lines(record))
    assert "codes of 1 platform are refused, and no others (enforce), because one platform" in text
    assert "codes of one new platform after its first one, within 35 minutes" in text
    assert "refuses it" in text
    over = "\n".join(explain.lines(replace(record, level=Level.CLEAR)))
    assert "refused: nothing any more" in over


@pytest.mark.parametrize("guide", ["hotline.md", "hotline.zh.md"])
def test_explain_and_both_guides_for_the_telephone_say_each_rule_in_a_sentence(guide: str) -> None:
    text = (Path(__file__).parents[3] / "deploy" / guide).read_text("utf-8")
    for rule in REASONS.keys() - {"quiet"}:
        assert rule in explain.RULES
        named = (f"| `{rule}" in text, f"`{rule.split('_')[0]}" in text, f"`{rule[:11]}`" in text)
        assert any(named), rule
    for words in {"young", "narrow"} if "zh" in guide else {"young", "narrow", "retry window"}:
        assert words in text
