"""Refused platforms that the recipient uses afterwards: the sign of a harmful throttle.

The recipient does not know the platforms of a flood, and does not use them later. But a person
whose log-in was mistaken for a flood tries again when it is over, and uses the account from then
on. So a refused platform *is used later* if a code of it comes under these conditions:

- It comes within a week of the last refusal, and nothing was refused in the half hour before it.
  Codes that come sooner belong to the flood.
- Nothing is refused in the half hour after it. Codes before a refusal belong to the next flood.

This is a measurement only: no decision depends on it. The count is too high if a flood continues
too slowly to be throttled. The count is too low if a platform is used again only after a week.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Annotated, Final, Generic, TypeAlias, TypeVar

from detectors.defaults import QUIET_S  # `detect.quiet_s` changes nothing here
from detectors.model.fields import As, PlatformId, Time, Word
from detectors.model.times import DAY_S

HORIZON_S: Final = 7 * DAY_S
"""Time after the last refusal in which a use counts. Chosen: people use an account they need again
within a week."""

RECIPIENTS_MAX: Final = 4096
"""Maximum number of recipients per partition, those refused last; 11 MB. Chosen: ten campaigns
against 400 recipients a week."""

PLATFORMS_MAX: Final = 64
"""Maximum number of platforms per recipient, those refused first. Incidents have about 60."""

Recipient = TypeVar("Recipient", bound=Hashable)


@dataclass(slots=True, eq=False)
class RefusedPlatforms:
    """The platforms refused at one recipient, and which of these platforms came again since."""

    last_s: Time  # time of the newest refusal
    platforms: list[PlatformId] = field(default_factory=list)
    # Platform -> time of its use. Not confirmed yet: it may be the start of the next flood.
    uses: dict[PlatformId, Time] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.uses.keys() <= set(self.platforms):
            raise ValueError("a use of a platform that was not refused")


@dataclass(slots=True, eq=False, repr=False)
class UsedLater(Generic[Recipient]):
    """The refused platforms of all recipients; `entries` is ordered by the newest refusal.

    A use is confirmed `QUIET_S` later. Mutable. Times are seconds since `EPOCH_S`.

    >>> used_later = UsedLater()
    >>> note_refusal(used_later, "victim", 7, 1000)
    True
    >>> note_use(used_later, "victim", 7, 1000 + QUIET_S)
    >>> confirm(used_later, 1000 + QUIET_S), confirm(used_later, 1000 + 2 * QUIET_S)
    ([], [('victim', 7)])
    """

    recipients_max: int = RECIPIENTS_MAX
    entries: dict[Recipient, RefusedPlatforms] = field(init=False, default_factory=dict)
    # Recipients with unconfirmed uses, in log order
    used: dict[Recipient, None] = field(init=False, default_factory=dict)

    def drop(self, recipient: Recipient) -> None:
        """Forget a recipient."""
        if self.entries.pop(recipient, None) is not None:
            self.used.pop(recipient, None)


def _revive(entries: dict[int, RefusedPlatforms]) -> UsedLater[int]:
    used_later: UsedLater[int] = UsedLater()
    used_later.entries = entries
    used_later.used = dict.fromkeys(each for each, held in entries.items() if held.uses)
    return used_later


StoredUsedLater: TypeAlias = Annotated[
    UsedLater[int], As(dict[Word, RefusedPlatforms], attrgetter("entries"), _revive)
]
"""The refused platforms of all recipients as a field of a state that is stored."""


def note_refusal(
    used_later: UsedLater[Recipient], recipient: Recipient, platform: int, at_s: int
) -> bool:
    """Record that a lease (enforced or shadow) refused a code.

    Returns true if this is the platform's first refusal recorded for the recipient. Uses in the
    half hour before it belong to this flood, so they are dropped.
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
    """Record a code that was not refused."""
    held = used_later.entries.get(recipient)
    if (
        held is not None
        and platform in held.platforms
        and QUIET_S <= at_s - held.last_s < HORIZON_S
    ):
        held.uses.setdefault(platform, at_s)
        used_later.used[recipient] = None


def confirm(used_later: UsedLater[Recipient], now_s: int) -> list[tuple[Recipient, int]]:
    """Return (recipient, platform) of each use that is confirmed by now, each once.

    Entries older than `HORIZON_S` are dropped.
    """
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
            break  # entries even later than this came from a clock that was ahead
        if not held.uses:
            used_later.drop(recipient)
    return stand
