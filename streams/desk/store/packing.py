"""Values as they lie in the store: a record's own bytes, packed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Final

LEVEL: Final = 1
"""Of zlib. An episode record takes a third of the time of level 6, and a sixth more bytes."""


def packed(value: bytes) -> bytes:
    """The value, packed."""
    return zlib.compress(value, LEVEL)


def unpacked(blob: bytes) -> bytes:
    """The value as it was.

    >>> unpacked(packed(b"{}"))
    b'{}'
    """
    return zlib.decompress(blob)


def id_bytes(platform_ids: Iterable[int]) -> bytes:
    """Platform ids, ascending, four bytes each.

    >>> ids_of(id_bytes([7, 3, 7]))
    [3, 7]
    """
    ids = sorted(set(platform_ids))
    return struct.pack(f"<{len(ids)}I", *ids)


def ids_of(blob: bytes) -> list[int]:
    """The ids again."""
    return [one for (one,) in struct.iter_unpack("<I", blob)]
