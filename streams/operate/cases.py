"""Episodes as cases: what the topics say about a victim, put together for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from detectors.leases.gate import Lease
from detectors.leases.rails import RailParams
from detectors.model.records import Action, EpisodeRecord, Level, completed
from detectors.recognise.registry import Registry
from streams.enforce.book import DesiredState, Entry, NoLease, desired_lease, take_override
from streams.language import listed, moment, tr
from streams.operate.explain import lines
from streams.wire import EVERYONE, Ack, Override

NEAREST: Final = 5
"""Platforms named at most where one was mistyped."""

NEAR: Final = 0.6
"""Share of two names that is the same, from 0 to 1, if one may be meant by the other; difflib's."""


class Doing(StrEnum):
    """The state of a case at one moment: what gateways do about it."""

    THROTTLED = "throttled"  # a gateway says that it holds the lease
    UNCONFIRMED = "unconfirmed"  # a lease is in force, and no gateway has said a word about it
    FAILED = "failed"  # a lease is in force, and no gateway holds it
    RELEASED = "released"  # by the operator
    EXEMPT = "exempt"
    OFF = "off"  # the operator's switch
    SHADOW = "shadow"  # the switch, or the detector itself
    LAPSED = "lapsed"  # the lease ended by itself, and the flood went on too slowly to renew it
    WATCHED = "watched"  # there never was a lease
    OVER = "over"


@dataclass(slots=True)
class Case:
    """One episode: its records in order, its leases and what became of them."""

    records: list[EpisodeRecord] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    acks: dict[str, list[Ack]] = field(default_factory=dict)  # by action
    words: list[Override] = field(default_factory=list)  # of the operator, about this recipient
    counted: int = 0  # messages refused, where counts of running leases are known

    @property
    def last(self) -> EpisodeRecord:
        """The newest record of the case."""
        return self.records[-1]

    @property
    def refused(self) -> int:
        """Messages that gateways say they refused."""
        told = sum(ack.refused_count for acks in self.acks.values() for ack in acks)
        return max(told, self.counted)

    @property
    def enforced(self) -> str:
        """The gateways' answer, in a word."""
        states = [ack.state for acks in self.acks.values() for ack in acks]
        for state in ("applied", "failed", "ignored", "expired"):
            if state in states:
                return state
        return "unknown" if self.actions else "watched"


def collect(
    episodes: Iterable[EpisodeRecord],
    actions: Iterable[Action] = (),
    acks: Iterable[Ack] = (),
    words: Iterable[Override] = (),
) -> dict[str, Case]:
    """Cases by episode id, in the order in which they began. Records may come twice."""
    cases: dict[str, Case] = {}
    for record in sorted(episodes, key=lambda each: (each.epoch, each.at_ms, each.revision)):
        case = cases.setdefault(record.episode_id, Case())
        whole = completed(record, case.last) if case.records else record
        if not case.records or case.last != whole:
            case.records.append(whole)
    by_action: dict[str, Case] = {}
    for action in actions:
        if not (found := cases.get(action.episode_id)):
            continue
        if action.action_id not in by_action:
            found.actions.append(action)
            by_action[action.action_id] = found
        else:  # it is told again, with the windows of second requests; or read twice
            at = [each.action_id for each in found.actions].index(action.action_id)
            found.actions[at] = max(found.actions[at], action, key=attrgetter("revision"))
    for ack in acks:
        if (found := by_action.get(ack.action_id)) is not None:
            found.acks.setdefault(ack.action_id, []).append(ack)
    for word in words:
        for case in cases.values():
            if case.last.recipient == word.recipient:
                case.words.append(word)
    return cases


def switch(words: Iterable[Override], now_ms: int) -> Override | None:
    """The operator's word that keeps every gateway from enforcing now, if there is one."""
    last = None
    for word in words:  # of one key the last counts
        if word.recipient == EVERYONE and word.verb == "mode":
            last = word
    if last is None or last.mode == "enforce":
        return None
    return last if last.expires_at_ms is None or now_ms < last.expires_at_ms else None


def doing(case: Case, words: Sequence[Override], now_ms: int) -> Doing:
    """The state of a recipient now, by the rules that every adapter follows.

    `words` are all of the operator's. The rails, which only an adapter knows, show in what it
    acknowledged.
    """
    newest = max(case.actions, key=lambda each: (each.epoch, each.revision), default=None)
    said = case.acks.get(newest.action_id, ()) if newest is not None else ()
    return standing(case.last.level, newest, said, words, now_ms)


def standing(
    level: Level,
    newest: Action | None,
    acks: Iterable[Ack],
    words: Iterable[Override],
    now_ms: int,
) -> Doing:
    """The same from the parts of a case: its level, its newest action, and who acknowledged it."""
    if level is Level.CLEAR:
        return Doing.OVER
    if newest is None:
        return Doing.WATCHED
    recipient = newest.recipient
    book = DesiredState(RailParams())
    book.entries[recipient] = Entry(newest, None, newest.expires_at_ms, 0)
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


_WITHOUT: Final = MappingProxyType(
    {
        NoLease.RELEASE: Doing.OVER,
        NoLease.OVER: Doing.LAPSED,
        NoLease.SHADOW: Doing.SHADOW,
        NoLease.EXEMPT: Doing.EXEMPT,
        NoLease.RELEASED: Doing.RELEASED,
    }
)

SAYS: Final = MappingProxyType(
    {
        Doing.THROTTLED: "throttled: codes of platforms new to this recipient are refused",
        Doing.UNCONFIRMED: "a lease is in force, and no gateway has confirmed it yet",
        Doing.FAILED: "a lease is in force, and no gateway holds it: nothing is refused",
        Doing.RELEASED: "released by the operator: nothing is refused",
        Doing.EXEMPT: "exempt by the operator's word: nothing is refused",
        Doing.OFF: "the kill switch is on: nothing is refused",
        Doing.SHADOW: "in shadow: nothing is refused",
        Doing.LAPSED: "its last lease has ended: nothing is refused",
        Doing.WATCHED: "watched: nothing is refused",
        Doing.OVER: "over: nothing is refused",
    }
)
"""Each state in a sentence."""


def banner(word: Override) -> str:
    """The kill switch, in a sentence that stands above everything else."""
    return tr("KILL SWITCH: {mode} since {since} by {actor}, {until}: {why}. {effect}").format(
        mode=word.mode,
        since=moment(word.issued_at_ms),
        actor=word.actor,
        until=_until(word),
        why=word.reason,
        effect=tr("No gateway refuses anything."),
    )


def find(cases: dict[str, Case], named: str, recipient: str | None) -> list[Case]:
    """The cases that an episode id, an action id, or a recipient names; the newest last."""
    if named in cases:
        return [cases[named]]
    return [
        case
        for case in cases.values()
        if case.last.recipient == recipient
        or any(identity(record) == named for record in case.records)
    ]


def identity(record: EpisodeRecord) -> str:
    """The id of the action that this record explains, if there was one."""
    return record.cause.id(record.epoch)


def summary(case: Case) -> dict[str, Any]:
    """One line of a list."""
    last = case.last
    return {
        "episode": last.episode_id,
        "recipient": last.recipient,
        "level": last.level.name.lower(),
        "mode": last.mode,
        "since": moment(last.evidence.first_ms),
        "last": moment(last.evidence.last_ms),
        "messages": last.evidence.messages,
        "platforms": last.evidence.platforms,
        "novel": last.evidence.novel,
        "rule": last.reason.rule,
        "gateways": case.enforced,
        "refused": case.refused,
    }


def explanation(case: Case, record: EpisodeRecord) -> Iterator[str]:
    """Explain a case, in lines for a person: no code and no text, for none was kept."""
    yield from lines(record)
    if case.actions:
        yield ""
        yield tr("leases")
        for action in case.actions:
            acks = case.acks.get(action.action_id, ())
            answers = "; ".join(map(_ack, acks)) or tr("no word")
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
        yield from (f"  {spoken(word)}" for word in case.words)


def spoken(word: Override) -> str:
    """An override in one line: its verb, its reason, its author and its end."""
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
        return tr("until said anew")
    return tr("until {at}").format(at=moment(word.expires_at_ms))


def open_now(cases: Iterable[Case]) -> Iterator[Case]:
    """List the cases that are not over."""
    return (case for case in cases if case.last.level is not Level.CLEAR)


def heard_of(key: str, registry: Registry, seen: Iterable[str]) -> bool:
    """Tell if a registry or a case names this platform. Keys are as the detector writes them."""
    return key in _known(registry) or key in set(seen)


def nearest(key: str, seen: Iterable[str], registry: Registry) -> list[str]:
    """Return the platforms that may be meant: those written alike.

    >>> nearest("sig:taobo", ["sig:taobao", "sig:美团"], Registry())
    ['sig:taobao']
    """
    cases = list(dict.fromkeys(seen))
    by_name = {name: f"sig:{owner.key}" for name, owner in registry.signatures.items()}
    by_name |= {each.partition(":")[2]: each for each in cases}
    alike = get_close_matches(key.partition(":")[2], by_name, NEAREST, NEAR)
    return list(dict.fromkeys(by_name[each] for each in alike))


def instead(seen: Iterable[str]) -> list[str]:
    """Return platforms of a case to choose from where none is written alike, named ones first.

    >>> instead(["from:check24", "sig:某校"])
    ['sig:某校', 'from:check24']
    """
    return sorted(set(seen), key=lambda key: (not key.startswith("sig:"), key))[:NEAREST]


def _known(registry: Registry) -> set[str]:
    return {f"sig:{owner.key}" for owner in registry.signatures.values()}


def _ack(ack: Ack) -> str:
    form = tr("{state} ({why}) at {gateway}") if ack.why else tr("{state} at {gateway}")
    told = form.format(state=tr(ack.state), why=ack.why, gateway=ack.gateway_id)
    if not ack.refused_count:
        return told
    return listed([told, tr("{n} refused").format(n=ack.refused_count)])
