"""Records of a case, each with its place: read from topics or files, chosen, put in order. Pure.

Every record is read by its contract and written again, so that nothing gets into a pack that no
contract names: no text and no code, whatever somebody wrote into a topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec

from detectors.model.incidents import IncidentRecord
from detectors.model.records import Action, EpisodeRecord
from streams.desk.store.answers import CaseFile
from streams.desk.store.opening import of_records
from streams.desk.store.writer import LogRecord, Source
from streams.errors import UsageError
from streams.evidence.canonical import FORMAT, canonical, sha256
from streams.evidence.keys import PackSigner
from streams.language import tr
from streams.operate.cases import Case
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

    source: Source
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    dated: str
    fields: tuple[str, ...]


KINDS: Final[Mapping[str, RecordKind]] = MappingProxyType(
    {
        "episode": RecordKind(
            "episode", decode_episode, encode_episode, "at_ms", ("episode_id", "change")
        ),
        "incident": RecordKind(
            "incident", decode_incident, encode_incident, "at_ms", ("messages", "first")
        ),
        "lease": RecordKind(
            "throttle", decode_action, encode_action, "issued_at_ms", ("action_id", "verb")
        ),
        "ack": RecordKind("acks", decode_ack, encode_ack, "at_ms", ("action_id", "state")),
        "counts": RecordKind(
            "counts", decode_counts, encode_counts, "at_ms", ("action_id", "refused")
        ),
        "word": RecordKind(
            "override", decode_override, encode_override, "issued_at_ms", ("verb", "actor")
        ),
        "notice": RecordKind(
            "notice", decode_notice, encode_notice, "at_ms", ("notice_id", "state")
        ),
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
    refused: int  # messages that gateways say they refused
    records: list[Placed] = field(default_factory=list)
    behind_s: int = 0  # what the topics got so lately may be missing: their copy had not got it

    @property
    def episode_id(self) -> str:
        """The case's name."""
        return self.case.last.episode_id

    def of(self, kind: str) -> list[Any]:
        """Return what the records of a kind say."""
        return [each.said for each in self.records if each.kind == kind]


def from_log(found: Iterable[LogRecord]) -> Iterator[Placed]:
    """Yield the records of topics that are of their contract; others are passed over."""
    kinds = {contract.source: kind for kind, contract in KINDS.items()}
    for record in found:
        kind = kinds[record.source]
        try:
            said = KINDS[kind].decode(record.value or b"")
        except UnreadableError:
            continue
        at: dict[str, str | int] = {
            "offset": record.offset,
            "partition": record.partition,
            "topic": record.topic,
        }
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


def choose(found: Iterable[Placed], named: str, recipient: str | None) -> list[Chosen]:
    """Return the cases that an episode, action or recipient names, the one that counts first.

    Records that came twice count once, where they came first.
    """
    first: dict[tuple[str, bytes], Placed] = {}
    for each in found:
        first.setdefault((each.kind, KINDS[each.kind].encode(each.said)), each)
    model = of_records(
        LogRecord(KINDS[kind].source, "", 0, n, at_ms(each), None, value)
        for n, ((kind, value), each) in enumerate(first.items())
    )
    with closing(model):
        return [
            gathered(model.case(line.episode_id), first.values())
            for line in model.named(named, recipient)
        ]


def gathered(file: CaseFile, found: Iterable[Placed]) -> Chosen:
    """Return a case with those of the records that belong to it."""
    kept = [part for each in found if _belongs(each.said, file.case) for part in parts(each)]
    kept.sort(key=_order)
    chosen = Chosen(file.case, file.line.refused, kept)
    file.case.words[:] = chosen.of("word")
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
