"""`otpguard doctor`: what it finds is a line with a remedy, or a document; one exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from streams.cli.doctor import MARKS, exit_code
from streams.common.errors import Exit, UsageError
from streams.tools.operate.local_checks import Check, State
from tests.builders.streams.cli.terminal import in_a_terminal
from tests.streams.cli.called import NOWHERE, called, refused, settings_file


def test_a_role_that_there_is_not_is_said_with_those_there_are() -> None:
    refused(UsageError, "'chef' is none of worker", "doctor", "--role", "chef")


def test_a_broker_that_is_away_is_wrong_and_says_what_to_do(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    said = called("doctor", "--config", config, code=Exit.CONFIG)
    assert f"{MARKS['bad']} " in said
    assert NOWHERE in said
    assert "-> " in said
    assert re.search(r"\b[1-9]\d* WRONG\b", said.splitlines()[-1])
    found = json.loads(called("doctor", "--json", "--config", config, code=Exit.CONFIG))
    assert {each["state"] for each in found} <= set(MARKS)
    assert [each for each in found if each["state"] == "bad"]


@pytest.mark.parametrize(
    ("states", "code"),
    [(["ok", "unknown"], 0), (["ok", "warn"], 1), (["warn", "bad"], Exit.CONFIG), ([], 0)],
)
def test_the_exit_code_is_that_of_the_worst_finding(states: list[State], code: int) -> None:
    assert exit_code(Check("lag", state, "") for state in states) == code


LONG_CHECK = """
from streams.cli.doctor import tell
from streams.tools.operate.local_checks import Check
tell([Check("ports", "bad", "sentence " * 30, "remedy " * 30)])
"""


def test_at_80_columns_a_long_finding_and_its_remedy_end_lines_between_words() -> None:
    shown = in_a_terminal(80, "-c", LONG_CHECK)
    assert max(map(cell_len, shown.splitlines())) <= 80
    assert shown.split().count("sentence") == shown.split().count("remedy") == 30
