"""Panels made from queries. The query has unit, legend and text; the panel only the form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import (
    common as common_build,
    dashboard as build,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common, dashboard, units
from grafana_foundation_sdk.models.prometheus import PromQueryFormat as Form

from deploy.prometheus.queries import BOARD, Query
from deploy.prometheus.rules import ALERTS

SOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
UNITS: Final = {
    "cps": units.CountsPerSecond,
    "cpm": units.CountsPerMinute,
    "s": units.Seconds,
    "bytes": units.BytesIEC,
    "short": units.Short,
    "percentunit": units.PercentUnit,
    "bool_yes_no": units.BoolYesNo,
    "bool_on_off": units.BoolOnOff,
}
NEVER: Final = common.VisibilityMode.NEVER
SHOWN: Final = common_build.HideSeriesConfig().tooltip(False).legend(False).viz(False)
GREEN, AMBER, RED, BLUE, GREY = "green", "orange", "red", "blue", "text"

Steps = Sequence[tuple[float | None, str]]
"""Lower bounds and colours, in ascending order; the first has no bound."""

ATTACKS: Final = ("episodes_open", "throttles_open", "new_throttles", "refused")
"""Queries about attacks. `otpguard cases` or a desk shows their recipients."""

HEIGHT: Final = 7
WIDTHS: Final = {"stat": 4, "third": 8, "half": 12, "whole": 24}


def _says(runbooks: str, *queries: Query) -> str:
    """Return the text of the queries, with the runbooks of their alerts."""
    says = "\n\n".join(dict.fromkeys(query.says for query in queries))
    watching = dict.fromkeys(
        f"{alert.name}, {alert.runbook(runbooks)}"
        for alert in ALERTS
        if any(query in alert.shown for query in queries)
    )
    return f"{says}\n\nAlert and runbook: {'; '.join(watching)}" if watching else says


def _links(*queries: Query) -> list[build.DashboardLink]:
    """Return links to the runbooks of these queries' alerts, and from attacks to cases.

    Variables of the dashboard have both addresses.
    """
    places = {
        f"Runbook: {alert.name}": alert.runbook("${runbooks:raw}")
        for alert in ALERTS
        if any(query in alert.shown for query in queries)
    }
    if any(query.name in ATTACKS for query in queries):
        places["Cases"] = "${cases:raw}"
    return [
        build.DashboardLink(title).type(dashboard.DashboardLinkType.LINK).url(url)
        .target_blank(True)
        for title, url in places.items()
    ]  # fmt: skip


def _target(query: Query, nth: int, form: Form, *, instant: bool) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .expr(query.at(BOARD))
        .legend_format(query.legend)
        .ref_id(chr(ord("A") + nth))
        .datasource(SOURCE)
        .format(form)
    )
    return target.instant() if instant else target.range()


def _dressed(
    panel: Any,
    title: str,
    queries: Sequence[Query],
    runbooks: str,
    *,
    instant: bool = False,
    form: Form = Form.TIME_SERIES,
) -> Any:
    """Add the parts that all panels have."""
    panel = panel.title(title).description(_says(runbooks, *queries)).datasource(SOURCE)
    panel = panel.unit(UNITS[queries[0].unit]).links(_links(*queries))
    for nth, query in enumerate(queries):
        panel = panel.with_target(_target(query, nth, form, instant=instant))
    return panel


def _thresholds(steps: Steps) -> build.ThresholdsConfig:
    return (
        build.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=value, color=color) for value, color in steps])
    )


def light(title: str, query: Query, steps: Steps, runbooks: str, empty: str = "none") -> Any:
    """Return a panel with one coloured number; `empty` is shown without data."""
    panel = _dressed(stat.Panel(), title, [query], runbooks, instant=True)
    return (
        panel.thresholds(_thresholds(steps))
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(common_build.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value(empty)
        .height(4)
        .span(WIDTHS["stat"])
    )


def named(title: str, query: Query, steps: Steps, runbooks: str) -> Any:
    """Return a panel that shows the name of a series instead of its number."""
    return light(title, query, steps, runbooks).text_mode(common.BigValueTextMode.NAME)


def lines(
    title: str,
    queries: Sequence[Query],
    runbooks: str,
    *,
    width: str = "third",
    stacked: bool = False,
    bound: float | None = None,
) -> Any:
    """Return a panel with curves over time; a bound is a red line."""
    panel = _dressed(timeseries.Panel(), title, queries, runbooks)
    panel = (
        panel.height(HEIGHT)
        .span(WIDTHS[width])
        .min(0)
        .fill_opacity(30 if stacked else 8)
        .line_width(1)
        .show_points(NEVER)
        .legend(
            common_build.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common_build.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel = panel.stacking(
            common_build.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
        )
    if bound is not None:
        panel = panel.thresholds(_thresholds([(None, "transparent"), (bound, RED)]))
        panel = panel.thresholds_style(
            common_build.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    return panel


def states(title: str, query: Query, steps: Steps, runbooks: str, width: str = "third") -> Any:
    """Return a panel with bands over time, one for each series."""
    return (
        _dressed(statetimeline.Panel(), title, [query], runbooks)
        .thresholds(_thresholds(steps))
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .show_value(NEVER)
        .fill_opacity(80)
        .height(HEIGHT)
        .span(WIDTHS[width])
    )


def spread(title: str, query: Query, runbooks: str, width: str = "third") -> Any:
    """Return a panel with a histogram over time."""
    panel = _dressed(heatmap.Panel(), title, [query], runbooks, form=Form.HEATMAP)
    return panel.show_value(NEVER).hide_from(SHOWN).height(HEIGHT).span(WIDTHS[width])


def listing(title: str, query: Query, runbooks: str, hidden: Sequence[str], width: str) -> Any:
    """Return a panel with a table of labels."""
    panel = _dressed(table.Panel(), title, [query], runbooks, instant=True, form=Form.TABLE)
    exclude = dict.fromkeys(("Time", "Value", "__name__", *hidden), True)
    organize = dashboard.DataTransformerConfig(
        id_val="organize", options={"excludeByName": exclude}
    )
    panel = panel.show_header(True).align(common.FieldTextAlignment.AUTO)
    return panel.with_transformation(organize).height(HEIGHT).span(WIDTHS[width])
