"""Builders that test_dashboards.py shares with other tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.deploy.tools import GRAFANA

FILES: Final = sorted((GRAFANA / "dashboards").glob("*.json"))


def loaded(path: Path) -> dict[str, Any]:
    board: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return board


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """All but the rows' headings."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]
