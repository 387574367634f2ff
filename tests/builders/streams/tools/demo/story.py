"""Builders that test_story.py shares with other tests."""

from __future__ import annotations

from detectors.leases.gateway_rule import Ruling
from streams.tools.demo.story import (
    Background,
    LevelChange,
    Machinery,
    OfferedMessage,
    Story,
)
from streams.tools.scenarios.labelled_events import Role

MACHINERY = Machinery("0", "none", 8, 1, 60, 5, 10, 10, 0, 1.0)


def message(at_ms: int, role: Role, *, refused: bool = False, code: bool = True) -> OfferedMessage:
    ruling = Ruling.REFUSE if refused else Ruling.NO_LEASE
    return OfferedMessage(at_ms, "sig:x", role, code, "•", ruling)


MESSAGES = [
    message(1, Role.OTHER, code=False),
    message(2, Role.ATTACK),
    message(3, Role.ATTACK, refused=True),
    message(4, Role.BANK),
    message(5, Role.KNOWN),
]


OTHERS = Background(20, {}, 2, 40, 8, 0, 0)


STORY = Story(
    "+86 170 •••• 0000", 480, 14, MESSAGES,
    [LevelChange("WATCH", 2, "burst", 2, 1.6, ""), LevelChange("THROTTLE", 3, "burst", 3, 2.6, "")],
    9, OTHERS, MACHINERY,
)  # fmt: skip
