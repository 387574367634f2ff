"""Builders that test_rules.py shares with other tests."""

from __future__ import annotations

import re

from streams.telemetry.metrics import PREFIX, TABLE

SUFFIXES = ("_bucket", "_sum", "_count")


def metrics_in(text: str) -> set[str]:
    """Names of our metrics in a query or a text; recorded series begin with a level."""
    found = re.findall(rf"(?<![:\w]){PREFIX}[a-z0-9_]+", text)
    histograms = {PREFIX + metric.name for metric in TABLE if metric.kind == "histogram"}
    return {
        next((h for h in histograms for s in SUFFIXES if name == h + s), name) for name in found
    }


def filled(expr: str) -> str:
    """With the variables of a dashboard as Grafana fills them in."""
    return (
        expr.replace("$__rate_interval", "1m")
        .replace("$__range", "1h")
        .replace("$lag_metric", "kafka_consumergroup_lag")
        .replace("$job", ".+")
        .replace("$instance", ".+")
        .replace("$gateway", ".+")
    )
