"""Refused platforms that the recipient uses afterwards: the sign of a throttle that did harm.

The platforms of a flood are strangers, and stay strangers. A person whose log-in was taken for a
flood tries again when it is over, and uses the account from then on. So: a platform whose code was
refused at a recipient *is used later* if a code of it comes when nothing was refused there for half
an hour, within a week, and nothing is refused there in the half hour after it: what comes sooner
belongs to the flood, and what is followed by refusals opens the next. It decides nothing.

It errs to the high side where a flood trickles on too slowly to be throttled, and to the low side
where a platform is used again only after a week.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, Generic, TypeVar

from detectors.defaults import QUIET_S  # `detect.quiet_s` changes nothing here
from detectors.model.times import DAY_S

HORIZON_S: Final = 7 * DAY_S
"""Chosen: a week holds the next use of an account that people do use."""

RECIPIENTS_MAX: Final = 4096
"""Of a partition, those refused last: 11 MB at most. Chosen: ten campaigns of 400 a week."""

PLATFORMS_MAX: Final = 64
"""Of a recipient, the first ones refused; incidents have 60."""

Recipient = TypeVar("Recipient", bound=Hashable)


class RefusedPlatforms:
    """The platforms refused at one recipient, and those of them seen again since."""

    __slots__ = ("last_s", "platforms", "uses")

    def __init__(self, last_s: int) -> None:
        self.last_s = last_s  # of the newest refusal
        self.platforms: list[int] = []
        self.uses: dict[int, int] = {}  # platform -> when; may still open the next flood


class UsedLater(Generic[Recipient]):
    """Mutable; times are seconds since `EPOCH_S`. The recipient refused last comes last.

    >>> used_later = UsedLater()
    >>> note_refusal(used_later, "victim", 7, 1000)
    True
    >>> note_use(used_later, "victim", 7, 1000 + QUIET_S)
    >>> confirm(used_later, 1000 + QUIET_S), confirm(used_later, 1000 + 2 * QUIET_S)
    ([], [('victim', 7)])
    """

    __slots__ = ("entries", "recipients_max", "used")

    def __init__(self, recipients_max: int = RECIPIENTS_MAX) -> None:
        self.recipients_max = recipients_max
        self.entries: dict[Recipient, RefusedPlatforms] = {}
        self.used: dict[Recipient, None] = {}  # those with uses, in the order of the log

    def drop(self, recipient: Recipient) -> None:
        """Forget a recipient."""
        if self.entries.pop(recipient, None) is not None:
            self.used.pop(recipient, None)

    def state(self) -> list[list[Any]]:
        """Everything, in lists; `revive` is the way back."""
        return [
            [recipient, held.last_s, list(held.platforms), [list(use) for use in held.uses.items()]]
            for recipient, held in self.entries.items()
        ]


def revive(state: list[list[Any]]) -> UsedLater[int]:
    """From `UsedLater.state`. Raise ValueError for a use of what was not refused."""
    used_later: UsedLater[int] = UsedLater()
    uses = []
    for recipient, last_s, platforms, used in state:
        held = used_later.entries[recipient] = RefusedPlatforms(last_s)
        held.platforms = list(platforms)
        held.uses = dict(used)
        if not held.uses.keys() <= set(platforms):
            raise ValueError("a use of a platform that was not refused")
        if used:
            uses.append(recipient)
    used_later.used = dict.fromkeys(uses)
    return used_later


def note_refusal(
    used_later: UsedLater[Recipient], recipient: Recipient, platform: int, at_s: int
) -> bool:
    """Note that a code was refused, or would be by a lease in shadow; whether it is the first.

    Uses of the half hour before opened this flood, and are forgotten.
    """
    entries = used_later.entries
    held = entries.pop(recipient, None)
    if held is None:
        held = RefusedPlatforms(at_s)
        if len(entries) >= used_later.recipients_max:
            used_later.drop(next(iter(entries)))
    entries[recipient] = held
    held.last_s = max(held.last_s, at_s)
    if held.uses:
        held.uses = {p: used_s for p, used_s in held.uses.items() if used_s <= at_s - QUIET_S}
        if not held.uses:
            del used_later.used[recipient]
    if len(held.platforms) >= PLATFORMS_MAX or platform in held.platforms:
        return False
    held.platforms.append(platform)
    return True


def note_use(
    used_later: UsedLater[Recipient], recipient: Recipient, platform: int, at_s: int
) -> None:
    """Note a code that was not refused."""
    held = used_later.entries.get(recipient)
    if (
        held is not None
        and platform in held.platforms
        and QUIET_S <= at_s - held.last_s < HORIZON_S
    ):
        held.uses.setdefault(platform, at_s)
        used_later.used[recipient] = None


def confirm(used_later: UsedLater[Recipient], now_s: int) -> list[tuple[Recipient, int]]:
    """The uses that stand by now, each told once; what is older than the horizon is forgotten."""
    stand = []
    for recipient in list(used_later.used):
        held = used_later.entries[recipient]
        for platform, used_s in list(held.uses.items()):
            if used_s <= now_s - QUIET_S:
                stand.append((recipient, platform))
                del held.uses[platform]
                held.platforms.remove(platform)
        if not held.uses:
            del used_later.used[recipient]
    for recipient, held in list(used_later.entries.items()):
        if now_s - HORIZON_S < held.last_s <= now_s + HORIZON_S:
            break  # later than that is a clock that was ahead
        if not held.uses:
            used_later.drop(recipient)
    return stand
