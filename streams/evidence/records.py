"""Records of a case, each with its place: read from topics or files, chosen, put in one order. Pure.

Every record is read by its contract and written again, so that nothing gets into a pack that no
contract names: no text and no code, whatever somebody wrote into a topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec

from detectors.model.records import Action, EpisodeRecord
from streams.errors import UsageError
from streams.evidence.canonical import FORMAT, canonical, sha256
from streams.evidence.keys import PackKey
from streams.language import tr
from streams.operate.cases import Case, collect, find
from streams.wire import (
    EVERYONE,
    Ack,
    Override,
    UnreadableError,
    decode_ack,
    decode_action,
    decode_episode,
    decode_override,
    encode_ack,
    encode_action,
    encode_episode,
    encode_override,
)


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A contract: how it is read, written and dated, and the fields by which a line shows it."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    at_ms: Callable[[Any], int]
    fields: tuple[str, ...]


KINDS: Final[Mapping[str, RecordKind]] = MappingProxyType(
    {
        "episode": RecordKind(
            decode_episode, encode_episode, lambda each: each.at_ms, ("episode_id", "change")
        ),
        "lease": RecordKind(
            decode_action, encode_action, lambda each: each.issued_at_ms, ("action_id", "verb")
        ),
        "ack": RecordKind(decode_ack, encode_ack, lambda each: each.at_ms, ("action_id", "state")),
        "word": RecordKind(
            decode_override, encode_override, lambda each: each.issued_at_ms, ("verb", "actor")
        ),
    }
)
"""Kinds of record in a pack, in the order in which those of one millisecond stand."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A record and where it lay: `at` is a position in a topic, or the line of a file."""

    kind: str
    topic: str
    at: Mapping[str, str | int]
    said: Any


@dataclass(slots=True)
class Chosen:
    """The records of one case, oldest first, and the same as people are told of it."""

    case: Case
    records: list[Placed] = field(default_factory=list)

    @property
    def episode_id(self) -> str:
        """The case's name."""
        return self.case.last.episode_id

    def of(self, kind: str) -> list[Any]:
        """Return what the records of a kind say."""
        return [each.said for each in self.records if each.kind == kind]


def from_topic(kind: str, found: Iterable[Any]) -> Iterator[Placed]:
    """Yield the records of a topic that are of its contract; others are passed over."""
    contract = KINDS[kind]
    for record in found:
        try:
            said = contract.decode(record.value)
        except UnreadableError:
            continue
        at = {"offset": record.offset, "partition": record.partition, "topic": record.topic}
        yield Placed(kind, record.topic, at, said)


def from_lines(name: str, lines: Iterable[bytes]) -> Iterator[Placed]:
    """Yield the records of a file of JSON lines; UsageError for a line that is none.

    A line is a record by itself, as `otpguard replay --episodes` writes it, or one with its place:
    `{"topic": …, "partition": …, "offset": …, "value": {…}}`.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = msgspec.json.decode(line)
            at: dict[str, str | int] = {"line": number}
            topic = ""
            if isinstance(document, dict):
                topic = str(document.get("topic", ""))
                if "value" in document and "offset" in document:
                    at = {name: document[name] for name in ("offset", "partition", "topic")}
                    document = document["value"]
            kind = _kind_of(document)
            said = KINDS[kind].decode(msgspec.json.encode(document))
        except (KeyError, ValueError, RecursionError):
            raise UsageError(
                tr("{name}, line {number}: no record that a pack holds").format(
                    name=name, number=number
                )
            ) from None
        yield Placed(kind, topic, at, said)


def _kind_of(document: Any) -> str:
    """The kind that a record's fields show; KeyError if they show none."""
    if isinstance(document, dict):
        for kind, contract in KINDS.items():
            if all(name in document for name in contract.fields):
                return kind
    raise KeyError


def choose(found: Iterable[Placed], named: str, recipient: str | None) -> Chosen | None:
    """Return the newest case that an episode, an action or a recipient names; None if there is none.

    Records that came twice count once, where they came first.
    """
    first: dict[tuple[str, bytes], Placed] = {}
    for each in found:
        first.setdefault((each.kind, KINDS[each.kind].encode(each.said)), each)
    placed = list(first.values())

    def of(kind: str) -> list[Any]:
        return [each.said for each in placed if each.kind == kind]

    cases = collect(of("episode"), of("lease"), of("ack"), of("word"))
    matching = find(cases, named, recipient)
    if not matching:
        return None
    case = matching[-1]
    kept = [each for each in placed if _belongs(each.said, case)]
    kept.sort(key=_order)
    return Chosen(case, kept)


def _belongs(said: Any, case: Case) -> bool:
    """Tell if a record is of this case; words about everyone are, if they were said before its end."""
    if isinstance(said, EpisodeRecord | Action):
        return said.episode_id == case.last.episode_id
    if isinstance(said, Ack):
        return said.action_id in case.acks
    assert isinstance(said, Override)
    if said.recipient not in (case.last.recipient, EVERYONE):
        return False
    begun = said.expires_at_ms is None or said.expires_at_ms >= case.last.evidence.first_ms
    ends_ms = max([case.last.at_ms, *(action.expires_at_ms for action in case.actions)])
    return begun and said.issued_at_ms <= ends_ms


def _order(placed: Placed) -> tuple[Any, ...]:
    at = placed.at
    place = str(at.get("topic", "")), int(at.get("partition", 0)), int(at.get("offset", 0))
    return (
        KINDS[placed.kind].at_ms(placed.said),
        list(KINDS).index(placed.kind),
        *place,
        int(at.get("line", 0)),
        KINDS[placed.kind].encode(placed.said),
    )


def document_of(placed: Placed) -> dict[str, Any]:
    """Return what a record says, as JSON has it."""
    document: dict[str, Any] = msgspec.json.decode(KINDS[placed.kind].encode(placed.said))
    return document


def lines_of(key: PackKey, episode_id: str, records: Sequence[Placed]) -> list[bytes]:
    """Return the lines of a pack, without their ends: each names the hash of the one before.

    Raise PackError for a number that not every reader of JSON holds.
    """
    before = sha256(f"{FORMAT}\n{episode_id}".encode())
    lines = []
    for number, placed in enumerate(records):
        line = canonical(
            {
                "at": dict(placed.at),
                "kind": placed.kind,
                "n": number,
                "prev": before,
                "record": document_of(placed),
                "salt": key.salt(episode_id, number),
            }
        )
        before = sha256(line)
        lines.append(line)
    return lines
