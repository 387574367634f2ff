"""`otpguard scenario`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from streams.__main__ import app
from streams.tools.scenarios import SCENARIOS, generate


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["scenario", *arguments])


def lines(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_it_writes_the_values_that_the_generator_gives() -> None:
    assert lines(run("A1", "--seed", "3")) == [event.value for event in generate("A1", 3)]


def test_several_recipients_go_through_it_at_once() -> None:
    values = lines(run("A2", "--recipients", "3", "--first", "40", "--no-history"))
    assert {v["recipient"] for v in values} == {f"86170000000{n}" for n in (40, 41, 42)}
    times = [v["event_time_ms"] for v in values]
    assert times == sorted(times)  # type: ignore[type-var]


def test_it_begins_when_told() -> None:
    values = lines(run("B4", "--start", "2026-05-01T08:00+0800", "--no-history"))
    begin = 1_777_593_600_000
    assert all(begin <= int(str(v["event_time_ms"])) < begin + 600_000 for v in values)


def test_parameters_of_the_scenario_can_be_set() -> None:
    values = lines(run("A4", "--set", "hours=24", "--set", "messages=96", "--no-history"))
    # The bank's code, sent twice, and two of known platforms, which are asked for again at times.
    assert 96 + 2 + 2 <= len(values) <= 96 + 2 + 2 * 7


def test_the_list_names_every_scenario_for_people_and_for_machines() -> None:
    text = run("--list")
    assert text.exit_code == 0
    assert [line.split()[0] for line in text.stdout.splitlines()] == ["name", *SCENARIOS]
    entries = json.loads(run("--list", "--json").stdout)
    assert [entry["name"] for entry in entries] == list(SCENARIOS)
    assert entries[0]["parameters"]["platforms"] == 60


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--list"),
        (("A99",), "no scenario 'A99'"),
        (("A1", "--set", "speed=3"), "it has: platforms"),
        (("A1", "--set", "platforms=many"), "must be a number"),
        (("A1", "--set", "platforms=10000"), "larger than population"),
        (("A1", "--start", "tomorrow"), "--start"),
    ],
)
def test_wrong_usage_is_one_clear_message(arguments: tuple[str, ...], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.output.replace("\n", " ").split())
    assert "Traceback" not in result.output
