"""Data tables for the pictures of the report, also for readers with a screen reader."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.suspects.clocks import ClockClass
from detectors.suspects.judge import BURST
from detectors.thresholds import BURST_NOVEL, COUNT_MIN
from streams.cases.network_views import percent
from streams.tools.calibrate.alarm_rates import format_rate
from streams.tools.calibrate.cohort import GAP_BIN_S
from streams.tools.calibrate.peaks import COUNT_MOST, COUNTS, LEVEL_STEP, LEVELS, NOVELS
from streams.tools.calibrate.result import Result, age_names

Rows = list[tuple[str, ...]]

BARS: Final = np.arange(1.6, 5.01, 0.2)
"""Thresholds of the score, from the lowest shipped value to one that nobody reaches by chance."""

GAP_ROW_S: Final = 30


def over_pairs(result: Result, bars: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the recipient-days over each pair of thresholds; shape (NOVELS, bars)."""
    peaks = result.current.peaks
    return np.array(
        [[peaks.over(novel)[round(bar / LEVEL_STEP)] for bar in bars] for novel in NOVELS]
    )


def over_counts(result: Result, rule: str) -> NDArray[np.int64]:
    """Return recipient-days with at least n novel platforms by a rule of COUNTS.

    The index is n; the shape is (COUNT_MOST + 1,).
    """
    counted = result.current.peaks.counts[COUNTS.index(rule)]
    return np.asarray(np.cumsum(counted[::-1])[::-1], np.int64)


def rate(count: int, million: float) -> str:
    """Return a count per million subscriber-days as text.

    >>> rate(0, 2.0), rate(3, 2.0), rate(700, 2.0)
    ('0', '6', '1,400')
    """
    return format_rate(count * million)


WHAT_IF: Final = (
    "bar",
    f"{BURST_NOVEL.watch:g} new or more, per million",
    f"{BURST_NOVEL.throttle:g} or more",
)


def what_if(result: Result) -> Rows:
    """Return the rows of recipients over each threshold of the score."""
    million, peaks = 1e6 / result.days, result.current.peaks
    watch, throttle = peaks.over(int(BURST_NOVEL.watch)), peaks.over(int(BURST_NOVEL.throttle))
    places = [round(bar / LEVEL_STEP) for bar in BARS]
    return [
        (f"{at * LEVEL_STEP:.1f}", rate(int(watch[at]), million), rate(int(throttle[at]), million))
        for at in places
    ]


PRICE: Final = ("bar", "minutes", "messages", "missed attacks")


def price(result: Result) -> Rows:
    """Return the delays of rehearsed attacks by threshold; a dash if over half are missed."""
    bar = BURST[ClockClass.EXACT].throttle
    return [
        (
            f"{bar + margin:g}",
            f"{found.minutes:.1f}" if np.isfinite(found.minutes) else "-",
            f"{found.messages:.0f}" if np.isfinite(found.messages) else "-",
            percent(found.missed_share),
        )
        for margin, found in result.margins
    ]


PEAKS: Final = ("score", "3 new or more", "5 or more", "rehearsed attacks")


def peaks(result: Result) -> Rows:
    """Return the recipient-days by their highest score, in steps of 0.5."""
    counted = result.current.peaks.levels
    now = result.settings.detect.burst_margin
    attack = next((found for margin, found in result.margins if margin == now), None)
    attacks = -np.diff(attack.over, append=0) if attack is not None else np.zeros(LEVELS, np.int64)
    columns = (counted[NOVELS.index(3)], counted[NOVELS.index(5)], attacks)
    edges = range(round(1.5 / LEVEL_STEP), LEVELS, round(0.5 / LEVEL_STEP))
    width = round(0.5 / LEVEL_STEP)
    return [
        (f"{at * LEVEL_STEP:.1f}", *(f"{int(each[at : at + width].sum()):,}" for each in columns))
        for at in edges
    ]


GRID: Final = ("bar", *(f"{novel} new" for novel in NOVELS))


def grid(result: Result) -> Rows:
    """Return a table row for each threshold of one score, with a rate for each of the other.

    A rate counts the recipients who exceed both thresholds, in a million subscriber-days.
    """
    million = 1e6 / result.days
    return [
        (f"{bar:.1f}", *(rate(int(n), million) for n in column))
        for bar, column in zip(BARS, over_pairs(result, BARS).T, strict=True)
    ]


COUNTED: Final = ("new platforms", "recipients", "per million")


def tabulate_count(result: Result, rule: str) -> Rows:
    """Return the recipients over each threshold of a count, up to the highest reached."""
    over, million = over_counts(result, rule), 1e6 / result.days
    shown = [n for n in range(COUNT_MIN - 2, COUNT_MOST + 1) if over[n]]
    return [(f"{n}", f"{int(over[n]):,}", rate(int(over[n]), million)) for n in shown] or [
        (f"{COUNT_MIN - 2}", "0", "0")
    ]


PACE: Final = ("seconds", "gaps", "share")


def pace(result: Result) -> Rows:
    """Return the gaps between two platforms of a sitting, by length."""
    gaps = result.current.cohort.gaps
    width, total = GAP_ROW_S // GAP_BIN_S, max(1, int(gaps.sum()))
    sums = [int(gaps[at : at + width].sum()) for at in range(0, len(gaps), width)]
    return [
        (f"{row * GAP_ROW_S}-{(row + 1) * GAP_ROW_S}", f"{n:,}", percent(n / total))
        for row, n in enumerate(sums)
    ]


KNOWN: Final = ("platforms", "recipients", "share")


def tabulate_known(result: Result) -> Rows:
    """Return the recipients by the number of platforms that they know at the end."""
    counts = result.current.cohort.count_known
    total = max(1, int(counts.sum()))
    return [(f"{n}", f"{int(c):,}", percent(c / total)) for n, c in enumerate(counts)]


NOVELTY: Final = ("days", "codes", "new", "in sprees", "new")


def novelty(result: Result) -> Rows:
    """Return the share of platforms that were new to the person, by the age of the memory."""
    cohort = result.current.cohort
    return [
        (age, *(word for new, n in (every, spree)
                for word in (f"{int(n):,}", percent(new / n) if n else "-")))
        for age, every, spree in zip(
            age_names(), cohort.novelty, cohort.spree_novelty, strict=True
        )
    ]  # fmt: skip
