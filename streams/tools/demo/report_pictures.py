"""Draws the picture of the report: each message to the victim."""

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator

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

MESSAGES: Final = "messages"
"""HTML id of the page's message table, which contains the data of the first picture."""


def draw_lanes(story: Story) -> Picture:
    """Return the picture of the page: each message at its time, in a lane for its kind."""
    first, last = (clock_of(story, story.codes[at].event_time_ms) for at in (0, -1))
    return draw_chart(
        "lanes",
        tr("Every code sent to this number"),
        lambda axes, narrow: _draw_lanes(axes, story, narrow=narrow),
        wide=(11.4, 2.9),
        narrow=(4.3, 3.6),
        table=MESSAGES,
        note=tr("One mark for each message; a red cross: refused."),
        description=tr(
            "{n} codes from {first} to {last} in five lanes: {flood} of the flood, {refused} of "
            "them refused, and the number's own."
        ).format(
            n=len(story.codes),
            first=first,
            last=last,
            flood=len(story.of(Role.ATTACK)),
            refused=len(story.list_refused(Role.ATTACK)),
        ),
    )


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


def _frame(axes: Axes, *, narrow: bool) -> None:
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.xaxis.set_major_locator(MultipleLocator(10 if narrow else 5))
    axes.xaxis.set_major_formatter(FuncFormatter(_hour))


def _tint_levels(axes: Axes, story: Story) -> None:
    """Shade the time at each level, and mark the moment at which it was reached."""
    starts = [_x(story, change.event_time_ms) for change in story.changes]
    ends = [*starts[1:], _x(story, story.messages[-1].event_time_ms)]
    for change, start, end in zip(story.changes, starts, ends, strict=False):
        axes.axvspan(start, end, color=LEVEL_TINTS[change.level], linewidth=0, zorder=0)
        if change.level != "CLEAR":
            axes.axvline(start, color=LEVEL_INKS[change.level], linewidth=1.1, zorder=1)


def _lane(message: OfferedMessage) -> str:
    if message.role in (Role.BANK, Role.KNOWN, Role.NEW):
        return message.role.value
    return "refused" if message.is_refused else "delivered"


def _draw_lanes(axes: Axes, story: Story, *, narrow: bool) -> None:
    _frame(axes, narrow=narrow)
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
