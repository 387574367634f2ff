"""Rate limits with leaky buckets. The caller passes the time."""

import threading
from collections import OrderedDict


class RateLimit:
    """A leaky bucket for each key: `burst` uses at once, then one more per `every_s` seconds.

    Threads may share it. At most `keys_max` buckets are kept. Beyond this the least
    recently used bucket is dropped.
    """

    def __init__(self, burst: int, every_s: float, keys_max: int = 10_000) -> None:
        self._burst, self._every_s = burst, every_s
        self._keys_max = keys_max
        self._full_at: OrderedDict[str, float] = OrderedDict()  # time (s) when the bucket is empty
        self._lock = threading.Lock()

    def take(self, key: str, now_s: float) -> float:
        """Count one use of the key. Return 0, or the seconds until the limit allows one more use.

        >>> limit = RateLimit(2, 10.0)
        >>> [limit.take("li", at) for at in (0, 0, 0, 10, 10)]
        [0.0, 0.0, 10.0, 0.0, 10.0]
        """
        with self._lock:
            empty_at = max(self._full_at.get(key, now_s), now_s)
            wait_s = empty_at + self._every_s - now_s - self._burst * self._every_s
            if wait_s > 0:
                return wait_s
            self._full_at[key] = empty_at + self._every_s
            self._full_at.move_to_end(key)
            while len(self._full_at) > self._keys_max:
                self._full_at.popitem(last=False)
            return 0.0

    def forget(self, key: str) -> None:
        with self._lock:
            self._full_at.pop(key, None)

    def __len__(self) -> int:
        return len(self._full_at)
