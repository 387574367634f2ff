"""One suspect, exactly: from its sightings to scores, from scores to a finding.

Two kinds of evidence. *Burst*: a leaky bucket of platforms, a CUSUM (Page 1954) on pace; a sighting
adds one, time leaks 1.5 a minute. *Slow*: novel platforms within a window, in full or counted at
least a gap apart, so that one sitting of a person counts little. Scores know no bar; the bars stand
in the tables below and are compared in one place.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from detectors.event import platform_print
from detectors.memory import DAY_S, Memory, word
from detectors.stamps import Stamps

if TYPE_CHECKING:
    from detectors.episode import Episode

LEAK_MILLI_S: Final = 25
"""Thousandths of a sighting that leak in a second: 1.5 a minute. A person's log-ins come at least
40 s apart in the mean (domain model: 54-90 s), a flood's at 2 a minute and more."""

SIGHTINGS_MAX: Final = 64
"""Novel sightings, and again so many known ones, that a suspect holds: the highest bar is 61."""

TAINTED_DAYS: Final = 2
TAINT_S: Final = 2 * DAY_S
"""A platform first seen in an episode that stayed at WATCH is known when it has come on so many
days, each time within so long. Chosen: people who share a number are left alone from the third day
on; an attacker who wants a flood to become known has to be watched for two days first."""


class Band(IntEnum):
    """Where the evidence stands at one event."""

    QUIET = 0  # no message of the flood for so long that it is over
    HOLD = 1  # under every bar
    WATCH = 2
    THROTTLE = 3


class Bar(NamedTuple):
    """What a score has to reach."""

    watch: float
    throttle: float


class Habit(IntEnum):
    """What is known of how often a benign sighting is novel: it decides the spaced bars."""

    SMALL_MEMORY = 0  # the row remembers fewer than 14 platforms
    LARGE_MEMORY = 1  # 14 or more
    HALF = 2  # the operator measured P(novel) <= .5
    THIRD = 3  # the operator measured P(novel) <= .3


# Every bar below: simulated on the domain model so that a benign subscriber-day passes WATCH with
# 1e-4 and THROTTLE with 1e-6. The model's rates are assumed; `otpguard calibrate` measures them.

BURST: Final[Mapping[Stamps, Bar]] = MappingProxyType(
    {
        Stamps.EXACT: Bar(1.6, 2.6),
        Stamps.MINUTE: Bar(1.5, 3.5),  # a minute's sightings fall on one second
        Stamps.JITTER_30S: Bar(2.1, 3.2),
        Stamps.JITTER_120S: Bar(2.1, math.inf),  # such pace is no evidence to act on
    }
)
"""Level of the bucket, in sightings."""

BURST_NOVEL: Final = Bar(3, 5)
"""Novel platforms since the bucket was last empty: a person meets old acquaintances too."""

RAW_35MIN: Final = Bar(37, 43)
RAW_24H: Final = Bar(54, 61)
"""Novel platforms, all counted. 35 min: the length of the Dalian incident."""

SPACED_10MIN_24H: Final[Mapping[Habit, Bar]] = MappingProxyType(
    {
        Habit.SMALL_MEMORY: Bar(28, 31),
        Habit.LARGE_MEMORY: Bar(22, 26),
        Habit.HALF: Bar(17, 22),
        Habit.THIRD: Bar(12, 17),
    }
)
SPACED_5MIN_3H: Final[Mapping[Habit, Bar]] = MappingProxyType(
    {
        Habit.SMALL_MEMORY: Bar(21, 24),
        Habit.LARGE_MEMORY: Bar(17, 21),
        Habit.HALF: Bar(14, 18),
        Habit.THIRD: Bar(12, 14),
    }
)
"""Novel platforms counted at least so far apart, within so long."""

BURST_MARGIN_MAX: Final = 3.0
"""Chosen: with it 60 platforms in 35 minutes are throttled after 14 messages instead of 6 (the
median of 400 incidents). Never negative: the sieve's own bar is the lowest WATCH bar above."""

LARGE_MEMORY: Final = 14
COUNT_MIN: Final = 12
"""The lowest bar of any count: with fewer novel sightings no count is looked at."""


@dataclass(frozen=True, slots=True)
class JudgeParams:
    """What an operator's own measurement changes."""

    p_novel: float | None = None  # share of benign sightings that are novel, by `calibrate`
    burst_margin: float = 0.0  # sightings on top of the bucket's bars: where people are faster

    def __post_init__(self) -> None:
        if self.p_novel is not None and not 0 <= self.p_novel <= 1:
            raise ValueError(f"p_novel must be a probability: {self.p_novel}")
        if not 0 <= self.burst_margin <= BURST_MARGIN_MAX:
            raise ValueError(f"burst_margin must be 0 to {BURST_MARGIN_MAX}: {self.burst_margin}")


class Scores(NamedTuple):
    """The evidence at one instant; no bar is known here."""

    at_s: int
    level: float  # of the bucket
    burst_novel: int
    burst_since_s: int
    raw_35min: int = 0
    raw_24h: int = 0
    spaced_10min_24h: int = 0
    spaced_5min_3h: int = 0


class Finding(NamedTuple):
    """What scores amount to: the highest band, and the rule that was furthest over its bar."""

    band: Band
    rule: str
    score: float
    threshold: float
    since_s: int  # the evidence begins here


CALM: Final = Finding(Band.HOLD, "", 0, 0, 0)
"""Under every bar."""


class Seen(IntEnum):
    """What one message is to its recipient."""

    LATE = 0  # over a day older than the newest sighting: not judged
    REPEAT = 1  # of a sighting
    SIGHTING = 2


class Suspect:
    """The sightings of one recipient, and the bucket after the last of them.

    A sighting is a word of `detectors.memory`. One older than a day stands for a known platform.
    """

    __slots__ = (
        "bucket_level_milli",
        "bucket_novel",
        "bucket_s",
        "bucket_since_s",
        "due_s",
        "episode",
        "last_s",
        "memory",
        "name",
        "novels",
        "recipient",
        "row",
        "seen",
        "sightings",
        "stamps",
        "tainted",
    )

    def __init__(
        self, recipient: int, name: str, row: int, sightings: list[int], memory: Memory
    ) -> None:
        self.recipient = recipient
        self.row = row  # in the partition's table: a suspect's row is never given away
        self.name = name  # E.164 digits, or the token
        self.sightings = sightings  # ascending
        self.seen = {w & 0xFFFF_FFFF: w for w in sightings}
        self.novels = sum(w >> 32 & 1 for w in sightings)
        self.tainted: dict[int, int] = {}  # platform first seen in an episode -> days it came on
        self.memory = memory
        self.last_s = 0  # of the newest message since it is a suspect
        self.due_s = 0  # when to ask whether it may be let go
        self.stamps = Stamps.EXACT  # the coarsest of any gateway since it is a suspect
        self.episode: Episode | None = None
        self.bucket_level_milli = 0
        self.bucket_novel = 0  # since it was last empty,
        self.bucket_since_s = 0  # which was then
        self.bucket_s = 0  # of the last sighting
        _refill(self)

    def knows(self, platform: int, at_s: int) -> bool:
        """Whether this recipient knew the platform before the day that ends at `at_s`.

        What was first seen in an episode is tainted: it does not become known by it alone.
        """
        held = self.seen.get(platform)
        if held is None:
            return platform_print(platform) in self.memory.prints or self._kin(platform, at_s)
        if not held >> 32 & 1:
            return True
        since_s = held >> 33
        if at_s - since_s < DAY_S or self.tainted.get(platform, TAINTED_DAYS) < TAINTED_DAYS:
            return False
        return self.episode is None or since_s < self.episode.since_s

    def _kin(self, platform: int, at_s: int) -> bool:
        """Whether it knows one with the same print, which may have taken that out of the memory."""
        wanted = platform_print(platform)
        alike = (p for p in self.seen if platform_print(p) == wanted)
        return any(self.knows(p, at_s) for p in alike)

    def known(self, at_s: int) -> list[int]:
        """The platform ids that it knows, ascending; those in its memory have no id any more."""
        return sorted(p for p in self.seen if self.knows(p, at_s))

    def prints(self, at_s: int) -> set[int]:
        """The prints of all that it knows, in its memory or by id."""
        return set(self.memory.prints) - {0} | {platform_print(p) for p in self.known(at_s)}

    def memory_size(self, at_s: int) -> int:
        """How many platforms it knows, as far as prints tell them apart."""
        return len(self.prints(at_s))


def see(suspect: Suspect, platform: int, at_s: int) -> Seen:
    """Takes one message in."""
    sightings = suspect.sightings
    suspect.last_s = max(suspect.last_s, at_s)
    newest_s = sightings[-1] >> 33 if sightings else at_s
    if at_s <= newest_s - DAY_S:
        return Seen.LATE
    held = suspect.seen.get(platform)
    if held is not None and -DAY_S < at_s - (held >> 33) < DAY_S:
        return Seen.REPEAT
    novel = not suspect.knows(platform, at_s)
    if held is not None:
        days = suspect.tainted.get(platform, 0)
        _forget(suspect, held)
        if novel and days and at_s - (held >> 33) < TAINT_S:
            suspect.tainted[platform] = days + 1
    sighting = word(at_s, novel, platform)
    suspect.seen[platform] = sighting
    suspect.novels += novel
    insort(sightings, sighting)
    if len(sightings) > SIGHTINGS_MAX:
        _bound(suspect)
    if at_s >= newest_s:
        _fill(suspect, at_s, novel)
    else:
        _refill(suspect)
    return Seen.SIGHTING


def _bound(suspect: Suspect) -> None:
    """A flood pushes out its own oldest, never what is known."""
    newest_s = suspect.sightings[-1] >> 33
    if suspect.novels > SIGHTINGS_MAX:
        oldest = next(w for w in suspect.sightings if w >> 32 & 1)
        platform = oldest & 0xFFFF_FFFF
        known = suspect.knows(platform, newest_s)
        _forget(suspect, oldest)
        if known:  # over a day old: it is no news any more, but what it stands for stays
            oldest = word(oldest >> 33, 0, platform)
            insort(suspect.sightings, oldest)
            suspect.seen[platform] = oldest
    if len(suspect.sightings) - suspect.novels > SIGHTINGS_MAX:
        _forget(suspect, next(w for w in suspect.sightings if not w >> 32 & 1))


def _forget(suspect: Suspect, sighting: int) -> None:
    suspect.sightings.remove(sighting)
    suspect.novels -= sighting >> 32 & 1
    platform = sighting & 0xFFFF_FFFF
    del suspect.seen[platform]
    suspect.tainted.pop(platform, None)


def taint_since(suspect: Suspect, since_s: int) -> None:
    """Marks the novel sightings from `since_s` on: platforms that one episode does not make known.

    They are novel when they come back. If that is within two days the mark stays.
    """
    for sighting in suspect.sightings:
        if sighting >> 32 & 1 and sighting >> 33 >= since_s:
            suspect.tainted.setdefault(sighting & 0xFFFF_FFFF, 1)


def forget_tainted(suspect: Suspect, at_s: int) -> None:
    """Drops what is marked and has not become known: it counts afresh."""
    for platform in [p for p in suspect.tainted if not suspect.knows(p, at_s)]:
        _forget(suspect, suspect.seen[platform])
    _refill(suspect)


def _fill(suspect: Suspect, at_s: int, novel: int) -> None:
    """Leaks, then adds one sighting. Two of one second add up in either order."""
    level = suspect.bucket_level_milli - LEAK_MILLI_S * (at_s - suspect.bucket_s)
    if level <= 0:
        level = 0
        suspect.bucket_novel = 0
        suspect.bucket_since_s = at_s
    suspect.bucket_level_milli = level + 1000
    suspect.bucket_novel += novel
    suspect.bucket_s = at_s


def _refill(suspect: Suspect) -> None:
    """Runs the bucket over all sightings."""
    suspect.bucket_level_milli = suspect.bucket_novel = suspect.bucket_s = 0
    suspect.bucket_since_s = 0
    for sighting in suspect.sightings:
        _fill(suspect, sighting >> 33, sighting >> 32 & 1)


def judge(params: JudgeParams, suspect: Suspect, at_s: int) -> Finding:
    """The finding after a sighting at `at_s` was seen.

    A sighting that came out of order may have raised any instant after it: each of them is looked
    at again, and the strongest finding counts.
    """
    sightings = suspect.sightings
    in_order = at_s >= sightings[-1] >> 33
    if in_order and suspect.novels < COUNT_MIN and suspect.bucket_novel < BURST_NOVEL.watch:
        return CALM  # what most benign sightings come to
    bars = bars_of(params, suspect, at_s)
    if in_order:
        return _compare(bars, scores(suspect))
    findings = [_compare(bars, found) for found in retraced(suspect, at_s)]
    return max(findings, key=attrgetter("band"))


def retraced(suspect: Suspect, from_s: int) -> Iterator[Scores]:
    """The evidence right after each sighting from `from_s` on, oldest first."""
    replay = Suspect(suspect.recipient, suspect.name, suspect.row, [], suspect.memory)
    for sighting in suspect.sightings:
        replay.sightings.append(sighting)
        replay.novels += sighting >> 32 & 1
        _fill(replay, sighting >> 33, sighting >> 32 & 1)
        if sighting >> 33 >= from_s:
            yield scores(replay)


def scores(suspect: Suspect) -> Scores:
    """The evidence right after the newest sighting; a day back, and no further."""
    at_s = suspect.bucket_s
    level = suspect.bucket_level_milli / 1000
    burst = (at_s, level, suspect.bucket_novel, suspect.bucket_since_s)
    if suspect.novels < COUNT_MIN:
        return Scores(*burst)
    raw_35min = raw_24h = spaced_10min_24h = spaced_5min_3h = 0
    next_10min = next_5min = at_s
    # From the newest back, taking each that is far enough from the last taken: the most there can
    # be, and a function of the window alone.
    for sighting in reversed(suspect.sightings):
        seen_s = sighting >> 33
        if seen_s <= at_s - DAY_S:
            break
        if not sighting >> 32 & 1:
            continue
        raw_24h += 1
        raw_35min += seen_s > at_s - 35 * 60
        if seen_s <= next_10min:
            spaced_10min_24h += 1
            next_10min = seen_s - 600
        if seen_s > at_s - 3 * 3600 and seen_s <= next_5min:
            spaced_5min_3h += 1
            next_5min = seen_s - 300
    return Scores(*burst, raw_35min, raw_24h, spaced_10min_24h, spaced_5min_3h)


class Bars(NamedTuple):
    """The bars that hold for one suspect now."""

    level: Bar
    raw_35min: Bar
    raw_24h: Bar
    spaced_10min_24h: Bar
    spaced_5min_3h: Bar


def bars_of(params: JudgeParams, suspect: Suspect, at_s: int) -> Bars:
    """Chosen by the stamps of its gateways, and by how often a benign sighting would be novel."""
    if suspect.novels < COUNT_MIN:
        habit = Habit.SMALL_MEMORY  # the spaced bars are not looked at
    elif params.p_novel is not None and params.p_novel <= 0.3:
        habit = Habit.THIRD
    elif params.p_novel is not None and params.p_novel <= 0.5:
        habit = Habit.HALF
    elif suspect.memory_size(at_s) >= LARGE_MEMORY:
        habit = Habit.LARGE_MEMORY
    else:
        habit = Habit.SMALL_MEMORY
    level, margin = BURST[suspect.stamps], params.burst_margin
    return Bars(
        Bar(level.watch + margin, level.throttle + margin) if margin else level,
        RAW_35MIN,
        RAW_24H,
        SPACED_10MIN_24H[habit],
        SPACED_5MIN_3H[habit],
    )


def _compare(bars: Bars, found: Scores) -> Finding:
    level, novel = found.level, found.burst_novel
    at_s = found.at_s
    best = CALM
    if level >= bars.level.throttle and novel >= BURST_NOVEL.throttle:
        best = Finding(Band.THROTTLE, "burst", level, bars.level.throttle, found.burst_since_s)
    elif level >= bars.level.watch and novel >= BURST_NOVEL.watch:
        best = Finding(Band.WATCH, "burst", level, bars.level.watch, found.burst_since_s)
    if found.raw_24h < COUNT_MIN:
        return best
    for rule, bar, window_s in (
        ("raw_35min", bars.raw_35min, 35 * 60),
        ("raw_24h", bars.raw_24h, DAY_S),
        ("spaced_5min_3h", bars.spaced_5min_3h, 3 * 3600),
        ("spaced_10min_24h", bars.spaced_10min_24h, DAY_S),
    ):
        count = getattr(found, rule)
        if count >= bar.throttle and best.band < Band.THROTTLE:
            best = Finding(Band.THROTTLE, rule, count, bar.throttle, at_s - window_s + 1)
        elif count >= bar.watch and best.band < Band.WATCH:
            best = Finding(Band.WATCH, rule, count, bar.watch, at_s - window_s + 1)
    return best
