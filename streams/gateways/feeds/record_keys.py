"""Computes record keys for the input topic (canonical recipients), a batch at a time."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from detectors.model.event import TOKEN_BIT
from detectors.model.strings import StringList
from streams.wire import Numbers


class _Recipient(msgspec.Struct):
    recipient: str


decode_recipient: Final = msgspec.json.Decoder(_Recipient).decode
"""Decodes the recipient alone of a value of `sms.delivery.v1`."""


def canonical_keys(numbers: Numbers, written: Sequence[str]) -> tuple[list[bytes], list[int]]:
    """Return the keys of n recipients, and the indices of invalid recipients.

    A recipient is invalid if it is neither a number nor a pseudonym of one. Its key is then the
    text as written.
    """
    column, tokens, nobody = numbers.column(StringList(written))
    keys = [b"%d" % number for number in column.tolist()]
    if tokens:
        for at in np.flatnonzero(column & np.uint64(TOKEN_BIT)).tolist():
            keys[at] = tokens[int(column[at])].encode()
    for at in nobody:
        keys[at] = written[at].encode("utf-8", "replace")
    return keys, nobody
