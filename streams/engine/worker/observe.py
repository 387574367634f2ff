"""Updates the worker's metrics: counters with each batch of events, gauges at regular times."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from detectors.chain import Decisions
from detectors.model.records import EpisodeRecord, Level
from detectors.recipients.windows import Window
from detectors.recognise.recogniser import Recogniser
from streams.engine.state.manager import StateManager
from streams.engine.worker.acks import Acknowledgements
from streams.telemetry.metrics import Metrics
from streams.wire import Decoded

_LEVELS: Final = {Level.WATCH: "watch", Level.THROTTLE: "throttle"}
_RISES: Final = frozenset({"opened", "raised"})
_COUNTED: Final = tuple(
    (name, attrgetter(told))
    for name, told in (
        ("codes_total", "codes"),
        ("promoted_total", "promoted"),
        ("judged_total", "judged"),
        ("evictions_total", "evicted"),
        ("platforms_dropped_total", "platforms_dropped"),
        ("platforms_refused_total", "refused"),
        ("platforms_used_later_total", "used_later"),
    )
)
"""Names of counters, each with the attribute of the decisions that is added to it."""


SAMPLE_S: Final = 30.0  # Time from one sample of rows to the next.
SAMPLE_ROWS: Final = 1024  # Rows of a partition in a sample: a tenth of a millisecond.


@contextmanager
def time_stage(metrics: Metrics, stage: str) -> Iterator[None]:
    """Measure the time that a stage of processing (such as decoding) takes for one batch."""
    began = time.perf_counter()
    yield
    metrics.observe("stage_seconds", time.perf_counter() - began, stage=stage)


@dataclass(slots=True)
class Observer:
    """Turns the worker's activity into metrics; no label contains personal data."""

    metrics: Metrics
    recogniser: Recogniser
    acknowledgements: Acknowledgements
    _cache: tuple[int, int] = (0, 0)  # Cache hits and misses counted so far.
    _windows: dict[int, Window] = field(default_factory=dict)  # Partition -> newest closed window.
    _generation: int = -1
    _sampled: float = float("-inf")  # When the rows were last sampled.
    # Partition -> offset, and since when it is unchanged.
    _stable: dict[int, tuple[int, float]] = field(default_factory=dict)
    # Partition -> time of its newest event.
    _event_ms: dict[int, int] = field(default_factory=dict)

    def count_batch(self, decoded: Decoded, decided: Mapping[int, Decisions]) -> None:
        """Count one batch of one or several partitions; `decided` is by partition."""
        add = self._add
        for outcome, n in decoded.outcomes.items():
            add("events_total", n, outcome=outcome)
        for reject in decoded.rejects:
            add("dead_letters_total", reject.records, reason=reject.reason)
        named = {name: n for name, n in decoded.batch.gateway.counts().items() if name}
        self.metrics.count_gateways("gateway_events_total", named)
        self.metrics.count_gateways("gateway_ahead_total", decoded.ahead)
        add("noncanonical_keys_total", decoded.noncanonical_keys)
        add("misplaced_keys_total", decoded.misplaced_keys)
        each = decided.values()
        for name, of in _COUNTED:
            add(name, sum(map(of, each)))
        hits, misses = self._cache
        self._cache = self.recogniser.hits, self.recogniser.misses
        add("template_cache_hits_total", self._cache[0] - hits)
        add("template_cache_misses_total", self._cache[1] - misses)
        for name, by_gateway in (
            ("category_checks_total", self.recogniser.checked),
            ("category_contradictions_total", self.recogniser.contradicted),
        ):
            self.metrics.count_gateways(name, by_gateway)
            by_gateway.clear()
        self._event_ms |= decoded.batch.newest_ms()
        for partition, some in decided.items():
            if some.actions or some.episodes or some.lists or some.memories or some.windows:  # few
                self._count_decisions(partition, some)
        if any(decisions.windows for decisions in each):
            self._show_windows()

    def _add(self, name: str, amount: int, **labels: str) -> None:
        if amount:  # Most amounts are 0 in a small batch, and a counter takes a lock.
            self.metrics.add(name, amount, **labels)

    def _count_decisions(self, partition: int, decisions: Decisions) -> None:
        if decisions.actions:
            self.acknowledgements.expect(partition, decisions.actions)
        updates = 0  # In a campaign, most actions are updates.
        for action in decisions.actions:
            if action.update:
                updates += 1
            else:
                self.metrics.add("actions_total", verb=action.verb, mode=action.mode)
        self._add("lease_updates_total", updates)
        for record in decisions.episodes:
            if record.kind == "flood" and record.change in _RISES:
                self._count_rise(record)
        for outcome in decisions.lists:
            self.metrics.add("hot_lists_total", outcome=outcome)
        for became, number in Counter(decisions.memories).items():
            self.metrics.add("memory_records_total", number, outcome=became)
        for window in decisions.windows:
            self._windows[partition] = window

    def _count_rise(self, record: EpisodeRecord) -> None:
        add = self.metrics.add
        add("episodes_total", rule=record.reason.rule, level=_LEVELS[record.level])
        if record.level is not Level.THROTTLE:
            return
        add("floods_total", outcome="refused" if record.mode == "enforce" else "observed")
        for sighting in record.sightings:
            memory = "novel" if sighting.novel else "known"
            add("flood_platforms_total", trust=sighting.trust.name.lower(), memory=memory)

    def beat(
        self, states: StateManager, behind: dict[int, int], held_back: dict[int, tuple[int, int]]
    ) -> None:
        """Set the gauges.

        All arguments are by partition. `behind`: number of records between the state and the
        readable end of the log. `held_back`: the offset at which an open transaction begins, and
        the number of records from there on.
        """
        put, now = self.metrics.put, time.monotonic()
        held = states.partitions.values()
        if states.generation != self._generation:
            self.metrics.add("rebalances_total")
            self._generation = states.generation
        put("partitions_assigned", len(states.owned))
        put(
            "recovery_progress_ratio",
            len(states.partitions) / len(states.owned) if states.owned else 1,
        )
        put("recipients_tracked", sum(assigned.state.recipients for assigned in held))
        if now >= self._sampled + SAMPLE_S:
            self._sampled = now
            counts = [
                assigned.state.count_cold(states.params.episode, SAMPLE_ROWS) for assigned in held
            ]
            seen = sum(n for n, _ in counts)
            put("recipients_observed_ratio", sum(n for _, n in counts) / seen if seen else 1)
        put("suspects", sum(len(assigned.state.suspects) for assigned in held))
        uncovered = [now - assigned.covered_at for assigned in held if assigned.dirty]
        put("checkpoint_age_seconds", max(uncovered, default=0))
        put("checkpoint_bytes", sum(assigned.writer.size for assigned in held))
        put("hot_platforms", max((len(p.state.book.hot.platforms) for p in held), default=0))
        put("hot_lists_held", sum(p.state.book.hot.network is not None for p in held))
        levels = [assigned.state.levels() for assigned in held]
        for level, name in _LEVELS.items():
            put("episodes_open", sum(counts[level] for counts in levels), level=name)
        put("records_behind", sum(behind.values()))
        late = [time.time() - ms / 1000 for p, ms in self._event_ms.items() if behind.get(p)]
        put("event_lag_seconds", max((0.0, *late)))
        self._show_transactions(held_back, now)

    def _show_transactions(self, held_back: dict[int, tuple[int, int]], now: float) -> None:
        seen, self._stable = self._stable, {}
        for partition, (offset, _) in held_back.items():
            before = seen.get(partition)
            still = before is not None and before[0] == offset
            self._stable[partition] = before if still and before else (offset, now)
        self.metrics.put("records_undecided", sum(records for _, records in held_back.values()))
        open_s = [now - since for _, since in self._stable.values()]
        self.metrics.put("transaction_open_seconds", max(open_s, default=0))

    def _show_windows(self) -> None:
        """Show the newest window that any partition has closed, summed over all partitions."""
        newest = max(window.start_ms for window in self._windows.values())
        closed = [window for window in self._windows.values() if window.start_ms == newest]
        put = self.metrics.put
        put("window_codes", sum(window.codes for window in closed))
        put("window_platforms", max(window.platforms for window in closed))  # A lower bound.
        for rungs in zip(*(window.recipients for window in closed), strict=True):
            put("window_recipients", sum(n for _, n in rungs), rung=str(rungs[0][0]))
