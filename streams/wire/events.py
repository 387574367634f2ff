"""`sms.delivery.v1`: the values of one poll -> the columns of a `Batch`, and what was refused.

Each record is decoded by itself (a joined array lets a crafted value forge events of others). A bad
record costs its own exception and nothing of its neighbours.
"""

from __future__ import annotations

import re
from collections import ChainMap, Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from enum import StrEnum
from itertools import chain, compress
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from detectors.event import TICK_OFFSETS, Batch, Kind
from streams.wire.recipients import Numbers
from streams.wire.version import SCHEMA_VERSION

VALUE_BYTES_MAX: Final = 131_072
"""A text of 255 parts, the most a concatenated SMS can have, holds 17,000 Chinese characters: 51 kB
in UTF-8, and 103 kB where a producer escapes them."""

AHEAD_MAX_MS: Final = 300_000
"""Gateway clocks run within seconds of each other; 5 min forgives one without time service, and is
half a lease, so that no lease outlives its flood by more than that."""


BLOCK: Final = TICK_OFFSETS
"""Records whose columns are made at once; the worker never hands over more."""

CACHED: Final = 512
"""Records decoded before their fields are read, while they still lie in the processor's cache.
Measured with the numbers made from them: 1.1-1.2 us a record by 512, 1.5 by 2,048; 20,000 took half
as long again."""


class Reason(StrEnum):
    """Why a record was refused: the closed set of the dead letters' header and metric label."""

    NULL_VALUE = "null_value"
    TOO_LARGE = "too_large"
    INVALID_JSON = "invalid_json"
    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    BAD_RECIPIENT = "bad_recipient"
    EVENT_TIME_AHEAD = "event_time_ahead"


class Outcome(StrEnum):
    """What became of a record: the closed set of `events_total{outcome}`."""

    COUNTED = "counted"
    RECYCLED = "recycled"
    OTHER_TYPE = "other_type"
    LATER_SEGMENT = "later_segment"
    LATER_ATTEMPT = "later_attempt"
    MOBILE_ORIGINATED = "mobile_originated"
    REJECTED = "rejected"


# Limits bound what a single record can make the worker remember (names live in a dictionary).
# An event time under 10**12 ms (2001) is a feed that sends seconds; over 10**13, microseconds.
_Name = Annotated[str, Meta(max_length=64)]
_Identifier = Annotated[str, Meta(max_length=128)]
_Ordinal = Annotated[int, Meta(ge=1, le=255)]
_TimeMs = Annotated[int, Meta(ge=10**12, le=10**13)]


class Event(msgspec.Struct, gc=False):
    """What the worker reads of a value. Other fields are skipped; null means absent."""

    schema_version: Literal[1]
    recipient: _Identifier
    sender: _Name
    event_time_ms: _TimeMs
    message_id: _Identifier
    event_type: _Name | None = None
    text: str | None = None
    text_prefix: str | None = None
    signature: _Name | None = None
    category: _Name | None = None
    platform_id: _Name | None = None
    template_id: _Identifier | None = None
    gateway_id: _Name | None = None
    direction: _Name | None = None
    segment: _Ordinal | None = None
    attempt: _Ordinal | None = None
    ingest_time_ms: _TimeMs | None = None


class _Usual(Event, gc=False):
    """An event that is counted, by its type alone: nothing is left to ask of it."""

    event_type: Literal["submit"] | None = None
    direction: Literal["mt"] | None = None
    segment: Literal[1] | None = None
    attempt: Literal[1] | None = None


_decode_event: Final = msgspec.json.Decoder(Event).decode
_decode_usual: Final = msgspec.json.Decoder(_Usual).decode
_REQUIRED: Final = frozenset(f.name for f in msgspec.structs.fields(Event) if f.required)
_A_LIMIT: Final = re.compile("[<>]=|out of range")  # in msgspec's words about a Meta that failed
_FIRST: Final = (None, 1)
_SHAPE: Final = attrgetter("direction", "event_type", "segment", "attempt")  # see `_outcome`


@dataclass(frozen=True, slots=True)
class Intake:
    """The rules by which records are taken in."""

    numbers: Numbers
    counted_type: str = "submit"
    value_bytes_max: int = VALUE_BYTES_MAX
    ahead_max_ms: int = AHEAD_MAX_MS

    @property
    def kinds(self) -> dict[str | None, int]:
        """The event types that reach the core, with their `Kind`; an absent type means "submit"."""
        kinds: dict[str | None, int] = {"recycled": int(Kind.RECYCLED)}
        kinds[self.counted_type] = int(Kind.MESSAGE)
        if self.counted_type == "submit":
            kinds[None] = int(Kind.MESSAGE)
        return kinds


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that was refused, as it came."""

    offset: int
    reason: Reason
    key: bytes | None
    value: bytes | None
    timestamp_ms: int  # the record's; -1 if it has none


@dataclass(frozen=True, slots=True)
class Decoded:
    """One poll of one partition. The outcomes of all its records add up to its length."""

    batch: Batch
    rejects: list[Reject]
    outcomes: dict[Outcome, int]
    noncanonical_keys: int  # counted events whose key is not their recipient's canonical form


def decode(
    intake: Intake,
    topic: str,
    partition: int,
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None],
    offsets: Sequence[int] | NDArray[np.int64],
    timestamps_ms: Sequence[int] | NDArray[np.int64] | None,
    next_offset: int,
) -> Decoded:
    """Decode n >= 0 records of one partition, in the order of its log, up to `next_offset`.

    All sequences have length n. `timestamps_ms` are the records' own times, against which event
    times are judged; below 0 means unknown, and None that the values' `ingest_time_ms` stand for
    them (files have no record times).
    """
    offset = np.asarray(offsets, np.int64)
    stamp = None if timestamps_ms is None else np.asarray(timestamps_ms, np.int64)
    blocks = []
    for start in range(0, max(len(values), 1), BLOCK):
        part = slice(start, start + BLOCK)
        blocks.append(
            _block(
                intake, topic, partition, values[part], keys[part],
                offset[part], None if stamp is None else stamp[part], next_offset,
            )
        )  # fmt: skip
    return blocks[0] if len(blocks) == 1 else _joined(blocks)


def _block(
    intake: Intake,
    topic: str,
    partition: int,
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None],
    offsets: NDArray[np.int64],
    timestamps_ms: NDArray[np.int64] | None,
    next_offset: int,
) -> Decoded:
    """Decode as `decode` does, at most `BLOCK` records."""
    kinds = intake.kinds
    read = _Fields()
    ingested_ms: list[int] = []
    kept: list[int] = []
    reasons: dict[int, Reason] = {}
    outcomes: Counter[Outcome] = Counter()
    for begin in range(0, len(values), CACHED):
        some = values[begin : begin + CACHED]
        usual = _usual(some, intake)
        read.take(usual, [int(Kind.MESSAGE)] * len(usual))
        start = begin + len(usual)
        kept += range(begin, start)
        events, refused = _parse(some[len(usual) :], intake.value_bytes_max)
        reasons.update((start + at, reason) for at, reason in refused.items())
        counted = [
            at
            for at, event in enumerate(events)
            if event is not None
            and event.event_type in kinds
            and event.segment in _FIRST
            and event.attempt in _FIRST
            and event.direction != "mo"
        ]
        if len(counted) + len(refused) < len(events):
            for shape, n in Counter(map(_SHAPE, filter(None, events))).items():
                outcomes[_outcome(kinds, *shape)] += n
        kept += [start + at for at in counted]
        rows = _at(events, counted)
        read.take(rows, [kinds[event.event_type] for event in rows])
        if timestamps_ms is None:
            ingested_ms += [event.ingest_time_ms or -1 for event in (*usual, *rows)]

    here = slice(None) if len(kept) == len(values) else kept  # a slice is no copy
    time = np.array(read.event_time_ms, np.int64)
    recipient, tokens, nobody = intake.numbers.column(read.recipient)
    stamp = np.array(ingested_ms, np.int64) if timestamps_ms is None else timestamps_ms[here]
    fits = (stamp < 0) | (time <= stamp + intake.ahead_max_ms)
    reasons.update((at, Reason.EVENT_TIME_AHEAD) for at in compress(kept, ~fits))
    fits[nobody] = False
    reasons.update((kept[at], Reason.BAD_RECIPIENT) for at in nobody)
    if not fits.all():
        kept = list(compress(kept, fits))
        here, time, recipient = kept, time[fits], recipient[fits]
        read = read.only(fits)

    kind = np.array(read.kind, np.uint8)
    outcomes[Outcome.REJECTED] = len(reasons)
    outcomes[Outcome.RECYCLED] = int(np.count_nonzero(kind == Kind.RECYCLED))
    outcomes[Outcome.COUNTED] = len(kept) - outcomes[Outcome.RECYCLED]
    return Decoded(
        batch=Batch(
            topic=topic,
            partition=partition,
            next_offset=next_offset,
            offset=offsets[here],
            event_time_ms=time,
            recipient=recipient,
            kind=kind,
            sender=read.sender,
            text=read.text,
            signature=read.signature,
            category=read.category,
            platform=read.platform,
            template=read.template,
            gateway=read.gateway,
            tokens=tokens,
        ),
        rejects=[
            Reject(
                offset=int(offsets[at]),
                reason=reason,
                key=keys[at],
                value=values[at],
                timestamp_ms=-1 if timestamps_ms is None else int(timestamps_ms[at]),
            )
            for at, reason in sorted(reasons.items())
        ],
        outcomes=outcomes,
        noncanonical_keys=intake.numbers.noncanonical(_at(keys, kept), recipient, tokens),
    )


@dataclass(slots=True)
class _Fields:
    """What is read of the events that are counted, a list for each field."""

    event_time_ms: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    recipient: list[str] = field(default_factory=list)
    sender: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    category: list[str] = field(default_factory=list)
    platform: list[str] = field(default_factory=list)
    template: list[str] = field(default_factory=list)
    gateway: list[str] = field(default_factory=list)

    def take(self, events: Sequence[Event], kinds: Sequence[int]) -> None:
        """Add events behind those that are there."""
        self.event_time_ms += [event.event_time_ms for event in events]
        self.kind += kinds
        self.recipient += [event.recipient for event in events]
        self.sender += [event.sender for event in events]
        self.text += [event.text or event.text_prefix or "" for event in events]
        self.signature += [event.signature or "" for event in events]
        self.category += [event.category or "" for event in events]
        self.platform += [event.platform_id or "" for event in events]
        self.template += [event.template_id or "" for event in events]
        self.gateway += [event.gateway_id or "" for event in events]

    def only(self, chosen: NDArray[np.bool_]) -> _Fields:
        """Those of them that are chosen (n,)."""
        lists = (getattr(self, one.name) for one in fields(self))
        return _Fields(*(list(compress(one, chosen)) for one in lists))


def _at(items: Sequence[Any], kept: list[int]) -> Sequence[Any]:
    """Return the items at some indices: all of them as they are, which is the common case."""
    return items if len(kept) == len(items) else [items[at] for at in kept]


def _usual(values: Sequence[bytes | None], intake: Intake) -> list[Event]:
    """Return the events up to the first value that is refused, or not usual.

    So a feed pays for its other records from there to the end of what is decoded at once, and no
    more than it would without this.
    """
    events: list[Event] = []
    if intake.counted_type == "submit" and _tame(values, intake.value_bytes_max):
        with suppress(ValueError, RecursionError):
            events.extend(map(_decode_usual, values))  # type: ignore[arg-type]
    return events


def _tame(values: Sequence[bytes | None], bytes_max: int) -> bool:
    """Whether no value is null or too large."""
    try:
        return max(map(len, values), default=0) <= bytes_max  # type: ignore[arg-type]
    except TypeError:  # a null value
        return False


def _parse(
    values: Sequence[bytes | None], bytes_max: int
) -> tuple[list[Event | None], dict[int, Reason]]:
    """Return an event for each value, or None and a reason.

    An exception of the decoder leaves what it has done in the list, and the iterator behind the
    value that it failed at.
    """
    tame = _tame(values, bytes_max)
    todo = values if tame else [v if v and len(v) <= bytes_max else b"" for v in values]
    events: list[Event | None] = []
    reasons: dict[int, Reason] = {}
    pending = iter(todo)
    while len(events) < len(values):
        try:
            events.extend(map(_decode_event, pending))  # type: ignore[arg-type]
        except (ValueError, RecursionError) as error:
            reasons[len(events)] = _reason(values[len(events)], bytes_max, error)
            events.append(None)
    return events, reasons


def _reason(value: bytes | None, bytes_max: int, error: Exception) -> Reason:
    """Why a value was refused, most general reason first. Not the hot path."""
    if value is None:
        return Reason.NULL_VALUE
    if len(value) > bytes_max:
        return Reason.TOO_LARGE
    try:
        loose = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return Reason.INVALID_JSON
    if not isinstance(loose, dict):
        return Reason.WRONG_TYPE
    version = loose.get("schema_version")
    if type(version) is int and version != SCHEMA_VERSION:
        return Reason.UNKNOWN_SCHEMA_VERSION
    if not loose.keys() >= _REQUIRED:
        return Reason.MISSING_FIELD
    if isinstance(error, msgspec.ValidationError) and not _A_LIMIT.search(str(error)):
        return Reason.WRONG_TYPE
    return Reason.OUT_OF_RANGE


def _outcome(
    kinds: Mapping[str | None, int],
    direction: str | None,
    event_type: str | None,
    segment: int | None,
    attempt: int | None,
) -> Outcome:
    """What becomes of a good event; the first of several reasons not to count it."""
    if direction == "mo":
        return Outcome.MOBILE_ORIGINATED
    if event_type not in kinds:
        return Outcome.OTHER_TYPE
    if segment not in _FIRST:
        return Outcome.LATER_SEGMENT
    return Outcome.COUNTED if attempt in _FIRST else Outcome.LATER_ATTEMPT


def _joined(blocks: Sequence[Decoded]) -> Decoded:
    """The blocks of one poll as one."""
    batches = [block.batch for block in blocks]
    arrays = ("offset", "event_time_ms", "recipient", "kind")
    strings = ("sender", "text", "signature", "category", "platform", "template", "gateway")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(batch, name) for batch in batches]) for name in arrays
    }
    for name in strings:
        columns[name] = list(chain.from_iterable(getattr(batch, name) for batch in batches))
    outcomes: Counter[Outcome] = Counter()
    for block in blocks:
        outcomes.update(block.outcomes)
    return Decoded(
        batch=Batch(
            topic=batches[0].topic,
            partition=batches[0].partition,
            next_offset=batches[0].next_offset,
            tokens=dict(ChainMap(*(dict(batch.tokens) for batch in batches))),
            **columns,
        ),
        rejects=[reject for block in blocks for reject in block.rejects],
        outcomes=outcomes,
        noncanonical_keys=sum(block.noncanonical_keys for block in blocks),
    )
