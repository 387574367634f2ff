"""The picture of the report: the flood message by message, its score, and the traffic around it.

Drawn by matplotlib as SVG with its letters as outlines, so that it looks the same on every machine
and links to nothing. Platform names, which may be Chinese, stay in the text around it.
"""

from __future__ import annotations

import io
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from streams.demo.story import OfferedMessage, Story
from streams.scenarios.events import Role

INK, MUTED, GRID, PAPER = "#1b2733", "#66737f", "#e7ebef", "#ffffff"
FLOOD, REFUSED, BANK, KNOWN = "#e08e0b", "#c8323f", "#12805c", "#2b6cb0"
NEW, CODES, OTHERS = "#7d5ba6", "#8aa4bf", "#d5dde5"
LEVEL_TINTS = {"CLEAR": PAPER, "WATCH": "#fff6e0", "THROTTLE": "#fdeaec"}

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "otpguard",  # the same story gives the same bytes
    "font.family": "DejaVu Sans",  # shipped inside matplotlib
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}

LANES = {"bank": 4, "known": 3, "new": 2, "delivered": 1, "refused": 0}
LANE_NAMES = {
    "bank": "own: the bank",
    "known": "own: known platforms",
    "new": "own: new platforms",
    "delivered": "flood: delivered",
    "refused": "flood: refused",
}


def draw(story: Story) -> str:
    """The picture as one `<svg>` element that scales to the page's width."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.4, 7.2), layout="constrained")
        figure.get_layout_engine().set(h_pad=0.1, hspace=0.06)  # type: ignore[union-attr, call-arg]
        lanes, score, traffic = figure.subplots(3, 1, sharex=True, height_ratios=[2.5, 2.4, 1.1])
        for axes in (lanes, score, traffic):
            _frame(axes)
        for axes in (lanes, score):
            _tint_levels(axes, story)
        _draw_lanes(lanes, story)
        _draw_score(score, story)
        _draw_traffic(traffic, story)
        first, last = _span(story)
        lanes.set_xlim(_x(story, first), _x(story, last))
        sink = io.StringIO()
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    svg = sink.getvalue()
    return svg[svg.index("<svg") :]


def _x(story: Story, event_time_ms: float) -> float:
    """Place a time on the axis: in minutes, on the clock of the place."""
    return event_time_ms / 60_000 + story.utc_offset_min


def _hour(minutes: float, _position: object = None) -> str:
    """Return the label of a place on the time axis.

    >>> _hour(11 * 60 + 35)
    '11:35'
    """
    return f"{int(minutes) // 60 % 24:02}:{int(minutes) % 60:02}"


def _span(story: Story) -> tuple[int, int]:
    """From the first to the last minute in the picture, in event time."""
    minutes = story.background.minutes
    times = [m.event_time_ms for m in story.messages] + [m.start_ms for m in minutes]
    return min(times), max(times) + 60_000


def _frame(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.xaxis.set_major_locator(MultipleLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(_hour))


def _title(axes: Axes, text: str, note: str = "") -> None:
    """A bold title with a note behind it, both above the axes and flush left."""
    title = axes.annotate(
        text,
        (0, 1),
        (0, 6),
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
        color=MUTED,
        size=9,
    )


def _tint_levels(axes: Axes, story: Story) -> None:
    """Shade the time spent at each level and draw the moment it was reached."""
    _, end = _span(story)
    for i, change in enumerate(story.changes):
        until = story.changes[i + 1].event_time_ms if i + 1 < len(story.changes) else end
        start = _x(story, change.event_time_ms)
        tint = LEVEL_TINTS[change.level]
        axes.axvspan(start, _x(story, until), color=tint, linewidth=0, zorder=0)
        if change.level != "CLEAR":
            axes.axvline(start, color=_level_ink(change.level), linewidth=1.1, zorder=1)


def _level_ink(level: str) -> str:
    return REFUSED if level == "THROTTLE" else FLOOD


def _lane(message: OfferedMessage) -> str:
    if message.role in (Role.BANK, Role.KNOWN, Role.NEW):
        return message.role.value
    return "refused" if message.refused else "delivered"


def _draw_lanes(axes: Axes, story: Story) -> None:
    counted = dict.fromkeys(LANES, 0)
    marks: dict[str, dict[str, Any]] = {
        "refused": {"marker": "x", "color": REFUSED, "s": 34, "linewidths": 1.7},
        "delivered": {"marker": "o", "color": FLOOD, "s": 36, "linewidths": 0},
        "known": {"marker": "D", "color": KNOWN, "s": 40, "linewidths": 0},
        "new": {"marker": "v", "color": NEW, "s": 44, "linewidths": 0},
        "bank": {"marker": "*", "color": BANK, "s": 190, "linewidths": 0},
    }
    for lane, y in LANES.items():
        shown = [m for m in story.codes if _lane(m) == lane]
        counted[lane] = len(shown)
        xs = [_x(story, m.event_time_ms) for m in shown]
        axes.axhline(y, color=GRID, linewidth=0.8, zorder=0.5)
        axes.scatter(xs, [y] * len(xs), zorder=3, **marks[lane])
        for x, message in zip(xs, shown, strict=True):
            if lane in ("bank", "known", "new") and message.refused:
                axes.scatter([x], [y], marker="x", color=REFUSED, s=110, linewidths=2, zorder=4)
    axes.set_yticks(
        list(LANES.values()), [f"{LANE_NAMES[lane]}  {counted[lane]:>2}" for lane in LANES]
    )
    axes.set_ylim(-0.6, 4.6)
    for label, lane in zip(axes.get_yticklabels(), LANES, strict=True):
        label.set_color(str(marks[lane]["color"]))
        label.set_fontsize(10)
    _title(
        axes, "Every code sent to this number", "one mark for each message; a red cross: refused"
    )


def _draw_score(axes: Axes, story: Story) -> None:
    bars = story.bars
    leak = bars.leak_per_min / 60_000
    xs, ys, now, level = [], [], _span(story)[0], 0.0
    for message in story.messages:
        if not message.code:
            continue
        drained = min(level / leak, message.event_time_ms - now)
        for at, value in (
            (now + drained, level - drained * leak),
            (message.event_time_ms, max(level - (message.event_time_ms - now) * leak, 0)),
            (message.event_time_ms, message.level),
        ):
            xs.append(_x(story, at))
            ys.append(value)
        now, level = message.event_time_ms, message.level
    end = _span(story)[1]
    for at in (min(now + level / leak, end), end):
        xs.append(_x(story, at))
        ys.append(max(level - (at - now) * leak, 0))
    axes.fill_between(xs, ys, color=INK, alpha=0.07, linewidth=0, zorder=2)
    axes.plot(xs, ys, color=INK, linewidth=1.4, zorder=3, solid_joinstyle="round")
    top = max([*ys, bars.throttle_level]) * 1.28 + 0.4
    for name, bar in (("WATCH", bars.watch_level), ("THROTTLE", bars.throttle_level)):
        axes.axhline(bar, color=_level_ink(name), linewidth=1, linestyle=(0, (4, 3)), zorder=2)
        axes.annotate(
            f"{name} {bar:g}",
            (1, bar),
            (5, 2 if name == "THROTTLE" else -3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="bottom" if name == "THROTTLE" else "top",
            size=8.5,
            color=_level_ink(name),
            zorder=5,
        )
    reached = [change for change in map(story.change, ("WATCH", "THROTTLE")) if change]
    for row, change in enumerate(reached):
        count = story.flood_until(change.event_time_ms)
        minutes = (change.event_time_ms - story.started_ms) / 60_000
        axes.annotate(
            f"{change.level} after {minutes:.1f} min and {count} messages of the flood",
            (_x(story, reached[-1].event_time_ms), top),
            (7, -6 - 14 * row),
            textcoords="offset points",
            va="top",
            weight="bold",
            color=_level_ink(change.level),
            zorder=6,
        )
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    _title(
        axes,
        "The score",
        f"a new platform adds 1, a minute takes {bars.leak_per_min:g} away; a bar also needs "
        f"{bars.watch_novel} or {bars.throttle_novel} platforms new to this number",
    )


def _draw_traffic(axes: Axes, story: Story) -> None:
    minutes = story.background.minutes
    xs = [_x(story, minute.start_ms + 30_000) for minute in minutes]
    axes.bar(xs, [m.messages for m in minutes], 0.8, color=OTHERS, zorder=2)
    axes.bar(xs, [m.codes for m in minutes], 0.8, color=CODES, zorder=3)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _title(
        axes,
        f"Meanwhile, {story.background.subscribers:,} other subscribers",
        "messages a minute; verification codes darker",
    )
