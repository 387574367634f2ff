"""Draws the pictures of the report: each message of the flood, and other traffic."""

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from streams.common import tr
from streams.common.page import PALETTE
from streams.common.picture import GRID, Picture, draw_chart
from streams.tools.demo.story import OfferedMessage, Story
from streams.tools.scenarios.labelled_events import Role

LEVEL_TINTS = {
    "CLEAR": PALETTE["paper"],
    "WATCH": PALETTE["watch_tint"],
    "THROTTLE": PALETTE["throttle_tint"],
}
LEVEL_INKS = {"WATCH": PALETTE["watch"], "THROTTLE": PALETTE["throttle"]}

LANES = {"bank": 4, "known": 3, "new": 2, "delivered": 1, "refused": 0}
LANE_NAMES = {
    "bank": "own: the bank",
    "known": "own: known platforms",
    "new": "own: new platforms",
    "delivered": "flood: delivered",
    "refused": "flood: refused",
}
MARKS: Final[dict[str, dict[str, Any]]] = {
    "refused": {"marker": "x", "color": PALETTE["throttle"], "s": 34, "linewidths": 1.7},
    "delivered": {"marker": "o", "color": PALETTE["watch"], "s": 36, "linewidths": 0},
    "known": {"marker": "D", "color": PALETTE["known"], "s": 40, "linewidths": 0},
    "new": {"marker": "v", "color": PALETTE["new"], "s": 44, "linewidths": 0},
    "bank": {"marker": "*", "color": PALETTE["good"], "s": 190, "linewidths": 0},
}

LEFT: Final = 2.3
"""Inches left of the axes, for the lane names. Equal in all pictures, so that their time axes
align."""

MESSAGES: Final = "messages"
"""HTML id of the page's message table, which contains the data of the first picture."""


TRAFFIC: Final = ("minutes", "messages", "codes")


def pictures(story: Story) -> list[Picture]:
    """Return the two pictures of the page, with a common time axis."""
    codes, refused = story.of(Role.ATTACK), story.list_refused(Role.ATTACK)
    first, last = (clock_of(story, story.codes[at].event_time_ms) for at in (0, -1))
    minutes = story.background.minutes
    return [
        draw_chart(
            "lanes",
            tr("Every code sent to this number"),
            lambda axes, narrow: _draw_lanes(axes, story, narrow=narrow),
            wide=(11.4, 2.9),
            narrow=(4.3, 3.6),
            left=LEFT,
            table=MESSAGES,
            note=tr("One mark for each message; a red cross: refused."),
            description=tr(
                "{n} codes from {first} to {last} in five lanes: {flood} of the flood, {refused} "
                "of them refused, and the number's own."
            ).format(
                n=len(story.codes), first=first, last=last, flood=len(codes), refused=len(refused)
            ),
        ),
        draw_chart(
            "traffic",
            tr("Meanwhile, {n} other subscribers").format(n=f"{story.background.subscribers:,}"),
            lambda axes, narrow: _draw_traffic(axes, story, narrow=narrow),
            wide=(11.4, 1.5),
            narrow=(4.3, 1.8),
            left=LEFT,
            note=tr("Messages a minute; verification codes darker."),
            description=tr(
                "One column for each of {minutes} minutes, {n} messages on average."
            ).format(minutes=len(minutes), n=f"{story.background.per_minute:,.0f}"),
            head=TRAFFIC,
            rows=[
                (clock_of(story, m.start_ms), f"{m.messages:,}", f"{m.codes:,}") for m in minutes
            ],
        ),
    ]


def clock_of(story: Story, event_time_ms: float) -> str:
    """Return hour and minute, in the time zone of the incident."""
    return _hour(_x(story, event_time_ms))


def _x(story: Story, event_time_ms: float) -> float:
    """Return the position of a time on the axis: minutes in the time zone of the incident."""
    return event_time_ms / 60_000 + story.utc_offset_min


def _hour(minutes: float, _position: object = None) -> str:
    """Return the label for a position on the time axis.

    >>> _hour(11 * 60 + 35)
    '11:35'
    """
    return f"{int(minutes) // 60 % 24:02}:{int(minutes) % 60:02}"


def _span(story: Story) -> tuple[int, int]:
    """Return the first and last minute of the picture, in event time (ms UTC)."""
    minutes = story.background.minutes
    times = [m.event_time_ms for m in story.messages] + [m.start_ms for m in minutes]
    return min(times), max(times) + 60_000


def _frame(axes: Axes, story: Story, *, narrow: bool) -> None:
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.xaxis.set_major_locator(MultipleLocator(10 if narrow else 5))
    axes.xaxis.set_major_formatter(FuncFormatter(_hour))
    axes.set_xlim(*(_x(story, at) for at in _span(story)))


def _tint_levels(axes: Axes, story: Story) -> None:
    """Shade the time at each level, and mark the moment at which it was reached."""
    _, end = _span(story)
    for i, change in enumerate(story.changes):
        until = story.changes[i + 1].event_time_ms if i + 1 < len(story.changes) else end
        start = _x(story, change.event_time_ms)
        tint = LEVEL_TINTS[change.level]
        axes.axvspan(start, _x(story, until), color=tint, linewidth=0, zorder=0)
        if change.level != "CLEAR":
            axes.axvline(start, color=LEVEL_INKS[change.level], linewidth=1.1, zorder=1)


def _lane(message: OfferedMessage) -> str:
    if message.role in (Role.BANK, Role.KNOWN, Role.NEW):
        return message.role.value
    return "refused" if message.is_refused else "delivered"


def _draw_lanes(axes: Axes, story: Story, *, narrow: bool) -> None:
    _frame(axes, story, narrow=narrow)
    _tint_levels(axes, story)
    labels = {}
    for lane, y in LANES.items():
        shown = [m for m in story.codes if _lane(m) == lane]
        labels[lane] = f"{tr(LANE_NAMES[lane])}  {len(shown):>2}"
        xs = [_x(story, m.event_time_ms) for m in shown]
        axes.axhline(y, color=GRID, linewidth=0.8, zorder=0.5)
        axes.scatter(xs, [y] * len(xs), zorder=3, **MARKS[lane])
        for x, message in zip(xs, shown, strict=True):
            if lane in ("bank", "known", "new") and message.is_refused:
                axes.scatter([x], [y], color=PALETTE["throttle"], s=110, marker="x",
                             linewidths=2, zorder=4)  # fmt: skip
    axes.set_ylim(-0.6, 4.9 if narrow else 4.6)
    if narrow:  # The lane names are above their lanes.
        axes.set_yticks([])
        for lane, y in LANES.items():
            axes.annotate(labels[lane], (0, y + 0.26), xycoords=("axes fraction", "data"),
                          color=MARKS[lane]["color"], size=9.5, zorder=5)  # fmt: skip
        return
    axes.set_yticks(list(LANES.values()), list(labels.values()))
    for label, lane in zip(axes.get_yticklabels(), LANES, strict=True):
        label.set_color(str(MARKS[lane]["color"]))
        label.set_fontsize(10)


def _draw_traffic(axes: Axes, story: Story, *, narrow: bool) -> None:
    _frame(axes, story, narrow=narrow)
    minutes = story.background.minutes
    xs = [_x(story, minute.start_ms + 30_000) for minute in minutes]
    axes.bar(xs, [m.messages for m in minutes], 0.8, color=PALETTE["pale"], zorder=2)
    axes.bar(xs, [m.codes for m in minutes], 0.8, color=PALETTE["known"], zorder=3)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
