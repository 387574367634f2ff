"""Episodes as cases: what the topics say about a victim, put together for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from detectors.model.records import Action, EpisodeRecord, Level
from streams.operate.explain import clock, lines
from streams.wire import Ack, Override


@dataclass(slots=True)
class Case:
    """One episode: its records in order, its leases and what became of them."""

    records: list[EpisodeRecord] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    acks: dict[str, list[Ack]] = field(default_factory=dict)  # by action
    words: list[Override] = field(default_factory=list)  # of the operator, about this recipient

    @property
    def last(self) -> EpisodeRecord:
        """The newest record of the case."""
        return self.records[-1]

    @property
    def refused(self) -> int:
        """Messages that gateways say they refused."""
        return sum(ack.refused_count for acks in self.acks.values() for ack in acks)

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
        if not case.records or case.last != record:
            case.records.append(record)
    by_action: dict[str, Case] = {}
    for action in actions:
        if (found := cases.get(action.episode_id)) and action.action_id not in by_action:
            found.actions.append(action)
            by_action[action.action_id] = found
    for ack in acks:
        if (found := by_action.get(ack.action_id)) is not None:
            found.acks.setdefault(ack.action_id, []).append(ack)
    for word in words:
        for case in cases.values():
            if case.last.recipient == word.recipient:
                case.words.append(word)
    return cases


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
        "since": clock(last.evidence.first_ms),
        "last": clock(last.evidence.last_ms),
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
        yield "leases"
        for action in case.actions:
            told = "; ".join(_ack(ack) for ack in case.acks.get(action.action_id, ())) or "no word"
            until = clock(action.expires_at_ms)
            yield f"  {action.action_id}  {action.verb} {action.mode} until {until}: {told}"
    if case.words:
        yield ""
        yield "operator"
        yield from (f"  {spoken(word)}" for word in case.words)


def spoken(word: Override) -> str:
    """An override in one line: its verb, its reason, its author and its end."""
    what = f"{word.verb} {word.mode if word.verb == 'mode' else word.platform}".strip()
    until = (
        "until said anew" if word.expires_at_ms is None else f"until {clock(word.expires_at_ms)}"
    )
    return f"{clock(word.issued_at_ms)}  {what} by {word.actor}, {until}: {word.reason}"


def open_now(cases: Iterable[Case]) -> Iterator[Case]:
    """List the cases that are not over."""
    return (case for case in cases if case.last.level is not Level.CLEAR)


def _ack(ack: Ack) -> str:
    why = f" ({ack.why})" if ack.why else ""
    refused = f", {ack.refused_count} refused" if ack.refused_count else ""
    return f"{ack.state}{why} at {ack.gateway_id}{refused}"
