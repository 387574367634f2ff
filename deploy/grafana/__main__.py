"""Writes the rule files and dashboards: `python -m deploy.grafana`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.boards import boards
from deploy.prometheus import rules

HERE: Final = Path(__file__).parents[1]
HEAD: Final = "# Written by `make observe` from deploy/prometheus/{}; change it there.\n"


def files(runbooks: str) -> Iterator[tuple[Path, str]]:
    """Return the content of every generated file."""
    yield HERE / "prometheus" / "recording.rules.yaml", _yaml(rules.recording_file())
    yield HERE / "prometheus" / "alerts.rules.yaml", _yaml(rules.alert_file(runbooks))
    for name, board in boards(runbooks):
        text = JSONEncoder(sort_keys=True, indent=1).encode(board)
        yield HERE / "grafana" / "dashboards" / f"otpguard-{name}.json", text + "\n"


def _yaml(content: Any) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, width=1000, allow_unicode=True)
    return HEAD.format("rules.py and queries.py") + text


def write(runbooks: str) -> None:
    """Write the files that differ, and print their names."""
    for path, text in files(runbooks):
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana", description=__doc__)
    parser.add_argument("--runbooks", default=rules.RUNBOOKS, help="where deploy/runbooks is read")
    write(parser.parse_args().runbooks)
