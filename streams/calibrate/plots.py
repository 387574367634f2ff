"""The report's pictures, as SVG with letters as outlines: the same everywhere, self-contained."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from detectors.bars import (
    BURST_NOVEL,
    COUNT_MIN,
    RAW_24H,
    RAW_35MIN,
    SPACED_2MIN_3H,
    SPACED_5MIN_3H,
    SPACED_10MIN_24H,
    SPACED_50S_3H,
)
from detectors.suspects.clocks import ClockClass
from detectors.suspects.judge import BURST, Habit
from streams.calibrate.cohort import GAP_BIN_S, KNOWN_MAX
from streams.calibrate.peaks import COUNT_MOST, COUNTS, LEVEL_STEP, LEVELS, NOVELS
from streams.calibrate.rates import THROTTLE_TARGET, WATCH_TARGET, lower, upper
from streams.calibrate.result import LEAK_GAP_S, Result, age_names

INK, MUTED, GRID = "#1b2733", "#66737f", "#e7ebef"
WATCH, THROTTLE, GOOD, BLUE, PALE = "#b46f00", "#c8323f", "#12805c", "#2b6cb0", "#c9d6e4"

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "otpguard",  # the same findings give the same bytes
    "font.family": "DejaVu Sans",  # shipped inside matplotlib
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9,
}

_LEVEL: Final = np.arange(LEVELS) * LEVEL_STEP
_SHOWN: Final = round(6 / LEVEL_STEP)  # levels up to 6: an attack's are beyond
_FROM: Final = round(1.5 / LEVEL_STEP)  # the sieve shows the judge nothing lower
_HEAT: Final = LinearSegmentedColormap.from_list(
    "heat", ["#ffffff", "#fdeaec", "#e58a92", "#c8323f"]
)


def drawn(
    draw: Callable[[Any, Result], None],
    result: Result,
    *,
    height: float,
    width: float = 11.4,
    columns: int = 1,
) -> str:
    """One picture as an `<svg>` element that scales to the page's width."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns)
        draw(axes, result)
        sink = io.StringIO()
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    svg = sink.getvalue()
    return svg[svg.index("<svg") :]


def what_if(pair: Any, result: Result) -> None:
    """Left: people over each bar of the bucket. Right: what an attack would meet."""
    left, right = pair
    rates: Axes = left
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
        rates.axvline(bar, color=ink, lw=1, ls=(0, (4, 3)))
        rates.axhline(target * 1e6, color=ink, lw=0.8, ls=(0, (1, 2)))
        rates.annotate(
            f"{level} {bar:g}",
            (bar, 1),
            (4, -4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            color=ink,
            size=8.5,
            weight="bold",
        )
        rates.annotate(
            f"target {target * 1e6:g}",
            (1, target * 1e6),
            (-2, 3),
            ha="right",
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=ink,
            size=8.5,
        )
        rates.plot([], [], color=ink, lw=1.8, label=f"with {novel} new platforms or more")
    rates.set_yscale("log")
    rates.set_ylim(bottom=min(0.3, 0.3e6 / result.days))
    rates.grid(axis="y", color=GRID, lw=0.8)
    rates.yaxis.set_major_locator(LogLocator(10, numticks=12))
    rates.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g}"))
    rates.yaxis.set_minor_formatter(NullFormatter())
    rates.set_xlabel("bar: level of the bucket")
    rates.legend(loc="best")
    _title(rates, "Recipients over the bar", "per million subscriber-days; band, dashes: 95 %")
    price: Axes = right
    margins = [margin for margin, _ in result.margins]
    bars = [BURST[ClockClass.EXACT].throttle + margin for margin in margins]
    minutes = [rehearsal.minutes for _, rehearsal in result.margins]
    price.plot(bars, minutes, color=BLUE, lw=1.8, marker="o", ms=5)
    for bar, (_, rehearsal) in zip(bars, result.margins, strict=True):
        price.annotate(
            f"{rehearsal.messages:.0f} messages, {100 * rehearsal.missed:.1f} % missed",
            (bar, rehearsal.minutes),
            (7, -3),
            textcoords="offset points",
            size=8,
            color=MUTED,
            va="top",
        )
    price.axvline(
        BURST[ClockClass.EXACT].throttle + result.settings.detect.burst_margin,
        color=THROTTLE,
        lw=1,
        ls=(0, (4, 3)),
    )
    price.set_ylim(0, max([m for m in minutes if np.isfinite(m)], default=1) * 1.2)
    price.set_xlim(min(bars) - 0.2, max(bars) + 1.6)
    price.grid(axis="y", color=GRID, lw=0.8)
    price.set_xlabel("THROTTLE bar: level of the bucket")
    _title(price, "Minutes until an attack is throttled", "60 platforms in 35 minutes; median")


def peaks(axes: Axes, result: Result) -> None:
    """Plot the recipient-days that peaked at each level, and where an attack's peaks are."""
    counted = result.current.peaks.levels
    for novel, ink, label in (
        (3, PALE, "with 3 new platforms or more"),
        (5, BLUE, "with 5 or more"),
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
            alpha=0.35,
            label=f"{attack.runs} attacks, 60 platforms in 35 min each",
        )
    for name, bar, ink in (
        ("WATCH", BURST[ClockClass.EXACT].watch, WATCH),
        ("THROTTLE", BURST[ClockClass.EXACT].throttle, THROTTLE),
    ):
        at = bar + result.settings.detect.burst_margin
        axes.axvline(at, color=ink, lw=1, ls=(0, (4, 3)))
        axes.annotate(
            f"{name} {at:g}",
            (at, 1),
            (4, -4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            color=ink,
            size=8.5,
            weight="bold",
        )
    axes.set_yscale("log")
    axes.set_ylim(0.5, max(1000, axes.get_ylim()[1]))
    axes.set_xlim(1.4, 12.2)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("highest level of the bucket on a day; 12: and over")
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.96))
    _title(axes, "How high the buckets went", "recipient-days from 1.5 up; below, nobody is judged")


def grid(axes: Axes, result: Result) -> None:
    """Recipients per million over each pair of bars."""
    bars = np.arange(1.6, 5.01, 0.2)
    million = 1e6 / result.days
    over = np.array(
        [
            [result.current.peaks.over(novel)[round(bar / LEVEL_STEP)] for bar in bars]
            for novel in NOVELS
        ]
    )
    shade = np.log10(over * million + 0.1)
    axes.imshow(shade, cmap=_HEAT, vmin=-1, vmax=3, aspect="auto", origin="lower")
    for (row, column), n in np.ndenumerate(over):
        rate = n * million
        text = "0" if n == 0 else f"{rate:.2g}" if rate < 100 else f"{rate:,.0f}"
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            size=7.8,
            color="#ffffff" if shade[row, column] > 2.3 else MUTED if n == 0 else INK,
        )
    now = (BURST[ClockClass.EXACT].throttle + result.settings.detect.burst_margin - bars[0]) / 0.2
    row = NOVELS.index(int(BURST_NOVEL.throttle))
    if now <= len(bars) - 1:
        axes.scatter(
            [now], [row], marker="s", s=420, facecolors="none", edgecolors=THROTTLE, lw=1.6
        )
    axes.set_xticks(range(len(bars)), [f"{bar:.1f}" for bar in bars])
    axes.set_yticks(range(len(NOVELS)), [str(novel) for novel in NOVELS])
    axes.set_xlabel("bar: level of the bucket")
    axes.set_ylabel("new platforms asked for")
    for side in axes.spines.values():
        side.set_visible(False)
    _title(axes, "Any pair of bars", "recipients over both, a million subscriber-days; framed: now")


def counts(each: Any, result: Result) -> None:
    """Recipients over each bar of the counts of new platforms, for a small and a large memory."""
    million = 1e6 / result.days
    here = np.arange(COUNT_MIN - 2, COUNT_MOST + 1)
    for axes, rule, counted in zip(each, COUNTS, result.current.peaks.counts, strict=True):
        over = np.cumsum(counted[::-1])[::-1][here]
        some = over > 0
        axes.plot(here[some], over[some] * million, color=BLUE, lw=1.8, drawstyle="steps-pre")
        for bar, style in _COUNT_BARS[rule]:
            for at, ink in ((bar.watch, WATCH), (bar.throttle, THROTTLE)):
                axes.axvline(at, color=ink, lw=1, ls=style)
        axes.axhline(THROTTLE_TARGET * 1e6, color=THROTTLE, lw=0.8, ls=(0, (1, 2)))
        axes.set_yscale("log")
        axes.set_ylim(min(0.3, 0.3 * million), max(1000.0, 2 * million * over[0]))
        axes.set_xlim(here[0], here[-1])
        axes.grid(axis="y", color=GRID, lw=0.8)
        axes.yaxis.set_major_locator(LogLocator(10, numticks=12))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("new platforms")
        _title(axes, _COUNTED[rule])


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
_COUNTED: Final = {
    "raw_35min": "All, in 35 min",
    "raw_24h": "All, in 24 h",
    "spaced_50s_3h": "50 s apart, in 3 h",
    "spaced_2min_3h": "2 min apart, in 3 h",
    "spaced_5min_3h": "5 min apart, in 3 h",
    "spaced_10min_24h": "10 min apart, in 24 h",
}


def pace(axes: Axes, result: Result) -> None:
    """Gaps between sightings of one sitting."""
    gaps = result.current.cohort.gaps
    total = max(1, int(gaps.sum()))
    x = np.arange(len(gaps)) * GAP_BIN_S
    fast = x < LEAK_GAP_S
    for which, ink in ((fast, THROTTLE), (~fast, PALE)):
        axes.bar(x[which], gaps[which] / total, GAP_BIN_S * 0.9, align="edge", color=ink)
    axes.axvline(LEAK_GAP_S, color=THROTTLE, lw=1, ls=(0, (4, 3)))
    axes.annotate(
        f"{100 * gaps[fast].sum() / total:.1f} % come faster\nthan the bucket leaks",
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
    axes.set_xlabel("seconds from one platform to the next")
    _title(axes, "Pace of log-ins", f"{total:,} gaps under 10 min")


def novelty(axes: Axes, result: Result) -> None:
    """P(novel) by age of memory."""
    cohort = result.current.cohort
    names = age_names()
    for shift, counted, ink, label in (
        (-0.2, cohort.novelty, PALE, "all codes"),
        (0.2, cohort.spree_novelty, BLUE, "in log-in sprees"),
    ):
        some = counted[:, 1] > 0
        share = counted[some, 0] / counted[some, 1]
        axes.bar(np.flatnonzero(some) + shift, share, 0.38, color=ink, label=label)
    for bar in (0.5, 0.3):
        axes.axhline(bar, color=MUTED, lw=0.8, ls=(0, (1, 2)))
    axes.set_xticks(range(len(names)), names, size=8)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(0, 1.18)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set_xlabel("days since the recipient's first code")
    axes.legend(loc="upper right", ncols=2)
    _title(axes, "New to the person", "share of platforms")


def known(axes: Axes, result: Result) -> None:
    """Plot how many platforms recipients know at the end of the history."""
    counts = result.current.cohort.known
    total = max(1, int(counts.sum()))
    x = np.arange(KNOWN_MAX + 1)
    cold, large = x < 6, x >= 14
    for which, ink, label in (
        (cold, PALE, f"under 6: shadow only, {100 * counts[cold].sum() / total:.0f} %"),
        (~cold & ~large, BLUE, f"6 to 13, {100 * counts[~cold & ~large].sum() / total:.0f} %"),
        (large, GOOD, f"14 and more: lower bars, {100 * counts[large].sum() / total:.0f} %"),
    ):
        axes.bar(x[which], counts[which] / total, 0.84, color=ink, label=label)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_xlabel("platforms known at the end of the history")
    axes.legend(loc="upper right")
    _title(axes, "Memory", "share of recipients")


def _title(axes: Axes, text: str, note: str = "") -> None:
    """A bold title with a note behind it, both above the axes and flush left."""
    title = axes.annotate(
        text,
        (0, 1),
        (0, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        va="bottom",
        weight="bold",
        size=10.5,
    )
    axes.annotate(
        note,
        (1, 0),
        (8, 0),
        xycoords=title,
        textcoords="offset points",
        va="bottom",
        size=9,
        color=MUTED,
    )
