"""Defines every metric once: name, type, unit, labels with their allowed values, meaning.

All series of a process exist from its start, with value zero. So `rate` also sees the first event,
and a label value that is not allowed creates no new series. An unknown metric or label value is a
defect in the program. It is counted and logged, and does not stop the service. Only the label
`gateway` is open: a limited number of plain names is accepted, and the others are counted as
"other".
"""

import logging
import math
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, ClassVar, Final, Literal, TypeVar, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from detectors.hot.network import ListOutcome
from detectors.model.event import MemoryOutcome, Trust
from detectors.platforms.sweeps import SWEEP_RULES
from detectors.recipients import windows
from streams import __version__
from streams.wire import Outcome, RejectReason

log = logging.getLogger(__name__)

_T = TypeVar("_T")

PREFIX: Final = "otpguard_"
# maximum number of values of the label `gateway`; a carrier has a handful of SMS gateways
GATEWAYS_MAX: Final = 32
# must contain a letter, so that a phone number is not accepted
GATEWAY_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
OTHER: Final = "other"

LEVELS: Final = ("watch", "throttle")
RULES: Final = (
    "burst", "raw_35min", "raw_24h", "spaced_50s_3h", "spaced_2min_3h", "spaced_5min_3h",
    "spaced_10min_24h", "mass_10min", "mass_35min", "mass_1h", "volume_6h",
    "volume_24h", "returns", "relapse", "hot", "hot_burst",
)  # fmt: skip
RUNGS: Final = tuple(map(str, windows.RUNGS))
MODES: Final = ("shadow", "enforce", "off")
TRUSTS: Final = tuple(trust.name.lower() for trust in Trust)
CANARY_OUTCOMES: Final = (
    "applied", "ignored", "leased", "failed", "unacknowledged", "missed",
)  # fmt: skip
GATE_WHYS: Final = (
    "no_lease", "over", "not_a_code", "trusted", "other", "known", "again", "refuse", "rebuilding",
    "bad_recipient", "mobile_originated", "reported", "unreadable",
)  # fmt: skip
SIGNAL_OUTCOMES: Final = (
    "done", "invalid_argument", "out_of_range", "unauthenticated", "permission_denied",
    "missing_identifier", "unnecessary_identifier", "service_not_applicable", "quota_exceeded",
    "too_many_requests", "unavailable",
)  # fmt: skip
GATE_OUTCOMES: Final = (
    "published", "bypassed", "refused", "queue_full", "spool_full", "disk_failed",
)  # fmt: skip
NOTICE_KINDS: Final = (
    "victim_start", "victim_opened", "victim_end", "victim_released", "platform",
)  # fmt: skip
NOTICE_REPLIES: Final = (
    "opened", "old", "unvouched", "unreadable", "no_lease", "not_told", "daily",
)  # fmt: skip
DESK_OUTCOMES: Final = ("done", "asked", "nothing", "refused", "failed")
FEED_OUTCOMES: Final = ("published", "unreadable")
DESK_VERBS: Final = (
    "enter", "logout", "password", "search", "view", "unmask", "export", "release", "allow",
    "exempt", "mode", "act", "call", "note", "appeal", "propose", "approve", "reject", "account",
    "limit",
)  # fmt: skip

_FAST_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_ANSWER_S: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1,
)  # fmt: skip
_DELAY_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # 1 s: the SLO

Role = Literal[
    "worker", "adapter", "feed", "canary", "gate", "desk", "indexer", "notifier", "signal",
    "campaigns", "platforms", "memory",
]  # fmt: skip
_ALL: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family. `name` is without the common prefix."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # label -> allowed values
    buckets: tuple[float, ...] = ()  # upper bounds, in `unit`
    roles: tuple[Role, ...] = ("worker",)


_ADAPTER: Final[tuple[Role, ...]] = ("adapter", "gate")  # a gate contains an adapter
_MODAL: Final[tuple[Role, ...]] = ("worker", "adapter", "gate")
_INDEXER: Final[tuple[Role, ...]] = ("indexer", "desk")  # a desk contains an indexer
_AGENTS: Final[tuple[Role, ...]] = ("campaigns", "platforms")

TABLE: Final = (
    Metric("events_total", "counter", "records", "Input records by what became of them.",
           {"outcome": tuple(Outcome)}),
    Metric("gateway_events_total", "counter", "events",
           "Counted events by gateway; names past the first 32, and odd ones, are other.",
           {"gateway": (OTHER,)}),
    Metric("gateway_ahead_total", "counter", "events",
           "Counted events whose time was ahead of their record's, by gateway: judged by the "
           "record's time.", {"gateway": (OTHER,)}),
    Metric("codes_total", "counter", "events", "Counted events with a verification code."),
    Metric("promoted_total", "counter", "recipients", "Recipients that the sieve made suspects."),
    Metric("judged_total", "counter", "events", "Events that the judge looked at."),
    Metric("stage_seconds", "histogram", "seconds", "Time of one batch in a stage.",
           {"stage": ("decode", "detect", "publish", "checkpoint")}, _FAST_S),
    Metric("event_lag_seconds", "gauge", "seconds",
           "Now less the event time of the newest event applied, of the slowest partition."),
    Metric("records_behind", "gauge", "records",
           "Records of the input between the states and the ends of their logs."),
    Metric("records_undecided", "gauge", "records",
           "Records from the first open transaction on, which nobody may read before it ends."),
    Metric("transaction_open_seconds", "gauge", "seconds",
           "Since an open transaction of the input holds records back, of the oldest."),
    Metric("broker_silence_seconds", "gauge", "seconds", "Since a broker last answered.",
           roles=("worker", "adapter", "gate", "notifier")),
    Metric("loop_silence_seconds", "gauge", "seconds",
           "Since the event loop last beat; it beats four times a second."),
    Metric("decision_delay_seconds", "histogram", "seconds",
           "Time from the event that caused an action to the broker's receipt of the action.",
           buckets=_DELAY_S),
    Metric("window_codes", "gauge", "events", "Codes in the newest closed tumbling window."),
    Metric("window_platforms", "gauge", "platforms",
           "Distinct platforms in the newest closed tumbling window."),
    Metric("window_recipients", "gauge", "recipients",
           "Recipients with at least this many codes in the newest closed tumbling window.",
           {"rung": RUNGS}),
    Metric("episodes_open", "gauge", "episodes", "Open episodes by level.", {"level": LEVELS}),
    Metric("episodes_total", "counter", "episodes", "Rises to a level by the rule that decided.",
           {"rule": RULES, "level": LEVELS}),
    Metric("floods_total", "counter", "episodes",
           "Rises to throttle: refused (leases are to be enforced) or observed, by the detector.",
           {"outcome": ("refused", "observed")}),
    Metric("flood_platforms_total", "counter", "platforms",
           "Platforms in the evidence of episodes as they rose to throttle.",
           {"trust": TRUSTS, "memory": ("known", "novel")}),
    Metric("platforms_refused_total", "counter", "platforms",
           "Platforms at recipients whose codes leases refuse, or would if they were enforced."),
    Metric("platforms_used_later_total", "counter", "platforms",
           "Of those, platforms that the recipient uses when the flood is over."),
    Metric("actions_total", "counter", "actions", "Actions published.",
           {"verb": ("throttle", "release", "throttle_platforms"), "mode": ("shadow", "enforce")}),
    Metric("lease_updates_total", "counter", "updates",
           "Leases told again, with the windows of second requests."),
    Metric("recipients_tracked", "gauge", "recipients", "Rows in the sieve."),
    Metric("recipients_observed_ratio", "gauge", "ratio",
           "Share of the recipients with a code in the last day that would be observed only, as "
           "too little is known of them: a sample."),
    Metric("evictions_total", "counter", "recipients", "Rows given up for newer ones."),
    Metric("platforms_dropped_total", "counter", "platforms",
           "Platforms forgotten for want of room, of recipients who use many."),
    Metric("suspects", "gauge", "recipients", "Recipients that the judge follows."),
    Metric("checkpoint_age_seconds", "gauge", "seconds",
           "Since the newest complete checkpoint, of the oldest partition with newer events."),
    Metric("checkpoint_bytes", "gauge", "bytes", "Size of the newest checkpoints together."),
    Metric("checkpoints_total", "counter", "checkpoints", "Checkpoints that were completed."),
    Metric("recovery_progress_ratio", "gauge", "ratio",
           "Share of the assigned partitions whose state is loaded."),
    Metric("partitions_assigned", "gauge", "partitions", "Input partitions of this worker."),
    Metric("rebalances_total", "counter", "rebalances", "Changes of the assignment."),
    Metric("offset_gaps_total", "counter", "gaps",
           "Holes in the log that were accepted: truncated or transactional input."),
    Metric("dead_letters_total", "counter", "records", "Refused records by reason.",
           {"reason": tuple(RejectReason)}),
    Metric("dead_letters_withheld_total", "counter", "records",
           "Of those, records that got no dead letter: more were refused than a second may have.",
           {"reason": tuple(RejectReason)}),
    Metric("noncanonical_keys_total", "counter", "events",
           "Counted events whose key is not the canonical form of their recipient."),
    Metric("misplaced_keys_total", "counter", "events",
           "Counted events in another partition than Java's partitioner gives their key."),
    Metric("template_cache_hits_total", "counter", "events", "Texts judged by their template."),
    Metric("template_cache_misses_total", "counter", "events", "Texts judged by every rule."),
    Metric("category_checks_total", "counter", "events",
           "Texts that were looked at beside the category that their gateway gave, by gateway: a "
           "sample.", {"gateway": (OTHER,)}),
    Metric("category_contradictions_total", "counter", "events",
           "Of these, texts that surely say otherwise than their category.",
           {"gateway": (OTHER,)}),
    Metric("mode", "gauge", "bool", "1 for the mode in force.", {"mode": MODES}, roles=_MODAL),
    Metric("build_info", "gauge", "info", "1, with the version that runs.",
           {"version": (__version__,), "python": (platform.python_version(),)}, roles=_ALL),
    Metric("metric_errors_total", "counter", "calls",
           "Calls that named a metric or a label value that this process does not have, or whose "
           "value could not be computed: a defect of the program.", roles=_ALL),
    Metric("action_apply_seconds", "histogram", "seconds",
           "From an action's issue to its being in force at a gateway, by the adapters' acks.",
           buckets=_DELAY_S),
    Metric("actions_unacknowledged", "gauge", "actions",
           "Adapter: actions read whose fate is not told, or not taken by Kafka. Worker: enforced "
           "leases over 10 s old of which no adapter has said anything.", roles=_MODAL),
    Metric("acks_total", "counter", "actions", "Acknowledgements of actions by state.",
           {"state": ("applied", "ignored", "failed", "expired")}),
    Metric("refused_total", "counter", "messages",
           "Messages that gateways refused, by their acks."),
    Metric("false_alarm_signals_total", "counter", "signals",
           "The operator's words that take a throttle back; every adapter counts the same ones.",
           {"kind": ("release", "allow", "exempt")}, roles=_ADAPTER),
    Metric("rails_raised_ratio", "gauge", "ratio",
           "Rails in force by those of the settings: over 1 while an operator's word raises them.",
           roles=_ADAPTER),
    Metric("rails_open", "gauge", "bool", "1 while rails hold back new leases.", roles=_ADAPTER),
    Metric("rails_load_ratio", "gauge", "ratio",
           "How near the nearer rail is; at 1 it holds back new leases.", roles=_ADAPTER),
    Metric("gateway_up", "gauge", "bool", "1 while the gateway takes orders.", roles=_ADAPTER),
    Metric("leases_held", "gauge", "recipients", "Leases in force at the gateway.",
           roles=_ADAPTER),
    Metric("leases_age_seconds", "gauge", "seconds",
           "Since the leases and the operator's overrides were last known in full.",
           roles=_ADAPTER),
    Metric("records_refused_total", "counter", "records",
           "Leases, overrides, acknowledgements and checkpoints of another site that could not be "
           "read: newer than the program, or bad.", {"kind": ("newer", "bad")},
           roles=("worker", "canary", "notifier", "memory", *_ADAPTER, *_AGENTS)),
    Metric("feed_events_total", "counter", "events", "Events that a feed took in, by outcome.",
           {"outcome": FEED_OUTCOMES}, roles=("feed",)),
    Metric("feed_backlog_events", "gauge", "events", "Events that wait for the feed.",
           roles=("feed",)),
    Metric("canary_runs_total", "counter", "runs", "Floods of the canary by how they ended.",
           {"outcome": CANARY_OUTCOMES}, roles=("canary",)),
    Metric("canary_throttle_seconds", "gauge", "seconds",
           "From the first message of the canary's newest flood to its lease.", roles=("canary",)),
    Metric("canary_acknowledge_seconds", "gauge", "seconds",
           "From the first message of the canary's newest flood to the adapter's word.",
           roles=("canary",)),
    Metric("canary_last_success_timestamp_seconds", "gauge", "seconds",
           "When a flood of the canary last went as it should; its start, if none has yet.",
           roles=("canary",)),
    Metric("agent_owner", "gauge", "bool",
           "1 in the process that tells; of several agents of a kind one does.", roles=_AGENTS),
    Metric("campaigns_open", "gauge", "campaigns", "Campaigns that go on.", roles=("campaigns",)),
    Metric("campaign_victims", "gauge", "recipients",
           "Victims in an open case, of the campaign that has most.", roles=("campaigns",)),
    Metric("campaign_growth_per_minute", "gauge", "recipients",
           "New victims per minute of the fastest-growing campaign.", roles=("campaigns",)),
    Metric("hot_platforms", "gauge", "platforms",
           "Platforms that other floods abuse, on the longest list of a partition."),
    Metric("hot_lists_held", "gauge", "partitions",
           "Partitions of this worker that go by the network's list of such platforms."),
    Metric("hot_lists_total", "counter", "lists",
           "Lists of the network that came, in each partition, by what became of them.",
           {"outcome": get_args(ListOutcome)}),
    Metric("memory_records_total", "counter", "records",
           "Memory records that came, by what became of them.",
           {"outcome": get_args(MemoryOutcome)}),
    Metric("memory_age_seconds", "gauge", "seconds",
           "Age of what this site has of the other site's memory, in the oldest partition. Until "
           "each partition was read: since the agent's start.",
           roles=("memory",)),
    Metric("memory_partitions", "gauge", "partitions",
           "Partitions of the other site, by whether a checkpoint of its epoch was read.",
           {"state": ("read", "missing")}, roles=("memory",)),
    Metric("memory_recipients", "gauge", "recipients",
           "Recipients in the newest checkpoints of the other site that were read.",
           roles=("memory",)),
    Metric("memory_published_total", "counter", "records",
           "Memory records that were appended to the input of this site.", roles=("memory",)),
    Metric("hot_lists_told_total", "counter", "lists",
           "Lists of the network that were appended to the input.", roles=("platforms",)),
    Metric("hot_list_platforms", "gauge", "platforms", "Platforms on the newest of these.",
           roles=("platforms",)),
    Metric("platforms_known", "gauge", "platforms", "Platforms with figures.",
           roles=("platforms",)),
    Metric("platforms_abused", "gauge", "platforms",
           "Platforms of which half of the codes of a week, of a hundred or more, were of floods.",
           roles=("platforms",)),
    Metric("platform_sweeps", "gauge", "platforms",
           "Platforms that sent codes to many neighbouring numbers within a day, by rule.",
           {"rule": SWEEP_RULES}, roles=("platforms",)),
    Metric("surge_platforms", "gauge", "platforms",
           "Platforms of an open surge: they reach far more new recipients than usual.",
           roles=("platforms",)),
    Metric("flood_codes_ratio", "gauge", "ratio",
           "Share of all codes of a week that were evidence of floods.", roles=("platforms",)),
    Metric("gate_answers_total", "counter", "answers", "Answers of a gate by their reason.",
           {"why": GATE_WHYS}, roles=("gate",)),
    Metric("gate_answer_seconds", "histogram", "seconds",
           "From a whole question in the gate's hands to its answer.", buckets=_ANSWER_S,
           roles=("gate",)),
    Metric("gate_late_answers_total", "counter", "answers",
           "Answers that took longer than the clients' time-out.", roles=("gate",)),
    Metric("gate_stalls_total", "counter", "stalls",
           "Moments in which the gate answered nobody for longer than the clients' time-out.",
           roles=("gate",)),
    Metric("gate_failures_total", "counter", "requests",
           "Requests on which the gate failed; their messages passed unseen.", roles=("gate",)),
    Metric("gate_connections", "gauge", "connections", "Open connections of clients.",
           roles=("gate",)),
    Metric("gate_events_total", "counter", "events",
           "Events of a gate by what became of them; all but published and bypassed are lost.",
           {"outcome": GATE_OUTCOMES}, roles=("gate",)),
    Metric("gate_queue_events", "gauge", "events", "Events between the answers and the disk.",
           roles=("gate",)),
    Metric("gate_spool_bytes", "gauge", "bytes", "Events on disk.", roles=("gate",)),
    Metric("gate_spool_events", "gauge", "events", "Events that Kafka does not have yet.",
           roles=("gate",)),
    Metric("gate_spool_age_seconds", "gauge", "seconds",
           "Since the oldest file of events on disk was begun.", roles=("gate",)),
    Metric("gate_spool_up", "gauge", "bool", "1 while the disk takes events.", roles=("gate",)),
    Metric("gate_adapter_restarts_total", "counter", "restarts",
           "Times that following the leases had to begin anew.", roles=("gate",)),
    Metric("desk_actions_total", "counter", "acts",
           "Acts of people at the desk, each of which the audit has by name.",
           {"verb": DESK_VERBS, "outcome": DESK_OUTCOMES}, roles=("desk",)),
    Metric("desk_logins_total", "counter", "log-ins",
           "Log-ins by the way in and their outcome.",
           {"door": ("password", "oidc", "proxy"),
            "outcome": ("done", "refused", "limited")}, roles=("desk",)),
    Metric("desk_limited_total", "counter", "acts",
           "Acts refused because one person did too many in a short time.",
           {"kind": ("searches", "unmasks", "acts", "forms")}, roles=("desk",)),
    Metric("desk_packs_total", "counter", "packs",
           "Evidence packs made at the desk, by whether they verify.", {"outcome": ("good", "bad")},
           roles=("desk",)),
    Metric("desk_errors_total", "counter", "requests",
           "Requests that something out of the person's hands kept from being answered.",
           {"kind": ("usage", "unavailable", "internal")}, roles=("desk",)),
    Metric("desk_streams_open", "gauge", "streams", "Live lists that are open.",
           roles=("desk",)),
    Metric("index_records_total", "counter", "records",
           "Records that went into the case store.", roles=_INDEXER),
    Metric("index_unreadable_total", "counter", "records",
           "Of these, records that were none of their topic's contract.", roles=_INDEXER),
    Metric("index_lag_seconds", "gauge", "seconds",
           "Since the case store last held everything that was on its topics.", roles=_INDEXER),
    Metric("index_records_behind", "gauge", "records",
           "Records that the indexer has not read yet.", roles=_INDEXER),
    Metric("notices_total", "counter", "notices", "Notices by kind and what became of them.",
           {"kind": NOTICE_KINDS, "state": ("sent", "failed", "suppressed")}, roles=("notifier",)),
    Metric("notices_waiting", "gauge", "notices", "Notices that are due.", roles=("notifier",)),
    Metric("notices_capped_total", "counter", "notices",
           "Notices that were given up because more were due than a cap allows.",
           roles=("notifier",)),
    Metric("notice_cap_reached", "gauge", "bool",
           "1 while the minute, the day or a prefix has all its notices.", roles=("notifier",)),
    Metric("notice_channel_up", "gauge", "bool", "1 unless the last notice was not taken.",
           roles=("notifier",)),
    Metric("notice_retries_total", "counter", "tries",
           "Tries after which a notice had certainly not gone.", roles=("notifier",)),
    Metric("notice_delay_seconds", "histogram", "seconds",
           "From a notice's being due to its being taken.", buckets=_DELAY_S, roles=("notifier",)),
    Metric("notice_replies_total", "counter", "replies",
           "Replies of victims by what became of them.", {"outcome": NOTICE_REPLIES},
           roles=("notifier",)),
    Metric("signal_answers_total", "counter", "answers",
           "Answers to banks: done, or the error of CAMARA's.", {"outcome": SIGNAL_OUTCOMES},
           roles=("signal",)),
    Metric("signal_answer_seconds", "histogram", "seconds",
           "From a bank's question to its answer, the audit's record included.",
           buckets=_ANSWER_S, roles=("signal",)),
    Metric("signal_index_stale", "gauge", "bool",
           "1 while the case store's index is too old for an answer: banks get 503.",
           roles=("signal",)),
    Metric("signal_pushes_total", "counter", "events",
           "Floods that banks with a sink were told of, or were not.",
           {"outcome": ("sent", "failed", "dropped")},
           roles=("signal",)),
)  # fmt: skip


class _Series(dict[tuple[str, ...], _T]):
    """Series of one kind by name and label values. A missing series is reported as a defect."""

    def __init__(self, spare: _T, report: Callable[[str], None]) -> None:
        """`spare` receives the updates for missing series; it is in no registry."""
        self._spare, self._report = spare, report

    def __missing__(self, key: tuple[str, ...]) -> _T:
        self._report(key[0])
        return self._spare


class Metrics:
    """The metrics of one process, in a registry of their own.

    >>> metrics = Metrics()
    >>> metrics.add("actions_total", verb="throttle", mode="shadow")
    """

    strict: ClassVar = False
    """If true, defects raise an error instead of increasing `metric_errors_total`. Tests set this.
    """

    def __init__(self, role: Role = "worker") -> None:
        # A creation timestamp per counter would double the number of series.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.role = role
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._counters = _Series(Counter("none", "-", registry=None), self._report)
        self._gauges = _Series(Gauge("none", "-", registry=None), self._report)
        self._histograms = _Series(Histogram("none", "-", registry=None), self._report)
        self._reported: set[str] = set()  # metric names that were reported as defects
        self._kinds: Mapping[str, tuple[Any, Any]] = {
            "counter": (Counter, self._counters),
            "gauge": (Gauge, self._gauges),
            "histogram": (Histogram, self._histograms),
        }
        self._families: dict[str, Any] = {}
        for metric in TABLE:
            if role in metric.roles:
                self._make(metric)
        build = next(metric for metric in TABLE if metric.name == "build_info")
        self.put("build_info", 1, **{label: names[0] for label, names in build.labels.items()})

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        self._counters[name, *labels.values()].inc(amount)

    def counter(self, name: str, **labels: str) -> Callable[[float], None]:
        """Return a function that increases a counter, for callers that do so for each message."""
        return self._counters[name, *labels.values()].inc

    def histogram(self, name: str, **labels: str) -> Callable[[float], None]:
        """Return a function that adds to a histogram, for callers that do so for each message."""
        return self._histograms[name, *labels.values()].observe

    def put(self, name: str, value: float, **labels: str) -> None:
        self._gauges[name, *labels.values()].set(value)

    def follow(self, name: str, value: Callable[[], float], **labels: str) -> None:
        """Make a gauge call `value` at each scrape, in the scraper's thread.

        So an age grows even while the event loop hangs. If `value` raises, only this gauge is
        missing.
        """

        def read_value() -> float:
            try:
                return value()
            except Exception:  # noqa: BLE001 - a scrape must still show all other metrics
                self._report(name)
                return math.nan

        self._gauges[name, *labels.values()].set_function(read_value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        self._histograms[name, *labels.values()].observe(value)

    def set_mode(self, mode: str) -> None:
        """Set the gauge of this mode to 1, and those of other modes to 0."""
        for each in MODES:
            self.put("mode", each == mode, mode=each)

    def count_gateways(self, name: str, events: Mapping[str, int]) -> None:
        """Count events by gateway. Events without a valid gateway name are counted as "other"."""
        for gateway, n in events.items():
            self._gateway(name, gateway).inc(n)

    def _gateway(self, name: str, gateway: str) -> Counter:
        if (name, gateway) not in self._counters:
            known = sum(family == name for family, *_ in self._counters)
            if known > GATEWAYS_MAX or not GATEWAY_NAME.fullmatch(gateway):
                return self._counters[name, OTHER]
            self._counters[name, gateway] = self._families[name].labels(gateway)
        return self._counters[name, gateway]

    def _report(self, name: str) -> None:
        """Count a defect, and log it the first time.

        Label values are not logged, because they may contain phone numbers.
        """
        if self.strict:
            raise KeyError(name)
        self._counters["metric_errors_total",].inc()
        if name not in self._reported:
            self._reported.add(name)
            log.error("metric %s of role %s cannot be kept: report it", name, self.role)

    def _make(self, metric: Metric) -> None:
        make, series = self._kinds[metric.kind]
        family = make(
            PREFIX + metric.name,
            metric.meaning,
            list(metric.labels),
            registry=self.registry,
            **{"buckets": metric.buckets} if metric.kind == "histogram" else {},
        )
        self._families[metric.name] = family
        for each in product(*metric.labels.values()):
            series[metric.name, *each] = family.labels(*each) if each else family
