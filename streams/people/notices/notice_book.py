"""Select the victims to notify now, from leases, acks, overrides, episodes and earlier notices.

This module is pure: it has no clock, no Kafka and no SMSC. Records of different topics may arrive
in any order and more than once. Everything that a notifier knows of past notices comes from the
notice topic, so the process that replaces it knows the same.
"""

import heapq
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from detectors.leases.gateway_rule import Lease
from detectors.leases.rails import RailParams
from detectors.model.records import Action, EpisodeRecord, merge_renewal
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.people.notices.texts import Facts
from streams.wire import EVERYONE, Ack, Notice, Override
from streams.wire.desired_state import (
    DesiredState,
    NoLease,
    desired_lease,
    due,
    take_action,
    take_override,
)
from streams.wire.notice_records import NoticeKind

EPISODE_WAIT_MS: Final = 2_000
"""Longest time a notice waits for its episode record, which marks shared and test numbers.

A worker writes a lease and the episode record together, but to two topics. 2 s are ten polls.
"""
TRIES_MAX: Final = 2
"""Maximum number of processes that may stop while they send the same notice.

Nobody knows whether such a notice left. The second process is the last that sends it.
"""
EPISODE_KEPT_MS: Final = DAY_MS + HOUR_MS
"""An episode lasts at most one day. Its last notice is due within one more hour."""
LOOKED_AT: Final = 256
"""Maximum number of queued notices that one call of `next` examines.

The notices at the front may still wait for their episode records.
"""
_NO_RAILS: Final = RailParams(new_per_minute=10**9, recipients_max=10**9)
"""No limits here: the gateway adapters apply the rails, which limit how many leases take effect.

A gateway never acknowledges a lease as applied if the rails stopped this lease.
"""


class Unsent(StrEnum):
    """Why a notice was not sent, or why its delivery is unknown. Written to the notice topic."""

    TOKEN = "token"  # noqa: S105 - the recipient is a pseudonym: the phone number is unknown here
    ABROAD = "abroad"  # no configured prefix matches the number
    CHRONIC = "chronic"  # a shared number or a test number
    HOLD_OFF = "hold_off"  # this recipient got a notice within the hold-off time
    EXEMPT = "exempt"
    RELEASED = "released"  # the operator released the lease before the notice was sent
    OVER = "over"  # the lease ended before the notice was sent
    SHADOW = "shadow"
    SWITCH = "switch"  # the kill switch is on
    CAP = "cap"  # the limit per minute, per day or per prefix was reached
    LATE = "late"  # the notice waited too long, for example because the SMSC was unavailable
    AWAY = "away"  # the channel did not accept the notice, which is tried again
    UNKNOWN = "unknown"  # the notice may have arrived, so it is not sent again
    REFUSED = "refused"  # the SMSC rejected the notice for good


_AGAIN: Final = frozenset(
    {Unsent.OVER, Unsent.SHADOW, Unsent.SWITCH, Unsent.CAP, Unsent.LATE, Unsent.AWAY}
)
"""Reasons that are not final: a later lease of the same episode makes the notice due again."""

_OF_LEASE: Final = {
    NoLease.EXEMPT: Unsent.EXEMPT,
    NoLease.RELEASED: Unsent.RELEASED,
    NoLease.SHADOW: Unsent.SHADOW,
    NoLease.MODE: Unsent.SWITCH,
}


@dataclass(frozen=True, slots=True)
class NotifyParams:
    """Limits and rules of one notifier."""

    hold_off_ms: int = DAY_MS
    per_minute: int = 600
    per_day: int = 50_000  # to all numbers together, per day in UTC
    prefixes: Mapping[str, int] = field(default_factory=lambda: {"": 50_000})
    """Prefix of a number (digits) -> maximum number of notices per day to such numbers."""
    age_max_ms: int = 10 * MINUTE_MS  # a notice that waits longer is not sent
    gateways: frozenset[str] = frozenset()  # only acks of these gateways count; empty: all count
    canary: range = range(0)  # the operator's own test numbers, which get no notices
    end: bool = False  # whether to send `victim_end` notices
    released: bool = False  # whether to send `victim_released` notices

    def prefix(self, recipient: str) -> str | None:
        """Return the longest configured prefix that a number begins with.

        None: no prefix matches, and the number gets no notices.
        """
        return max(filter(recipient.startswith, self.prefixes), key=len, default=None)


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """A notice in the queue."""

    notice_id: str
    episode_id: str
    kind: NoticeKind
    recipient: str
    facts: Facts
    due_ms: int  # since when the notice is due
    unresolved: bool = False  # an earlier process may already have sent it


@dataclass(slots=True)
class NoticeBook:
    """The queue of due notices and the records that decide about them. Mutable.

    Memory is bounded by the episodes of about one day, and the notices of a day or of the hold-off
    time if longer. The rails (limits on the number of leases) and `per_day` limit their number.
    """

    params: NotifyParams
    desired: DesiredState = field(default_factory=lambda: DesiredState(_NO_RAILS))
    queue: OrderedDict[str, PendingNotice] = field(default_factory=OrderedDict)
    full: bool = False  # true while the limit per minute is reached
    _leases: dict[str, Action] = field(default_factory=dict)  # by action id
    _newest: dict[str, Action] = field(default_factory=dict)  # by episode id
    _applied: dict[str, int] = field(default_factory=dict)  # action id -> time of the `applied` ack
    episodes: dict[str, EpisodeRecord] = field(default_factory=dict)
    _told: dict[str, Notice] = field(default_factory=dict)  # by notice id
    _last: dict[str, Notice] = field(default_factory=dict)  # by kind and recipient
    # Notice id -> processes that wrote `sending` and no result.
    _tries: dict[str, int] = field(default_factory=dict)
    _ends: dict[tuple[str, str], int] = field(default_factory=dict)  # table, key -> expiry time
    _heap: list[tuple[int, str, str]] = field(default_factory=list)  # of `_ends`; may be stale
    _sent_ms: deque[int] = field(default_factory=deque)  # send times of the last minute
    _full_ms: int = -1  # when the limit per minute was last reached
    _days: Counter[tuple[int, str | None]] = field(default_factory=Counter)
    """Day since 1970 in UTC, and prefix (None: all numbers) -> notices that may have left."""
    _now_ms: int = 0  # the time of the last call

    # -- records that arrive

    def action(self, action: Action, now_ms: int) -> None:
        """Process a lease or its withdrawal."""
        take_action(self.desired, action, now_ms)
        if not action.is_lease or action.mode != "enforce":
            return
        until_ms = max(now_ms, action.expires_at_ms) + HOUR_MS
        self._keep("_leases", action.action_id, action, until_ms)
        known = self._newest.get(action.episode_id)
        if known is None or known.revision < action.revision:
            self._keep("_newest", action.episode_id, action, until_ms)
        self._consider(action.action_id, now_ms)

    def ack(self, ack: Ack, now_ms: int) -> None:
        """Process the ack of a gateway. Only `applied` means that messages are refused."""
        gateways = self.params.gateways
        if ack.state == "applied" and (not gateways or ack.gateway_id in gateways):
            self._keep("_applied", ack.action_id, ack.at_ms, now_ms + HOUR_MS)
            self._consider(ack.action_id, now_ms)

    def episode(self, record: EpisodeRecord, now_ms: int) -> None:
        """Process an episode record. The end of an episode may make a notice due."""
        before = self.episodes.get(record.episode_id)
        whole = merge_renewal(record, before) if before is not None else record
        self._keep("episodes", record.episode_id, whole, now_ms + EPISODE_KEPT_MS)
        young = record.at_ms + self.params.age_max_ms > now_ms
        told = self.was_told(record.episode_id)
        if self.params.end and record.change == "ended" and young and told:
            self._enqueue(record.episode_id, "victim_end", record.recipient, now_ms)

    def word(self, word: Override, offset: int, now_ms: int) -> None:
        """Process an override of the operator.

        An override that lets all messages to a recipient pass may make a notice due. The id of this
        notice contains the offset of the override, so each override causes one notice at most.
        """
        take_override(self.desired, word)
        opens = word.verb in ("release", "exempt") and word.recipient != EVERYONE
        lasts = word.expires_at_ms is None or word.expires_at_ms > now_ms
        young = word.issued_at_ms + self.params.age_max_ms > now_ms
        if self.params.released and opens and lasts and young:
            self._enqueue(f"override-{offset}", "victim_released", word.recipient, now_ms)

    def take_notice(self, notice: Notice) -> None:
        """Process a record of the notice topic, from this notifier or another one."""
        if not notice.kind.startswith("victim"):
            return
        known = self._told.get(notice.notice_id)
        tries = 0
        if notice.state == "sending":
            again = known is not None and (known.state, known.at_ms) == ("sending", notice.at_ms)
            tries = self._tries.get(notice.notice_id, 0) + (not again)
        if known is not None:
            self._count(known, -1)  # each notice counts once, with its last record
        self._count(notice, 1)
        kept_ms = notice.at_ms + max(self.params.hold_off_ms, EPISODE_KEPT_MS)
        self._keep("_told", notice.notice_id, notice, kept_ms)
        self._keep("_tries", notice.notice_id, tries, kept_ms)
        key = f"{notice.kind} {notice.to}"
        last = self._last.get(key)
        if may_have(notice):
            if last is None or last.at_ms <= notice.at_ms:
                self._keep("_last", key, notice, kept_ms)
        elif last is not None and last.notice_id == notice.notice_id:
            del self._last[key]  # the notice was being sent, but did not arrive

    # -- notices to send

    def resume(self, before_ms: int) -> Iterator[Notice]:
        """Queue the notices that a process left unfinished before `before_ms`.

        Also removes finished notices from the queue. Call this method after the start, once all
        records are read, and later for notices of processes that stopped. A notice that `TRIES_MAX`
        processes left unfinished is given up: its final record (`failed`, `unknown`) is yielded.
        """
        for notice_id in [each for each in self.queue if not self._again(each)]:
            del self.queue[notice_id]
        for notice_id, told in list(self._told.items()):
            own = notice_id in self.queue and self.queue[notice_id].unresolved
            if told.state != "sending" or told.at_ms >= before_ms or own:
                continue
            episode_id = notice_id.rpartition(":")[0]
            if self._tries[notice_id] >= TRIES_MAX:
                self.queue.pop(notice_id, None)
                yield Notice(
                    notice_id=notice_id, episode_id=episode_id, kind=told.kind, to=told.to,
                    channel="", template="", state="failed", why=Unsent.UNKNOWN, at_ms=told.at_ms,
                )  # fmt: skip
                continue
            self.queue[notice_id] = PendingNotice(
                notice_id, episode_id, told.kind, told.to, self._facts(episode_id),
                told.at_ms, unresolved=True,
            )  # fmt: skip

    def next(self, now_ms: int) -> PendingNotice | tuple[PendingNotice, Unsent] | None:
        """Return the next notice to send, or a notice that must not be sent and the reason.

        Returns None if there is nothing to do now. The notice stays in the queue until `remove`.
        """
        self._follow(now_ms)
        while self._sent_ms and self._sent_ms[0] <= now_ms - MINUTE_MS:
            self._sent_ms.popleft()
        self.full = bool(self.queue) and len(self._sent_ms) >= self.params.per_minute
        if self.full:
            self._full_ms = now_ms
        for pending in islice(self.queue.values(), 1 if self.full else LOOKED_AT):
            if (why := self._why_not(pending, now_ms)) is not None:
                # If an earlier process may have sent it, it is not sent again.
                return pending, Unsent.UNKNOWN if pending.unresolved else why
            if not self.full and not self._waits(pending, now_ms):
                return pending
        return None

    def count_sending(self, now_ms: int) -> None:
        """Count a notice that is being sent now against the limit per minute."""
        self._follow(now_ms)
        self._sent_ms.append(now_ms)

    def remove(self, notice_id: str) -> None:
        self.queue.pop(notice_id, None)

    def ask(self, episode_id: str, kind: NoticeKind, recipient: str, now_ms: int) -> None:
        """Queue a notice that the victim is waiting for, in front of all others."""
        if self._enqueue(episode_id, kind, recipient, now_ms):
            self.queue.move_to_end(f"{episode_id}:{kind}", last=False)

    def turn(self, now_ms: int) -> None:
        """Remove expired records, leases and counters."""
        due(self.desired, now_ms)
        while self._heap and self._heap[0][0] <= now_ms:
            _, table, key = heapq.heappop(self._heap)
            if self._ends.get((table, key), now_ms + 1) <= now_ms:
                del self._ends[table, key]
                getattr(self, table).pop(key, None)
        for each in [each for each in self._days if each[0] < now_ms // DAY_MS - 1]:
            del self._days[each]

    # -- queries about one victim

    def lease_of(self, recipient: str, now_ms: int) -> Action | None:
        """Return the lease that refuses messages of a recipient now, or None."""
        lease = desired_lease(self.desired, recipient, now_ms)
        if not isinstance(lease, Lease):
            return None
        actions = [entry.action for entry in self.desired.leases_of(recipient)]
        return next(each for each in actions if each.action_id == lease.action_id)

    def was_told(self, episode_id: str) -> bool:
        """Return true if the notice that an episode has begun may have reached the victim."""
        told = self._told.get(f"{episode_id}:victim_start")
        return told is not None and may_have(told)

    def last_told(self, kind: NoticeKind, recipient: str) -> int | None:
        """Return when a notice of this kind was last sent or perhaps sent, in ms, or None.

        Notices are remembered for the hold-off time, but at least for 25 hours.
        """
        last = self._last.get(f"{kind} {recipient}")
        return None if last is None else last.at_ms

    def is_day_full(self, now_ms: int, *prefixes: str) -> bool:
        """Return true if a daily limit is reached: the total, or the limit of one of `prefixes`.

        Without `prefixes`, all configured prefixes are checked.
        """
        day, caps = now_ms // DAY_MS, self.params.prefixes
        return self._days[day, None] >= self.params.per_day or any(
            self._days[day, each] >= caps[each] for each in prefixes or caps
        )

    # -- internals

    def _count(self, told: Notice, by: int) -> None:
        """Add `by` to the daily counters if the notice may have been sent. -1 undoes a count."""
        if may_have(told):
            day = told.at_ms // DAY_MS
            self._days[day, None] += by
            self._days[day, self.params.prefix(told.to) or ""] += by

    def _follow(self, now_ms: int) -> None:
        """Change times in the future to `now_ms`, after the clock was set back.

        Otherwise the limit per minute would stay reached, and queued notices would not age, until
        the clock reaches its old value again.
        """
        if now_ms < self._now_ms:
            self._sent_ms = deque(min(each, now_ms) for each in self._sent_ms)
            self._full_ms = min(self._full_ms, now_ms)
            for notice_id, pending in self.queue.items():
                if pending.due_ms > now_ms:
                    self.queue[notice_id] = replace(pending, due_ms=now_ms)
        self._now_ms = now_ms

    def _consider(self, action_id: str, now_ms: int) -> None:
        """Queue the first notice of an episode once its lease and the `applied` ack are here."""
        action = self._leases.get(action_id)
        if action is None or action_id not in self._applied:
            return
        recipient = action.recipient
        if recipient.isdecimal() and int(recipient) in self.params.canary:
            return
        self._enqueue(action.episode_id, "victim_start", recipient, now_ms)

    def _enqueue(self, episode_id: str, kind: NoticeKind, recipient: str, now_ms: int) -> bool:
        notice_id = f"{episode_id}:{kind}"
        if notice_id in self.queue or not self._again(notice_id):
            return False
        self._follow(now_ms)
        facts = self._facts(episode_id)
        self.queue[notice_id] = PendingNotice(notice_id, episode_id, kind, recipient, facts, now_ms)
        return True

    def _again(self, notice_id: str) -> bool:
        """Return true if a notice may be queued: it was not sent, and not rejected for good."""
        told = self._told.get(notice_id)
        return told is None or told.why in _AGAIN

    def _facts(self, episode_id: str) -> Facts:
        lease = self._newest.get(episode_id)
        if lease is None:
            return Facts()
        evidence = lease.evidence
        few = lease.verb == "throttle_platforms"
        return Facts(evidence.first_ms, evidence.messages, evidence.platforms, few=few)

    def _why_not(self, pending: PendingNotice, now_ms: int) -> Unsent | None:
        recipient = pending.recipient
        if not recipient.isdecimal():
            return Unsent.TOKEN
        prefix = self.params.prefix(recipient)
        if prefix is None:
            return Unsent.ABROAD
        if pending.kind == "victim_start":
            lease = desired_lease(self.desired, recipient, now_ms)
            if not isinstance(lease, Lease):
                return _OF_LEASE.get(lease, Unsent.OVER)
            record = self.episodes.get(pending.episode_id)
            if record is not None and record.chronic:
                return Unsent.CHRONIC
            last = self._last.get(f"victim_start {recipient}")
            if (
                last is not None
                and last.notice_id != pending.notice_id
                and now_ms < last.at_ms + self.params.hold_off_ms
            ):
                return Unsent.HOLD_OFF
        if self.is_day_full(now_ms, prefix):
            return Unsent.CAP
        if now_ms - pending.due_ms > self.params.age_max_ms:
            return Unsent.CAP if pending.due_ms <= self._full_ms else Unsent.LATE
        return None

    def _waits(self, pending: PendingNotice, now_ms: int) -> bool:
        return (
            pending.kind == "victim_start"
            and pending.episode_id not in self.episodes
            and now_ms - pending.due_ms < EPISODE_WAIT_MS
        )

    def _keep(self, table: str, key: str, value: Any, until_ms: int) -> None:
        """Store a value until `until_ms`. Storing the key again can only extend this time."""
        getattr(self, table)[key] = value
        if until_ms > self._ends.get((table, key), 0):
            self._ends[table, key] = until_ms
            heapq.heappush(self._heap, (until_ms, table, key))


def may_have(told: Notice) -> bool:
    """Return true if the victim may have received the notice."""
    return told.state in ("sending", "sent") or told.why == Unsent.UNKNOWN
