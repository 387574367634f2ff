"""Second requests: a code of a refused platform that its recipient asks for once more.

Somebody who waits for a code that does not come presses "send again" after a minute. Tools go from
platform to platform. So the second message of a platform whose first a lease refused passes, if it
comes a minute or two later: it alone, and few within twelve minutes, or a tool that knows the rule
would send everything twice.

Gateways learn the windows from the lease, well before the first of them opens; so all of them, and
the worker that reads what became of it in the log, go by the same rule.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from detectors.bars import (
    AGAIN_BUDGET_MS,
    AGAIN_FROM_MS,
    AGAIN_HELD,
    AGAIN_HOT_MOST,
    AGAIN_MOST,
    AGAIN_TOLD_BURST,
    AGAIN_TOLD_MS,
    AGAIN_UNTIL_MS,
)
from detectors.model.records import AgainWindow

MOST: Final = {False: AGAIN_MOST, True: AGAIN_HOT_MOST}
"""Second messages that pass within `AGAIN_BUDGET_MS`, by whether their platforms are hot."""


class SecondRequests:
    """The second requests of one episode. Bounded by `AGAIN_HELD` and by `MOST`."""

    __slots__ = ("first_ms", "lease_offset", "paced_ms", "passed", "told_ms")

    def __init__(self) -> None:
        self.lease_offset = -1  # of the event that caused the lease: its id; -1: nobody knows
        self.told_ms = 0  # when gateways were last told: of the firsts up to then they know
        self.paced_ms = 0  # when they would have been told so often at the mean pace
        self.first_ms: dict[int, int] = {}  # platform -> its first message, refused; none since
        self.passed: list[tuple[int, bool]] = []  # when, and if it was hot; ascending


def asked(requests: SecondRequests, platform: int, at_ms: int, *, first: bool, hot: bool) -> bool:
    """Takes a message in that the lease refuses, and tells if it passes, being a second request.

    `first`: the platform had none before it in this episode.
    """
    held_ms = requests.first_ms.get(platform)
    if held_ms is None:
        if first:
            requests.first_ms[platform] = at_ms
            if len(requests.first_ms) > AGAIN_HELD:
                del requests.first_ms[next(iter(requests.first_ms))]
        return False
    if at_ms == held_ms:
        return False  # delivered twice
    del requests.first_ms[platform]
    until_ms = held_ms + AGAIN_UNTIL_MS
    if held_ms > requests.told_ms or not _opens_ms(requests, held_ms, hot=hot) <= at_ms < until_ms:
        return False
    requests.passed = sorted(
        [each for each in requests.passed if each[0] > at_ms - AGAIN_BUDGET_MS] + [(at_ms, hot)]
    )
    return True


def news(requests: SecondRequests, at_ms: int) -> bool:
    """Tell if gateways should be told the windows at a message that came now.

    Once in a while, if there are new ones; and at the message that spends the budget, so that the
    other gateways let no more of them pass.
    """
    passed = requests.passed
    if passed and passed[-1][0] == at_ms > requests.told_ms:
        hot = passed[-1][1]
        return sum(kind is hot for _, kind in passed) >= MOST[hot]
    newest_ms = next(reversed(requests.first_ms.values()), 0)
    spare_ms = AGAIN_TOLD_MS * (AGAIN_TOLD_BURST - 1)
    return newest_ms > requests.told_ms and at_ms >= requests.paced_ms - spare_ms


def windows(requests: SecondRequests, hot: Collection[int], at_ms: int) -> tuple[AgainWindow, ...]:
    """The windows that may yet be used, as they are told now; forgets the others."""
    free_ms, hot_free_ms = _free_ms(requests, hot=False), _free_ms(requests, hot=True)
    # A first that is no newer has no window left: it is over, or the budget is spent till then.
    over_ms = max(free_ms, at_ms) - AGAIN_UNTIL_MS
    hot_over_ms = max(hot_free_ms, at_ms) - AGAIN_UNTIL_MS
    told = []
    for platform, held_ms in requests.first_ms.items():
        kind = platform in hot
        if held_ms > (hot_over_ms if kind else over_ms):
            from_ms = max(held_ms + AGAIN_FROM_MS, hot_free_ms if kind else free_ms)
            told.append((from_ms, platform, held_ms + AGAIN_UNTIL_MS, kind))
    if len(told) < len(requests.first_ms):
        left = {platform for _, platform, _, _ in told}
        requests.first_ms = {p: ms for p, ms in requests.first_ms.items() if p in left}
    requests.told_ms = max(requests.told_ms, at_ms)
    told.sort()
    made = tuple.__new__  # past the named tuple's constructor: a campaign has ten for each message
    return tuple([made(AgainWindow, (platform, a, b, kind)) for a, platform, b, kind in told])


def forget_from(requests: SecondRequests, from_ms: int) -> None:
    """Drop all that is of then or later: a clock was ahead."""
    requests.first_ms = {p: ms for p, ms in requests.first_ms.items() if ms < from_ms}
    requests.passed = [each for each in requests.passed if each[0] < from_ms]
    requests.told_ms = min(requests.told_ms, from_ms)
    requests.paced_ms = min(requests.paced_ms, from_ms)


def _opens_ms(requests: SecondRequests, held_ms: int, *, hot: bool) -> int:
    """The time from which the second message after this first one passes, as the budget has it."""
    return max(held_ms + AGAIN_FROM_MS, _free_ms(requests, hot=hot))


def _free_ms(requests: SecondRequests, *, hot: bool) -> int:
    """The time from which the budget has room for one more of a kind; 0 where it has it now."""
    if not requests.passed:
        return 0
    lately = [at_ms for at_ms, kind in requests.passed if kind is hot]
    most = MOST[hot]
    return lately[-most] + AGAIN_BUDGET_MS if len(lately) >= most else 0
