"""The exact judge: computes scores from one suspect's sightings, and a finding from the scores.

There are two kinds of evidence here:

- *Burst*: a leaky bucket of platforms, a CUSUM (Page 1954) on pace. A sighting adds one, and 1.5
  leak out per minute.
- *Slow*: the number of novel platforms within a window. Some counts take all of them. Other counts
  take only sightings that are at least a gap apart, so one sitting of a person counts little.

Scores are computed without thresholds. The thresholds are in `detectors.thresholds`; `compare`
applies them. A third kind of evidence, the message volume, is in `volume`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, get_args

from detectors.model.times import DAY_S
from detectors.suspects.clocks import ClockClass
from detectors.suspects.suspect import Suspect, fill
from detectors.thresholds import (
    BURST_EXACT,
    BURST_JITTER_30S,
    BURST_JITTER_120S,
    BURST_MARGIN_MAX,
    BURST_MINUTE,
    BURST_NOVEL,
    CONFIRMED_24H,
    CONFIRMED_35MIN,
    CONFIRMED_LEVEL,
    COUNT_MIN,
    HOT_BURST_NOVEL,
    HOT_LEAD,
    HOT_LEAD_MOST,
    LARGE_MEMORY,
    LEAK_MILLI_S,
    RAW_24H,
    RAW_35MIN,
    SETTLED_DAYS,
    SPACED_2MIN_3H,
    SPACED_5MIN_3H,
    SPACED_10MIN_24H,
    SPACED_50S_3H,
    Bar,
)


class Band(IntEnum):
    """The rank of the evidence at one event."""

    QUIET = 0  # no message of the flood came for so long that the flood is over
    HOLD = 1  # below every threshold: the level stays as it is
    WATCH = 2  # a WATCH threshold is reached
    THROTTLE = 3  # a THROTTLE threshold is reached


class Habit(IntEnum):
    """How often a benign sighting is novel for this recipient. Selects the spaced thresholds."""

    SMALL_MEMORY = 0  # the memory has fewer than 14 platforms
    LARGE_MEMORY = 1  # 14 or more
    HALF = 2  # the operator measured P(novel) <= .5
    THIRD = 3  # the operator measured P(novel) <= .3


BURST: Final[Mapping[ClockClass, Bar]] = MappingProxyType(
    {
        ClockClass.EXACT: BURST_EXACT,
        ClockClass.MINUTE: BURST_MINUTE,
        ClockClass.JITTER_30S: BURST_JITTER_30S,
        ClockClass.JITTER_120S: BURST_JITTER_120S,
    }
)
"""Thresholds of the bucket's level, by the precision of a gateway's time stamps."""


RuleMode = Literal["off", "shadow", "enforce"]
MODES: Final = get_args(RuleMode)
SWITCHED: Final = ("returns", "volume", "relapse", "limit", "young", "narrow", "known")
"""Rules that can be switched. In shadow, the leases that rest on a rule have the mode shadow; the
rules `young` and `narrow`, which issue no leases of their own, then do nothing."""


@dataclass(frozen=True, slots=True)
class JudgeParams:
    """Settings of the judge, some from the operator's own measurements; they move thresholds."""

    p_novel: float | None = None  # share of benign sightings that are novel, from `calibrate`
    burst_margin: float = 0.0  # sightings added to the bucket's thresholds, where people are faster
    hot: bool = True  # use the score of platforms abused by other floods: see `suspects.hot_score`
    hot_lead: int = int(HOT_LEAD.throttle)  # THROTTLE threshold of that score
    cold_half: bool = False  # a platform that is not hot takes half a point instead of one
    # Minimum age of a memory, in days, for the rules `returns`, `volume_*`, `relapse`, `limit_*`.
    settled_days: int = SETTLED_DAYS
    # Rule of `SWITCHED` -> off, shadow or enforce. A rule that is not here enforces.
    rules: Mapping[str, RuleMode] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.p_novel is not None and not 0 <= self.p_novel <= 1:
            raise ValueError(f"p_novel must be a probability: {self.p_novel}")
        if not 0 <= self.burst_margin <= BURST_MARGIN_MAX:
            raise ValueError(f"burst_margin must be 0 to {BURST_MARGIN_MAX}: {self.burst_margin}")
        if not HOT_LEAD.throttle <= self.hot_lead <= HOT_LEAD_MOST:
            least = int(HOT_LEAD.throttle)
            raise ValueError(f"hot_lead must be {least} to {HOT_LEAD_MOST}: {self.hot_lead}")
        if not (self.rules.keys() <= set(SWITCHED) and set(self.rules.values()) <= set(MODES)):
            raise ValueError(f"rules must map {', '.join(SWITCHED)} to {', '.join(MODES)}")

    def mode(self, rule: str) -> RuleMode:
        """Return the mode of a rule of `SWITCHED`.

        The limit of known platforms is off unless the operator turns it on, because it also refuses
        codes that the recipient asked for.
        """
        return self.rules.get(rule, "off" if rule == "known" else "enforce")

    def is_shadowed(self, rule: str) -> bool:
        """Return true if a THROTTLE by this rule of the evidence is in shadow."""
        return self.mode(rule.removesuffix("_6h").removesuffix("_24h")) == "shadow"


def is_settled(params: JudgeParams, suspect: Suspect, at_s: int) -> bool:
    """Return true if the recipient's row is old enough for rules that count novelty over hours."""
    return at_s // DAY_S - suspect.memory.born_day >= params.settled_days


class Scores(NamedTuple):
    """The evidence at one instant, without thresholds.

    If some sightings have coarse time stamps, the bucket may cover only sightings up to some clock
    class.
    """

    at_s: int
    level: float  # level of the bucket, in sightings
    burst_novel: int  # novel sightings since the bucket was last empty
    burst_since_s: int  # time at which the bucket was last empty
    raw_35min: int = 0  # novel sightings in the last 35 minutes
    raw_24h: int = 0
    spaced_10min_24h: int = 0  # novel sightings in 24 h, counted at least 10 minutes apart
    spaced_5min_3h: int = 0
    spaced_2min_3h: int = 0
    spaced_50s_3h: int = 0
    coarse: frozenset[ClockClass] = frozenset()  # clock classes in the bucket, except EXACT


class Finding(NamedTuple):
    """The result of comparing scores: the highest band, and the first rule with this band."""

    band: Band
    rule: str
    score: float
    threshold: float
    since_s: int  # time at which the evidence begins


CALM: Final = Finding(Band.HOLD, "", 0, 0, 0)
"""The finding when every score is below its thresholds."""


def judge(
    params: JudgeParams, suspect: Suspect, at_s: int, stamps: ClockClass = ClockClass.EXACT
) -> Finding:
    """Return the finding after a sighting at `at_s` was recorded.

    `stamps` is the clock class of the sighting. A finding with the band `HOLD` and the rule `burst`
    is a burst of too few novel platforms for WATCH. Such a finding counts only together with the
    score of hot platforms (`detectors.suspects.hot_score`).

    A sighting that came out of order may have raised the score of any instant after it. So all of
    these instants are judged again, and the strongest finding counts.
    """
    sightings = suspect.sightings
    in_order = at_s >= sightings[-1] >> 33
    least = _UNMEASURED_MIN if params.p_novel is None else COUNT_MIN
    if in_order and len(suspect.novel_s) < least and suspect.bucket_novel < HOT_BURST_NOVEL:
        return CALM  # fast path: most benign sightings end here
    if in_order and not suspect.coarse:
        bars = bars_of(params, suspect, at_s)
        return compare(bars, scores(suspect, bars))
    findings = [
        compare(bars, found) for found, bars in instants(params, suspect, at_s, at_s, stamps)
    ]
    return max(findings, key=lambda finding: (finding.band, finding.rule != ""))


def strongest(params: JudgeParams, suspect: Suspect, at_s: int) -> tuple[Scores, Bars]:
    """Return the scores right after the newest sighting, and the thresholds for these scores.

    If the time stamps of the sightings have different clock classes, there is a bucket for each
    class. The bucket with the highest band is chosen.
    """
    if not suspect.coarse:
        return scores(suspect), bars_of(params, suspect, at_s)
    found = instants(params, suspect, suspect.bucket_s, at_s)
    return max(found, key=lambda pair: (compare(pair[1], pair[0]).band, len(pair[0].coarse)))


def instants(
    params: JudgeParams,
    suspect: Suspect,
    from_s: int,
    at_s: int,
    least: ClockClass = ClockClass.EXACT,
) -> Iterator[tuple[Scores, Bars]]:
    """Yield (scores, thresholds) right after each sighting from `from_s` on.

    The thresholds are those that apply at `at_s`. If the suspect has sightings with coarse time
    stamps, there is one pass per clock class that its sightings have, from `least` on. Each pass
    uses a bucket of the sightings whose stamps are no coarser than this class.
    """
    bars = bars_of(params, suspect, at_s)
    if not suspect.coarse:
        yield from ((found, bars) for found in replay_scores(suspect, from_s))
        return
    for finest in sorted({ClockClass.EXACT, *suspect.coarse.values()}):
        if finest >= least:
            for found in _up_to(suspect, from_s, finest):
                yield found, _adapt_to_clocks(params, bars, found.coarse)


def _up_to(suspect: Suspect, from_s: int, finest: ClockClass) -> Iterator[Scores]:
    """Yield the scores right after each sighting from `from_s` on.

    Sightings whose time stamp is coarser than the class `finest` are left out.

    Coarser sightings are left out of the bucket. So an attacker who sends part of a flood through a
    coarse gateway does not weaken the evidence of the exact stamps.
    """
    coarse = suspect.coarse
    level = novels = last_s = since_s = 0
    held: frozenset[ClockClass] = frozenset()
    for sighting in suspect.sightings:
        stamps = coarse.get(sighting & 0xFFFF_FFFF, ClockClass.EXACT)
        if stamps > finest:
            continue
        at_s = sighting >> 33
        level -= LEAK_MILLI_S * (at_s - last_s)
        if level <= 0:
            level = novels = 0
            held, since_s = frozenset(), at_s
        level += 1000
        novels += sighting >> 32 & 1
        held |= {stamps} - {ClockClass.EXACT}
        last_s = at_s
        if at_s >= from_s:
            yield _scores(suspect.novel_s, (at_s, level / 1000, novels, since_s), held)


def replay_scores(suspect: Suspect, from_s: int) -> Iterator[Scores]:
    """Yield the scores right after each sighting from `from_s` on, oldest first.

    The precision of the time stamps is ignored: all sightings count for one leaky bucket.
    """
    replay = Suspect(suspect.recipient, suspect.name, suspect.row, [], suspect.memory)
    for sighting in suspect.sightings:
        if sighting >> 32 & 1:
            replay.novel_s.append(sighting >> 33)
        fill(replay, sighting >> 33, sighting >> 32 & 1)
        if sighting >> 33 >= from_s:
            yield scores(replay)


def is_confirmed(params: JudgeParams, suspect: Suspect, since_s: int) -> bool:
    """Return true if the sightings since `since_s` are more than chance on a shared number.

    Called when an episode ends. A flood goes on while it is throttled, so its size is known only
    then.
    """
    return any(
        found.level >= bars.level.throttle + CONFIRMED_LEVEL
        or found.raw_35min >= CONFIRMED_35MIN
        or found.raw_24h >= CONFIRMED_24H
        for found, bars in instants(params, suspect, since_s, suspect.bucket_s)
    )


def scores(suspect: Suspect, bars: Bars | None = None) -> Scores:
    """Return the scores right after the newest sighting, over at most one day.

    With `bars` (the thresholds), a count that cannot reach its threshold may be returned as 0 to
    save time.
    """
    level = suspect.bucket_level_milli / 1000
    burst = suspect.bucket_s, level, suspect.bucket_novel, suspect.bucket_since_s
    return _scores(suspect.novel_s, burst, bars=bars)


def _scores(
    novel_s: list[int],
    burst: tuple[int, float, int, int],
    coarse: frozenset[ClockClass] = frozenset(),
    bars: Bars | None = None,
) -> Scores:
    """Return the scores of the bucket `burst`, with the counts of the novel sightings up to then.

    `burst`: time, level, number of novel sightings, time at which the bucket was last empty.
    `coarse`: clock classes of its sightings, except EXACT. `bars`: see `scores`.
    """
    at_s = burst[0]
    last = len(novel_s)
    if last and novel_s[-1] > at_s:
        novel_s = novel_s[: bisect_right(novel_s, at_s)]
        last = len(novel_s)
    if last < COUNT_MIN:
        return Scores(*burst, coarse=coarse)
    day = bisect_right(novel_s, at_s - DAY_S)
    if bars is not None and last - day < bars.least:
        return Scores(*burst, coarse=coarse)
    hours = bisect_right(novel_s, at_s - 3 * 3600, day)
    bars = bars or _NO_BARS
    return Scores(
        *burst,
        raw_35min=last - bisect_right(novel_s, at_s - 35 * 60),
        raw_24h=last - day,
        spaced_10min_24h=_count_spaced(novel_s, day, 600, bars.spaced_10min_24h),
        spaced_5min_3h=_count_spaced(novel_s, hours, 300, bars.spaced_5min_3h),
        spaced_2min_3h=_count_spaced(novel_s, hours, 120, bars.spaced_2min_3h),
        spaced_50s_3h=_count_spaced(novel_s, hours, 50, bars.spaced_50s_3h),
        coarse=coarse,
    )


def _count_spaced(times_s: list[int], first: int, gap_s: int, bar: Bar) -> int:
    """Return how many of the ascending times, from index `first` on, are at least `gap_s` apart.

    Counts backwards from the newest time, and takes each time that is far enough from the last one
    taken. The result is the maximum possible count, and depends only on the window. Returns 0 if
    even all times together would not reach the threshold.
    """
    if len(times_s) - first < bar.watch:
        return 0
    count, place = 0, len(times_s)
    while place > first:
        count += 1
        place = bisect_right(times_s, times_s[place - 1] - gap_s, first, place - 1)
    return count


class Bars(NamedTuple):
    """The thresholds that apply to one suspect now."""

    level: Bar
    raw_35min: Bar
    raw_24h: Bar
    spaced_10min_24h: Bar
    spaced_5min_3h: Bar
    spaced_2min_3h: Bar
    spaced_50s_3h: Bar
    least: float = 0  # minimum number of novel sightings with which any count can reach WATCH


_NO_BAR: Final = Bar(0, 0)
_NO_BARS: Final = Bars(_NO_BAR, _NO_BAR, _NO_BAR, _NO_BAR, _NO_BAR, _NO_BAR, _NO_BAR)


def bars_of(params: JudgeParams, suspect: Suspect, at_s: int) -> Bars:
    """Return the thresholds for this suspect, chosen by how often a benign sighting is novel.

    The thresholds for the level of the burst bucket are those for gateways with exact time stamps.
    """
    if suspect.novels < COUNT_MIN:
        habit = Habit.SMALL_MEMORY  # any value will do: the spaced thresholds are not used
    elif params.p_novel is not None and params.p_novel <= 0.3:
        habit = Habit.THIRD
    elif params.p_novel is not None and params.p_novel <= 0.5:
        habit = Habit.HALF
    elif suspect.remembers(LARGE_MEMORY, at_s):
        habit = Habit.LARGE_MEMORY
    else:
        habit = Habit.SMALL_MEMORY
    return _bars(habit, params.burst_margin)


@cache
def _bars(habit: Habit, margin: float) -> Bars:
    bars = Bars(
        _raise_bar(BURST[ClockClass.EXACT], margin),
        RAW_35MIN,
        RAW_24H,
        SPACED_10MIN_24H[habit],
        SPACED_5MIN_3H[habit],
        SPACED_2MIN_3H,
        SPACED_50S_3H,
    )
    return bars._replace(least=min(bar.watch for bar in bars[1:-1]))


def _adapt_to_clocks(params: JudgeParams, bars: Bars, coarse: frozenset[ClockClass]) -> Bars:
    """Return `bars` with the bucket's thresholds replaced.

    The new ones are the highest thresholds of any clock class in `coarse`.
    """
    if not coarse:
        return bars
    watch, throttle = (max(bar) for bar in zip(*(BURST[stamps] for stamps in coarse), strict=True))
    return bars._replace(level=_raise_bar(Bar(watch, throttle), params.burst_margin))


def _raise_bar(bar: Bar, margin: float) -> Bar:
    return Bar(bar.watch + margin, bar.throttle + margin) if margin else bar


_UNMEASURED_MIN: Final = min(
    _bars(habit, 0.0).least for habit in (Habit.SMALL_MEMORY, Habit.LARGE_MEMORY)
)
"""The lowest threshold of any count if the operator has not measured `p_novel`."""


def compare(bars: Bars, found: Scores) -> Finding:
    """Return the finding: the strongest band that any of these scores reaches."""
    level, novel = found.level, found.burst_novel
    at_s = found.at_s
    best = CALM
    if level >= bars.level.throttle and novel >= BURST_NOVEL.throttle:
        best = Finding(Band.THROTTLE, "burst", level, bars.level.throttle, found.burst_since_s)
    elif level >= bars.level.watch and novel >= BURST_NOVEL.watch:
        best = Finding(Band.WATCH, "burst", level, bars.level.watch, found.burst_since_s)
    elif level >= bars.level.watch and novel >= HOT_BURST_NOVEL:  # see `judge`
        best = Finding(Band.HOLD, "burst", level, bars.level.watch, found.burst_since_s)
    if found.raw_24h < COUNT_MIN:
        return best
    for rule, bar, window_s in (
        ("raw_35min", bars.raw_35min, 35 * 60),
        ("raw_24h", bars.raw_24h, DAY_S),
        ("spaced_50s_3h", bars.spaced_50s_3h, 3 * 3600),
        ("spaced_2min_3h", bars.spaced_2min_3h, 3 * 3600),
        ("spaced_5min_3h", bars.spaced_5min_3h, 3 * 3600),
        ("spaced_10min_24h", bars.spaced_10min_24h, DAY_S),
    ):
        count = getattr(found, rule)
        if count >= bar.throttle and best.band < Band.THROTTLE:
            best = Finding(Band.THROTTLE, rule, count, bar.throttle, at_s - window_s + 1)
        elif count >= bar.watch and best.band < Band.WATCH:
            best = Finding(Band.WATCH, rule, count, bar.watch, at_s - window_s + 1)
    return best
