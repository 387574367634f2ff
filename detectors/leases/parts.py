"""Parts of long messages at a gateway: only the first part names the platform.

A later part that contains a code has no signature, so it would be refused by itself. Half of a
bank's message is of no use. So a gateway remembers the platform of each first part. It does this
with or without a lease, because a lease may begin, be renewed or change between two parts. The
lease that applies when a later part comes decides whether the platform passes.

One first part lets each of its later parts pass once, and nothing else. Otherwise one first part
would let any number of codes pass. A later part without a known first part is judged by itself,
because some phones show incomplete messages.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from detectors.leases.gateway_rule import Lease, Ruling, rule
from detectors.model.event import Trust

PARTS_MAX: Final = 10_000
"""Maximum number of long messages remembered: so many with a lease, and so many without. The oldest
are dropped."""
PARTS_S: Final = 60.0  # Time for which a message is remembered, in seconds from its first part.
NAME_CHARS: Final = 64  # maximum length of a platform key; a longer key is remembered as empty

Message = tuple[str, str, int]  # Recipient, sender, and the reference number that all parts share.

_WHOLE: Final = (Ruling.TRUSTED, Ruling.OTHER, Ruling.KNOWN)
"""Decisions that apply to all parts of a message: its platform passes, whatever the parts say."""


@dataclass(slots=True)
class FirstPart:
    """The facts about a whole message that its first part gives."""

    parts: int  # number of parts that the first part announced
    platform: str
    trust: Trust
    refused: bool = False
    until_s: float = 0.0  # monotonic time at which this entry expires
    passed: int = 0  # bit set: bit i is set if later part i has passed


@dataclass(eq=False, repr=False)
class LongMessages:
    """The first parts that one gateway saw recently. Times in seconds are from a monotonic clock.

    Messages with and without a lease are stored separately. Messages without a lease are many, and
    must not displace messages under a lease.
    """

    parts_max: int = PARTS_MAX
    leased: OrderedDict[Message, FirstPart] = field(init=False, default_factory=OrderedDict)
    free: OrderedDict[Message, FirstPart] = field(init=False, default_factory=OrderedDict)

    def begin(self, message: Message, first: FirstPart, lease: Lease | None, now_s: float) -> None:
        """Remember the first part of a message.

        The message replaces an earlier message with the same reference.
        """
        self.forget(message)
        if len(first.platform) > NAME_CHARS:
            first.platform, first.trust = "", Trust.NONE
        first.until_s = now_s + PARTS_S
        kept = self.free if lease is None else self.leased
        kept[message] = first
        while len(kept) > self.parts_max:
            kept.popitem(last=False)

    def forget(self, message: Message) -> None:
        self.leased.pop(message, None)
        self.free.pop(message, None)

    def fate(
        self, message: Message, part: int, parts: int, lease: Lease, now_ms: int, now_s: float
    ) -> Ruling | None:
        """Return the decision about a later part, by the first part of the same message.

        Returns None if the later part must be judged by itself.
        """
        first = self._first(message, now_s)
        if first is None:
            return None
        ruling = _rule_by_first(first, lease, now_ms)
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
        """Refuse the remaining parts of a message after a later part was refused by itself.

        This does nothing if the message's platform passes. The refused part then came too often,
        and did not belong to the message.
        """
        first = self._first(message, now_s)
        if first is None or _rule_by_first(first, lease, now_ms) not in _WHOLE:
            self.begin(message, FirstPart(parts, "", Trust.NONE, refused=True), lease, now_s)

    def _first(self, message: Message, now_s: float) -> FirstPart | None:
        first = self.leased.get(message) or self.free.get(message)
        return first if first is not None and now_s < first.until_s else None


def _rule_by_first(first: FirstPart, lease: Lease, now_ms: int) -> Ruling:
    """Return the ruling for a later part of a message: that of its first part, as for a code."""
    return rule(lease, otp=True, platform=first.platform, trust=first.trust, now_ms=now_ms)
