"""All queries, each written once: rules and dashboards use them.

A query is a function of its scope. Rules use all series of a job and fixed windows. A dashboard
uses the jobs and instances that its reader chose, and the window that fits the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from streams.telemetry.metrics import PREFIX, TABLE

GATEWAYED: Final = frozenset(
    f"{metric.name}{part}"
    for metric in TABLE
    if "gateway" in metric.labels
    for part in ("", "_bucket", "_count", "_sum")
)
"""Metrics whose series a dashboard chooses by gateway."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a query: which series, over which window, grouped by which labels."""

    selector: str  # matchers of every series
    window: str  # of rates
    level: str  # labels that every sum keeps apart
    gateway: str = ""  # a matcher of the metrics of ours that name gateways

    def over(self, window: str) -> Scope:
        """Return the same scope with another window."""
        return replace(self, window=window)

    def series(self, name: str, matchers: str = "") -> str:
        """Return a selector of an otpguard metric; `name` may end in a histogram's `_bucket`."""
        ours = self.gateway if name in GATEWAYED else ""
        return self.pick(PREFIX + name, ",".join(each for each in (ours, matchers) if each))

    def pick(self, name: str, matchers: str = "") -> str:
        """Return a selector of any metric.

        >>> RULES.pick("up"), BOARD.pick("up", 'a="b"')
        ('up', 'up{job=~"$job",instance=~"$instance",a="b"}')
        """
        chosen = ",".join(each for each in (self.selector, matchers) if each)
        return f"{name}{{{chosen}}}" if chosen else name

    def rate(self, name: str, matchers: str = "", by: str = "") -> str:
        """Return the rate of a counter per second."""
        return self.sum(f"rate({self.series(name, matchers)}[{self.window}])", by)

    def per_minute(self, name: str, matchers: str = "", by: str = "") -> str:
        """Return the rate of a counter per minute."""
        return f"60 * {self.rate(name, matchers, by)}"

    def increase(self, name: str, matchers: str = "", by: str = "") -> str:
        """Return the increase of a counter over the window."""
        return self.sum(f"increase({self.series(name, matchers)}[{self.window}])", by)

    def total(self, name: str, matchers: str = "", by: str = "") -> str:
        """Return the sum of a gauge."""
        return self.sum(self.series(name, matchers), by)

    def worst(self, name: str, by: str = "") -> str:
        """Return the maximum of a gauge."""
        return self.max(self.series(name), by)

    def sum(self, inner: str, by: str = "") -> str:
        """Return the sum, grouped by the level and `by`."""
        return f"sum{self.by(by)} ({inner})"

    def max(self, inner: str, by: str = "") -> str:
        """Return the maximum, grouped by the level and `by`."""
        return f"max{self.by(by)} ({inner})"

    def by(self, labels: str) -> str:
        """Return the grouping clause.

        >>> RULES.by("gateway"), BOARD.by("gateway"), BOARD.by("")
        (' by (job, gateway)', ' by (gateway)', '')
        """
        kept = ", ".join(each for each in (self.level, labels) if each)
        return f" by ({kept})" if kept else ""


RULES: Final = Scope(selector="", window="5m", level="job")
BOARD: Final = Scope(
    'job=~"$job",instance=~"$instance"', "$__rate_interval", "", 'gateway=~"$gateway"'
)


COUNTED: Final = 'outcome="counted"'
WATCH: Final = 'level="watch"'
THROTTLE: Final = 'level="throttle"'
ENFORCED: Final = 'verb="throttle",mode="enforce"'
OURS: Final = (
    'job=~"otpguard.*"'  # of metrics that other jobs have too; boards choose by job anyway
)


@dataclass(frozen=True, slots=True)
class Query:
    """A query with its unit (as Grafana names it) and the meaning of its result."""

    name: str
    write: Callable[[Scope], str]
    unit: str
    legend: str
    says: str

    def at(self, scope: Scope) -> str:
        """Return the query in PromQL."""
        return self.write(scope)


QUERIES: Final[dict[str, Query]] = {}


def query(unit: str, legend: str = "") -> Callable[[Callable[[Scope], str]], Query]:
    """Register a function as a query; its docstring is the text of its panel."""

    def enter(write: Callable[[Scope], str]) -> Query:
        name = write.__name__
        says = " ".join((write.__doc__ or "").split())
        assert name not in QUERIES, name
        QUERIES[name] = Query(name, write, unit, legend or name.replace("_", " "), says)
        return QUERIES[name]

    return enter


# --- what comes in -----------------------------------------------------------------------------


@query("cps", "events")
def events(at: Scope) -> str:
    """Input records that the workers handle per second, with any result."""
    return at.rate("events_total")


@query("cps", "{{outcome}}")
def events_by_outcome(at: Scope) -> str:
    """Input records by result: counted, of another type or direction, rejected."""
    return at.rate("events_total", by="outcome")


@query("cps", "{{gateway}}")
def events_by_gateway(at: Scope) -> str:
    """Counted events by gateway. A line at zero means that the gateway or its feed stopped."""
    return at.rate("gateway_events_total", by="gateway")


@query("cps", "{{gateway}}")
def events_ahead(at: Scope) -> str:
    """Events whose time is ahead of their records, by gateway: its clock is ahead. Such an event
    is judged by the record's time.
    """
    return at.rate("gateway_ahead_total", by="gateway")


@query("short", "{{gateway}}")
def silent_gateways(at: Scope) -> str:
    """Gateways with over 1,000 events in the previous day and none in the last 10 minutes. The
    value is the number of events in that day.
    """
    day = at.sum(f"increase({at.series('gateway_events_total')}[1d] offset 10m)", "gateway")
    return f"{day} > 1000 unless {at.over('10m').rate('gateway_events_total', by='gateway')} > 0"


@query("s", "{{instance}}")
def transaction_open(at: Scope) -> str:
    """How long an open transaction of the input has hidden records from each worker. Codes
    behind it are not detected before it ends.
    """
    return at.worst("transaction_open_seconds", "instance")


@query("short", "{{instance}}")
def records_undecided(at: Scope) -> str:
    """Records behind an open transaction: nobody can read them before it ends."""
    return at.total("records_undecided", by="instance")


@query("cps", "codes")
def codes(at: Scope) -> str:
    """Counted events with a verification code."""
    return at.rate("codes_total")


@query("percentunit", "codes of counted")
def codes_share(at: Scope) -> str:
    """Share of the counted events with a verification code. It changes slowly. A step means a
    new platform's wording, a change of the feed, or a campaign.
    """
    return f"{codes.at(at)} / {at.rate('events_total', COUNTED)}"


@query("cps", "dead letters")
def dead_letters(at: Scope) -> str:
    """Records that the workers rejected and wrote to the dead-letter topic."""
    return at.rate("dead_letters_total")


@query("cps", "{{reason}}")
def dead_letters_by_reason(at: Scope) -> str:
    """Rejected records by reason."""
    return at.rate("dead_letters_total", by="reason")


@query("short", "{{reason}}")
def dead_letters_withheld(at: Scope) -> str:
    """Rejected records of 10 minutes without a dead letter, by reason: more were rejected than
    the limit per second. The workers' logs have their offsets.
    """
    return at.over("10m").increase("dead_letters_withheld_total", by="reason")


@query("percentunit", "refused")
def dead_letter_share(at: Scope) -> str:
    """Share of the input that was rejected."""
    return f"{dead_letters.at(at)} / {events.at(at)}"


@query("cps", "keys of another form")
def noncanonical_keys(at: Scope) -> str:
    """Counted events whose key is not the canonical form of their recipient. A flood keyed in two
    forms is split over partitions and may be missed.
    """
    return at.rate("noncanonical_keys_total")


@query("cps", "in another partition")
def misplaced_keys(at: Scope) -> str:
    """Counted events in another partition than Java's partitioner gives their key: a producer's
    client hashes in another way, and floods are split over partitions.
    """
    return at.rate("misplaced_keys_total")


@query("percentunit", "keys astray")
def keys_astray_share(at: Scope) -> str:
    """Share of the counted events that may be in another partition than the rest of their
    recipient's events.
    """
    astray = f"{noncanonical_keys.at(at)} + {misplaced_keys.at(at)}"
    return f"({astray}) / {at.rate('events_total', COUNTED)}"


@query("cps", "{{outcome}}")
def feed_events(at: Scope) -> str:
    """Events that the feeds read."""
    return at.rate("feed_events_total", by="outcome")


@query("short", "waiting")
def feed_backlog(at: Scope) -> str:
    """Events that wait for a feed."""
    return at.total("feed_backlog_events")


# --- how far behind ----------------------------------------------------------------------------


@query("s", "event-time lag")
def event_lag(at: Scope) -> str:
    """Age of the newest event that the slowest partition has processed; 0 if nothing waits.
    Floods are detected later by this time.
    """
    return at.worst("event_lag_seconds")


@query("s", "growth in a second")
def event_lag_growth(at: Scope) -> str:
    """How fast the lag in event time grows: 1 means a standstill; below 0 the workers catch up."""
    return at.max(f"deriv({at.series('event_lag_seconds')}[5m])")


@query("short", "{{instance}}")
def records_behind(at: Scope) -> str:
    """Records between each worker's state and the end of the log."""
    return at.total("records_behind", by="instance")


@query("short", "{{topic}}")
def consumer_lag(at: Scope) -> str:
    """Records behind, measured by kafka_exporter or KMinion as chosen above, so also when no
    worker runs. Empty without an exporter.
    """
    del at  # the exporter is a job of its own
    return 'sum by (topic) ({__name__="$lag_metric"})'


@query("s", "{{instance}}")
def broker_silence(at: Scope) -> str:
    """Time since a broker last answered a worker or an adapter, which ask every 5 seconds."""
    return at.worst("broker_silence_seconds", "instance")


@query("s", "{{instance}}")
def loop_silence(at: Scope) -> str:
    """Time since a worker's event loop last ran its heartbeat. It runs four times a second;
    loading or copying state delays it by less than a second.
    """
    return at.worst("loop_silence_seconds", "instance")


@query("cps", "{{instance}}")
def stuck(at: Scope) -> str:
    """Workers that have records to read but processed none in two minutes. The value is their
    rate: zero.
    """
    applied = at.over("2m").rate("events_total", by="instance")
    return f"{applied} == 0 and {records_behind.at(at)} > 0"


# --- the detector ------------------------------------------------------------------------------


@query("short", "{{level}}")
def episodes_open(at: Scope) -> str:
    """Recipients under attack now, by level: watched and throttled."""
    return at.total("episodes_open", by="level")


@query("short", "throttled")
def throttles_open(at: Scope) -> str:
    """Recipients throttled now, shadow leases included. The canary is one of them."""
    return at.total("episodes_open", THROTTLE)


@query("short", "new throttles")
def new_throttles(at: Scope) -> str:
    """Recipients that reached THROTTLE within five minutes."""
    return at.over("5m").increase("episodes_total", THROTTLE)


@query("short", "usual")
def usual_throttles(at: Scope) -> str:
    """Recipients that reached THROTTLE, in five minutes of the previous day on average."""
    inner = f"increase({at.series('episodes_total', THROTTLE)}[1d] offset 5m)"
    return f"{at.sum(inner)} / 288"


@query("cpm", "{{rule}}")
def throttles_by_rule(at: Scope) -> str:
    """Recipients that reached THROTTLE per minute, by the deciding rule. `burst` is a fast
    flood, `raw_…` many platforms in a window, `spaced_…` a slow flood.
    """
    return at.per_minute("episodes_total", THROTTLE, by="rule")


@query("cpm", "{{rule}}")
def watches_by_rule(at: Scope) -> str:
    """Recipients that reached WATCH per minute, by the rule that decided."""
    return at.per_minute("episodes_total", WATCH, by="rule")


@query("cpm", "{{trust}}")
def flood_platforms_by_trust(at: Scope) -> str:
    """Platforms in the evidence of new throttles, by category: those of a category other than
    `none` always pass.
    """
    return at.per_minute("flood_platforms_total", by="trust")


@query("percentunit", "known")
def flood_known_share(at: Scope) -> str:
    """Share of known platforms in floods. A flood comes from platforms that the recipient does
    not know: a high share means that people who log in are throttled by mistake.
    """
    known = at.increase("flood_platforms_total", 'memory="known"')
    return f"{known} / {at.increase('flood_platforms_total')}"


@query("short", "codes")
def window_codes(at: Scope) -> str:
    """Codes in the newest closed tumbling window."""
    return at.total("window_codes")


@query("short", "platforms")
def window_platforms(at: Scope) -> str:
    """Distinct platforms in the newest closed tumbling window, in the partition with the most."""
    return at.worst("window_platforms")


@query("short", "{{rung}} or more")
def window_recipients(at: Scope) -> str:
    """Recipients with at least this many codes in the newest closed tumbling window."""
    return at.total("window_recipients", by="rung")


@query("cps", "made suspects")
def promoted(at: Scope) -> str:
    """Recipients that the sieve promoted to suspects, per second."""
    return at.rate("promoted_total")


@query("percentunit", "judged of codes")
def judged_share(at: Scope) -> str:
    """Share of the codes that reached the judge, the most expensive stage."""
    return f"{at.rate('judged_total')} / {codes.at(at)}"


@query("percentunit", "hits")
def cache_hits(at: Scope) -> str:
    """Share of the texts whose template was recognised before. A low share costs CPU."""
    hits = at.rate("template_cache_hits_total")
    return f"{hits} / ({hits} + {at.rate('template_cache_misses_total')})"


@query("percentunit", "{{gateway}}")
def category_contradictions(at: Scope) -> str:
    """Share of sampled texts that clearly contradict their category, by gateway. Codes marked as
    marketing may hide a flood; advertising marked as codes makes a false one.
    """
    hour = at.over("1h")
    told, checked = (
        hour.increase(f"category_{name}_total", by="gateway")
        for name in ("contradictions", "checks")
    )
    return f"{told} / ({checked} > 20)"


@query("short", "a million and day")
def throttles_per_million(at: Scope) -> str:
    """Throttles of a day per million recipients. The design goal is at most one false throttle,
    so the rest should be attacks.
    """
    day = at.over("1d").increase("episodes_total", THROTTLE)
    return f"1e6 * {day} / {recipients_tracked.at(at)}"


@query("percentunit", "throttled of watched")
def throttles_of_watches(at: Scope) -> str:
    """Share of a day's watched recipients that reached THROTTLE. Near 1, the WATCH threshold is
    too high to warn of anything; near 0, it is too low.
    """
    day = at.over("1d")
    watched = day.increase("episodes_total", WATCH)
    return f"{day.increase('episodes_total', THROTTLE)} / {watched}"


@query("short", "recipients")
def recipients_tracked(at: Scope) -> str:
    """Recipients that the sieve remembers."""
    return at.total("recipients_tracked")


@query("short", "suspects")
def suspects(at: Scope) -> str:
    """Suspects: recipients that the judge follows individually."""
    return at.total("suspects")


@query("cps", "evictions")
def evictions(at: Scope) -> str:
    """Recipients forgotten to make room. Steady evictions: raise `detect.recipients_max`."""
    return at.rate("evictions_total")


@query("cps", "platforms dropped")
def platforms_dropped(at: Scope) -> str:
    """Platforms forgotten because the memory of people who use many is full."""
    return at.rate("platforms_dropped_total")


# --- decisions and their objective ---------------------------------------------------------------


@query("cps", "decisions")
def decisions(at: Scope) -> str:
    """Actions published."""
    return at.rate("decision_delay_seconds_count")


@query("cps", "late decisions")
def decisions_late(at: Scope) -> str:
    """Actions that reached the broker over a second after the event that caused them."""
    late = at.rate("decision_delay_seconds_bucket", 'le="1.0"')
    return f"{at.rate('decision_delay_seconds_count')} - {late}"


def _quantile(share: float, name: str, at: Scope, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {at.rate(f'{name}_bucket', by=labels)})"


@query("s", "median")
def decision_delay_p50(at: Scope) -> str:
    """Time from the event that caused an action to the broker's receipt of the action."""
    return _quantile(0.5, "decision_delay_seconds", at)


@query("s", "99th percentile")
def decision_delay_p99(at: Scope) -> str:
    """99th percentile of the decision delay. A gateway with time stamps in whole minutes adds up
    to 60 s.
    """
    return _quantile(0.99, "decision_delay_seconds", at)


@query("s", "{{le}}")
def decision_delay_spread(at: Scope) -> str:
    """Decisions by delay."""
    return at.rate("decision_delay_seconds_bucket", by="le")


@query("s", "{{stage}}")
def stage_p99(at: Scope) -> str:
    """99th percentile of a batch's time in each stage."""
    return _quantile(0.99, "stage_seconds", at, "stage")


# --- state ---------------------------------------------------------------------------------------


@query("s", "{{instance}}")
def checkpoint_age(at: Scope) -> str:
    """Age of the oldest partition's newest complete checkpoint, if it has newer events. After a
    crash all input since then is read again.
    """
    return at.worst("checkpoint_age_seconds", "instance")


@query("bytes", "{{instance}}")
def checkpoint_bytes(at: Scope) -> str:
    """Size of the newest checkpoints of each worker."""
    return at.total("checkpoint_bytes", by="instance")


@query("cpm", "checkpoints")
def checkpoints(at: Scope) -> str:
    """Checkpoints completed in a minute."""
    return at.per_minute("checkpoints_total")


@query("percentunit", "{{instance}}")
def recovery(at: Scope) -> str:
    """Share of each worker's partitions whose state is loaded."""
    return at.worst("recovery_progress_ratio", "instance")


@query("short", "{{instance}}")
def partitions(at: Scope) -> str:
    """Input partitions of each worker."""
    return at.total("partitions_assigned", by="instance")


@query("short", "rebalances")
def rebalances(at: Scope) -> str:
    """Changes of the assignment."""
    return at.increase("rebalances_total")


@query("short", "holes")
def offset_gaps(at: Scope) -> str:
    """Gaps in the log that were accepted because records no longer existed."""
    return at.increase("offset_gaps_total")


# --- enforcement ---------------------------------------------------------------------------------


@query("cpm", "{{verb}}, {{mode}}")
def actions(at: Scope) -> str:
    """Actions published per minute. Those with mode `shadow` are not enforced."""
    return at.per_minute("actions_total", by="verb, mode")


@query("cpm", "{{outcome}}")
def floods_by_outcome(at: Scope) -> str:
    """Floods found per minute: refused by order of the detector, or only observed."""
    return at.per_minute("floods_total", by="outcome")


@query("percentunit", "only observed")
def observed_share(at: Scope) -> str:
    """Share of the recipients of the last day whose floods would only be observed, because too
    little is known of them; the highest of all workers.
    """
    return at.worst("recipients_observed_ratio")


@query("cpm", "told again")
def lease_updates(at: Scope) -> str:
    """Leases published again per minute with new retry windows. These are not acknowledged."""
    return at.per_minute("lease_updates_total")


@query("cps", "settled")
def acknowledgements(at: Scope) -> str:
    """Actions with an acknowledgement of an adapter."""
    return at.rate("acks_total", 'state=~"applied|ignored|failed"')


@query("cps", "failed")
def acknowledgements_failed(at: Scope) -> str:
    """Actions that an adapter could not apply at its gateway."""
    return at.rate("acks_total", 'state="failed"')


@query("cpm", "{{state}}")
def acknowledgements_by_state(at: Scope) -> str:
    """Acknowledgements per minute: applied, ignored (shadow, kill switch, rails), failed, and
    expired for each lease that ended.
    """
    return at.per_minute("acks_total", by="state")


@query("percentunit", "acknowledged")
def acknowledged_share(at: Scope) -> str:
    """Share of the last hour's acknowledged actions that did not fail. Empty without actions."""
    hour = at.over("1h")
    return f"1 - {acknowledgements_failed.at(hour)} / {acknowledgements.at(hour)}"


@query("s", "median")
def apply_p50(at: Scope) -> str:
    """Time from the issue of an action until it is in force at the gateway."""
    return _quantile(0.5, "action_apply_seconds", at)


@query("s", "99th percentile")
def apply_p99(at: Scope) -> str:
    """99th percentile of the time from the issue of an action until it is in force at the
    gateway.
    """
    return _quantile(0.99, "action_apply_seconds", at)


@query("short", "{{instance}}")
def unacknowledged(at: Scope) -> str:
    """Adapters: actions that were read but not acknowledged yet. Workers: enforced leases over
    10 s old without an acknowledgement.
    """
    return at.worst("actions_unacknowledged", "instance")


@query("short", "{{instance}}, least in 2 min")
def unacknowledged_least(at: Scope) -> str:
    """Minimum number of unacknowledged actions in the last two minutes: above 0, some are stuck."""
    return at.max(f"min_over_time({at.series('actions_unacknowledged')}[2m])", "instance")


@query("short", "{{instance}}")
def leases_held(at: Scope) -> str:
    """Leases in force at each gateway."""
    return at.total("leases_held", by="instance")


@query("s", "{{instance}}")
def leases_age(at: Scope) -> str:
    """Time since each adapter or gate last had all leases and overrides. Above 60 s its gateway
    obeys neither new leases nor overrides.
    """
    return at.worst("leases_age_seconds", "instance")


@query("short", "{{instance}}")
def metric_errors(at: Scope) -> str:
    """Values within an hour that no metric accepted: a bug of the program. Its log names the
    metric.
    """
    return at.over("1h").increase("metric_errors_total", by="instance")


@query("cpm", "refused")
def refused(at: Scope) -> str:
    """Messages that gateways refused, per minute; counted when a lease ends or is renewed."""
    return at.per_minute("refused_total")


@query("bool_yes_no", "{{instance}}")
def gateway_up(at: Scope) -> str:
    """Whether each gateway accepts orders from its adapter."""
    return f"min{at.by('instance')} ({at.series('gateway_up')})"


@query("bool_yes_no", "{{instance}}")
def rails_open(at: Scope) -> str:
    """Whether rails block new leases, at each adapter."""
    return at.worst("rails_open", "instance")


@query("short", "{{instance}}")
def rails_raised(at: Scope) -> str:
    """Factor by which an operator's override raised the leases that each adapter accepts."""
    return at.worst("rails_raised_ratio", "instance")


@query("short", "victims")
def campaign_victims(at: Scope) -> str:
    """Victims with an open case in the largest active campaign."""
    return at.worst("campaign_victims")


@query("short", "campaigns")
def campaigns_open(at: Scope) -> str:
    """Active campaigns: floods of many recipients by the same platforms."""
    return at.worst("campaigns_open")


@query("short", "new victims a minute")
def campaign_growth(at: Scope) -> str:
    """New victims per minute of the fastest-growing campaign."""
    return at.worst("campaign_growth_per_minute")


@query("short", "abused")
def platforms_abused(at: Scope) -> str:
    """Platforms with a hundred or more codes in a week, half of them part of floods."""
    return at.worst("platforms_abused")


@query("short", "known")
def platforms_known(at: Scope) -> str:
    """Platforms with figures: those that sent a code within a week."""
    return at.worst("platforms_known")


@query("short", "{{rule}}")
def platform_sweeps(at: Scope) -> str:
    """Platforms that sent codes to many neighbouring numbers within a day, by rule."""
    return at.worst("platform_sweeps", "rule")


@query("short", "platforms")
def surge_platforms(at: Scope) -> str:
    """Platforms of an open surge: within an hour they reach far more new recipients than usual."""
    return at.worst("surge_platforms")


@query("percentunit", "of all codes")
def flood_codes_share(at: Scope) -> str:
    """Share of a week's codes that were evidence of floods."""
    return at.worst("flood_codes_ratio")


@query("short", "{{outcome}}")
def hot_lists_refused(at: Scope) -> str:
    """Network-wide lists that partitions refused in 10 minutes, by reason."""
    return at.over("10m").increase("hot_lists_total", 'outcome!="adopted"', by="outcome")


@query("short", "{{outcome}}")
def memory_records(at: Scope) -> str:
    """Memory records that came to partitions in 10 minutes, by what became of them."""
    return at.over("10m").increase("memory_records_total", by="outcome")


@query("short", "{{outcome}}")
def memory_refused(at: Scope) -> str:
    """Memory records that partitions could not use, in 10 minutes, by reason."""
    wrong = 'outcome=~"forged|unreadable|oversized|foreign|old"'
    return at.over("10m").increase("memory_records_total", wrong, by="outcome")


@query("s", "age")
def memory_age(at: Scope) -> str:
    """Age of what this site has of another site's memory; only where the memory agent runs."""
    return at.worst("memory_age_seconds")


@query("short", "{{state}}")
def memory_partitions(at: Scope) -> str:
    """Partitions of another site, by whether a checkpoint of its epoch was read."""
    return at.total("memory_partitions", by="state")


@query("short", "recipients")
def memory_recipients(at: Scope) -> str:
    """Recipients in the newest checkpoints of another site that were read."""
    return at.total("memory_recipients")


@query("short", "published")
def memory_published(at: Scope) -> str:
    """Memory records that the agent appended to the input in 10 minutes."""
    return at.over("10m").increase("memory_published_total")


@query("short", "on a partition's list")
def hot_platforms(at: Scope) -> str:
    """Number of hot platforms on the longest list that a partition uses."""
    return at.worst("hot_platforms")


@query("short", "on the network's list")
def hot_list_platforms(at: Scope) -> str:
    """Number of hot platforms on the newest list that the agent published."""
    return at.worst("hot_list_platforms")


@query("short", "told")
def hot_lists_told(at: Scope) -> str:
    """Lists that the agent appended to the input in 10 minutes."""
    return at.over("10m").increase("hot_lists_told_total")


@query("short", "partitions")
def hot_lists_held(at: Scope) -> str:
    """Partitions that use the network-wide list; none unless `detect.hot` is network."""
    return at.total("hot_lists_held")


@query("short", "owners")
def agent_owners(at: Scope) -> str:
    """Agents of each kind that own their topic; 0: none does, although one runs."""
    return at.total("agent_owner")


@query("percentunit", "{{instance}}")
def rails_load(at: Scope) -> str:
    """Load of each adapter's nearer rail; at 100 % it accepts no new lease."""
    return at.worst("rails_load_ratio", "instance")


@query("short", "{{kind}}")
def records_refused(at: Scope) -> str:
    """Leases, overrides and acknowledgements that could not be parsed in 10 minutes: newer, or
    bad.
    """
    return at.over("10m").increase("records_refused_total", by="kind")


@query("cps", "{{why}}")
def gate_answers(at: Scope) -> str:
    """Answers of gates by reason; `rebuilding` means that the gate has not read all leases yet."""
    return at.rate("gate_answers_total", by="why")


@query("s", "p50")
def gate_answer_p50(at: Scope) -> str:
    """Median time of a gate to answer a question, from its receipt."""
    return _quantile(0.5, "gate_answer_seconds", at)


@query("s", "p99")
def gate_answer_p99(at: Scope) -> str:
    """99th percentile of the time of a gate to answer a question."""
    return _quantile(0.99, "gate_answer_seconds", at)


@query("short", "{{instance}}, late")
def gate_late(at: Scope) -> str:
    """Answers later than the gateways' time-out in 10 minutes: these messages passed without a
    decision.
    """
    return at.over("10m").increase("gate_late_answers_total", by="instance")


@query("short", "{{instance}}, stalls")
def gate_stalls(at: Scope) -> str:
    """Times in 10 minutes that a gate answered nobody for longer than the time-out."""
    return at.over("10m").increase("gate_stalls_total", by="instance")


@query("short", "{{instance}}, failures")
def gate_failures(at: Scope) -> str:
    """Requests in 10 minutes that failed by an error in the gate."""
    return at.over("10m").increase("gate_failures_total", by="instance")


@query("short", "{{instance}}")
def gate_troubles(at: Scope) -> str:
    """Late answers, stalls and failures of each gate in 10 minutes, together."""
    parts = (gate_late, gate_stalls, gate_failures)
    return " + ".join(each.at(at) for each in parts)


@query("cps", "{{outcome}}")
def gate_events(at: Scope) -> str:
    """Events of gates by result: all but `published` and `bypassed` are lost."""
    return at.rate("gate_events_total", by="outcome")


LOST: Final = 'outcome!~"published|bypassed"'


@query("short", "{{outcome}}")
def gate_lost(at: Scope) -> str:
    """Events of gates that were lost in 10 minutes, by reason."""
    return at.over("10m").increase("gate_events_total", LOST, by="instance, outcome")


@query("short", "{{instance}}")
def gate_waiting(at: Scope) -> str:
    """Events of each gate that Kafka does not have yet."""
    return at.total("gate_spool_events", by="instance")


@query("s", "{{instance}}")
def gate_waiting_age(at: Scope) -> str:
    """How long the oldest events of each gate have waited; under 2 s while Kafka takes them."""
    return at.worst("gate_spool_age_seconds", "instance")


@query("bytes", "{{instance}}")
def gate_spool(at: Scope) -> str:
    """Events of each gate on disk."""
    return at.total("gate_spool_bytes", by="instance")


@query("short", "{{instance}}, before the disk")
def gate_queue(at: Scope) -> str:
    """Events of each gate between answer and disk: more than a few hundred mean a slow disk."""
    return at.total("gate_queue_events", by="instance")


@query("bool_yes_no", "{{instance}}")
def gate_disk(at: Scope) -> str:
    """Whether the disk of each gate accepts events."""
    return f"min{at.by('instance')} ({at.series('gate_spool_up')})"


@query("short", "{{instance}}")
def gate_connections(at: Scope) -> str:
    """Open connections to each gate."""
    return at.total("gate_connections", by="instance")


@query("short", "{{instance}}")
def gate_restarts(at: Scope) -> str:
    """Times in 10 minutes that a gate had to restart reading leases."""
    return at.over("10m").increase("gate_adapter_restarts_total", by="instance")


@query("short", "records")
def index_records(at: Scope) -> str:
    """Records per second that are written to the case store."""
    return at.rate("index_records_total")


@query("short", "unreadable")
def index_unreadable(at: Scope) -> str:
    """Records within an hour that were invalid, or of a newer version."""
    return at.over("1h").increase("index_unreadable_total")


@query("s", "lag")
def index_lag(at: Scope) -> str:
    """How far the case store is behind its topics; under 3 s while its indexer works."""
    return at.worst("index_lag_seconds")


@query("short", "behind")
def index_behind(at: Scope) -> str:
    """Records that the indexer has not read yet."""
    return at.worst("index_records_behind")


@query("short", "{{verb}} {{outcome}}")
def desk_acts(at: Scope) -> str:
    """Actions of people at the desk in 10 minutes; the audit has each by name."""
    return at.over("10m").increase("desk_actions_total", by="verb, outcome")


@query("short", "{{door}} {{outcome}}")
def desk_logins(at: Scope) -> str:
    """Log-ins at the desk in 10 minutes: dozens of refused ones mean that somebody guesses
    passwords.
    """
    return at.over("10m").increase("desk_logins_total", by="door, outcome")


@query("short", "{{kind}}")
def desk_limited(at: Scope) -> str:
    """Actions in an hour that were refused because a person exceeded a limit."""
    return at.over("1h").increase("desk_limited_total", by="kind")


@query("short", "{{outcome}}")
def desk_packs(at: Scope) -> str:
    """Evidence packs made at the desk in a day; each is verified before it is handed out."""
    return at.over("1d").increase("desk_packs_total", by="outcome")


@query("short", "packs")
def desk_packs_bad(at: Scope) -> str:
    """Evidence packs within an hour that failed verification and were not handed out."""
    return at.over("1h").increase("desk_packs_total", 'outcome="bad"')


@query("short", "{{kind}}")
def desk_errors(at: Scope) -> str:
    """Requests in 10 minutes that failed for a reason that the person could not influence."""
    return at.over("10m").increase("desk_errors_total", by="kind")


@query("short", "lists")
def desk_streams(at: Scope) -> str:
    """Live lists that are open."""
    return at.worst("desk_streams_open")


def _in_mode(at: Scope, beside: str, matchers: str = "") -> str:
    """Return the number of processes by mode, of the kind that also has the metric `beside`."""
    held = f"{at.series('mode', matchers)} == 1 and on (job, instance) {at.series(beside)}"
    return f"count{at.by('mode')} ({held})"


@query("short", "{{mode}}")
def switch(at: Scope) -> str:
    """The kill switch at the gateways: `enforce` unless `otpguard mode` changed it."""
    return _in_mode(at, "leases_held")


@query("short", "{{mode}}")
def switch_thrown(at: Scope) -> str:
    """Adapters whose kill switch is not at `enforce`."""
    return _in_mode(at, "leases_held", 'mode=~"shadow|off"')


@query("short", "{{mode}}")
def detector_mode(at: Scope) -> str:
    """The workers' own mode: leases with mode `shadow` are not enforced."""
    return _in_mode(at, "suspects")


def _words(at: Scope, by: str) -> str:
    """Overrides of a day; every adapter counts the same ones."""
    return f"max{by} (increase({at.series('false_alarm_signals_total')}[1d]))"


@query("short", "{{kind}}")
def false_alarms_by_kind(at: Scope) -> str:
    """Overrides of the last day that end a throttle: release, allow, exempt."""
    return _words(at, at.by("kind"))


@query("short", "signals")
def false_alarms(at: Scope) -> str:
    """All overrides of the last day that end a throttle."""
    return at.sum(_words(at, " by (job, kind)"))


@query("short", "throttles")
def throttles_enforced(at: Scope) -> str:
    """Leases of the last day that were published for enforcement; renewals count."""
    return f"sum (increase({at.series('actions_total', ENFORCED)}[1d]))"


@query("short", "refused")
def platforms_refused(at: Scope) -> str:
    """Pairs of recipient and platform whose codes leases of the last week refused, or would
    have.
    """
    return at.over("7d").increase("platforms_refused_total")


@query("short", "used later")
def platforms_used_later(at: Scope) -> str:
    """Refused platforms that the recipient used within a week after the flood, with nothing
    refused in the half hours before and after the use. Such codes were wanted.
    """
    return at.over("7d").increase("platforms_used_later_total")


@query("percentunit", "used later")
def used_later_share(at: Scope) -> str:
    """Share of the refused platforms that were used later. The platforms of a flood usually
    never come again.
    """
    return f"{platforms_used_later.at(at)} / {platforms_refused.at(at)}"


# --- the processes -------------------------------------------------------------------------------


@query("bool_on_off", "{{job}} {{instance}}")
def up(at: Scope) -> str:
    """Whether Prometheus reaches each process."""
    return at.pick("up", OURS)


@query("short", "{{job}} {{instance}}")
def restarts(at: Scope) -> str:
    """Starts of each process within 15 minutes."""
    return f"changes({at.pick('process_start_time_seconds', OURS)}[15m])"


@query("percentunit", "{{job}} {{instance}}")
def cpu(at: Scope) -> str:
    """Share of a core that each process uses; a worker uses at most one."""
    return f"rate({at.pick('process_cpu_seconds_total', OURS)}[{at.window}])"


@query("bytes", "{{job}} {{instance}}")
def memory(at: Scope) -> str:
    """Memory of each process."""
    return at.pick("process_resident_memory_bytes", OURS)


@query("short", "{{job}} {{version}}")
def versions(at: Scope) -> str:
    """Processes by job and version."""
    return f"count by (job, version) ({at.series('build_info')})"


@query("short", "{{alertname}}")
def alerts(at: Scope) -> str:
    """Alerts that fire now."""
    del at  # alerts carry the labels that their rules leave
    return 'ALERTS{alertname=~"Otpguard.*",alertstate="firing"}'


# --- the canary ----------------------------------------------------------------------------------


@query("s", "since the last success")
def canary_age(at: Scope) -> str:
    """Time since a flood of the canary was last throttled and acknowledged."""
    return f"time() - {at.worst('canary_last_success_timestamp_seconds')}"


@query("s", "to the lease")
def canary_throttle(at: Scope) -> str:
    """Time from the first message of the canary's newest flood to its lease; the flood itself
    takes about a second.
    """
    return at.worst("canary_throttle_seconds")


@query("s", "to the adapter's word")
def canary_acknowledge(at: Scope) -> str:
    """Time from the first message of the canary's newest flood to the adapter's acknowledgement."""
    return at.worst("canary_acknowledge_seconds")


@query("short", "{{outcome}}")
def canary_runs(at: Scope) -> str:
    """Floods of the canary within an hour, by result."""
    return at.over("1h").increase("canary_runs_total", by="outcome")


# --- notices -------------------------------------------------------------------------------------


@query("short", "{{state}}")
def notices(at: Scope) -> str:
    """Notices to victims within an hour, by result."""
    return at.over("1h").increase("notices_total", by="state")


@query("short", "failed")
def notices_failed(at: Scope) -> str:
    """Notices within an hour that the SMSC rejected, or whose result is unknown."""
    return at.over("1h").increase("notices_total", 'state="failed"')


@query("short", "due")
def notices_waiting(at: Scope) -> str:
    """Notices that are due and were not sent yet."""
    return at.worst("notices_waiting")


@query("short", "cap reached")
def notice_cap(at: Scope) -> str:
    """1 while the limit of the minute, the day or a prefix is reached."""
    return at.worst("notice_cap_reached")


@query("short", "given up for the cap")
def notices_capped(at: Scope) -> str:
    """Notices within an hour that were given up because more were due than a cap allows."""
    return at.over("1h").increase("notices_capped_total")


@query("short", "channel")
def notice_channel(at: Scope) -> str:
    """0 while the SMSC, or another channel, does not accept notices."""
    return f"min{at.by('')} ({at.series('notice_channel_up')})"


@query("short", "tries in vain")
def notice_retries(at: Scope) -> str:
    """Failed tries within an hour after which a notice was certainly not sent: it is tried
    again.
    """
    return at.over("1h").increase("notice_retries_total")


@query("s", "95 %")
def notice_delay(at: Scope) -> str:
    """Time from a gateway's confirmation of a lease to the SMSC's confirmation of the notice."""
    buckets = at.over("1h").increase("notice_delay_seconds_bucket", by="le")
    return f"histogram_quantile(0.95, {buckets})"


@query("short", "{{outcome}}")
def notice_replies(at: Scope) -> str:
    """Replies of victims within an hour; replies for which no gateway vouches may be forged."""
    return at.over("1h").increase("notice_replies_total", by="outcome")


@query("cps", "{{outcome}}")
def signal_answers(at: Scope) -> str:
    """Answers to banks by kind: done, or one of CAMARA's errors."""
    return at.rate("signal_answers_total", by="outcome")


@query("s", "99 %")
def signal_answer_p99(at: Scope) -> str:
    """99th percentile of the time to answer a bank's question, audit included."""
    return _quantile(0.99, "signal_answer_seconds", at)


@query("short", "{{instance}}")
def signal_stale(at: Scope) -> str:
    """1 while the case store is too old to answer "no": banks get 503."""
    return at.worst("signal_index_stale", "instance")


@query("short", "{{outcome}}")
def signal_pushes(at: Scope) -> str:
    """Floods pushed to banks within ten minutes; failed ones were tried for as long."""
    return at.over("10m").increase("signal_pushes_total", by="outcome")


@query("short", "{{outcome}}")
def signal_pushes_failed(at: Scope) -> str:
    """Floods within ten minutes that a bank's sink rejected, or did not accept in time."""
    return at.over("10m").increase("signal_pushes_total", 'outcome!="sent"', by="outcome")
