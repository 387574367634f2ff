"""Guesses the encoding of a file and the time zone of its times, which a file does not state.

Each guess is reported or refused, never applied silently. A wrong encoding publishes texts in which
no code is found. A wrong time zone publishes events that are hours ahead.
"""

import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import IO, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.common.errors import UsageError
from streams.common.language import tr

UTF_16: Final = "utf-16"
SAMPLE_BYTES: Final = 1 << 20
COMMON: Final = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1251", "cp1252")
"""Encodings in which a file can be split into lines. They are tried in this order: the strictest of
each script first."""

_SEASONS: Final = (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC))


def encoding(stream: IO[bytes]) -> str:
    """Return "utf-8" if the first bytes are UTF-8.

    Raise UsageError with the encodings that would fit instead. The position of the stream changes.
    """
    stream.seek(0)
    try:
        sample = stream.read(SAMPLE_BYTES)
    except (EOFError, OSError, zlib.error):
        return "utf-8"  # A truncated or damaged file; reading its lines reports the error.
    if sample.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        form = tr("this is {name}; `iconv -f {name} -t utf-8` makes a file that can be read")
        raise UsageError(form.format(name=UTF_16))
    cut = sample.rfind(b"\n") + 1
    sample = sample[:cut] or sample
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        line = sample.count(b"\n", 0, error.start) + 1
        could = [name for name in COMMON if _decodes(sample, name)]
        if not could:
            raise UsageError(
                tr("line {line} is text in no usual encoding; is it damaged?").format(line=line)
            ) from None
        raise UsageError(
            tr(
                "line {line} is not UTF-8; it could be {could}: --encoding {first} --sample 5 "
                "shows how it reads"
            ).format(line=line, could=tr(" or ").join(could[:3]), first=could[0])
        ) from None
    return "utf-8"


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
    return zones[-1] if zones and _alike(zones) else None


def _alike(zones: Iterable[str]) -> bool:
    """Return true if these zones have the same UTC offset all year."""
    try:
        clocks = {
            tuple(moment.astimezone(ZoneInfo(name)).utcoffset() for moment in _SEASONS)
            for name in zones
        }
    except ZoneInfoNotFoundError:  # No time zone data is installed; --zone would report this.
        return False
    return len(clocks) == 1


def _decodes(sample: bytes, name: str) -> bool:
    try:
        sample.decode(name)
    except UnicodeDecodeError:
        return False
    return True
