"""The gate's memory of leases; that it obeys as every gateway does is the contract's test."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.gateways.gate.leases import LeaseMemory


def test_counts_are_taken_once() -> None:
    memory = LeaseMemory()
    for action in ("a1", "a1", "a2"):
        memory.count(action)
    assert sorted(memory.list_counted()) == ["a1", "a2"]
    assert list(memory.take_refused(["a1", "nobody"])) == [2, 0]
    assert list(memory.take_refused(["a1", "a2"])) == [0, 1]


def test_counts_that_nobody_took_are_the_next_process_s(tmp_path: Path) -> None:
    first, second = LeaseMemory(tmp_path), LeaseMemory(tmp_path)
    first.count("a1")
    first.leave()
    second.count("a1")
    assert list(second.take_refused(["a1"])) == [2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [b"{", b'{"\xff\xfe": 1}', b'{"a1": "' + b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_count_and_a_folder_that_is_gone_cost_nothing(
    tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "refused-1-x.json").write_bytes(left)
    memory = LeaseMemory(tmp_path)
    memory.count("a1")
    assert list(memory.take_refused(["a1"])) == [1]
    gone = LeaseMemory(tmp_path / "nowhere")
    gone.count("a1")
    gone.leave()
    assert list(gone.list_counted()) == []


def test_another_process_is_another_memory() -> None:
    assert LeaseMemory().health() != LeaseMemory().health()
