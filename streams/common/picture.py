"""Charts for pages: matplotlib axes as SVG, for phones, print and screen readers.

A chart is drawn twice: for a wide page, and for a narrow page where the text of the wide one would
be too small. Text in the SVG stays text. The page itself shows the title and note, and a table with
the same figures. Equal figures give equal bytes, and the SVG links to nothing.
"""

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

from streams.common.page import PALETTE

INK, MUTED, GRID = PALETTE["ink"], PALETTE["muted"], PALETTE["faint"]

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # shipped with matplotlib and used for the layout; a wide font
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
    "legend.edgecolor": "none",  # a paper-coloured background, so that lines do not cross the text
    "legend.facecolor": PALETTE["paper"],
    "legend.framealpha": 0.9,
    "legend.fontsize": 9,
}

Size = tuple[float, float]
"""Width and height in inches. An inch has 72 units, and text has a size of 9.5 units."""

Draw = Callable[[Axes, bool], None]
"""Draws on axes. The second argument is true for the narrow version."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart with its texts and a table of the numbers in it."""

    name: str  # unique within its page
    title: str
    note: str
    description: str  # for people who cannot see the chart
    wide: Markup
    narrow: Markup
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    table: str = ""  # id of the page element with the figures, if the page has one


def draw_chart(
    name: str,
    title: str,
    draw: Draw,
    *,
    wide: Size,
    narrow: Size,
    note: str = "",
    description: str,
    head: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
    table: str = "",
) -> Picture:
    """Draw a chart in two sizes."""
    label = f"{title}: {note}" if note else title
    large, small = (
        _svg(f"{name}-{which}", which, label, description, draw, size, narrow=which == "narrow")
        for which, size in (("wide", wide), ("narrow", narrow))
    )  # fmt: skip
    return Picture(name, title, note, description, large, small, head, rows, table)


def _svg(
    id_: str,
    which: str,
    label: str,
    description: str,
    draw: Draw,
    size: Size,
    *,
    narrow: bool,
) -> Markup:
    with mpl.rc_context({**STYLE, "svg.hashsalt": id_}), warnings.catch_warnings():
        # The browser uses the page's fonts, so a glyph missing in the layout font is harmless.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots(), narrow)
        sink = io.StringIO()
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    svg = sink.getvalue()
    head, _, rest = svg[svg.index("<svg") :].partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    rest = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", rest, flags=re.DOTALL)
    rest = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{id_}-", rest)
    rest = re.sub(r'<g id="[^"]*">', "<g>", rest)  # no reference uses the ids of groups
    rest = _UNNAMED.sub(_font, rest)
    return Markup(  # noqa: S704 - our own markup; all other text is escaped
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'class="{which}" {box[0]} role="img" aria-labelledby="{id_}-title {id_}-desc">'
        f'<title id="{id_}-title">{escape(label)}</title>'
        f'<desc id="{id_}-desc">{escape(description)}</desc>{rest}'
    )


_UNNAMED: Final = re.compile(r"font: ((?:\w+ )*)([\d.]+px) [^;\"]*")


def _font(found: re.Match[str]) -> str:
    """Return the weight and size of a text. The font family comes from the page."""
    weight = "font-weight: 700; " if re.search("bold|700", found[1]) else ""
    return f"{weight}font-size: {found[2]}"
