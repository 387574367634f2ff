"""Splits a file that may still grow into complete lines, and these into records.

Pure apart from reading the file. A line counts once its line end is there. A quoted field may
contain line ends. A stray quote spoils its own line only, not the lines around it.
"""

import csv
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import IO, Final

from streams.common import UsageError, tr
from streams.common.limits import VALUE_BYTES_MAX

LINE_BYTES_MAX: Final = VALUE_BYTES_MAX  # A longer line could not be published either.
EVENT_BYTES_MAX: Final = 1_000_000
"""Maximum size of one event: about Kafka's default maximum record size. A larger event would stop
the feed at each new start."""
JOINED_MAX: Final = 16
"""Maximum number of lines of one record. Even a text of 255 parts has few line ends, and each line
with an open quote looks this far ahead."""

_NO_DELIMITERS: Final = frozenset('\r\n"')

TOO_LONG: Final = f"the line is longer than {LINE_BYTES_MAX} bytes"
OPEN: Final = "a quote is opened and not closed"
LOOSE_END: Final = "a line end outside quotes"
REASONS: Final = (TOO_LONG, OPEN, LOOSE_END)
"""Reasons for which a line is not a row, as they are counted; translated when displayed."""


@dataclass(frozen=True, slots=True)
class FileLayout:
    """Delimiter, encoding and column names; `columns` is for a file without a header line."""

    columns: tuple[str, ...] | None = None
    delimiter: str = ","
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        """Raise UsageError if this encoding or delimiter cannot split a file."""
        try:
            plain = "\n".encode(self.encoding)
            csv.reader([], delimiter=self.delimiter)
        except LookupError:
            raise UsageError(
                tr("no encoding {encoding!r}").format(encoding=self.encoding)
            ) from None
        except (TypeError, ValueError):
            raise UsageError(
                tr("{delimiter!r} is no delimiter of one character").format(
                    delimiter=self.delimiter
                )
            ) from None
        if self.delimiter in _NO_DELIMITERS:
            raise UsageError(
                tr("{delimiter!r} has another meaning in a file").format(delimiter=self.delimiter)
            )
        if plain != b"\n":
            raise UsageError(
                tr(
                    "lines in {encoding} cannot be told apart; `iconv -f {encoding} -t utf-8` "
                    "makes a file in which they can"
                ).format(encoding=self.encoding)
            )


@dataclass(frozen=True, slots=True)
class FileLine:
    """A complete line with its line end, and its number, start and end (bytes) in the file.

    `data` is None if the line is too long.
    """

    number: int
    start: int
    end: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class RowRecord:
    """One record: its fields, or None and the reason.

    Empty lines, and lines of empty fields, are not records.
    """

    number: int  # Number of its first line, from 1.
    start: int  # bytes
    end: int
    fields: Sequence[str] | None
    reason: str = ""

    @property
    def last_line(self) -> int:
        """Return the number of the record's last line: quoted fields may contain line ends."""
        return self.number + sum(each.count("\n") for each in self.fields or ())


class Lines:
    """The complete lines of a stream from its position: byte `start`, after `number` lines.

    `finished`: the last line counts even without a line end. Raises UsageError if a compressed file
    is damaged. A truncated compressed file counts as still being written; `waiting` is then not 0.
    """

    def __init__(
        self, stream: IO[bytes], *, start: int = 0, number: int = 0, finished: bool = False
    ) -> None:
        self._stream = stream
        self.start = start
        self.number = number
        self._back: deque[FileLine] = deque()
        self.finished = finished
        self._is_cut = False
        self.waiting = 0  # Bytes of a last line that has no end yet.

    def __iter__(self) -> Iterator[FileLine]:
        while (line := self.take()) is not None:
            yield line

    def take(self) -> FileLine | None:
        """Return the next line if it is complete, else None."""
        if self._back:
            return self._back.popleft()
        data = self._read()
        if not data or (data[-1:] != b"\n" and len(data) <= LINE_BYTES_MAX and not self.finished):
            self.waiting = len(data) or self._is_cut
            return None
        length, kept = len(data), data if len(data) <= LINE_BYTES_MAX else None
        while data and data[-1:] != b"\n":  # The content of a line that is too long is not stored.
            data = self._read()
            length += len(data)
            if not data and kept is None and not self.finished:
                self.waiting = length
                return None
        self.number += 1
        line = FileLine(self.number, self.start, self.start + length, kept)
        self.start += length
        return line

    def give_back(self, lines: Sequence[FileLine]) -> None:
        """Put lines back; `take` returns these lines first."""
        self._back.extendleft(reversed(lines))

    def _read(self) -> bytes:
        try:
            return self._stream.readline(LINE_BYTES_MAX + 1)
        except EOFError:  # A compressed file that is truncated or still being written.
            self.finished, self._is_cut = False, True
            return b""
        except (OSError, zlib.error) as error:
            raise UsageError(
                tr("the file is damaged behind byte {start}: {error}").format(
                    start=self.start, error=error
                )
            ) from None


def records(
    lines: Lines, layout: FileLayout, width: int, counts: Callable[[Sequence[str]], bool]
) -> Iterator[RowRecord]:
    """Yield records of `width` fields.

    `counts` returns true if fields make a usable record. `counts` is called for lines that an open
    quote in an earlier line would swallow.
    """
    for line in lines:
        text, reason = _text(line, layout.encoding)
        if text is None:
            yield RowRecord(line.number, line.start, line.end, None, reason)
            continue
        fields, reason = _split(text, layout.delimiter, width)
        if reason == OPEN:
            joined = _join_lines(lines, line, text, layout, width, counts)
            if joined is None:
                return
            yield joined
        elif fields is None or any(fields):
            yield RowRecord(line.number, line.start, line.end, fields, reason)


def read_names(lines: Lines, layout: FileLayout) -> tuple[str, ...] | None:
    """Return the names in the first line; None if that line is incomplete.

    Raise UsageError if the line has no names.
    """
    line = lines.take()
    if line is None:
        return None
    text, reason = _text(line, layout.encoding)
    names, reason = _split(text, layout.delimiter, None) if text is not None else (None, reason)
    if not names or not any(names):
        raise UsageError(
            tr("no head line ({what}); --columns names the fields of a file without one").format(
                what=reason or tr("it is empty")
            )
        )
    return column_names(names)


def column_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a header line, stripped of blanks; raise UsageError for duplicates."""
    stripped = tuple(name.strip() for name in names)
    twice = sorted({name for name in stripped if stripped.count(name) > 1})
    if twice:
        raise UsageError(
            tr("the head line names {names} twice").format(names=", ".join(map(repr, twice)))
        )
    return stripped


def _join_lines(
    lines: Lines,
    first: FileLine,
    text: str,
    layout: FileLayout,
    width: int,
    counts: Callable[[Sequence[str]], bool],
) -> RowRecord | None:
    """Join a record whose quoted field continues in the next lines.

    Return None if the file is still being written and the record's last line is not there yet. If
    the lines do not make a record, return the first line alone, with the reason `OPEN` (a quote is
    opened and not closed). A record has at most `JOINED_MAX` lines after the first.

    `counts`: returns true if the fields of one line make a usable record. Such a line is no part of
    the quoted field, so the open quote is an error of the first line.
    """
    taken: list[FileLine] = []
    while len(taken) < JOINED_MAX:
        line = lines.take()
        if line is None:
            if lines.finished:
                break
            lines.waiting += (taken[-1] if taken else first).end - first.start
            return None
        taken.append(line)
        more, _ = _text(line, layout.encoding)
        if more is None:
            break
        alone, _ = _split(more, layout.delimiter, width)
        if alone and counts(alone):
            break  # This line is a record of its own, so the quote before it is stray.
        text += more
        fields, reason = _split(text, layout.delimiter, width)
        if fields:
            return RowRecord(first.number, first.start, line.end, fields)
        if reason != OPEN:
            break
    lines.give_back(taken)
    return RowRecord(first.number, first.start, first.end, None, OPEN)


def _text(line: FileLine, encoding: str) -> tuple[str | None, str]:
    if line.data is None:
        return None, TOO_LONG
    try:
        text = line.data.decode(encoding)
    except UnicodeDecodeError as error:
        told = tr("byte {at} of the line is not {encoding}")
        return None, told.format(at=error.start + 1, encoding=encoding)
    return text.removeprefix("\ufeff") if line.start == 0 else text, ""


def _split(text: str, delimiter: str, width: int | None) -> tuple[list[str] | None, str]:
    """Return the fields of one record (none for an empty line), or None and the reason."""
    try:
        lines = StringIO(text, newline="")
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        said = str(error)
        return None, OPEN if said == "unexpected end of data" else said.split(" - ", 1)[0]
    if len(rows) != 1:
        return ([], "") if not rows else (None, LOOSE_END)
    fields = rows[0]
    if width is None or not fields:
        return fields, ""
    while len(fields) > width and not fields[-1]:
        fields.pop()  # The line ends with a delimiter.
    if len(fields) != width:
        return None, f"{len(fields)} fields, not {width}"
    return fields, ""
