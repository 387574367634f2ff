"""`otpguard size`: the same figures in words and in JSON."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from streams.__main__ import app


def test_the_command_says_it_in_words_and_in_json() -> None:
    words = ["size", "--events", "100000", "--recipients", "10000000"]
    told = CliRunner().invoke(app, words, catch_exceptions=False)
    assert told.exit_code == 0
    assert "measure your own traffic" in told.output
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert found["workers"] == 4
    assert found["input_day_bytes"] == 3 * 100_000 * 86_400 * 378
    one = json.loads(CliRunner().invoke(app, [*words, "--json", "--replicas", "1"]).output)
    assert one["input_day_bytes"] * 3 == found["input_day_bytes"]
    assert CliRunner().invoke(app, ["size", "--events", "0", "--recipients", "1"]).exit_code == 2


def test_what_is_too_much_for_one_installation_is_said_with_what_to_do_instead() -> None:
    words = ["size", "--events", "100000000", "--recipients", "10000000000"]
    told = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "installations; what follows is of each" in told.output
    assert "one installation has 1,024 partitions at most" in told.output
    assert "share of the subscribers" in " ".join(told.output.split())
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert (found["installations"], found["partitions"]) == (4, 1024)
    small = CliRunner().invoke(app, ["size", "--events", "9", "--recipients", "9"]).output
    assert "installation" not in small
