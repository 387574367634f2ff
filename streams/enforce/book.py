"""The desired state: the machine's newest opinion of each recipient and the operator's word.

Pure: no clock, no Kafka, no gateway. Records may arrive in any order, twice, or late; the book ends
up the same, because the highest (epoch, revision) wins and every answer is computed from what is
known and the time asked about.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from detectors.bars import LEASE_MAX_MS
from detectors.leases.gate import Lease
from detectors.leases.rails import RailParams, Rails, Refusal, admit, readmit, withdraw
from detectors.model.event import platform_id
from detectors.model.records import Action, AgainWindow
from detectors.model.times import HOUR_MS, MINUTE_MS
from streams.wire import EVERYONE, Override

REMEMBER_MS: Final = HOUR_MS
"""An action is remembered for so long after its lease is over, so that an older one that arrives
late is known to be older. Chosen: six default leases."""
AHEAD_MAX_MS: Final = 5 * MINUTE_MS
"""A lease issued later than this after it was seen has a wrong clock behind it. Chosen: over twice
the two minutes by which the coarsest gateways that the detector judges by stamp their messages."""


class NoLease(StrEnum):
    """Reasons for no lease, or what became of an action."""

    NONE = "none"  # nothing known about this recipient
    STALE = "stale"  # a higher (epoch, revision) is known
    AHEAD = "ahead"  # issued in the future
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
    until_ms: int  # end of the lease, at most the longest lease after it was seen
    enforced_until_ms: int  # as long as this a gateway may hold some lease of the recipient

    @property
    def stands(self) -> bool:
        """A lease to be enforced, as far as machine and rails have a say."""
        action = self.action
        return action.verb == "throttle" and action.mode == "enforce" and self.refusal is None


@dataclass(slots=True)
class DesiredState:
    """Mutable. Entries are bounded by the leases of the last hour, overrides by the operator."""

    params: RailParams
    rails: Rails = field(default_factory=Rails)
    entries: dict[str, Entry] = field(default_factory=dict)
    overrides: dict[str, dict[tuple[str, str], Override]] = field(default_factory=dict)
    deadlines: list[tuple[int, str]] = field(default_factory=list)  # heap: answers that may change

    def touched_by(self, recipient: str) -> Iterable[str]:
        """The recipients that a word about `recipient` is about."""
        return tuple(self.entries) if recipient == EVERYONE else (recipient,)


def take_action(
    book: DesiredState, action: Action, now_ms: int, written_ms: int | None = None
) -> NoLease | None:
    """Enter an action; STALE if a newer one is known already, AHEAD if it is of the future.

    `written_ms` is when the log took it in, where the log has a clock of its own: by that an action
    of the future stays one, however long after it is read. Neither of the two is entered: what is
    known already stands.
    """
    seen_ms = now_ms if written_ms is None else min(now_ms, written_ms)
    if action.verb == "throttle" and action.issued_at_ms > seen_ms + AHEAD_MAX_MS:
        return NoLease.AHEAD
    known = book.entries.get(action.recipient)
    until_ms = min(action.expires_at_ms, seen_ms + LEASE_MAX_MS)
    enforced_until_ms = _enforced_until_ms(action, until_ms)
    if known is not None:
        enforced_until_ms = max(enforced_until_ms, known.enforced_until_ms)
        if _rank(known.action) >= _rank(action):
            known.enforced_until_ms = enforced_until_ms
            return None if known.action.action_id == action.action_id else NoLease.STALE
    refusal = None
    if action.verb == "release" or action.mode != "enforce":
        withdraw(book.rails, action.recipient)
    else:
        refusal = admit(
            rails_at(book, action.issued_at_ms),
            book.rails,
            action.recipient,
            issued_at_ms=action.issued_at_ms,
            expires_at_ms=action.expires_at_ms,
            opened_ms=action.opened_ms,
            now_ms=seen_ms,
            renewal=known is not None and known.stands and known.until_ms > action.issued_at_ms,
            # Of what came under an older lease the book may not know that lease any more.
            rated=action.issued_at_ms > now_ms - REMEMBER_MS,
        )
    book.entries[action.recipient] = Entry(action, refusal, until_ms, enforced_until_ms)
    _look_again(book, until_ms, action.recipient)
    return None


def _enforced_until_ms(action: Action, until_ms: int) -> int:
    """Return until when this action, or what it took the place of, may be held at a gateway."""
    if action.mode != "enforce":
        return 0
    if action.verb == "throttle":
        return until_ms
    # The lease that a release is about need not be on the log any more: it is compacted.
    return until_ms + LEASE_MAX_MS


def take_override(book: DesiredState, override: Override) -> Iterable[str]:
    """Enter the operator's word, and return the recipients for whom the answer may differ now.

    The last record of a key counts, whatever its times say: the log's order is the operator's.
    """
    words = book.overrides.setdefault(override.recipient, {})
    words[override.verb, override.platform] = override
    if override.expires_at_ms is not None:
        _look_again(book, override.expires_at_ms, override.recipient)
    return book.touched_by(override.recipient)


def forget_override(book: DesiredState, recipient: str, verb: str, platform: str) -> Iterable[str]:
    """Take back the operator's word, and return the recipients for whom the answer may differ now.

    The topic forgets it too: its record is deleted.
    """
    words = book.overrides.get(recipient, {})
    if words.pop((verb, platform), None) is None:
        return ()
    if not words:
        del book.overrides[recipient]
    return book.touched_by(recipient)


def desired_lease(book: DesiredState, recipient: str, now_ms: int) -> Lease | NoLease:
    """The lease that a gateway should hold for this recipient at `now_ms`, or why none.

    This is the one place that decides about enforcement.
    """
    entry = book.entries.get(recipient)
    if entry is None:
        return NoLease.NONE
    action = entry.action
    if action.verb == "release":
        return NoLease.RELEASE
    if entry.until_ms <= now_ms:
        return NoLease.OVER
    if action.mode != "enforce":
        return NoLease.SHADOW
    if mode(book, now_ms) != "enforce":
        return NoLease.MODE
    words = book.overrides.get(recipient, {})
    if _holds(words.get(("exempt", "")), now_ms):
        return NoLease.EXEMPT
    release = words.get(("release", ""))
    if release is not None and (
        action.issued_at_ms <= release.issued_at_ms or _holds(release, now_ms)
    ):
        return NoLease.RELEASED
    if entry.refusal is not None:
        return NoLease.RAIL
    allowed, once = _opened(book, words, now_ms)
    scope = action.scope
    if allowed:
        scope = replace(scope, pass_ids=tuple(sorted(allowed.union(scope.pass_ids))))
    return Lease(action.action_id, entry.until_ms, scope, _wider(action.again, once))


def _opened(
    book: DesiredState, words: Mapping[tuple[str, str], Override], now_ms: int
) -> tuple[set[int], list[AgainWindow]]:
    """Ids of platforms that words let pass now, and the windows of those that pass once."""
    allowed, once = set[int](), list[AgainWindow]()
    for spoken in (words, book.overrides.get(EVERYONE, {})):
        for (verb, platform), override in spoken.items():
            if verb != "allow" or not _holds(override, now_ms):
                continue
            if override.once:
                assert override.expires_at_ms is not None, "one code passes until some time"
                window = override.issued_at_ms, override.expires_at_ms
                once.append(AgainWindow(platform_id(platform), *window, hot=False))
            else:
                allowed.add(platform_id(platform))
    return allowed, once


def _wider(again: tuple[AgainWindow, ...], once: Sequence[AgainWindow]) -> tuple[AgainWindow, ...]:
    """The windows of a lease with those of words that let one code of a platform pass.

    Such a code takes the place of a second request in what a gateway lets through. Of a platform
    that the lease says is hot a word changes nothing.
    """
    found = {window.platform_id: window for window in again}
    for window in once:
        known = found.get(window.platform_id, window)
        if not known.hot:
            found[window.platform_id] = AgainWindow(
                window.platform_id,
                min(known.from_ms, window.from_ms),
                max(known.until_ms, window.until_ms),
                hot=False,
            )
    return tuple(found.values())


def mode(book: DesiredState, now_ms: int) -> str:
    """The operator's switch: "enforce" unless a word that still holds says otherwise."""
    word = book.overrides.get(EVERYONE, {}).get(("mode", ""))
    return word.mode if word is not None and _holds(word, now_ms) else "enforce"


def rails_times(book: DesiredState, now_ms: int) -> int:
    """The rails that the operator lets in by those of the settings; 1 if nobody raised them."""
    word = book.overrides.get(EVERYONE, {}).get(("rails", ""))
    if word is None or not word.issued_at_ms <= now_ms or not _holds(word, now_ms):
        return 1
    return word.times


def rails_at(book: DesiredState, now_ms: int) -> RailParams:
    """The rails in force, the operator's word about them heeded."""
    return book.params.raised(rails_times(book, now_ms))


def came_before_the_word(book: DesiredState, recipient: str, now_ms: int) -> bool:
    """Tell if the rails refused a lease that was issued before a word that raises them now."""
    entry, word = book.entries[recipient], book.overrides.get(EVERYONE, {}).get(("rails", ""))
    if entry.refusal not in (Refusal.RATE, Refusal.SHARE) or rails_times(book, now_ms) == 1:
        return False
    assert word is not None, "it raises them"
    return entry.action.issued_at_ms < word.issued_at_ms


def let_in(book: DesiredState, now_ms: int) -> set[str]:
    """Let in what the rails refused before the operator's word, and the word has room for.

    In the order in which they were issued. What came after the word was judged by it. When it
    ends, those in force stay, as at every rail.
    """
    params, found = rails_at(book, now_ms), set[str]()
    refused = [
        (entry.action.issued_at_ms, name)
        for name, entry in book.entries.items()
        if entry.until_ms > now_ms and came_before_the_word(book, name, now_ms)
    ]
    for issued_at_ms, name in sorted(refused):
        entry = book.entries[name]
        entry.refusal = readmit(
            params, book.rails, name, issued_at_ms=issued_at_ms, expires_at_ms=entry.until_ms
        )
        if entry.refusal is None:
            found.add(name)
    return found


def uncertain(book: DesiredState, now_ms: int) -> set[str]:
    """Recipients of whom a gateway that cannot tell may hold a lease, whatever should stand."""
    return {name for name, entry in book.entries.items() if entry.enforced_until_ms > now_ms}


def due(book: DesiredState, now_ms: int) -> set[str]:
    """Recipients whose answer may have changed with time; forgets what is long over."""
    recipients: set[str] = set()
    while book.deadlines and book.deadlines[0][0] <= now_ms:
        _, name = heapq.heappop(book.deadlines)
        recipients.update(book.touched_by(name))
        entry = book.entries.get(name)
        if entry is not None and entry.until_ms + REMEMBER_MS <= now_ms:
            del book.entries[name]
        words = book.overrides.get(name, {})
        for key, word in list(words.items()):
            if word.expires_at_ms is not None and word.expires_at_ms + REMEMBER_MS <= now_ms:
                del words[key]
        if name in book.overrides and not words:
            del book.overrides[name]
    return recipients


def _look_again(book: DesiredState, at_ms: int, name: str) -> None:
    """Note that the answer about `name` changes at `at_ms`, and is forgotten later."""
    heapq.heappush(book.deadlines, (at_ms, name))
    heapq.heappush(book.deadlines, (at_ms + REMEMBER_MS, name))


def _rank(action: Action) -> tuple[int, int]:
    return action.epoch, action.revision


def _holds(override: Override | None, now_ms: int) -> bool:
    return override is not None and (
        override.expires_at_ms is None or now_ms < override.expires_at_ms
    )
