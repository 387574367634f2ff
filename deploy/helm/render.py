#!/usr/bin/env python3
"""Prints the chart's output, as `helm template` does: `render VALUES.yaml > manifests.yaml`.

Needs no Helm and no cluster, only the `test` extra. With a Helm:
`helm template otpguard deploy/helm/otpguard --namespace otpguard -f VALUES.yaml`.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser
from pathlib import Path

import yaml
from helm_python import Chart, disable_logging


def render(values: dict[str, object]) -> str:
    """Return the manifests as one stream, notes left out, in the order of the templates' names."""
    disable_logging()
    chart = Chart.load(Path(__file__).parent / "otpguard")
    chart.validate_schema(values)
    rendered = chart.render(values, name="otpguard", namespace="otpguard")
    made = [
        part
        for path, text in sorted(rendered.items())
        if path.endswith(".yaml")
        for part in manifests(text)
    ]
    return "---\n" + "\n---\n".join(made) + "\n"


def manifests(text: str) -> list[str]:
    """Return the documents of a stream of YAML, as they are written, but for the empty ones."""
    parts = (part.strip() for part in re.split(r"^---$", text, flags=re.MULTILINE))
    return [part for part in parts if yaml.safe_load(part)]


if __name__ == "__main__":
    arguments = ArgumentParser(description=__doc__)
    arguments.add_argument("values", type=Path)
    given = arguments.parse_args()
    sys.stdout.write(render(yaml.safe_load(given.values.read_text("utf-8")) or {}))
