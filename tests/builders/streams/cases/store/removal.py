"""Builders that test_removal.py shares with other tests."""

from __future__ import annotations

from streams.wire import Notice
from tests.enforce.records import RECIPIENT, START_MS, override
from tests.streams.cases.store.filled import (
    FilledStore,
    acked,
    audited,
    counted,
    ended,
    fill,
    flood,
    incident,
)

OTHER = "8613900000002"


def one_of_each(store: FilledStore, n: int = 0, recipient: str = RECIPIENT) -> str:
    """A flood that is over, with a row in every table; its episode."""
    record, lease = flood(n, recipient=recipient)
    notice = Notice(
        notice_id=f"n{n}", episode_id=record.episode_id, kind="victim_start", to=recipient,
        channel="smpp", template="t", state="sent", why="", at_ms=START_MS,
    )  # fmt: skip
    fill(
        store, record, ended(record), lease, acked(lease), counted(lease, {7: 1}),
        incident(record), notice, override("release", recipient), *audited({"subject": recipient},
        chain=f"desk/{n}"), written_ms=START_MS,
    )  # fmt: skip
    return record.episode_id
