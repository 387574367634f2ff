"""A site that runs, floods and fails, as its operators see it: series, dashboards, notifications.

In the short form windows and `keep_firing_for` are fifteen times and `for` three times shorter than
shipped; thresholds are the shipped ones. The long form (`make soak`) runs with the files as they
are.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from typing import Final

import pytest

from deploy.grafana.drawing import draw
from deploy.prometheus.queries import BOARD, QUERIES
from streams.telemetry.metrics import TABLE
from tests import clusters
from tests.brokers import need_kafka
from tests.builders.deploy.dashboards import FILES, loaded, panels
from tests.builders.deploy.rules import filled
from tests.deploy.site import ABSENT, Haste, Site
from tests.waiting import END_S, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.kafka, pytest.mark.broker]

SHORT: Final = Haste(windows=15, waits=3)
PATIENCE_S: Final = 1.5 * END_S  # scrapes, rules and notifications wait for each other

SPEED: Final = {
    "OtpguardDecisionDelayBudgetBurn", "OtpguardEventLagGrowing", "OtpguardGateLate",
}  # fmt: skip
"""Alerts that tell of a slow machine: a busy one may raise them rightly beside what is tested."""

EMPTY: Final = {
    "silent_gateways": "shows only gateways that are silent, and none is",
    "stuck": "shows only workers that stand still, and none does",
    "switch_thrown": "shows only a switch that is thrown, and it is not",
    "usual_throttles": "looks at the day before, and the site is minutes old",
    "category_contradictions": "looks at feeds that give categories, and the site's gives none",
    "consumer_lag": "comes from kafka_exporter or KMinion, which are not run here",
}
"""Queries that have no answer in the scenario, and why."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_kafka()
    folder = tmp_path_factory.mktemp("site")
    with clusters.broker("kafka", heap="512m") as broker, Site(broker, folder, SHORT) as running:
        yield running


def told(site: Site, status: str) -> set[str]:
    """Names of the alerts that were told so, but for those that tell of this machine."""
    return site.sink.told(status) - SPEED


def campaign_is_told(site: Site) -> float:
    """Seconds from its beginning to the notification."""
    wait_until(lambda: site.ask("otpguard_canary_runs_total > 0"), "the canary ran")
    assert not told(site, "firing")
    began = time.monotonic()
    site.campaign()
    wait_until(lambda: told(site, "firing"), "a notification", PATIENCE_S)
    site.told_at = time.time()
    took_s = time.monotonic() - began
    print(f"told {took_s:.0f} s after the campaign began")
    assert told(site, "firing") == {"OtpguardThrottleSurge"}
    return took_s


def campaign_resolves(site: Site, within_s: float = PATIENCE_S) -> None:
    wait_until(lambda: told(site, "resolved"), "it resolves", within_s)
    assert told(site, "firing") == told(site, "resolved") == {"OtpguardThrottleSurge"}


def outage_is_told_and_nothing_else(site: Site) -> None:
    site.sink.alerts.clear()
    site.hush()
    began = time.monotonic()
    site.broker.kill()
    wait_until(lambda: told(site, "firing"), "a notification", PATIENCE_S)
    print(f"told {time.monotonic() - began:.0f} s after the broker was gone")
    # The workers give up, Prometheus says so, and Alertmanager keeps that back.
    wait_until(lambda: "OtpguardTargetDown" in site.firing(), "the workers end", PATIENCE_S)
    time.sleep(12)
    assert told(site, "firing") == {"OtpguardBrokerUnreachable"}
    assert {"OtpguardBrokerUnreachable", "OtpguardTargetDown"} <= site.firing()


def test_a_campaign_raises_its_alert(site: Site) -> None:
    campaign_is_told(site)


def otpguard(site: Site, *words: str) -> str:
    """What a command says; it must succeed."""
    command = [sys.executable, "-m", "streams", *words, "--config", str(site.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_canary_by_hand_comes_back(site: Site) -> None:
    assert "the flood was applied" in otpguard(site, "canary", "--once")


def of_others(expr: str) -> bool:
    """Tell if all that a panel asks for comes from processes that have sites of their own."""
    told = {metric.name: {f"otpguard-{role}" for role in metric.roles} for metric in TABLE}
    named = [
        name for name in told if re.search(rf"\botpguard_{name}(_bucket|_sum|_count)?\b", expr)
    ]
    return bool(named) and all(told[name] <= ABSENT for name in named)


def test_every_panel_has_an_answer(site: Site) -> None:
    site.rush()
    otpguard(site, "release", "+8617005000001", "--reason", "a test")
    allowed = {query.at(BOARD) for name, query in QUERIES.items() if name in EMPTY}
    silent = {
        target["expr"]: panel["title"]
        for path in FILES
        for panel in panels(loaded(path))
        for target in panel["targets"]
        if target["expr"] not in allowed and not of_others(target["expr"])
    }

    def all_answer() -> bool:
        """Ask again those that were silent: the release is to be scraped, and rates take four."""
        for expr in [each for each in silent if answered(site, each)]:
            del silent[expr]
        return not silent

    try:
        wait_until(all_answer, "every panel has an answer", pause_s=1)
    finally:
        assert set(silent.values()) == set()


def answered(site: Site, expr: str) -> bool:
    """Whether there is a number; no number (0 / 0) is no answer."""
    asked = filled(expr).replace("[1m]", "[3m]")  # the campaign is in it
    answers = [*site.ask(asked), *site.ask(asked, at=site.told_at)]  # its alert may be over
    return any(not isnan(float(each["value"][1])) for each in answers)


def test_the_windows_are_closed(site: Site) -> None:
    codes = site.ask("sum(otpguard_window_codes)")[0]["value"][1]
    assert float(codes) > 0


def test_ten_thousand_platforms_make_no_series(site: Site) -> None:
    series, codes = "scrape_samples_scraped", "sum(otpguard_codes_total)"
    before, counted = site.ask(f"max({series})"), float(site.ask(codes)[0]["value"][1])
    site.platforms(10_000)
    wait_until(lambda: float(site.ask(codes)[0]["value"][1]) >= counted + 10_000, "all are counted")
    time.sleep(3)  # what they would have made is scraped
    after = site.ask(f"max({series})")
    assert after[0]["value"][1] == before[0]["value"][1]


def test_every_process_is_scraped_and_is_small(site: Site) -> None:
    for target in site.targets():
        assert target["health"] == "up", target
    series = {each["metric"]["instance"]: float(each["value"][1])
              for each in site.ask("scrape_samples_scraped")}  # fmt: skip
    print(f"series: {sorted(series.values())}")
    assert max(series.values()) < 500


def slowest_scrape_s(site: Site) -> float:
    """Of the median scrapes of all processes."""
    took = site.ask("quantile_over_time(0.5, scrape_duration_seconds[1m])")
    return max(float(each["value"][1]) for each in took)


def test_the_panels_can_be_drawn(site: Site, tmp_path: Path) -> None:
    """Into the folder that OTPGUARD_PICTURES names, for the eye, or into a temporary one."""
    folder = Path(os.environ.get("OTPGUARD_PICTURES") or tmp_path)
    address = f"http://127.0.0.1:{site.prometheus.port}"
    for path in FILES:
        picture = draw(json.loads(path.read_text("utf-8")), address, folder, minutes=4)
        assert 10_000 < picture.stat().st_size < 600_000  # committed, so small


def test_the_campaigns_alert_resolves(site: Site) -> None:
    campaign_resolves(site)


def test_a_broker_outage_raises_its_alert_and_no_other(site: Site) -> None:
    outage_is_told_and_nothing_else(site)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_the_same_with_the_rules_as_shipped(tmp_path: Path) -> None:
    """Half an hour: a window of 5 minutes and 10 minutes of `keep_firing_for` have to pass."""
    with clusters.broker("kafka", heap="512m") as broker, Site(broker, tmp_path, Haste()) as site:
        assert campaign_is_told(site) < 120
        assert slowest_scrape_s(site) < 0.05
        campaign_resolves(site, 1_800)
        outage_is_told_and_nothing_else(site)
