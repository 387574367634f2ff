"""A uniform random sample of recipients, followed through the whole history. Pure.

Memory is bounded by Wegman's adaptive sampling (Flajolet 1990). A recipient belongs to the sample
if its hash begins with at least `zeros` zero bits. When the sample exceeds its limit, one more zero
is required. Each recipient in the sample is therefore known from its first event. The size of the
sample gives an estimate of the number of recipients.
"""

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.times import DAY_S
from detectors.recipients.overflow import PLACES_MAX
from detectors.recipients.row import PRINTS, RING

SITTING_S: Final = 600
"""Seconds. A person logs in a few times, then pauses. Sightings closer together than this form one
sitting."""

SPREE: Final = 3
"""Number of platforms that make a sitting a log-in spree. The detector must not confuse a spree
with a flood."""

GAP_BIN_S: Final = 5
KNOWN_MAX: Final = RING + PRINTS + PLACES_MAX - 1
"""Number of platforms that the detector can remember of one recipient."""


class Subscriber:
    """One recipient of the sample. Times: seconds since `EPOCH_S`."""

    __slots__ = ("novel", "platforms", "sighted_s", "size")

    def __init__(self) -> None:
        self.sighted_s = 0  # Time of its newest sighting.
        self.size = self.novel = 0  # Platforms, and novel platforms, in the present sitting.
        # Platform -> time of its sighting; the longest unseen first.
        self.platforms: dict[int, int] = {}


class Cohort:
    """The sample, and the statistics over it."""

    def __init__(self, people_max: int = 1 << 15) -> None:
        self.people_max = people_max
        self.zeros = 0
        self.people: dict[int, Subscriber] = {}
        self.left_out: set[int] = set()
        # Histogram of the gaps between sightings of one sitting.
        self.gaps = np.zeros(SITTING_S // GAP_BIN_S, np.int64)
        # Sittings by number of platforms; 64 stands for 64 and more.
        self.sittings: Counter[int] = Counter()
        # Day -> novel sightings and all sightings, in sprees.
        self.spree_days: dict[int, list[int]] = {}

    @property
    def recipients(self) -> int:
        """The number of recipients; exact until the sample is full, then within 1 %."""
        return len(self.people) + len(self.left_out) << self.zeros

    def observe(
        self,
        recipient: NDArray[np.uint64],
        at_s: NDArray[np.int64],
        platform: NDArray[np.uint32],
        otp: NDArray[np.bool_],
    ) -> None:
        """Add messages in log order; times are seconds since `EPOCH_S`."""
        chosen = np.flatnonzero(zeros_of(recipient) >= self.zeros)
        for who, at, what, code in zip(
            recipient[chosen].tolist(),
            at_s[chosen].tolist(),
            platform[chosen].tolist(),
            otp[chosen].tolist(),
            strict=True,
        ):
            person = self.people.get(who)
            if person is None:
                if who in self.left_out:
                    continue
                person = self.people[who] = Subscriber()
            if code:
                self._sight(person, at, what)
        while len(self.people) + len(self.left_out) > self.people_max:
            self.zeros += 1
            self.people = {who: self.people[who] for who in self._keep_sampled(self.people)}
            self.left_out = set(self._keep_sampled(self.left_out))

    def leave_out(self, recipient: int) -> None:
        """Stop counting this recipient, because its codes are, or may be, an attack."""
        known = self.people.pop(recipient, None) is not None
        if known or zeros_of(np.array([recipient], np.uint64))[0] >= self.zeros:
            # Also before its first message is added: both may be in one batch.
            self.left_out.add(recipient)

    def close(self) -> None:
        """Count the sittings that have not ended."""
        for person in self.people.values():
            self._end_sitting(person)

    def _keep_sampled(self, recipients: set[int] | dict[int, Subscriber]) -> list[int]:
        keys = np.fromiter(recipients, np.uint64, len(recipients))
        return [int(key) for key in keys[zeros_of(keys) >= self.zeros].tolist()]

    def _sight(self, person: Subscriber, at_s: int, platform: int) -> None:
        """Count one code, unless it repeats a sighting of the last day."""
        platforms = person.platforms
        held = platforms.pop(platform, None)
        if held is not None and at_s - held < DAY_S:
            platforms[platform] = held
            return
        platforms[platform] = at_s
        if len(platforms) > KNOWN_MAX:
            del platforms[next(iter(platforms))]
        gap_s = at_s - person.sighted_s
        if gap_s >= SITTING_S or not person.size:
            self._end_sitting(person)
        elif gap_s >= 0:
            self.gaps[gap_s // GAP_BIN_S] += 1
        person.sighted_s = max(person.sighted_s, at_s)
        person.size += 1
        person.novel += held is None

    def _end_sitting(self, person: Subscriber) -> None:
        if not person.size:
            return
        self.sittings[min(person.size, 64)] += 1
        if person.size >= SPREE:
            day = self.spree_days.setdefault(person.sighted_s // DAY_S, [0, 0])
            day[0] += person.novel
            day[1] += person.size
        person.size = person.novel = 0


def zeros_of(recipients: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the leading zero bits of each recipient's hash, up to 53.

    The hash is splitmix64 (Steele et al. 2014).

    >>> zeros_of(np.array([8613800000001, 8613800000002], np.uint64)).tolist()
    [2, 0]
    """
    x = recipients * np.uint64(0x9E37_79B9_7F4A_7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    uniform = ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) + 1
    return (53 - np.frexp(uniform)[1]).astype(np.int64).clip(0)
