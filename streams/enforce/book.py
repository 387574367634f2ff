"""What should be enforced: the machine's newest opinion of each recipient and the operator's word.

Pure: no clock, no Kafka, no gateway. Records may arrive in any order, twice, or late; the book ends
up the same, because the highest (epoch, revision) wins and every answer is computed from what is
known and the time asked about.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from detectors.leases.gate import Lease
from detectors.leases.rails import Guard, GuardParams, Refusal, admit, withdraw
from detectors.model.event import platform_id
from detectors.model.records import Action
from streams.wire import EVERYONE, Override

REMEMBER_MS: Final = 3_600_000
"""An action is remembered for so long after its lease is over, so that an older one that arrives
late is known to be older. Chosen: six default leases."""


class Why(StrEnum):
    """Why there is no lease for a recipient, or what became of an action."""

    NONE = "none"  # nothing known about this recipient
    STALE = "stale"  # a higher (epoch, revision) is known
    RELEASE = "release"  # the detector's own
    OVER = "over"
    SHADOW = "shadow"  # the detector only watches
    MODE = "mode"  # the operator's switch is at shadow or off
    EXEMPT = "exempt"
    RELEASED = "released"  # by the operator
    RAIL = "rail"


@dataclass(slots=True)
class Entry:
    """The newest action about one recipient."""

    action: Action
    refusal: Refusal | None  # of the rails


@dataclass(slots=True)
class Book:
    """Mutable. Entries are bounded by the leases of the last hour, overrides by the operator."""

    params: GuardParams
    guard: Guard = field(default_factory=Guard)
    entries: dict[str, Entry] = field(default_factory=dict)
    overrides: dict[str, dict[tuple[str, str], Override]] = field(default_factory=dict)
    deadlines: list[tuple[int, str]] = field(default_factory=list)  # heap: answers that may change

    def touched_by(self, recipient: str) -> Iterable[str]:
        """The recipients that a word about `recipient` is about."""
        return tuple(self.entries) if recipient == EVERYONE else (recipient,)


def take_action(book: Book, action: Action) -> Why | None:
    """Enter an action; STALE if a newer one is known already, else None."""
    known = book.entries.get(action.recipient)
    if known is not None and _rank(known.action) >= _rank(action):
        return None if known.action.action_id == action.action_id else Why.STALE
    refusal = None
    if action.verb == "release":
        withdraw(book.guard, action.recipient)
    elif action.mode == "enforce":
        refusal = admit(
            book.params,
            book.guard,
            action.recipient,
            issued_at_ms=action.issued_at_ms,
            expires_at_ms=action.expires_at_ms,
            opened_ms=action.opened_ms,
        )
    book.entries[action.recipient] = Entry(action, refusal)
    _look_again(book, action.expires_at_ms, action.recipient)
    return None


def take_override(book: Book, override: Override) -> Iterable[str]:
    """Enter the operator's word, and return the recipients for whom the answer may differ now.

    The last record of a key counts, whatever its times say: the log's order is the operator's.
    """
    words = book.overrides.setdefault(override.recipient, {})
    words[override.verb, override.platform] = override
    if override.expires_at_ms is not None:
        _look_again(book, override.expires_at_ms, override.recipient)
    return book.touched_by(override.recipient)


def standing(book: Book, recipient: str, now_ms: int) -> Lease | Why:
    """The lease that a gateway should hold for this recipient at `now_ms`, or why none.

    This is the one place that decides about enforcement.
    """
    entry = book.entries.get(recipient)
    if entry is None:
        return Why.NONE
    action = entry.action
    if action.verb == "release":
        return Why.RELEASE
    if action.expires_at_ms <= now_ms:
        return Why.OVER
    if action.mode != "enforce":
        return Why.SHADOW
    if mode(book, now_ms) != "enforce":
        return Why.MODE
    words = book.overrides.get(recipient, {})
    if _holds(words.get(("exempt", "")), now_ms):
        return Why.EXEMPT
    release = words.get(("release", ""))
    if release is not None and (
        action.issued_at_ms <= release.issued_at_ms or _holds(release, now_ms)
    ):
        return Why.RELEASED
    if entry.refusal is not None:
        return Why.RAIL
    allowed = {
        platform_id(platform)
        for spoken in (words, book.overrides.get(EVERYONE, {}))
        for (verb, platform), override in spoken.items()
        if verb == "allow" and _holds(override, now_ms)
    }
    scope = action.scope
    if allowed:
        scope = replace(scope, pass_ids=tuple(sorted(allowed.union(scope.pass_ids))))
    return Lease(action.action_id, action.expires_at_ms, scope)


def mode(book: Book, now_ms: int) -> str:
    """The operator's switch: "enforce" unless a word that still holds says otherwise."""
    word = book.overrides.get(EVERYONE, {}).get(("mode", ""))
    return word.mode if word is not None and _holds(word, now_ms) else "enforce"


def due(book: Book, now_ms: int) -> set[str]:
    """Recipients whose answer may have changed with time; forgets what is long over."""
    recipients: set[str] = set()
    while book.deadlines and book.deadlines[0][0] <= now_ms:
        _, name = heapq.heappop(book.deadlines)
        recipients.update(book.touched_by(name))
        entry = book.entries.get(name)
        if entry is not None and entry.action.expires_at_ms + REMEMBER_MS <= now_ms:
            del book.entries[name]
        words = book.overrides.get(name, {})
        for key, word in list(words.items()):
            if word.expires_at_ms is not None and word.expires_at_ms + REMEMBER_MS <= now_ms:
                del words[key]
        if name in book.overrides and not words:
            del book.overrides[name]
    return recipients


def _look_again(book: Book, at_ms: int, name: str) -> None:
    """Note that the answer about `name` changes at `at_ms`, and is forgotten later."""
    heapq.heappush(book.deadlines, (at_ms, name))
    heapq.heappush(book.deadlines, (at_ms + REMEMBER_MS, name))


def _rank(action: Action) -> tuple[int, int]:
    return action.epoch, action.revision


def _holds(override: Override | None, now_ms: int) -> bool:
    return override is not None and (
        override.expires_at_ms is None or now_ms < override.expires_at_ms
    )
