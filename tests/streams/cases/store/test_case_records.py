"""Records of a case out of the store: those that were written, and of no other case."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from streams.common.errors import UnavailableError
from streams.people.evidence.pack_records import KINDS
from streams.wire import Notice
from tests.enforce.records import START_MS, override
from tests.streams.cases.store.filled import acked, counted, ended, fill, flood, incident, opened


def test_a_case_comes_out_as_it_was_written(tmp_path: Path) -> None:
    store = opened(tmp_path)
    record, lease = flood(1)
    other, its_lease = flood(2, recipient="8613900000077")
    told = Notice(notice_id=f"{record.episode_id}:victim_start", episode_id=record.episode_id,
                  kind="victim_start", to=record.recipient, channel="smpp", template="",
                  state="sent", why="", at_ms=record.at_ms + 1)  # fmt: skip
    mine = [record, ended(record), lease, acked(lease), acked(lease, "expired", refused=9),
            counted(lease, {1: 2, 7: 3}), incident(record, 3), incident(record, 2, first=3), told,
            override("release", record.recipient), override("mode", "*", mode="off")]  # fmt: skip
    fill(store, *mine, other, its_lease, acked(its_lease), incident(other, 2),
         override("release", other.recipient))  # fmt: skip
    found = store.records(record.episode_id)
    assert Counter(kind for kind, _ in found) == {
        "episode": 2, "lease": 1, "ack": 2, "counts": 1, "incident": 2, "notice": 1, "word": 2,
    }  # fmt: skip
    said = {KINDS[kind].encode(each) for kind, each in found}
    assert said == {next(filter(None, map(partial(_encoded, each), KINDS))) for each in mine}
    assert store.records("1:none:0:0") == []
    store.close()


def test_a_case_is_found_by_its_number_its_token_its_lease_and_its_name(tmp_path: Path) -> None:
    store = opened(tmp_path, tokens=lambda number: (f"h1:{number[-4:]}",))
    older, its_lease = flood(1)
    newer, _ = flood(2, at_ms=START_MS + 3_600_000, revision=20)
    token, _ = flood(3, recipient="h1:0077", revision=30)
    fill(store, older, its_lease, newer, token)

    def named(written: str, recipient: str | None) -> str | None:
        found = store.find_named(written, recipient)
        return found[0].episode_id if found else None

    assert named("+86 139 0000 0001", older.recipient) == newer.episode_id
    assert named(older.episode_id, None) == older.episode_id
    assert named(its_lease.action_id, None) == older.episode_id
    assert named("13900000077", "8613900000077") == token.episode_id
    assert named("13900000078", "8613900000078") is None
    assert named("nobody", None) is None
    store.close()


def _encoded(said: Any, kind: str) -> bytes:
    """The record by a contract; nothing if it is of another."""
    contract = KINDS[kind]
    if not all(hasattr(said, name) for name in contract.fields):
        return b""
    return contract.encode(said)


def test_a_store_that_does_not_answer_is_said(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with store.index.begin() as connection:
        connection.execute(text("DROP TABLE cases"))
    with pytest.raises(UnavailableError):
        store.records("1:none:0:0")
    store.close()
