"""Guesses what a file does not state: its encoding, its delimiter, and the time zone of its times.

Each guess is shown or refused, never applied silently. A wrong encoding publishes texts in which
no code is found. A wrong time zone publishes events that are hours ahead.
"""

import csv
import re
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from itertools import islice
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.common import UsageError, tr

SAMPLE_BYTES: Final = 1 << 20
ROWS_MAX: Final = 500  # Rows from which the layout is guessed.
DELIMITERS: Final = ",;\t|"

COMMON: Final = MappingProxyType(
    {
        "gb18030": re.compile(r"[一-鿿㐀-䶿　-〿＀-￯“”‘’—…·]"),
        "big5": re.compile(r"[一-鿿　-〿＀-￯﹐-﹫]"),
        "shift_jis": re.compile(r"[ぁ-ヿ一-鿿　-〿！-～]"),
        "euc_kr": re.compile(r"[가-힣　-〿]"),
        "cp1251": re.compile(r"(?<![A-Za-z])(?:(?<![А-Яа-яёЁ])[А-ЯЁ]|[а-яё]|[«»№–—])(?![A-Za-z])"),
        "cp1252": re.compile(
            r"(?<=[A-Za-z])[À-ÖØ-öø-ÿ]{1,2}|[À-ÖØ-öø-ÿ](?=[A-Za-z])|(?<= )[àáéèêó](?= )"
            r"|[«»“”‘’€£ªº¿¡–—]"
        ),
    }
)
"""Encodings in which a file can be split into lines, each with what its letters above ASCII usually
are. A text that was decoded as another encoding has many that are not."""

COMMONEST: Final = MappingProxyType({"gb18030": ("gb2312", 0xD8), "big5": ("big5", 0xC9),
                                     "shift_jis": ("shift_jis", 0x98)})  # fmt: skip
"""Encoding -> the character set of its common ideograms, and the first lead byte of the rare
ones."""

USUAL_SHARE: Final = 0.85
"""Share of the letters above ASCII that must be usual ones of an encoding. Chosen: short texts of
six scripts had 0.92 or more in their own encoding, and 0.45 or less in a wrong one. Korean as
GB18030 had 1; then the user is asked."""

_SEASONS: Final = (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC))


def sample(stream: Any) -> bytes:
    """Return the first bytes of a stream, which keeps its position. A pipe gives what it has.

    The sample ends with a line, unless its only line is longer. UTF-16 is converted to UTF-8.
    """
    try:
        if stream.seekable():
            place = stream.tell()
            data: bytes = stream.read(SAMPLE_BYTES)
            stream.seek(place)
        else:
            data = stream.peek(SAMPLE_BYTES)
    except (EOFError, OSError, zlib.error):
        return b""  # A truncated or damaged file; reading its lines reports the error.
    if codec := utf_16(data):
        return data.decode(codec, "replace").encode()
    return data[: data.rfind(b"\n") + 1] or data


def utf_16(start: bytes) -> str:
    """Return the codec of a file in UTF-16, by its first bytes; empty for another file.

    Without a byte order mark, the first letter tells: one of its bytes is zero.
    """
    if start.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    letter = bytes(map(bool, start[:2]))
    return {b"\1\0": "utf-16-le", b"\0\1": "utf-16-be"}.get(letter, "")


def encoding(data: bytes) -> str:
    """Return the encoding of a file's first bytes: UTF-8 if they are, else the only usual one.

    Raise UsageError if none or several would fit, or the file has no lines.
    """
    old = b"\r" in data and b"\n" not in data  # Line ends of old Macintoshes.
    if old or data.startswith(b"PK\x03\x04") or b"\0" in data[:64]:
        raise UsageError(
            tr("no text in lines: save a workbook as CSV; `tr '\\r' '\\n'` mends CR alone")
        )
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    else:
        return "utf-8"
    could = {name: share for name in COMMON if (share := _share_usual(data, name)) is not None}
    usual = [name for name, share in could.items() if share >= USUAL_SHARE]
    if len(usual) == 1:
        return usual[0]
    if not could:
        raise UsageError(
            tr("line {line} is text in no usual encoding; is it damaged?").format(line=line)
        )
    few = usual or sorted(could, key=lambda name: -could[name])[:3]
    raise UsageError(
        tr(
            "line {line} is not UTF-8; it could be {could}: --encoding {first} --sample 5 "
            "shows how it reads"
        ).format(line=line, could=tr(" or ").join(few), first=few[0])
    )


def _share_usual(data: bytes, name: str) -> float | None:
    """Return the share of the letters above ASCII that are usual ones; None if it cannot decode."""
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        return None
    above = sum(letter > "\x7f" for letter in text)
    usual = COMMON[name].findall(text)
    if name in COMMONEST:
        charset, rare = COMMONEST[name]
        leads = (each.encode(charset, "ignore")[:1] for each in usual)
        return sum(b"\0" < lead < bytes([rare]) for lead in leads) / above
    return len("".join(usual)) / above


def delimiter(text: str) -> str:
    r"""Return the delimiter that gives most rows the same number of fields, and the most of them.

    `csv.Sniffer` takes a letter or a blank of the texts for it.

    >>> delimiter('to;from;text\n139;1069;"a, b; c, d"\n')
    ';'
    """

    def fit(mark: str) -> tuple[int, int]:
        widths = Counter(map(len, rows(text, mark)))
        width = max(widths, key=lambda each: (each > 1, widths[each]), default=0)
        return (widths[width], width) if width > 1 else (0, 0)

    return max(DELIMITERS, key=fit)


def rows(text: str, mark: str) -> list[list[str]]:
    """Return the first rows of a text that are not empty."""
    try:
        found = csv.reader(StringIO(text, newline=""), delimiter=mark, skipinitialspace=True)
        return [row for row in islice(found, ROWS_MAX) if any(row)]
    except csv.Error:
        return []


def zone(country: str) -> str | None:
    """Return the time zone of a country with one local time; None if it has several.

    >>> zone("CN"), zone("BR")
    ('Asia/Shanghai', None)
    """
    import phonenumbers  # noqa: PLC0415 - start-up time
    from phonenumbers import timezone  # noqa: PLC0415

    examples = (
        phonenumbers.example_number_for_type(country, kind)
        for kind in phonenumbers.PhoneNumberType.values()
    )
    zones = sorted(
        {
            each
            for number in examples
            if number is not None
            for each in timezone.time_zones_for_number(number)
        }
        - {"Etc/Unknown"}
    )
    try:
        offsets = {
            tuple(moment.astimezone(ZoneInfo(name)).utcoffset() for moment in _SEASONS)
            for name in zones
        }
    except ZoneInfoNotFoundError:  # No time zone data is installed; --zone would report this.
        return None
    return zones[-1] if len(offsets) == 1 else None
