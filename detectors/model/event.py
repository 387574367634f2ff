"""The core's view of the world: trust classes, platform identities, a batch as columns.

Everything else in this package works on these. A batch holds accepted, counted events of one
partition in the order of its log; what was refused or is not counted never gets here.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.strings import Strings

TICK_OFFSETS: Final = 4096
"""Maintenance happens when a partition's log passes a multiple of this offset, and only then, so
that state is a function of the log. Chosen: a tick every 80 ms at 50,000 events/s."""

TOKEN_BIT: Final = 1 << 63
"""Set in a recipient's integer when it is a token's; E.164 has at most 15 digits (< 2**50)."""


class Trust(IntEnum):
    """Classes of trusted platforms, decided by the registry. All but NONE always pass."""

    NONE = 0
    BANK = 1
    GOVERNMENT = 2
    CARRIER = 3
    EMERGENCY = 4


class EventKind(IntEnum):
    """An event's request to the core."""

    MESSAGE = 0
    RECYCLED = 1  # the number has a new owner: its row is dropped
    LISTED = 2  # the network's list of hot platforms, which no recipient is meant by


def platform_id(key: str) -> int:
    """The 32-bit identity of a platform key: CRC-32 of its UTF-8 bytes, 0 becoming 1.

    A gateway in any language can compute it; 0 stays free to mean "empty slot".

    >>> platform_id("sig:淘宝")
    3541351337
    """
    return zlib.crc32(key.encode()) or 1


def name_check(key: str) -> int:
    """Fifteen bits that tell most keys of one id apart, 1 to 32,767; not for outsiders.

    A CRC is easily forged, so names may share an id; this is another kind of hash.
    """
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=2).digest()
    return int.from_bytes(digest) >> 1 or 1


def platform_print(platform: int) -> int:
    """The 16-bit print of a platform id: its upper half XOR its lower half, 0 becoming 1.

    What a print cannot tell apart passes; two platforms share one with probability 2**-16.

    >>> platform_print(0x1234_0001)
    4661
    """
    return (platform >> 16 ^ platform & 0xFFFF) or 1


class HotList(NamedTuple):
    """The hot platforms of the whole network, as a record of the log has them."""

    version_ms: int  # when it was made: of two lists the later one counts
    valid_until_ms: int  # by the log's time
    platforms: tuple[int, ...]  # ids
    mac: str  # hex: HMAC-SHA-256 of the three


class Block(NamedTuple):
    """The events of one partition in a batch of several."""

    partition: int
    next_offset: int  # as that of a batch
    first: int  # positions: from here
    last: int  # up to here, exclusive


@dataclass(frozen=True, slots=True)
class Batch:
    """Columns of consecutive accepted events of one partition, in the order of the log.

    Or of several partitions, one after the other: then `blocks` says which are whose, and
    `partition` and `next_offset` are those of one of them.

    Every column has length n. Strings a feed does not have are empty; each text has
    `detectors.model.strings.SPARE` bytes of its own behind it. `next_offset` may lie beyond
    the last event: records between were refused, or are not counted, and still move ticks.
    """

    topic: str
    partition: int
    next_offset: int  # the offset after the last record that this batch covers
    offset: NDArray[np.int64]  # strictly increasing in each partition
    event_time_ms: NDArray[np.int64]  # UTC
    recipient: NDArray[np.uint64]  # E.164 digits as an integer, or TOKEN_BIT | 63 bits of a token
    kind: NDArray[np.uint8]  # of Kind
    sender: Strings
    text: Strings  # whole or the first characters; never kept
    signature: Strings
    category: Strings
    platform: Strings  # the gateway's own `platform_id`
    template: Strings  # the gateway's `template_id`
    gateway: Strings
    tokens: Mapping[int, str]  # recipient -> the token as written, for the tokens of this batch
    blocks: tuple[Block, ...] = ()  # in the order of their events
    # The account and the message id of the event at a position, which few are asked for.
    origin: Callable[[int], tuple[str, str]] | None = None
    # The list in the event of kind LISTED at a position; None where it cannot be read.
    listed: Callable[[int], HotList | None] | None = None

    def __len__(self) -> int:
        return len(self.offset)

    def of(self, block: Block) -> Batch:
        """The same columns, under the name of one of its partitions."""
        return replace(self, partition=block.partition, next_offset=block.next_offset)

    def newest_ms(self) -> dict[int, int]:
        """The newest event time of each partition that has events here."""
        blocks = self.blocks or (Block(self.partition, self.next_offset, 0, len(self)),)
        some = [block for block in blocks if block.first < block.last]
        if not some:
            return {}
        newest = np.maximum.reduceat(self.event_time_ms, [block.first for block in some])
        return dict(zip((block.partition for block in some), newest.tolist(), strict=True))
