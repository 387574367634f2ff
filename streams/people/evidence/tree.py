"""Merkle tree of RFC 9162, section 2.1: one root for all records, a short proof for each. Pure."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from streams.people.evidence.standalone import leaf, node


def _split(n: int) -> int:
    """Return the largest power of two below n. n is at least 2.

    >>> [_split(n) for n in (2, 3, 4, 5)]
    [1, 2, 2, 4]
    """
    return 1 << ((n - 1).bit_length() - 1)


class MerkleTree:
    """A Merkle tree. Each inner hash is computed at most once."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._hashes = [leaf(data) for data in leaves]
        self._over = lru_cache(maxsize=None)(self._compute)

    @property
    def root(self) -> bytes:
        """Root hash, 32 bytes. Without leaves it is the hash of the empty string (RFC 9162)."""
        n = len(self._hashes)
        return self._over(0, n) if n else hashlib.sha256(b"").digest()

    def proof(self, index: int) -> list[bytes]:
        """Return the hashes that prove leaf `index`, from the lowest level to the root.

        >>> len(MerkleTree([b"a", b"b", b"c"]).proof(2))
        1
        """
        low, high = 0, len(self._hashes)
        path: list[bytes] = []
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._over(middle, high))
                high = middle
            else:
                path.append(self._over(low, middle))
                low = middle
        return path[::-1]

    def _compute(self, low: int, high: int) -> bytes:
        if high - low == 1:
            return self._hashes[low]
        middle = low + _split(high - low)
        return node(self._over(low, middle), self._over(middle, high))
