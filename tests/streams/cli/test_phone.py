"""The hotline's question as typed, against a real broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.clock import now_ms
from streams.desk.store.engine import writing
from streams.desk.store.tables import places
from streams.errors import UsageError
from streams.wire import encode_ack, encode_action, encode_episode, encode_override, override_key
from tests.enforce.records import RECIPIENT, override
from tests.ports import free_port
from tests.streams.cli.test_cases import Desk, desk
from tests.streams.desk.store.filled import acked, counted, fill, flood, opened
from tests.streams.operate.test_cases import LEASE, OPENED, ack

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
    assert "now: its last lease has ended: nothing is refused" in said
    assert "refused before: 57" in said
    assert "cannot be said" in said  # no worker ever was here
    told = json.loads(desk.ask("phone", RECIPIENT, "--json"))
    assert (told["recipient"], told["state"], told["events_behind"]) == (RECIPIENT, "lapsed", None)
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
