"""Draws the pictures of the report, each with a description and a table of its data."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from detectors.suspects.clocks import ClockClass
from detectors.suspects.judge import BURST, Habit
from detectors.thresholds import (
    BURST_NOVEL,
    COUNT_MIN,
    RAW_24H,
    RAW_35MIN,
    SPACED_2MIN_3H,
    SPACED_5MIN_3H,
    SPACED_10MIN_24H,
    SPACED_50S_3H,
)
from streams.common import tr
from streams.common.page import PALETTE, readable_on
from streams.common.picture import GRID, INK, MUTED, Picture, bar_line, draw_chart
from streams.tools.calibrate import data_tables as tables
from streams.tools.calibrate.alarm_rates import THROTTLE_TARGET, WATCH_TARGET, lower, upper
from streams.tools.calibrate.cohort import GAP_BIN_S, KNOWN_SHOWN
from streams.tools.calibrate.peaks import COUNT_MOST, COUNTS, LEVEL_STEP, LEVELS, NOVELS
from streams.tools.calibrate.result import LEAK_GAP_S, Result, age_names

WATCH, THROTTLE, GOOD = PALETTE["watch"], PALETTE["throttle"], PALETTE["good"]
BLUE, PALE = PALETTE["known"], PALETTE["pale"]

FULL: Final = (11.4, 4.3)
"""Widths in inches: of a picture as wide as the page, and of a picture on a phone."""


_LEVEL: Final = np.arange(LEVELS) * LEVEL_STEP
_SHOWN: Final = round(6 / LEVEL_STEP)  # Levels up to 6; those of an attack are higher.
_FROM: Final = round(1.5 / LEVEL_STEP)  # The sieve passes nothing lower to the judge.
_HEAT: Final = LinearSegmentedColormap.from_list(
    "heat", ["#ffffff", "#fdeaec", "#e58a92", "#c8323f"]
)


def what_if(rates: Axes, result: Result) -> None:
    """Plot the recipients over each threshold of the score."""
    for level, novel, ink, target in (
        ("WATCH", int(BURST_NOVEL.watch), WATCH, WATCH_TARGET),
        ("THROTTLE", int(BURST_NOVEL.throttle), THROTTLE, THROTTLE_TARGET),
    ):
        over = result.current.peaks.over(novel)[: _SHOWN + 1]
        million = 1e6 / result.days
        high = np.array([upper(int(n), 0.025) for n in over]) * million
        low = np.array([lower(int(n), 0.025) for n in over]) * million
        here = slice(_FROM, None)
        x = _LEVEL[: _SHOWN + 1][here]
        some = over[here] > 0
        rates.fill_between(
            x, low[here], high[here], where=some, color=ink, alpha=0.13, lw=0, step="post"
        )
        rates.plot(x, np.where(some, np.nan, high[here]), color=ink, lw=1, ls=(0, (5, 3)))
        rates.plot(x[some], over[here][some] * million, color=ink, lw=1.8, drawstyle="steps-post")
        bar = getattr(BURST[ClockClass.EXACT], level.lower()) + result.settings.detect.burst_margin
        rates.axhline(target * 1e6, color=ink, lw=0.8, ls=(0, (1, 2)))
        bar_line(rates, bar, f"{tr(level)} {bar:g}", ink, level == "THROTTLE")
        rates.annotate(
            tr("target {n}").format(n=f"{target * 1e6:g}"),
            (1, target * 1e6),
            (-2, 3),
            ha="right",
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=ink,
            size=8.5,
        )
        rates.plot(
            [], [], color=ink, lw=1.8, label=tr("with {n} new platforms or more").format(n=novel)
        )
    _count_by_powers(rates, ticks_max=12)
    rates.set(ylim=(min(0.3, 0.3e6 / result.days), None), xlabel=tr("threshold of the score"))
    rates.legend(loc="best")


def _count_by_powers(axes: Axes, ticks_max: int | None = None) -> None:
    """Make the y axis logarithmic, with plain numbers and horizontal lines."""
    axes.set_yscale("log")
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.yaxis.set_major_locator(LogLocator(10, numticks=ticks_max))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def price(axes: Axes, result: Result, *, narrow: bool) -> None:
    """Plot the delays of rehearsed attacks for each THROTTLE threshold."""
    margins = [margin for margin, _ in result.margins]
    bars = [BURST[ClockClass.EXACT].throttle + margin for margin in margins]
    minutes = [rehearsal.minutes for _, rehearsal in result.margins]
    axes.plot(bars, minutes, color=BLUE, lw=1.8, marker="o", ms=5)
    for bar, (_, rehearsal) in zip(bars, result.margins, strict=True):
        axes.annotate(
            tr("{n} messages, {missed} % missed").format(
                n=f"{rehearsal.messages:.0f}", missed=f"{100 * rehearsal.missed_share:.1f}"
            ),
            (bar, rehearsal.minutes),
            (7, -3),
            textcoords="offset points",
            size=8,
            color=MUTED,
            va="top",
        )
    axes.axvline(
        BURST[ClockClass.EXACT].throttle + result.settings.detect.burst_margin,
        color=THROTTLE,
        lw=1,
        ls=(0, (4, 3)),
    )
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set(
        ylim=(0, max([m for m in minutes if np.isfinite(m)], default=1) * 1.2),
        xlim=(min(bars) - 0.2, max(bars) + (2.6 if narrow else 1.6)),
        xlabel=tr("THROTTLE threshold of the score"),
    )


def peaks(axes: Axes, result: Result) -> None:
    """Plot the recipient-days by highest level, and the peaks of rehearsed attacks."""
    counted = result.current.peaks.levels
    for novel, ink, label in (
        (3, PALE, tr("with {n} new platforms or more").format(n=3)),
        (5, BLUE, tr("with {n} or more").format(n=5)),
    ):
        y = counted[NOVELS.index(novel), _FROM:]
        axes.bar(_LEVEL[_FROM:], y, LEVEL_STEP * 0.86, align="edge", color=ink, label=label)
    attack = next((r for m, r in result.margins if m == result.settings.detect.burst_margin), None)
    if attack is not None:
        axes.bar(
            _LEVEL[_FROM:],
            -np.diff(attack.over, append=0)[_FROM:],
            LEVEL_STEP * 0.86,
            align="edge",
            color=THROTTLE,
            alpha=0.6,
            label=tr("{n} rehearsed attacks").format(n=attack.runs),
        )
    for name, bar, ink in (
        ("WATCH", BURST[ClockClass.EXACT].watch, WATCH),
        ("THROTTLE", BURST[ClockClass.EXACT].throttle, THROTTLE),
    ):
        at = bar + result.settings.detect.burst_margin
        bar_line(axes, at, f"{tr(name)} {at:g}", ink, name == "THROTTLE")
    _count_by_powers(axes)
    axes.set(
        ylim=(0.5, max(1000, axes.get_ylim()[1])),
        xlim=(1.4, 12.2),
        xlabel=tr("highest score of a day; 12: and over"),
    )
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.96))


def grid(axes: Axes, result: Result, *, narrow: bool) -> None:
    """Draw the recipients per million subscriber-days over each pair of thresholds."""
    bars = tables.BARS[::2] if narrow else tables.BARS
    over = tables.over_pairs(result, bars)
    million = 1e6 / result.days
    shade = np.log10(over * million + 0.1)
    axes.pcolormesh(shade, cmap=_HEAT, vmin=-1, vmax=3)
    for (row, column), n in np.ndenumerate(over):
        ground = to_hex(_HEAT(float(np.interp(shade[row, column], (-1, 3), (0, 1)))))
        axes.text(
            column + 0.5,
            row + 0.5,
            tables.rate(int(n), million),
            ha="center",
            va="center",
            size=7.8,
            color=readable_on(ground),
        )
    now = (BURST[ClockClass.EXACT].throttle + result.settings.detect.burst_margin - bars[0]) / (
        bars[1] - bars[0]
    )
    row = NOVELS.index(int(BURST_NOVEL.throttle))
    if now <= len(bars) - 1:
        axes.scatter(
            [now + 0.5],
            [row + 0.5],
            marker="s",
            s=420,
            facecolors="none",
            edgecolors=INK,
            lw=1.6,
        )
    axes.set_xticks(np.arange(len(bars)) + 0.5, [f"{bar:.1f}" for bar in bars])
    axes.set_yticks(np.arange(len(NOVELS)) + 0.5, [str(novel) for novel in NOVELS])
    axes.set(xlabel=tr("threshold of the score"), ylabel=tr("new platforms asked for"))
    axes.spines[:].set_visible(False)


def counts(axes: Axes, result: Result, rule: str) -> None:
    """Plot the recipients over each count of novel platforms, with the thresholds in force.

    Dotted lines are the thresholds for recipients with a large memory.
    """
    million = 1e6 / result.days
    here = np.arange(COUNT_MIN - 2, COUNT_MOST + 1)
    over = tables.over_counts(result, rule)[here]
    some = over > 0
    axes.plot(here[some], over[some] * million, color=BLUE, lw=1.8, drawstyle="steps-pre")
    for bar, style in _COUNT_BARS[rule]:
        for at, ink in ((bar.watch, WATCH), (bar.throttle, THROTTLE)):
            axes.axvline(at, color=ink, lw=1, ls=style)
    axes.axhline(THROTTLE_TARGET * 1e6, color=THROTTLE, lw=0.8, ls=(0, (1, 2)))
    _count_by_powers(axes, ticks_max=6)
    axes.set(
        ylim=(min(0.3, 0.3 * million), max(1000.0, 2 * million * over[0])),
        xlim=(here[0], here[-1]),
        xlabel=tr("new platforms"),
    )


_SOLID, _DOTTED = (0, (4, 3)), (0, (1, 2))
_COUNT_BARS: Final = {
    "raw_35min": ((RAW_35MIN, _SOLID),),
    "raw_24h": ((RAW_24H, _SOLID),),
    "spaced_50s_3h": ((SPACED_50S_3H, _SOLID),),
    "spaced_2min_3h": ((SPACED_2MIN_3H, _SOLID),),
    "spaced_5min_3h": (
        (SPACED_5MIN_3H[Habit.SMALL_MEMORY], _SOLID),
        (SPACED_5MIN_3H[Habit.LARGE_MEMORY], _DOTTED),
    ),
    "spaced_10min_24h": (
        (SPACED_10MIN_24H[Habit.SMALL_MEMORY], _SOLID),
        (SPACED_10MIN_24H[Habit.LARGE_MEMORY], _DOTTED),
    ),
}
COUNTED: Final = {
    "raw_35min": "All, in 35 min",
    "raw_24h": "All, in 24 h",
    "spaced_50s_3h": "50 s apart, in 3 h",
    "spaced_2min_3h": "2 min apart, in 3 h",
    "spaced_5min_3h": "5 min apart, in 3 h",
    "spaced_10min_24h": "10 min apart, in 24 h",
}


def pace(axes: Axes, result: Result) -> None:
    """Plot the gaps between sightings of one sitting."""
    gaps = result.current.cohort.gaps
    total = max(1, int(gaps.sum()))
    x = np.arange(len(gaps)) * GAP_BIN_S
    fast = x < LEAK_GAP_S
    for which, ink in ((fast, THROTTLE), (~fast, PALE)):
        axes.bar(x[which], gaps[which] / total, GAP_BIN_S * 0.9, align="edge", color=ink)
    axes.axvline(LEAK_GAP_S, color=THROTTLE, lw=1, ls=(0, (4, 3)))
    axes.annotate(
        tr("{share} % come within {gap} s,\nas a flood does").format(
            share=f"{100 * gaps[fast].sum() / total:.1f}", gap=LEAK_GAP_S
        ),
        (LEAK_GAP_S, 1),
        (6, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        color=THROTTLE,
        size=8.5,
    )
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1, symbol=" %"))
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set(
        ylim=(0, max(0.01, 1.1 * float(gaps.max()) / total)),
        xlabel=tr("seconds from one platform to the next"),
    )


def novelty(axes: Axes, result: Result, *, narrow: bool) -> None:
    """Plot the share of platforms new to the person, by the age of the memory."""
    cohort = result.current.cohort
    names = age_names()
    for shift, counted, ink, label in (
        (-0.2, cohort.novelty, PALE, tr("all codes")),
        (0.2, cohort.spree_novelty, BLUE, tr("in log-in sprees")),
    ):
        some = counted[:, 1] > 0
        share = counted[some, 0] / counted[some, 1]
        axes.bar(np.flatnonzero(some) + shift, share, 0.38, color=ink, label=label)
    for bar in (0.5, 0.3):
        axes.axhline(bar, color=MUTED, lw=0.8, ls=(0, (1, 2)))
    axes.set_xticks(range(len(names)), names, size=8, rotation=40 if narrow else 0)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set(
        xlim=(-0.6, len(names) - 0.4),
        ylim=(0, 1.18),
        xlabel=tr("days since the recipient's first code"),
    )
    axes.legend(loc="upper right", ncols=2)


def plot_known(axes: Axes, result: Result) -> None:
    """Plot how many platforms recipients know at the end of the history."""
    counts = result.current.cohort.count_known
    total = max(1, int(counts.sum()))
    x = np.arange(KNOWN_SHOWN + 1)
    cold, large = x < 6, x >= 14
    for which, ink, label in (
        (cold, PALE, tr("under 6: shadow only for 30 days, {share} %")),
        (~cold & ~large, BLUE, tr("6 to 13, {share} %")),
        (large, GOOD, tr("14 and more: lower thresholds, {share} %")),
    ):
        share = f"{100 * counts[which].sum() / total:.0f}"
        axes.bar(x[which], counts[which] / total, 0.84, color=ink, label=label.format(share=share))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_xlabel(tr("platforms known at the end of the history"))
    axes.legend(loc="upper right")


def pictures(result: Result) -> dict[str, list[Picture]]:
    """Return all pictures by their section in the page."""
    return {
        "bursts": list(_bursts(result)),
        "slow": [_count(result, rule) for rule in COUNTS],
        "people": list(_people(result)),
    }


DISTINCT_MIN: Final = 2
"""Minimum number of different values in a grid of thresholds. A grid with one repeated value says
nothing."""


def _bursts(result: Result) -> Iterator[Picture]:
    wide, phone = FULL
    yield from _thresholds(result, phone)
    yield draw_chart(
        "peaks",
        tr("How high the scores went"),
        lambda axes, _: peaks(axes, result),
        wide=(wide, 3.6),
        narrow=(phone, 3.6),
        note=tr(
            "Recipients on days, by their highest score, from 1.5 up; below, nobody is judged."
        ),
        description=tr(
            "Days of ordinary people are at the left, below the thresholds; rehearsed "
            "attacks are at the right."
        ),
        head=tables.PEAKS,
        rows=tables.peaks(result),
    )
    if len(np.unique(tables.over_pairs(result, tables.BARS))) < DISTINCT_MIN:
        return
    yield draw_chart(
        "grid",
        tr("Any pair of thresholds"),
        lambda axes, narrow: grid(axes, result, narrow=narrow),
        wide=(wide, 3.3),
        narrow=(phone, 3.4),
        note=tr(
            "Recipients above both thresholds, in a million subscriber-days; framed: the "
            "current thresholds."
        ),
        description=tr(
            "With more platforms or a higher score required, fewer recipients are above both "
            "thresholds."
        ),
        head=tables.GRID,
        rows=tables.grid(result),
    )


def _thresholds(result: Result, phone: float) -> Iterator[Picture]:
    half = 5.6
    yield draw_chart(
        "what-if",
        tr("Recipients above the threshold"),
        lambda axes, _: what_if(axes, result),
        wide=(half, 4.0),
        narrow=(phone, 3.8),
        note=tr("Per million subscriber-days; band and dashes: 95 %."),
        description=tr(
            "How many recipients a day would be above each threshold of the score, with at "
            "least {watch} or {throttle} platforms new to them. A higher threshold means "
            "fewer."
        ).format(watch=f"{BURST_NOVEL.watch:g}", throttle=f"{BURST_NOVEL.throttle:g}"),
        head=tables.WHAT_IF,
        rows=tables.what_if(result),
    )
    yield draw_chart(
        "price",
        tr("Minutes until an attack is throttled"),
        lambda axes, narrow: price(axes, result, narrow=narrow),
        wide=(half, 4.0),
        narrow=(phone, 3.8),
        note=tr("Rehearsed attacks of 60 platforms in 35 minutes; median."),
        description=tr(
            "A higher THROTTLE threshold throttles fewer people by mistake, and "
            "detects an attack later."
        ),
        head=tables.PRICE,
        rows=tables.price(result),
    )


def _count(result: Result, rule: str) -> Picture:
    return draw_chart(
        rule.replace("_", "-"),
        tr(COUNTED[rule]),
        lambda axes, _: counts(axes, result, rule),
        wide=(4.0, 2.2),
        narrow=None,
        description=tr(
            "Recipients in a million subscriber-days with so many new platforms or more."
        ),
        head=tables.COUNTED,
        rows=tables.tabulate_count(result, rule),
    )


def _people(result: Result) -> Iterator[Picture]:
    wide, phone = FULL
    gaps = int(result.current.cohort.gaps.sum())
    yield draw_chart(
        "pace",
        tr("Pace of log-ins"),
        lambda axes, _: pace(axes, result),
        wide=(5.6, 3.4),
        narrow=(phone, 3.2),
        note=tr("{n} gaps under 10 minutes.").format(n=f"{gaps:,}"),
        description=tr("Share of the gaps between two platforms of one sitting, by their length."),
        head=tables.PACE,
        rows=tables.pace(result),
    )
    yield draw_chart(
        "known",
        tr("Memory"),
        lambda axes, _: plot_known(axes, result),
        wide=(5.6, 3.4),
        narrow=(phone, 3.2),
        note=tr("Share of recipients."),
        description=tr("How many platforms each recipient knows at the end of the history."),
        head=tables.KNOWN,
        rows=tables.tabulate_known(result),
    )
    yield draw_chart(
        "novelty",
        tr("New to the person"),
        lambda axes, narrow: novelty(axes, result, narrow=narrow),
        wide=(wide, 2.8),
        narrow=(phone, 3.0),
        note=tr("Share of platforms, by age of the memory."),
        description=tr("The longer a recipient has been seen, the fewer platforms are new to it."),
        head=tables.NOVELTY,
        rows=tables.novelty(result),
    )
