"""The input of the detection core: batches of events as columns, platform ids, trust classes.

All other modules of the core work on these types. A batch has the accepted events of a partition in
the order of its log. Rejected events, and events that do not count, are removed before.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from detectors.model.fields import PlatformId, TimeMs
from detectors.model.strings import Strings

TICK_OFFSETS: Final = 4096
"""Number of offsets between two ticks. Maintenance runs only when a partition's log passes a
multiple of this number, so the state depends on the log alone. Chosen: one tick every 80 ms at
50,000 events/s."""

TOKEN_BIT: Final = 1 << 63
"""Flag in a recipient's integer: the recipient is a token, not a phone number. E.164 numbers have
at most 15 digits (< 2**50)."""


class Trust(IntEnum):
    """Trust class of a platform, from the registry. Codes of all classes but NONE always pass."""

    NONE = 0
    BANK = 1
    GOVERNMENT = 2
    CARRIER = 3
    EMERGENCY = 4


class EventKind(IntEnum):
    """The kind of an event."""

    MESSAGE = 0
    RECYCLED = 1  # the number has a new owner, so its memory is dropped
    LISTED = 2  # a list of platforms that floods abuse; it concerns no recipient
    MEMORY = 3  # a record of what another state knows about a recipient
    LATER_PART = 4  # a later part of a long message, or a later attempt: counts only if the
    LATER_ATTEMPT = 5  # recipient had no code of its platform within a day


def is_message(kind: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which events (n,) are messages, later parts and attempts included."""
    # numpy compares a small array with an int in a fifth of the time that an enum takes.
    messages: NDArray[np.bool_] = kind == int(EventKind.MESSAGE)
    return messages | (kind >= int(EventKind.LATER_PART))


def platform_id(key: str) -> int:
    """Return the 32-bit id of a platform key: CRC-32 of its UTF-8 bytes; 1 instead of 0.

    A gateway in any language can compute this id. The value 0 is reserved for "empty slot".

    >>> platform_id("sig:淘宝")
    3541351337
    """
    return zlib.crc32(key.encode()) or 1


def name_check(key: str) -> int:
    """Return a second hash of a platform key, 1 to 32,767, which detects different keys of one id.

    A CRC is easy to forge, so an attacker can create names that share an id. This hash is of
    another kind (BLAKE2b). The second hash is for internal use only.
    """
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=2).digest()
    return int.from_bytes(digest) >> 1 or 1


def platform_print(platform: int) -> int:
    """Return the print (16-bit hash) of a platform id: upper half XOR lower half; 1 instead of 0.

    Two platforms share a print with probability 2**-16. If one of them is known, both pass.

    >>> platform_print(0x1234_0001)
    4661
    """
    return (platform >> 16 ^ platform & 0xFFFF) or 1


class HotList(NamedTuple):
    """A signed list of the hot platforms of the whole network, from a record in the log."""

    version_ms: TimeMs  # time at which the list was made; the newest list counts
    valid_until_ms: TimeMs  # end of validity, compared with the log's time
    platforms: tuple[PlatformId, ...]
    mac: str  # HMAC-SHA-256 of the three fields above, in hex


class KnownPlatform(NamedTuple):
    """One of the known platforms of a recipient, as it stands in a memory record."""

    platform: int  # platform id; the print, which is below 2**16, where only that is known
    last_day: int  # day of the last use, or an upper bound of it; days since `EPOCH_S`
    days: int  # number of days on which it came; 2 means two or more


class MemoryRecord(NamedTuple):
    """A signed record of what another state knows about one recipient, from a record in the log."""

    as_of_ms: TimeMs  # time at which the other state knew this
    name_version: int  # version of the platform keys behind ids and prints
    born_day: int  # day of the recipient's first code
    platforms: tuple[KnownPlatform, ...]  # the latest used first
    mac: str  # HMAC-SHA-256 of the recipient and the fields above, in hex


MemoryOutcome = Literal[
    "adopted", "unreadable", "forged", "oversized", "foreign", "old", "recycled"
]
"""The outcome for a memory record: adopted, or the first reason to reject it."""


class Block(NamedTuple):
    """The events of one partition within a batch of several partitions."""

    partition: int
    next_offset: int  # offset after the last record of this partition that the batch covers
    first: int  # position of the first event
    last: int  # position after the last event


@dataclass(frozen=True, slots=True)
class Batch:
    """Columns of consecutive accepted events of one partition, in the order of the log.

    A batch may also have the events of several partitions, one after the other. Then `blocks` gives
    the events of each partition, and `partition` and `next_offset` belong to one of them.

    Every column has length n. Strings that a feed does not provide are empty. Each text is followed
    by `detectors.model.strings.SPARE` bytes that belong to no other text. `next_offset` may lie
    beyond the last event: records in between were rejected or do not count, but they move ticks.
    """

    topic: str
    partition: int
    next_offset: int  # the offset after the last record that this batch covers
    offset: NDArray[np.int64]  # strictly increasing in each partition
    event_time_ms: NDArray[np.int64]  # UTC
    recipient: NDArray[np.uint64]  # E.164 digits as an integer, or TOKEN_BIT | 63 bits of a token
    kind: NDArray[np.uint8]  # value of `EventKind`
    sender: Strings
    text: Strings  # the whole text or its first characters; never stored
    signature: Strings
    category: Strings
    platform: Strings  # the gateway's own `platform_id`
    template: Strings  # the gateway's `template_id`
    gateway: Strings
    tokens: Mapping[int, str]  # recipient -> token as received, for all tokens of this batch
    blocks: tuple[Block, ...] = ()  # in the order of their events; empty for a single partition
    # Position of an event -> its account and message id. A function, since few events need them.
    origin: Callable[[int], tuple[str, str]] | None = None
    # Position of an event of kind LISTED -> its list; None if the list cannot be parsed.
    listed: Callable[[int], HotList | None] | None = None
    # Position of an event of kind MEMORY -> its record; None if the record cannot be parsed.
    memory: Callable[[int], MemoryRecord | None] | None = None

    def __len__(self) -> int:
        return len(self.offset)

    def of(self, block: Block) -> Self:
        """Return the same columns, with the partition and next offset of one block."""
        return replace(self, partition=block.partition, next_offset=block.next_offset)

    def newest_ms(self) -> dict[int, int]:
        """Return partition -> newest event time in ms, for each partition with events here."""
        blocks = self.blocks or (Block(self.partition, self.next_offset, 0, len(self)),)
        some = [block for block in blocks if block.first < block.last]
        if not some:
            return {}
        newest = np.maximum.reduceat(self.event_time_ms, [block.first for block in some])
        return dict(zip((block.partition for block in some), newest.tolist(), strict=True))
