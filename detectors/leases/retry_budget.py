"""Retry windows at a gateway: the lease lists the windows, and each gateway counts what it passes.

The worker counts too, from the log, and publishes no more windows when the budget is spent. A
gateway receives this a moment later, and messages in that moment would pass. So each gateway also
applies the budget itself. If several gateways do not know of each other, each of them may use the
whole budget until the worker has seen it.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from detectors.leases.gateway_rule import Lease, Ruling, rule
from detectors.model.event import Trust, platform_id
from detectors.model.records import AgainWindow
from detectors.thresholds import AGAIN_BUDGET_MS, AGAIN_HOT_MOST, AGAIN_MOST

RECIPIENTS_MAX: Final = 20_000
"""Maximum number of recipients whose passed messages a gateway remembers. The one that was used
longest ago is dropped. This is the limit on leases for ten million subscribers: about 10 MB."""


def window_of(lease: Lease, platform: str, now_ms: int) -> AgainWindow | None:
    """Return the retry window that is open now for a platform key, or None.

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
    """Return messages per `AGAIN_BUDGET_MS` for hot (abused by floods) or other platforms."""
    return AGAIN_HOT_MOST if window.hot else AGAIN_MOST


@dataclass(slots=True, eq=False, repr=False)
class SecondPasses:
    """The messages that one gateway recently passed through retry windows, by recipient."""

    recipients_max: int = RECIPIENTS_MAX
    taken: OrderedDict[str, list[tuple[int, AgainWindow]]] = field(
        init=False, default_factory=OrderedDict
    )

    def rule(
        self,
        lease: Lease | None,
        recipient: str,
        *,
        otp: bool,
        platform: str,
        trust: Trust,
        now_ms: int,
        first_attempt: bool = True,
    ) -> Ruling:
        """Return the decision of `gateway_rule.rule`, with retry windows limited by the budget.

        An automatic retry of the sender is not a request of the recipient, so only a first attempt
        may pass through a window.
        """
        ruling = rule(lease, otp=otp, platform=platform, trust=trust, now_ms=now_ms)
        if ruling is Ruling.AGAIN and lease is not None:
            window = window_of(lease, platform, now_ms) if first_attempt else None
            if window is None or not self.take(recipient, window, now_ms):
                return Ruling.REFUSE
        return ruling

    def take(self, recipient: str, window: AgainWindow, now_ms: int) -> bool:
        """Return true, and record the message, if it may pass through this retry window now.

        The window's platform must not have been used within the budget time, and the budget must
        have room.
        """
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
