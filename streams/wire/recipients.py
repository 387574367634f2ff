"""Convert recipients, as gateways write them, to one integer per recipient.

Four forms of a phone number are accepted: `+8613...`, `8613...`, `008613...`, and the national form
of the configured country. Keyed tokens `h<keyid>:<hex>` are accepted too.

The conversion has three steps, from fast to slow. Mobile numbers of the configured country are
converted with array arithmetic, all numbers of one form together. The remaining recipients are
converted one by one. Only foreign numbers, fixed lines and numbers with separators need the library
`phonenumbers`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import phonenumbers
from numpy.typing import NDArray

from detectors.model.event import TOKEN_BIT
from detectors.model.strings import StringList, Strings, lines
from streams.wire.record_batch import BytesColumn

CACHE_ENTRIES: Final = 65_536
"""Size of the LRU cache for numbers that need `phonenumbers` (30-60 us each). Chosen: a carrier's
busy hour has fewer than 64 k foreign numbers and fixed lines, and the cache uses under 15 MB."""

TOKEN: Final = re.compile(r"(h[0-9A-Za-z_-]{1,16}:)([0-9A-Fa-f]{16})([0-9A-Fa-f]{0,112})")
"""A token: key id, then at least 64 bits of a keyed hash in hex. HMAC-SHA256 gives 64 digits."""

WRITTEN_NUMBER: Final = re.compile(r"\+?[\d\s().\-]{5,32}")
"""Texts that can be a phone number. Letters are refused, because `phonenumbers` would convert them
to digits as on a telephone keypad."""


class Numbers:
    """Converts recipients for one country. Caches a bounded number of slow conversions.

    >>> numbers = Numbers("CN")
    >>> [numbers.canonical(form) for form in ("+8613900000001", "008613900000001", "13900000001")]
    ['8613900000001', '8613900000001', '8613900000001']
    >>> numbers.canonical("nonsense") is None
    True
    """

    def __init__(self, country: str) -> None:
        """Raise ValueError if `country` is not an ISO 3166 code with a numbering plan."""
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
        if metadata is None or metadata.mobile is None:
            raise ValueError(f"no numbering plan for country {country!r}")
        calling = str(metadata.country_code)
        lengths = metadata.mobile.possible_length
        self._country = country
        self._prefix = calling
        self._trunk = metadata.national_prefix or ""
        self._home = tuple(
            (int(calling) * 10**length, (int(calling) + 1) * 10**length) for length in lengths
        )
        self._widths = frozenset(len(calling) + length for length in lengths)
        national = metadata.mobile.national_number_pattern or ""
        self._national = re.compile(national)
        strange = "|".join(filter(None, ("00", self._trunk)))  # not in national numbers
        self._all_national = re.compile(f"(?:(?!{strange})(?:{national})\n)++".encode())
        self._hard = lru_cache(maxsize=CACHE_ENTRIES)(self._look_up)

    def column(self, recipients: Strings) -> tuple[NDArray[np.uint64], dict[int, str], list[int]]:
        """Return the integers (n,) of n recipients, the canonical tokens, and the invalid indices.

        The tokens are a dictionary from a recipient's integer to its token. A recipient is invalid
        if it is neither a number nor a token; its integer is 0.
        """
        if (bulk := self._bulk(recipients)) is not None:
            return bulk, {}, []
        out = np.zeros(len(recipients), np.uint64)
        tokens: dict[int, str] = {}
        bad: list[int] = []
        length = recipients.length
        for width in np.flatnonzero(np.bincount(length)).tolist():  # equal lengths
            places = np.flatnonzero(length == width)
            some = recipients.take(places)
            if len(some) < len(recipients) and (bulk := self._bulk(some)) is not None:
                out[places] = bulk
                continue
            for at, written in zip(places.tolist(), some, strict=True):
                if token := TOKEN.fullmatch(written):
                    out[at] = number = int(token[2], 16) | TOKEN_BIT
                    tokens[number] = token[1] + token[2].lower() + token[3].lower()
                elif (known := self._number(written)) is not None:
                    out[at] = known
                else:
                    bad.append(at)
        return out, tokens, sorted(bad)

    def noncanonical(
        self,
        keys: Sequence[bytes | None],
        recipients: NDArray[np.uint64],
        tokens: Mapping[int, str],
    ) -> int:
        """Count the record keys that are not the canonical form of their recipient.

        Such a record may be in another partition than the recipient's other records.
        """
        rows = matrix(keys)
        if rows is not None and rows[0, 0] not in b"+0":
            bulk = self._home_column(rows)
            if bulk is not None:
                return int(np.count_nonzero(bulk != recipients))
        return sum(
            key is None or key != (tokens.get(number) or str(number)).encode()
            for key, number in zip(keys, recipients.tolist(), strict=True)
        )

    def canonical(self, written: str) -> str | None:
        """Return the canonical form of one recipient: digits or a token. None if it is invalid."""
        digits = written[written.startswith("+") or 2 * written.startswith("00") :]
        if (
            len(digits) in self._widths
            and digits.startswith(self._prefix)
            and digits.isascii()
            and digits.isdigit()
        ):
            return digits
        column, tokens, bad = self.column(StringList([written]))
        number = int(column[0])
        return None if bad else tokens.get(number) or str(number)

    def _bulk(self, recipients: Strings) -> NDArray[np.uint64] | None:
        """Convert recipients that are all home mobile numbers of one form. Otherwise None."""
        rows = recipients.matrix()
        if rows is None:
            return None
        home = self._home_column(rows)
        return self._national_column(rows) if home is None else home

    def _home_column(self, rows: NDArray[np.uint8]) -> NDArray[np.uint64] | None:
        """Convert rows that are all home mobile numbers of one international form, else None."""
        first = rows[0].tobytes()
        lead = 1 if first[:1] == b"+" else 2 if first[:2] == b"00" else 0
        if len(first) - lead not in self._widths or (rows[:, :lead] != rows[0, :lead]).any():
            return None
        numbers = _integers(rows[:, lead:])
        if numbers is None:
            return None
        is_home = np.zeros(len(rows), np.bool_)
        for low, high in self._home:
            is_home |= (numbers >= low) & (numbers < high)
        return numbers if is_home.all() else None

    def _national_column(self, rows: NDArray[np.uint8]) -> NDArray[np.uint64] | None:
        """Convert rows that are all mobile numbers in the national form. Otherwise None."""
        width = rows.shape[1]
        if width in self._widths or len(self._prefix) + width not in self._widths:
            return None
        ended = np.hstack([rows, np.full((len(rows), 1), ord("\n"), np.uint8)])
        if self._all_national.fullmatch(ended.tobytes()) is None:
            return None
        numbers = _integers(rows)
        return None if numbers is None else numbers + np.uint64(int(self._prefix) * 10**width)

    def _number(self, written: str) -> int | None:
        """Convert one number. Home mobile numbers need no call of `phonenumbers`."""
        digits = written[1:] if written[:1] == "+" else written
        digits = digits[2:] if digits[:2] == "00" else digits
        if not (digits.isascii() and digits.isdigit()):
            return self._hard(written) if WRITTEN_NUMBER.fullmatch(written) else None
        if digits[0] != "0" and len(digits) in self._widths and digits.startswith(self._prefix):
            return int(digits)
        if digits == written:
            national = digits.removeprefix(self._trunk) if self._trunk else digits
            if self._national.fullmatch(national):
                return int(self._prefix + national)
        return self._hard(written) if len(written) <= 32 else None

    def _look_up(self, written: str) -> int | None:
        """Convert a number with `phonenumbers`.

        Digits without a prefix are tried as a national number first, then as E.164.
        """
        if written.startswith("00"):
            return _parse_number("+" + written[2:], None, strict=False)
        if written.startswith("+"):
            return _parse_number(written, None, strict=False)
        national = _parse_number(written, self._country, strict=True)
        return national if national is not None else _parse_number("+" + written, None, strict=True)


def matrix(keys: Sequence[bytes | None]) -> NDArray[np.uint8] | None:
    """Return the bytes (n, width) of n keys of equal length, or None if lengths differ or are 0."""
    if isinstance(keys, BytesColumn):
        return keys.matrix()
    try:
        return lines(b"\n".join(keys) + b"\n", len(keys))  # type: ignore[arg-type]
    except TypeError:  # a record without a key
        return None


def _integers(rows: NDArray[np.uint8]) -> NDArray[np.uint64] | None:
    """Return the integers of rows (n, width) of ASCII digits. None if a byte is no digit."""
    digits = np.ascontiguousarray(rows.T) - np.uint8(ord("0"))
    if digits.max() > 9:
        return None
    numbers = np.zeros(len(rows), np.uint64)
    for digit in digits:
        numbers *= np.uint64(10)
        numbers += digit
    return numbers


def _parse_number(written: str, country: str | None, *, strict: bool) -> int | None:
    """Parse a number and return its E.164 digits as an integer, or None if it is invalid.

    With `strict` the number must be in an assigned range. Otherwise a possible length is enough.
    """
    try:
        number = phonenumbers.parse(written, country)
    except phonenumbers.NumberParseException:
        return None
    judge = phonenumbers.is_valid_number if strict else phonenumbers.is_possible_number
    if not judge(number):
        return None
    return int(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:])
