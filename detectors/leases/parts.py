"""The parts of long messages at a gateway: whose a message is only its first part says.

By themselves later parts that hold a code would be refused, having no signature, and half of a
bank's message is none. So what a first part says is remembered, with a lease or without one, since
a lease may come, go on or change between two parts; what it is worth the lease says that stands
when a later part comes. One first part lets each of its later parts pass once and no others: it
would buy a passage for any number of codes. A later part whose first was never seen is ruled on by
itself: no detector counts later parts, and some phones show what never becomes whole.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from detectors.leases.gate import Lease, Ruling, rule
from detectors.model.event import Trust

PARTS_MAX: Final = 10_000
"""Long messages that are remembered, with a lease and without one each; the oldest give way."""
PARTS_S: Final = 60.0
"""Of one message, from its first part on."""
NAME_CHARS: Final = 64  # of a platform; a longer one, that a text may say, is remembered as none

Message = tuple[str, str, int]
"""Recipient, sender, and the reference that the parts share."""

_WHOLE: Final = (Ruling.TRUSTED, Ruling.KNOWN)
"""Rulings that hold for all of a message: whatever its later parts say, its owner passes."""


@dataclass(slots=True)
class FirstPart:
    """A first part, as far as it says something of the whole message."""

    parts: int  # that it announced
    platform: str
    trust: Trust
    refused: bool = False
    until_s: float = 0.0
    passed: int = 0  # a bit for each later part that it let pass


class LongMessages:
    """The first parts that one gateway saw lately. Times in seconds are of a clock that only runs.

    Those without a lease are many, and push out none that was refused.
    """

    def __init__(self, parts_max: int = PARTS_MAX) -> None:
        self.parts_max = parts_max
        self.leased: OrderedDict[Message, FirstPart] = OrderedDict()
        self.free: OrderedDict[Message, FirstPart] = OrderedDict()

    def begin(self, message: Message, first: FirstPart, lease: Lease | None, now_s: float) -> None:
        """Remember a first part; an earlier message of the same reference was another one."""
        self.forget(message)
        if len(first.platform) > NAME_CHARS:
            first.platform, first.trust = "", Trust.NONE
        first.until_s = now_s + PARTS_S
        kept = self.free if lease is None else self.leased
        kept[message] = first
        while len(kept) > self.parts_max:
            kept.popitem(last=False)

    def forget(self, message: Message) -> None:
        """Remember nothing of this message."""
        self.leased.pop(message, None)
        self.free.pop(message, None)

    def fate(
        self, message: Message, part: int, parts: int, lease: Lease, now_ms: int, now_s: float
    ) -> Ruling | None:
        """Rule on a later part as its first one says; None: it has to be ruled on by itself."""
        first = self._first(message, now_s)
        if first is None:
            return None
        ruling = _owners(first, lease, now_ms)
        if ruling is Ruling.OVER:
            return ruling
        if first.refused:
            return Ruling.REFUSE
        bit = 1 << part
        if ruling not in _WHOLE or parts != first.parts or first.passed & bit:
            return None
        first.passed |= bit
        return ruling

    def refuse(self, message: Message, parts: int, lease: Lease, now_ms: int, now_s: float) -> None:
        """Refuse what is left of a message, of which a later part was refused by itself.

        Not if its owner passes: what came too often was no part of it.
        """
        first = self._first(message, now_s)
        if first is None or _owners(first, lease, now_ms) not in _WHOLE:
            self.begin(message, FirstPart(parts, "", Trust.NONE, refused=True), lease, now_s)

    def _first(self, message: Message, now_s: float) -> FirstPart | None:
        first = self.leased.get(message) or self.free.get(message)
        return first if first is not None and now_s < first.until_s else None


def _owners(first: FirstPart, lease: Lease, now_ms: int) -> Ruling:
    """Rule as if the first part held the code."""
    return rule(lease, otp=True, platform=first.platform, trust=first.trust, now_ms=now_ms)
