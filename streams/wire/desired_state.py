"""The desired state: which lease each recipient should have at a gateway now.

A recipient has at most one full lease and one platform lease. A gateway receives both as one lease.
The state combines three inputs. Actions come from the detector: each one throttles or releases one
recipient. Overrides come from the operator. The rails limit how many leases the detector may
enforce by itself.

This module is pure: no clock, no Kafka, no gateway. Records may arrive late, twice, or in any
order, and the final state is the same. For each kind of lease, the action with the highest (epoch,
revision) wins. A retry-window record changes only the windows of the lease that it names. Every
answer is computed from the known records and the given time.
"""

import heapq
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from detectors.defaults import LEASE_MS
from detectors.leases.gateway_rule import Lease, lease_of, merge, rests_on_relapse
from detectors.leases.rails import RailParams, Rails, Refusal, admit, readmit, withdraw
from detectors.model.event import platform_id
from detectors.model.records import Action, AgainWindow
from detectors.model.times import HOUR_MS, MINUTE_MS
from detectors.thresholds import LEASE_MAX_MS, RELAPSE_S
from streams.wire import EVERYONE, Override

REMEMBER_MS: Final = HOUR_MS
"""An action is remembered for this long after its lease ends. An older action that arrives late is
then still recognised as stale. One hour is six times the default lease; the value was chosen, not
measured."""
AHEAD_MAX_MS: Final = 5 * MINUTE_MS
"""A lease issued more than this after it was received comes from a wrong clock and is rejected.
Chosen: more than twice two minutes, the largest timestamp error of a supported gateway."""


class NoLease(StrEnum):
    """Reason why a recipient has no lease, or why an action was not applied."""

    NONE = "none"  # no action is known for this recipient
    STALE = "stale"  # an action with a higher (epoch, revision) is known
    AHEAD = "ahead"  # issued too far in the future: the writer's clock is wrong
    RELEASE = "release"  # the detector itself released the recipient
    OVER = "over"
    SHADOW = "shadow"  # the detector runs in shadow mode: it reports but does not enforce
    MODE = "mode"  # the operator set the global mode to shadow or off
    EXEMPT = "exempt"
    RELEASED = "released"  # the operator released the recipient
    RAIL = "rail"
    NARROW = "narrow"  # a platform lease, and the gateway cannot refuse single platforms


@dataclass(slots=True)
class Entry:
    """The newest action for one recipient, and the decision of the rails about its lease."""

    action: Action
    refusal: Refusal | None  # why the rails refused the lease; None: admitted
    until_ms: int  # end of the lease, at most LEASE_MAX_MS after the lease was received
    enforced_until_ms: int  # until then a gateway may still enforce some lease of this recipient

    @property
    def stands(self) -> bool:
        """True if the action asks for an enforced lease and the rails admitted the lease.

        Overrides of the operator are not considered here.
        """
        action = self.action
        return action.is_lease and action.mode == "enforce" and self.refusal is None

    @property
    def slow(self) -> bool:
        """True if the lease is longer than that of a burst, because its flood is slow."""
        return self.action.expires_at_ms - self.action.issued_at_ms > LEASE_MS


def entry_name(action: Action) -> str:
    """Return the name of an action's entry. An action replaces the older one of the same name."""
    if action.verb == "retry_windows":
        return f"{action.recipient}/{action.action_id}"
    return action.recipient + (PLATFORMS if action.verb == "throttle_platforms" else "")


PLATFORMS: Final = "/platforms"


@dataclass(slots=True)
class DesiredState:
    """The newest actions of all recipients, the state of the rails, and all overrides. Mutable.

    The number of entries is bounded by the leases of the last hour. The number of overrides is
    bounded by what operators write.
    """

    params: RailParams
    rails: Rails = field(default_factory=Rails)
    entries: dict[str, Entry] = field(default_factory=dict)  # by `entry_name`
    overrides: dict[str, dict[tuple[str, str], Override]] = field(default_factory=dict)
    # heap: times at which an answer may change
    deadlines: list[tuple[float, str]] = field(default_factory=list)

    def touched_by(self, recipient: str) -> Collection[str]:
        """Return the recipients that an override for `recipient` affects."""
        if recipient != EVERYONE:
            return (recipient,)
        return {entry.action.recipient for entry in self.entries.values()}

    def leases_of(self, recipient: str) -> list[Entry]:
        """Return the entries of a recipient's full lease and platform lease, as far as known."""
        names = recipient, recipient + PLATFORMS
        return [self.entries[name] for name in names if name in self.entries]

    def standing(self, recipient: str, at_ms: int) -> list[Entry]:
        """Return those of `leases_of` that stand and end after `at_ms`."""
        return [each for each in self.leases_of(recipient) if each.stands and each.until_ms > at_ms]


def take_action(
    book: DesiredState, action: Action, now_ms: int, written_ms: int | None = None
) -> NoLease | None:
    """Store an action unless it is older than the known action or from the future.

    Return None if the action is stored or already known, STALE if a newer action is known, and
    AHEAD if the action was issued too far in the future. Stale and future actions do not change the
    desired state.

    `written_ms` is the append time of the Kafka broker, if the topic has broker timestamps. With
    it, an action from the future is rejected even if it is read much later.
    """
    seen_ms = now_ms if written_ms is None else min(now_ms, written_ms)
    if not action.ends and action.issued_at_ms > seen_ms + AHEAD_MAX_MS:
        return NoLease.AHEAD
    name, recipient = entry_name(action), action.recipient
    known = book.entries.get(name)
    until_ms = min(action.expires_at_ms, seen_ms + LEASE_MAX_MS)
    enforced_until_ms = _enforced_until_ms(action, until_ms)
    if known is not None:
        enforced_until_ms = max(enforced_until_ms, known.enforced_until_ms)
        if known.action.rank >= action.rank:
            known.enforced_until_ms = enforced_until_ms
            return None if known.action.action_id == action.action_id else NoLease.STALE
    renewal = bool(book.standing(recipient, action.issued_at_ms))
    entry = book.entries[name] = Entry(action, None, until_ms, enforced_until_ms)
    if entry.stands:
        entry.refusal = admit(
            rails_at(book, action.issued_at_ms),
            book.rails,
            recipient,
            issued_at_ms=action.issued_at_ms,
            expires_at_ms=action.expires_at_ms,
            opened_ms=action.opened_ms,
            now_ms=seen_ms,
            renewal=renewal,
            # The rate rail does not count actions older than this: the lease that such an action
            # renews may be forgotten already.
            rated=action.issued_at_ms > now_ms - REMEMBER_MS,
            slow=all(each.slow for each in book.standing(recipient, seen_ms)),
        )
        _end_yielded(book, seen_ms)
    elif not book.standing(recipient, seen_ms):
        withdraw(book.rails, recipient)
    _look_again(book, until_ms, name)
    return None


def _end_yielded(book: DesiredState, now_ms: int) -> None:
    """End the leases of recipients that lost their place under the rails to a new burst.

    The rails limit how many recipients are under lease at a time. When this limit is reached, a
    fast flood (burst) still gets a lease, and a slow flood loses its own.
    """
    for recipient in book.rails.yielded:
        for entry in book.leases_of(recipient):
            entry.refusal = Refusal.SHARE
        heapq.heappush(book.deadlines, (now_ms, recipient))
    book.rails.yielded.clear()


def _enforced_until_ms(action: Action, until_ms: int) -> int:
    """Return until when a gateway may enforce this action or the lease that it replaces."""
    if action.mode != "enforce" or action.verb == "retry_windows":
        return 0
    if not action.ends:
        return until_ms
    # The released lease may be missing: the topic is compacted and keeps only the release.
    return until_ms + LEASE_MAX_MS


def take_override(book: DesiredState, override: Override) -> Iterable[str]:
    """Store an override and return the recipients whose answer may change.

    The last record of a key wins, whatever its timestamps are: the order of the log is the order in
    which the operator wrote.
    """
    book.overrides.setdefault(override.recipient, {})[override.verb, override.platform] = override
    if override.expires_at_ms is not None:
        _look_again(book, override.expires_at_ms, override.recipient)
        _look_again(book, _matters_until_ms(override), override.recipient)
    return book.touched_by(override.recipient)


def _matters_until_ms(override: Override) -> float:
    """Return until when an override may decide: a release longer than it holds, see `_covers`."""
    if override.expires_at_ms is None:
        return math.inf
    covers_ms = override.issued_at_ms + RELAPSE_S * 1000 if override.verb == "release" else 0
    return max(override.expires_at_ms, covers_ms)


def forget_override(book: DesiredState, recipient: str, verb: str, platform: str) -> Iterable[str]:
    """Remove an override and return the recipients whose answer may change.

    The override's record is deleted from the topic too.
    """
    words = book.overrides.get(recipient, {})
    if words.pop((verb, platform), None) is None:
        return ()
    if not words:
        del book.overrides[recipient]
    return book.touched_by(recipient)


def desired_lease(
    book: DesiredState, recipient: str, now_ms: int, *, narrow: bool = True
) -> Lease | NoLease:
    """Return the lease that a gateway should enforce for this recipient, or why there is none.

    A full lease and a platform lease become one. With `narrow` false the gateway cannot refuse
    single platforms, so platform leases are left out.
    """
    full = lease_by_name(book, recipient, now_ms)
    platforms = lease_by_name(book, recipient + PLATFORMS, now_ms)
    if isinstance(platforms, Lease) and not narrow:
        platforms = NoLease.NARROW
    if isinstance(full, Lease):
        return merge(full, platforms) if isinstance(platforms, Lease) else full
    return platforms if isinstance(platforms, Lease) or full is NoLease.NONE else full


def lease_by_name(book: DesiredState, name: str, now_ms: int) -> Lease | NoLease:
    """Return the full lease or the platform lease to enforce, or why there is none.

    All decisions about enforcement are made here and nowhere else.
    """
    entry = book.entries.get(name)
    if entry is None:
        return NoLease.NONE
    action, recipient = entry.action, entry.action.recipient
    if action.ends:
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
    if release is not None:
        found = (each.action for each in book.leases_of(recipient))
        flood = [each for each in found if each.episode_id == action.episode_id]
        if _holds(release, now_ms) or any(_covers(release, each) for each in (action, *flood)):
            return NoLease.RELEASED
    if entry.refusal is not None:
        return NoLease.RAIL
    allowed, once = _list_allowed(book, words, now_ms)
    windows = book.entries.get(f"{recipient}/{action.action_id}")
    lease = lease_of(action, windows.action if windows is not None else None)
    scope = lease.scope
    if allowed:
        scope = replace(scope, pass_ids=tuple(sorted(allowed.union(scope.pass_ids))))
    return replace(
        lease,
        expires_at_ms=entry.until_ms,
        scope=scope,
        again=_wider(lease.again, once),
        refused_ids=lease.refused_ids - allowed,
    )


def _covers(release: Override, action: Action) -> bool:
    """Tell if a release covers a lease that was issued before it.

    A lease that rests on a flood of the last days is also covered if it was issued after the
    release, as long as the detector remembers that flood.
    """
    until_ms = release.issued_at_ms
    if rests_on_relapse(action.reason):
        until_ms += RELAPSE_S * 1000
    return action.issued_at_ms <= until_ms


def _list_allowed(
    book: DesiredState, words: Mapping[tuple[str, str], Override], now_ms: int
) -> tuple[set[int], list[AgainWindow]]:
    """Return the platforms that active overrides allow, and the windows of those allowed once."""
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
    """Return the retry windows of a lease, extended by overrides that allow a platform once.

    In a retry window one code of a platform passes, because the recipient asked for the code again.
    An override that allows a platform once has the same effect. It changes nothing for a platform
    that the lease marks as hot (abused in other floods).
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
    """Return the operator's global mode: "enforce" unless an active override sets another mode."""
    word = book.overrides.get(EVERYONE, {}).get(("mode", ""))
    return word.mode if word is not None and _holds(word, now_ms) else "enforce"


def rails_times(book: DesiredState, now_ms: int) -> int:
    """Return the factor by which the operator raised the rails; 1 if they are not raised."""
    word = book.overrides.get(EVERYONE, {}).get(("rails", ""))
    if word is None or not word.issued_at_ms <= now_ms or not _holds(word, now_ms):
        return 1
    return word.times


def rails_at(book: DesiredState, now_ms: int) -> RailParams:
    """Return the rails in force, including the factor set by the operator."""
    return book.params.multiply(rails_times(book, now_ms))


def came_before_the_word(book: DesiredState, name: str, now_ms: int) -> bool:
    """True if the rails refused a lease issued before an override that now raises the rails."""
    entry, word = book.entries[name], book.overrides.get(EVERYONE, {}).get(("rails", ""))
    if entry.refusal not in (Refusal.RATE, Refusal.SHARE) or rails_times(book, now_ms) == 1:
        return False
    assert word is not None, "it raises them"
    return entry.action.issued_at_ms < word.issued_at_ms


def let_in(book: DesiredState, now_ms: int) -> set[str]:
    """Admit leases that the rails refused earlier, as far as the raised rails have room.

    Return the admitted recipients. Leases are admitted in the order in which they were issued. Only
    leases issued before the override are considered; later ones were already checked against the
    raised rails. When the override ends, admitted leases stay in force, as with every rail.
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
            params,
            book.rails,
            entry.action.recipient,
            issued_at_ms=issued_at_ms,
            expires_at_ms=entry.until_ms,
        )
        if entry.refusal is None:
            found.add(entry.action.recipient)
    return found


def uncertain(book: DesiredState, now_ms: int) -> set[str]:
    """Return recipients for whom a gateway may still enforce a lease.

    The caller uses this for gateways that cannot list their leases.
    """
    entries = book.entries.values()
    return {entry.action.recipient for entry in entries if entry.enforced_until_ms > now_ms}


def due(book: DesiredState, now_ms: int) -> set[str]:
    """Return recipients whose answer may have changed because time passed.

    Entries and overrides that have not mattered for REMEMBER_MS are deleted.
    """
    recipients: set[str] = set()
    while book.deadlines and book.deadlines[0][0] <= now_ms:
        _, name = heapq.heappop(book.deadlines)
        recipients.update(book.touched_by(name.partition("/")[0]))
        entry = book.entries.get(name)
        if entry is not None and entry.until_ms + REMEMBER_MS <= now_ms:
            del book.entries[name]
        words = book.overrides.get(name, {})
        for key, word in list(words.items()):
            if _matters_until_ms(word) + REMEMBER_MS <= now_ms:
                del words[key]
        if name in book.overrides and not words:
            del book.overrides[name]
    return recipients


def _look_again(book: DesiredState, at_ms: float, name: str) -> None:
    """Schedule a check of `name` at `at_ms`, and its deletion REMEMBER_MS later."""
    heapq.heappush(book.deadlines, (at_ms, name))
    heapq.heappush(book.deadlines, (at_ms + REMEMBER_MS, name))


def _holds(override: Override | None, now_ms: int) -> bool:
    return override is not None and (
        override.expires_at_ms is None or now_ms < override.expires_at_ms
    )
