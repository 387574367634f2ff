"""Runs the detector over a history, and measures its alarms and the basis of its thresholds. Pure.

Memory is that of the detector, the cohort and the peaks; each of them has a limit.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Final

import numpy as np

from detectors import chain
from detectors.chain import Decisions, Params, Partition
from detectors.model.codes import Codes
from detectors.model.event import TICK_OFFSETS, Batch, EventKind
from detectors.model.records import EpisodeRecord, Level
from detectors.model.times import DAY_MS, DAY_S, EPOCH_S, HOUR_S
from detectors.recipients.table import ROWS_LIMIT
from detectors.recognise.platform.fanout import FanOut
from detectors.recognise.recogniser import Recogniser
from detectors.suspects.clocks import (
    SAMPLE_OFFSETS,
    ClockClass,
    ClockParams,
    GatewayClock,
    coarse,
    observe,
)
from streams.tools.calibrate.cohort import Cohort
from streams.tools.calibrate.near_limits import NearLimits
from streams.tools.calibrate.peaks import Peaks
from streams.tools.calibrate.senders import NumberHabits

QUIET_SHARE: Final = 1000
"""An hour with fewer than a thousandth of the busiest hour's messages is not counted as history.
Otherwise a few wrong clocks would add days."""

QUIET_DAY_SHARE: Final = 50
"""A day with fewer than a fiftieth of the busiest day's messages is not counted either. Such days
contain the earlier messages of a few numbers, for example of attacks that were mixed in. A Sunday
has far more messages."""


@dataclass(slots=True)
class Alarmed:
    """A recipient that reached WATCH, THROTTLE, or the limit of a platform."""

    watch: int = 0  # Number of WATCH episodes.
    throttle: int = 0  # Number of these that reached THROTTLE.
    limits: set[int] = field(default_factory=set)  # Days on which single platforms are refused.
    rules: Counter[str] = field(default_factory=Counter)  # Rules of these limits and throttles.
    chronic: bool = False
    novel: int = 0  # Novel platforms in the episode that had the most.
    episodes: list[str] = field(default_factory=list)  # Ids of the newest throttles, at most 14.
    record: EpisodeRecord | None = None  # The record of its first THROTTLE.


class Alarms:
    """The recipients with alarms, and the number of their alarms."""

    def __init__(self, recipients_max: int = 1 << 17) -> None:
        self.recipients_max = recipients_max
        self.by_recipient: dict[str, Alarmed] = {}
        self.unnamed = Alarmed()  # Sums for all further recipients.

    def take(self, records: list[EpisodeRecord]) -> None:
        """Count episodes that opened or rose to a higher level.

        For other changes, only the number of novel platforms is updated.
        """
        for record in records:
            if record.kind == "resend":
                continue
            rose = record.change in ("opened", "raised")
            if rose and len(self.by_recipient) < self.recipients_max:
                self.by_recipient.setdefault(record.recipient, Alarmed())
            held = self.by_recipient.get(record.recipient, self.unnamed if rose else None)
            if held is None:
                continue
            held.novel = max(held.novel, record.evidence.novel)
            if record.kind == "limit":
                held.limits.add(record.at_ms // DAY_MS)
                held.rules[record.reason.rule] += rose
                continue
            held.watch += record.change == "opened"
            if rose and record.level is Level.THROTTLE:
                held.rules[record.reason.rule] += 1
                held.throttle += 1
                held.chronic |= record.chronic
                held.episodes = [*held.episodes[-13:], record.episode_id]
                held.record = held.record or record

    def rules(self, judged: frozenset[str]) -> Counter[str]:
        """Return the number of throttles and limits by rule, without recipients set aside."""
        return sum((each.rules for each in self._list_counted(judged)), Counter[str]())

    def find_unmatched(self, judged: frozenset[str]) -> frozenset[str]:
        """Return the names that match no recipient with an alarm and no episode here."""
        episodes = {id_ for each in self.by_recipient.values() for id_ in each.episodes}
        return judged - self.by_recipient.keys() - episodes

    def counts(self, judged: frozenset[str]) -> tuple[int, int]:
        """Return the numbers of WATCH and THROTTLE episodes, without recipients set aside."""
        counted = self._list_counted(judged)
        return sum(each.watch for each in counted), sum(each.throttle for each in counted)

    def _list_counted(self, judged: frozenset[str]) -> list[Alarmed]:
        named = self.by_recipient.items()
        return [self.unnamed, *(each for name, each in named if not aside(name, each, judged))]


def aside(name: str, alarmed: Alarmed, judged: frozenset[str]) -> bool:
    """Return true for a recipient that is left out: chronic, or judged by a person.

    `judged` names recipients or episodes.
    """
    return alarmed.chronic or name in judged or not judged.isdisjoint(alarmed.episodes)


class Survey:
    """One pass over a history with one set of parameters."""

    def __init__(
        self,
        params: Params,
        recogniser: Recogniser,
        *,
        judged: frozenset[str] = frozenset(),
        measure: bool = True,
    ) -> None:
        self.params = params
        self.judged = judged  # Recipients or episodes that a person judged to be no false alarms.
        self.recogniser = recogniser
        self.measure = measure
        self.parts: dict[int, Partition] = {}
        self.alarms = Alarms()
        self.cohort = Cohort()
        self.peaks = Peaks(aside=judged)
        self.near = NearLimits()
        self.fanout = FanOut(recogniser.registry)
        self.numbers = NumberHabits(recogniser.registry)
        self.hours: Counter[int] = Counter()
        self.gateways: dict[int, dict[str, GatewayClock]] = {}  # By partition.
        self.messages = self.codes = self.texts = self.evicted = 0

    def take(self, batch: Batch) -> None:
        if batch.partition not in self.parts:
            part = self.parts[batch.partition] = Partition(self.params)
            part.next_offset = int(batch.offset[0]) if len(batch) else batch.next_offset
        part = self.parts[batch.partition]
        for piece in _pieces(batch):
            codes = self.recogniser.columns(piece)
            decisions = chain.process(self.params, part, piece, codes)
            self.alarms.take(decisions.episodes)
            self.evicted += decisions.evicted
            if self.measure and len(piece):
                self._measure(part, piece, codes, decisions)

    def close(self) -> None:
        """Finish open sums, and remove recipients that must not count from the peaks."""
        self.peaks.close()
        self.cohort.close()
        for name, held in self.alarms.by_recipient.items():
            if aside(name, held, self.judged):
                self.peaks.set_aside(name)

    @property
    def days(self) -> float:
        """The number of days that the history covers: its busy hours divided by 24."""
        return len(self.busy) / 24

    @property
    def busy(self) -> list[int]:
        """The hours that count as history, in order; hours since `EPOCH_S`."""
        days: Counter[int] = Counter()
        for hour, count in self.hours.items():
            days[hour // 24] += count
        least = max(self.hours.values(), default=0) / QUIET_SHARE
        least_day = max(days.values(), default=0) / QUIET_DAY_SHARE
        return sorted(
            hour
            for hour, count in self.hours.items()
            if count >= least and days[hour // 24] >= least_day
        )

    @property
    def outside(self) -> int:
        return self.hours.total() - sum(self.hours[hour] for hour in self.busy)

    def stamps(self) -> dict[str, tuple[GatewayClock, ClockClass]]:
        """Return each gateway's measurements over all partitions, and its time stamp class."""
        merged: dict[str, GatewayClock] = {}
        for gateways in self.gateways.values():
            for name, seen in gateways.items():
                sums = zip(astuple(merged.get(name, GatewayClock())), astuple(seen), strict=True)
                merged[name] = GatewayClock(*map(sum, sums))
        classes = coarse(_STAMPS, merged)
        return {name: (seen, classes.get(name, ClockClass.EXACT)) for name, seen in merged.items()}

    def _measure(self, part: Partition, batch: Batch, codes: Codes, decisions: Decisions) -> None:
        message = batch.kind == EventKind.MESSAGE
        at_s = np.clip(batch.event_time_ms // 1000 - EPOCH_S, 1, (1 << 31) - 1)
        self.messages += int(message.sum())
        self.codes += decisions.codes
        self.texts += int(np.count_nonzero(batch.text.length))
        hours, counts = np.unique(at_s // HOUR_S, return_counts=True)
        self.hours.update(dict(zip(hours.tolist(), counts.tolist(), strict=True)))
        self._stamps(batch)
        otp = codes.otp & message
        # Backwards, so that the earliest message of each recipient in the batch is kept.
        first_s: dict[int, int] = dict(
            zip(batch.recipient[otp][::-1].tolist(), at_s[otp][::-1].tolist(), strict=True)
        )
        for recipient in part.suspects.keys() & first_s.keys():
            episode = part.suspects[recipient].episode
            if episode is not None and episode.level is Level.THROTTLE:
                self.cohort.leave_out(recipient)
        self.cohort.observe(batch.recipient, at_s, codes.platform, otp)
        self.fanout.take(batch, codes)
        self.numbers.observe(batch)
        self.near.observe(self.params, part, batch, codes)
        self.peaks.observe(self.params.judge, part.book, part.suspects, first_s)
        self.peaks.close(min(p.watermark_s for p in self.parts.values()) // DAY_S - 1)

    def _stamps(self, batch: Batch) -> None:
        gateways = self.gateways.setdefault(batch.partition, {})
        where = np.flatnonzero(batch.offset % SAMPLE_OFFSETS == 0)
        names = [batch.gateway[i] for i in where.tolist()]
        observe(
            _STAMPS, gateways, list(zip(batch.event_time_ms[where].tolist(), names, strict=True))
        )


# Samples are never halved, because a history is measured as a whole.
_STAMPS: Final = ClockParams(sample_max=1 << 60)


def whole(params: Params, partitions: int) -> Params:
    """Return parameters for a file that stands for all partitions together.

    The larger sizes take memory only as they are used.
    """
    rows = min(ROWS_LIMIT, params.sieve.rows_max * partitions)
    return replace(
        params,
        sieve=replace(params.sieve, rows_max=rows),
        suspects_max=min(rows // 2, params.suspects_max * partitions),
    )


def _pieces(batch: Batch) -> Iterator[Batch]:
    """Split a batch right before each tick, so that suspects are measured before their eviction."""
    first = int(batch.offset[0]) if len(batch) else batch.next_offset
    ends = np.arange((first + 1) // TICK_OFFSETS + 1, batch.next_offset // TICK_OFFSETS + 1)
    edges = [*(ends * TICK_OFFSETS - 1).tolist(), batch.next_offset]
    start = 0
    for edge in edges:
        stop = int(np.searchsorted(batch.offset, edge))
        rows = np.arange(start, stop)
        columns: dict[str, Any] = {name: getattr(batch, name).take(rows) for name in _COLUMNS}
        yield replace(batch, next_offset=edge, **columns)
        start = stop


_COLUMNS: Final = (
    "offset", "event_time_ms", "recipient", "kind", "sender", "text", "signature", "category",
    "platform", "template", "gateway",
)  # fmt: skip
