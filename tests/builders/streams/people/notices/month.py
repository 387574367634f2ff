"""Builders that test_month.py shares with other tests."""

from __future__ import annotations

from dataclasses import replace

from detectors.model.incidents import Fate, Unlisted
from detectors.model.records import Cause, EpisodeRecord, Evidence, Level
from streams.people.notices.month import (
    Month,
    MonthRecords,
    count_month,
)
from streams.wire import Ack, AckState, Counts, Notice
from streams.wire.notice_records import NoticeKind, NoticeState
from tests.builders.streams.people.notices.notice_book import episode
from tests.enforce.records import action, override
from tests.streams.people.notices.incidents import DAY0_MS, DAY_MS, incident, use_of

FROM_MS, UNTIL_MS = DAY0_MS, DAY0_MS + 30 * DAY_MS


A = "sig:a"


SECOND: tuple[tuple[int, Fate], ...] = ((1, "refuse"), (70_001, "pass"))


def flood(nth: int, at_ms: int, took_s: int = 120, mode: str = "enforce") -> EpisodeRecord:
    lease = action(f"861390000{nth:04}", at_ms=at_ms, mode=mode)  # type: ignore[arg-type]
    return replace(
        episode(lease), episode_id=f"e{nth}", cause=Cause("sms", 0, nth, at_ms),
        evidence=Evidence(8, 8, 8, at_ms - took_s * 1000, at_ms),
    )  # fmt: skip


def ack(of: EpisodeRecord, after_ms: int, refused: int = 0) -> Ack:
    state: AckState = "expired" if refused else "applied"
    return Ack(action_id=of.cause.id(of.epoch), gateway_id="g", state=state, why="",
               at_ms=of.at_ms + after_ms, refused_count=refused)  # fmt: skip


def notice(
    nth: int, state: NoticeState, at_ms: int, kind: NoticeKind = "victim_start", to: str = ""
) -> Notice:
    key = f"e{nth}:{kind}" if kind != "platform" else f"platform:{at_ms - at_ms % DAY_MS}:{to}"
    return Notice(
        notice_id=key, episode_id=f"e{nth}", kind=kind, to=to or f"861390000{nth:04}",
        channel="smpp", template="", state=state, why="", at_ms=at_ms,
    )  # fmt: skip


def counted() -> Month:
    floods = [flood(n, FROM_MS + n * DAY_MS + 1, 60 * (n + 1)) for n in range(4)]
    shadow = flood(9, FROM_MS + 1, mode="shadow")
    outside = [flood(20, FROM_MS - 1), flood(21, UNTIL_MS)]
    renewed = replace(floods[0], change="renewed", at_ms=floods[0].at_ms + 300_000)
    watched = replace(flood(30, FROM_MS + 5), level=Level.WATCH)
    resent = replace(flood(31, FROM_MS + 5), kind="resend")
    calls = {"issued_at_ms": FROM_MS + 9, "expires_at_ms": FROM_MS + 10**6}
    words = [
        override("release", floods[0].recipient, **calls),
        override("allow", floods[1].recipient, platform=A, actor="victim", **calls),
        override("allow", "*", platform=A, **calls),
        override("mode", "*", mode="off", **calls),
        override("exempt", "8613999999999", issued_at_ms=FROM_MS - 5, expires_at_ms=None),
    ]
    records = MonthRecords(
        episodes=[*floods, *floods, shadow, *outside, renewed, watched, resent],
        acks=[ack(floods[0], 400), ack(floods[0], 900), ack(floods[1], 600), ack(outside[0], 100),
              ack(floods[2], 600_000, refused=7)],
        counts=[Counts(action_id="x", episode_id="e0", gateway_id="g", at_ms=FROM_MS + n,
                       refused=n) for n in (1, 5, 20)]
        + [Counts(action_id="x", episode_id="e0", gateway_id="h", at_ms=FROM_MS, refused=3)],
        incidents=[
            *use_of(A, FROM_MS, 6, 10), *use_of(A, FROM_MS + 2 * DAY_MS, 2, 3),
            replace(incident("e1", "861", first=9), at_ms=FROM_MS + 3, unlisted=Unlisted(4, 5)),
            *(incident("e2", "862", ("sig:own", FROM_MS + at_ms), first=at_ms, would=fate)
              for at_ms, fate in SECOND),
        ],
        words=words,
        notices=[notice(0, "sending", FROM_MS + 1), notice(0, "sent", FROM_MS + 2),
                 notice(1, "suppressed", FROM_MS + 2), notice(2, "failed", FROM_MS + 2),
                 notice(3, "sent", FROM_MS - 2),
                 notice(0, "sent", FROM_MS + DAY_MS, "platform", A)],
        reach_ms={"acks": FROM_MS + 23 * DAY_MS, "episode": FROM_MS - 5, "notice": None},
    )  # fmt: skip
    return count_month(records, FROM_MS, UNTIL_MS)
