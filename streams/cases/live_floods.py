"""The picture that `otpguard top` shows: its lines, and how a flood's pace is drawn. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from detectors.model.records import Evidence
from streams.cases.store.answers import CaseLine
from streams.cluster.lag import ClusterFacts
from streams.common import escape_unprintable, join_list, moment, tr, trn

BARS: Final = "▁▂▃▄▅▆▇█"
BAR_MS: Final = 30_000
"""Time that one bar of a flood's sparkline (a row of small bars) stands for, in milliseconds. The
eight bars cover four minutes: they show how the flood began and whether it goes on."""

PACE_MS: Final = BAR_MS * len(BARS)

LINE_CELLS: Final = 80  # Columns of the narrowest terminal.


def pace(seen: Sequence[Evidence]) -> list[int]:
    """Return the messages of each bar, the newest last; it ends with the newest message.

    `seen`: the counts in a flood's newest records, the newest last.
    """
    found, before = [0] * len(BARS), 0
    for each in seen:
        age = (seen[-1].last_ms - each.last_ms) // BAR_MS
        # Without its earlier records, nobody knows when the messages of an old flood came.
        is_known = before or each.first_ms > seen[-1].last_ms - PACE_MS
        if is_known and 0 <= age < len(found):
            found[-1 - age] += max(0, each.messages - before)
        before = each.messages
    return found


@dataclass(frozen=True, slots=True)
class FloodRow:
    """One flood as it is shown, and the messages of each bar of its pace, the newest last."""

    case: CaseLine
    pace: list[int]


def sparkline(pace: Sequence[int]) -> str:
    """Return a pace as bars.

    >>> sparkline([0, 4, 8, 1])
    '▁▄█▁'
    """
    return "".join(BARS[each * (len(BARS) - 1) // (max(pace) or 1)] for each in pace)


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything that is shown at one moment."""

    at_ms: int
    mode: str
    floods: int
    refused: int
    observed: int
    rows: list[FloodRow]
    at_work: dict[str, int]  # Gateway -> when it was last heard of.
    stopped: dict[str, int]
    facts: ClusterFacts
    unreadable: int
    is_behind: bool  # Records from before the start are still to be read.
    unanswered_ms: int  # Since when no broker answers (UTC); 0: they answer.

    def lines(self) -> list[str]:
        """Return what stands above the list, escaped, in lines of at most 80 letters."""
        facts = self.facts
        worst = sorted((facts.lag or {}).items(), key=lambda each: -each[1])[:1]
        lines = [
            tr("mode {mode}   {floods}: {refused} refused, {observed} observed").format(
                mode=self.mode,
                floods=trn("{n} flood", "{n} floods", self.floods),
                refused=self.refused,
                observed=self.observed,
            ),
            tr("lag {lag}{worst}   workers {workers}   dead letters in 1 h {letters}").format(
                lag="?" if facts.lag is None else sum(facts.lag.values()),
                worst="".join(f" (#{partition}: {n})" for partition, n in worst if n),
                workers="?" if facts.workers is None else len(facts.workers),
                letters="?" if facts.dead_letters is None else facts.dead_letters,
            ),
            self._gateways(),
            *([tr("still reading: these are not all floods")] if self.is_behind else []),
            *(
                [
                    tr("no broker answers since {time}: newer floods are missing").format(
                        time=moment(self.unanswered_ms)
                    )
                ]
                if self.unanswered_ms
                else []
            ),
        ]
        return list(map(escape_unprintable, lines))

    def _gateways(self) -> str:
        """Name the gateways, the stopped ones first, and count those that do not fit the line."""
        names = [
            *(tr("{name} stopped").format(name=name) for name in self.stopped),
            *(f"{name} ({(self.at_ms - at) // 1000} s)" for name, at in self.at_work.items()),
        ] or ["?" if self.facts.signs is None else tr("none")]
        left = [tr("+{n} more").format(n=n) for n in range(len(names) - 1, 0, -1)]
        lines = [
            tr("gateways {names}").format(
                names=join_list([*names[:shown], *left[shown - 1 : shown]])
            )
            for shown in range(1, len(names) + 1)
        ]
        return next((line for line in lines[::-1] if cell_len(line) <= LINE_CELLS), lines[0])
