"""Explanations: what a person reads is what the record says, in every form."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from detectors.episodes.episode import REASONS
from detectors.model.event import Trust, platform_id
from detectors.model.records import EpisodeRecord, Level, refuses
from streams.cases import explanation as explain
from streams.cases.log_replay import outputs, replay
from streams.cli.explain import explain as command
from streams.config import Settings
from streams.tools.scenarios import generate
from streams.wire import decode_episode
from tests.builders.detectors.chain import ENFORCE, flood, many_platforms
from tests.detectors.stand_in import run as decide
from tests.enforce.records import action

SETTINGS = Settings()
GOLDEN = Path(__file__).parents[2] / "golden" / "otpguard.episode.v1.jsonl"


def replayed(name: str, seed: int = 3) -> list[bytes]:
    lines = [json.dumps(event.value).encode() for event in generate(name, seed)]
    steps = replay(SETTINGS, [lines])
    return list(chain.from_iterable(outputs(step, SETTINGS.topics.episode) for step in steps))


@pytest.fixture(scope="module")
def decisions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decisions") / "decisions.jsonl"
    path.write_bytes(b"".join(replayed("A1")))
    return path


@pytest.fixture(scope="module")
def throttled(decisions: Path) -> EpisodeRecord:
    records = [
        decode_episode(line)
        for line in decisions.read_bytes().splitlines()
        if line.startswith(b'{"topic"')
    ]
    return next(record for record in records if record.level is Level.THROTTLE)


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments, input=stdin)


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
    assert "only observed: published, but not enforced by gateways" in text
    assert "refused: nothing yet (only observed)" in text


@pytest.mark.parametrize("known", [14, 40, 60])
def test_platforms_beyond_the_row_are_told_as_known_and_pass(known: int) -> None:
    decisions = decide(ENFORCE, many_platforms(known) + flood(9))
    record = next(each for each in decisions.episodes if each.level is Level.THROTTLE)
    assert f"it knew {known} platforms, in " in "\n".join(explain.lines(record))
    for number in range(known):
        assert not refuses(record.scope, platform_id(f"known {number}"), Trust.NONE)
    assert refuses(record.scope, platform_id("new 1"), Trust.NONE)


def test_lines_and_json_say_the_same(throttled: EpisodeRecord) -> None:
    told, document = explain.explain(throttled), explain.document(throttled)
    page = "\n".join(explain.lines(throttled))
    assert list(map(tuple, document["sightings"])) == list(told.sightings)
    for cell in chain.from_iterable(told.sightings):
        assert cell in page
    json.dumps(document)


def test_a_renewal_in_a_file_is_explained_with_the_records_before_it(decisions: Path) -> None:
    told = json.loads(run(str(decisions), "--json").stdout)
    renewals = [t for t in told if not isinstance(t, str) and ", renewed at " in t["facts"][0]]
    assert renewals
    for each in renewals:
        assert [each["path"], each["rungs"], each["passes"]].count([]) == 0
        assert {fate for *_, fate in each["sightings"]} >= {"refuses it"}
        assert len(each["sightings"]) > 5


def test_resending_is_told_as_what_it_is() -> None:
    lines = [line for line in replayed("A7") if b'"resend"' in line]
    text = "\n".join(explain.lines(decode_episode(lines[0])))
    assert "one platform re-sends" in text
    assert "nothing: the platform is reported, the recipient is not throttled" in text
    assert "known" not in text, "whether the recipient knows the platform was never asked"
    assert "it knew" not in text


def test_replays_output_is_explained_from_a_file_and_from_standard_input(decisions: Path) -> None:
    from_file = run(str(decisions))
    assert from_file.exit_code == 0, from_file.output
    assert from_file.output == run("-", stdin=decisions.read_bytes()).output
    assert "throttle of 8617000000000, shadow" in from_file.output
    assert run(str(decisions), "--last").output.count("levels\n") == 1
    assert run(str(decisions), "--only", "8617000000000", "--json").exit_code == 0
    assert run(str(decisions), "--only", "861").exit_code != 0


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('\n{"schema_version": 1}\n')
    result = run(str(path))
    assert "line 2" in str(result.exception)


def test_a_platform_lease_is_told_in_words_of_its_own() -> None:
    lease = replace(action(verb="throttle_platforms"), refused_ids=(1, 2))
    assert explain.format_lease(lease).startswith(
        "codes of 2 platforms to 8613900000001 are refused until"
    )
    assert "throttle_platforms of" in explain.format_lease(replace(lease, refused_ids=()))
    assert "retry_windows of" in explain.format_lease(replace(lease, verb="retry_windows"))


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
