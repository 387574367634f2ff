"""`sms.delivery.v1`: the values of one poll -> the columns of a `Batch`, and what was refused.

Values that one program wrote are read together (`streams.wire.layout`); every other is decoded by
itself (a joined array lets a crafted value forge events of others). A bad record costs its own
exception and nothing of its neighbours.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import ChainMap, Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from detectors.bars import HOT_MAX
from detectors.model.arrays import indices
from detectors.model.event import TICK_OFFSETS, Batch, Block, EventKind, HotList
from detectors.model.strings import StringBuffer, StringList, Strings, joined
from detectors.model.times import EPOCH_S
from streams.limits import AHEAD_MAX_MS, VALUE_BYTES_MAX
from streams.transport.record_batch import BytesColumn
from streams.transport.record_batch import joined as end_to_end
from streams.wire.layout import Fitted, Keys, Layouts
from streams.wire.partitioner import misplaced
from streams.wire.recipients import Numbers
from streams.wire.version import SCHEMA_VERSION, Word32, reader

T = TypeVar("T")

TIME_MIN_MS: Final = (EPOCH_S + 1) * 1000
TIME_MAX_MS: Final = (EPOCH_S + (1 << 31)) * 1000 - 1
"""Times that the core can tell apart: 2020 to 2088. Before and after them all would be one second,
in which the codes of years look like a flood."""

BLOCK: Final = TICK_OFFSETS
"""Records whose columns are made at once; the worker never hands over more."""

CACHED: Final = 512
"""Records decoded before their fields are read, while they still lie in the processor's cache."""


LISTED_TYPE: Final = "hot"
"""The event type of a list of hot platforms. The platform agent alone writes it: whatever brings
events in from outside refuses it."""


class RejectReason(StrEnum):
    """Reasons to refuse a record: the closed set of the dead letters' header and metric label."""

    NULL_VALUE = "null_value"
    TOO_LARGE = "too_large"
    INVALID_JSON = "invalid_json"
    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    BAD_RECIPIENT = "bad_recipient"
    EVENT_TIME_AHEAD = "event_time_ahead"  # of its record
    NO_RECORD_TIME = "no_record_time"
    AHEAD_OF_LOG = "ahead_of_log"  # as the record is: told by the chain, `detectors.model.log_time`
    BATCH_UNREADABLE = "batch_unreadable"  # of records, that take too much when decompressed


class Outcome(StrEnum):
    """The fate of a record: the closed set of `events_total{outcome}`."""

    COUNTED = "counted"
    RECYCLED = "recycled"
    LISTED = "listed"  # a list of hot platforms: what became of it, `hot_lists_total` says
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
EVENT_TIME_MAX_MS: Final = 10**13
_TimeMs = Annotated[int, Meta(ge=10**12, le=EVENT_TIME_MAX_MS)]


class Event(msgspec.Struct, gc=False):
    """The fields that the worker reads of a value. Others are skipped; null means absent."""

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
"""One event by itself, for whoever is not in a hurry. Raises UnreadableError."""
_REQUIRED: Final = frozenset(f.name for f in msgspec.structs.fields(Event) if f.required)
_A_LIMIT: Final = re.compile("[<>]=|out of range")  # in msgspec's words about a Meta that failed
_FIRST: Final = (None, 1)
_SHAPE: Final = attrgetter("direction", "event_type", "segment", "attempt")  # see `_outcome`


def _limits() -> dict[str, int]:
    """Characters that each string of an event may have."""
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


@dataclass(frozen=True, slots=True)
class Intake:
    """The rules by which records are taken in."""

    numbers: Numbers
    counted_type: str = "submit"
    value_bytes_max: int = VALUE_BYTES_MAX
    ahead_max_ms: int = AHEAD_MAX_MS
    partitions: int = 0  # of the input; 0: it has none, as a file, and no key is misplaced
    listed: bool = False  # lists of hot platforms are taken in
    layouts: Layouts = field(default_factory=lambda: Layouts(_KEYS), compare=False)

    @property
    def kinds(self) -> dict[str | None, int]:
        """The event types that reach the core, and their `EventKind`; an absent one is "submit"."""
        kinds: dict[str | None, int] = {"recycled": int(EventKind.RECYCLED)}
        if self.listed:
            kinds[LISTED_TYPE] = int(EventKind.LISTED)
        kinds[self.counted_type] = int(EventKind.MESSAGE)
        if self.counted_type == "submit":
            kinds[None] = int(EventKind.MESSAGE)
        return kinds

    def is_message(self, event: Event) -> bool:
        """Tell if this event is a message that counts, for who reads events one by one."""
        kinds = self.kinds
        return bool(_counted([event], kinds)) and kinds[event.event_type] == EventKind.MESSAGE


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that was refused, as it came; or a whole batch of them, without what is in it."""

    offset: int
    reason: RejectReason
    key: bytes | None
    value: bytes | None
    timestamp_ms: int  # the record's; -1 if it has none
    behind: int = 0  # offsets of a batch behind the first one

    @classmethod
    def of_batch(cls, first: int, last: int, time_ms: int) -> Reject:
        """All offsets from the first to the last, which is among them."""
        return cls(first, RejectReason.BATCH_UNREADABLE, None, None, time_ms, last - first)

    @property
    def last_offset(self) -> int:
        """Of a batch; a record's own."""
        return self.offset + self.behind

    @property
    def records(self) -> int:
        """The number of refused records."""
        return self.behind + 1


@dataclass(frozen=True, slots=True)
class Decoded:
    """One poll of one partition. The outcomes of all its records add up to its length."""

    batch: Batch
    rejects: list[Reject]
    outcomes: dict[Outcome, int]
    noncanonical_keys: int  # counted events whose key is not their recipient's canonical form
    misplaced_keys: int = 0  # counted events in another partition than their key belongs to
    ahead: Counter[str] = field(default_factory=Counter)
    """Messages whose time was ahead of their record's, by gateway: judged by the record's time."""

    def refuse(self, reject: Reject) -> None:
        """Add a batch that was refused before it could be decoded."""
        self.rejects.append(reject)
        refused = self.outcomes.get(Outcome.REJECTED, 0)
        self.outcomes[Outcome.REJECTED] = refused + reject.records


class Records(NamedTuple):
    """Consecutive records of one partition: columns of length n >= 0, up to `next_offset`."""

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

    All sequences have length n. `timestamps_ms` are the records' own times, against which event
    times are judged; below 0 means that a record has none, which is refused: nothing bounds its
    event's time. None means that the values' `ingest_time_ms` stand for them, where there are any
    (files have no record times).
    """
    offset = np.asarray(offsets, np.int64)
    stamp = None if timestamps_ms is None else np.asarray(timestamps_ms, np.int64)
    blocks = []
    for start in range(0, max(len(values), 1), BLOCK):
        part = slice(start, start + BLOCK)
        block = Records(
            partition, next_offset, values[part], keys[part],
            offset[part], None if stamp is None else stamp[part],
        )  # fmt: skip
        blocks.append(decode_together(intake, topic, [block])[0])
    return blocks[0] if len(blocks) == 1 else _joined(blocks)


def decode_together(
    intake: Intake, topic: str, blocks: Sequence[Records]
) -> tuple[Decoded, list[list[Reject]]]:
    """Decode records of several partitions, at most `BLOCK` in all: each block as `decode` does.

    Returns them as one, with a block of the batch for each, and which records of each were refused.
    Either all blocks have times or none has.
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
            value = values[places[at]]
            reasons[places[at]] = _reason(value, intake.value_bytes_max, error)
        counted = _counted(events, kinds)
        if len(counted) + len(errors) < len(events):
            for shape, n in Counter(map(_SHAPE, filter(None, events))).items():
                outcomes[_outcome(kinds, *shape)] += n
        decoded.take(_at(places, counted), _at(events, counted), kinds)
    if decoded.row and decoded.kind[0] == EventKind.MESSAGE:
        intake.layouts.learn(tame, decoded.row)

    read = _one([*map(_of_layout, fitted), decoded.read()])
    recipient, tokens, nobody = intake.numbers.column(read.strings["recipient"])
    read, fits, ahead = _believed(read, stamps, intake.ahead_max_ms, reasons)
    listed = indices(read.kind == EventKind.LISTED)
    if len(listed):
        _not_of_later(read, listed, stamps, reasons, fits)
    if nobody or not fits.all():
        fits[nobody] = False
        reasons.update((at, RejectReason.BAD_RECIPIENT) for at in read.row[nobody].tolist())
        read, recipient = read.only(fits), recipient[fits]
    batch = _batch(topic, blocks, edges, values, read, recipient, tokens)
    rejects = _rejects(blocks, edges, reasons)
    outcomes[Outcome.REJECTED] = len(reasons)
    outcomes[Outcome.RECYCLED] = int(np.count_nonzero(read.kind == EventKind.RECYCLED))
    row = read.row
    if len(listed):  # their keys say nothing: they go to every partition
        events = read.kind != EventKind.LISTED
        outcomes[Outcome.LISTED] = len(row) - int(np.count_nonzero(events))
        row, recipient = row[events], recipient[events]
    outcomes[Outcome.COUNTED] = len(row) - outcomes[Outcome.RECYCLED]
    keys = _at(end_to_end([block.keys for block in blocks]), row.tolist())
    noncanonical = intake.numbers.noncanonical(keys, recipient, tokens)
    astray = _astray(intake.partitions, blocks, edges, row, keys)
    together = [reject for some in rejects for reject in some]
    return Decoded(batch, together, outcomes, noncanonical, astray, ahead), rejects


def _counted(events: Sequence[Event | None], kinds: Mapping[str | None, int]) -> list[int]:
    """The places of those that count: the first part and attempt of what goes to a subscriber."""
    return [
        at
        for at, event in enumerate(events)
        if event is not None
        and event.event_type in kinds
        and event.segment in _FIRST
        and event.attempt in _FIRST
        and event.direction != "mo"
    ]


def _believed(
    read: _Read,
    stamps: NDArray[np.int64] | None,
    ahead_max_ms: int,
    reasons: dict[int, RejectReason],
) -> tuple[_Read, NDArray[np.bool_], Counter[str]]:
    """Tell which of m events have a time that can be; reasons against the others are added.

    A message that is too far ahead of its record gets the record's time, so that a gateway whose
    clock is ahead is protected all the same. Such messages are counted by gateway. `stamps` are the
    times of all records, or None where the events' own `ingest_time_ms` count.
    """
    stamp = read.ingest_time_ms if stamps is None else stamps[read.row]
    untimed = stamp < 0
    fits = untimed | (read.event_time_ms - ahead_max_ms <= stamp)
    beyond = (read.event_time_ms < TIME_MIN_MS) | (read.event_time_ms > TIME_MAX_MS)
    gateways: Counter[str] = Counter()
    if not fits.all():
        judged = ~fits & (stamp >= TIME_MIN_MS) & ~beyond & (read.kind == EventKind.MESSAGE)
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
    listed: NDArray[np.int64],
    stamps: NDArray[np.int64] | None,
    reasons: dict[int, RejectReason],
    fits: NDArray[np.bool_],
) -> None:
    """Refuse lists of hot platforms that were made after their records, whatever events may be.

    One of tomorrow would keep all of today's out.
    """
    rows = read.row[listed]
    stamp = read.ingest_time_ms[listed] if stamps is None else stamps[rows]
    late = (stamp >= 0) & (read.event_time_ms[listed] - AHEAD_MAX_MS > stamp) & fits[listed]
    reasons.update((at, RejectReason.EVENT_TIME_AHEAD) for at in rows[late].tolist())
    fits[listed[late]] = False


def _batch(
    topic: str,
    blocks: Sequence[Records],
    edges: Sequence[int],
    values: Sequence[bytes | None],
    read: _Read,
    recipient: NDArray[np.uint64],
    tokens: Mapping[int, str],
) -> Batch:
    """The events read as the core takes them; `edges` are those of the blocks among all records."""
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
        listed=origins.listed,
    )


class _Origin(msgspec.Struct, gc=False):
    """The fields that few events are asked for."""

    message_id: str
    account_id: str = ""


class _OddOrigin(msgspec.Struct, gc=False):
    """The same of an event whose account is no string. It may be anything: it decides nothing.

    So it is passed over here as it was when the event was read, and read by itself.
    """

    message_id: str
    account_id: msgspec.Raw


_decode_origin: Final = msgspec.json.Decoder(_Origin).decode
_decode_odd_origin: Final = msgspec.json.Decoder(_OddOrigin).decode
ORIGIN_MAX: Final = 128
"""Characters kept of an account's name."""


class _List(msgspec.Struct, gc=False):
    """The field `hot` of a list of hot platforms."""

    valid_until_ms: _TimeMs
    platforms: Annotated[tuple[Word32, ...], Meta(max_length=HOT_MAX)]
    mac: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class _Listed(msgspec.Struct, gc=False):
    """The part that a list of hot platforms has beside the required fields of an event."""

    event_time_ms: _TimeMs
    hot: _List


_decode_listed: Final = msgspec.json.Decoder(_Listed).decode


class _ListEvent(msgspec.Struct):
    """The value of a record that holds such a list: an event that no reader of before counts."""

    schema_version: int
    recipient: str
    sender: str
    event_time_ms: int
    message_id: str
    event_type: str
    hot: _List


LISTED_RECIPIENT: Final = "h0:0000000000000000"
"""In a record of nobody: a token that stands for no number."""


def encode_listed(told: HotList) -> bytes:
    """The value of a record that holds a list of hot platforms; it has no key."""
    return msgspec.json.encode(
        _ListEvent(
            SCHEMA_VERSION, LISTED_RECIPIENT, "otpguard", told.version_ms,
            f"{LISTED_TYPE}-{told.version_ms}", LISTED_TYPE,
            _List(told.valid_until_ms, told.platforms, told.mac),
        )
    )  # fmt: skip


class _Type(msgspec.Struct, gc=False):
    event_type: Any = None


_decode_type: Final = msgspec.json.Decoder(_Type).decode


def is_listed(value: bytes) -> bool:
    """Tell if a value is a list of hot platforms, or would pass for one.

    >>> is_listed(b'{"event_type": "hot"}'), is_listed(b'{"event_type": "submit"}')
    (True, False)
    """
    if LISTED_TYPE.encode() not in value and b"\\" not in value:
        return False  # nothing that stands for it: most are not looked at further
    try:
        return bool(_decode_type(value).event_type == LISTED_TYPE)
    except (ValueError, RecursionError):
        return False


@dataclass(frozen=True, slots=True)
class Origins:
    """The senders and lists of events of a batch, read when one is asked for."""

    values: Sequence[bytes | None]
    row: NDArray[np.int64]  # of each event, the place of its value

    def of(self, i: int) -> tuple[str, str]:
        """Return account and message id of the event at a position; what is no string is empty."""
        value = self.values[int(self.row[i])]
        assert value is not None, "an event was decoded from it"
        try:
            read = _decode_origin(value)
        except ValueError:  # no string, or none that is UTF-8: the event counts all the same
            return "", _decode_odd_origin(value).message_id
        return read.account_id[:ORIGIN_MAX], read.message_id

    def listed(self, i: int) -> HotList | None:
        """Return the list of hot platforms in the event at a position; None if it has none."""
        try:
            read = _decode_listed(self.values[int(self.row[i])] or b"")
        except (ValueError, RecursionError):
            return None
        hot = read.hot
        return HotList(read.event_time_ms, hot.valid_until_ms, hot.platforms, hot.mac)


def refuse(
    decoded: Decoded, reason: RejectReason, refused: Sequence[int], records: Records
) -> Decoded:
    """The same, with the events at these offsets (ascending) among the refused ones.

    They were counted; what the chain makes of them it has done. `records` are those of `decoded`,
    or of one of its blocks.
    """
    if not refused:
        return decoded
    rejects = refusals(reason, refused, records)
    outcomes = Counter(decoded.outcomes)
    outcomes[Outcome.COUNTED] -= len(rejects)
    outcomes[Outcome.REJECTED] += len(rejects)
    together = sorted([*decoded.rejects, *rejects], key=attrgetter("offset"))
    return replace(decoded, rejects=together, outcomes=outcomes)


def refusals(reason: RejectReason, refused: Sequence[int], records: Records) -> list[Reject]:
    """The records at these offsets (ascending), as refused."""
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
    """The refused records of each block, in the order of its log; reasons by place."""
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
    """Count the events at rows (m,) that lie in another partition than their key's."""
    if not partitions or not len(row):
        return 0
    found = np.repeat([block.partition for block in blocks], np.diff(edges))
    return int(np.count_nonzero(misplaced(keys, found[row], partitions)))


class _Read(NamedTuple):
    """The columns of m events that are counted."""

    row: NDArray[np.int64]  # (m,) their places among the values, ascending
    kind: NDArray[np.uint8]
    event_time_ms: NDArray[np.int64]
    ingest_time_ms: NDArray[np.int64]  # -1 where there is none
    strings: Mapping[str, Strings]  # of `_STRINGS`

    def only(self, chosen: NDArray[np.bool_]) -> _Read:
        """Return the chosen ones of them."""
        strings = {name: column.take(chosen) for name, column in self.strings.items()}
        return _Read(
            self.row[chosen],
            self.kind[chosen],
            self.event_time_ms[chosen],
            self.ingest_time_ms[chosen],
            strings,
        )


def _of_layout(fitted: Fitted) -> _Read:
    """Events of one layout: all are messages, for a layout is learnt from one that is."""
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


class _Fields:
    """The fields of events that were decoded one by one, a list for each."""

    def __init__(self) -> None:
        self.row: list[int] = []
        self.kind: list[int] = []
        self.event_time_ms: list[int] = []
        self.ingest_time_ms: list[int] = []
        self.strings: dict[str, list[str]] = {name: [] for name in _STRINGS}

    def take(
        self, places: Sequence[int], events: Sequence[Event], kinds: Mapping[str | None, int]
    ) -> None:
        """Add events behind those that are there."""
        self.row += places
        self.kind += [kinds[event.event_type] for event in events]
        self.event_time_ms += [event.event_time_ms for event in events]
        self.ingest_time_ms += [event.ingest_time_ms or -1 for event in events]
        strings = self.strings
        strings["recipient"] += [event.recipient for event in events]
        strings["sender"] += [event.sender for event in events]
        strings["text"] += [event.text or event.text_prefix or "" for event in events]
        strings["signature"] += [event.signature or "" for event in events]
        strings["category"] += [event.category or "" for event in events]
        strings["platform_id"] += [event.platform_id or "" for event in events]
        strings["template_id"] += [event.template_id or "" for event in events]
        strings["gateway_id"] += [event.gateway_id or "" for event in events]

    def read(self) -> _Read:
        """All of them as columns."""
        return _Read(
            np.array(self.row, np.int64),
            np.array(self.kind, np.uint8),
            np.array(self.event_time_ms, np.int64),
            np.array(self.ingest_time_ms, np.int64),
            {name: StringList(strings) for name, strings in self.strings.items()},
        )


def _one(reads: Sequence[_Read]) -> _Read:
    """All of them, in the order of the values."""
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
        {name: joined([read.strings[name] for read in some], order) for name in _STRINGS},
    )


def _at(items: Sequence[Any], kept: Sequence[int]) -> Sequence[Any]:
    """Return the items at some indices: all of them as they are, which is the common case."""
    if len(kept) == len(items):
        return items
    if isinstance(kept, range):
        return items[kept.start : kept.stop]
    return items.take(kept) if isinstance(items, BytesColumn) else [items[at] for at in kept]


def _tame(
    values: Sequence[bytes | None], bytes_max: int
) -> tuple[Sequence[bytes], NDArray[np.int64]]:
    """The values, with nothing in place of one that is null or too large, and their lengths."""
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
    """Return an event for each value, or None and what the decoder said.

    An exception of the decoder leaves what it has done in the list, and the iterator behind the
    value that it failed at.
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
    """The reason for refusing a value, most general first. Not the hot path."""
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
    attempt: int | None,
) -> Outcome:
    """Decide whether a good event counts; else return the first reason not to."""
    if direction == "mo":
        return Outcome.MOBILE_ORIGINATED
    if event_type not in kinds:
        return Outcome.OTHER_TYPE
    if segment not in _FIRST:
        return Outcome.LATER_SEGMENT
    return Outcome.COUNTED if attempt in _FIRST else Outcome.LATER_ATTEMPT


def _of_each(
    batches: Sequence[Batch], asked: Callable[[Batch], Callable[[int], T] | None], nothing: T
) -> Callable[[int], T]:
    """Ask some batches, one behind the other, about the event at a position."""
    edges = [0, *accumulate(map(len, batches))]

    def answer(i: int) -> T:
        number = bisect_right(edges, i) - 1
        found = asked(batches[number])
        return found(i - edges[number]) if found else nothing

    return answer


def _joined(blocks: Sequence[Decoded]) -> Decoded:
    """The blocks of one poll as one."""
    batches = [block.batch for block in blocks]
    arrays = ("offset", "event_time_ms", "recipient", "kind")
    names = ("sender", "text", "signature", "category", "platform", "template", "gateway")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(batch, name) for batch in batches]) for name in arrays
    }
    for name in names:
        strings = [getattr(batch, name) for batch in batches]
        columns[name] = joined(strings, np.arange(sum(map(len, strings))))
    outcomes: Counter[Outcome] = Counter()
    for block in blocks:
        outcomes.update(block.outcomes)
    return Decoded(
        batch=Batch(
            topic=batches[0].topic,
            partition=batches[0].partition,
            next_offset=batches[0].next_offset,
            tokens=dict(ChainMap(*(dict(batch.tokens) for batch in batches))),
            origin=_of_each(batches, attrgetter("origin"), ("", "")),
            listed=_of_each(batches, attrgetter("listed"), None),
            **columns,
        ),
        rejects=[reject for block in blocks for reject in block.rejects],
        outcomes=outcomes,
        noncanonical_keys=sum(block.noncanonical_keys for block in blocks),
        misplaced_keys=sum(block.misplaced_keys for block in blocks),
        ahead=sum((block.ahead for block in blocks), Counter()),
    )
