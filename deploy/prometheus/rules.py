"""Recording rules and alerts, as tables. `python -m deploy.grafana` writes them as YAML.

Alerts are about symptoms: floods go unnoticed or codes are refused, now or soon. An alert that a
missing broker also causes has the label `needs: broker`, so that Alertmanager can suppress it while
the broker is known to be unreachable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from deploy.prometheus import queries as q
from deploy.prometheus.queries import RULES, Query

RUNBOOKS: Final = "deploy/runbooks"
"""Default address of the runbooks: their place in this repository. Change it with `--runbooks`
of `python -m deploy.grafana`, or `monitoring.runbooks` of the chart.
"""

OBJECTIVE: Final = 0.99
"""Share of decisions that must be published within a second, and of actions that must be
acknowledged without failure. Chosen: 1 % leaves room for a rolling restart a day.
"""

BUDGET: Final = 1 - OBJECTIVE

Severity = Literal["critical", "warning"]

BURNS: Final[tuple[tuple[float, str, str, str, Severity], ...]] = (
    (14.4, "1h", "5m", "2m", "critical"),
    (6, "6h", "30m", "15m", "critical"),
    (3, "1d", "2h", "1h", "warning"),
    (1, "3d", "6h", "3h", "warning"),
)
"""Burn rate, long window, short window, duration, severity. From "Alerting on SLOs" in the Site
Reliability Workbook; a burn rate of 14.4 spends 2 % of a month's budget an hour.
"""

ACTIONS_LEAST: Final = 10
"""Minimum number of decisions in the long window. Attacks are rare, and one late decision out of
one is no outage.
"""

WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule: `level:metric:operations`."""

    name: str
    expr: str

    def rule(self) -> dict[str, Any]:
        """Return the rule in Prometheus' format."""
        return {"record": self.name, "expr": self.expr}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, with the queries whose panels show its cause, and its texts."""

    name: str
    severity: Severity
    expr: str
    wait: str  # `for`
    keep: str  # `keep_firing_for`
    shown: tuple[Query, ...]
    summary: str
    description: str
    needs: str = ""  # what has to work first
    window: str = ""  # tells alerts of one name apart

    def runbook(self, base: str) -> str:
        """Return the address of the runbook."""
        return f"{base}/{self.name}.md"

    def rule(self, runbooks: str = RUNBOOKS) -> dict[str, Any]:
        """Return the rule in Prometheus' format."""
        labels = {"severity": self.severity, "needs": self.needs, "window": self.window}
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            "keep_firing_for": self.keep,
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": self.runbook(runbooks),
            },
        }


def _recorded(metric: str, query: Query, windows: tuple[str, ...]) -> tuple[Record, ...]:
    """Return recording rules of one rate over several windows."""
    return tuple(
        Record(f"job:otpguard_{metric}:rate{window}", query.at(RULES.over(window)))
        for window in windows
    )


RECORDS: Final = (
    *_recorded("events", q.events, ("5m",)),
    *_recorded("codes", q.codes, ("5m",)),
    *_recorded("decisions", q.decisions, WINDOWS),
    *_recorded("decisions_late", q.decisions_late, WINDOWS),
    *_recorded("acks", q.acknowledgements, WINDOWS),
    *_recorded("acks_failed", q.acknowledgements_failed, WINDOWS),
)


def _burns(
    name: str, bad: str, total: str, *, shown: tuple[Query, ...], summary: str, what: str
) -> tuple[Alert, ...]:
    """Return the four alerts of one objective.

    `bad` and `total` are summed separately. Without traffic their ratio is NaN, and nothing fires.
    """

    def burn(window: str, factor: float) -> str:
        ratio = f"job:otpguard_{bad}:rate{window} / job:otpguard_{total}:rate{window}"
        return f"{ratio} > {factor:g} * {BUDGET:.2g}"

    return tuple(
        Alert(
            name,
            severity,
            f"{burn(long, factor)} and {burn(short, factor)} and "
            f"job:otpguard_{total}:rate{long} * {_seconds(long)} >= {ACTIONS_LEAST}",
            wait,
            "5m",
            shown,
            summary,
            f"{{{{ $value | humanizePercentage }}}} of the {what} in the last {long} ({{{{ "
            f"$labels.job }}}}); the objective allows {BUDGET:.0%}, and this spends it "
            f"{factor:g} times too fast.",
            needs="broker",
            window=long,
        )
        for factor, long, short, wait, severity in BURNS
    )


def _seconds(duration: str) -> int:
    """Return the seconds of a duration with one unit.

    >>> _seconds("6h"), _seconds("30m")
    (21600, 1800)
    """
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[duration[-1]]


BURN_ALERTS: Final = (
    *_burns(
        "OtpguardDecisionDelayBudgetBurn",
        "decisions_late",
        "decisions",
        shown=(q.decision_delay_p99, q.decision_delay_spread),
        summary="Too many decisions reach the broker over a second after their event.",
        what="decisions came late",
    ),
    *_burns(
        "OtpguardAcknowledgementBudgetBurn",
        "acks_failed",
        "acks",
        shown=(q.acknowledged_share, q.acknowledgements_by_state),
        summary="Too many actions failed at a gateway.",
        what="actions failed",
    ),
)

SYMPTOM_ALERTS: Final = (
    Alert(
        "OtpguardBrokerUnreachable", "critical",
        f"{q.broker_silence.at(RULES)} > 20", "10s", "15m", (q.broker_silence,),
        "No Kafka broker answers a worker or an adapter.",
        "{{ $labels.job }} on {{ $labels.instance }} has had no answer for {{ $value | "
        "humanizeDuration }}. A worker detects nothing meanwhile. An adapter receives no new "
        "leases and overrides, and its leases end.",
    ),
    Alert(
        "OtpguardTargetDown", "critical",
        f"{q.up.at(RULES)} == 0", "1m", "2m", (q.up,),
        "A process of otpguard does not answer Prometheus.",
        "{{ $labels.job }} on {{ $labels.instance }} is down or cannot be reached.",
        needs="broker",
    ),
    Alert(
        "OtpguardRestarting", "warning",
        f"{q.restarts.at(RULES)} > 2", "1m", "10m", (q.restarts,),
        "A process of otpguard starts again and again.",
        "{{ $labels.job }} on {{ $labels.instance }} started {{ $value }} times in 15 "
        "minutes. The last log line before each end gives the reason.",
        needs="broker",
    ),
    Alert(
        "OtpguardNoEvents", "critical",
        f"{q.events.at(RULES)} == 0", "2m", "2m", (q.events,),
        "No SMS events arrive.",
        "The workers of {{ $labels.job }} have read nothing for 7 minutes. A flood would go "
        "unnoticed.", needs="broker",
    ),
    Alert(
        "OtpguardGatewaySilent", "warning",
        q.silent_gateways.at(RULES), "2m", "5m", (q.events_by_gateway, q.silent_gateways),
        "A gateway that used to report events has gone silent.",
        "{{ $labels.gateway }} reported {{ $value | humanize }} events in the previous day "
        "and none in the last 10 minutes. Floods through it go unnoticed.",
        needs="broker",
    ),
    Alert(
        "OtpguardClockAhead", "warning",
        f"{q.events_ahead.at(RULES)} > 0", "10m", "15m", (q.events_ahead,),
        "A gateway's clock is ahead.",
        "{{ $value | humanize }} events a second of {{ $labels.gateway }} are ahead of their "
        "records. They are judged by the records' time. A gate or adapter with such a clock "
        "ends leases too early.", needs="broker",
    ),
    Alert(
        "OtpguardCategoryContradicted", "warning",
        f"{q.category_contradictions.at(RULES)} > 0.1", "10m", "30m",
        (q.category_contradictions,),
        "A gateway's categories contradict its texts.",
        "{{ $value | humanizePercentage }} of the sampled texts of {{ $labels.gateway }} say "
        "otherwise than their category. A flood whose codes no word surely names passes unseen, "
        "and advertising marked as codes makes a false one.", needs="broker",
    ),
    Alert(
        "OtpguardCanaryFailing", "critical",
        f"{q.canary_age.at(RULES)} > 960", "1m", "2m", (q.canary_age, q.canary_runs),
        "The canary's floods are not stopped.",
        "For {{ $value | humanizeDuration }} no flood of the canary was throttled and "
        "acknowledged; one is due every 5 minutes. The path between topic and adapter is "
        "broken.", needs="broker",
    ),
    Alert(
        "OtpguardEventLagGrowing", "critical",
        f"{q.event_lag.at(RULES)} > 30 and {q.event_lag_growth.at(RULES)} > 0", "3m", "5m",
        (q.event_lag, q.event_lag_growth),
        "The workers fall behind.",
        "The slowest partition of {{ $labels.job }} is {{ $value | humanizeDuration }} "
        "behind, and the lag grows. Floods are detected later by this time.",
        needs="broker",
    ),
    Alert(
        "OtpguardOpenTransaction", "critical",
        f"{q.transaction_open.at(RULES)} > 30", "15s", "2m",
        (q.transaction_open, q.records_undecided),
        "An open transaction hides the input.",
        "A producer of the input has had a transaction open for {{ $value | humanizeDuration "
        "}}. {{ $labels.instance }} cannot read the records behind it: floods there go "
        "unnoticed until it ends.",
    ),
    Alert(
        "OtpguardWorkerStuck", "critical",
        f"{q.stuck.at(RULES)} or {q.loop_silence.at(RULES)} > 15", "15s", "2m",
        (q.stuck, q.loop_silence, q.records_behind),
        "A worker has work but does not process it.",
        "{{ $labels.instance }} processed nothing for two minutes while records wait, or its "
        "event loop hangs. It exits by itself after 60 seconds; if it does not, restart it.",
        needs="broker",
    ),
    Alert(
        "OtpguardDeadLetters", "warning",
        f"{q.dead_letter_share.at(RULES)} > 0.001", "5m", "10m",
        (q.dead_letter_share, q.dead_letters_by_reason),
        "Part of the input is rejected.",
        "{{ $value | humanizePercentage }} of the records of {{ $labels.job }} go to the "
        "dead-letter topic. Their recipients are not protected.",
    ),
    Alert(
        "OtpguardDeadLettersWithheld", "critical",
        f"{q.dead_letters_withheld.at(RULES)} > 0", "0s", "10m",
        (q.dead_letters_withheld, q.dead_letter_share),
        "So much is rejected that not all of it gets a dead letter.",
        "{{ $value | humanize }} records of {{ $labels.job }} were rejected as {{ "
        "$labels.reason }} in 10 minutes without a dead letter: a producer is broken, or "
        "hostile. The workers continue. The rejected records stay in the input until its "
        "retention ends.",
    ),
    Alert(
        "OtpguardKeysAstray", "warning",
        f"{q.keys_astray_share.at(RULES)} > 0.001", "10m", "30m",
        (q.keys_astray_share, q.noncanonical_keys, q.misplaced_keys),
        "Events of one recipient lie in several partitions.",
        "{{ $value | humanizePercentage }} of the events of {{ $labels.job }} have another "
        "key than their recipient, or are in the wrong partition. Their floods are split "
        "over partitions, and may go unnoticed.",
    ),
    Alert(
        "OtpguardCheckpointTooOld", "warning",
        f"{q.checkpoint_age.at(RULES)} > 300", "2m", "5m", (q.checkpoint_age, q.checkpoints),
        "A worker cannot write its checkpoints.",
        "The oldest checkpoint of {{ $labels.instance }} is {{ $value | humanizeDuration }} "
        "old; one is due every minute. After a crash all input since then is read again.",
        needs="broker",
    ),
    Alert(
        "OtpguardThrottleSurge", "critical",
        f"{q.new_throttles.at(RULES)} > 20 unless "
        f"{q.new_throttles.at(RULES)} <= 5 * ({q.usual_throttles.at(RULES)})", "30s", "10m",
        (q.new_throttles, q.usual_throttles),
        "Many recipients are throttled at once.",
        "{{ $value | humanize }} recipients reached THROTTLE in 5 minutes, over five times "
        "the usual number: a campaign, or a wrong detector.",
    ),
    Alert(
        "OtpguardRailTripped", "critical",
        f"{q.rails_open.at(RULES)} == 1", "0s", "5m", (q.rails_open, q.rails_load),
        "Rails block new leases.",
        "{{ $labels.instance }} enforces no new lease until the load falls; leases in force "
        "stay. New victims are not protected.",
    ),
    Alert(
        "OtpguardRailsRaised", "warning",
        f"{q.rails_raised.at(RULES)} > 1", "3h", "0s", (q.rails_raised, q.rails_load),
        "An operator raised the rails hours ago.",
        "For 3 hours {{ $labels.instance }} has allowed {{ $value }} times the leases of its "
        "settings. A wrong detector could throttle that many more recipients.",
    ),
    Alert(
        "OtpguardCampaign", "warning",
        f"{q.campaign_victims.at(RULES)} >= 20", "0s", "10m",
        (q.campaign_victims, q.campaigns_open, q.campaign_growth),
        "One campaign floods many recipients.",
        "{{ $value | humanize }} recipients are attacked by the same platforms at the same "
        "time. `otpguard campaigns ls` shows how fast the campaign grows. You may need to "
        "raise the rails.",
    ),
    Alert(
        "OtpguardNoAgent", "warning",
        f"{q.agent_owners.at(RULES)} == 0", "5m", "5m", (q.agent_owners,),
        "No agent reports campaigns, or platforms.",
        "For 5 minutes no process of {{ $labels.job }} has owned its topic. Detection goes "
        "on, but nobody learns which floods belong together, or which platforms they abuse.",
        needs="broker",
    ),
    Alert(
        "OtpguardSweep", "warning",
        f"{q.platform_sweeps.at(RULES)} > 0", "0s", "30m", (q.platform_sweeps,),
        "A platform sends codes to many neighbouring numbers.",
        "{{ $value | humanize }} platforms sent codes to neighbouring or unused numbers "
        "(rule {{ $labels.rule }}). `otpguard platforms ls --by sweeps` lists them.",
    ),
    Alert(
        "OtpguardSurge", "warning",
        f"{q.surge_platforms.at(RULES)} > 0", "0s", "30m", (q.surge_platforms,),
        "Many platforms reach far more new recipients than usual.",
        "{{ $value | humanize }} platforms sent codes to many recipients that do not know them. "
        "It may be a campaign of few codes for each victim. `otpguard campaigns ls` lists it.",
    ),
    Alert(
        "OtpguardListRefused", "warning",
        f"{q.hot_lists_refused.at(RULES)} > 0", "0s", "10m",
        (q.hot_lists_refused, q.hot_lists_held, q.hot_list_platforms),
        "A list of abused platforms is refused.",
        "Partitions refused {{ $value | humanize }} lists as {{ $labels.outcome }}. They "
        "keep the previous list for a day, and then use their own.",
    ),
    Alert(
        "OtpguardMemoryOld", "warning",
        f"{q.memory_age.at(RULES)} > 1800", "5m", "5m", (q.memory_age, q.memory_published),
        "The memory of this standby site is old.",
        "What this site knows of its subscribers is {{ $value | humanizeDuration }} old. After a "
        "failover now, platforms that they began to use since then are unknown.",
    ),
    Alert(
        "OtpguardMemoryRefused", "warning",
        f"{q.memory_refused.at(RULES)} > 0", "0s", "10m", (q.memory_refused, q.memory_records),
        "Memory records are refused.",
        "Partitions refused {{ $value | humanize }} memory records as {{ $labels.outcome }}. They "
        "had no effect. A key or a file is wrong, or somebody tries to teach platforms.",
    ),
    Alert(
        "OtpguardKillSwitchOn", "warning",
        q.switch_thrown.at(RULES), "10m", "0s", (q.switch, q.switch_thrown),
        "The kill switch prevents leases from being enforced.",
        "The kill switch has been at {{ $labels.mode }} for over 10 minutes, at {{ $value }} "
        "adapters. No victim is protected there.",
    ),
    Alert(
        "OtpguardAdapterFailing", "critical",
        f"{q.gateway_up.at(RULES)} == 0", "1m", "2m", (q.gateway_up,),
        "A gateway accepts no orders from its adapter.",
        "The adapter on {{ $labels.instance }} cannot reach its gateway. Messages pass. New "
        "leases are applied when the gateway is back.",
    ),
    Alert(
        "OtpguardLeasesStale", "critical",
        f"{q.leases_age.at(RULES)} > 60", "30s", "2m", (q.leases_age, q.records_refused),
        "A gateway does not follow leases and overrides.",
        "{{ $labels.job }} on {{ $labels.instance }} last had all leases {{ $value | "
        "humanizeDuration }} ago. Until it reads again, releases and the kill switch do not "
        "reach its gateway. Leases in force end by themselves.", needs="broker",
    ),
    Alert(
        "OtpguardMetricErrors", "warning",
        f"{q.metric_errors.at(RULES)} > 0", "0s", "10m", (q.metric_errors,),
        "A program cannot count something.",
        "{{ $labels.job }} on {{ $labels.instance }} made {{ $value | humanize }} calls in an hour "
        "that no metric took. It goes on with its work; what these metrics show is too low, and "
        "alerts by them may not fire.",
    ),
    Alert(
        "OtpguardGateLate", "warning",
        f"({q.gate_troubles.at(RULES)}) > 20", "2m", "5m",
        (q.gate_late, q.gate_stalls, q.gate_failures, q.gate_answer_p99),
        "A gate answers too late.",
        "{{ $labels.instance }} was late, stalled or failed {{ $value | humanize }} times in "
        "10 minutes. The messages of those moments passed without a decision.",
    ),
    Alert(
        "OtpguardGateEventsWaiting", "warning",
        f"{q.gate_waiting_age.at(RULES)} > 60", "1m", "5m",
        (q.gate_waiting, q.gate_waiting_age, q.gate_spool),
        "A gate's events do not reach Kafka.",
        "Events of {{ $labels.instance }} have waited {{ $value | humanizeDuration }}. The "
        "gate answers by the leases that it has. New floods go unnoticed, and above its "
        "limits events are lost.", needs="broker",
    ),
    Alert(
        "OtpguardGateEventsLost", "critical",
        f"{q.gate_lost.at(RULES)} > 0", "0s", "10m", (q.gate_lost, q.gate_spool, q.gate_disk),
        "A gate loses events.",
        "{{ $labels.instance }} lost {{ $value | humanize }} events in 10 minutes ({{ "
        "$labels.outcome }}). No message was delayed, but floods among these events go "
        "unnoticed.",
    ),
    Alert(
        "OtpguardSignalStale", "warning",
        f"{q.signal_stale.at(RULES)} > 0", "2m", "2m", (q.signal_stale, q.signal_answers),
        "Banks get no answers.",
        'The case store behind {{ $labels.instance }} is too old to answer "no". Banks get '
        "503. Codes pass and are refused as always.",
    ),
    Alert(
        "OtpguardSignalPushFailing", "warning",
        f"{q.signal_pushes_failed.at(RULES)} > 0", "2m", "10m",
        (q.signal_pushes, q.signal_pushes_failed),
        "A bank is not informed of floods.",
        "A bank's sink did not accept {{ $value | humanize }} floods in 10 minutes ({{ "
        "$labels.outcome }}). The bank can still ask. Nothing else is affected.",
    ),
    Alert(
        "OtpguardGatewayNotAcknowledging", "critical",
        f"{q.unacknowledged_least.at(RULES)} > 0", "1m", "2m",
        (q.unacknowledged, q.unacknowledged_least),
        "Actions stay unacknowledged.",
        "{{ $labels.job }} on {{ $labels.instance }} counts {{ $value }} actions without an "
        "acknowledgement for over two minutes. If an adapter counts them, it is stuck. If "
        "only workers count them, no adapter runs.", needs="broker",
    ),
    Alert(
        "OtpguardRecordsRefused", "warning",
        f"{q.records_refused.at(RULES)} > 0", "0s", "10m", (q.records_refused,),
        "Leases, overrides or acknowledgements cannot be parsed.",
        "{{ $value | humanize }} records were {{ $labels.kind }} to {{ $labels.job }}. "
        "`newer` means that the writer has a newer version: an adapter then obeys none of "
        "these leases.",
    ),
    Alert(
        "OtpguardDeskRates", "warning",
        f"{q.desk_limited.at(RULES)} > 0", "0s", "30m", (q.desk_limited, q.desk_acts),
        "A user of the desk exceeds a limit.",
        "{{ $value | humanize }} {{ $labels.kind }} of one person were refused within an "
        "hour. The audit has the name. The person may be an attacker, or somebody else may "
        "use the account.",
    ),
    Alert(
        "OtpguardPackNotVerified", "critical",
        f"{q.desk_packs_bad.at(RULES)} > 0", "0s", "30m", (q.desk_packs, q.desk_packs_bad),
        "An evidence pack fails verification.",
        "{{ $value | humanize }} packs that the desk made within an hour failed verification "
        "and were not handed out. The key, its device, the disk or the program is faulty.",
    ),
    Alert(
        "OtpguardIndexStale", "critical",
        f"{q.index_lag.at(RULES)} > 60", "1m", "5m",
        (q.index_lag, q.index_behind, q.index_records),
        "The desk's case store is behind.",
        "The case store of {{ $labels.job }} is {{ $value | humanizeDuration }} behind its "
        "topics. The desk shows this, and does not find floods of that time.",
        needs="broker",
    ),
    Alert(
        "OtpguardNoticesFailing", "warning",
        f"{q.notices_failed.at(RULES)} >= 5 or {q.notice_channel.at(RULES)} == 0", "2m", "10m",
        (q.notices, q.notices_failed, q.notice_channel, q.notice_retries),
        "Victims are not notified.",
        "The notifier {{ $labels.job }} cannot deliver notices to the SMSC, or does not know "
        "their result. Leases are enforced all the same, but victims do not learn why.",
    ),
    Alert(
        "OtpguardNoticeCapReached", "warning",
        f"{q.notice_cap.at(RULES)} > 0", "2m", "10m",
        (q.notice_cap, q.notices_waiting, q.notices_capped),
        "More victims wait for a notice than a cap allows.",
        "The notifier {{ $labels.job }} sends as much as notify.per_minute, per_day or "
        "to_prefixes allow. There is a campaign, or the detector is wrong.",
    ),
    Alert(
        "OtpguardFalseAlarms", "warning",
        f"{q.false_alarms.at(RULES)} >= 3 and {q.false_alarms.at(RULES)} > on () group_left () "
        f"0.05 * {q.throttles_enforced.at(RULES)}", "5m", "1h",
        (q.false_alarms, q.false_alarms_by_kind, q.throttles_enforced),
        "Operators end many throttles.",
        "{{ $value | humanize }} overrides in a day ended a throttle, over 5 % of the "
        "leases. People who log in may be throttled by mistake.",
    ),
    Alert(
        "OtpguardRefusedUsedLater", "warning",
        f"{q.used_later_share.at(RULES)} > 0.05 and {q.platforms_used_later.at(RULES)} >= 20",
        "1h", "6h", (q.used_later_share, q.platforms_used_later, q.platforms_refused),
        "Recipients use platforms whose codes were refused.",
        "{{ $value | humanizePercentage }} of the platforms that leases of the last week "
        "refused (in shadow: would refuse) were used by the same recipient after the flood. "
        "People who log in may be throttled by mistake.",
    ),
)  # fmt: skip

ALERTS: Final = (*BURN_ALERTS, *SYMPTOM_ALERTS)

CAUSES: Final[dict[str, str]] = {"OtpguardBrokerUnreachable": "broker"}
"""The `needs` label that each alert explains; Alertmanager's example inhibits by it."""


def recording_file() -> dict[str, Any]:
    """Return the file of recording rules."""
    rules = [record.rule() for record in RECORDS]
    return {"groups": [{"name": "otpguard-recording", "rules": rules}]}


def alert_file(runbooks: str = RUNBOOKS) -> dict[str, Any]:
    """Return the file of alerts, with a group for each kind."""
    kinds = {"otpguard-objectives": BURN_ALERTS, "otpguard-symptoms": SYMPTOM_ALERTS}
    return {
        "groups": [
            {"name": name, "rules": [alert.rule(runbooks) for alert in alerts]}
            for name, alerts in kinds.items()
        ]
    }
