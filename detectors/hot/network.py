"""The network's list of platforms that floods abuse: signature, and check by a partition.

A partition sees only the floods against its own recipients. A campaign with 500 victims has only
sixteen in each of 32 partitions. So an agent adds up the sums of all partitions
(`detectors.hot.sums`) and appends the resulting list to the log of every partition. Each partition
adopts the list at its own offset, as part of its state. A replay, a restart or another owner then
repeats every decision.

Access rights of the topic do not distinguish a list from an event, so lists are signed. A list is
rejected if it is forged, too large, not newer than the current one, expired, or has platforms that
everybody uses.
"""

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, Literal

import numpy as np

from detectors.hot.base import UNIT, Base
from detectors.model.event import HotList
from detectors.thresholds import HOT_MAX, HOT_NETWORK_MILLI, HOT_SHARE_MILLI, HOT_VALID_MS

ListOutcome = Literal["adopted", "unreadable", "forged", "oversized", "old", "expired", "common"]
"""The outcome for a list: adopted, or the first reason to reject it."""

_PURPOSE: Final = b"otpguard hot list 1\n"
"""Prefix of the signed data, so that a signature made for another purpose with the same key is not
valid for a list."""


def sign_list(
    key: bytes, version_ms: int, valid_until_ms: int, platforms: Iterable[int]
) -> HotList:
    """Return a signed list of these platforms, in ascending order of their ids.

    >>> told = sign_list(b"a key of sixteen", 1_790_000_000_000, 1_790_086_400_000, [7, 5])
    >>> told.platforms, authentic([b"another", b"a key of sixteen"], told)
    ((5, 7), True)
    """
    told = HotList(version_ms, valid_until_ms, tuple(sorted(platforms)), "")
    return told._replace(mac=_mac(key, told))


def authentic(keys: Iterable[bytes], told: HotList) -> bool:
    """Return true if the list was signed with one of these keys; false if there are no keys."""
    return any(hmac.compare_digest(_mac(key, told).encode(), told.mac.encode()) for key in keys)


def _mac(key: bytes, told: HotList) -> str:
    head = b"%s%d %d\n" % (_PURPOSE, told.version_ms, told.valid_until_ms)
    ids = np.array(told.platforms, "<u4").tobytes()
    return hmac.new(key, head + ids, sha256).hexdigest()


def check_list(
    told: HotList | None, keys: Sequence[bytes], held: HotList | None, base: Base, now_ms: int
) -> ListOutcome:
    """Return the outcome for a list at the log's time `now_ms` (0 before the first tick).

    `held`: the current list. `base`: the partition's own base counts of first meetings. In these, a
    list may cover at most `HOT_NETWORK_MILLI`, one and a half times the limit for the whole
    network, because a partition's own counts vary by chance.
    """
    if told is None:
        return "unreadable"
    if len(told.platforms) > HOT_MAX:
        return "oversized"
    if not authentic(keys, told):
        return "forged"
    if held is not None and told.version_ms <= held.version_ms:
        return "old"
    if told.valid_until_ms <= now_ms or told.valid_until_ms - told.version_ms > HOT_VALID_MS:
        return "expired"
    if units(told.platforms, base) * 1000 > HOT_NETWORK_MILLI * base.total:
        return "common"
    return "adopted"


def units(platforms: Iterable[int], base: Base) -> int:
    """Return how often people met these platforms for the first time, outside of floods.

    The result is the sum of the platforms' counts in `base`. One first meeting counts `UNIT`, and a
    seventh of each count is dropped every day.
    """
    ids = np.array([*platforms], np.uint32)
    return int(base.common(ids).sum()) - UNIT * len(ids)


def join_lists(told: HotList, own: Iterable[int], base: Base) -> frozenset[int]:
    """Return the network's platforms, and as many of the partition's `own` as the limit allows.

    `own` must be sorted by importance, as `listed.choose` returns it.
    """
    platforms = set(told.platforms)
    share = units(told.platforms, base)
    for platform in own:
        if platform not in platforms:
            share += int(base.common(np.array([platform], np.uint32))[0])
            if share * 1000 > HOT_SHARE_MILLI * base.total:
                break
            platforms.add(platform)
    return frozenset(platforms)
