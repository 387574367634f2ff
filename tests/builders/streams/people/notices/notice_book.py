"""Builders that test_notice_book.py shares with other tests."""

from __future__ import annotations

from detectors.model.records import NOWHERE, Action, Change, EpisodeRecord
from streams.wire import Ack, AckState, Notice
from streams.wire.notice_records import NoticeKind, NoticeState
from tests.enforce.records import START_MS


def ack(of: Action, state: AckState = "applied", gateway: str = "g1") -> Ack:
    return Ack(action_id=of.action_id, gateway_id=gateway, state=state, why="",
               at_ms=of.issued_at_ms + 100)  # fmt: skip


def episode(of: Action, change: Change = "raised", *, chronic: bool = False) -> EpisodeRecord:
    return EpisodeRecord(
        episode_id=of.episode_id, kind="flood", change=change, epoch=of.epoch,
        revision=of.revision, recipient=of.recipient, level=of.level, mode=of.mode,
        at_ms=of.issued_at_ms, reason=of.reason, evidence=of.evidence, path=(), sightings=(),
        rungs=(), scope=NOWHERE, known=8, memory_days=90, chronic=chronic, cause=of.cause,
        version="0", config="",
    )  # fmt: skip


def notice(
    of: Action, state: NoticeState, why: str = "", at_ms: int = START_MS,
    kind: NoticeKind = "victim_start",
) -> Notice:  # fmt: skip
    return Notice(
        notice_id=f"{of.episode_id}:{kind}", episode_id=of.episode_id, kind=kind, to=of.recipient,
        channel="file", template="start.zh-Hans", state=state, why=why, at_ms=at_ms,
    )  # fmt: skip
