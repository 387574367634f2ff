"""Make the keys under which the cache keeps results of recognition, for one text or for a batch.

A key is the excerpt of a text with its digits masked. The messages of one template differ only in
their digits, so they share a key and are read once.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.strings import SPARE, StringBuffer, Strings
from detectors.recognise.rules.reading import READ_CHARS, excerpt
from detectors.recognise.text.fold import MASK

Key = bytes | tuple[bytes, ...]

_UNMASKED: Final = [chr(one) for one in range(1, 128) if not chr(one).isdigit()]
TAILS: Final = [first + second for first in _UNMASKED for second in _UNMASKED]
"""The last two bytes of a key encode the kind of the sender. Masking does not change these bytes.
There are 13,689 combinations. When half of them are in use, the cache is cleared."""
_TAIL_OCTETS: Final = np.frombuffer("".join(TAILS).encode(), np.uint8).reshape(-1, SPARE)


def mask_text(text: str, kind: int) -> bytes:
    """Return a text's excerpt in UTF-8 with masked digits, followed by the sender's kind."""
    return f"{excerpt(text)}{TAILS[kind]}".encode("utf-8", "surrogatepass").translate(MASK)


def mask_texts(texts: Strings, kinds: Sequence[int]) -> list[bytes]:
    """Return `mask_text` for all events of a batch at once, in less than half the time."""
    lying = texts if isinstance(texts, StringBuffer) else StringBuffer.of(texts)
    octets = np.frombuffer(lying.buffer, np.uint8)
    masked = octets - np.uint8(ord("0"))  # changed in place from here on: it has a megabyte
    masked *= masked < 10  # the value of each digit; 0 for other bytes
    np.subtract(octets, masked, out=masked)
    tails = _TAIL_OCTETS[np.fromiter(kinds, np.int64, len(kinds))]
    masked[lying.stop], masked[lying.stop + 1] = tails[:, 0], tails[:, 1]
    column = StringBuffer(masked.tobytes(), lying.start, lying.stop + SPARE).pieces()
    for row in indices(lying.length > READ_CHARS).tolist():
        column[row] = mask_text(lying[row], kinds[row])
    return column


def unmask_kinds(keys: Sequence[bytes]) -> list[str]:
    """Decode the masked excerpts of keys, all at once, in half the time."""
    joined = b"\0".join([key[:-SPARE] for key in keys]).decode("utf-8", "surrogatepass")
    texts = joined.split("\0")
    if len(texts) == len(keys):  # else a text contains NUL, or there is no text
        return texts
    return [key[:-SPARE].decode("utf-8", "surrogatepass") for key in keys]


def number_templates(
    masked: Sequence[bytes], unnamed: Mapping[int, str]
) -> NDArray[np.uint32] | None:
    """Return the template number of each masked text from an unnamed number, and 0 for all others.

    `unnamed` maps the rows whose platform only the sender can name to the platform's key.
    """
    if not unnamed:
        return None
    page = np.zeros(len(masked), np.uint32)
    for row, key in unnamed.items():
        if len(masked[row]) > SPARE and key.removeprefix("from:").isdecimal():
            page[row] = zlib.crc32(masked[row]) or 1
    return page
