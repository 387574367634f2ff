"""Decode `sms.delivery.v1`: convert the records of one poll to a `Batch` and a list of rejects.

Values of the same layout are parsed together (`streams.wire.layout`). Every other value is decoded
alone. (If values were joined to one JSON array, a crafted value could forge the events of others.)
A bad record is rejected alone and does not affect the records beside it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.event import (
    TICK_OFFSETS,
    Batch,
    Block,
    EventKind,
    HotList,
    KnownPlatform,
    MemoryRecord,
    is_message,
)
from detectors.model.strings import StringBuffer, StringList, Strings, join_strings
from detectors.model.times import EPOCH_S
from detectors.recipients.row import BORN
from detectors.thresholds import HOT_MAX
from streams.common.limits import AHEAD_MAX_MS, VALUE_BYTES_MAX
from streams.wire.layout import Fitted, Keys, Layouts
from streams.wire.partitioner import find_misplaced
from streams.wire.recipients import Numbers
from streams.wire.record_batch import BytesColumn, join_columns as end_to_end
from streams.wire.version import SCHEMA_VERSION, Word32, reader

T = TypeVar("T")

TIME_MIN_MS: Final = (EPOCH_S + 1) * 1000
TIME_MAX_MS: Final = (EPOCH_S + (1 << 31)) * 1000 - 1
"""Range of event times that the core can represent, in ms: 2020 to 2088. All times outside the
range would become the same second, and the codes of years would look like a flood."""

BLOCK: Final = TICK_OFFSETS  # Largest number of records that a worker converts to columns at once.

CACHED: Final = 512
"""Number of records that are decoded before their fields are copied to columns. These records still
fit into the processor's cache."""


LISTED_TYPE: Final = "hot"
"""The event type of a list of hot (abused) platforms. Only the platform agent writes such events.
Every component that imports events from outside refuses this type."""

MEMORY_TYPE: Final = "memory"
"""The event type of a memory record: what another state knows about one recipient. Only
`otpguard memory import` writes such events; everywhere else they are refused like lists."""

RESERVED_TYPES: Final = frozenset({LISTED_TYPE, MEMORY_TYPE})
"""Event types that only otpguard itself writes."""


class RejectReason(StrEnum):
    """Reasons to refuse a record: all values of a dead letter header and a metric label."""

    NULL_VALUE = "null_value"
    TOO_LARGE = "too_large"
    INVALID_JSON = "invalid_json"
    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    BAD_RECIPIENT = "bad_recipient"
    EVENT_TIME_AHEAD = "event_time_ahead"  # event time later than the record's time
    NO_RECORD_TIME = "no_record_time"
    AHEAD_OF_LOG = "ahead_of_log"  # record's time too late; found by `detectors.model.log_time`
    BATCH_UNREADABLE = "batch_unreadable"  # a Kafka batch that is too large when decompressed


class Outcome(StrEnum):
    """The result for a record: all values of the metric label `events_total{outcome}`."""

    COUNTED = "counted"
    RECYCLED = "recycled"
    LISTED = "listed"  # a list of hot platforms; its own metric is `hot_lists_total`
    MEMORY = "memory"  # a memory record; its own metric is `memory_records_total`
    OTHER_TYPE = "other_type"
    LATER_SEGMENT = "later_segment"  # counts only if its platform did not come within a day
    LATER_ATTEMPT = "later_attempt"  # likewise
    MOBILE_ORIGINATED = "mobile_originated"
    REJECTED = "rejected"


_OUTCOMES: Final = (
    Outcome.COUNTED, Outcome.RECYCLED, Outcome.LISTED, Outcome.MEMORY, Outcome.LATER_SEGMENT,
    Outcome.LATER_ATTEMPT,
)  # fmt: skip
"""Outcomes of the events that reach the core, in the order of `EventKind`."""


# The limits bound the memory that a single record can use (names are stored in a dictionary).
# An event time below 10**12 ms (year 2001) means that the feed sends seconds. A time above 10**13
# means microseconds.
_Name = Annotated[str, Meta(max_length=64)]
_Identifier = Annotated[str, Meta(max_length=128)]
_Ordinal = Annotated[int, Meta(ge=1, le=255)]
EVENT_TIME_MAX_MS: Final = 10**13
_TimeMs = Annotated[int, Meta(ge=10**12, le=EVENT_TIME_MAX_MS)]


class Event(msgspec.Struct, gc=False):
    """The fields of an event that the worker reads. Other fields are skipped. null means absent."""

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


_decode_event: Final = msgspec.json.Decoder(Event).decode
decode_event: Final = reader(Event)
"""Decode one event. Slower per event than `decode`. Raises UnreadableError."""
_REQUIRED: Final = frozenset(f.name for f in msgspec.structs.fields(Event) if f.required)
_A_LIMIT: Final = re.compile("[<>]=|out of range")  # in msgspec's message for a broken limit
_FIRST: Final = (None, 1)
_SHAPE: Final = attrgetter("direction", "event_type", "segment")  # see `_outcome`


def _limits() -> dict[str, int]:
    """Return the largest length of each string field, in characters."""
    limits = {}
    for one in msgspec.inspect.type_info(Event).fields:  # type: ignore[attr-defined]
        for kind in getattr(one.type, "types", (one.type,)):
            if isinstance(kind, msgspec.inspect.StrType):
                limits[one.encode_name] = kind.max_length or VALUE_BYTES_MAX
    return limits


_KEYS: Final = Keys(
    times=frozenset({"event_time_ms", "ingest_time_ms"}),
    limits=_limits(),
    fixed=frozenset({"event_type", "direction"}),
)
_STRINGS: Final = (
    "recipient", "sender", "text", "signature", "category", "platform_id", "template_id",
    "gateway_id",
)  # fmt: skip
_READERS: Final = [(name, attrgetter(name)) for name in _STRINGS if name != "text"]


@dataclass(frozen=True, slots=True)
class Intake:
    """The rules by which input records are decoded and counted."""

    numbers: Numbers
    counted_type: str = "submit"
    value_bytes_max: int = VALUE_BYTES_MAX
    ahead_max_ms: int = AHEAD_MAX_MS
    partitions: int = 0  # number of input partitions; 0 for a file, where no key is misplaced
    listed: bool = False  # True if lists of hot platforms are accepted
    memory: bool = False  # True if memory records are accepted
    layouts: Layouts = field(default_factory=lambda: Layouts(_KEYS), compare=False)

    @property
    def kinds(self) -> dict[str | None, int]:
        """Event types that reach the core, with their `EventKind`. No type means "submit"."""
        kinds: dict[str | None, int] = {"recycled": int(EventKind.RECYCLED)}
        if self.listed:
            kinds[LISTED_TYPE] = int(EventKind.LISTED)
        if self.memory:
            kinds[MEMORY_TYPE] = int(EventKind.MEMORY)
        kinds[self.counted_type] = int(EventKind.MESSAGE)
        if self.counted_type == "submit":
            kinds[None] = int(EventKind.MESSAGE)
        return kinds


@dataclass(frozen=True, slots=True)
class Reject:
    """A refused record with its original bytes, or a refused Kafka batch without its contents."""

    offset: int
    reason: RejectReason
    key: bytes | None
    value: bytes | None
    timestamp_ms: int  # time of the record; -1 if it has none
    behind: int = 0  # in a batch: last offset minus first offset

    @classmethod
    def of_batch(cls, first: int, last: int, time_ms: int) -> Reject:
        """Return the reject of a whole batch with the offsets `first` to `last`, both included."""
        return cls(first, RejectReason.BATCH_UNREADABLE, None, None, time_ms, last - first)

    @property
    def last_offset(self) -> int:
        """Last refused offset. For a single record, its own offset."""
        return self.offset + self.behind

    @property
    def records(self) -> int:
        return self.behind + 1


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoded records of one poll. The outcomes add up to the number of records."""

    batch: Batch
    rejects: list[Reject]
    outcomes: dict[Outcome, int]
    noncanonical_keys: int  # counted events whose key is not their recipient's canonical form
    misplaced_keys: int = 0  # counted events that are not in the partition of their key
    ahead: Counter[str] = field(default_factory=Counter)
    """Messages per gateway whose event time was ahead of the record's time. The record's time is
    used for these messages."""

    def refuse(self, reject: Reject) -> None:
        """Add a reject that was found before decoding, for example a whole Kafka batch."""
        self.rejects.append(reject)
        self.outcomes[Outcome.REJECTED] = self.outcomes.get(Outcome.REJECTED, 0) + reject.records


class Records(NamedTuple):
    """Consecutive records of one partition up to `next_offset`, as columns of length n >= 0."""

    partition: int
    next_offset: int
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    offsets: NDArray[np.int64]
    timestamps_ms: NDArray[np.int64] | None  # see `decode`


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

    All sequences have length n. `timestamps_ms` are the times of the Kafka records. Event times are
    checked against them. A time below 0 means that the record has no time. Such a record is
    refused, because nothing would limit its event time. If `timestamps_ms` is None, the field
    `ingest_time_ms` of each value is used instead, if present (files have no record times).
    """
    stamp = None if timestamps_ms is None else np.asarray(timestamps_ms, np.int64)
    records = Records(partition, next_offset, values, keys, np.asarray(offsets, np.int64), stamp)
    return decode_together(intake, topic, [records])[0]


def decode_together(
    intake: Intake, topic: str, blocks: Sequence[Records]
) -> tuple[Decoded, list[list[Reject]]]:
    """Decode records of several partitions together.

    The result for each block is the same as with `decode`. Returns all blocks as one `Decoded`,
    whose batch has one `Block` per partition, and the rejects of each block. Either all blocks have
    record times or none has.
    """
    kinds = intake.kinds
    edges = [0, *accumulate(len(block.values) for block in blocks)]
    values = end_to_end([block.values for block in blocks])
    times_ms = [block.timestamps_ms for block in blocks if block.timestamps_ms is not None]
    stamps = np.concatenate(times_ms) if times_ms else None
    tame, lengths = _tame(values, intake.value_bytes_max)
    fitted, odd = intake.layouts.read(tame, lengths)
    decoded = _Fields()
    reasons: dict[int, RejectReason] = {}
    outcomes: Counter[Outcome] = Counter()
    for begin in range(0, len(odd), CACHED):
        places = odd[begin : begin + CACHED]
        events, errors = _parse(_at(tame, places))
        for at, error in errors.items():
            reasons[places[at]] = _reason(values[places[at]], intake.value_bytes_max, error)
        counted = _find_counting(events, kinds)
        if len(counted) + len(errors) < len(events):
            other = set(range(len(events))).difference(counted, errors)
            for shape, n in Counter(_SHAPE(events[at]) for at in other).items():
                outcomes[_outcome(kinds, *shape)] += n
        decoded.take(_at(places, counted), _at(events, counted), kinds)
    if decoded.row and decoded.kind[0] == EventKind.MESSAGE:
        intake.layouts.learn(tame, decoded.row)

    read = _one([*map(_of_layout, fitted), decoded.read()])
    recipient, tokens, nobody = intake.numbers.column(read.strings["recipient"])
    read, fits, ahead = _check_times(read, stamps, intake.ahead_max_ms, reasons)
    listed = indices(read.kind == int(EventKind.LISTED))
    signed = np.append(listed, indices(read.kind == int(EventKind.MEMORY)))
    if len(signed):
        _not_of_later(read, signed, stamps, reasons, fits)
    if nobody or not fits.all():
        fits[nobody] = False
        reasons.update((at, RejectReason.BAD_RECIPIENT) for at in read.row[nobody].tolist())
        read, recipient = read.only(fits), recipient[fits]
    batch = _batch(topic, blocks, edges, values, read, recipient, tokens)
    rejects = _rejects(blocks, edges, reasons)
    outcomes[Outcome.REJECTED] = len(reasons)
    outcomes.update(_count_kinds(read.kind))
    row = read.row
    if len(listed):  # lists go to every partition, whatever their keys are
        events = read.kind != EventKind.LISTED
        row, recipient = row[events], recipient[events]
    keys = _at(end_to_end([block.keys for block in blocks]), row.tolist())
    noncanonical = intake.numbers.noncanonical(keys, recipient, tokens)
    astray = _astray(intake.partitions, blocks, edges, row, keys)
    together = [reject for some in rejects for reject in some]
    return Decoded(batch, together, outcomes, noncanonical, astray, ahead), rejects


def _find_counting(events: Sequence[Event | None], kinds: Mapping[str | None, int]) -> list[int]:
    """Return the indices of the events that reach the core.

    An event must have a known type and be sent to a subscriber. If it is no message, it must also
    be a first segment and a first attempt.
    """
    return [
        at
        for at, event in enumerate(events)
        if event is not None
        and event.event_type in kinds
        and event.direction != "mo"
        and (_is_first(event) or kinds[event.event_type] == EventKind.MESSAGE)
    ]


def _is_first(event: Event) -> bool:
    return event.segment in _FIRST and event.attempt in _FIRST


def _kind(event: Event, kinds: Mapping[str | None, int]) -> int:
    if _is_first(event):
        return kinds[event.event_type]
    return EventKind.LATER_ATTEMPT if event.segment in _FIRST else EventKind.LATER_PART


def _count_kinds(kind: NDArray[np.uint8]) -> dict[Outcome, int]:
    """Return the number of events of each kind, as outcomes."""
    return dict(zip(_OUTCOMES, np.bincount(kind, minlength=len(_OUTCOMES)).tolist(), strict=True))


def _check_times(
    read: _Read,
    stamps: NDArray[np.int64] | None,
    ahead_max_ms: int,
    reasons: dict[int, RejectReason],
) -> tuple[_Read, NDArray[np.bool_], Counter[str]]:
    """Check the times of m events.

    Returns the events with corrected times, a mask (m,) of the events with a plausible time, and
    the number of corrected messages per gateway. For every other event a reason is added to
    `reasons`. A message that is too far ahead of its record gets the record's time, so that
    detection also works behind a gateway whose clock is fast. `stamps` are the times of all
    records, or None if the events' own `ingest_time_ms` are used.
    """
    stamp = read.ingest_time_ms if stamps is None else stamps[read.row]
    untimed = stamp < 0
    fits = untimed | (read.event_time_ms - ahead_max_ms <= stamp)
    beyond = (read.event_time_ms < TIME_MIN_MS) | (read.event_time_ms > TIME_MAX_MS)
    gateways: Counter[str] = Counter()
    if not fits.all():
        judged = ~fits & (stamp >= TIME_MIN_MS) & ~beyond & is_message(read.kind)
        gateways.update(read.strings["gateway_id"].take(judged).counts())
        read = read._replace(event_time_ms=np.where(judged, stamp, read.event_time_ms))
        fits |= judged
        reasons.update((at, RejectReason.EVENT_TIME_AHEAD) for at in read.row[~fits].tolist())
    if stamps is not None and untimed.any():
        reasons.update((at, RejectReason.NO_RECORD_TIME) for at in read.row[untimed].tolist())
        fits &= ~untimed
    if beyond.any():
        reasons.update((at, RejectReason.OUT_OF_RANGE) for at in read.row[beyond].tolist())
        fits &= ~beyond
    return read, fits, gateways


def _not_of_later(
    read: _Read,
    signed: NDArray[np.int64],
    stamps: NDArray[np.int64] | None,
    reasons: dict[int, RejectReason],
    fits: NDArray[np.bool_],
) -> None:
    """Refuse lists and memory records whose time is over `AHEAD_MAX_MS` after their record's.

    This limit does not depend on the setting for events. A list with tomorrow's date would block
    all lists of today.
    """
    rows = read.row[signed]
    stamp = read.ingest_time_ms[signed] if stamps is None else stamps[rows]
    late = (stamp >= 0) & (read.event_time_ms[signed] - AHEAD_MAX_MS > stamp) & fits[signed]
    reasons.update((at, RejectReason.EVENT_TIME_AHEAD) for at in rows[late].tolist())
    fits[signed[late]] = False


def _batch(
    topic: str,
    blocks: Sequence[Records],
    edges: Sequence[int],
    values: Sequence[bytes | None],
    read: _Read,
    recipient: NDArray[np.uint64],
    tokens: Mapping[int, str],
) -> Batch:
    """Build the core's batch. `edges` are the bounds of the blocks within all records."""
    several: tuple[Block, ...] = ()
    origins = Origins(values, read.row)
    if len(blocks) > 1:
        cut = read.row.searchsorted(edges).tolist()
        several = tuple(
            Block(block.partition, block.next_offset, first, last)
            for block, (first, last) in zip(blocks, pairwise(cut), strict=True)
        )
    return Batch(
        topic=topic,
        partition=blocks[-1].partition,
        next_offset=blocks[-1].next_offset,
        offset=np.concatenate([block.offsets for block in blocks])[read.row],
        event_time_ms=read.event_time_ms,
        recipient=recipient,
        kind=read.kind,
        sender=read.strings["sender"],
        text=read.strings["text"],
        signature=read.strings["signature"],
        category=read.strings["category"],
        platform=read.strings["platform_id"],
        template=read.strings["template_id"],
        gateway=read.strings["gateway_id"],
        tokens=tokens,
        blocks=several,
        origin=origins.of,
        listed=origins.list_at,
        memory=origins.memory_at,
    )


class _Origin(msgspec.Struct, gc=False):
    """Fields of an event that few events need. They are decoded when somebody asks for them.

    The account affects no decision, so an event whose account is not a string is accepted.
    """

    message_id: str
    account_id: msgspec.Raw = msgspec.Raw(b'""')


_decode_origin: Final = msgspec.json.Decoder(_Origin).decode
_decode_account: Final = msgspec.json.Decoder(str).decode
ORIGIN_MAX: Final = 128
"""Largest length of an account's name, in characters. Longer names are cut."""


class _List(msgspec.Struct, gc=False):
    """The field `hot` of a list of hot platforms."""

    valid_until_ms: _TimeMs
    platforms: Annotated[tuple[Word32, ...], Meta(max_length=HOT_MAX)]
    mac: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


_Day = Annotated[int, Meta(ge=1, le=BORN)]


class _Memory(msgspec.Struct, gc=False):
    """The field `memory` of a memory record."""

    name_version: int
    born_day: _Day
    platforms: tuple[tuple[Word32, _Day, Annotated[int, Meta(ge=1, le=2)]], ...]
    mac: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class _Reserved(msgspec.Struct, gc=False):
    """The fields read from an event of the `RESERVED_TYPES`: its time, and its own field."""

    event_time_ms: _TimeMs
    hot: _List | None = None
    memory: _Memory | None = None


_decode_reserved: Final = msgspec.json.Decoder(_Reserved).decode


LISTED_RECIPIENT: Final = "h0:0000000000000000"
"""Recipient in an event that has no recipient: a token that belongs to no number."""


def encode_listed(told: HotList) -> bytes:
    """Return the value of a record with a list of hot platforms. The record has no key."""
    return msgspec.json.encode(
        {
            "schema_version": SCHEMA_VERSION,
            "recipient": LISTED_RECIPIENT,
            "sender": "otpguard",
            "event_time_ms": told.version_ms,
            "message_id": f"{LISTED_TYPE}-{told.version_ms}",
            "event_type": LISTED_TYPE,
            "hot": _List(told.valid_until_ms, told.platforms, told.mac),
        }
    )


def encode_memory(recipient: str, told: MemoryRecord) -> bytes:
    """Return the value of a memory record. Its key is the recipient's canonical form."""
    return msgspec.json.encode(
        {
            "schema_version": SCHEMA_VERSION,
            "recipient": recipient,
            "sender": "otpguard",
            "event_time_ms": told.as_of_ms,
            "message_id": f"{MEMORY_TYPE}-{told.as_of_ms}",
            "event_type": MEMORY_TYPE,
            "memory": _Memory(told.name_version, told.born_day, told.platforms, told.mac),
        }
    )


class _Type(msgspec.Struct, gc=False):
    event_type: Any = None


_decode_type: Final = msgspec.json.Decoder(_Type).decode


def reserved_type(value: bytes) -> str:
    """Return the event type of a value if only otpguard writes this type, else "".

    >>> reserved_type(b'{"event_type": "hot"}'), reserved_type(b'{"event_type": "submit"}')
    ('hot', '')
    """
    if b"hot" not in value and b"memory" not in value and b"\\" not in value:
        return ""  # fast path for most values: no escape and no such type
    try:
        found = _decode_type(value).event_type
    except (ValueError, RecursionError):
        return ""
    return found if isinstance(found, str) and found in RESERVED_TYPES else ""


@dataclass(frozen=True, slots=True)
class Origins:
    """Decodes accounts, message ids and lists of single events in a batch, on demand."""

    values: Sequence[bytes | None]
    row: NDArray[np.int64]  # index of each event's value

    def of(self, i: int) -> tuple[str, str]:
        """Return account and message id of event `i`. An account that is no string becomes ""."""
        value = self.values[int(self.row[i])]
        assert value is not None, "an event was decoded from it"
        read = _decode_origin(value)
        try:
            account = _decode_account(read.account_id)
        except ValueError:  # not a string, or not UTF-8: the event still counts
            account = ""
        return account[:ORIGIN_MAX], read.message_id

    def list_at(self, i: int) -> HotList | None:
        """Return the list of hot platforms in event `i`, or None if it has none."""
        read = self._reserved_at(i)
        if read is None or (hot := read.hot) is None:
            return None
        return HotList(read.event_time_ms, hot.valid_until_ms, hot.platforms, hot.mac)

    def memory_at(self, i: int) -> MemoryRecord | None:
        """Return the memory record in event `i`, or None if it has none."""
        read = self._reserved_at(i)
        if read is None or (held := read.memory) is None:
            return None
        platforms = tuple(map(KnownPlatform._make, held.platforms))
        return MemoryRecord(
            read.event_time_ms, held.name_version, held.born_day, platforms, held.mac
        )

    def _reserved_at(self, i: int) -> _Reserved | None:
        try:
            return _decode_reserved(self.values[int(self.row[i])] or b"")
        except (ValueError, RecursionError):
            return None


def refuse(
    decoded: Decoded, reason: RejectReason, refused: Sequence[int], records: Records
) -> Decoded:
    """Return a copy of `decoded` in which the events at the offsets `refused` are rejects.

    The offsets are ascending, and their events were counted before. Only the figures and rejects
    change, not the batch. `records` are the records of `decoded` or of one of its blocks.
    """
    if not refused:
        return decoded
    rejects, batch = refusals(reason, refused, records), decoded.batch
    blocks = batch.blocks or (Block(records.partition, 0, 0, len(batch)),)
    own = next(slice(b.first, b.last) for b in blocks if b.partition == records.partition)
    gone = _count_kinds(batch.kind[own][np.searchsorted(batch.offset[own], refused)])
    outcomes = Counter(decoded.outcomes)
    outcomes.subtract(gone)
    outcomes[Outcome.REJECTED] += len(rejects)
    together = sorted([*decoded.rejects, *rejects], key=attrgetter("offset"))
    return replace(decoded, rejects=together, outcomes=outcomes)


def refusals(reason: RejectReason, refused: Sequence[int], records: Records) -> list[Reject]:
    """Return rejects for the records at these offsets (ascending)."""
    times_ms = records.timestamps_ms
    return [
        Reject(
            offset=int(records.offsets[at]),
            reason=reason,
            key=records.keys[at],
            value=records.values[at],
            timestamp_ms=-1 if times_ms is None else int(times_ms[at]),
        )
        for at in np.searchsorted(records.offsets, refused).tolist()
    ]


def _rejects(
    blocks: Sequence[Records], edges: Sequence[int], reasons: Mapping[int, RejectReason]
) -> list[list[Reject]]:
    """Return the rejects of each block in log order. `reasons` maps a record's index to its reason.

    `edges` are the bounds of the blocks within all records.
    """
    refused: list[list[Reject]] = [[] for _ in blocks]
    for place, reason in sorted(reasons.items()):
        number = bisect_right(edges, place) - 1
        block = blocks[number]
        refused[number] += refusals(reason, [block.offsets[place - edges[number]]], block)
    return refused


def _astray(
    partitions: int,
    blocks: Sequence[Records],
    edges: Sequence[int],
    row: NDArray[np.int64],
    keys: Sequence[bytes | None],
) -> int:
    """Count the events at rows (m,) that are not in the partition of their key."""
    if not partitions or not len(row):
        return 0
    found = np.repeat([block.partition for block in blocks], np.diff(edges))
    return int(np.count_nonzero(find_misplaced(keys, found[row], partitions)))


class _Read(NamedTuple):
    """The fields of m decoded delivery events: an array of length m for each field."""

    row: NDArray[np.int64]  # (m,) indices of the events' values, ascending
    kind: NDArray[np.uint8]
    event_time_ms: NDArray[np.int64]
    ingest_time_ms: NDArray[np.int64]  # -1 if absent
    strings: Mapping[str, Strings]  # one column for each name in `_STRINGS`

    def only(self, chosen: NDArray[np.bool_]) -> _Read:
        """Return the events where the mask `chosen` (m,) is true."""
        return _Read(
            self.row[chosen],
            self.kind[chosen],
            self.event_time_ms[chosen],
            self.ingest_time_ms[chosen],
            {name: column.take(chosen) for name, column in self.strings.items()},
        )


def _of_layout(fitted: Fitted) -> _Read:
    """Return the columns of events with one layout.

    All are messages, because layouts are learned only from messages and fix the event type.
    """
    n = len(fitted.rows)
    nowhere = np.zeros(n, np.int64)
    strings: dict[str, Strings] = dict.fromkeys(_STRINGS, StringBuffer(b"", nowhere, nowhere))
    strings |= {"text": StringList([""] * n), **fitted.strings}
    if prefix := fitted.strings.get("text_prefix"):
        text = fitted.strings.get("text", prefix)
        whole = text.length > 0
        start = np.where(whole, text.start, prefix.start)
        strings["text"] = StringBuffer(text.buffer, start, np.where(whole, text.stop, prefix.stop))
    return _Read(
        fitted.rows,
        np.full(n, EventKind.MESSAGE, np.uint8),
        fitted.times["event_time_ms"],
        fitted.times.get("ingest_time_ms", np.full(n, -1)),
        strings,
    )


@dataclass(eq=False)
class _Fields:
    """Collects the fields of events that were decoded one by one, one list per field."""

    row: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    event_time_ms: list[int] = field(default_factory=list)
    ingest_time_ms: list[int] = field(default_factory=list)
    strings: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in _STRINGS})

    def take(
        self, places: Sequence[int], events: Sequence[Event], kinds: Mapping[str | None, int]
    ) -> None:
        """Append events. `places` are the indices of their values."""
        self.row += places
        self.kind += [_kind(event, kinds) for event in events]
        self.event_time_ms += [event.event_time_ms for event in events]
        self.ingest_time_ms += [event.ingest_time_ms or -1 for event in events]
        self.strings["text"] += [event.text or event.text_prefix or "" for event in events]
        for name, read in _READERS:
            self.strings[name] += [text or "" for text in map(read, events)]

    def read(self) -> _Read:
        return _Read(
            np.array(self.row, np.int64),
            np.array(self.kind, np.uint8),
            np.array(self.event_time_ms, np.int64),
            np.array(self.ingest_time_ms, np.int64),
            {name: StringList(strings) for name, strings in self.strings.items()},
        )


def _one(reads: Sequence[_Read]) -> _Read:
    """Merge columns of events, in the order of their values."""
    some = [read for read in reads if len(read.row)]
    if len(some) < 2:
        return some[0] if some else reads[0]
    row = np.concatenate([read.row for read in some])
    order = np.argsort(row)
    return _Read(
        row[order],
        np.concatenate([read.kind for read in some])[order],
        np.concatenate([read.event_time_ms for read in some])[order],
        np.concatenate([read.ingest_time_ms for read in some])[order],
        {name: join_strings([read.strings[name] for read in some], order) for name in _STRINGS},
    )


def _at(items: Sequence[Any], kept: Sequence[int]) -> Sequence[Any]:
    """Return the items at the indices `kept`.

    In the common case these are all items, and `items` is returned without a copy.
    """
    if len(kept) == len(items):
        return items
    if isinstance(kept, range):
        return items[kept.start : kept.stop]
    return items.take(kept) if isinstance(items, BytesColumn) else [items[at] for at in kept]


def _tame(
    values: Sequence[bytes | None], bytes_max: int
) -> tuple[Sequence[bytes], NDArray[np.int64]]:
    """Replace null and too large values by empty bytes. Returns the values and their lengths."""
    if isinstance(values, BytesColumn):
        lengths = values.stop - values.start
        if lengths.min(initial=0) < 0 or lengths.max(initial=0) > bytes_max:
            lengths[(lengths < 0) | (lengths > bytes_max)] = 0
        return BytesColumn(values.buffer, values.start, values.start + lengths), lengths  # type: ignore[return-value]
    try:
        lengths = np.fromiter(map(len, values), np.int64, len(values))  # type: ignore[arg-type]
        if lengths.max(initial=0) <= bytes_max:
            return values, lengths  # type: ignore[return-value]
    except TypeError:  # a null value
        pass
    tame = [value if value and len(value) <= bytes_max else b"" for value in values]
    return tame, np.fromiter(map(len, tame), np.int64, len(tame))


def _parse(values: Sequence[bytes]) -> tuple[list[Event | None], dict[int, Exception]]:
    """Decode values. Returns an event or None for each value, and the errors by index.

    If the decoder raises an exception, the list keeps the events decoded so far. The iterator is
    then after the value that failed, so decoding continues with the next value.
    """
    events: list[Event | None] = []
    errors: dict[int, Exception] = {}
    pending = iter(values)
    while len(events) < len(values):
        try:
            events.extend(map(_decode_event, pending))
        except (ValueError, RecursionError) as error:
            errors[len(events)] = error
            events.append(None)
    return events, errors


def _reason(value: bytes | None, bytes_max: int, error: Exception) -> RejectReason:
    """Find the reason to refuse a value. Checks the most general reasons first.

    `error` is the decoder's error for this value.
    """
    if value is None:
        return RejectReason.NULL_VALUE
    if len(value) > bytes_max:
        return RejectReason.TOO_LARGE
    try:
        loose = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return RejectReason.INVALID_JSON
    if not isinstance(loose, dict):
        return RejectReason.WRONG_TYPE
    version = loose.get("schema_version")
    if type(version) is int and version != SCHEMA_VERSION:
        return RejectReason.UNKNOWN_SCHEMA_VERSION
    if not loose.keys() >= _REQUIRED:
        return RejectReason.MISSING_FIELD
    if isinstance(error, msgspec.ValidationError) and not _A_LIMIT.search(str(error)):
        return RejectReason.WRONG_TYPE
    return RejectReason.OUT_OF_RANGE


def _outcome(
    kinds: Mapping[str | None, int],
    direction: str | None,
    event_type: str | None,
    segment: int | None,
) -> Outcome:
    """Return the first reason why a valid event does not reach the core."""
    if direction == "mo":
        return Outcome.MOBILE_ORIGINATED
    if event_type not in kinds:
        return Outcome.OTHER_TYPE
    return Outcome.LATER_ATTEMPT if segment in _FIRST else Outcome.LATER_SEGMENT
