"""Render the figures of a month as an HTML page without scripts, and as a PDF."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from detectors.model.times import DAY_MS
from streams import __version__
from streams.cases.explanation import RULES, platform_name
from streams.common import tr, trn
from streams.common.page import PALETTE, environment
from streams.common.picture import Picture, draw_chart
from streams.people.notices.month import Month, TimeSpread


def page(month: Month, operator: str) -> str:
    """Return the month as an HTML page, in the current language."""
    return (
        environment()
        .get_template("people/notices/month.html.j2")
        .render(
            month=month,
            operator=operator,
            name=f"{datetime.fromtimestamp(month.from_ms / 1000, UTC):%Y-%m}",
            tiles=[
                ("throttle", f"{month.floods:,}", tr("floods")),
                ("ink", f"{month.victims:,}", tr("numbers that were flooded")),
                (
                    "known",
                    span(month.to_notice.median_s),
                    tr("from the first code to the throttle"),
                ),
                ("known", span(month.to_hold.median_s), tr("from the throttle to the gateway")),
                ("good", f"{month.refused:,}", tr("messages refused")),
            ],
            pictures=list(_pictures(month)),
            platforms=[
                (
                    platform_name(each.key),
                    f"{each.messages:,}",
                    f"{each.floods:,}",
                    each.victims,
                    tr("yes") if each.told else tr("no"),
                    "-" if each.before is None else f"{each.before:.1f}",
                    "-" if each.after is None else f"{each.after:.1f}",
                )
                for each in month.platforms
            ],
            rules=[(tr(RULES.get(rule, rule)), f"{n:,}") for rule, n in month.rules.items()],
            spread=spread_words,
            moment=lambda at: f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M}",
            version=__version__,
        )
    )


def span(seconds: float | None) -> str:
    """Format a duration in seconds for people.

    >>> span(None), span(3.04), span(185)
    ('-', '3.0 s', '3.1 min')
    """
    if seconds is None:
        return "-"
    if seconds < 90:
        return tr("{n} s").format(n=f"{seconds:.1f}")
    return tr("{n} min").format(n=f"{seconds / 60:.1f}")


def _pictures(month: Month) -> Iterator[Picture]:
    days = range(month.from_ms, month.until_ms, DAY_MS)
    counts = [month.by_day.get(day, 0) for day in days]
    names = [f"{datetime.fromtimestamp(day / 1000, UTC):%d}" for day in days]

    def draw_days(axes: Any, narrow: bool) -> None:  # noqa: FBT001 - `draw_chart` calls it like this
        axes.bar(range(len(counts)), counts, color=PALETTE["throttle"], width=0.7)
        step = 7 if narrow else 3
        axes.set_xticks(range(0, len(names), step), names[::step])
        axes.set_ylim(bottom=0)
        axes.yaxis.get_major_locator().set_params(integer=True)  # floods are whole numbers

    yield draw_chart(
        "days", tr("Floods by day"), draw_days, wide=(9.2, 2.2), narrow=(4.2, 2.2),
        description=trn("{n} flood", "{n} floods", month.floods),
        head=("day", "floods"), rows=[(n, str(c)) for n, c in zip(names, counts, strict=True)],
    )  # fmt: skip
    told = [p for p in month.platforms if p.before is not None and p.after is not None][:12]
    if not told:
        return

    def draw_told(axes: Any, narrow: bool) -> None:  # noqa: ARG001, FBT001 - as `draw_days`
        places = range(len(told))
        axes.barh([p - 0.2 for p in places], [p.before or 0 for p in told], height=0.36,
                  color=PALETTE["pale"], label=tr("before"))  # fmt: skip
        axes.barh([p + 0.2 for p in places], [p.after or 0 for p in told], height=0.36,
                  color=PALETTE["good"], label=tr("after"))  # fmt: skip
        axes.set_yticks(places, [platform_name(p.key) for p in told])
        axes.invert_yaxis()
        axes.legend(loc="lower right")

    height = 0.9 + 0.42 * len(told)
    yield draw_chart(
        "told", tr("Does telling help?"), draw_told, wide=(9.2, height), narrow=(4.2, height),
        note=tr("messages of floods a day, before and after a platform's first report"),
        description=tr("messages of floods a day, before and after a platform's first report"),
        head=("platform", "before", "after"),
        rows=[(platform_name(p.key), f"{p.before:.1f}", f"{p.after:.1f}") for p in told],
    )  # fmt: skip


def spread_words(spread: TimeSpread) -> str:
    """Format a `TimeSpread` as a phrase.

    >>> spread_words(TimeSpread(3, 10.0, 200.0))
    'half within 10.0 s, 95 % within 3.3 min (of 3)'
    """
    if not spread.n:
        return tr("not known")
    return tr("half within {median}, 95 % within {p95} (of {n})").format(
        median=span(spread.median_s), p95=span(spread.p95_s), n=f"{spread.n:,}"
    )
