"""Describes a case to a person: its state, its leases, and the operator's overrides. Pure.

`streams.cases.store` finds the case, and counts what belongs to it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from detectors.leases.gateway_rule import Lease
from detectors.leases.rails import RailParams
from detectors.model.records import Action, EpisodeRecord, Level
from detectors.recognise.platform.registry import Registry
from streams.cases.explanation import lines
from streams.common import join_list, moment, tr, trc, trn
from streams.wire import EVERYONE, Ack, Override
from streams.wire.desired_state import (
    DesiredState,
    Entry,
    NoLease,
    desired_lease,
    entry_name,
    take_override,
)
from streams.wire.recipients import TOKEN, WRITTEN_NUMBER

NEAREST: Final = 5  # Maximum number of platforms suggested for a mistyped name.

NEAR: Final = 0.6  # Minimum similarity of two names, from 0 to 1, for a suggestion (as in difflib).


ID: Final = re.compile(r"\d+:[^:]+:\d+:\d+")
"""Matches the id of an episode or action: epoch, topic, partition, offset."""


def can_name_case(named: str) -> bool:
    """Return true if a text may name a case: a number, a pseudonym, or a case's or action's id."""
    return any(form.fullmatch(named) for form in (WRITTEN_NUMBER, TOKEN, ID))


class Doing(StrEnum):
    """The state of a case at one moment: what gateways do about the flood."""

    THROTTLED = "throttled"  # A gateway confirms that it enforces the lease.
    UNCONFIRMED = "unconfirmed"  # A lease is in force, and no gateway has acknowledged it.
    FAILED = "failed"  # A lease is in force, and no gateway enforces it.
    RELEASED = "released"  # Released by the operator.
    EXEMPT = "exempt"
    OFF = "off"  # The operator's kill switch is on.
    SHADOW = "shadow"  # Shadow mode, by the kill switch or by the detector itself.
    LAPSED = "lapsed"  # The lease expired, and the flood went on too slowly to renew it.
    WATCHED = "watched"  # There never was a lease.
    OVER = "over"


REFUSING: Final = (Doing.THROTTLED, Doing.UNCONFIRMED)
"""States in which gateways should obey the lease."""


@dataclass(slots=True)
class Case:
    """One episode: its records in order, its leases, and the acknowledgements of each."""

    records: list[EpisodeRecord] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    acks: dict[str, list[Ack]] = field(default_factory=dict)  # By action id.
    # The operator's overrides for this recipient.
    words: list[Override] = field(default_factory=list)

    @property
    def last(self) -> EpisodeRecord:
        return self.records[-1]

    def lease(self, now_ms: int) -> Action | None:
        """Return the lease that gateways follow now, else the newest record; None without any."""
        return lease_now(self.actions, now_ms)


def lease_now(actions: Iterable[Action], now_ms: int) -> Action | None:
    """Return the full lease in force, else the platform lease in force, else the newest record."""
    newest = {
        entry_name(each): each
        for each in sorted(actions, key=lambda each: each.rank)
        if each.verb != "retry_windows"
    }

    def order(each: Action) -> tuple[bool, bool, tuple[int, int]]:
        stands = not each.ends and each.expires_at_ms > now_ms
        return stands, stands and each.verb == "throttle", each.rank

    return max(newest.values(), key=order, default=None)


def said_by_gateways(acks: Collection[Ack], *, leased: bool) -> str:
    """Return the strongest acknowledgement by any gateway of any lease of a case.

    `unknown`: there was a lease, and no gateway answered. `watched`: there was no lease.
    """
    states = {ack.state for ack in acks}
    none = "unknown" if leased else "watched"
    return next((each for each in _STRONGEST_FIRST if each in states), none)


_STRONGEST_FIRST: Final = ("applied", "failed", "ignored", "expired")


def says(state: Doing, lease: Action | None) -> str:
    """Return the sentence about a state, in the current language.

    `lease`: the lease that gateways follow.
    """
    if state is Doing.THROTTLED and lease is not None and lease.verb == "throttle_platforms":
        n = len(lease.refused_ids)
        return trn(
            "throttled: codes of {n} platform are refused, and no others",
            "throttled: codes of {n} platforms are refused, and no others",
            n,
        )
    return tr(SAYS[state])


def switch(words: Iterable[Override], now_ms: int) -> Override | None:
    """Return the override that stops all gateways from enforcing now, or None."""
    modes = [word for word in words if word.recipient == EVERYONE and word.verb == "mode"]
    last = modes[-1] if modes else None  # The last override of a key counts.
    if last is None or last.mode == "enforce":
        return None
    return last if last.expires_at_ms is None or now_ms < last.expires_at_ms else None


def doing(case: Case, words: Sequence[Override], now_ms: int) -> Doing:
    """Return the state of a case now, by the rules that every adapter follows.

    `words` are all overrides of the operator. Only an adapter knows its limits on leases; their
    effect shows in its acknowledgements.
    """
    lease = case.lease(now_ms)
    said = case.acks.get(lease.action_id, ()) if lease is not None else ()
    return standing(case.last.level, lease, said, words, now_ms)


def standing(
    level: Level,
    newest: Action | None,
    acks: Iterable[Ack],
    words: Iterable[Override],
    now_ms: int,
) -> Doing:
    """Return the state from the parts of a case: level, newest action and its acknowledgements."""
    if level is Level.CLEAR:
        return Doing.OVER
    if newest is None:
        return Doing.WATCHED
    recipient = newest.recipient
    book = DesiredState(RailParams())
    book.entries[entry_name(newest)] = Entry(newest, None, newest.expires_at_ms, 0)
    words = [word for word in words if word.recipient in (recipient, EVERYONE)]
    for word in words:
        take_override(book, word)
    wanted = desired_lease(book, recipient, now_ms)
    if isinstance(wanted, NoLease):
        if wanted is NoLease.MODE:
            spoken_ = switch(words, now_ms)
            return Doing.OFF if spoken_ is not None and spoken_.mode == "off" else Doing.SHADOW
        return _WITHOUT[wanted]
    assert isinstance(wanted, Lease)
    states = {ack.gateway_id: ack.state for ack in acks}
    if "applied" in states.values():
        return Doing.THROTTLED
    return Doing.FAILED if states else Doing.UNCONFIRMED


_WITHOUT: Final = {
    NoLease.RELEASE: Doing.OVER,
    NoLease.OVER: Doing.LAPSED,
    NoLease.SHADOW: Doing.SHADOW,
    NoLease.EXEMPT: Doing.EXEMPT,
    NoLease.RELEASED: Doing.RELEASED,
}

SAYS: Final = {
    Doing.THROTTLED: "throttled: codes of platforms new to this recipient are refused",
    Doing.UNCONFIRMED: "a lease is in force, and no gateway has confirmed it yet",
    Doing.FAILED: "observed: a lease is in force, but no gateway enforces it",
    Doing.RELEASED: "observed: released by the operator, nothing is refused",
    Doing.EXEMPT: "observed: exempt by an operator's override, nothing is refused",
    Doing.OFF: "observed: the kill switch is on, nothing is refused",
    Doing.SHADOW: "observed: nothing is refused",
    Doing.LAPSED: "its last lease has ended: nothing is refused",
    Doing.WATCHED: "watched: nothing is refused",
    Doing.OVER: "over: nothing is refused",
}


def banner(word: Override) -> str:
    """Return a sentence about the kill switch, to be shown above everything else."""
    return tr(
        "KILL SWITCH: {mode} since {since} by {actor}, {until}: {why}. {effect} "
        "`otpguard mode normal` withdraws the switch."
    ).format(
        mode=word.mode,
        since=moment(word.issued_at_ms),
        actor=word.actor,
        until=_until(word),
        why=word.reason,
        effect=tr("No gateway refuses anything."),
    )


def identity(record: EpisodeRecord) -> str:
    """Return the id of the action that this record explains, if an action was published."""
    return record.cause.id(record.epoch)


def explanation(case: Case, record: EpisodeRecord) -> Iterator[str]:
    """Yield lines that explain a case to a person.

    No codes and no texts appear, because none are stored.
    """
    yield from lines(record)
    if case.actions:
        yield ""
        yield tr("leases")
        for action in case.actions:
            answers = "; ".join(map(_ack, case.acks.get(action.action_id, ()))) or tr("no word")
            yield "  " + tr("{id}  {verb} {mode} until {until}: {answers}").format(
                id=action.action_id,
                verb=tr(action.verb),
                mode=tr(action.mode),
                until=moment(action.expires_at_ms),
                answers=answers,
            )
    if case.words:
        yield ""
        yield tr("operator")
        yield from (f"  {format_override(word)}" for word in case.words)


def format_override(word: Override) -> str:
    """Return an override as one line: verb, reason, author and end."""
    more = {"mode": word.mode, "rails": f"x {word.times}"}.get(word.verb, word.platform)
    what = f"{word.verb} {more}".strip() + (" once" if word.once else "")
    return tr("{at}  {what} by {actor}, {until}: {why}").format(
        at=moment(word.issued_at_ms),
        what=what,
        actor=word.actor,
        until=_until(word),
        why=word.reason,
    )


def _until(word: Override) -> str:
    if word.expires_at_ms is None:
        return tr("until changed")
    return tr("until {at}").format(at=moment(word.expires_at_ms))


def heard_of(key: str, registry: Registry, seen: Iterable[str]) -> bool:
    """Return true if the registry or a case names this platform; keys are the detector's."""
    known = {f"sig:{owner.key}" for owner in registry.signatures.values()}
    return key in known or key in set(seen)


def nearest(key: str, seen: Iterable[str], registry: Registry) -> list[str]:
    """Return known platforms with similar names.

    >>> nearest("sig:taobo", ["sig:taobao", "sig:美团"], Registry())
    ['sig:taobao']
    """
    cases = list(dict.fromkeys(seen))
    by_name = {name: f"sig:{owner.key}" for name, owner in registry.signatures.items()}
    by_name |= {each.partition(":")[2]: each for each in cases}
    alike = get_close_matches(key.partition(":")[2], by_name, NEAREST, NEAR)
    return list(dict.fromkeys(by_name[each] for each in alike))


def instead(seen: Iterable[str]) -> list[str]:
    """Return platforms of a case to choose from if no name is similar, signatures first.

    >>> instead(["from:check24", "sig:某校"])
    ['sig:某校', 'from:check24']
    """
    return sorted(set(seen), key=lambda key: (not key.startswith("sig:"), key))[:NEAREST]


def _ack(ack: Ack) -> str:
    form = tr("{state} ({why}) at {gateway}") if ack.why else tr("{state} at {gateway}")
    told = form.format(state=tr(ack.state), why=trc("why", ack.why), gateway=ack.gateway_id)
    if not ack.refused_count:
        return told
    return join_list([told, tr("{n} refused").format(n=ack.refused_count)])
