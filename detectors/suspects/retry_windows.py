"""Retry windows: a refused platform's second code passes if the recipient asks for it again.

A person who waits for a code that does not come presses "send again" after about a minute.
Flooding tools go from platform to platform instead. So when a lease refused the first message of a
platform, the first one that comes one to two minutes later passes. Only this message passes.
Earlier ones are refused, and gateways do not count them. A platform may have a first message again
when the window of its last refused message is over, if none of its second messages passed in the
last hour. A budget limits such messages within twelve minutes and three hours, because a tool that
knows the rule could otherwise send everything twice.

A retry window is the time in which the second message of one platform passes. The lease carries the
windows to the gateways, well before the first window opens. All gateways, and the worker that
reads the same messages from the log, therefore apply the same rule.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from detectors.model.fields import Offset, PlatformId, TimeMs
from detectors.model.records import AgainWindow
from detectors.thresholds import (
    AGAIN_BUDGET_MS,
    AGAIN_FROM_MS,
    AGAIN_HELD,
    AGAIN_HOT_MOST,
    AGAIN_MOST,
    AGAIN_REOPEN_MS,
    AGAIN_REOPENED,
    AGAIN_TOLD_BURST,
    AGAIN_TOLD_MS,
    AGAIN_TOTAL,
    AGAIN_TOTAL_MS,
    AGAIN_UNTIL_MS,
    REFUSED_HELD,
)

MOST: Final = {False: AGAIN_MOST, True: AGAIN_HOT_MOST}
"""Budget: number of second messages that pass within `AGAIN_BUDGET_MS`.

The key says whether their platform is hot (abused by other floods). Hot and other platforms have
separate budgets.
"""


@dataclass(slots=True, eq=False)
class SecondRequests:
    """The retry state of one suspect. `AGAIN_HELD`, `MOST` and `REFUSED_HELD` bound its size."""

    # Offset of the event that caused the lease, the last part of its id; -1: unknown.
    lease_offset: Offset = -1
    # Time of the last publication. Gateways know the windows of first messages up to here.
    told_ms: TimeMs = 0
    # Rate limit: time at which the last publication was due at the mean rate (as in GCRA).
    paced_ms: TimeMs = 0
    # Platform -> time of its first message, if that was refused and no second one came.
    first_ms: dict[PlatformId, TimeMs] = field(default_factory=dict)
    # Second messages that passed: (time, is the platform hot), in ascending order.
    passed: list[tuple[TimeMs, bool]] = field(default_factory=list)
    # Platform -> time of its newest refused message, and of its newest second one that passed.
    last_ms: dict[PlatformId, TimeMs] = field(default_factory=dict)
    passed_ms: dict[PlatformId, TimeMs] = field(default_factory=dict)
    # Times of the newest first messages of platforms that were refused before.
    reopened_ms: list[TimeMs] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.passed != sorted(self.passed):
            raise ValueError("second messages that passed do not ascend")


def take_request(requests: SecondRequests, platform: int, at_ms: int, *, hot: bool) -> bool:
    """Record a message that a lease refuses. Return true if it passes through a retry window.

    `hot`: the platform is hot. Hot platforms share a smaller budget.
    """
    last_ms = requests.last_ms.pop(platform, None)
    _put(requests.last_ms, platform, max(at_ms, last_ms or at_ms))
    held_ms = requests.first_ms.get(platform)
    if last_ms is None or _reopens(requests, platform, at_ms, last_ms):
        requests.first_ms.pop(platform, None)
        requests.first_ms[platform] = at_ms
        if len(requests.first_ms) > AGAIN_HELD:
            del requests.first_ms[next(iter(requests.first_ms))]
        return False
    if held_ms is None or at_ms == held_ms:
        return False  # an earlier message came too lately, or the message is delivered twice
    told = held_ms <= requests.told_ms
    if told and at_ms < max(held_ms + AGAIN_FROM_MS, _free_ms(requests, hot=hot)):
        return False  # gateways let the first message within the window pass
    del requests.first_ms[platform]
    if not told or at_ms >= held_ms + AGAIN_UNTIL_MS:
        return False
    requests.passed_ms.pop(platform, None)
    _put(requests.passed_ms, platform, at_ms)
    requests.passed = sorted(
        [each for each in requests.passed if each[0] > at_ms - AGAIN_TOTAL_MS] + [(at_ms, hot)]
    )
    return True


def _reopens(requests: SecondRequests, platform: int, at_ms: int, last_ms: int) -> bool:
    """Return true if the next message of a platform, refused at `last_ms`, is a first one again.

    The platform then gets another retry window, and this is recorded. The window of the message
    at `last_ms` must be over.
    """
    hour_ago_ms = at_ms - AGAIN_REOPEN_MS
    if at_ms - last_ms < AGAIN_UNTIL_MS or requests.passed_ms.get(platform, 0) > hour_ago_ms:
        return False
    reopened_ms = [ms for ms in requests.reopened_ms if ms > hour_ago_ms]
    if len(reopened_ms) >= AGAIN_REOPENED:
        return False
    requests.reopened_ms = sorted([*reopened_ms, at_ms])
    return True


def _put(times_ms: dict[int, int], platform: int, at_ms: int) -> None:
    """Add a platform at the end; if there are too many platforms then, drop the first one."""
    times_ms[platform] = at_ms
    if len(times_ms) > REFUSED_HELD:
        del times_ms[next(iter(times_ms))]


def news(requests: SecondRequests, at_ms: int) -> bool:
    """Return true if the retry windows should be published at a message that came at `at_ms`.

    New windows are published at a limited rate (`AGAIN_TOLD_MS`, `AGAIN_TOLD_BURST`). If a second
    message uses up the budget of retry windows, publish at once, so that other gateways stop using
    the windows.
    """
    passed = requests.passed
    if passed and passed[-1][0] == at_ms > requests.told_ms:
        return _free_ms(requests, hot=passed[-1][1]) > at_ms
    newest_ms = next(reversed(requests.first_ms.values()), 0)
    spare_ms = AGAIN_TOLD_MS * (AGAIN_TOLD_BURST - 1)
    return newest_ms > requests.told_ms and at_ms >= requests.paced_ms - spare_ms


def windows(requests: SecondRequests, hot: Collection[int], at_ms: int) -> tuple[AgainWindow, ...]:
    """Return the retry windows that can still be used, by opening time; drop all other windows.

    `hot` is the current list of hot platforms. The caller publishes the result at `at_ms`.
    """
    free_ms = _free_ms(requests, hot=False), _free_ms(requests, hot=True)
    # A first message at or before this time has no window left. Either its window has ended, or the
    # budget stays spent until the window ends.
    over_ms = [max(free, at_ms) - AGAIN_UNTIL_MS for free in free_ms]
    told = [
        (max(held_ms + AGAIN_FROM_MS, free_ms[kind]), platform, held_ms + AGAIN_UNTIL_MS, kind)
        for platform, held_ms in requests.first_ms.items()
        if held_ms > over_ms[kind := platform in hot]
    ]
    if len(told) < len(requests.first_ms):
        requests.first_ms = {p: until_ms - AGAIN_UNTIL_MS for _, p, until_ms, _ in told}
    requests.told_ms = max(requests.told_ms, at_ms)
    # Skip the named tuple's slower constructor: a campaign creates ten windows for each message.
    made = tuple.__new__
    return tuple(
        [made(AgainWindow, (platform, a, b, kind)) for a, platform, b, kind in sorted(told)]
    )


def forget_from(requests: SecondRequests, from_ms: int) -> None:
    """Drop all state of the time `from_ms` and later, because a clock was ahead."""
    requests.first_ms = {p: ms for p, ms in requests.first_ms.items() if ms < from_ms}
    requests.passed = [each for each in requests.passed if each[0] < from_ms]
    requests.last_ms = {p: ms for p, ms in requests.last_ms.items() if ms < from_ms}
    requests.passed_ms = {p: ms for p, ms in requests.passed_ms.items() if ms < from_ms}
    requests.reopened_ms = [ms for ms in requests.reopened_ms if ms < from_ms]
    requests.told_ms = min(requests.told_ms, from_ms)
    requests.paced_ms = min(requests.paced_ms, from_ms)


def _free_ms(requests: SecondRequests, *, hot: bool) -> int:
    """Return the time from which the budget of retry windows has room for one more message.

    0 means that there is room now. Hot and other platforms have separate budgets; `hot` selects
    one. Beside these, `AGAIN_TOTAL` limits all of them.
    """
    passed, most = requests.passed, MOST[hot]
    if not passed:
        return 0
    lately = [at_ms for at_ms, kind in passed if kind is hot]
    free_ms = lately[-most] + AGAIN_BUDGET_MS if len(lately) >= most else 0
    total_ms = passed[-AGAIN_TOTAL][0] + AGAIN_TOTAL_MS if len(passed) >= AGAIN_TOTAL else 0
    return max(free_ms, total_ms)
