"""`otpguard explain` of a file: whose records, in which form, and what is no record."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.common.errors import ConfigError, UsageError
from streams.wire import decode_audit, encode_action, encode_episode
from tests.builders.streams.cli.cases import Desk, desk
from tests.enforce.records import RECIPIENT
from tests.streams.cases.store.filled import flood
from tests.streams.cli.called import called, refused

__all__ = ["desk"]


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


@pytest.mark.broker
def test_a_case_is_a_page_of_its_own_that_only_its_owner_reads(desk: Desk) -> None:
    now_ms = time.time_ns() // 1_000_000
    record, lease = flood(at_ms=now_ms - 60_000)
    desk.put("episode", encode_episode(record))
    desk.put("throttle", encode_action(lease))
    page = desk.folder / "case.html"
    page.write_text("older")
    page.chmod(0o644)
    words = ("explain", f"+{RECIPIENT}", "--html", str(page))
    assert desk.ask(*words) == f"wrote {page}\n"
    assert page.stat().st_mode & 0o777 == 0o600
    told = page.read_text("utf-8")
    assert "+86 139 •••• 0001" in told
    assert RECIPIENT[2:] not in told.replace(" ", "")
    # Without the topic of incidents each platform is shown once.
    assert told.count('<tr><th scope="row">') == len({s.at_ms for s in record.sightings})
    clients = client_arguments(desk.kafka)
    looks = [decode_audit(each.value) for each in records(clients, desk.topics["audit"])]
    assert [(each.verb, each.subject) for each in looks] == [("search", RECIPIENT)]

    desk.ask(*words, "--numbers")
    assert "+86 139 0000 0001" in page.read_text("utf-8")
    with pytest.raises(UsageError, match="Is a directory"):
        desk.ask(*words[:3], str(desk.folder))


@pytest.mark.broker
def test_whole_numbers_are_for_who_may_write_the_audit(desk: Desk) -> None:
    settings = desk.folder / "otpguard.toml"
    settings.write_text(settings.read_text().replace(desk.topics["audit"], "nowhere"))
    page = str(desk.folder / "case.html")
    with pytest.raises(ConfigError, match="numbers are shown to who may write nowhere"):
        desk.ask("explain", RECIPIENT, "--html", page, "--numbers")


def test_a_page_is_of_a_case_and_not_of_a_file(decisions: str, tmp_path: Path) -> None:
    page = tmp_path / "case.html"
    refused(UsageError, "--html needs a number", "explain", decisions, "--html", str(page))
    assert not page.exists()


def test_a_line_that_is_no_record_is_named_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('\n{"secret": 1}\n', encoding="utf-8")
    with pytest.raises(UsageError) as found:
        called("explain", str(path))
    assert "line 2: no episode and no action" in str(found.value)
    assert "secret" not in str(found.value)
