"""Bounds on how often something is done: buckets that leak. No clock of its own."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `burst` at once, and so many more in each `every_s` seconds as fill the bucket."""

    burst: int
    every_s: float  # seconds in which one more becomes free

    def __post_init__(self) -> None:
        if self.burst < 1 or self.every_s <= 0:
            raise ValueError("a pace lets something through")


class RateLimit:
    """One bucket for each key, the longest idle forgotten past `keys_max`; safe among threads."""

    def __init__(self, pace: Pace, keys_max: int = 10_000) -> None:
        self._pace = pace
        self._keys_max = keys_max
        self._full_at: OrderedDict[str, float] = OrderedDict()  # seconds at which it is empty again
        self._lock = threading.Lock()

    def take(self, key: str, now_s: float) -> float:
        """Take one if there is one, and return 0; else the seconds until there is one.

        >>> limit = RateLimit(Pace(2, 10.0))
        >>> [limit.take("li", at) for at in (0, 0, 0, 10, 10)]
        [0.0, 0.0, 10.0, 0.0, 10.0]
        """
        pace = self._pace
        with self._lock:
            empty_at = max(self._full_at.get(key, now_s), now_s)
            wait_s = empty_at + pace.every_s - now_s - pace.burst * pace.every_s
            if wait_s > 0:
                return wait_s
            self._full_at[key] = empty_at + pace.every_s
            self._full_at.move_to_end(key)
            while len(self._full_at) > self._keys_max:
                self._full_at.popitem(last=False)
            return 0.0

    def forget(self, key: str) -> None:
        """Give a key all of its bucket again."""
        with self._lock:
            self._full_at.pop(key, None)

    def __len__(self) -> int:
        return len(self._full_at)
