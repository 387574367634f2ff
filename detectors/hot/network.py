"""The list of hot platforms of the whole network, as a partition takes it from its own log.

A partition knows the floods of its own recipients; a campaign of 500 victims is sixteen in each of
32. So an agent adds up what all of them tell (`detectors.hot.sums`) and appends the list that this
makes to the log of every partition. Each adopts it at its own offset, as a part of its state: a
replay, a restart and another owner repeat every decision.

Rights cannot tell a list from an event, so it is signed. What is forged, too large, older than the
one that is held, over, or of platforms that everybody uses, is refused, and changes nothing.
"""

from __future__ import annotations

import hmac
from array import array
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final, Literal

import numpy as np

from detectors.bars import HOT_MAX, HOT_NETWORK_MILLI, HOT_SHARE_MILLI, HOT_VALID_MS
from detectors.hot.base import UNIT, Base
from detectors.model.event import HotList

ListOutcome = Literal["adopted", "unreadable", "forged", "oversized", "old", "expired", "common"]
"""The fate of a list: adopted, or the first reason not to."""

_PURPOSE: Final = b"otpguard hot list 1\n"
"""Signed too, so that no signature of another purpose under the same key is one of a list."""


def signed(key: bytes, version_ms: int, valid_until_ms: int, platforms: Iterable[int]) -> HotList:
    """The list of these platforms, in the order of their ids.

    >>> told = signed(b"a key of sixteen", 1_790_000_000_000, 1_790_086_400_000, [7, 5])
    >>> told.platforms, authentic([b"another", b"a key of sixteen"], told)
    ((5, 7), True)
    """
    told = HotList(version_ms, valid_until_ms, tuple(sorted(platforms)), "")
    return told._replace(mac=_mac(key, told))


def authentic(keys: Iterable[bytes], told: HotList) -> bool:
    """Tell if it was signed with one of these keys; never where there is none."""
    return any(hmac.compare_digest(_mac(key, told).encode(), told.mac.encode()) for key in keys)


def _mac(key: bytes, told: HotList) -> str:
    head = b"%s%d %d\n" % (_PURPOSE, told.version_ms, told.valid_until_ms)
    ids = np.array(told.platforms, "<u4").tobytes()
    return hmac.new(key, head + ids, sha256).hexdigest()


def judged(
    told: HotList | None, keys: Sequence[bytes], held: HotList | None, base: Base, now_ms: int
) -> ListOutcome:
    """Decide about a list at the log's time `now_ms`, which is 0 before the first tick.

    `held` is the newest that was adopted, and `base` what the partition's own recipients meet: of
    no list may they meet more than half again of what a list may have in the whole network.
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
    """The count of these platforms, in units of `detectors.hot.base`."""
    ids = np.array([*platforms], np.uint32)
    return int(base.common(ids).sum()) - UNIT * len(ids)


def joined(told: HotList, own: Iterable[int], base: Base) -> frozenset[int]:
    """The network's platforms, and as many of a partition's `own` as the cap has room for.

    Those of `own` that stand out most come first.
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


def list_state(told: HotList | None) -> list[Any] | None:
    """Plain data."""
    if told is None:
        return None
    ids = array("I", told.platforms).tobytes()
    return [told.version_ms, told.valid_until_ms, ids, told.mac]


def list_of(state: Sequence[Any] | None) -> HotList | None:
    """The inverse of `list_state`. Raises ValueError where the ids are none."""
    if state is None:
        return None
    version_ms, valid_until_ms, ids, mac = state
    return HotList(version_ms, valid_until_ms, tuple(np.frombuffer(ids, "<u4").tolist()), mac)
