"""Records of a case with their positions: read from topics or files, selected, sorted. Pure.

Each record is decoded by its contract and encoded again. So a pack contains only fields that a
contract defines: no message text and no code, even if somebody wrote them into a topic.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from detectors.model.incidents import IncidentRecord
from detectors.model.records import Action, EpisodeRecord
from streams.cases.standing import Case
from streams.cases.store.answers import CaseFile
from streams.cases.store.index_writer import LogRecord, Source
from streams.cases.store.opening import of_records
from streams.common import UsageError, tr
from streams.people.evidence.canonical import canonical
from streams.people.evidence.pack_keys import PackKey
from streams.people.evidence.standalone import FORMAT, sha256
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
    """A contract: its decoder and encoder, its time field, and fields that identify the kind."""

    source: Source
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    dated: str  # name of the time field
    fields: tuple[str, ...]  # a document with these fields is of this kind


KINDS: Final[Mapping[str, RecordKind]] = {
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
    "counts": RecordKind("counts", decode_counts, encode_counts, "at_ms", ("action_id", "refused")),
    "word": RecordKind(
        "override", decode_override, encode_override, "issued_at_ms", ("verb", "actor")
    ),
    "notice": RecordKind("notice", decode_notice, encode_notice, "at_ms", ("notice_id", "state")),
}
"""Kinds of record that a pack contains. Records with the same time are sorted in this order."""

SINGLE: Final = ("message", "earlier")
"""Kinds for single messages of an incident record. Each can be given to its platform alone."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A record and its position. `at`: an offset in a topic, a line of a file, or a store index."""

    kind: str
    at: Mapping[str, str | int]
    said: Any
    document: Mapping[str, Any]  # the record as the pack contains it


@dataclass(slots=True)
class Chosen:
    """The records of one case, the oldest first, and the case built from them."""

    case: Case
    refused: int  # number of messages that gateways report as refused
    records: list[Placed] = field(default_factory=list)
    behind_s: int = 0  # lag of the desk's copy: records of this last period may be missing

    @property
    def episode_id(self) -> str:
        return self.case.last.episode_id

    def of(self, kind: str) -> list[Any]:
        return [each.said for each in self.records if each.kind == kind]


def from_log(found: Iterable[LogRecord]) -> Iterator[Placed]:
    """Yield the records of topics. Records that do not fit their contract are skipped."""
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
        yield place_record(kind, at, said)


def from_store(found: Iterable[tuple[str, Any]]) -> Iterator[Placed]:
    """Yield the records of a case from the desk's store, which has no offsets."""
    for number, (kind, said) in enumerate(found):
        yield place_record(kind, {"store": number}, said)


def from_lines(name: str, lines: Iterable[bytes]) -> Iterator[Placed]:
    """Yield the records of a file of JSON lines. Raise UsageError for an invalid line.

    A line is a bare record, as `otpguard replay --episodes` writes it, or a record with its offset:
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
        yield place_record(kind, at, said)


def _kind_of(document: Any) -> str:
    """Return the kind of a record, found by its fields. Raise KeyError if no kind fits."""
    if isinstance(document, dict):
        for kind, contract in KINDS.items():
            if all(name in document for name in contract.fields):
                return kind
    raise KeyError


def place_record(kind: str, at: Mapping[str, str | int], said: Any) -> Placed:
    """Return a record with its position and the document for the pack."""
    return Placed(kind, at, said, msgspec.json.decode(KINDS[kind].encode(said)))


def choose(found: Iterable[Placed], named: str, recipient: str | None) -> list[Chosen]:
    """Return the cases that match an episode, an action or a recipient, sorted by `CaseLine.rank`.

    The first case is the one to use if only one is wanted. A duplicate record counts once, at its
    first position.
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
            gather_records(model.case(line.episode_id), first.values())
            for line in model.find_named(named, recipient)
        ]


def gather_records(file: CaseFile, found: Iterable[Placed]) -> Chosen:
    """Return a case with the records in `found` that belong to it.

    Also replaces the overrides of `file.case` with the overrides in `found`.
    """
    kept = [part for each in found if _belongs(each.said, file.case) for part in parts(each)]
    kept.sort(key=_order)
    chosen = Chosen(file.case, file.line.refused, kept)
    file.case.words[:] = chosen.of("word")
    return chosen


def _belongs(said: Any, case: Case) -> bool:
    """Return true if a record belongs to this case. An override must have been valid during it."""
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
    """Yield a record. Each message of an incident record becomes a record of its own, before it."""
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
    """Return the time of a record, in ms UTC."""
    contract = KINDS.get(record.kind)
    return int(record.document["at_ms" if contract is None else contract.dated])


def _order(record: Placed) -> tuple[Any, ...]:
    at = record.at
    return (
        at_ms(record),
        [*SINGLE, *KINDS].index(record.kind),
        str(at.get("topic", "")),
        *(int(at.get(name, 0)) for name in ("partition", "offset", "line", "store")),
        int(record.document.get("number", 0)),
    )


def lines_of(key: PackKey, episode_id: str, records: Sequence[Placed]) -> list[bytes]:
    """Return the lines of a pack, without newlines. Each line contains the hash of the line before.

    Raises PackError for a number that some JSON readers cannot represent.
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
