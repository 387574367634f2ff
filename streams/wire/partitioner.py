"""Compute the partition of a record key in the same way as Kafka's Java client.

A flood is detected only if all messages to its victim are in one partition. Some clients hash keys
in another way (the default of librdkafka is CRC-32). They write the same recipient to another
partition, and then two workers see one half of the flood each. This module finds such records.

The hash is Austin Appleby's 32-bit MurmurHash2 with Kafka's seed:
https://kafka.apache.org/documentation/#producerconfigs_partitioner.class
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.wire.recipients import matrix

_SEED: Final = 0x9747B28C
_M: Final = np.uint32(0x5BD1E995)
_POSITIVE: Final = np.uint32(0x7FFFFFFF)
_WORD: Final = 4  # bytes per step of the hash


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of one key, from 0 to `partitions` - 1.

    >>> partition_of(b"8613900000001", 32)
    29
    """
    return int(partitions_of(np.frombuffer(key, np.uint8).reshape(1, -1), partitions)[0])


def partitions_of(keys: NDArray[np.uint8], partitions: int) -> NDArray[np.int64]:
    """Return the partitions (n,) of n keys of equal length, given as bytes (n, width)."""
    return (_murmur2(keys) & _POSITIVE).astype(np.int64) % partitions


def find_misplaced(
    keys: Sequence[bytes | None], found: NDArray[np.int64], partitions: int
) -> NDArray[np.bool_]:
    """Return a mask (n,) that is true where a key does not belong to the partition it is in.

    `found` (n,) holds the partition in which each record was found. A record without a key belongs
    to no partition, and its mask is false.
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
        out[some] = partitions_of(octets.reshape(len(some), width), partitions) != found[some]
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
