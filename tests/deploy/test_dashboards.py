"""The dashboards, as far as they can be checked without a Grafana: none has loaded them here.

Schema, round trip, and the rules of Grafana's dashboard-linter; `test_observed.py` asks every query
of a Prometheus.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from jsonschema import Draft7Validator

from deploy.grafana.boards import BOARDS
from deploy.prometheus.rules import ALERTS, RUNBOOKS as RUNBOOKS_AT
from streams.telemetry.metrics import TABLE
from tests.builders.deploy.dashboards import FILES, loaded, panels
from tests.builders.deploy.rules import filled, metrics_in
from tests.deploy.tools import GRAFANA

SCHEMAS: Final = Path(__file__).parent / "schemas"
PANEL_SCHEMAS: Final = {
    "timeseries": "timeseries", "stat": "stat", "table": "table", "heatmap": "heatmap",
    "state-timeline": "statetimeline",
}  # fmt: skip
"""Panel type -> its schema's file; no other type is used."""

COUNTERS: Final = {f"otpguard_{m.name}" for m in TABLE if m.kind == "counter"}

register_default_plugins()


@cache
def schema(name: str, definition: str = "") -> Draft7Validator:
    """A validator of a schema, or of one definition in it."""
    whole = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    return Draft7Validator(whole | {"$ref": f"#/definitions/{definition}"} if definition else whole)


def all_panels() -> Iterator[Any]:
    for path in FILES:
        for panel in panels(loaded(path)):
            yield pytest.param(panel, id=f"{path.stem}-{panel['title']}")


def wrong(board: dict[str, Any]) -> list[str]:
    """Everything that the schemas say against a dashboard."""
    found = [error.message for error in schema("dashboard").iter_errors(board)]
    for panel in panels(board):
        name = PANEL_SCHEMAS[panel["type"]]
        parts = [(panel.get("options", {}), name, "Options")]
        custom = panel["fieldConfig"]["defaults"].get("custom")
        if custom is not None:
            parts.append((custom, name, "FieldConfig"))
        parts += [(target, "prometheus", "Dataquery") for target in panel["targets"]]
        for part, file, definition in parts:
            errors = schema(file, definition).iter_errors(part)
            found += [f"{panel['title']}: {error.message}" for error in errors]
    return found


def test_there_is_a_file_for_each_dashboard_and_no_other() -> None:
    assert [path.stem for path in FILES] == sorted(f"otpguard-{name}" for name in BOARDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_fits_grafanas_schemas(path: Path) -> None:
    assert wrong(loaded(path)) == []


def test_a_dashboard_that_does_not_fit_is_seen() -> None:
    board = loaded(FILES[0])
    for breakage in (
        lambda b: b.update(refersh="30s"),
        lambda b: panels(b)[0].update(unit="s"),
        lambda b: panels(b)[0]["options"].update(colorMode="rainbow"),
        lambda b: panels(b)[0]["targets"][0].update(exprs="up"),
    ):
        broken = copy.deepcopy(board)
        breakage(broken)
        assert wrong(broken)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_lost_when_grafanas_types_read_and_write_it(path: Path) -> None:
    """Unknown keys are dropped by the types, so a misspelt one shows."""
    board = loaded(path)
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(board))) == board


# --- the rules of dashboard-linter ---------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_source_job_and_instance_are_variables(path: Path) -> None:
    board = loaded(path)
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    for name in ("job", "instance"):
        variable = variables[name]
        assert variable["query"].startswith("label_values(")
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["allValue"] == ".+"
        assert variable["datasource"]["uid"] == "${datasource}"
    assert re.fullmatch("[a-z-]{1,40}", board["uid"])
    assert board["editable"] is False
    ids = [panel["id"] for panel in panels(board)]
    assert len(set(ids)) == len(ids)
    for annotation in board["annotations"]["list"]:
        promql_parser.parse(filled(annotation["expr"]))


@pytest.mark.parametrize("panel", list(all_panels()))
def test_a_panel_is_named_explained_and_measured(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 20
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["gridPos"]["w"] > 0
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        assert target["legendFormat"]


@pytest.mark.parametrize("panel", list(all_panels()))
def test_a_panels_queries_are_sound(panel: dict[str, Any]) -> None:
    known = {f"otpguard_{metric.name}" for metric in TABLE}
    for target in panel["targets"]:
        expr = target["expr"]
        promql_parser.parse(filled(expr))
        assert metrics_in(expr) <= known
        if metrics_in(expr) and "lag_metric" not in expr:
            assert 'job=~"$job",instance=~"$instance"' in expr
        for counter in COUNTERS & metrics_in(expr):
            uses = len(re.findall(rf"{counter}\b", expr))
            rated = len(re.findall(rf"(?:rate|increase)\({counter}\{{", expr))
            assert uses == rated, f"{counter} is a counter"
        for window in re.findall(r"rate\([^\[]+\[([^\]]+)\]", expr):
            assert window == "$__rate_interval" or window.endswith(("m", "h", "d"))


def test_every_metric_is_on_a_dashboard() -> None:
    shown = set().union(*(metrics_in(path.read_text("utf-8")) for path in FILES))
    assert {f"otpguard_{metric.name}" for metric in TABLE} - shown == set()


def test_what_pages_is_shown_with_its_runbook() -> None:
    texts = " ".join(path.read_text("utf-8") for path in FILES)
    for alert in ALERTS:
        assert f"/{alert.name}.md" in texts, alert.name


def test_a_panel_links_to_the_runbook_of_each_alert_that_watches_it() -> None:
    linked: set[str] = set()
    for path in FILES:
        board = loaded(path)
        variables = {each["name"]: each for each in board["templating"]["list"]}
        assert variables["runbooks"]["query"] == RUNBOOKS_AT
        for panel in panels(board):
            told = panel["description"].partition("Alert and runbook: ")[2]
            urls = {link["url"] for link in panel.get("links", [])}
            wanted = {each.split(",")[0] for each in told.split("; ") if each}
            assert {f"${{runbooks:raw}}/{name}.md" for name in wanted} <= urls
            linked |= wanted
            if "cases" in "".join(urls):
                assert "${cases:raw}" in urls
    assert linked == {alert.name for alert in ALERTS if alert.shown}


def test_panels_that_tell_gateways_apart_are_chosen_by_gateway() -> None:
    found = 0
    for path in FILES:
        board = loaded(path)
        variables = {each["name"] for each in board["templating"]["list"]}
        for target in (t for panel in panels(board) for t in panel["targets"]):
            if "gateway_events_total" in target["expr"]:
                assert 'gateway=~"$gateway"' in target["expr"]
                assert "gateway" in variables
                found += 1
    assert found


def test_an_attack_leads_to_its_cases() -> None:
    boards = [loaded(path) for path in FILES]
    titles = [
        panel["title"]
        for board in boards
        for panel in panels(board)
        if any(link["url"] == "${cases:raw}" for link in panel.get("links", []))
    ]
    assert "Under attack now" in titles


def test_every_legend_names_a_label_that_the_query_keeps() -> None:
    for path in FILES:
        for panel in panels(loaded(path)):
            for target in panel["targets"]:
                for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                    grouped = re.findall(r" by \(([^)]*)\)", target["expr"])
                    assert not grouped or any(label in each for each in grouped), panel["title"]


def test_two_queries_of_a_panel_are_told_apart() -> None:
    for path in FILES:
        for panel in panels(loaded(path)):
            legends = [target["legendFormat"] for target in panel["targets"]]
            assert len(set(legends)) == len(legends), panel["title"]


def test_the_provisioning_files_point_at_each_other() -> None:
    folder = GRAFANA / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "otpguard.yaml").read_text())
    providers = yaml.safe_load((folder / "dashboards" / "otpguard.yaml").read_text())
    assert [each["type"] for each in sources["datasources"]] == ["prometheus"]
    assert [each["type"] for each in providers["providers"]] == ["file"]
    assert sources["apiVersion"] == providers["apiVersion"] == 1
