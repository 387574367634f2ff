"""The hotline's question as typed, against a real broker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from streams.cases.store.engine import writing
from streams.cases.store.index_tables import places
from streams.common.clock import now_ms
from streams.common.errors import UsageError
from streams.wire import (
    encode_ack,
    encode_action,
    encode_counts,
    encode_episode,
    encode_override,
    override_key,
)
from tests.builders.streams.cases.standing import LATER, LEASE, OPENED, ack
from tests.builders.streams.cli.cases import Desk, desk
from tests.enforce.records import RECIPIENT, override
from tests.ports import free_port
from tests.streams.cases.store.filled import acked, counted, fill, flood, opened

__all__ = ["desk"]


@pytest.mark.broker
def test_a_caller_is_answered_with_and_without_a_case(desk: Desk) -> None:
    assert f"no flood of {RECIPIENT}" in desk.ask("phone", "139 0000 0001")
    desk.put("episode", encode_episode(OPENED))
    desk.put("throttle", encode_action(LEASE))
    desk.put("acks", encode_ack(ack("applied", 57)), LEASE.action_id.encode())
    word = override("mode", "*", mode="off", expires_at_ms=None)
    desk.put("everyone", encode_override(word), override_key(word))
    said = desk.ask("phone", "139 0000 0001")
    assert said.startswith("KILL SWITCH")
    assert "now: over: nothing is refused" in said  # no message for months, and no lease
    assert "refused before: 57" in said
    assert "position is unknown" in said  # no worker ever was here
    told = json.loads(desk.ask("phone", RECIPIENT, "--json"))
    assert (told["recipient"], told["state"], told["events_behind"]) == (RECIPIENT, "over", None)
    with pytest.raises(UsageError, match="neither a number nor a token"):
        desk.ask("phone", "nobody")


@pytest.mark.broker
def test_the_case_store_answers_where_it_is_fresh_and_the_topics_where_not(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    store.at_ms = now_ms()
    record, lease = flood(at_ms=store.at_ms - 60_000)
    fill(store, record, lease, acked(lease), counted(lease, {7: 41}))
    store.note_behind(3)
    monkeypatch.setenv("OTPGUARD_DESK_STORE", store.url)
    said = desk.ask("phone", RECIPIENT)
    assert "now: throttled" in said
    assert "refused so far: 41" in said, "the topics know nothing of it before the lease is over"
    assert "The workers are minutes behind" in said
    assert "no flood of" in desk.ask("phone", "13900000002")
    with writing(store.index).begin() as connection:
        connection.execute(places.update().values(read_ms=store.at_ms - 999_000))
    said = desk.ask("phone", RECIPIENT)
    assert f"no flood of {RECIPIENT}" in said
    monkeypatch.setenv("OTPGUARD_DESK_STORE", f"postgresql+psycopg://h:{free_port()}/d")
    assert f"no flood of {RECIPIENT}" in desk.ask("phone", RECIPIENT)


@pytest.mark.broker
def test_every_surface_tells_of_the_same_case_and_counts_alike(desk: Desk, tmp_path: Path) -> None:
    """A flood that is throttled counts before a newer case at WATCH."""
    for record in (OPENED, LATER):
        desk.put("episode", encode_episode(record))
    lease = replace(LEASE, expires_at_ms=now_ms() + 600_000)
    desk.put("throttle", encode_action(lease))
    desk.put("acks", encode_ack(ack("applied")), LEASE.action_id.encode())
    desk.put("counts", encode_counts(counted(LEASE, {1: 41})), LEASE.action_id.encode())
    told = json.loads(desk.ask("phone", RECIPIENT, "--json"))
    assert (told["state"], "8 messages" in told["happening"]) == ("throttled", True)
    assert "refused so far: 41" in told["ends"]
    explained = json.loads(desk.ask("explain", RECIPIENT, "--json"))
    assert (explained["episode"]["episode_id"], explained["refused"]) == (OPENED.episode_id, 41)
    assert desk.ask("cases", "show", RECIPIENT).startswith("now: throttled")
    rows = json.loads(desk.ask("cases", "ls", "--json"))
    assert {each["episode"]: (each["messages"], each["refused"]) for each in rows} == {
        OPENED.episode_id: (8, 41), LATER.episode_id: (3, 0),
    }  # fmt: skip
    store = opened(tmp_path)
    fill(store, OPENED, LATER, lease, ack("applied"), counted(LEASE, {1: 41}))
    found = store.find(RECIPIENT).newest
    assert found is not None
    assert (found.line.episode_id, found.line.messages, found.line.refused) == (
        OPENED.episode_id, 8, 41,
    )  # fmt: skip


@pytest.mark.broker
def test_one_lease_that_contradicts_another_costs_no_answer(desk: Desk) -> None:
    for record in (OPENED, LATER):
        desk.put("episode", encode_episode(record))
    for lease in (LEASE, replace(LEASE, episode_id=LATER.episode_id)):
        desk.put("throttle", encode_action(lease))
    assert len(json.loads(desk.ask("cases", "ls", "--json"))) == 2
    assert json.loads(desk.ask("phone", RECIPIENT, "--json"))["state"] == "over"
