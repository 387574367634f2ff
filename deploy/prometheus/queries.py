"""Every query, once: the rules and the dashboards both write theirs from here.

A query is a function of where it looks. The rules look at all series of a job over fixed windows; a
dashboard looks at the jobs and instances that its reader chose, over the window that fits his
screen.
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
    """Where a query looks."""

    selector: str  # matchers of every series
    window: str  # of rates
    level: str  # labels that every sum keeps apart
    gateway: str = ""  # a matcher of the metrics of ours that name gateways

    def over(self, window: str) -> Scope:
        """The same place over another window."""
        return replace(self, window=window)

    def series(self, name: str, matchers: str = "") -> str:
        """A metric of ours, chosen; `name` may end in a histogram's `_bucket`."""
        ours = self.gateway if name in GATEWAYED else ""
        return self.pick(PREFIX + name, ",".join(each for each in (ours, matchers) if each))

    def pick(self, name: str, matchers: str = "") -> str:
        """Any metric, chosen.

        >>> RULES.pick("up"), BOARD.pick("up", 'a="b"')
        ('up', 'up{job=~"$job",instance=~"$instance",a="b"}')
        """
        chosen = ",".join(each for each in (self.selector, matchers) if each)
        return f"{name}{{{chosen}}}" if chosen else name

    def rate(self, name: str, matchers: str = "", by: str = "") -> str:
        """How much a counter grows in a second."""
        return self.sum(f"rate({self.series(name, matchers)}[{self.window}])", by)

    def per_minute(self, name: str, matchers: str = "", by: str = "") -> str:
        """How much a counter grows in a minute."""
        return f"60 * {self.rate(name, matchers, by)}"

    def increase(self, name: str, matchers: str = "", by: str = "") -> str:
        """How much a counter grew over the window."""
        return self.sum(f"increase({self.series(name, matchers)}[{self.window}])", by)

    def total(self, name: str, matchers: str = "", by: str = "") -> str:
        """A gauge, added up."""
        return self.sum(self.series(name, matchers), by)

    def worst(self, name: str, by: str = "") -> str:
        """The highest of a gauge."""
        return self.max(self.series(name), by)

    def sum(self, inner: str, by: str = "") -> str:
        """All together, but for the level and `by`."""
        return f"sum{self.by(by)} ({inner})"

    def max(self, inner: str, by: str = "") -> str:
        """The worst, for each of the level and `by`."""
        return f"max{self.by(by)} ({inner})"

    def by(self, labels: str) -> str:
        """The grouping clause.

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
    """One question, its unit as Grafana names it, and what its answer means."""

    name: str
    write: Callable[[Scope], str]
    unit: str
    legend: str
    says: str

    def at(self, scope: Scope) -> str:
        """The query in PromQL."""
        return self.write(scope)


QUERIES: Final[dict[str, Query]] = {}


def query(unit: str, legend: str = "") -> Callable[[Callable[[Scope], str]], Query]:
    """Enter a function as a query; its docstring is what people read beside the answer."""

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
    """Input records that the workers handle in a second, whatever becomes of them."""
    return at.rate("events_total")


@query("cps", "{{outcome}}")
def events_by_outcome(at: Scope) -> str:
    """Input records by what became of them: counted, of another type or direction, refused."""
    return at.rate("events_total", by="outcome")


@query("cps", "{{gateway}}")
def events_by_gateway(at: Scope) -> str:
    """Counted events by the gateway that reported them. A line at zero is a gateway that is gone,
    or a feed that is.
    """
    return at.rate("gateway_events_total", by="gateway")


@query("cps", "{{gateway}}")
def events_ahead(at: Scope) -> str:
    """Events ahead of their records, by gateway: its clock is ahead. Each is judged by the record's
    time.
    """
    return at.rate("gateway_ahead_total", by="gateway")


@query("short", "{{gateway}}")
def silent_gateways(at: Scope) -> str:
    """Gateways with over 1,000 events in the day before and none in the last 10 minutes, with the
    number of events they had.
    """
    day = at.sum(f"increase({at.series('gateway_events_total')}[1d] offset 10m)", "gateway")
    return f"{day} > 1000 unless {at.over('10m').rate('gateway_events_total', by='gateway')} > 0"


@query("s", "{{instance}}")
def transaction_open(at: Scope) -> str:
    """For how long an open transaction of the input has held records back from each worker. Codes
    behind it are not seen before it ends.
    """
    return at.worst("transaction_open_seconds", "instance")


@query("short", "{{instance}}")
def records_undecided(at: Scope) -> str:
    """Records that lie behind an open transaction: nobody may read them before it ends."""
    return at.total("records_undecided", by="instance")


@query("cps", "codes")
def codes(at: Scope) -> str:
    """Counted events that carry a verification code."""
    return at.rate("codes_total")


@query("percentunit", "codes of counted")
def codes_share(at: Scope) -> str:
    """Share of the counted events that carry a verification code. It moves slowly; a step is a new
    platform's wording, a change of the feed, or a campaign.
    """
    return f"{codes.at(at)} / {at.rate('events_total', COUNTED)}"


@query("cps", "dead letters")
def dead_letters(at: Scope) -> str:
    """Records that the workers refused and put on the dead-letter topic."""
    return at.rate("dead_letters_total")


@query("cps", "{{reason}}")
def dead_letters_by_reason(at: Scope) -> str:
    """Refused records by the reason."""
    return at.rate("dead_letters_total", by="reason")


@query("short", "{{reason}}")
def dead_letters_withheld(at: Scope) -> str:
    """Refused records of 10 minutes that got no dead letter, by the reason: more were refused than
    a second may have. Their offsets are in the workers' logs.
    """
    return at.over("10m").increase("dead_letters_withheld_total", by="reason")


@query("percentunit", "refused")
def dead_letter_share(at: Scope) -> str:
    """Share of the input that was refused."""
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
    """Share of the counted events that may lie apart from the rest of their recipient's."""
    astray = f"{noncanonical_keys.at(at)} + {misplaced_keys.at(at)}"
    return f"({astray}) / {at.rate('events_total', COUNTED)}"


@query("cps", "{{outcome}}")
def feed_events(at: Scope) -> str:
    """Events that the feeds took in."""
    return at.rate("feed_events_total", by="outcome")


@query("short", "waiting")
def feed_backlog(at: Scope) -> str:
    """Events that wait for a feed."""
    return at.total("feed_backlog_events")


# --- how far behind ----------------------------------------------------------------------------


@query("s", "event-time lag")
def event_lag(at: Scope) -> str:
    """Now less the event time of the newest event applied, of the slowest partition; 0 where
    nothing waits. A flood is noticed this much later.
    """
    return at.worst("event_lag_seconds")


@query("s", "growth in a second")
def event_lag_growth(at: Scope) -> str:
    """How fast the lag in event time grows: 1 is a standstill, under 0 the workers catch up."""
    return at.max(f"deriv({at.series('event_lag_seconds')}[5m])")


@query("short", "{{instance}}")
def records_behind(at: Scope) -> str:
    """Records between each worker's state and the end of the log."""
    return at.total("records_behind", by="instance")


@query("short", "{{topic}}")
def consumer_lag(at: Scope) -> str:
    """The same seen from outside, by kafka_exporter or KMinion as chosen above: it goes on when no
    worker runs. Empty without an exporter.
    """
    del at  # the exporter is a job of its own
    return 'sum by (topic) ({__name__="$lag_metric"})'


@query("s", "{{instance}}")
def broker_silence(at: Scope) -> str:
    """Since a broker last answered a worker or an adapter, which ask every 5 seconds."""
    return at.worst("broker_silence_seconds", "instance")


@query("s", "{{instance}}")
def loop_silence(at: Scope) -> str:
    """Since a worker's event loop last beat; it beats four times a second, and loading or copying
    state holds it up for less than one.
    """
    return at.worst("loop_silence_seconds", "instance")


@query("cps", "{{instance}}")
def stuck(at: Scope) -> str:
    """Workers with records to read that applied none in two minutes, at their rate: zero."""
    applied = at.over("2m").rate("events_total", by="instance")
    return f"{applied} == 0 and {records_behind.at(at)} > 0"


# --- the detector ------------------------------------------------------------------------------


@query("short", "{{level}}")
def episodes_open(at: Scope) -> str:
    """Recipients under attack now, by level: watched, and throttled."""
    return at.total("episodes_open", by="level")


@query("short", "throttled")
def throttles_open(at: Scope) -> str:
    """Recipients throttled now, shadow leases included. The canary is one of them."""
    return at.total("episodes_open", THROTTLE)


@query("short", "new throttles")
def new_throttles(at: Scope) -> str:
    """Recipients that rose to THROTTLE within five minutes."""
    return at.over("5m").increase("episodes_total", THROTTLE)


@query("short", "usual")
def usual_throttles(at: Scope) -> str:
    """The same in an average five minutes of the day before."""
    inner = f"increase({at.series('episodes_total', THROTTLE)}[1d] offset 5m)"
    return f"{at.sum(inner)} / 288"


@query("cpm", "{{rule}}")
def throttles_by_rule(at: Scope) -> str:
    """Rises to THROTTLE in a minute by the rule that decided: the class of the flood. `burst` is a
    fast one, `raw_…` many in a window, `spaced_…` a slow one.
    """
    return at.per_minute("episodes_total", THROTTLE, by="rule")


@query("cpm", "{{rule}}")
def watches_by_rule(at: Scope) -> str:
    """Rises to WATCH in a minute by the rule that decided."""
    return at.per_minute("episodes_total", WATCH, by="rule")


@query("cpm", "{{trust}}")
def flood_platforms_by_trust(at: Scope) -> str:
    """Platforms in the evidence of new throttles, by category: those of a category other than
    `none` always pass.
    """
    return at.per_minute("flood_platforms_total", by="trust")


@query("percentunit", "known")
def flood_known_share(at: Scope) -> str:
    """Share of the platforms in floods that the recipient knew before. A flood comes from
    strangers: a high share means that people who log in are taken for victims.
    """
    known = at.increase("flood_platforms_total", 'memory="known"')
    return f"{known} / {at.increase('flood_platforms_total')}"


@query("short", "codes")
def window_codes(at: Scope) -> str:
    """Codes in the newest closed tumbling window."""
    return at.total("window_codes")


@query("short", "platforms")
def window_platforms(at: Scope) -> str:
    """Distinct platforms in the newest closed tumbling window, of the partition with most."""
    return at.worst("window_platforms")


@query("short", "{{rung}} or more")
def window_recipients(at: Scope) -> str:
    """Recipients with at least so many codes in the newest closed tumbling window."""
    return at.total("window_recipients", by="rung")


@query("cps", "made suspects")
def promoted(at: Scope) -> str:
    """Recipients that the sieve made suspects, in a second."""
    return at.rate("promoted_total")


@query("percentunit", "judged of codes")
def judged_share(at: Scope) -> str:
    """Share of the codes that reached the judge, the dearest stage."""
    return f"{at.rate('judged_total')} / {codes.at(at)}"


@query("percentunit", "hits")
def cache_hits(at: Scope) -> str:
    """Share of the texts whose template was judged before. A low share costs CPU."""
    hits = at.rate("template_cache_hits_total")
    return f"{hits} / ({hits} + {at.rate('template_cache_misses_total')})"


@query("percentunit", "contradictions")
def category_contradictions(at: Scope) -> str:
    """Share of a sample of texts that surely say otherwise than their gateway's category: codes
    called marketing hide a flood, advertising called codes makes one.
    """
    return f"{at.rate('category_contradictions_total')} / {at.rate('category_checks_total')}"


@query("short", "a million and day")
def throttles_per_million(at: Scope) -> str:
    """Throttles of a day for a million recipients. The design aims at one that is false; what is
    above it should be attacks.
    """
    day = at.over("1d").increase("episodes_total", THROTTLE)
    return f"1e6 * {day} / {recipients_tracked.at(at)}"


@query("percentunit", "throttled of watched")
def throttles_of_watches(at: Scope) -> str:
    """Share of the watched that rose to THROTTLE, of a day. Near 1, the bar to WATCH is too high to
    warn of anything; near 0, it is too low.
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
    """Recipients that the judge follows one by one."""
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
    """Actions that the broker had over a second after the event that caused them."""
    late = at.rate("decision_delay_seconds_bucket", 'le="1.0"')
    return f"{at.rate('decision_delay_seconds_count')} - {late}"


def _quantile(share: float, name: str, at: Scope, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {at.rate(f'{name}_bucket', by=labels)})"


@query("s", "median")
def decision_delay_p50(at: Scope) -> str:
    """From the event time of the causing event to the broker's receipt of the action."""
    return _quantile(0.5, "decision_delay_seconds", at)


@query("s", "99th percentile")
def decision_delay_p99(at: Scope) -> str:
    """The same; one decision of a hundred takes longer. A gateway that stamps whole minutes shows
    here with up to 60 s.
    """
    return _quantile(0.99, "decision_delay_seconds", at)


@query("s", "{{le}}")
def decision_delay_spread(at: Scope) -> str:
    """Decisions by their delay."""
    return at.rate("decision_delay_seconds_bucket", by="le")


@query("s", "{{stage}}")
def stage_p99(at: Scope) -> str:
    """Time of one batch in each stage; one batch of a hundred takes longer."""
    return _quantile(0.99, "stage_seconds", at, "stage")


# --- state ---------------------------------------------------------------------------------------


@query("s", "{{instance}}")
def checkpoint_age(at: Scope) -> str:
    """Since the newest complete checkpoint, of the oldest partition with newer events. After a
    crash so much input is read again.
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
    """Holes in the log that were accepted, because records were gone."""
    return at.increase("offset_gaps_total")


# --- enforcement ---------------------------------------------------------------------------------


@query("cpm", "{{verb}}, {{mode}}")
def actions(at: Scope) -> str:
    """Actions published in a minute. `shadow` ones are obeyed by nobody."""
    return at.per_minute("actions_total", by="verb, mode")


@query("cpm", "told again")
def lease_updates(at: Scope) -> str:
    """Leases told again in a minute, with the windows of second requests. Nobody acknowledges."""
    return at.per_minute("lease_updates_total")


@query("cps", "settled")
def acknowledgements(at: Scope) -> str:
    """Actions of which an adapter said whether it could do what they ask."""
    return at.rate("acks_total", 'state=~"applied|ignored|failed"')


@query("cps", "failed")
def acknowledgements_failed(at: Scope) -> str:
    """Actions that an adapter could not bring to its gateway."""
    return at.rate("acks_total", 'state="failed"')


@query("cpm", "{{state}}")
def acknowledgements_by_state(at: Scope) -> str:
    """Acknowledgements in a minute: applied, ignored (shadow, switch, rails), failed, and expired
    for each lease that ended.
    """
    return at.per_minute("acks_total", by="state")


@query("percentunit", "acknowledged")
def acknowledged_share(at: Scope) -> str:
    """Share of the settled actions of the last hour that did not fail. No actions, no share."""
    hour = at.over("1h")
    return f"1 - {acknowledgements_failed.at(hour)} / {acknowledgements.at(hour)}"


@query("s", "median")
def apply_p50(at: Scope) -> str:
    """From an action's issue to its being in force at the gateway."""
    return _quantile(0.5, "action_apply_seconds", at)


@query("s", "99th percentile")
def apply_p99(at: Scope) -> str:
    """The same; one action of a hundred takes longer."""
    return _quantile(0.99, "action_apply_seconds", at)


@query("short", "{{instance}}")
def unacknowledged(at: Scope) -> str:
    """Adapters: actions read whose fate is not told yet. Workers: enforced leases over 10 s old of
    which no adapter has said anything.
    """
    return at.worst("actions_unacknowledged", "instance")


@query("short", "{{instance}}, least in 2 min")
def unacknowledged_least(at: Scope) -> str:
    """The fewest of them in the last two minutes: over 0, some are stuck."""
    return at.max(f"min_over_time({at.series('actions_unacknowledged')}[2m])", "instance")


@query("short", "{{instance}}")
def leases_held(at: Scope) -> str:
    """Leases in force at each gateway."""
    return at.total("leases_held", by="instance")


@query("s", "{{instance}}")
def leases_age(at: Scope) -> str:
    """Since each adapter or gate last knew all leases and overrides. Above 60 s its gateway obeys
    neither new leases nor the operator.
    """
    return at.worst("leases_age_seconds", "instance")


@query("short", "{{instance}}")
def metric_errors(at: Scope) -> str:
    """Calls of an hour that no metric took: a defect of the program. Its log names the metric."""
    return at.over("1h").increase("metric_errors_total", by="instance")


@query("cpm", "refused")
def refused(at: Scope) -> str:
    """Messages that gateways refused, in a minute; counted when a lease ends or is renewed."""
    return at.per_minute("refused_total")


@query("bool_yes_no", "{{instance}}")
def gateway_up(at: Scope) -> str:
    """Whether each gateway takes orders from its adapter."""
    return f"min{at.by('instance')} ({at.series('gateway_up')})"


@query("bool_yes_no", "{{instance}}")
def rails_open(at: Scope) -> str:
    """Whether rails hold new leases back, at each adapter."""
    return at.worst("rails_open", "instance")


@query("short", "{{instance}}")
def rails_raised(at: Scope) -> str:
    """Leases that each adapter lets in, by those of the settings, by the operator's word."""
    return at.worst("rails_raised_ratio", "instance")


@query("short", "victims")
def campaign_victims(at: Scope) -> str:
    """Victims in an open case of the largest campaign that goes on."""
    return at.worst("campaign_victims")


@query("short", "campaigns")
def campaigns_open(at: Scope) -> str:
    """Campaigns that go on: floods at many recipients by the same platforms, told as one."""
    return at.worst("campaigns_open")


@query("short", "new victims a minute")
def campaign_growth(at: Scope) -> str:
    """New victims a minute, of the campaign that grows most."""
    return at.worst("campaign_growth_per_minute")


@query("short", "abused")
def platforms_abused(at: Scope) -> str:
    """Platforms of which half of a week's codes, of a hundred or more, were part of floods."""
    return at.worst("platforms_abused")


@query("short", "known")
def platforms_known(at: Scope) -> str:
    """Platforms of which figures are known: those that sent a code within a week."""
    return at.worst("platforms_known")


@query("short", "{{rule}}")
def platform_sweeps(at: Scope) -> str:
    """Platforms that went through many neighbouring numbers within a day, by the rule."""
    return at.worst("platform_sweeps", "rule")


@query("percentunit", "of all codes")
def flood_codes_share(at: Scope) -> str:
    """Share of a week's codes that were evidence of floods."""
    return at.worst("flood_codes_ratio")


@query("short", "{{outcome}}")
def hot_lists_refused(at: Scope) -> str:
    """Lists of the network that partitions refused in 10 minutes, by reason."""
    return at.over("10m").increase("hot_lists_total", 'outcome!="adopted"', by="outcome")


@query("short", "on a partition's list")
def hot_platforms(at: Scope) -> str:
    """Platforms that other floods abuse, on the longest list that a partition goes by."""
    return at.worst("hot_platforms")


@query("short", "on the network's list")
def hot_list_platforms(at: Scope) -> str:
    """The same on the newest list that the agent told."""
    return at.worst("hot_list_platforms")


@query("short", "told")
def hot_lists_told(at: Scope) -> str:
    """Lists that the agent appended to the input in 10 minutes."""
    return at.over("10m").increase("hot_lists_told_total")


@query("short", "partitions")
def hot_lists_held(at: Scope) -> str:
    """Partitions that go by the network's list; none where `detect.hot` is not network."""
    return at.total("hot_lists_held")


@query("short", "owners")
def agent_owners(at: Scope) -> str:
    """Agents of each kind that tell; 0: nobody does, though one runs."""
    return at.total("agent_owner")


@query("percentunit", "{{instance}}")
def rails_load(at: Scope) -> str:
    """How near each adapter is to its nearer rail; at 100 % it lets no new lease in."""
    return at.worst("rails_load_ratio", "instance")


@query("short", "{{kind}}")
def records_refused(at: Scope) -> str:
    """Leases, words and acknowledgements that could not be read in 10 minutes: newer, or bad."""
    return at.over("10m").increase("records_refused_total", by="kind")


@query("cps", "{{why}}")
def gate_answers(at: Scope) -> str:
    """Answers of gates by their reason; `rebuilding` is one that has not read all leases yet."""
    return at.rate("gate_answers_total", by="why")


@query("s", "p50")
def gate_answer_p50(at: Scope) -> str:
    """Half of the questions to gates are answered within this time, once in their hands."""
    return _quantile(0.5, "gate_answer_seconds", at)


@query("s", "p99")
def gate_answer_p99(at: Scope) -> str:
    """Ninety-nine of a hundred questions to gates are answered within this time."""
    return _quantile(0.99, "gate_answer_seconds", at)


@query("short", "{{instance}}, late")
def gate_late(at: Scope) -> str:
    """Answers later than the gateways' time-out in 10 minutes: those messages passed unruled."""
    return at.over("10m").increase("gate_late_answers_total", by="instance")


@query("short", "{{instance}}, stalls")
def gate_stalls(at: Scope) -> str:
    """Moments in 10 minutes in which a gate answered nobody for longer than that time-out."""
    return at.over("10m").increase("gate_stalls_total", by="instance")


@query("short", "{{instance}}, failures")
def gate_failures(at: Scope) -> str:
    """Requests in 10 minutes on which a gate itself failed."""
    return at.over("10m").increase("gate_failures_total", by="instance")


@query("short", "{{instance}}")
def gate_troubles(at: Scope) -> str:
    """Late answers, stalls and failures of each gate in 10 minutes, together."""
    parts = (gate_late, gate_stalls, gate_failures)
    return " + ".join(each.at(at) for each in parts)


@query("cps", "{{outcome}}")
def gate_events(at: Scope) -> str:
    """Events of gates by what became of them: all but `published` and `bypassed` are lost."""
    return at.rate("gate_events_total", by="outcome")


LOST: Final = 'outcome!~"published|bypassed"'


@query("short", "{{outcome}}")
def gate_lost(at: Scope) -> str:
    """Events of gates that were lost in 10 minutes, by what lost them."""
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
    """Events of each gate between answer and disk: over a few hundred, and the disk is slow."""
    return at.total("gate_queue_events", by="instance")


@query("bool_yes_no", "{{instance}}")
def gate_disk(at: Scope) -> str:
    """Whether the disk of each gate takes events."""
    return f"min{at.by('instance')} ({at.series('gate_spool_up')})"


@query("short", "{{instance}}")
def gate_connections(at: Scope) -> str:
    """Open connections to each gate."""
    return at.total("gate_connections", by="instance")


@query("short", "{{instance}}")
def gate_restarts(at: Scope) -> str:
    """Times in 10 minutes that a gate had to begin anew to follow the leases."""
    return at.over("10m").increase("gate_adapter_restarts_total", by="instance")


@query("short", "records")
def index_records(at: Scope) -> str:
    """Records a second that go into the case store."""
    return at.rate("index_records_total")


@query("short", "unreadable")
def index_unreadable(at: Scope) -> str:
    """Records within an hour that were none of their topic's contract, or of a newer program."""
    return at.over("1h").increase("index_unreadable_total")


@query("s", "lag")
def index_lag(at: Scope) -> str:
    """How far the case store is behind its topics; under 3 s while its indexer works."""
    return at.worst("index_lag_seconds")


@query("short", "behind")
def index_behind(at: Scope) -> str:
    """Records that the indexer knows of and has not read."""
    return at.worst("index_records_behind")


@query("short", "{{verb}} {{outcome}}")
def desk_acts(at: Scope) -> str:
    """Acts of people at the desk in 10 minutes; the audit has each by name."""
    return at.over("10m").increase("desk_actions_total", by="verb, outcome")


@query("short", "{{door}} {{outcome}}")
def desk_logins(at: Scope) -> str:
    """Log-ins at the desk in 10 minutes: refused ones by the dozen are somebody who guesses."""
    return at.over("10m").increase("desk_logins_total", by="door, outcome")


@query("short", "{{kind}}")
def desk_limited(at: Scope) -> str:
    """Acts in an hour that were refused because one person did too many in a short time."""
    return at.over("1h").increase("desk_limited_total", by="kind")


@query("short", "{{outcome}}")
def desk_packs(at: Scope) -> str:
    """Evidence packs made at the desk in a day; each is verified before it is given out."""
    return at.over("1d").increase("desk_packs_total", by="outcome")


@query("short", "packs")
def desk_packs_bad(at: Scope) -> str:
    """Evidence packs within an hour that did not verify, and so were not given out."""
    return at.over("1h").increase("desk_packs_total", 'outcome="bad"')


@query("short", "{{kind}}")
def desk_errors(at: Scope) -> str:
    """Requests in 10 minutes that something out of a person's hands kept from being answered."""
    return at.over("10m").increase("desk_errors_total", by="kind")


@query("short", "lists")
def desk_streams(at: Scope) -> str:
    """Live lists that are being watched."""
    return at.worst("desk_streams_open")


def _in_mode(at: Scope, beside: str, matchers: str = "") -> str:
    """Processes by mode, of the kind that shows the metric `beside` too."""
    held = f"{at.series('mode', matchers)} == 1 and on (job, instance) {at.series(beside)}"
    return f"count{at.by('mode')} ({held})"


@query("short", "{{mode}}")
def switch(at: Scope) -> str:
    """The operator's switch at the gateways: `enforce` unless `otpguard mode` said otherwise."""
    return _in_mode(at, "leases_held")


@query("short", "{{mode}}")
def switch_thrown(at: Scope) -> str:
    """Adapters whose switch is not at `enforce`."""
    return _in_mode(at, "leases_held", 'mode=~"shadow|off"')


@query("short", "{{mode}}")
def detector_mode(at: Scope) -> str:
    """The workers' own mode: `shadow` leases are obeyed by nobody."""
    return _in_mode(at, "suspects")


def _words(at: Scope, by: str) -> str:
    """The operators' words of a day; every adapter counts the same ones."""
    return f"max{by} (increase({at.series('false_alarm_signals_total')}[1d]))"


@query("short", "{{kind}}")
def false_alarms_by_kind(at: Scope) -> str:
    """Words of operators of the last day that take a throttle back: release, allow, exempt."""
    return _words(at, at.by("kind"))


@query("short", "signals")
def false_alarms(at: Scope) -> str:
    """All of them together."""
    return at.sum(_words(at, " by (job, kind)"))


@query("short", "throttles")
def throttles_enforced(at: Scope) -> str:
    """Leases that were published to be enforced, of the last day; renewals count."""
    return f"sum (increase({at.series('actions_total', ENFORCED)}[1d]))"


@query("short", "refused")
def platforms_refused(at: Scope) -> str:
    """Platforms at recipients whose codes leases of the last week refused, or would have."""
    return at.over("7d").increase("platforms_refused_total")


@query("short", "used later")
def platforms_used_later(at: Scope) -> str:
    """Of those, platforms that the recipient used when the flood was over: within a week of it,
    with nothing refused there in the half hours before and after. Such codes were wanted.
    """
    return at.over("7d").increase("platforms_used_later_total")


@query("percentunit", "used later")
def used_later_share(at: Scope) -> str:
    """Their share of what was refused. The platforms of a flood never come again."""
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
    """Since a flood of the canary was last throttled and acknowledged."""
    return f"time() - {at.worst('canary_last_success_timestamp_seconds')}"


@query("s", "to the lease")
def canary_throttle(at: Scope) -> str:
    """From the first message of the canary's newest flood to its lease; the flood itself takes
    about a second of it.
    """
    return at.worst("canary_throttle_seconds")


@query("s", "to the adapter's word")
def canary_acknowledge(at: Scope) -> str:
    """From the first message of the canary's newest flood to the adapter's acknowledgement."""
    return at.worst("canary_acknowledge_seconds")


@query("short", "{{outcome}}")
def canary_runs(at: Scope) -> str:
    """Floods of the canary within an hour by how they ended."""
    return at.over("1h").increase("canary_runs_total", by="outcome")


# --- notices -------------------------------------------------------------------------------------


@query("short", "{{state}}")
def notices(at: Scope) -> str:
    """Notices to victims within an hour by what became of them."""
    return at.over("1h").increase("notices_total", by="state")


@query("short", "failed")
def notices_failed(at: Scope) -> str:
    """Notices within an hour that the SMSC refused, or of which nobody knows if they arrived."""
    return at.over("1h").increase("notices_total", 'state="failed"')


@query("short", "due")
def notices_waiting(at: Scope) -> str:
    """Notices that are due and have not gone."""
    return at.worst("notices_waiting")


@query("short", "cap reached")
def notice_cap(at: Scope) -> str:
    """1 while the minute, the day or a prefix has all the notices that it may have."""
    return at.worst("notice_cap_reached")


@query("short", "given up for the cap")
def notices_capped(at: Scope) -> str:
    """Notices within an hour that were given up because more were due than a cap allows."""
    return at.over("1h").increase("notices_capped_total")


@query("short", "channel")
def notice_channel(at: Scope) -> str:
    """0 while the SMSC, or whatever carries notices, does not take them."""
    return f"min{at.by('')} ({at.series('notice_channel_up')})"


@query("short", "tries in vain")
def notice_retries(at: Scope) -> str:
    """Tries within an hour after which a notice had certainly not gone: it is tried again."""
    return at.over("1h").increase("notice_retries_total")


@query("s", "95 %")
def notice_delay(at: Scope) -> str:
    """From a gateway's word that it holds the lease to the SMSC's that it has the notice."""
    buckets = at.over("1h").increase("notice_delay_seconds_bucket", by="le")
    return f"histogram_quantile(0.95, {buckets})"


@query("short", "{{outcome}}")
def notice_replies(at: Scope) -> str:
    """Replies of victims within an hour; unvouched ones may be forged."""
    return at.over("1h").increase("notice_replies_total", by="outcome")


@query("cps", "{{outcome}}")
def signal_answers(at: Scope) -> str:
    """Answers to banks by what they were: done, or one of CAMARA's errors."""
    return at.rate("signal_answers_total", by="outcome")


@query("s", "99 %")
def signal_answer_p99(at: Scope) -> str:
    """Ninety-nine of a hundred banks' questions are answered within this time, audit included."""
    return _quantile(0.99, "signal_answer_seconds", at)


@query("short", "{{instance}}")
def signal_stale(at: Scope) -> str:
    """1 while the case store's index is too old to say no by: banks get 503."""
    return at.worst("signal_index_stale", "instance")


@query("short", "{{outcome}}")
def signal_pushes(at: Scope) -> str:
    """Floods pushed to banks within ten minutes; failed ones were tried for as long."""
    return at.over("10m").increase("signal_pushes_total", by="outcome")


@query("short", "{{outcome}}")
def signal_pushes_failed(at: Scope) -> str:
    """Floods within ten minutes that a bank's sink refused, or did not take in time."""
    return at.over("10m").increase("signal_pushes_total", 'outcome!="sent"', by="outcome")
