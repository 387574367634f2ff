"""Pictures of pages: matplotlib's axes as SVG for phones, for paper and for who listens.

A picture is drawn for a wide page and once more for a narrow one, where letters would be too small
to read. Its letters stay text, its title and note are the page's, and its figures go with it as a
table. The same figures give the same bytes, and nothing is linked to.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from streams.page import PALETTE

INK, MUTED, GRID = PALETTE["ink"], PALETTE["muted"], PALETTE["faint"]

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # shipped inside matplotlib: what is laid out by; wide
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
    "legend.edgecolor": "none",  # a ground of paper: lines do not cross the words
    "legend.facecolor": PALETTE["paper"],
    "legend.framealpha": 0.9,
    "legend.fontsize": 9,
}

Size = tuple[float, float]
"""Width and height in inches of 72 units; letters are of 9.5 units."""

Draw = Callable[[Axes, bool], None]
"""Draws on axes; told if they are narrow."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with everything that says what it shows."""

    name: str  # unique in its page
    title: str
    note: str
    description: str  # for who cannot see it
    wide: Markup
    narrow: Markup | None  # None: the other one is narrow enough
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    table: str = ""  # the id of what holds the figures, if a table of the page does


def drawn(
    name: str,
    title: str,
    draw: Draw,
    *,
    wide: Size,
    narrow: Size | None,
    note: str = "",
    description: str,
    head: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
    table: str = "",
    left: float | None = None,
) -> Picture:
    """Draw it. `left`: the wide one's left margin in inches, so that several have one axis."""
    label = f"{title}: {note}" if note else title
    sizes = {"wide": wide, **({"narrow": narrow} if narrow else {})}
    made = {
        which: _svg(f"{name}-{which}", which if narrow else "only", label, description, draw, size,
                    narrow=which == "narrow", left=left if which == "wide" else None)
        for which, size in sizes.items()
    }  # fmt: skip
    return Picture(name, title, note, description, made["wide"], made.get("narrow"), head, rows,
                   table)  # fmt: skip


def _svg(
    id_: str,
    which: str,
    label: str,
    description: str,
    draw: Draw,
    size: Size,
    *,
    narrow: bool,
    left: float | None,
) -> Markup:
    with mpl.rc_context({**STYLE, "svg.hashsalt": id_}), warnings.catch_warnings():
        # The page's fonts draw the letters, not the one that lays them out.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, layout=None if left is not None else "constrained")
        axes = figure.subplots()
        if left is not None:
            width, height = size
            figure.subplots_adjust(left / width, 0.3 / height, 1 - 0.9 / width, 1 - 0.12 / height)
        draw(axes, narrow)
        sink = io.StringIO()
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    svg = sink.getvalue()
    body = svg[svg.index("<svg") :]
    head, _, rest = body.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    rest = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", rest, flags=re.DOTALL)
    rest = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{id_}-", rest)
    rest = re.sub(r'<g id="[^"]*">', "<g>", rest)  # nothing names a group
    rest = _UNNAMED.sub(_font, rest)
    return Markup(  # noqa: S704 - ours; what is not is escaped
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'class="{which}" {box[0]} role="img" aria-labelledby="{id_}-title {id_}-desc">'
        f'<title id="{id_}-title">{escape(label)}</title>'
        f'<desc id="{id_}-desc">{escape(description)}</desc>{rest}'
    )


_UNNAMED: Final = re.compile(r"font: ((?:\w+ )*)([\d.]+px) [^;\"]*")


def _font(found: re.Match[str]) -> str:
    """Weight and size of a text; its family is the page's."""
    weight = "font-weight: 700; " if re.search("bold|700", found[1]) else ""
    return f"{weight}font-size: {found[2]}"


def bar_line(axes: Axes, at: float, label: str, ink: str, row: int = 0) -> None:
    """A dashed line across the axes with its name beside it, so many rows from the top."""
    axes.axvline(at, color=ink, lw=1, ls=(0, (4, 3)))
    axes.annotate(
        label,
        (at, 1),
        (4, -4 - 11 * row),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        color=ink,
        size=8.5,
        weight="bold",
        bbox={"facecolor": PALETTE["paper"], "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
    )
