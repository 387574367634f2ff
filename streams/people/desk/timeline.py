"""Draws a bar chart of a flood: messages over time, passed and refused, as SVG.

The SVG contains no inline styles, because the content security policy forbids them. The chart is
drawn twice, for wide and for narrow pages, because scaled text would be too small on a narrow page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

from streams.common.language import tr, zone

BINS: Final = 48
"""Maximum number of bars for a flood of up to 48 days. Chosen: on a wide page (720 units) a bar is
then about 12 units wide."""

STEPS_MS: Final = (
    1_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000,
    7_200_000, 21_600_000, 86_400_000,
)  # fmt: skip
"""Possible time spans of one bar, in milliseconds."""

KINDS: Final = ("passed", "refused", "unknown")
"""Parts of a bar, from bottom to top. The names are CSS classes."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One message in the chart."""

    at_ms: int
    would: str  # decision of the throttle: pass | refuse | empty if not known


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled moment in the chart: a level was reached, or an override was published."""

    at_ms: int
    label: str


@dataclass(frozen=True, slots=True)
class TimeBar:
    """One bar: the start of its time span, and its messages by kind."""

    from_ms: int
    counts: tuple[int, int, int]  # passed, refused, unknown


def bars(dots: Sequence[Dot]) -> tuple[int, list[TimeBar]]:
    """Return the time span of a bar in milliseconds, and all bars from first to last message.

    >>> step, found = bars([Dot(0, "pass"), Dot(200, "refuse"), Dot(2_500, "refuse")])
    >>> step, [bar.counts for bar in found]
    (1000, [(1, 1, 0), (0, 0, 0), (0, 1, 0)])
    """
    if not dots:
        return STEPS_MS[0], []
    first, last = min(d.at_ms for d in dots), max(d.at_ms for d in dots)
    step = next((s for s in STEPS_MS if last // s - first // s < BINS), STEPS_MS[-1])
    begin = first // step
    counts = [[0, 0, 0] for _ in range(min(last // step - begin, 10 * BINS) + 1)]
    for dot in dots:
        at = min(dot.at_ms // step - begin, len(counts) - 1)
        counts[at][{"pass": 0, "refuse": 1}.get(dot.would, 2)] += 1
    return step, [
        TimeBar((begin + i) * step, (each[0], each[1], each[2])) for i, each in enumerate(counts)
    ]


def hour(at_ms: int, *, seconds: bool = False) -> str:
    """Format the time of day in the current time zone."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at.astimezone(zone()):{'%H:%M:%S' if seconds else '%H:%M'}}"


def draw_timeline(dots: Sequence[Dot], marks: Sequence[Mark], title: str) -> Markup:
    """Return the wide and the narrow chart as SVG, or nothing if there are no messages."""
    step, found = bars(dots)
    if not found:
        return Markup("")
    return Markup("").join(
        _svg(found, step, marks, title, which, *size)
        for which, size in (("wide", (720, 190)), ("narrow", (340, 200)))
    )


_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 40, 24


def _svg(
    found: Sequence[TimeBar], step: int, marks: Sequence[Mark], title: str, which: str, wide: int,
    high: int,
) -> Markup:  # fmt: skip
    most = max(sum(bar.counts) for bar in found)
    inner, base = wide - _LEFT - _RIGHT, high - _BOTTOM
    tall = base - _TOP
    each = inner / len(found)
    begin = found[0].from_ms
    parts = [
        Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
               '<text x="{3}" y="{4}" text-anchor="end">{5}</text>').format(
            _LEFT, wide - _RIGHT, _round(base - tall * n / most), _LEFT - 6,
            _round(base - tall * n / most + 4), n)
        for n in dict.fromkeys((most, most // 2))
        if n
    ]  # fmt: skip
    for i, bar in enumerate(found):
        y = float(base)
        for kind, n in zip(KINDS, bar.counts, strict=True):
            if n:
                height = tall * n / most
                y -= height
                parts.append(
                    Markup('<rect class="{} cut" x="{}" y="{}" width="{}" height="{}"/>').format(
                        kind, _round(_LEFT + i * each), _round(y),
                        _round(max(each - min(2, each / 4), 1.5)), _round(height))
                )  # fmt: skip
    parts.append(
        Markup('<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(
            _LEFT, wide - _RIGHT, base
        )
    )
    ticks = 6 if wide > 500 else 3
    span = step * len(found)
    for i in range(ticks + 1):
        anchor = "start" if i == 0 else "end" if i == ticks else "middle"
        at = begin + span * i // ticks
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
                _round(_LEFT + inner * i / ticks), high - 6, anchor,
                hour(at, seconds=span < 600_000))
        )  # fmt: skip
    parts.extend(_marks(marks, begin, span, wide, base))
    name = f"timeline-{which}"
    return Markup(
        '<svg class="{which}" viewBox="0 0 {wide} {high}" role="img" aria-labelledby="{name}">'
        '<title id="{name}">{title}</title>{body}</svg>'
    ).format(which=which, wide=wide, high=high, name=name, title=title, body=Markup("").join(parts))


def _marks(marks: Sequence[Mark], begin: int, span: int, wide: int, base: int) -> list[Markup]:
    """Draw dashed lines with labels. Labels use three rows so that they do not overlap.

    If all rows are occupied, the line has no label.
    """
    ends = [0.0] * 3
    made = []
    inner = wide - _LEFT - _RIGHT
    for mark in sorted(marks, key=lambda each: each.at_ms):
        if not begin <= mark.at_ms <= begin + span:
            continue
        x = _LEFT + inner * (mark.at_ms - begin) / span
        length = sum(12.5 if ord(c) > 0x2E80 else 7.2 for c in mark.label)
        start = min(x + 3, wide - length - 2)
        row = next((i for i, end in enumerate(ends) if start > end), None)
        label = Markup("")
        if row is not None:
            ends[row] = start + length + 6
            label = Markup('<text class="mark" x="{}" y="{}">{}</text>').format(
                _round(start), 11 + 13 * row, escape(mark.label)
            )
        made.append(
            Markup('<line class="mark" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>{3}').format(
                _round(x), 4 + 13 * (row or 0), base, label
            )
        )
    return made


def legend() -> Markup:
    """Return the legend of the chart: the colour and text of each kind."""
    box = Markup(
        '<li><svg viewBox="0 0 14 14" aria-hidden="true"><rect class="{}" width="14" height="14"/>'
        "</svg>{}</li>"
    )
    words = (tr("passes"), tr("a throttle refuses it"), tr("its fate is not known"))
    rows = [box.format(kind, word) for kind, word in zip(KINDS, words, strict=True)]
    return Markup('<ul class="legend picture">{}</ul>').format(Markup("").join(rows))


def _round(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
