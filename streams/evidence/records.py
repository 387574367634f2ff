"""Records of a case, each with its place: read from topics or files, chosen, put in order. Pure.

Every record is read by its contract and written again, so that nothing gets into a pack that no
contract names: no text and no code, whatever somebody wrote into a topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec

from detectors.model.incidents import IncidentRecord
from detectors.model.records import Action, EpisodeRecord
from streams.errors import UsageError
from streams.evidence.canonical import FORMAT, canonical, sha256
from streams.evidence.keys import PackSigner
from streams.language import tr
from streams.operate.cases import Case, collect, find
from streams.wire import (
    EVERYONE,
    Ack,
    Counts,
    Notice,
    Override,
    UnreadableError,
    decode_ack,
    decode_action,
    decode_counts,
    decode_episode,
    decode_incident,
    decode_notice,
    decode_override,
    encode_ack,
    encode_action,
    encode_counts,
    encode_episode,
    encode_incident,
    encode_notice,
    encode_override,
)


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A contract: how it is read and written, its field of time, the fields that show it."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    dated: str
    fields: tuple[str, ...]


KINDS: Final[Mapping[str, RecordKind]] = MappingProxyType(
    {
        "episode": RecordKind(decode_episode, encode_episode, "at_ms", ("episode_id", "change")),
        "incident": RecordKind(decode_incident, encode_incident, "at_ms", ("messages", "first")),
        "lease": RecordKind(decode_action, encode_action, "issued_at_ms", ("action_id", "verb")),
        "ack": RecordKind(decode_ack, encode_ack, "at_ms", ("action_id", "state")),
        "counts": RecordKind(decode_counts, encode_counts, "at_ms", ("action_id", "refused")),
        "word": RecordKind(decode_override, encode_override, "issued_at_ms", ("verb", "actor")),
        "notice": RecordKind(decode_notice, encode_notice, "at_ms", ("notice_id", "state")),
    }
)
"""Topics that a pack is made of; those of one millisecond stand in this order."""

SINGLE: Final = ("message", "earlier")
"""Kinds that are parts of an incident's record: by itself each can be given to its platform."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A record and where it lay: `at` is a position in a topic, or the line of a file."""

    kind: str
    at: Mapping[str, str | int]
    said: Any
    document: Mapping[str, Any]  # of a pack


@dataclass(slots=True)
class Chosen:
    """The records of one case, oldest first, and the same as people are told of it."""

    case: Case
    records: list[Placed] = field(default_factory=list)
    behind_s: int = 0  # what the topics got so lately may be missing: their copy had not got it

    @property
    def episode_id(self) -> str:
        """The case's name."""
        return self.case.last.episode_id

    @property
    def refused(self) -> int:
        """Messages that gateways say they refused: counts that end a lease, or those so far."""
        newest: dict[tuple[str, str], int] = {}
        for counts in self.of("counts"):
            newest[counts.action_id, counts.gateway_id] = counts.refused
        for ack in self.of("ack"):
            key = ack.action_id, ack.gateway_id
            newest[key] = max(newest.get(key, 0), ack.refused_count)
        return sum(newest.values())

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
        yield placed(kind, at, said)


def from_store(found: Iterable[tuple[str, Any]]) -> Iterator[Placed]:
    """Yield the records of a case as the desk's store has them: by kind, without their places."""
    for number, (kind, said) in enumerate(found):
        yield placed(kind, {"store": number}, said)


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
            if isinstance(document, dict) and "value" in document and "offset" in document:
                at = {
                    "offset": int(document["offset"]),
                    "partition": int(document["partition"]),
                    "topic": str(document["topic"]),
                }
                document = document["value"]
            kind = _kind_of(document)
            said = KINDS[kind].decode(msgspec.json.encode(document))
        except (KeyError, ValueError, TypeError, RecursionError):
            raise UsageError(
                tr("{name}, line {number}: no record that a pack holds").format(
                    name=name, number=number
                )
            ) from None
        yield placed(kind, at, said)


def _kind_of(document: Any) -> str:
    """The kind that a record's fields show; KeyError if they show none."""
    if isinstance(document, dict):
        for kind, contract in KINDS.items():
            if all(name in document for name in contract.fields):
                return kind
    raise KeyError


def placed(kind: str, at: Mapping[str, str | int], said: Any) -> Placed:
    """Return a record with its place and the document that a pack has of it."""
    return Placed(kind, at, said, msgspec.json.decode(KINDS[kind].encode(said)))


def choose(found: Iterable[Placed], named: str, recipient: str | None) -> Chosen | None:
    """Return the newest case that an episode, action or recipient names; None if there is none.

    Records that came twice count once, where they came first.
    """
    first: dict[tuple[str, bytes], Placed] = {}
    for each in found:
        first.setdefault((each.kind, KINDS[each.kind].encode(each.said)), each)

    def of(kind: str) -> list[Any]:
        return [each.said for each in first.values() if each.kind == kind]

    cases = collect(of("episode"), of("lease"), of("ack"), of("word"))
    matching = find(cases, named, recipient)
    if not matching:
        return None
    case = matching[-1]
    kept = [part for each in first.values() if _belongs(each.said, case) for part in parts(each)]
    kept.sort(key=_order)
    chosen = Chosen(case, kept)
    case.words[:] = chosen.of("word")
    return chosen


def _belongs(said: Any, case: Case) -> bool:
    """Tell if a record is of this case; a word is, if it held at some time of it."""
    if isinstance(said, EpisodeRecord | Action | IncidentRecord | Counts | Notice):
        return said.episode_id == case.last.episode_id
    if isinstance(said, Ack):
        return said.action_id in case.acks
    assert isinstance(said, Override)
    if said.recipient not in (case.last.recipient, EVERYONE):
        return False
    held = said.expires_at_ms is None or said.expires_at_ms >= case.last.evidence.first_ms
    ends_ms = max([case.last.at_ms, *(action.expires_at_ms for action in case.actions)])
    return held and said.issued_at_ms <= ends_ms


def parts(whole: Placed) -> Iterator[Placed]:
    """Yield a record, and of an incident's its messages each by itself."""
    if not isinstance(whole.said, IncidentRecord):
        yield whole
        return
    record, document = whole.said, dict(whole.document)
    for kind, singles in (("message", record.messages), ("earlier", record.earlier)):
        name = {"message": "messages", "earlier": "earlier"}[kind]
        told = document.pop(name, [])
        document[name] = len(told)
        first = record.first if kind == "message" else 0
        for number, (said, single) in enumerate(zip(singles, told, strict=True)):
            own = {"episode_id": record.episode_id, "number": first + number, **single}
            own |= {"partition": record.cause.partition, "topic": record.cause.topic}
            yield Placed(kind, whole.at, said, own)
    yield Placed(whole.kind, whole.at, record, document)


def at_ms(record: Placed) -> int:
    """Return the time that a record says, ms UTC."""
    contract = KINDS.get(record.kind)
    return int(record.document["at_ms" if contract is None else contract.dated])


def _order(record: Placed) -> tuple[Any, ...]:
    at = record.at
    kinds = [*SINGLE, *KINDS]
    return (
        at_ms(record),
        kinds.index(record.kind),
        str(at.get("topic", "")),
        *(int(at.get(name, 0)) for name in ("partition", "offset", "line", "store")),
        int(record.document.get("number", 0)),
    )


def lines_of(key: PackSigner, episode_id: str, records: Sequence[Placed]) -> list[bytes]:
    """Return the lines of a pack, without their ends: each names the hash of the one before.

    Raise PackError for a number that not every reader of JSON holds.
    """
    before = sha256(f"{FORMAT}\n{episode_id}".encode())
    lines = []
    for number, record in enumerate(records):
        line = canonical(
            {
                "at": dict(record.at),
                "kind": record.kind,
                "n": number,
                "prev": before,
                "record": dict(record.document),
                "salt": key.salt(episode_id, number),
            }
        )
        before = sha256(line)
        lines.append(line)
    return lines
