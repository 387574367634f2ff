"""The partition that a key belongs to: that of Java's clients, on which all producers must agree.

A flood is noticed where all messages to its victim lie together. Producers whose clients hash keys
in another way (librdkafka's default is a CRC-32) put the same recipient into another partition: two
workers would judge one half of the flood each. The hash is Austin Appleby's MurmurHash2 of 32 bits,
with Kafka's seed: https://kafka.apache.org/documentation/#producerconfigs_partitioner.class
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.wire.recipients import matrix

_SEED: Final = 0x9747B28C
_M: Final = np.uint32(0x5BD1E995)
_POSITIVE: Final = np.uint32(0x7FFFFFFF)
_WORD: Final = 4  # bytes that are mixed in at once


def partition_of(key: bytes, partitions: int) -> int:
    """The partition (0 <= it < `partitions`) of one key.

    >>> partition_of(b"8613900000001", 32)
    29
    """
    return int(partitions_of(np.frombuffer(key, np.uint8).reshape(1, -1), partitions)[0])


def partitions_of(keys: NDArray[np.uint8], partitions: int) -> NDArray[np.int64]:
    """The partitions (n,) of keys that are all of one width: their bytes (n, width)."""
    return (_murmur2(keys) & _POSITIVE).astype(np.int64) % partitions


def misplaced(
    keys: Sequence[bytes | None], found: NDArray[np.int64], partitions: int
) -> NDArray[np.bool_]:
    """True for those of n keys that do not belong to the partition (n,) where each was found.

    A record without a key belongs nowhere: it is not among them.
    """
    if (rows := matrix(keys)) is not None:
        return partitions_of(rows, partitions) != found
    out = np.zeros(len(keys), np.bool_)
    places: dict[int, list[int]] = {}
    for at, key in enumerate(keys):
        if key is not None:
            places.setdefault(len(key), []).append(at)
    for width, some in places.items():
        octets = np.frombuffer(b"".join(keys[at] or b"" for at in some), np.uint8)
        belongs = partitions_of(octets.reshape(len(some), width), partitions)
        out[some] = belongs != found[some]
    return out


def _murmur2(keys: NDArray[np.uint8]) -> NDArray[np.uint32]:
    n, width = keys.shape
    whole = width - width % _WORD
    hashed = np.full(n, _SEED ^ width, np.uint32)
    words = np.ascontiguousarray(keys[:, :whole].T.reshape(-1, _WORD, n).transpose(0, 2, 1))
    for word in words.view("<u4")[..., 0]:
        mixed = word * _M
        mixed ^= mixed >> np.uint32(24)
        mixed *= _M
        hashed *= _M
        hashed ^= mixed
    if width > whole:
        for at in range(whole, width):
            hashed ^= keys[:, at].astype(np.uint32) << np.uint32(8 * (at - whole))
        hashed *= _M
    hashed ^= hashed >> np.uint32(13)
    hashed *= _M
    hashed ^= hashed >> np.uint32(15)
    return hashed
