"""The audit: nothing of a chain is changed or taken out unseen, nor lost by a word in a hurry."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.cases import audit_chain as audit
from streams.cases.audit_chain import AuditChain, Verified, verify
from streams.wire import chain_start, decode_audit, hash_record


def word(number: int) -> dict[str, Any]:
    return {
        "at_ms": number, "actor": "li", "channel": "cli", "verb": "release", "outcome": "done",
        "subject": "8617000000000",
    }  # fmt: skip


def written(folder: Path, number: int, login: str = "agent7") -> list[bytes]:
    """So many records of one chain, each by a process of its own; Kafka takes them all."""
    found: list[bytes] = []
    for each in range(number):
        with AuditChain(folder, login) as chain:
            chain.append(**word(each))
            found += chain.pending
            chain.remove_oldest(len(chain.pending))
    return found


def checked(
    values: list[bytes], first: int = 0, anchors: dict[str, tuple[int, str]] | None = None
) -> Verified:
    return verify(((first + i, value) for i, value in enumerate(values)), first, anchors or {})


def said(done: Verified) -> list[str]:
    return [fault.says for fault in done.faults]


def test_a_chain_goes_on_from_process_to_process(tmp_path: Path) -> None:
    values = written(tmp_path, 4)
    records = [decode_audit(value) for value in values]
    assert [each.seq for each in records] == [0, 1, 2, 3]
    assert records[0].prev == chain_start(records[0].chain)
    assert [each.prev for each in records[1:]] == [hash_record(value) for value in values[:-1]]
    assert said(checked(values)) == []
    assert len({each.chain for each in records}) == 1
    assert "agent7" in records[0].chain


def test_what_kafka_did_not_take_waits_in_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    with AuditChain(tmp_path / "deep", "agent7") as chain:
        chain.append(**word(1))
        assert chain.is_durable
    with AuditChain(tmp_path / "deep", "agent7") as chain:
        assert [decode_audit(value).at_ms for value in chain.pending] == [1]
        chain.append(**word(2))
        first, second = chain.pending
        assert decode_audit(second).prev == hash_record(first)
        assert chain.path.stat().st_mode & 0o077 == 0
        chain.remove_oldest(1)
        assert chain.pending == (second,)


def test_when_a_file_is_lost_another_chain_begins(tmp_path: Path) -> None:
    values = written(tmp_path, 2)
    (tmp_path / "audit.json").unlink()
    values += written(tmp_path, 2)
    assert said(checked(values)) == []
    assert len(checked(values).heads) == 2


@pytest.mark.parametrize("content", [b"", b"{", b'{"chain": 7}'])
def test_a_file_that_is_none_is_no_reason_not_to_act(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "audit.json").write_bytes(content)
    assert said(checked(written(tmp_path, 2))) == []


def test_a_folder_that_cannot_be_written_is_no_reason_either(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with AuditChain(tmp_path / "file", "agent7") as chain:
        chain.append(**word(1))
        assert not chain.is_durable
        assert len(chain.pending) == 1


def test_two_at_a_time_have_two_chains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LOCK_S", 0.0)
    lock = os.open(tmp_path / "audit.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with AuditChain(tmp_path, "agent7") as chain:
        chain.append(**word(1))
        assert not chain.is_durable
        aside = chain.pending
    os.close(lock)
    assert said(checked([*written(tmp_path, 2), *aside])) == []


def test_a_file_has_a_bound_and_what_is_past_it_shows_as_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PENDING_MAX", 2)
    with AuditChain(tmp_path, "agent7") as chain:
        for each in range(4):
            chain.append(**word(each))
        values = [*chain.pending]
        chain.remove_oldest(2)
        chain.append(**word(4))
        values += chain.pending
    assert said(checked(values)) == ["records 2 to 3 of the chain are missing"]


@pytest.mark.parametrize("at", range(4))
def test_a_changed_record_is_found(tmp_path: Path, at: int) -> None:
    values = written(tmp_path, 5)
    raw = msgspec.json.decode(values[at])
    values[at] = msgspec.json.encode({**raw, "reason": "another"})
    assert said(checked(values)) == [f"record {at}, before it, is not the one that was written"]


@pytest.mark.parametrize("at", range(4))
def test_a_record_that_was_taken_out_is_found(tmp_path: Path, at: int) -> None:
    values = written(tmp_path, 5)
    del values[at]
    (fault,) = said(checked(values))
    assert fault == (
        f"records {at} to {at} of the chain are missing"
        if at
        else "the chain does not begin here, and nothing is before it"
    )


def test_a_gap_of_offsets_and_what_is_no_record_are_found(tmp_path: Path) -> None:
    values = written(tmp_path, 2)
    done = verify([(0, values[0]), (3, values[1]), (4, b"{}")], 0, {})
    assert said(done) == ["records 1 to 2 are missing", "it is no record of an audit"]


def test_a_record_said_twice_by_a_retry_is_one_and_a_forged_one_of_its_number_is_not(
    tmp_path: Path,
) -> None:
    values = written(tmp_path, 3)
    assert said(checked([*values, values[-1]])) == []
    forged = msgspec.json.encode({**msgspec.json.decode(values[-1]), "actor": "eve"})
    assert said(checked([*values, forged])) == ["another record 2 of the chain was there before"]


def test_beginnings_that_retention_took_are_no_fault(tmp_path: Path) -> None:
    values = written(tmp_path, 5)
    assert said(checked(values[3:], first=3)) == []


def test_the_newest_records_taken_away_are_found_by_who_kept_the_heads(tmp_path: Path) -> None:
    values = written(tmp_path, 5)
    heads = json.loads(json.dumps(checked(values).heads))
    anchors = {chain: (seq, digest) for chain, (seq, digest) in heads.items()}
    more = [*values, *written(tmp_path, 2)]
    assert said(checked(more, anchors=anchors)) == []
    assert said(checked(values[:3], anchors=anchors)) == ["record 4 was changed or removed"]
    assert said(checked([], anchors=anchors)) == ["record 4 was changed or removed"]
