"""Draws the panels of a dashboard from a Prometheus server's data, without Grafana.

The picture shows which panels have data and whether they are readable; Grafana draws them
differently.

    python -m deploy.grafana.drawing --prometheus http://127.0.0.1:9090 --minutes 60
"""

from __future__ import annotations

import argparse
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LinearLocator

HERE: Final = Path(__file__).parent
INCHES: Final = 0.62  # of one of Grafana's 24 columns
ROW_INCHES: Final = 0.36
DPI: Final = 90
SMALL: Final = 7  # points, of labels and legends
FILLED: Final = {"$__rate_interval": "15s", "$job": "otpguard.*", "$instance": ".+",
                 "$gateway": ".*",
                 "$lag_metric": "kafka_consumergroup_lag"}  # fmt: skip
"""Values of Grafana's variables."""
COLORS: Final = {"green": "#56a64b", "orange": "#ff9830", "red": "#e02f44", "blue": "#3274d9",
                 "text": "#8e8e8e", "transparent": "none"}  # fmt: skip
SUFFIX: Final = {"s": "s", "percentunit": "%", "bytes": "MB", "cps": "/s", "cpm": "/min"}


def draw(board: Mapping[str, Any], prometheus: str, folder: Path, minutes: float) -> Path:
    """Draw the last minutes of one dashboard; return the picture's path."""
    mpl.use("agg")
    panels = board["panels"]
    rows = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in panels)
    figure = Figure(figsize=(24 * INCHES, rows * ROW_INCHES), layout=None)
    for panel in panels:
        _place(figure, panel, rows, prometheus, minutes * 60)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{board['uid']}.png"
    figure.savefig(path, dpi=DPI)
    return path


def _place(
    figure: Figure, panel: Mapping[str, Any], rows: int, prometheus: str, span_s: float
) -> None:
    at = panel["gridPos"]
    x, y, w, h = at["x"] / 24, 1 - (at["y"] + at["h"]) / rows, at["w"] / 24, at["h"] / rows
    if panel["type"] == "row":
        figure.text(0.006, y + h / 3, panel["title"], weight="bold", fontsize=10)
        return
    left, bottom, top = (0.042, 1.2 / rows, 1.1 / rows) if h * rows > 5 else (0.004, 0, 0.9 / rows)
    axes = figure.add_axes((x + left, y + bottom, w - left - 0.012, h - bottom - top))
    axes.set_title(panel["title"], fontsize=8, loc="left", pad=3)
    axes.tick_params(labelsize=SMALL, length=2)
    form = {"stat": _stat, "table": _table, "heatmap": _heat, "state-timeline": _bands}
    form.get(panel["type"], _curves)(axes, panel, prometheus, span_s)


def _curves(axes: Axes, panel: Mapping[str, Any], prometheus: str, span_s: float) -> None:
    drawn = [each for target in panel["targets"] for each in _range(prometheus, target, span_s)]
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    if custom.get("stacking", {}).get("mode") == "normal" and drawn:
        times = sorted({t for _, points in drawn for t, _ in points})
        values = [[dict(points).get(t, 0.0) for t in times] for _, points in drawn]
        axes.stackplot(_days(times), values,
                       labels=[label for label, _ in drawn], alpha=0.7)  # fmt: skip
    else:
        for label, points in drawn:
            axes.plot(_days([t for t, _ in points]), [v for _, v in points], lw=1, label=label)
    for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", []):
        if step.get("value") is not None and custom.get("thresholdsStyle"):
            axes.axhline(step["value"], color=COLORS[step["color"]], ls="--", lw=0.8)
    _time_axis(axes, panel, span_s)
    if drawn:
        longest = max(len(label) for label, _ in drawn)
        columns = max(1, int(panel["gridPos"]["w"] * 7 / (longest + 8)))
        axes.legend(fontsize=SMALL, framealpha=0.7, ncols=columns, loc="upper left", borderpad=0.1)
    else:
        _nothing(axes)
    axes.set_ylim(bottom=0)


def _bands(axes: Axes, panel: Mapping[str, Any], prometheus: str, span_s: float) -> None:
    drawn = _range(prometheus, panel["targets"][0], span_s)
    for nth, (_, points) in enumerate(drawn):
        for (t, v), (after, _) in pairwise(points):
            begin, end = _days([t, after])
            axes.barh(nth, end - begin, left=begin, color=_color(panel, v), height=0.8)
        axes.annotate(drawn[nth][0], (0, nth), xycoords=("axes fraction", "data"), fontsize=SMALL)
    axes.set_yticks([])
    _time_axis(axes, panel, span_s, measured=False)


def _heat(axes: Axes, panel: Mapping[str, Any], prometheus: str, span_s: float) -> None:
    drawn = sorted(_range(prometheus, panel["targets"][0], span_s), key=lambda d: float(d[0]))
    if not drawn:
        _nothing(axes)
        return
    times = [t for t, _ in drawn[0][1]]
    below = [[dict(points).get(t, 0.0) for t in times] for _, points in drawn]
    between = [below[0], *([max(0, b - a) for a, b in zip(x, y, strict=True)]
                           for x, y in pairwise(below))]  # fmt: skip
    days = _days(times)
    axes.pcolormesh(days, range(len(drawn)), between, cmap="Oranges", shading="nearest")
    axes.set_yticks(range(len(drawn)), [f"≤ {label} s" for label, _ in drawn])
    _time_axis(axes, panel, span_s, measured=False)


def _stat(axes: Axes, panel: Mapping[str, Any], prometheus: str, _span_s: float) -> None:
    answers = _instant(prometheus, panel["targets"][0])
    axes.set_xticks([])
    axes.set_yticks([])
    if not answers:
        text, color = panel["fieldConfig"]["defaults"].get("noValue", "none"), COLORS["text"]
    elif panel["options"].get("textMode") == "name":
        text, color = ", ".join(label for label, _ in answers), COLORS["text"]
    else:
        value = answers[0][1]
        text, color = _written(panel, value), _color(panel, value)
    axes.set_facecolor(color)
    axes.text(0.5, 0.5, text, ha="center", va="center", color="white", fontsize=15)


def _table(axes: Axes, panel: Mapping[str, Any], prometheus: str, _span_s: float) -> None:
    axes.axis("off")
    answers = _get(prometheus, "query", query=_filled(panel["targets"][0]["expr"]))
    hidden = panel["transformations"][0]["options"]["excludeByName"]
    rows = [{k: v for k, v in each["metric"].items() if k not in hidden} for each in answers]
    if not rows:
        _nothing(axes)
        return
    heads = sorted({key for row in rows for key in row})
    cells = [[row.get(head, "") for head in heads] for row in rows]
    axes.table(cells, colLabels=heads, loc="upper center", fontsize=SMALL)


def _nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "nothing to show", ha="center", va="center", transform=axes.transAxes,
              fontsize=8, color=COLORS["text"])  # fmt: skip


def _time_axis(
    axes: Axes, panel: Mapping[str, Any], span_s: float, *, measured: bool = True
) -> None:
    axes.set_xlim(*_days([time.time() - span_s, time.time()]))
    axes.xaxis.set_major_locator(LinearLocator(4))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S"))  # type: ignore[no-untyped-call]
    axes.get_xticklabels()[-1].set_horizontalalignment("right")
    axes.grid(visible=True, lw=0.3)
    if measured:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _written(panel, value)))


def _days(times: list[float]) -> list[float]:
    """Convert Unix seconds to matplotlib's time."""
    return [t / 86_400 for t in times]


def _written(panel: Mapping[str, Any], value: float) -> str:
    """Format a value for people.

    >>> panel = {"fieldConfig": {"defaults": {"unit": "cps"}}}
    >>> _written(panel, 1_400_000), _written(panel, 250)
    ('1.4 M/s', '250 /s')
    """
    unit = panel["fieldConfig"]["defaults"]["unit"]
    value *= {"percentunit": 100, "bytes": 1 / (1 << 20)}.get(unit, 1)
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}{SUFFIX.get(unit, '')}"
    return f"{value:.3g} {SUFFIX.get(unit, '')}".strip()


def _color(panel: Mapping[str, Any], value: float) -> str:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    reached = [step for step in steps if step.get("value") is None or value >= step["value"]]
    return COLORS[reached[-1]["color"]]


def _filled(expr: str) -> str:
    for variable, value in FILLED.items():
        expr = expr.replace(variable, value)
    return expr


Points = list[tuple[float, float]]


def _range(prometheus: str, target: Mapping[str, Any], span_s: float) -> list[tuple[str, Points]]:
    """Return the legend and points of each series."""
    end = time.time()
    asked = {"start": end - span_s, "end": end, "step": max(1, span_s // 240)}
    answers = _get(prometheus, "query_range", query=_filled(target["expr"]), **asked)
    return [
        (_legend(target, each["metric"]), [(float(t), float(v)) for t, v in each["values"]])
        for each in answers
    ]


def _instant(prometheus: str, target: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the legend and value of each series."""
    answers = _get(prometheus, "query", query=_filled(target["expr"]))
    return [(_legend(target, each["metric"]), float(each["value"][1])) for each in answers]


def _legend(target: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda m: labels.get(m[1], ""), target["legendFormat"])


def _get(prometheus: str, what: str, **parameters: object) -> list[dict[str, Any]]:
    address = f"{prometheus}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - the user's own
        result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


def main() -> None:
    """Draw every dashboard."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana.drawing")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=180)
    parser.add_argument("--out", type=Path, default=HERE / "pictures")
    chosen = parser.parse_args()
    for path in sorted((HERE / "dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        print(draw(board, chosen.prometheus, chosen.out, chosen.minutes))


if __name__ == "__main__":
    main()
