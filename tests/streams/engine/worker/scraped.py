"""Reads a worker's metrics as Prometheus does."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import END_S


def scraped(port: int, name: str, **labels: str) -> float | None:
    """Return the value of one series of otpguard on a local port; None before it answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=END_S) as response:
            text = response.read().decode()
    except OSError:
        return None
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"otpguard_{name}" and sample.labels == labels:
                return float(sample.value)
    return None
