"""Each alert seen to fire and seen to keep quiet, by promtool, on series written for the purpose.

A case says which alerts fire at the end and no others: an alert that fires where another is meant
fails the case of that other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.prometheus.rules import ALERTS
from tests.deploy.tools import PROMETHEUS, check, ran

WORKER = 'job="otpguard-worker",instance="w1"'
ADAPTER = 'job="otpguard-adapter",instance="a1"'
CANARY = 'job="otpguard-canary",instance="c1"'
GATE = 'job="otpguard-gate",instance="g1"'
INDEXER = 'job="otpguard-indexer",instance="i1"'
DESK = 'job="otpguard-desk",instance="d1"'
NOTIFIER = 'job="otpguard-notifier",instance="n1"'

Series = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """Series by name and labels, a value each step in promtool's notation, and what fires then."""

    alert: str
    says: str
    series: Series
    at: str
    fires: Mapping[str, int]  # severity -> alerts of this name
    step: str = "15s"  # between values, and between evaluations

    def __str__(self) -> str:
        return f"{self.alert}: {self.says}"


def fires(
    alert: str,
    says: str,
    at: str,
    *,
    warning: int = 0,
    critical: int = 0,
    step: str = "15s",
    **series: str,
) -> Case:
    """A case in which the alert fires."""
    counts = {"critical": critical, "warning": warning}
    return Case(alert, says, _named(series), at, {k: n for k, n in counts.items() if n}, step)


def quiet(alert: str, says: str, at: str, *, step: str = "15s", **series: str) -> Case:
    """A case in which nothing fires."""
    return Case(alert, says, _named(series), at, {}, step)


def _named(series: Series) -> Series:
    """Keyword arguments cannot hold labels: `metric__label_value` is a metric with a label."""
    named = {}
    for name, values in series.items():
        metric, *labels = name.split("__")
        job = ADAPTER if metric in OF_ADAPTERS else CANARY if "canary" in metric else WORKER
        job = GATE if metric.startswith("gate_") else job
        job = INDEXER if metric.startswith("index_") else job
        job = DESK if metric.startswith("desk_") else job
        job = NOTIFIER if metric.startswith("notice") else job
        pairs = [job, *(_label(each) for each in labels)]
        full = metric if metric in FOREIGN else f"otpguard_{metric}"
        named[f"{full}{{{','.join(pairs)}}}"] = values
    return named


def _label(text: str) -> str:
    name, _, value = text.partition("_")
    return f'{name}="{value}"' if name != "le" else f'le="{value.replace("_", ".")}"'


FOREIGN = {"up", "process_start_time_seconds"}
OF_ADAPTERS = {
    "acks_total", "actions_unacknowledged", "gateway_up", "leases_held", "mode", "rails_open",
    "rails_raised_ratio", "leases_age_seconds", "records_refused_total",
    "false_alarm_signals_total",
}  # fmt: skip

BURN, ACKS = "OtpguardDecisionDelayBudgetBurn", "OtpguardAcknowledgementBudgetBurn"


def delays(total: str, quick: str) -> dict[str, str]:
    """The two series of the histogram that count."""
    return {
        "decision_delay_seconds_count": total,
        "decision_delay_seconds_bucket__le_1_0": quick,
    }


def memory_refused(outcome: str) -> Case:
    series: dict[str, Any] = {f"memory_records_total__outcome_{outcome}": "0 0 32+0x20"}
    return fires("OtpguardMemoryRefused", f"some are {outcome}", "3m", warning=1,
                 memory_records_total__outcome_adopted="0+32x20", **series)  # fmt: skip


CASES = (
    fires(BURN, "a fifth is late for hours", "4h", step="2m", critical=2, warning=2,
          **delays("0+10x150", "0+8x150")),
    quiet(BURN, "half a percent is late", "70m", step="1m",
          **delays("0+1000x80", "0+995x80")),
    quiet(BURN, "no decisions", "70m", step="1m", **delays("5+0x80", "5+0x80")),
    quiet(BURN, "one decision, and late", "70m", step="1m",
          **delays("0+0x50 1+0x30", "0+0x80")),
    quiet(BURN, "it was over half an hour ago", "100m", step="1m",
          **delays("0+40x10 400+40x90", "0+32x10 320+40x90")),
    fires(ACKS, "a fifth fails", "4h", step="2m", critical=2, warning=2,
          acks_total__state_applied="0+8x150", acks_total__state_failed="0+2x150"),
    quiet(ACKS, "leases that end are no failures", "70m", step="1m",
          acks_total__state_applied="0+10x80", acks_total__state_failed="0+0x80",
          acks_total__state_expired="0+10x80"),
    quiet(ACKS, "no actions", "70m", step="1m",
          acks_total__state_applied="0+0x80", acks_total__state_failed="0+0x80"),
    fires("OtpguardBrokerUnreachable", "silence for half a minute", "2m", critical=1,
          broker_silence_seconds="2 2 2 5 20 35 50 65 80"),
    quiet("OtpguardBrokerUnreachable", "every probe is answered", "2m",
          broker_silence_seconds="2 5 1 4 0 3 2 5 1"),
    fires("OtpguardTargetDown", "a process is gone", "3m", critical=1, up="1+0x3 0+0x20"),
    quiet("OtpguardTargetDown", "one scrape is missed", "3m", up="1+0x3 0 1+0x20"),
    fires("OtpguardRestarting", "a start every 3 minutes", "15m", warning=1,
          process_start_time_seconds="1+0x12 200+0x12 400+0x12 600+0x12 800+0x30"),
    quiet("OtpguardRestarting", "a rolling restart", "15m",
          process_start_time_seconds="1+0x12 200+0x60"),
    fires("OtpguardNoEvents", "the input stands still", "20m", critical=1,
          events_total__outcome_counted="0+100x20 2000+0x100"),
    quiet("OtpguardNoEvents", "a trickle at night", "20m",
          events_total__outcome_counted="0+0x20 1+1x100"),
    fires("OtpguardGatewaySilent", "one of two", "60m", warning=1,
          gateway_events_total__gateway_gw1="0+100x40 4000+0x300",
          gateway_events_total__gateway_gw2="0+100x300"),
    quiet("OtpguardGatewaySilent", "it never had many", "60m",
          gateway_events_total__gateway_gw1="0+2x40 80+0x300",
          gateway_events_total__gateway_gw2="0+100x300"),
    fires("OtpguardGatewaySilent", "and the worker that counted it restarted", "60m", warning=1,
          gateway_events_total__gateway_gw1="0+100x40 stale",
          gateway_events_total__gateway_gw2="0+100x300"),
    fires("OtpguardClockAhead", "one gateway of two", "15m", warning=1,
          gateway_ahead_total__gateway_gw1="0+50x60", gateway_ahead_total__gateway_gw2="0+0x60"),
    quiet("OtpguardClockAhead", "a few events once", "15m",
          gateway_ahead_total__gateway_gw1="0+0x4 3+0x56"),
    fires("OtpguardCategoryContradicted", "one gateway of two", "2h", warning=1,
          category_checks_total__gateway_gw1="0+8x600",
          category_contradictions_total__gateway_gw1="0+2x600",
          category_checks_total__gateway_gw2="0+8x600",
          category_contradictions_total__gateway_gw2="0+0x600"),
    quiet("OtpguardCategoryContradicted", "a few texts of a small gateway", "2h",
          category_checks_total__gateway_gw1="0+0x20 4+0x580",
          category_contradictions_total__gateway_gw1="0+0x20 3+0x580"),
    fires("OtpguardCanaryFailing", "no success for 20 minutes", "20m", critical=1,
          canary_last_success_timestamp_seconds="0+0x100"),
    quiet("OtpguardCanaryFailing", "a success every 5 minutes", "20m",
          canary_last_success_timestamp_seconds="0+0x20 300+0x20 600+0x20 900+0x20 1200+0x20"),
    fires("OtpguardEventLagGrowing", "half a minute and rising", "10m", critical=1,
          event_lag_seconds="0+15x60"),
    quiet("OtpguardEventLagGrowing", "a restart is caught up", "10m",
          event_lag_seconds="600-10x59"),
    quiet("OtpguardEventLagGrowing", "a few seconds", "10m", event_lag_seconds="0+0.1x60"),
    fires("OtpguardWorkerStuck", "records wait", "5m", critical=1,
          records_behind="0+0x4 500+100x40", events_total__outcome_counted="0+9x4 36+0x40"),
    fires("OtpguardWorkerStuck", "the loop hangs", "2m", critical=1,
          loop_silence_seconds="0 0 0 15 30 45 60 75 90"),
    quiet("OtpguardWorkerStuck", "nothing waits", "5m", records_behind="0+0x40",
          events_total__outcome_counted="0+9x4 36+0x40"),
    fires("OtpguardDeadLetters", "one of a hundred", "12m", warning=1,
          dead_letters_total__reason_json="0+1x60", events_total__outcome_counted="0+100x60"),
    quiet("OtpguardDeadLetters", "one of ten thousand", "12m",
          dead_letters_total__reason_json="0+1x60", events_total__outcome_counted="0+10000x60"),
    quiet("OtpguardDeadLetters", "no input yet", "1m",
          dead_letters_total__reason_json="0+0x60", events_total__outcome_counted="0+0x60"),
    fires("OtpguardDeadLettersWithheld", "a rush of rubbish", "5m", critical=1,
          dead_letters_withheld_total__reason_json="0+0x8 4000 9000+0x60"),
    quiet("OtpguardDeadLettersWithheld", "every letter is written", "12m",
          dead_letters_withheld_total__reason_json="0+0x60"),
    fires("OtpguardOpenTransaction", "a producer hangs in one", "3m", critical=1,
          transaction_open_seconds="0 0 0+15x20"),
    quiet("OtpguardOpenTransaction", "one after the other is committed", "3m",
          transaction_open_seconds="0 1 0 2 5 0 1 12 1 0 1 2 1"),
    fires("OtpguardKeysAstray", "a producer hashes otherwise", "20m", warning=1,
          misplaced_keys_total="0+3x90", noncanonical_keys_total="0+0x90",
          events_total__outcome_counted="0+100x90"),
    fires("OtpguardKeysAstray", "a producer writes + before the number", "20m", warning=1,
          misplaced_keys_total="0+0x90", noncanonical_keys_total="0+3x90",
          events_total__outcome_counted="0+100x90"),
    quiet("OtpguardKeysAstray", "one key of ten thousand", "20m",
          misplaced_keys_total="0+1x90", noncanonical_keys_total="0+0x90",
          events_total__outcome_counted="0+10000x90"),
    fires("OtpguardCheckpointTooOld", "none for ten minutes", "10m", warning=1,
          checkpoint_age_seconds="0+15x60"),
    quiet("OtpguardCheckpointTooOld", "one a minute", "10m",
          checkpoint_age_seconds="0 15 30 45 0 15 30 45 0 15 30 45 0+15x4 0+15x4 0+15x20"),
    fires("OtpguardThrottleSurge", "a campaign on a quiet day", "4m", critical=1,
          episodes_total__level_throttle="0+0x8 10+10x20"),
    quiet("OtpguardThrottleSurge", "the canary and a victim", "30m",
          episodes_total__level_throttle="0+0.1x120"),
    quiet("OtpguardThrottleSurge", "a network that always has so many", "6h", step="2m",
          episodes_total__level_throttle="0+16x300"),
    fires("OtpguardRailTripped", "new leases are held back", "1m", critical=1,
          rails_open="0 0 1 1 1"),
    quiet("OtpguardRailTripped", "the rail is shut", "1m", rails_open="0+0x5"),
    fires("OtpguardRailsRaised", "for half a day", "4h", step="2m", warning=1,
          rails_raised_ratio="1 3+0x150"),
    quiet("OtpguardRailsRaised", "for two hours of a campaign", "4h", step="2m",
          rails_raised_ratio="1 3+0x60 1+0x90"),
    fires("OtpguardCampaign", "it grows", "2m", warning=1,
          campaign_victims="0 4 9 16 25 40 60 90 99"),
    quiet("OtpguardCampaign", "a small one", "5m", campaign_victims="0 5 9+0x20"),
    fires("OtpguardNoAgent", "all of them wait", "12m", warning=1, agent_owner="1 1 0+0x60"),
    quiet("OtpguardNoAgent", "another takes over", "12m", agent_owner="1 1 0 0 0 0 0 0 1+0x60"),
    fires("OtpguardSweep", "one", "3m", warning=1, platform_sweeps__rule_range="0 0 1+0x20",
          platform_sweeps__rule_fresh="0+0x20"),
    quiet("OtpguardSweep", "none", "5m", platform_sweeps__rule_range="0+0x20",
          platform_sweeps__rule_fresh="0+0x20"),
    fires("OtpguardSurge", "many platforms at once", "3m", warning=1,
          surge_platforms="0 0 31+0x20"),
    quiet("OtpguardSurge", "none", "5m", surge_platforms="0+0x20"),
    fires("OtpguardListRefused", "somebody else's", "3m", warning=1,
          hot_lists_total__outcome_forged="0 0 32+0x20",
          hot_lists_total__outcome_adopted="0+32x20"),
    quiet("OtpguardListRefused", "all are taken", "8m", hot_lists_total__outcome_adopted="0+32x40",
          hot_lists_total__outcome_forged="0+0x40"),
    fires("OtpguardMemoryOld", "the first site is dead", "40m", warning=1, step="1m",
          memory_age_seconds="0+60x60"),
    quiet("OtpguardMemoryOld", "every five minutes", "30m", step="1m",
          memory_age_seconds="0 60 120 180 240 300 20 80 140 200 260 320 20 80 140+0x30"),
    *map(memory_refused, ("forged", "old", "oversized", "foreign", "unreadable")),
    quiet("OtpguardMemoryRefused", "an import with numbers that were recycled", "8m",
          memory_records_total__outcome_adopted="0+320x40",
          memory_records_total__outcome_recycled="0+3x40",
          memory_records_total__outcome_forged="0+0x40"),
    fires("OtpguardKillSwitchOn", "off for a quarter of an hour", "16m", warning=1,
          mode__mode_off="1+0x70", mode__mode_enforce="0+0x70", leases_held="0+0x70"),
    quiet("OtpguardKillSwitchOn", "a short test of the switch", "16m",
          mode__mode_off="0+0x30 1+0x8 0+0x40", leases_held="0+0x70"),
    fires("OtpguardAdapterFailing", "the gateway is away", "3m", critical=1,
          gateway_up="1 1 1 0+0x10"),
    quiet("OtpguardAdapterFailing", "it was away for a moment", "3m", gateway_up="1 1 0 1+0x10"),
    fires("OtpguardGateLate", "it stands still again and again", "6m", warning=1,
          gate_late_answers_total="0+1x30", gate_stalls_total="0+2x30",
          gate_failures_total="0+0x30"),
    quiet("OtpguardGateLate", "once, at a restart", "6m",
          gate_late_answers_total="0+0x4 8+0x30", gate_stalls_total="0+0x4 3+0x30",
          gate_failures_total="0+0x34"),
    fires("OtpguardDeskRates", "once", "4m", warning=1,
          desk_limited_total__kind_searches="0 0 0 0 0 1 1 1 1 1 1 1 1 1 1 1 1"),
    quiet("OtpguardDeskRates", "for nobody", "4m",
          desk_limited_total__kind_searches="3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3"),
    fires("OtpguardPackNotVerified", "one", "4m", critical=1,
          desk_packs_total__outcome_bad="0 0 0 0 0 1 1 1 1 1 1 1 1 1 1 1 1"),
    quiet("OtpguardPackNotVerified", "all are good", "4m",
          desk_packs_total__outcome_bad="0+0x16", desk_packs_total__outcome_good="0+1x16"),
    fires("OtpguardIndexStale", "for minutes", "4m", critical=1,
          index_lag_seconds="1 1 1 15 30 45 60 75 90 105 120 135 150 165 180 195 210"),
    quiet("OtpguardIndexStale", "for a moment", "4m",
          index_lag_seconds="1 1 1 15 30 45 1 1 1 1 1 1 1 1 1 1 1"),
    fires("OtpguardGateEventsWaiting", "for minutes", "4m", warning=1,
          gate_spool_age_seconds="1 1 1 15 30 45 60 75 90 105 120 135 150 165 180 195 210"),
    quiet("OtpguardGateEventsWaiting", "for a moment", "4m",
          gate_spool_age_seconds="1 1 1 15 30 45 1 1 1 1 1 1 1 1 1 1 1"),
    fires("OtpguardGateEventsLost", "the spool is full", "2m", critical=1,
          gate_events_total__outcome_spool_full="0+0x3 50+50x10",
          gate_events_total__outcome_published="0+100x14"),
    quiet("OtpguardGateEventsLost", "all are published, some past the disk", "2m",
          gate_events_total__outcome_spool_full="0+0x14",
          gate_events_total__outcome_bypassed="0+5x14",
          gate_events_total__outcome_published="0+100x14"),
    fires("OtpguardSignalStale", "the indexer has stopped", "5m", warning=1,
          signal_index_stale="0 0 0 1+0x20"),
    quiet("OtpguardSignalStale", "a restart of the indexer", "5m",
          signal_index_stale="0 0 0 1 1 1 0+0x20"),
    fires("OtpguardSignalPushFailing", "a bank's sink is away", "4m", warning=1,
          signal_pushes_total__outcome_failed="0+0x3 1+1x10",
          signal_pushes_total__outcome_sent="0+0x14"),
    quiet("OtpguardSignalPushFailing", "all are taken", "4m",
          signal_pushes_total__outcome_failed="0+0x14",
          signal_pushes_total__outcome_dropped="0+0x14",
          signal_pushes_total__outcome_sent="0+5x14"),
    fires("OtpguardGatewayNotAcknowledging", "the same three for minutes", "6m", critical=1,
          actions_unacknowledged="0+0x4 3+0x30"),
    quiet("OtpguardGatewayNotAcknowledging", "a busy adapter", "6m",
          actions_unacknowledged="0 3 5 0 2 7 0 4 1 0 3 5 0 2 7 0 4 1 0 3 5 0 2 7 0"),
    fires("OtpguardLeasesStale", "the adapter in a gate ends again and again", "4m", critical=1,
          leases_age_seconds="1 4 2+15x30"),
    quiet("OtpguardLeasesStale", "a restart reads for half a minute", "4m",
          leases_age_seconds="3 5 1 15 30 45 2 4 1 3 5 2 4 1 3 5 2"),
    fires("OtpguardMetricErrors", "a metric is missing for a role", "4m", warning=1,
          metric_errors_total="0+0x4 1+1x20"),
    quiet("OtpguardMetricErrors", "every call is taken", "4m", metric_errors_total="0+0x24"),
    fires("OtpguardRecordsRefused", "a worker is newer", "3m", warning=1,
          records_refused_total__kind_newer="0+0x4 1+1x20"),
    quiet("OtpguardRecordsRefused", "all can be read", "3m",
          records_refused_total__kind_newer="0+0x20"),
    fires("OtpguardNoticesFailing", "the SMSC is away", "6m", warning=1,
          notice_channel_up="1 1 1 0+0x30", notices_total__state_failed="0+0x34"),
    fires("OtpguardNoticesFailing", "nobody knows of five", "6m", warning=1,
          notice_channel_up="1+0x34", notices_total__state_failed="0+0x4 6+0x30"),
    quiet("OtpguardNoticesFailing", "one was refused", "6m",
          notice_channel_up="1+0x34", notices_total__state_failed="0+0x4 1+0x30"),
    fires("OtpguardNoticeCapReached", "a campaign", "6m", warning=1,
          notice_cap_reached="0 0 0 1+0x30"),
    quiet("OtpguardNoticeCapReached", "for half a minute", "6m",
          notice_cap_reached="0 0 0 1 1 0+0x30"),
    fires("OtpguardFalseAlarms", "four releases of twenty leases", "30m", warning=1,
          false_alarm_signals_total__kind_release="0+0x20 1+0x5 2+0x5 3+0x5 4+0x90",
          actions_total__verb_throttle__mode_enforce="0+0x4 20+0x120"),
    quiet("OtpguardFalseAlarms", "four of a thousand", "30m",
          false_alarm_signals_total__kind_release="0+0x20 1+0x5 2+0x5 3+0x5 4+0x90",
          actions_total__verb_throttle__mode_enforce="0+0x4 1000+0x120"),
    fires("OtpguardRefusedUsedLater", "a tenth of what was refused", "5h", step="2m", warning=1,
          platforms_refused_total="0+10x200", platforms_used_later_total="0+1x200"),
    quiet("OtpguardRefusedUsedLater", "one of a hundred", "5h", step="2m",
          platforms_refused_total="0+100x200", platforms_used_later_total="0+1x200"),
    quiet("OtpguardRefusedUsedLater", "one person", "5h", step="2m",
          platforms_refused_total="0+0x20 60+0x200",
          platforms_used_later_total="0+0x60 9+0x200"),
    quiet("OtpguardRefusedUsedLater", "nothing was ever refused", "5h", step="2m",
          platforms_refused_total="0+0x200", platforms_used_later_total="0+0x200"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_fires_is_what_should(case: Case, tmp_path: Path) -> None:
    check("promtool", "test", "rules", promtool_file(case, tmp_path))


def promtool_file(case: Case, folder: Path) -> Path:
    """The case as promtool reads it."""
    expr = 'count by (alertname, severity) (ALERTS{alertstate="firing"})'
    samples = [
        {"labels": f'{{alertname="{case.alert}",severity="{severity}"}}', "value": count}
        for severity, count in case.fires.items()
    ]
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    content = {
        "rule_files": [str(path) for path in sorted(PROMETHEUS.glob("*.rules.yaml"))],
        "evaluation_interval": case.step,
        "tests": [
            {
                "interval": case.step,
                "input_series": series,
                "promql_expr_test": [{"expr": expr, "eval_time": case.at, "exp_samples": samples}],
            }
        ],
    }
    path = folder / "case.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_every_alert_has_a_case_that_fires_and_a_quiet_one() -> None:
    names = {alert.name for alert in ALERTS}
    assert {case.alert for case in CASES if case.fires} == names
    assert {case.alert for case in CASES if not case.fires} == names


@pytest.mark.parametrize("turned", [CASES[8], CASES[9]], ids=str)
def test_a_case_that_expects_the_opposite_fails(turned: Case, tmp_path: Path) -> None:
    fires = {} if turned.fires else {"critical": 1}
    opposite = Case(turned.alert, turned.says, turned.series, turned.at, fires)
    code, output = ran("promtool", "test", "rules", promtool_file(opposite, tmp_path))
    assert code == 1
    assert "FAILED" in output
