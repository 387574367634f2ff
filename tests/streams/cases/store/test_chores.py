"""Chores: each is done when it is due, and not before."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from streams.cases.store import indexer as chores
from streams.cases.store.indexer import BEHIND_S, FORGET_S, Chores
from streams.config import Settings
from tests.streams.cases.store.filled import opened


def test_what_is_due_is_done_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    clock = [0.0]

    def behind(*_: Any) -> int:
        done.append("behind")
        return 7

    def forget(*_: Any) -> dict[str, int]:
        done.append("forget")
        return {"cases": 1}

    monkeypatch.setattr(chores, "events_behind", behind)
    monkeypatch.setattr(chores, "forget", forget)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    store = opened(tmp_path)
    each = Chores(Settings(), store)
    each()
    each()
    assert done == ["behind", "forget"]
    clock[0] = BEHIND_S
    each()
    assert done == ["behind", "forget", "behind"]
    clock[0] = FORGET_S
    each()
    assert done[3:] == ["behind", "forget"]
    assert store.freshness().events_behind == 7
    store.close()
