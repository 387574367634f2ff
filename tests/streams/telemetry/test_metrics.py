"""Every metric: named by the rules, bounded, with closed sets equal to those of the code."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from detectors.episodes import episode
from detectors.episodes.episode import NEXT
from detectors.model.records import Level, Mode, Verb
from detectors.recipients.windows import RUNGS
from detectors.thresholds import KNOWN_LIMITS, LIMITS_TOTAL
from streams.telemetry import metrics as module
from streams.telemetry.metrics import PREFIX, TABLE, Metrics, Role
from streams.wire import AckState, Outcome, RejectReason

ROLES: tuple[Role, ...] = ("worker", "adapter")


def exposed(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def series(metrics: Metrics) -> int:
    return sum(not line.startswith("#") for line in exposed(metrics).splitlines())


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_names_follow_the_rules_of_prometheus(metric: module.Metric) -> None:
    assert re.fullmatch("[a-z][a-z0-9_]*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.meaning.endswith(".")
    assert metric.unit
    for unit in ("seconds", "bytes", "ratio"):
        assert (metric.unit == unit) == bool(re.search(f"_{unit}(_total)?$", metric.name))
    assert not re.search("_(count|sum|bucket|info|created)$", metric.name.replace("build_info", ""))
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(metric.buckets)
    assert all(re.fullmatch("[a-z]+", label) for label in metric.labels)
    assert "job" not in metric.labels
    assert "instance" not in metric.labels


def test_names_are_defined_once() -> None:
    assert len({metric.name for metric in TABLE}) == len(TABLE)


@pytest.mark.parametrize("role", ROLES)
def test_a_process_shows_all_metrics_of_its_role_from_its_start(role: Role) -> None:
    families = text_string_to_metric_families(exposed(Metrics(role)))
    shown = {(each.name, each.type) for each in families if each.name.startswith(PREFIX)}
    assert shown == {
        (PREFIX + metric.name.removesuffix("_total"), metric.kind)
        for metric in TABLE
        if role in metric.roles
    }


def test_closed_sets_are_those_of_the_code() -> None:
    sets = {metric.name: metric.labels for metric in TABLE}
    assert sets["events_total"]["outcome"] == tuple(Outcome)
    assert sets["dead_letters_total"]["reason"] == tuple(RejectReason)
    assert sets["acks_total"]["state"] == get_args(AckState)
    verbs = tuple(each for each in get_args(Verb) if each != "retry_windows")  # an update
    assert sets["actions_total"] == {"verb": verbs, "mode": get_args(Mode)}
    assert sets["window_recipients"]["rung"] == tuple(map(str, RUNGS))
    risen = {level.name.lower() for level in NEXT.values()} - {Level.CLEAR.name.lower()}
    assert set(sets["episodes_open"]["level"]) == risen
    limits = {"limit_35min", "limit_24h", *(name for name, *_ in KNOWN_LIMITS + LIMITS_TOTAL)}
    rules = episode.REASONS.keys() - {"quiet"} - limits  # a limit opens no episode
    assert set(sets["episodes_total"]["rule"]) == rules


DEFECTS: tuple[Callable[[Metrics], object], ...] = (
    lambda metrics: metrics.add("dead_letters_total", reason="8617000000001"),
    lambda metrics: metrics.add("no_such_metric"),
    lambda metrics: metrics.add("gate_failures_total"),  # of another role
    lambda metrics: metrics.put("mode", 1, mode="8617000000001"),
    lambda metrics: metrics.observe("no_such_metric", 1),
    lambda metrics: metrics.follow("no_such_metric", lambda: 1),
    lambda metrics: metrics.counter("no_such_metric")(1),
    lambda metrics: metrics.histogram("no_such_metric")(1),
)


@pytest.mark.parametrize("defect", DEFECTS)
def test_an_unknown_metric_or_label_value_is_an_error_here(
    defect: Callable[[Metrics], object],
) -> None:
    with pytest.raises(KeyError):
        defect(Metrics())


@pytest.mark.parametrize("defect", DEFECTS)
def test_an_unknown_metric_or_label_value_ends_no_service_and_is_counted(
    defect: Callable[[Metrics], object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Metrics, "strict", False)
    metrics = Metrics()
    before = series(metrics)
    defect(metrics)
    defect(metrics)
    assert series(metrics) == before
    assert f"{PREFIX}metric_errors_total 2.0" in exposed(metrics)
    assert len(caplog.messages) == 1
    assert "8617000000001" not in caplog.text + exposed(metrics)


def test_a_gauge_whose_value_cannot_be_computed_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Metrics, "strict", False)
    metrics = Metrics()
    metrics.follow("checkpoint_age_seconds", lambda: 1 / 0)
    metrics.put("suspects", 7)
    text = exposed(metrics)
    assert f"{PREFIX}checkpoint_age_seconds NaN" in text
    assert f"{PREFIX}suspects 7.0" in text
    assert f"{PREFIX}metric_errors_total 1.0" in text


def test_ten_thousand_gateways_make_a_bounded_number_of_series() -> None:
    metrics = Metrics()
    before = series(metrics)
    metrics.count_gateways("gateway_events_total", {f"gw-{n}": 1 for n in range(10_000)})
    assert series(metrics) == before + module.GATEWAYS_MAX
    text = exposed(metrics)
    assert 'gateway_events_total{gateway="gw-0"} 1.0' in text
    assert 'gateway_events_total{gateway="other"} 9968.0' in text
    assert series(metrics) < 500


@pytest.mark.parametrize("odd", ["8617000000001", "+8617000000001", "验证码", "a b", "x" * 33])
def test_a_gateway_that_could_be_a_number_or_a_text_is_other(odd: str) -> None:
    metrics = Metrics()
    metrics.count_gateways("gateway_events_total", {odd: 1})
    assert f'"{odd}"' not in exposed(metrics)
    assert 'gateway_events_total{gateway="other"} 1.0' in exposed(metrics)


def test_exactly_one_mode_is_in_force() -> None:
    metrics = Metrics()
    metrics.set_mode("enforce")
    metrics.set_mode("shadow")
    lines = [line for line in exposed(metrics).splitlines() if line.startswith(f"{PREFIX}mode{{")]
    assert [line for line in lines if line.endswith(" 1.0")] == [
        f'{PREFIX}mode{{mode="shadow"}} 1.0'
    ]


def test_a_gauge_can_be_asked_at_each_scrape() -> None:
    metrics = Metrics()
    ages = iter([1.0, 2.0])
    metrics.follow("checkpoint_age_seconds", lambda: next(ages))
    assert f"{PREFIX}checkpoint_age_seconds 1.0" in exposed(metrics)
    assert f"{PREFIX}checkpoint_age_seconds 2.0" in exposed(metrics)


def test_the_objective_is_a_bucket_edge() -> None:
    buckets = {metric.name: metric.buckets for metric in TABLE}
    assert 1.0 in buckets["decision_delay_seconds"]
    assert 1.0 in buckets["action_apply_seconds"]
