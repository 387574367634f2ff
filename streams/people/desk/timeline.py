"""Places the messages of a flood in the bars of a chart, by time, passed and refused.

The template `timeline.html.j2` draws the chart as SVG.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streams.cases.store.answers import CaseEvent
from streams.common.language import zone

BINS: Final = 48
"""Maximum number of bars for a flood of up to 48 days. Chosen: on a wide page (720 units) a bar is
then about 12 units wide."""

STEPS_MS: Final = (
    1_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000,
    7_200_000, 21_600_000, 86_400_000,
)  # fmt: skip
"""Possible time spans of one bar, in milliseconds."""


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


@dataclass(frozen=True, slots=True)
class Timeline:
    """The content of a chart. Each bar stands for `step_ms`; without messages there is no bar."""

    title: str
    step_ms: int
    bars: Sequence[TimeBar]
    marks: Sequence[Mark]

    def place_marks(self, left: int, inner: int) -> Iterator[tuple[float, float, int, str]]:
        """Yield the place of each mark's line, and the place, row and text of its label.

        The chart begins at `left` and is `inner` wide. Labels use three rows so that they do not
        overlap. If all rows are occupied, the label is empty.
        """
        ends = [0.0] * 3
        begin, span = self.bars[0].from_ms, self.step_ms * len(self.bars)
        for mark in sorted(self.marks, key=lambda each: each.at_ms):
            if not begin <= mark.at_ms <= begin + span:
                continue
            x = left + inner * (mark.at_ms - begin) / span
            length = sum(12.5 if ord(c) > 0x2E80 else 7.2 for c in mark.label)
            start = min(x + 3, left + inner + 6 - length)
            row = next((i for i, end in enumerate(ends) if start > end), None)
            if row is not None:
                ends[row] = start + length + 6
            yield x, start, row or 0, "" if row is None else mark.label


def bars(events: Sequence[CaseEvent]) -> tuple[int, list[TimeBar]]:
    """Return the time span of a bar in milliseconds, and all bars from first to last message.

    >>> seen = {0: "pass", 200: "refuse", 2_500: "refuse"}.items()
    >>> step, found = bars([CaseEvent(at, "", 1, True, 0, would) for at, would in seen])
    >>> step, [bar.counts for bar in found]
    (1000, [(1, 1, 0), (0, 0, 0), (0, 1, 0)])
    """
    if not events:
        return STEPS_MS[0], []
    first, last = min(e.at_ms for e in events), max(e.at_ms for e in events)
    step = next((s for s in STEPS_MS if last // s - first // s < BINS), STEPS_MS[-1])
    begin = first // step
    counts = [[0, 0, 0] for _ in range(min(last // step - begin, 10 * BINS) + 1)]
    for each in events:
        at = min(each.at_ms // step - begin, len(counts) - 1)
        counts[at][{"pass": 0, "refuse": 1}.get(each.would, 2)] += 1
    return step, [
        TimeBar((begin + i) * step, (each[0], each[1], each[2])) for i, each in enumerate(counts)
    ]


def hour(at_ms: int, *, seconds: bool = False) -> str:
    """Format the time of day in the current time zone."""
    return datetime.fromtimestamp(at_ms / 1000, zone()).strftime("%H:%M:%S" if seconds else "%H:%M")
