"""`sms.delivery.v1` at its boundaries: every reason, outcome and number form, and poison."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from detectors.hot.network import sign_list
from detectors.memory_records import sign_memory
from detectors.model.event import TOKEN_BIT, EventKind, KnownPlatform, MemoryRecord
from streams import wire
from streams.common.limits import VALUE_BYTES_MAX
from streams.wire import (
    Decoded,
    Intake,
    Outcome,
    RejectReason,
    encode_listed,
    encode_memory,
    reserved_type,
)
from streams.wire.events import BLOCK, CACHED
from streams.wire.layout import LEARN_ROWS, ROWS_MIN
from streams.wire.partitioner import partition_of
from tests.builders.streams.wire.events import CHINA, TOKEN

NOW_MS = 1_772_422_380_000


def value(**fields: Any) -> bytes:
    event = {
        "schema_version": 1,
        "recipient": "8617000000001",
        "sender": "10690001",
        "event_time_ms": NOW_MS,
        "message_id": "m1",
    }
    event |= fields
    return json.dumps({k: v for k, v in event.items() if v is not ...}).encode()


def decode(
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None] | None = None,
    intake: Intake = CHINA,
    stamp_ms: int | None = NOW_MS,
) -> Decoded:
    n = len(values)
    return wire.decode(
        intake,
        "in",
        3,
        values,
        keys or [b"8617000000001"] * n,
        np.arange(100, 100 + n),
        None if stamp_ms is None else np.full(n, stamp_ms),
        100 + n,
    )


def check_reason(bad: bytes | None, expected: str) -> None:
    """A bad record is refused for this reason, and its neighbours are counted as if it were not."""
    good = [value(message_id="before"), value(message_id="after")]
    decoded = decode([good[0], bad, good[1]])
    assert [(r.offset, r.reason, r.value, r.key) for r in decoded.rejects] == [
        (101, expected, bad, b"8617000000001")
    ]
    assert decoded.batch.offset.tolist() == [100, 102]
    assert decoded.outcomes[Outcome.COUNTED] == 2
    assert decoded.outcomes[Outcome.REJECTED] == 1
    assert len(decoded.batch.text) == len(decoded.batch.recipient) == 2


REFUSED: list[tuple[bytes | None, str]] = [
    (None, "null_value"),
    (b"x" * 900_000, "too_large"),
    (b'{"schema_version":1,' + b" " * VALUE_BYTES_MAX, "too_large"),
    (b"", "invalid_json"),
    (b"{", "invalid_json"),
    (b"not json", "invalid_json"),
    (b"\xff\xfe", "invalid_json"),
    (b"\xef\xbb\xbf" + value(), "invalid_json"),
    (value() + b"x", "invalid_json"),
    (value() + value(), "invalid_json"),
    (value(text="QQ").replace(b"QQ", b"\xff\xfe"), "invalid_json"),
    (value(text="QQ").replace(b"QQ", rb"\ud800"), "invalid_json"),
    (value(x="QQ").replace(b'"QQ"', b"[" * 60_000), "invalid_json"),
    (value(x="QQ").replace(b'"QQ"', b"NaN"), "invalid_json"),
    (b"null", "wrong_type"),
    (b"[]", "wrong_type"),
    (b"7", "wrong_type"),
    (b'"text"', "wrong_type"),
    (value(recipient=8617000000001), "wrong_type"),
    (value(event_time_ms="soon"), "wrong_type"),
    (value(event_time_ms=float(NOW_MS)), "wrong_type"),
    (value(event_time_ms=None), "wrong_type"),
    (value(text={}), "wrong_type"),
    (value(segment="1"), "wrong_type"),
    (value(segment=True), "wrong_type"),
    (value(schema_version="1"), "wrong_type"),
    (value(schema_version=2), "unknown_schema_version"),
    (value(schema_version=0), "unknown_schema_version"),
    (b'{"schema_version":2}', "unknown_schema_version"),
    (value(schema_version=...), "missing_field"),
    (value(recipient=...), "missing_field"),
    (value(sender=...), "missing_field"),
    (value(event_time_ms=...), "missing_field"),
    (value(message_id=...), "missing_field"),
    (b"{}", "missing_field"),
    (value(event_time_ms=NOW_MS // 1000), "out_of_range"),  # seconds
    (value(event_time_ms=NOW_MS * 1000), "out_of_range"),  # microseconds
    (value(event_time_ms=10**400), "out_of_range"),
    (value(event_time_ms=-1), "out_of_range"),
    (value(event_time_ms=0), "out_of_range"),  # 1970
    (value(event_time_ms=1_577_836_800_000), "out_of_range"),  # 2020: the core counts from there
    (value(event_time_ms=1_100_000_000_000), "out_of_range"),  # 2004, of a clock that was reset
    (value(event_time_ms=10_413_792_000_000), "out_of_range"),  # 2300
    (value(segment=0), "out_of_range"),
    (value(attempt=256), "out_of_range"),
    (value(sender="x" * 65), "out_of_range"),
    (value(signature="名" * 65), "out_of_range"),
    (value(recipient="1" * 129), "out_of_range"),
    (value(recipient=""), "bad_recipient"),
    (value(recipient="123"), "bad_recipient"),
    (value(recipient="nobody"), "bad_recipient"),
    (value(recipient="86-ACME-FLOWERS"), "bad_recipient"),
    (value(recipient="hk1:short"), "bad_recipient"),
    (value(recipient="+8617000000001\n8617000000002"), "bad_recipient"),
    (value(event_time_ms=NOW_MS + 300_001, event_type="recycled"), "event_time_ahead"),
]


@pytest.mark.parametrize(("bad", "expected"), REFUSED)
def test_a_bad_record_has_its_reason_and_its_neighbours_are_counted(
    bad: bytes | None, expected: str
) -> None:
    check_reason(bad, expected)


def test_every_reason_is_covered_by_a_boundary_above() -> None:
    elsewhere = {"no_record_time", "ahead_of_log", "batch_unreadable"}
    assert {expected for _, expected in REFUSED} | elsewhere == {
        str(reason) for reason in RejectReason
    }


@pytest.mark.parametrize(
    "good",
    [
        value(event_time_ms=NOW_MS + 300_000),
        value(event_time_ms=NOW_MS - 30 * 86_400_000),  # old traffic is no error
        value(signature="名" * 64),
        value(text="字" * 17_000),
        value(text="a\x00b"),
        value(unknown={"deep": [{}]}, another=1e300),
        value(text=None, signature=None, category=None, segment=None, attempt=None),
        value(event_type=None, direction=None, gateway_id=None),
        b" \r\n" + value() + b"\r\n",
    ],
)
def test_what_is_odd_but_right_is_counted(good: bytes) -> None:
    assert decode([good]).outcomes[Outcome.COUNTED] == 1


def check_outcome(expected: Outcome, **fields: Any) -> None:
    decoded = decode([value(), value(**fields)])
    assert not decoded.rejects
    assert sum(decoded.outcomes.values()) == 2
    assert decoded.outcomes[expected] == (2 if expected is Outcome.COUNTED else 1)


def test_what_is_not_counted_says_why() -> None:
    check_outcome(Outcome.COUNTED, event_type="submit")
    check_outcome(Outcome.COUNTED, direction="mt", segment=1, attempt=1)
    check_outcome(Outcome.OTHER_TYPE, event_type="receipt")
    check_outcome(Outcome.OTHER_TYPE, event_type="a new one")
    check_outcome(Outcome.LATER_SEGMENT, segment=2)
    check_outcome(Outcome.LATER_ATTEMPT, attempt=2)
    check_outcome(Outcome.MOBILE_ORIGINATED, direction="mo")
    check_outcome(Outcome.MOBILE_ORIGINATED, direction="mo", event_type="deliver", segment=3)
    check_outcome(Outcome.RECYCLED, event_type="recycled")


def test_later_parts_and_attempts_of_messages_reach_the_core_and_say_so() -> None:
    values = [
        value(),
        value(segment=2),
        value(attempt=3),
        value(segment=2, attempt=2),
        value(segment=2, event_type="recycled"),
        value(attempt=2, event_type="recycled"),
        value(attempt=2, event_type="receipt"),
        value(attempt=2, recipient="nobody"),
    ]
    decoded = decode(values)
    assert decoded.batch.kind.tolist() == [
        EventKind.MESSAGE, EventKind.LATER_PART, EventKind.LATER_ATTEMPT, EventKind.LATER_PART,
    ]  # fmt: skip
    assert {outcome: n for outcome, n in decoded.outcomes.items() if n} == {
        Outcome.COUNTED: 1,
        Outcome.LATER_SEGMENT: 3,
        Outcome.LATER_ATTEMPT: 2,
        Outcome.OTHER_TYPE: 1,
        Outcome.REJECTED: 1,
    }


def test_a_later_attempt_ahead_of_the_log_is_no_counted_event() -> None:
    values = [value(), value(attempt=2)]
    decoded = decode(values)
    stamps = np.array([NOW_MS] * 2)
    records = wire.Records(0, 102, values, [None] * 2, np.array([100, 101]), stamps)
    left = wire.refuse(decoded, wire.RejectReason.AHEAD_OF_LOG, [101], records).outcomes
    assert left[Outcome.COUNTED] == left[Outcome.REJECTED] == 1
    assert not left[Outcome.LATER_ATTEMPT]


def test_the_counted_type_is_a_setting_and_recycled_numbers_come_with_any() -> None:
    intake = Intake(CHINA.numbers, counted_type="receipt")
    values = [value(), value(event_type="receipt"), value(event_type="recycled")]
    decoded = decode(values, intake=intake)
    assert decoded.batch.kind.tolist() == [EventKind.MESSAGE, EventKind.RECYCLED]
    assert decoded.outcomes[Outcome.OTHER_TYPE] == 1


def test_columns_hold_what_the_value_says() -> None:
    decoded = decode(
        [
            value(
                text="T", signature="S", category="otp", platform_id="P", template_id="I",
                gateway_id="G", text_prefix="unused",
            ),
            value(text_prefix="only the head"),
        ]
    )  # fmt: skip
    batch = decoded.batch
    assert (batch.topic, batch.partition, batch.next_offset) == ("in", 3, 102)
    assert batch.offset.tolist() == [100, 101]
    assert batch.event_time_ms.tolist() == [NOW_MS, NOW_MS]
    assert batch.recipient.tolist() == [8617000000001, 8617000000001]
    assert list(batch.sender) == ["10690001", "10690001"]
    assert list(batch.text) == ["T", "only the head"]
    columns = (batch.signature, batch.category, batch.platform, batch.template, batch.gateway)
    assert [list(column) for column in columns] == [
        [name, ""] for name in ("S", "otp", "P", "I", "G")
    ]
    dtypes = [str(column.dtype) for column in (batch.offset, batch.recipient, batch.kind)]
    assert dtypes == ["int64", "uint64", "uint8"]


def test_a_token_is_its_top_bit_and_63_bits() -> None:
    decoded = decode([value(recipient=TOKEN)], [TOKEN.encode()])
    number = 0x0011223344556677 | TOKEN_BIT
    assert decoded.batch.recipient.tolist() == [number]
    assert decoded.batch.tokens == {number: TOKEN}
    assert decoded.noncanonical_keys == 0


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([b"8617000000001", b"8617000000001"], 0),
        ([b"8617000000001", b"8617000000002"], 1),
        ([b"+8617000000001", b"+8617000000001"], 2),
        ([b"008617000000001", b"8617000000001"], 1),
        ([b"17000000001", b"17000000001"], 2),
        ([None, b"8617000000001"], 1),
        ([b"8617000000001\n", b"617000000001"], 2),  # a newline cannot shift the others
        ([b"", b"\xff"], 2),
    ],
)
def test_keys_that_are_not_the_canonical_recipient_are_counted(
    keys: list[bytes | None], expected: int
) -> None:
    assert decode([value(), value(recipient="+8617000000001")], keys).noncanonical_keys == expected


def test_only_counted_events_have_their_keys_looked_at() -> None:
    uncounted = value(event_type="receipt")
    decoded = decode([value(), uncounted, b"{"], [b"8617000000001", b"x", b"y"])
    assert decoded.noncanonical_keys == 0


def test_keys_in_another_partition_than_theirs_are_counted_of_counted_events() -> None:
    key = b"8617000000001"
    belongs = partition_of(key, 32)
    receipt = value(event_type="receipt")
    values = [value(), value(), receipt, value(), b"{", value(event_time_ms=10**13)]
    keys: list[bytes | None] = [key, b"x", b"x", None, b"x", b"x"]
    intake = replace(CHINA, partitions=32)
    for partition, expected in ((belongs, 1), (belongs ^ 1, 2)):
        found = wire.decode(intake, "t", partition, values, keys, range(6), [NOW_MS] * 6, 6)
        assert found.misplaced_keys == expected
    assert decode(values, keys).misplaced_keys == 0  # a file has no partitions


def test_event_time_is_judged_against_the_record_not_a_clock() -> None:
    future = value(event_time_ms=NOW_MS + 10**9)
    assert decode([future], stamp_ms=NOW_MS + 10**9).outcomes[Outcome.COUNTED] == 1
    assert decode([future], stamp_ms=None).outcomes[Outcome.COUNTED] == 1  # a file without one
    late = value(event_time_ms=NOW_MS + 10**9, ingest_time_ms=NOW_MS)
    judged = decode([late], stamp_ms=None)
    assert judged.batch.event_time_ms.tolist() == [NOW_MS]


@pytest.mark.parametrize("ahead_ms", [300_001, 57 * 60_000, 2 * 86_400_000, 365 * 86_400_000])
def test_a_message_ahead_of_its_record_is_counted_at_the_record_s_time(ahead_ms: int) -> None:
    fast = value(event_time_ms=NOW_MS + ahead_ms, gateway_id="gw-fast")
    odd = b" " + fast
    for values in ([fast, value()], [value(), fast, fast, fast], [odd, value(), fast]):
        decoded = decode(values)
        assert set(decoded.batch.event_time_ms.tolist()) == {NOW_MS}
        assert decoded.outcomes[Outcome.COUNTED] == len(values)
        assert decoded.ahead == {"gw-fast": len(values) - 1}
        assert decoded.rejects == []


def test_a_number_given_back_by_a_clock_that_is_ahead_is_refused() -> None:
    given_back = value(event_time_ms=NOW_MS + 300_001, event_type="recycled")
    (reject,) = decode([given_back]).rejects
    assert reject.reason == RejectReason.EVENT_TIME_AHEAD


@pytest.mark.parametrize(
    ("record_ms", "expected"),
    [
        (-1, RejectReason.NO_RECORD_TIME),
        (-(10**13), RejectReason.NO_RECORD_TIME),
        (0, RejectReason.EVENT_TIME_AHEAD),
        (1, RejectReason.EVENT_TIME_AHEAD),
        (NOW_MS // 1000, RejectReason.EVENT_TIME_AHEAD),  # seconds
        (NOW_MS - 300_001, None),
        (NOW_MS - 300_000, None),
        (10_413_792_000_000, None),  # 2300: late, and judged by its own time
        ((1 << 63) - 1, None),
    ],
)
def test_a_records_own_time_may_be_anything(record_ms: int, expected: RejectReason | None) -> None:
    odd = [value(message_id="other"), b" " + value()]
    for values in ([value()], [value()] * 3, odd):
        decoded = decode(values, stamp_ms=record_ms)
        reasons = {reject.reason for reject in decoded.rejects}
        assert reasons == ({expected} if expected else set())
        assert decoded.outcomes[Outcome.COUNTED] == (0 if expected else len(values))


@pytest.mark.parametrize(
    ("event_ms", "counted"),
    [
        (1_577_836_800_999, 0),
        (1_577_836_801_000, 1),
        ((1_577_836_800 + (1 << 31)) * 1000 - 1, 1),
        ((1_577_836_800 + (1 << 31)) * 1000, 0),
        (10**13 - 1, 0),
    ],
)
def test_times_that_the_core_cannot_tell_apart_are_refused(event_ms: int, counted: int) -> None:
    decoded = decode([value(event_time_ms=event_ms)] * 2, stamp_ms=event_ms)
    assert decoded.outcomes[Outcome.COUNTED] == 2 * counted
    assert {r.reason for r in decoded.rejects} == (
        set() if counted else {RejectReason.OUT_OF_RANGE}
    )


def test_what_the_chain_refuses_joins_what_was_refused_before() -> None:
    values = [value(), b"{", value(), b"{", value()]
    keys = [b"a", b"b", b"c", b"d", b"e"]
    offsets = np.array([3, 4, 7, 9, 12])
    stamps = np.array([NOW_MS] * 5)
    records = wire.Records(2, 20, values, keys, offsets, stamps)
    decoded = wire.decode(CHINA, "in", 2, values, keys, offsets, stamps, 20)
    after = wire.refuse(decoded, RejectReason.AHEAD_OF_LOG, [7, 12], records)
    told = [(r.offset, str(r.reason), r.key, r.value, r.timestamp_ms) for r in after.rejects]
    assert told == [
        (4, "invalid_json", b"b", b"{", NOW_MS),
        (7, "ahead_of_log", b"c", value(), NOW_MS),
        (9, "invalid_json", b"d", b"{", NOW_MS),
        (12, "ahead_of_log", b"e", value(), NOW_MS),
    ]
    assert after.outcomes[Outcome.COUNTED] == 1
    assert after.outcomes[Outcome.REJECTED] == 4
    assert decoded.outcomes[Outcome.COUNTED] == 3, "the one before is as it was"
    assert wire.refuse(decoded, RejectReason.AHEAD_OF_LOG, [], records) is decoded


def test_an_empty_poll_covers_its_offsets() -> None:
    decoded = decode([])
    assert len(decoded.batch) == 0
    assert decoded.batch.next_offset == 100
    assert not any(decoded.outcomes.values())


def mixed(n: int) -> list[bytes | None]:
    """Values of every kind, in an order that meets block edges in many ways."""
    kinds: list[bytes | None] = [
        value(),
        value(recipient="+8617000000002"),
        None,
        value(recipient=TOKEN),
        value(event_type="receipt"),
        b"{",
        value(event_type="recycled"),
        value(recipient="nobody"),
        value(event_time_ms=NOW_MS + 10**9),
        value(segment=2),
        value(text="验证码 120934", gateway_id="gw2"),
    ]
    return [kinds[(at * 7) % len(kinds)] for at in range(n)]


@pytest.mark.parametrize("size", [1, 7, 1000, BLOCK - 1, BLOCK, BLOCK + 1])
@pytest.mark.slow
def test_batch_and_block_edges_make_no_difference(size: int) -> None:
    values = mixed(2 * BLOCK + 3)
    whole = decode(values)
    parts = [decode(values[at : at + size]) for at in range(0, len(values), size)]
    for name in ("event_time_ms", "recipient", "kind", "sender", "text", "gateway"):
        joined = [x for part in parts for x in list(getattr(part.batch, name))]
        assert list(getattr(whole.batch, name)) == joined
    reasons = [reject.reason for part in parts for reject in part.rejects]
    assert [reject.reason for reject in whole.rejects] == reasons
    for outcome in Outcome:
        assert whole.outcomes[outcome] == sum(part.outcomes[outcome] for part in parts)
    assert sum(whole.outcomes.values()) == len(values)
    assert whole.noncanonical_keys == sum(part.noncanonical_keys for part in parts)
    assert whole.batch.offset.tolist() == sorted(whole.batch.offset.tolist())


@pytest.mark.parametrize("at", [0, 1, CACHED - 1, CACHED, CACHED + 1])
@pytest.mark.parametrize(
    "odd",
    [
        None,
        b"{",
        value(recipient="nobody"),
        value(event_type="receipt"),
        value(event_type="recycled", sender="odd"),
        value(segment=2, sender="odd"),
        value(attempt=2, sender="odd"),
        value(event_type="recycled", attempt=2),
        value(direction="mo"),
        value(direction="MT", sender="odd"),
        value(event_type="submit", direction="mt", segment=1, attempt=1, sender="odd"),
        value(event_type=None, direction=None, segment=None, attempt=None, sender="odd"),
    ],
)
def test_an_odd_record_changes_nothing_of_its_neighbours(odd: bytes | None, at: int) -> None:
    n = CACHED + 5
    values: list[bytes | None] = [value(sender=str(i), text=f"t{i}") for i in range(n)]
    values[at] = odd
    alone, decoded = decode([odd]), decode(values)
    expected = [i for i in range(n) if i != at or len(alone.batch)]
    kinds = [int(alone.batch.kind[0]) if i == at else int(EventKind.MESSAGE) for i in expected]
    assert decoded.batch.offset.tolist() == [100 + i for i in expected]
    assert list(decoded.batch.sender) == ["odd" if i == at else str(i) for i in expected]
    assert list(decoded.batch.text) == ["" if i == at else f"t{i}" for i in expected]
    assert decoded.batch.kind.tolist() == kinds
    assert [r.reason for r in decoded.rejects] == [r.reason for r in alone.rejects]
    for outcome in Outcome:
        counted = (n - 1) * (outcome is Outcome.COUNTED)
        assert decoded.outcomes[outcome] == alone.outcomes[outcome] + counted


def test_a_crafted_value_cannot_become_two() -> None:
    forged = value() + b"," + value(recipient="8617000000009")
    decoded = decode([forged, value()[:-1], b'"x":' + value()[1:]])
    assert [reject.reason for reject in decoded.rejects] == [RejectReason.INVALID_JSON] * 3
    assert len(decoded.batch) == 0


@given(st.lists(st.binary(max_size=60) | st.none() | st.text(max_size=40).map(str.encode)))
def test_no_bytes_raise(values: list[bytes | None]) -> None:
    decoded = decode([*values, value()])
    assert sum(decoded.outcomes.values()) == len(values) + 1
    assert decoded.batch.offset[-1] == 100 + len(values)


ODD_ACCOUNTS = (
    b"1e999", b"-1e999", b"1" + b"0" * 5_000, b"[1e999]", b'"\xff"', b'"\xed\xa0\x80"',
    b'{"\xff": 1}', b"[" * 600 + b"]" * 600, b"null", b"7", b'""',
)  # fmt: skip
"""Values that a decoder passes over where nobody asks for them; some of them it cannot read."""


@pytest.mark.parametrize("account", ODD_ACCOUNTS)
@pytest.mark.parametrize("n", [1, ROWS_MIN + LEARN_ROWS])
def test_an_account_that_nobody_can_read_is_none(account: bytes, n: int) -> None:
    odd = value()[:-1] + b', "account_id": ' + account + b"}"
    batch = decode([*[value(account_id="a1")] * (n - 1), odd]).batch
    assert batch.origin is not None
    assert batch.origin(n - 1) == ("", "m1")
    assert n == 1 or batch.origin(0) == ("a1", "m1")


@given(st.binary(max_size=20))
def test_whatever_an_account_is_an_event_that_counts_has_an_origin(account: bytes) -> None:
    batch = decode([value()[:-1] + b', "account_id": ' + account + b"}"]).batch
    assert batch.origin is not None
    for at in range(len(batch)):
        assert batch.origin(at)[1] == "m1"


@given(st.text(alphabet=st.characters(), max_size=30), st.booleans())
def test_every_accepted_text_can_be_encoded(text: str, ascii_only: bool) -> None:
    event = json.loads(value()) | {"text": text}
    raw = json.dumps(event, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    for accepted in decode([raw]).batch.text:
        assert accepted.encode().decode() == text


LISTING = replace(CHINA, listed=True, partitions=32)
LIST = sign_list(b"a key of sixteen", NOW_MS, NOW_MS + 3_600_000, [5, 4_000_000_000])


@pytest.mark.parametrize("before", [0, 3, CACHED, BLOCK - 1, BLOCK, BLOCK + 1])
def test_a_list_of_hot_platforms_is_read_at_its_place(before: int) -> None:
    n = before + 2
    keys: list[bytes | None] = [b"8617000000001"] * n
    keys[before] = None
    values = [value(message_id=str(i)) for i in range(n)]
    values[before] = encode_listed(LIST)
    decoded = decode(values, keys, LISTING)
    batch = decoded.batch
    assert batch.kind.tolist().index(EventKind.LISTED) == before
    assert batch.listed is not None
    assert batch.listed(before) == LIST
    assert batch.listed(n - 1) is None
    assert batch.text[before] == ""
    assert decoded.outcomes[Outcome.LISTED] == 1
    assert decoded.outcomes[Outcome.COUNTED] == n - 1
    assert not decoded.noncanonical_keys, "its key says nothing"
    assert decoded.misplaced_keys == n - 1, "all others lie in a wrong partition"


REMEMBERING = replace(CHINA, memory=True, partitions=32)
KNOWN = (KnownPlatform(4_000_000_000, 2400, 2), KnownPlatform(65_535, 2399, 1))
MEMORY = sign_memory(b"k", 8617000000001, MemoryRecord(NOW_MS, 2, 2000, KNOWN, ""))


@pytest.mark.parametrize("before", [0, 3, CACHED, BLOCK - 1, BLOCK, BLOCK + 1])
def test_a_memory_record_is_read_at_its_place(before: int) -> None:
    n = before + 2
    values = [value(message_id=str(i)) for i in range(n)]
    values[before] = encode_memory("8617000000001", MEMORY)
    decoded = decode(values, [b"8617000000001"] * n, REMEMBERING)
    batch = decoded.batch
    assert batch.kind.tolist().index(EventKind.MEMORY) == before
    assert batch.recipient.tolist() == [8617000000001] * n
    assert batch.memory is not None
    assert batch.memory(before) == MEMORY
    assert batch.memory(n - 1) is None
    assert decoded.outcomes[Outcome.MEMORY] == 1
    assert decoded.outcomes[Outcome.COUNTED] == n - 1
    assert decoded.misplaced_keys == n, "a memory record belongs to its recipient's partition"


@pytest.mark.parametrize("intake", [CHINA, LISTING], ids=["without", "lists only"])
def test_who_takes_no_memory_records_passes_over_them(intake: Intake) -> None:
    decoded = decode([encode_memory("8617000000001", MEMORY)], [b"8617000000001"], intake)
    assert decoded.outcomes[Outcome.OTHER_TYPE] == 1
    assert not len(decoded.batch)
    assert not decoded.rejects


def test_a_memory_record_from_after_its_record_is_refused() -> None:
    late = encode_memory("8617000000001", MEMORY._replace(as_of_ms=NOW_MS + 300_001))
    decoded = decode([late], None, replace(REMEMBERING, ahead_max_ms=3_600_000))
    assert [r.reason for r in decoded.rejects] == ["event_time_ahead"]


@pytest.mark.parametrize(
    "memory",
    [
        ..., None, 7, [], {},
        {"name_version": 2, "born_day": 0, "platforms": [], "mac": "0" * 64},
        {"name_version": 2, "born_day": 1 << 15, "platforms": [], "mac": "0" * 64},
        {"name_version": 2, "born_day": 1, "platforms": [[1, 1]], "mac": "0" * 64},
        {"name_version": 2, "born_day": 1, "platforms": [[1 << 32, 1, 1]], "mac": "0" * 64},
        {"name_version": 2, "born_day": 1, "platforms": [[1, 1, 3]], "mac": "0" * 64},
        {"name_version": 2, "born_day": 1, "platforms": [], "mac": "0"},
    ],
)  # fmt: skip
def test_a_memory_record_that_cannot_be_read_is_none(memory: Any) -> None:
    batch = decode([value(event_type="memory", memory=memory)], None, REMEMBERING).batch
    assert batch.kind.tolist() == [EventKind.MEMORY]
    assert batch.memory is not None
    assert batch.memory(0) is None


def test_event_types_that_only_otpguard_writes_are_found_in_any_spelling() -> None:
    for name in ("hot", "memory"):
        assert reserved_type(value(event_type=name)) == name
        escaped = "".join(f"\\u{ord(c):04x}" for c in name)
        assert reserved_type(b'{"event_type": "%s"}' % escaped.encode()) == name
    assert not reserved_type(value(event_type="hotel", text="hot memory"))
    assert not reserved_type(b'{"event_type": ["hot"]}')
    assert not reserved_type(b'{"event_type": "memory"')


def test_who_takes_no_lists_passes_over_them() -> None:
    decoded = decode([encode_listed(LIST)], [None])
    assert decoded.outcomes[Outcome.OTHER_TYPE] == 1
    assert not len(decoded.batch)
    assert not decoded.rejects


def test_a_list_from_after_its_record_is_refused_however_far_ahead_events_may_be() -> None:
    forgiving = replace(LISTING, ahead_max_ms=3_600_000)
    late = encode_listed(sign_list(b"k", NOW_MS + 300_001, NOW_MS + 400_000, [5]))
    decoded = decode([late, value(event_time_ms=NOW_MS + 300_001)], None, forgiving)
    assert [(r.offset, r.reason) for r in decoded.rejects] == [(100, "event_time_ahead")]
    assert decoded.outcomes[Outcome.COUNTED] == 1
    in_time = encode_listed(sign_list(b"k", NOW_MS + 300_000, NOW_MS + 400_000, [5]))
    assert decode([in_time], [None], forgiving).outcomes[Outcome.LISTED] == 1


@pytest.mark.parametrize(
    "hot",
    [
        ..., None, 7, [], {}, {"platforms": [1]},
        {"valid_until_ms": NOW_MS, "platforms": [-1], "mac": "0" * 64},
        {"valid_until_ms": NOW_MS, "platforms": [1] * 1001, "mac": "0" * 64},
        {"valid_until_ms": NOW_MS, "platforms": [1], "mac": "é" * 64},
        {"valid_until_ms": 1, "platforms": [1], "mac": "0" * 64},
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_read_is_none(hot: Any) -> None:
    batch = decode([value(event_type="hot", hot=hot)], None, LISTING).batch
    assert batch.kind.tolist() == [EventKind.LISTED]
    assert batch.listed is not None
    assert batch.listed(0) is None
