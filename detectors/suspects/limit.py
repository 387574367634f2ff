"""The limit on one platform: a platform that sends again and again is refused alone.

A flood of one to four platforms reaches no other threshold, because these ask for five platforms.
So each platform that the recipient does not know, or that is young, has a limit of its own. The
lease that follows refuses this platform and no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from math import ceil
from typing import Annotated, Final, NamedTuple

from detectors.model.fields import Bounds, Count, Offset, PlatformId, TimeMs
from detectors.model.records import Mode, Step
from detectors.model.times import DAY_S
from detectors.recipients.repeats import Repeats
from detectors.thresholds import (
    LIMIT_24H,
    LIMIT_35MIN,
    LIMIT_MORE,
    LIMIT_MS,
    LIMITS_TOTAL,
    RETRY_S,
    TOTAL_FAR_BY,
    TOTAL_FAR_S,
    TOTAL_SHARE,
)

WINDOWS: Final = (
    ("limit_35min", 35 * 60, LIMIT_35MIN, 2),
    ("limit_24h", DAY_S, LIMIT_24H, 3),
)
"""Rule, window in seconds, threshold, and its divisor while an earlier flood is remembered."""


PLATFORMS_MAX: Final = 256
"""Maximum number of platforms of a platform lease, as the contract says."""

_TOTAL_RULES: Final = frozenset(limit.rule for limit in LIMITS_TOTAL)
_NEVER: Final = (-(1 << 62),) * 2


class Limit(NamedTuple):
    """A limit that is reached."""

    rule: str
    score: int | float
    threshold: int | float


def judge_limit(repeats: Repeats, key: int, *, relapse: bool) -> Limit | None:
    """Return the limit that the newest codes of a platform reach, or None. `key`: see `Repeats`."""
    number = len(repeats.codes[key])
    for rule, window_s, threshold, divisor in WINDOWS:
        lower = threshold / divisor if relapse else threshold
        if number >= lower and (count := repeats.count(key, window_s)) >= lower:
            return Limit(rule, count, lower)
    return None


class Total(NamedTuple):
    """A limit on all platforms together that is reached."""

    limit: Limit
    ends_s: dict[int, int]  # refused platform -> time from which fewer codes lie in the window


def judge_total(
    repeats: Repeats, recipient: int, platforms: Mapping[int, int], knows: Callable[[int], bool],
    newest_s: int,
) -> Total | None:  # fmt: skip
    """Return the limit on all platforms together that the codes up to `newest_s` reach, or None.

    `recipient`: its part of the keys of `repeats`. `platforms`: platform of the recipient -> time
    of its first code of a day. `knows` returns true if the recipient knows a platform and it is not
    young. See `LIMITS_TOTAL`.
    """
    total: Total | None = None
    held = {p: repeats.codes[recipient | p] for p in platforms if recipient | p in repeats.codes}
    if sum(map(len, held.values())) < LIMITS_TOTAL[0].unknown:  # the lowest limit
        return None
    for rule, window_s, unknown, known_most, enough, over_by in LIMITS_TOTAL:
        codes = {p: repeats.since(recipient | p, newest_s - window_s) for p in held}
        times_s = sorted(chain.from_iterable(codes.values()))
        count = len(times_s)
        for known, most in enumerate((unknown, known_most)):
            if count < most:
                continue
            share = ceil(TOTAL_SHARE * count / sum(map(bool, codes.values())))
            over = count >= most + over_by
            least = 1 if over or not known else max(2, min(share, enough))
            often = {p for p in codes if len(codes[p]) >= least}
            if over and window_s < DAY_S:
                since_s = newest_s - (TOTAL_FAR_S if count >= most + TOTAL_FAR_BY else window_s)
                often |= {p for p, at_s in platforms.items() if at_s > since_s}
            often = {p for p in sorted(often) if knows(p) == known}
            end_s = times_s[-most] + window_s
            if often:
                others_s = total.ends_s if total is not None else {}
                later_s = {p: max(end_s, others_s.get(p, 0)) for p in often}
                total = Total(Limit(rule, count, most), others_s | later_s)
    return total


@dataclass(slots=True, eq=False)
class PlatformLease:
    """The newest platform lease of a suspect: it refuses single platforms."""

    id: str  # id of the episode that this lease stands for
    # Mode -> platform that is refused in this mode -> end of its refusal.
    ends_ms: dict[Mode, dict[PlatformId, TimeMs]] = field(
        default_factory=lambda: {"enforce": {}, "shadow": {}}
    )
    # Platform past its limit, or known and refused -> begin of its newest series of refused codes
    # (or the time under which a retry would count that passed and ended the series), time of the
    # newest code, and number of series since the lease: see `observe_refused` and `end_row`.
    again_ms: dict[PlatformId, tuple[TimeMs, TimeMs, Count]] = field(default_factory=dict)
    # Platforms that the newest lease refuses, ascending.
    refused: Annotated[tuple[PlatformId, ...], Bounds(0, PLATFORMS_MAX)] = ()
    issued_ms: TimeMs = 0
    expires_ms: TimeMs = 0
    offset: Offset = -1  # offset of the event that caused the newest lease
    mode: Mode = "shadow"
    # Opening of the episode of kind `limit` that this lease has; None: it has no open one.
    opened: Step | None = None
    # The last limit that was reached.
    limit: Limit = field(default_factory=lambda: Limit(WINDOWS[0][0], 0, 0))

    def __post_init__(self) -> None:
        if self.ends_ms.keys() != {"enforce", "shadow"}:
            raise ValueError("a platform lease without the platforms of a mode")

    def refuses(self, platform: int, at_ms: int) -> bool:
        """Return true if this lease refuses an untrusted code at this time."""
        return self.issued_ms < at_ms < self.expires_ms and platform in self.refused

    @property
    def is_total(self) -> bool:
        """Return true if all platforms together reached this lease's limit: see `judge_total`."""
        return self.limit.rule in _TOTAL_RULES

    def is_caused_by(self, platform: int, at_ms: int) -> bool:
        """Return true if a code of this time caused the lease: this is a second delivery."""
        return at_ms == self.issued_ms and platform in self.refused

    def follows_refused(self, platform: int, at_ms: int) -> bool:
        """Return true if a code follows a refused one within the time of a sender's retries."""
        return at_ms - self.again_ms.get(platform, _NEVER)[1] < RETRY_S * 1000

    def is_retry(self, platform: int, at_ms: int, counted_ms: int) -> bool:
        """Return true if a code is a sender's retry, or a second delivery of a retry that passed.

        `counted_ms`: the time under which the code counts. At gateways with whole minutes, it
        differs for the codes of one minute.
        """
        first_ms, last_ms = self.again_ms.get(platform, _NEVER)[:2]
        passed = (first_ms, last_ms) == (counted_ms, at_ms - RETRY_S * 1000)
        return passed or self.follows_refused(platform, at_ms)

    def observe_refused(self, platform: int, at_ms: int, *, limited: bool) -> bool:
        """Record a refused code. Return true if it shows that a platform past its limit goes on.

        `limited`: the platform has a limit of its own. Codes that follow each other within
        `RETRY_S` are a row: they may all be a sender's retries of the first one. So a row counts
        once, unless it lasts for half of the lease.
        """
        if limited and platform not in self.again_ms:
            return False
        begins = not self.follows_refused(platform, at_ms)
        first_ms, last_ms, rows = self.again_ms.get(platform, (at_ms, at_ms, 0))
        if begins:
            first_ms, rows = at_ms, rows + 1
        self.again_ms[platform] = first_ms, max(at_ms, last_ms), rows
        goes_on = (begins and rows >= LIMIT_MORE) or at_ms - first_ms >= LIMIT_MS // 2
        return limited and goes_on

    def end_row(self, platform: int, at_ms: int, counted_ms: int) -> None:
        """Record that a retry passed: the next code is no retry, but a second delivery of this is.

        Otherwise all codes of a tool would pass uncounted for `RETRY_S` after each lease.
        """
        self.again_ms[platform] = counted_ms, at_ms - RETRY_S * 1000, self.again_ms[platform][2]

    def put(self, platform: int, end_ms: int, mode: Mode) -> None:
        """Refuse a platform up to this time, from the next lease on."""
        for ends_ms in self.ends_ms.values():
            end_ms = max(end_ms, ends_ms.pop(platform, 0))
        self.ends_ms[mode][platform] = end_ms

    def forget_from(self, from_ms: int) -> None:
        """End a lease issued at `from_ms` or later, and empty its list: a clock was ahead."""
        if self.issued_ms >= from_ms:
            self.issued_ms = self.expires_ms = 0
            self.clear()

    def clear(self) -> None:
        """Empty the list of refused platforms; this takes effect with the next lease."""
        self.ends_ms, self.again_ms = {"enforce": {}, "shadow": {}}, {}
