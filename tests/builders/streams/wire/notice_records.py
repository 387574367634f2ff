"""Builders that test_notice_records.py shares with other tests."""

from __future__ import annotations

from streams.wire.notice_records import Notice

SAID = Notice(
    notice_id="e:victim_start", episode_id="e", kind="victim_start", to="8617000000000",
    channel="smpp", template="victim_start/zh", state="sending", why="", at_ms=5,
)  # fmt: skip
