"""`otpguard explain` of a file: whose records, in which form, and what is no record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.common.errors import UsageError
from tests.streams.cli.called import called, refused


@pytest.fixture(scope="module")
def decisions(tmp_path_factory: pytest.TempPathFactory) -> str:
    events = called("scenario", "A1", "--seed", "3")
    path = tmp_path_factory.mktemp("explain") / "decisions.jsonl"
    path.write_text(called("replay", "-", "-q", "--episodes", given=events), encoding="utf-8")
    return str(path)


def test_every_record_is_explained_in_its_order(decisions: str) -> None:
    said = called("explain", decisions)
    assert "8617000000000" in said
    assert said.index("WATCH") < said.index("THROTTLE")


def test_only_the_last_of_an_episode_when_asked(decisions: str) -> None:
    whole = json.loads(called("explain", decisions, "--json"))
    last = json.loads(called("explain", decisions, "--last", "--json"))
    assert len(whole) > len(last) == 1


def test_records_are_found_by_recipient_episode_and_action(decisions: str) -> None:
    lines = [json.loads(line) for line in Path(decisions).read_text().splitlines()]
    action = next(each for each in lines if "action_id" in each)
    for named in ("+8617000000000", action["episode_id"], action["action_id"]):
        assert called("explain", decisions, "--only", named)
    refused(UsageError, "no records of 86139", "explain", decisions, "--only", "86139")


def test_a_line_that_is_no_record_is_named_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('\n{"secret": 1}\n', encoding="utf-8")
    with pytest.raises(UsageError) as found:
        called("explain", str(path))
    assert "line 2: no episode and no action" in str(found.value)
    assert "secret" not in str(found.value)
