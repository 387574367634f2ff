"""`otpguard metrics`: lists every metric, without contacting a worker."""

from typing import Final

from streams.cli.shared import JsonOption, group, write_list
from streams.telemetry import metrics

COLUMNS: Final = ("name", "type", "unit", "labels", "meaning")

app = group("List the metrics.")


@app.callback()
def _group() -> None:
    """Metrics of worker and adapters."""


@app.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    r"""List name, type, unit, labels with their closed sets, and meaning.

    \b
    Examples:
      otpguard metrics list
      otpguard metrics list --json | jq -r '.[].name'
    """
    document = [
        {
            "name": metrics.PREFIX + metric.name,
            "type": metric.kind,
            "unit": metric.unit,
            "labels": metric.labels,
            "buckets": metric.buckets,
            "roles": metric.roles,
            "meaning": metric.meaning,
        }
        for metric in metrics.TABLE
    ]
    rows = [
        (
            metrics.PREFIX + metric.name,
            metric.kind,
            metric.unit,
            "; ".join(f"{label}: {', '.join(each)}" for label, each in metric.labels.items()),
            metric.meaning,
        )
        for metric in metrics.TABLE
    ]
    write_list(document, COLUMNS, rows, as_json=as_json)
