"""Second requests at a gateway: a lease says the windows, each gateway counts what it lets through.

The worker counts too, from the log, and says no more windows when the budget is spent. A gateway
learns that a moment later, and what was sent in that moment would pass: so each keeps to the budget
by itself. Several gateways that do not know of each other let as many times as much through, until
the worker has seen it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from detectors.bars import AGAIN_BUDGET_MS, AGAIN_HOT_MOST, AGAIN_MOST
from detectors.leases.gate import Lease
from detectors.model.event import platform_id
from detectors.model.records import AgainWindow

RECIPIENTS_MAX: Final = 20_000
"""Of whom a gateway remembers what passed; the one longest ago gives way. As many as rails let in
for ten million subscribers: some 10 MB."""


def window_of(lease: Lease, platform: str, now_ms: int) -> AgainWindow | None:
    """The window that is open now for a platform, by its key, or None.

    >>> from detectors.model.records import Scope
    >>> window = AgainWindow(platform_id("sig:淘宝"), 55_000, 150_000, hot=False)
    >>> lease = Lease("a1", 600_000, Scope("otp", (), (), ()), (window,))
    >>> window_of(lease, "sig:淘宝", 55_000) == window, window_of(lease, "sig:淘宝", 150_000)
    (True, None)
    """
    wanted = platform_id(platform)
    for window in lease.again:
        if window.platform_id == wanted and window.from_ms <= now_ms < window.until_ms:
            return window
    return None


def most(window: AgainWindow) -> int:
    """Return how many of its kind pass within `AGAIN_BUDGET_MS`."""
    return AGAIN_HOT_MOST if window.hot else AGAIN_MOST


class SecondPasses:
    """The second requests that one gateway let through lately."""

    __slots__ = ("recipients_max", "taken")

    def __init__(self, recipients_max: int = RECIPIENTS_MAX) -> None:
        self.recipients_max = recipients_max
        self.taken: OrderedDict[str, list[tuple[int, AgainWindow]]] = OrderedDict()

    def take(self, recipient: str, window: AgainWindow, now_ms: int) -> bool:
        """Let a message through its window, if that was not used and the budget has room."""
        held = self.taken.pop(recipient, [])
        held = [each for each in held if each[0] > now_ms - AGAIN_BUDGET_MS]
        alike = [used.platform_id for _, used in held if used.hot == window.hot]
        passes = window.platform_id not in alike and len(alike) < most(window)
        if passes:
            held.append((now_ms, window))
        if held:
            self.taken[recipient] = held
        if len(self.taken) > self.recipients_max:
            self.taken.popitem(last=False)
        return passes
