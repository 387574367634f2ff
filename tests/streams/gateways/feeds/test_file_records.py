"""Whole lines and their records, for any bytes and any place where a writer paused."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import example, given, strategies as st

from streams.common.errors import UsageError
from streams.gateways.feeds import file_records as rows
from streams.gateways.feeds.file_records import FileLayout, Lines, RowRecord, records

LAYOUT = FileLayout(columns=("a", "b", "c"))

PIECES = st.sampled_from(
    (b"1,", b"x,", b"y", b"\n", b"\r\n", b'"', b'""', b",", b"\xff", b"\xe7\xa0\x81", b"7,8,9\n")
) | st.sampled_from((b"7,8,9\n", b'1,2,"t\n', b'u"\n', b'1,2,"\n', b"v\n"))
CONTENT = st.lists(PIECES, max_size=60).map(b"".join)


def counts(fields: Sequence[str]) -> bool:
    return fields[0].isdigit()


def read(content: bytes, start: int = 0, number: int = 0, *, finished: bool) -> list[RowRecord]:
    stream = io.BytesIO(content)
    stream.seek(start)
    return list(
        records(Lines(stream, start=start, number=number, finished=finished), LAYOUT, 3, counts)
    )


@given(CONTENT, st.lists(st.integers(0, 400), max_size=6))
@example(b'1,2,"t\nu"\n7,8,9\n', [8])
def test_where_a_writer_pauses_changes_no_record(content: bytes, pauses: list[int]) -> None:
    found: list[RowRecord] = []
    start = number = 0
    for cut in sorted(pause % (len(content) + 1) for pause in pauses):
        found += (new := read(content[:cut], start, number, finished=False))
        if new:
            start = new[-1].end
            number = content[:start].count(b"\n")
    found += read(content, start, number, finished=True)
    assert found == read(content, finished=True)


@given(CONTENT)
def test_records_lie_one_behind_the_other_and_only_empty_lines_between(content: bytes) -> None:
    end = 0
    for record in read(content, finished=True):
        assert record.start >= end
        assert not content[end : record.start].strip(b"\r\n")
        assert record.number == content[: record.start].count(b"\n") + 1
        assert (record.fields is None) == bool(record.reason)
        end = record.end
    assert not content[end:].strip(b"\r\n")


@given(CONTENT)
def test_a_line_that_is_a_record_of_its_own_is_never_part_of_another(content: bytes) -> None:
    for record in read(content, finished=True):
        assert b"7,8,9" not in content[record.start : record.end].splitlines()[1:]


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=8))
def test_what_pythons_writer_writes_is_read_as_it_was(written: list[list[str]]) -> None:
    written = [
        ["x" + field.replace("\r", "").replace("\0", "") for field in row] for row in written
    ]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(written)
    if any(field.count("\n") > 10 for row in written for field in row):
        return
    content = out.getvalue().encode("utf-8", "replace")
    expected = [[field.encode("utf-8", "replace").decode() for field in row] for row in written]
    assert [record.fields for record in read(content, finished=True)] == expected


def test_a_line_that_is_too_long_costs_itself_and_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows, "LINE_BYTES_MAX", 20)
    found = read(b"1,2,3\n" + b"x" * 1000 + b"\n4,5,6\n" + b"y" * 50, finished=False)
    assert [record.fields for record in found] == [["1", "2", "3"], None, ["4", "5", "6"]]
    assert found[1].reason == rows.TOO_LONG


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "utf-16-be", "no such"])
def test_an_encoding_in_which_lines_cannot_be_told_apart_is_refused(encoding: str) -> None:
    with pytest.raises(UsageError):
        FileLayout(encoding=encoding)


@pytest.mark.parametrize("delimiter", ["", ",,", "\n", '"'])
def test_a_delimiter_that_splits_nothing_is_refused(delimiter: str) -> None:
    with pytest.raises(UsageError):
        FileLayout(delimiter=delimiter)
