"""Incident records for tests."""

from __future__ import annotations

from detectors.model.event import Trust, platform_id
from detectors.model.incidents import EarlierSighting, Fate, FloodMessage, IncidentRecord
from detectors.model.records import Cause

DAY_MS = 86_400_000
DAY0_MS = 20_000 * DAY_MS
"""A midnight."""


def incident(
    episode: str, recipient: str, *asked: tuple[str, int], first: int = 0, would: Fate = "refuse",
    earlier: tuple[tuple[str, int], ...] = (),
) -> IncidentRecord:  # fmt: skip
    """Messages of platforms at times, each with an id of its own; none for those that pass."""
    at_ms = max((at for _, at in (*asked, *earlier)), default=0)
    return IncidentRecord(
        episode_id=episode, epoch=1, revision=first, recipient=recipient, mode="enforce",
        at_ms=at_ms, first=first,
        messages=tuple(
            FloodMessage(
                first + nth, at, would, novel=True, trust=Trust.NONE, gateway="g", platform=key,
                platform_id=platform_id(key), sender="10690001111", account="acct-7",
                message_id=f"{episode}-m{first + nth}",
            )
            for nth, (key, at) in enumerate(asked)
        ),
        unlisted=None, basis=None,
        earlier=tuple(
            EarlierSighting(at, novel=True, trust=Trust.NONE, platform=key) for key, at in earlier
        ),
        cause=Cause("sms", 0, first, at_ms), version="0", config="",
    )  # fmt: skip


def use_of(key: str, day_ms: int, victims: int, each: int, tag: str = "") -> list[IncidentRecord]:
    """Records of a platform that sent so many messages to each of so many victims on a day."""
    return [
        incident(
            f"e{tag}{day_ms}-{v}", f"861{3987654321 + v}",
            *((key, day_ms + 36_000_000 + v * 1_000 + n * 20_000) for n in range(each)),
        )
        for v in range(victims)
    ]  # fmt: skip
