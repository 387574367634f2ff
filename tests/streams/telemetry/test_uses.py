"""Every metric that a module uses exists for every role that runs the module, with these labels."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from streams.telemetry.metrics import TABLE, Metric, Role

ROOTS: dict[Role, tuple[str, ...]] = {
    "worker": ("streams.engine.worker.app",), "adapter": ("streams.gateways.enforce.adapter",
    "streams.gateways.enforce.redis", "streams.gateways.enforce.kannel",
                "streams.gateways.enforce.webhook", "streams.gateways.enforce.log"),
    "feed": ("streams.cli.feed", "streams.cli.feed_csv", "streams.gateways.feeds.csv",
    "streams.gateways.feeds.jsonl",
             "streams.gateways.feeds.kafka_feed", "streams.gateways.feeds.redis_feed"),
    "canary": ("streams.cli.canary", "streams.tools.operate.canary_flood"),
    "gate": ("streams.gateways.gate.gate_server",),
    "desk": ("streams.people.desk.console_server",),
    "indexer": ("streams.cli.desk", "streams.cases.store.indexer"),
    "notifier": ("streams.cli.notify", "streams.people.notices.notifier"),
    "signal": ("streams.people.signal.signal_server",),
    "campaigns": ("streams.network.campaign_agent",),
    "platforms": ("streams.network.platform_agent",),
    "memory": ("streams.tools.operate.memory_agent",),
}  # fmt: skip
"""Role -> modules in which a process of the role begins.

A file of commands may hold commands of several roles, so what it imports is not followed.
"""

VERBS = {"add": "counter", "counter": "counter", "put": "gauge", "follow": "gauge",
         "observe": "histogram", "histogram": "histogram"}  # fmt: skip
WHOLE = {"set_mode": "mode"}
METRICS = {metric.name: metric for metric in TABLE}


class Use(NamedTuple):
    """One call that counts or measures, or one name of a metric that stands by itself."""

    line: int
    name: str
    kind: str | None  # None: the name is in a table, and its call elsewhere
    labels: tuple[str, ...] | None  # None: not written in the call


def path_of(module: str) -> Path | None:
    base = Path(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


@cache
def nodes_of(module: str) -> tuple[ast.AST, ...]:
    path = path_of(module)
    assert path is not None, module
    return tuple(at_run_time(ast.parse(path.read_text("utf-8"))))


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only the type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from at_run_time(node)


def imports_of(module: str) -> Iterator[str]:
    """Modules of this package that a module imports when it is loaded, or when it runs."""
    for node in nodes_of(module):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        else:
            continue
        yield from (name for name in names if name.startswith("streams.") and path_of(name))


@cache
def modules_of(role: Role) -> frozenset[str]:
    """All modules that a process of this role may import."""
    found: set[str] = set()
    left = list(ROOTS[role])
    while left:
        if (module := left.pop()) not in found:
            found.add(module)
            left += () if module.startswith("streams.cli.") else imports_of(module)
    return frozenset(found - {"streams.telemetry.metrics"})


@cache
def uses_in(module: str) -> frozenset[Use]:
    return frozenset(found_uses(module))


def found_uses(module: str) -> Iterator[Use]:
    for node in nodes_of(module):
        if isinstance(node, ast.Constant) and node.value in METRICS and "_" in str(node.value):
            yield Use(node.lineno, str(node.value), None, None)
        if not isinstance(node, ast.Call):
            continue
        owner, _, verb = ast.unparse(node.func).rpartition(".")
        if verb in WHOLE:
            yield Use(node.lineno, WHOLE[verb], None, None)
        name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if verb in VERBS and isinstance(name, str) and (name in METRICS or "metrics" in owner):
            words = [each.arg for each in node.keywords if each.arg != "amount"]
            labels = None if None in words else tuple(map(str, words))
            yield Use(node.lineno, name, VERBS[verb], labels)


def test_every_role_has_a_module_in_which_it_begins() -> None:
    assert set(ROOTS) == set(get_args(Role))


@pytest.mark.parametrize("role", get_args(Role))
def test_every_metric_that_a_module_uses_exists_for_every_role_that_runs_it(role: Role) -> None:
    missing = {
        f"{module}:{use.line} {use.name}"
        for module in modules_of(role)
        for use in uses_in(module)
        if use.name not in METRICS or role not in METRICS[use.name].roles
    }
    assert missing == set()


def test_every_call_is_of_the_metrics_kind_and_gives_its_labels_in_their_order() -> None:
    wrong = {
        f"{module}:{use.line} {use}"
        for role in get_args(Role)
        for module in modules_of(role)
        for use in uses_in(module)
        if (metric := METRICS.get(use.name)) is not None
        and (use.kind not in (None, metric.kind) or use.labels not in (None, tuple(metric.labels)))
    }
    assert wrong == set()


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_every_metric_is_used_by_every_role_that_has_it(metric: Metric) -> None:
    if metric.name in ("build_info", "metric_errors_total"):  # of the class itself
        return
    unused = {
        role
        for role in metric.roles
        if not any(use.name == metric.name for m in modules_of(role) for use in uses_in(m))
    }
    assert unused == set()


def test_no_module_that_counts_is_run_by_nobody() -> None:
    run = set().union(*(modules_of(role) for role in get_args(Role)))
    for path in Path("streams").rglob("*.py"):
        module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        counts = any(use.kind is not None for use in uses_in(module))
        assert module in run or not counts or module == "streams.telemetry.metrics", module
