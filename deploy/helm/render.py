#!/usr/bin/env python3
"""Writes the chart's output, as `helm template` does: `render VALUES.yaml > manifests.yaml`.

Needs no Helm and no cluster, only the `test` extra. With a Helm:
`helm template otpguard deploy/helm/otpguard --namespace otpguard -f VALUES.yaml`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from helm_python import Chart, disable_logging


def render(values: dict[str, object]) -> str:
    """Every manifest in one stream, notes left out, in the order of the templates' names."""
    disable_logging()
    chart = Chart.load(Path(__file__).parent / "otpguard")
    chart.validate_schema(values)
    rendered = chart.render(values, name="otpguard", namespace="otpguard")
    parts = (
        text.strip().removeprefix("---").strip()
        for path, text in sorted(rendered.items())
        if path.endswith(".yaml")
    )
    return "---\n" + "\n---\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render(yaml.safe_load(Path(sys.argv[1]).read_text("utf-8")) or {}))
