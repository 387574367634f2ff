"""Values read all at once: the same as by the decoder, whatever they are; and that it happens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, strategies as st

from detectors.model.event import Batch, Block
from streams import wire
from streams.wire import Decoded, Intake, Numbers, Records, events, layout
from streams.wire.layout import Layout, Layouts, Page
from streams.wire.record_batch import BytesColumn

NOW_MS = 1_772_422_380_000
NUMBERS = Numbers("CN")
KEYS = events._KEYS

USUAL = {
    "schema_version": 1,
    "recipient": "8617000000001",
    "sender": "10690001",
    "event_time_ms": NOW_MS,
    "message_id": "m1",
    "text": "【淘宝】验证码482913，请勿泄露",
    "gateway_id": "gw-1",
    "route": "r7",
}


def value(**fields: Any) -> bytes:
    made = {key: held for key, held in (USUAL | fields).items() if held is not ...}
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()


@contextmanager
def every_batch() -> Iterator[None]:
    """Small batches are read as large ones are."""
    with patch.object(layout, "ROWS_MIN", 1), patch.object(layout, "LEARN_ROWS", 1):
        yield


def decode(intake: Intake, values: Sequence[bytes | None]) -> Decoded:
    n = len(values)
    keys: list[bytes | None] = [b"8617000000001"] * n
    return wire.decode(intake, "in", 0, values, keys, range(n), [NOW_MS] * n, n)


def strewn(values: Sequence[bytes | None], random: Random) -> BytesColumn:
    """These values in one buffer, with anything at all between them."""
    buffer = bytearray()
    places = []
    for value in values:
        buffer += bytes(random.choices(b'"\\ {}\x00\xe6\x8b0', k=random.randint(7, 40)))
        if random.random() < 0.1:
            buffer += b'"\xff' * 200
        places.append((len(buffer), len(buffer) + (-1 if value is None else len(value))))
        buffer += value or b""
    buffer += b'"'
    start, stop = np.array(places, np.int64).reshape(-1, 2).T
    return BytesColumn(bytes(buffer), start, stop)


def told(decoded: Decoded) -> list[Any]:
    batch = decoded.batch
    strings = ("sender", "text", "signature", "category", "platform", "template", "gateway")
    return [
        *(column.tolist() for column in (batch.offset, batch.event_time_ms, batch.recipient)),
        batch.kind.tolist(),
        *(list(getattr(batch, name)) for name in strings),
        batch.tokens,
        decoded.rejects,
        {outcome: n for outcome, n in decoded.outcomes.items() if n},
        decoded.noncanonical_keys,
    ]


def check(batches: Sequence[Sequence[bytes | None]]) -> Intake:
    """Read these batches with layouts and without, as objects and as bytes; all say the same."""
    quick, of_bytes = Intake(NUMBERS), Intake(NUMBERS)
    for number, values in enumerate(batches):
        expected = told(decode(Intake(NUMBERS), values))
        lying = strewn(values, Random(number))
        assert told(decode(Intake(NUMBERS), lying)) == expected
        with every_batch():
            assert told(decode(quick, values)) == expected
            assert told(decode(of_bytes, lying)) == expected
    return quick


def read(layouts: Layouts, values: Sequence[bytes]) -> Sequence[int]:
    """The numbers of those that are left to the decoder."""
    return layouts.read(values, np.array(list(map(len, values))))[1]


def by_layout(intake: Intake, values: Sequence[bytes]) -> int:
    """How many of these values are read by a layout."""
    with every_batch():
        return len(values) - len(read(intake.layouts, values))


STRINGS = st.sampled_from(
    ["", "a", "10690001", "淘宝", "é", "x" * 64, "x" * 65, "名" * 40]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, 1, 2, 7.5, True, NOW_MS, 10**13, [], {}, {"text": "x"}, "x"]
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "recipient": st.sampled_from(["8617000000001", "+8617000000002", "h1:" + "0f" * 8, "no"]),
        "sender": STRINGS | ODD,
        "event_time_ms": st.integers(10**12, 10**13) | ODD,
        "ingest_time_ms": st.just(...) | st.integers(10**12, 10**13) | ODD,
        "message_id": STRINGS,
        "text": STRINGS | st.just(...) | ODD,
        "text_prefix": STRINGS | st.just(...),
        "signature": STRINGS | st.none(),
        "category": st.sampled_from(["otp", "txn", "unknown"]),
        "platform_id": STRINGS,
        "template_id": STRINGS,
        "gateway_id": STRINGS,
        "event_type": st.sampled_from(["submit", "receipt", "recycled", "deliver", None]),
        "direction": st.sampled_from(["mt", "mo", "x"]),
        "segment": st.sampled_from([1, 2, None]),
        "attempt": st.sampled_from([1, 3]),
        "route": STRINGS | ODD,
        "schema_version": st.sampled_from([1, 1, 1, 2]),
    },
)


@st.composite
def feeds(draw: st.DrawFn) -> list[list[bytes | None]]:
    """Batches of a few programs' values: what they hold differs, their keys do not; some broken."""
    programs = draw(st.lists(st.permutations(list(USUAL)), min_size=1, max_size=3))
    spaced = draw(st.booleans())

    def one() -> bytes | None:
        fields = USUAL | draw(FIELDS)
        order = [key for key in draw(st.sampled_from(programs)) if key in fields]
        made = {key: fields.pop(key) for key in order} | fields
        made = {key: held for key, held in made.items() if held is not ...}
        separators = (", ", ": ") if spaced else (",", ":")
        written = json.dumps(
            made, ensure_ascii=draw(st.integers(0, 9)) == 0, separators=separators
        ).encode("utf-8", "surrogatepass")
        match draw(st.integers(0, 11)):
            case 0:
                at = draw(st.integers(0, len(written) - 1))
                written = written[:at] + draw(st.binary(max_size=2)) + written[at + 1 :]
            case 1:
                at = draw(st.integers(0, len(written)))
                written = written[:at] + draw(
                    st.sampled_from([b'"', b" ", b"\n", b"{", b"}", b"\xe6"])
                )
            case 2:
                return None
        return written

    sizes = draw(st.lists(st.integers(0, 12), min_size=1, max_size=3))
    return [[one() for _ in range(size)] for size in sizes]


@given(feeds())
def test_a_layout_reads_what_the_decoder_reads(batches: list[list[bytes | None]]) -> None:
    check([*batches, *batches])


def with_own_tokens(decoded: Decoded) -> Decoded:
    """Without tokens that belong to none of its events: those of others, or of what was refused."""
    batch = decoded.batch
    tokens = {number: batch.tokens.get(number) for number in batch.recipient.tolist()}
    own = {number: token for number, token in tokens.items() if token is not None}
    return replace(decoded, batch=replace(batch, tokens=own))


@given(feeds())
def test_records_of_many_partitions_are_read_together_as_each_by_itself(
    batches: list[list[bytes | None]],
) -> None:
    batches = [*batches, *batches]
    expected = [decode(Intake(NUMBERS), values) for values in batches]
    blocks = []
    for partition, values in enumerate(batches):
        n = len(values)
        times = np.full(n, NOW_MS)
        keys: list[bytes | None] = [b"8617000000001"] * n
        blocks.append(Records(partition, n, values, keys, np.arange(n), times))
    one_by_one, quick = Intake(NUMBERS), Intake(NUMBERS)
    with every_batch():
        decode(quick, [each for values in batches for each in values])  # learns
        found = [wire.decode_together(quick, "in", blocks)]
    found.append(wire.decode_together(one_by_one, "in", blocks))
    for whole, rejects in found:
        assert [block.partition for block in whole.batch.blocks] == list(range(len(blocks)))
        for block, mine, alone in zip(whole.batch.blocks, rejects, expected, strict=True):
            part = replace(alone, batch=part_of(whole.batch, block), rejects=mine)
            assert told(with_own_tokens(part)) == told(with_own_tokens(alone))
            assert block.next_offset == alone.batch.next_offset
        assert whole.rejects == [reject for some in rejects for reject in some]
        assert whole.noncanonical_keys == sum(alone.noncanonical_keys for alone in expected)
        outcomes = Counter[Any]()
        for alone in expected:
            outcomes.update(alone.outcomes)
        assert +Counter(whole.outcomes) == +outcomes


def part_of(batch: Batch, block: Block) -> Batch:
    """The events of one block, as columns of their own."""
    here = slice(block.first, block.last)
    arrays = ("offset", "event_time_ms", "recipient", "kind")
    names = ("sender", "text", "signature", "category", "platform", "template", "gateway")
    columns: dict[str, Any] = {name: getattr(batch, name)[here] for name in arrays}
    columns |= {name: getattr(batch, name).part(block.first, block.last) for name in names}
    return replace(batch.of(block), blocks=(), **columns)


@given(st.data())
def test_no_change_of_a_byte_is_overlooked(data: st.DataObject) -> None:
    """All values but one are as they should be; that one differs in a byte or two."""
    good = [value(message_id=f"m{n}") for n in range(4)]
    bad = bytearray(data.draw(st.sampled_from(good)))
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(bad) - 1))
        octet = data.draw(st.sampled_from(b'"\\{}[]:,0159 \n\x00\x7f\x80\xe6\xff'))
        match data.draw(st.integers(0, 2)):
            case 0:
                bad[at] = octet
            case 1:
                bad.insert(at, octet)
            case _:
                del bad[at]
    place = data.draw(st.integers(0, 4))
    check([good, [*good[:place], bytes(bad), *good[place:]]])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": ...},
        {"text": ..., "text_prefix": "验证码"},
        {"text": "", "text_prefix": "验证码"},
        {"signature": "淘宝", "category": "otp", "platform_id": "p", "template_id": "t"},
        {"event_type": "submit", "direction": "mt", "segment": 1, "segments": 2, "attempt": 1},
        {"ingest_time_ms": NOW_MS, "signature": None, "event_type": None},
        {"recipient": "+8617000000001"},
        {"recipient": "h1:" + "0f" * 8},
    ],
)
def test_ordinary_values_are_read_by_a_layout(fields: dict[str, Any]) -> None:
    values = [value(**fields, message_id=f"m{n}", sender=f"1069{n}") for n in range(30)]
    intake = check([values, values])
    assert by_layout(intake, values) == 30


def test_a_mixed_feed_is_read_by_its_layouts() -> None:
    values = [value(signature="名" * (n % 3)) if n % 3 else value(text=f"t{n}") for n in range(30)]
    values[7] = value(text='says "yes"')
    intake = check([values, values[1:], values])
    assert by_layout(intake, values) == 29


@pytest.mark.parametrize(
    "odd",
    [
        value(text='says "yes"'),
        value(text="two\nlines"),
        value(extra={"text": "x"}),
        value(extra=[1]),
        value()[:-1] + b',"text":"again"}',
        value(event_time_ms=10**13),
        value(event_time_ms=None),
        value(ingest_time_ms=10**13),
        b" " + value(),
        value() + b" ",
        b'{"text":"x",' + value()[1:],
    ],
)
def test_some_values_have_no_layout(odd: bytes) -> None:
    assert Layout.of(KEYS, odd) is None or by_layout(check([[odd] * 3] * 2), [odd] * 3) == 0
    check([[value(), odd, value()]] * 2)


def test_a_feed_of_many_programs_keeps_the_layouts_of_use() -> None:
    layouts = Layouts(KEYS)
    often = value(often="x")
    with every_batch():
        for n in range(3 * layout.LAYOUTS_MAX):
            for one in (often, value(**{f"key{n}": "x"}), often):
                if read(layouts, [one]):
                    layouts.learn([one], [0])
        assert len(layouts._held) == layout.LAYOUTS_MAX
        assert read(layouts, [often, value(key0="x"), value(**{f"key{n}": "x"})]) == [1]


def test_a_small_batch_is_decoded_one_by_one() -> None:
    intake = Intake(NUMBERS)
    values = [value(message_id=f"m{n}") for n in range(layout.ROWS_MIN)]
    decode(intake, values)
    assert read(intake.layouts, values) == []
    assert read(intake.layouts, values[1:]) == range(layout.ROWS_MIN - 1)


def test_where_few_values_have_a_layout_it_is_seldom_looked_for() -> None:
    few = [value(message_id="m"), *(value(text='says "yes"') for _ in range(9))]
    many = [value(message_id=f"m{n}") for n in range(10)]
    intake = check([few] * 3)
    assert sum(by_layout(intake, few) for _ in range(3 * (layout.SKIPPED + 1))) == 3
    read = [by_layout(intake, many) for _ in range(layout.SKIPPED + 2)]
    assert read[0] == 0
    assert read[-2:] == [10, 10]


def test_a_new_program_is_noticed_where_the_old_layouts_are_of_no_use() -> None:
    intake = check([[value(old="x")] * 5] * 2)
    new = [value(new="x")] * 5
    with every_batch():
        decode(intake, new)
    assert by_layout(intake, new) == 5


def test_a_page_that_is_smaller_than_a_layout_fits_nothing() -> None:
    long = value(**{"key" * 10_000: "x"})
    layout_of_long = Layout.of(KEYS, long)
    assert layout_of_long is not None
    for small in (b'"' * long.count(b'"'), long.replace(b"keykey", b"")):
        page = Page([small], np.array([len(small)]))
        assert page.number.tolist() == [layout_of_long.quotes]
        assert layout_of_long.take(KEYS, page).rows.tolist() == []


def test_a_page_knows_where_quotes_are() -> None:
    values = [b'{"a":"b"}', b"", b'""', b'\xff""', b'"\\""', b'"\x1f"']
    page = Page(values, np.array(list(map(len, values))))
    assert page.todo.tolist() == [0, 1, 2]
    assert page.number.tolist() == [4, 0, 2, 2, 3, 2]
    assert page.quotes[page.first].tolist()[:1] == [1]
    assert np.all(np.diff(page.quotes) > 0)
