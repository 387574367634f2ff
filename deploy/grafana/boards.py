"""The five dashboards. The NOC's panels come first; the others help to find causes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common, dashboard

from deploy.grafana.panels import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    RED,
    SOURCE,
    light,
    lines,
    listing,
    named,
    spread,
    states,
)
from deploy.prometheus import queries as q
from deploy.prometheus.queries import BOARD

TAG: Final = "otpguard"
Rows = list[tuple[str, list[Any]]]
"""Title and panels of each row."""

DOWN_UP: Final = [(None, RED), (1.0, GREEN)]
UP_DOWN: Final = [(None, GREEN), (1.0, RED)]


def overview(r: str) -> Rows:
    """Return the overview: whether otpguard works, what it does, and whether that is right."""
    return [
        ("Now", [
            light("Events a second", q.events, [(None, RED), (0.001, GREEN)], r),
            light("Event-time lag", q.event_lag, [(None, GREEN), (5, AMBER), (30, RED)], r),
            light("Throttled", q.throttles_open, [(None, GREEN), (1, BLUE), (100, AMBER)], r),
            light("Acknowledged", q.acknowledged_share, [(None, RED), (0.99, GREEN)], r,
                  "no actions"),
            named("Switch", q.switch, [(None, GREY)], r),
            light("Canary's last success", q.canary_age,
                  [(None, GREEN), (400, AMBER), (960, RED)], r, "no canary"),
        ]),
        ("Attacks", [
            lines("Under attack now", [q.episodes_open], r, stacked=True),
            lines("New throttles in 5 minutes", [q.new_throttles, q.usual_throttles], r),
            lines("Messages refused", [q.refused], r),
        ]),
        ("Is it right?", [
            lines("Operators took back, in a day", [q.false_alarms_by_kind], r),
            lines("Throttles for a million recipients", [q.throttles_per_million], r),
            listing("Alerts that fire", q.alerts, r, ["alertstate", "needs", "window"], "third"),
        ]),
        ("Processes", [
            states("Reachable", q.up, DOWN_UP, r, "half"),
            listing("Versions", q.versions, r, [], "half"),
        ]),
    ]  # fmt: skip


def floods(r: str) -> Rows:
    """Return the dashboard of attacks: by class (the deciding rule) and category of platforms."""
    return [
        ("By class", [
            lines("Rises to THROTTLE by rule", [q.throttles_by_rule], r, width="half",
                  stacked=True),
            lines("Rises to WATCH by rule", [q.watches_by_rule], r, width="half", stacked=True),
            lines("Floods refused and observed", [q.floods_by_outcome], r, width="half",
                  stacked=True),
            lines("Recipients that would only be observed", [q.observed_share], r, width="half"),
        ]),
        ("By platform", [
            lines("Platforms in floods by category", [q.flood_platforms_by_trust], r,
                  width="half", stacked=True),
            lines("Of them known to the recipient", [q.flood_known_share], r, width="half"),
        ]),
        ("Campaigns", [
            lines("Victims of the largest campaign", [q.campaign_victims], r, bound=20),
            lines("Campaigns that go on", [q.campaigns_open], r),
            lines("New victims a minute", [q.campaign_growth], r),
            lines("Agents that tell", [q.agent_owners], r),
            lines("Platforms in a week, and abused", [q.platforms_known, q.platforms_abused], r,
                  width="half"),
            lines("Codes that are of floods, in a week", [q.flood_codes_share], r, width="half"),
            lines("Sweeps over neighbouring numbers", [q.platform_sweeps], r),
            lines("Platforms in a surge", [q.surge_platforms], r),
            lines("Platforms on lists of abused ones", [q.hot_platforms, q.hot_list_platforms], r),
            lines("Partitions with the network's list", [q.hot_lists_held], r),
            lines("Lists told, and refused", [q.hot_lists_told, q.hot_lists_refused], r),
            lines("Memory records by outcome", [q.memory_records], r),
            lines("Memory records that are wrong", [q.memory_refused], r),
            lines("Memory of another site: age", [q.memory_age], r, bound=1800),
            lines("Memory of another site: published", [q.memory_published], r),
            lines("Memory of another site: partitions", [q.memory_partitions], r),
            lines("Memory of another site: recipients", [q.memory_recipients], r),
        ]),
        ("The whole traffic", [
            lines("Recipients with so many codes in a window", [q.window_recipients], r),
            lines("Codes in a window", [q.window_codes], r),
            lines("Distinct platforms in a window", [q.window_platforms], r),
        ]),
    ]  # fmt: skip


def pipeline(r: str) -> Rows:
    """Return the dashboard of the pipeline: where events wait, and what state costs."""
    return [
        ("Intake", [
            lines("Input by outcome", [q.events_by_outcome], r, stacked=True),
            lines("Events by gateway", [q.events_by_gateway], r),
            lines("Events ahead of their records", [q.events_ahead], r),
            lines("Gateways gone silent", [q.silent_gateways], r),
            lines("Refused by reason", [q.dead_letters_by_reason], r),
            lines("Share refused", [q.dead_letter_share], r, bound=0.001),
            lines("Refused without a dead letter", [q.dead_letters_withheld], r),
            lines("Keys of another form, or elsewhere", [q.noncanonical_keys, q.misplaced_keys], r),
            lines("Share of keys astray", [q.keys_astray_share], r, bound=0.001),
            lines("Taken in by feeds", [q.feed_events], r, width="half"),
            lines("Waiting for a feed", [q.feed_backlog], r, width="half"),
        ]),
        ("Lag", [
            lines("Event-time lag", [q.event_lag], r, bound=30),
            lines("Growth of the lag", [q.event_lag_growth], r),
            lines("Records behind", [q.records_behind], r),
            lines("Age of an open transaction", [q.transaction_open], r, bound=30),
            lines("Records behind one", [q.records_undecided], r),
            lines("Workers that stand still", [q.stuck], r),
            lines("Consumer lag from outside", [q.consumer_lag], r),
            lines("Silence of the broker", [q.broker_silence], r, bound=20),
        ]),
        ("Stages", [
            lines("From input to judge", [q.events, q.codes, q.promoted], r),
            lines("Time of a batch by stage", [q.stage_p99], r),
            lines("Decision delay", [q.decision_delay_p50, q.decision_delay_p99], r, bound=1),
            spread("Decisions by delay", q.decision_delay_spread, r, "half"),
            lines("Recipients and suspects", [q.recipients_tracked, q.suspects], r, width="half"),
        ]),
        ("State", [
            lines("Age of the oldest checkpoint", [q.checkpoint_age], r, bound=300),
            lines("Size of the checkpoints", [q.checkpoint_bytes], r),
            lines("Checkpoints a minute", [q.checkpoints], r),
            states("State loaded", q.recovery, DOWN_UP, r),
            lines("Partitions by worker", [q.partitions], r, stacked=True),
            lines("Rebalances and holes", [q.rebalances, q.offset_gaps], r),
        ]),
        ("Processes", [
            lines("Cores used", [q.cpu], r),
            lines("Memory", [q.memory], r),
            lines("Silence of the event loop", [q.loop_silence], r, bound=15),
            lines("Evictions", [q.evictions, q.platforms_dropped], r, width="half"),
            lines("Starts in 15 minutes", [q.restarts], r, width="half"),
        ]),
    ]  # fmt: skip


def enforcement(r: str) -> Rows:
    """Return the dashboard of enforcement: from a decision to a gateway that obeys it."""
    return [
        ("Now", [
            named("Detector", q.detector_mode, [(None, GREY)], r),
            named("Switch", q.switch, [(None, GREY)], r),
            light("Switch thrown", q.switch_thrown, [(None, GREEN), (1, AMBER)], r, "no"),
            light("Acknowledged", q.acknowledged_share, [(None, RED), (0.99, GREEN)], r,
                  "no actions"),
            light("Canary's last success", q.canary_age,
                  [(None, GREEN), (400, AMBER), (960, RED)], r, "no canary"),
            light("Enforced in a day", q.throttles_enforced, [(None, BLUE)], r),
        ]),
        ("Actions", [
            lines("Actions", [q.actions, q.lease_updates], r, stacked=True),
            lines("Acknowledgements", [q.acknowledgements_by_state], r, stacked=True),
            lines("From issue to force", [q.apply_p50, q.apply_p99], r, bound=1),
            lines("Settled and failed", [q.acknowledgements, q.acknowledgements_failed], r),
            lines("Unacknowledged", [q.unacknowledged, q.unacknowledged_least], r),
            lines("Records an adapter cannot read", [q.records_refused], r),
            lines("Defects of metrics", [q.metric_errors], r),
        ]),
        ("Gateways", [
            states("Gateway takes orders", q.gateway_up, DOWN_UP, r),
            lines("Age of the leases", [q.leases_age], r, bound=60),
            lines("Leases in force", [q.leases_held], r),
            lines("Messages refused", [q.refused], r),
            states("Rails hold back", q.rails_open, UP_DOWN, r, "half"),
            lines("Load of the rails", [q.rails_load], r, width="half", bound=1),
            lines("Rails by an operator's word", [q.rails_raised], r),
        ]),
        ("Signal to banks", [
            lines("Answers to banks", [q.signal_answers], r, stacked=True),
            lines("Time to an answer to a bank", [q.signal_answer_p99], r, bound=0.02),
            lines("Index too old", [q.signal_stale], r),
            lines("Floods pushed to banks", [q.signal_pushes], r),
        ]),
        ("Gates", [
            lines("Answers of gates", [q.gate_answers], r, stacked=True),
            lines("Time to an answer", [q.gate_answer_p50, q.gate_answer_p99], r, bound=0.02),
            lines("Late, stalled, failed", [q.gate_late, q.gate_stalls, q.gate_failures], r),
            lines("Events of gates", [q.gate_events], r, stacked=True),
            lines("Events lost", [q.gate_lost], r),
            lines("Events that wait for Kafka", [q.gate_waiting, q.gate_queue], r),
            lines("Age of what waits", [q.gate_waiting_age], r, width="half", bound=60),
            lines("On disk", [q.gate_spool], r, width="half"),
            states("Disk takes events", q.gate_disk, DOWN_UP, r),
            lines("Connections", [q.gate_connections], r),
            lines("Leases followed anew", [q.gate_restarts], r),
        ]),
        ("Case store", [
            lines("Behind its topics", [q.index_lag], r, width="half", bound=60),
            lines("Records behind", [q.index_behind], r, width="half"),
            lines("Records", [q.index_records], r, width="half"),
            lines("Records that could not be read", [q.index_unreadable], r, width="half"),
        ]),
        ("Desk", [
            lines("Acts", [q.desk_acts], r, width="half"),
            lines("Log-ins", [q.desk_logins], r, width="half"),
            lines("Too much by one person", [q.desk_limited], r, width="half"),
            lines("Requests not answered", [q.desk_errors], r, width="half"),
            lines("Live lists", [q.desk_streams], r, width="half"),
            lines("Evidence packs", [q.desk_packs], r, width="half"),
        ]),
        ("Notices", [
            lines("Notices by end, in an hour", [q.notices], r, stacked=True),
            lines("Failed, given up, tried again", [q.notices_failed, q.notices_capped,
                                                    q.notice_retries], r),
            lines("Due", [q.notices_waiting], r),
            lines("Time to the SMSC", [q.notice_delay], r, bound=5),
            states("Channel", q.notice_channel, DOWN_UP, r),
            lines("Cap reached", [q.notice_cap], r),
            lines("Replies of victims", [q.notice_replies], r),
        ]),
        ("Canary", [
            lines("Its floods by end, in an hour", [q.canary_runs], r, stacked=True),
            lines("Time to lease and adapter", [q.canary_throttle, q.canary_acknowledge], r),
            lines("Since the last success", [q.canary_age], r, bound=960),
        ]),
    ]  # fmt: skip


def quality(r: str) -> Rows:
    """Return the dashboard of quality: whether the detector is right, and what it costs."""
    return [
        ("Objectives", [
            lines("Decisions and late ones", [q.decisions, q.decisions_late], r, width="half"),
            lines("Decision delay", [q.decision_delay_p50, q.decision_delay_p99], r,
                  width="half", bound=1),
        ]),
        ("False alarms", [
            lines("Operators took back, in a day", [q.false_alarms, q.false_alarms_by_kind], r),
            lines("Leases enforced in a day", [q.throttles_enforced], r),
            lines("Refused platforms used later", [q.used_later_share], r, bound=0.05),
            lines("Platforms refused and used later", [q.platforms_refused,
                                                       q.platforms_used_later], r),
            lines("Throttles for a million recipients", [q.throttles_per_million], r),
            lines("Known platforms in floods", [q.flood_known_share], r),
            lines("Throttled of the watched", [q.throttles_of_watches], r),
            lines("Rises to THROTTLE by rule", [q.throttles_by_rule], r, stacked=True),
        ]),
        ("Recognition and sieve", [
            lines("Codes of the counted events", [q.codes_share], r),
            lines("Templates seen before", [q.cache_hits], r),
            lines("Texts against their category", [q.category_contradictions], r, bound=0.05),
            lines("Judged of the codes", [q.judged_share], r),
        ]),
    ]  # fmt: skip


BOARDS: Final = {
    "overview": ("otpguard: overview", overview),
    "floods": ("otpguard: floods", floods),
    "pipeline": ("otpguard: pipeline", pipeline),
    "enforcement": ("otpguard: enforcement", enforcement),
    "quality": ("otpguard: detector quality", quality),
}


def boards(runbooks: str) -> Iterator[tuple[str, dashboard.Dashboard]]:
    """Return every dashboard with its file name."""
    for name, (title, rows) in BOARDS.items():
        board = _empty(name, title, (rows.__doc__ or "").strip(), runbooks)
        numbers = count(1)
        for row, panels in rows(runbooks):
            board = board.with_row(build.Row(row).id(next(numbers)))
            for panel in panels:
                board = board.with_panel(panel.id(next(numbers)))
        yield name, board.build()


GATEWAYS: Final = {
    "pipeline": 'label_values(otpguard_gateway_events_total{job=~"$job"}, gateway)',
}
"""Dashboards with panels by gateway, and the metric that has the gateways' names."""


def _empty(name: str, title: str, says: str, runbooks: str) -> build.Dashboard:
    """Return a dashboard with the common variables, links and annotations, without panels."""
    board = (
        build.Dashboard(title)
        .uid(f"otpguard-{name}")
        .description(says)
        .tags([TAG])
        .readonly()
        .refresh("30s")
        .time("now-3h", "now")
        .timezone(common.TimeZoneBrowser)
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(
            build.DashboardLink("otpguard")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(
            build.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
        .with_variable(_choice("job", "label_values(otpguard_build_info, job)"))
        .with_variable(
            _choice("instance", 'label_values(otpguard_build_info{job=~"$job"}, instance)')
        )
    )
    for address, label, value in (
        ("runbooks", "Runbooks at", runbooks),
        ("cases", "Cases at", ""),
    ):
        board = board.with_variable(
            build.TextBoxVariable(address)
            .label(label)
            .default_value(value)
            .current(_option(value))
            .options([_option(value)])
        )
    if name in GATEWAYS:
        board = board.with_variable(_choice("gateway", GATEWAYS[name]))
    if name == "pipeline":
        board = board.with_variable(
            build.CustomVariable("lag_metric")
            .label("Lag exporter")
            .values("kafka_consumergroup_lag,kminion_kafka_consumer_group_topic_lag")
            .current(_option("kafka_consumergroup_lag"))
        )
    for what, color, expr in ANNOTATIONS:
        board = board.annotation(
            build.AnnotationQuery()
            .name(what)
            .datasource(SOURCE)
            .enable(True)
            .icon_color(color)
            .expr(expr)
        )
    return board


def _choice(name: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(_option("All", "$__all"))
    )


def _option(text: str, value: str = "") -> dashboard.VariableOption:
    return dashboard.VariableOption(selected=True, text=text, value=value or text)


_START: Final = BOARD.pick("process_start_time_seconds", q.OURS)
_BUILD: Final = BOARD.series("build_info")
_MODE: Final = BOARD.series("mode")

ANNOTATIONS: Final = (
    (
        "Versions",
        BLUE,
        f"count by (version) ({_BUILD}) unless count by (version) ({_BUILD} offset 1m)",
    ),
    ("Starts, with new settings perhaps", GREY, f"changes({_START}[1m]) > 0"),
    (
        "Mode switches",
        AMBER,
        f"max by (job, mode) ({_MODE} == 1) unless max by (job, mode) ({_MODE} offset 1m == 1)",
    ),
)
"""Changes, drawn as lines through every panel: name, colour, query."""
