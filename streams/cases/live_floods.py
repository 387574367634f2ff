"""Folds the records of the case topics into the picture that `otpguard top` shows. Pure.

A campaign has thousands of floods, and the picture is made every second. So only what a list needs
is kept, and the state by the rules of adapters is computed for the floods that are shown.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from detectors.defaults import QUIET_S
from detectors.model.records import Action, EpisodeRecord, Evidence, Level, merge_renewal
from streams.cases import standing
from streams.cases.store.answers import CaseLine
from streams.cluster.at_work import sort_gateways
from streams.cluster.lag import ClusterFacts
from streams.common import join_list, tr, trn
from streams.wire import (
    Ack,
    Override,
    UnreadableError,
    decode_ack,
    decode_action,
    decode_counts,
    decode_episode,
    decode_override,
)
from streams.wire.desired_state import entry_name

TOPICS: Final = ("episode", "throttle", "acks", "counts", "override", "everyone")
"""Settings of the topics whose records are taken."""

QUIET_MS: Final = QUIET_S * 1000
BARS: Final = "▁▂▃▄▅▆▇█"
BAR_MS: Final = 30_000
"""Time that one bar of a flood's sparkline (a row of small bars) stands for, in milliseconds. The
eight bars cover four minutes: they show how the flood began and whether it goes on."""

NONE: Final = Evidence(0, 0, 0, 0, 0)

SORTS: Final[Mapping[str, Callable[["LiveFlood"], Any]]] = {
    "worst": lambda flood: (not flood.is_throttled, -flood.evidence.messages),
    "pace": lambda flood: -flood.pace()[-1],
    "newest": lambda flood: -flood.evidence.first_ms,
    "platforms": lambda flood: -flood.evidence.platforms,
}
"""Orders of the list. `worst`: throttled first, then by messages."""


@dataclass(slots=True)
class LiveFlood:
    """One episode that goes on, and how many messages it had when."""

    case: standing.Case = field(default_factory=standing.Case)
    evidence: Evidence = NONE
    counts: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=64))
    refused: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def is_throttled(self) -> bool:
        return self.case.last.level is Level.THROTTLE

    def describe(self, shown: Callable[[str], str]) -> str:
        """Return the text in which a filter searches."""
        last = self.case.last
        return f"{shown(last.recipient)} {last.reason.rule} {last.level.name.lower()}"

    def note(self, evidence: Evidence) -> None:
        """Take counts that a record carries, if these are newer."""
        if evidence.last_ms >= self.evidence.last_ms:
            first_ms = self.evidence.first_ms or evidence.first_ms
            self.evidence = replace(evidence, first_ms=min(first_ms, evidence.first_ms))
            self.counts.append((evidence.last_ms, evidence.messages))

    def is_over(self, now_ms: int) -> bool:
        """Return true if there was no message for long, and no lease is in force."""
        leased = any(not each.ends and each.expires_at_ms > now_ms for each in self.case.actions)
        return not leased and self.evidence.last_ms <= now_ms - QUIET_MS

    def pace(self) -> list[int]:
        """Return the messages of each bar, the newest last; it ends with the newest message."""
        bars = [0] * len(BARS)
        before = 0
        for at_ms, messages in self.counts:
            age = (self.evidence.last_ms - at_ms) // BAR_MS
            if 0 <= age < len(bars):
                bars[-1 - age] += messages - before
            before = messages
        return bars


@dataclass(frozen=True, slots=True)
class FloodRow:
    """One flood as it is shown, and the messages of each bar of its pace, the newest last."""

    case: CaseLine
    pace: list[int]


def sparkline(pace: Sequence[int]) -> str:
    """Return a pace as bars.

    >>> sparkline([0, 4, 8, 1])
    '▁▄█▁'
    """
    return "".join(BARS[each * (len(BARS) - 1) // (max(pace) or 1)] for each in pace)


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything that is shown at one moment."""

    at_ms: int
    mode: str
    floods: int
    throttled: int
    rows: list[FloodRow]
    at_work: dict[str, int]  # Gateway -> when it was last heard of.
    stopped: dict[str, int]
    facts: ClusterFacts
    unreadable: int

    def lines(self) -> list[str]:
        """Return what stands above the list, in lines of at most 80 letters."""
        facts = self.facts
        ages = [f"{name} ({(self.at_ms - at) // 1000} s)" for name, at in self.at_work.items()]
        gone = [tr("{name} stopped").format(name=name) for name in self.stopped]
        worst = sorted((facts.lag or {}).items(), key=lambda each: -each[1])[:1]
        return [
            tr("mode {mode}   {floods}, {throttled} throttled").format(
                mode=self.mode,
                floods=trn("{n} flood", "{n} floods", self.floods),
                throttled=self.throttled,
            ),
            tr("lag {lag}{worst}   workers {workers}   dead letters in 1 h {letters}").format(
                lag="?" if facts.lag is None else sum(facts.lag.values()),
                worst="".join(f" (#{partition}: {n})" for partition, n in worst if n),
                workers="?" if facts.workers is None else len(facts.workers),
                letters="?" if facts.dead_letters is None else facts.dead_letters,
            ),
            tr("gateways {names}").format(names=join_list([*ages, *gone]) or tr("none")),
        ]


class LiveFloods:
    """The floods that go on, and the operator's overrides in force."""

    def __init__(self) -> None:
        self.floods: dict[str, LiveFlood] = {}
        self.acks: dict[str, dict[str, Ack]] = {}  # Action id -> gateway -> its newest answer.
        self.words: dict[bytes | None, Override] = {}
        self.answered: dict[str, int] = {}  # Gateway -> time of its newest answer.
        self.unreadable = 0

    def take(self, source: str, key: bytes | None, value: bytes | None) -> None:
        """Add one record of a topic to the picture. An unreadable record is only counted."""
        if value is None:
            self.words.pop(key, None)
            return
        try:
            self._take(source, key, value)
        except UnreadableError:
            self.unreadable += 1

    def _take(self, source: str, key: bytes | None, value: bytes) -> None:
        match source:
            case "episode":
                self._take_episode(decode_episode(value))
            case "throttle":
                self._take_action(decode_action(value))
            case "acks":
                ack = decode_ack(value)
                self.answered[ack.gateway_id] = max(ack.at_ms, self.answered.get(ack.gateway_id, 0))
                self.acks.setdefault(ack.action_id, {})[ack.gateway_id] = ack
            case "counts":
                told = decode_counts(value)
                if (flood := self.floods.get(told.episode_id)) is not None:
                    flood.refused[told.action_id, told.gateway_id] = told.refused
            case _:
                self.words[key] = decode_override(value)

    def _take_episode(self, record: EpisodeRecord) -> None:
        if record.level is Level.CLEAR:
            self.floods.pop(record.episode_id, None)
            return
        flood = self.floods.setdefault(record.episode_id, LiveFlood())
        if flood.case.records:
            record = merge_renewal(record, flood.case.last)
        flood.case.records = [record]
        flood.note(record.evidence)

    def _take_action(self, action: Action) -> None:
        flood = self.floods.setdefault(action.episode_id, LiveFlood())
        flood.note(action.evidence)
        if action.verb != "retry_windows":
            others = [a for a in flood.case.actions if entry_name(a) != entry_name(action)]
            same = [a for a in flood.case.actions if a not in others]
            flood.case.actions = [*others, max([*same, action], key=lambda each: each.rank)]

    def frame(
        self,
        now_ms: int,
        mode: str,
        facts: ClusterFacts,
        *,
        shown: Callable[[str], str],
        sort: str = "worst",
        wanted: str = "",
        rows_max: int = 100,
    ) -> Frame:
        """Return what is to be shown. `now_ms` is UTC; `shown` masks a recipient.

        `wanted`: only floods that have this text in the shown number, the rule or the level.
        """
        self._forget(now_ms)
        live = [each for each in self.floods.values() if each.case.records]
        switch = standing.switch(self.words.values(), now_ms)
        gateways = sort_gateways(self.answered, facts.signs or {}, now_ms)
        found = sorted(live, key=SORTS[sort])
        if wanted:
            found = [each for each in found if wanted in each.describe(shown)]
        return Frame(
            now_ms,
            tr("{mode} (kill switch)").format(mode=switch.mode) if switch else tr(mode),
            len(live),
            sum(each.is_throttled for each in live),
            [self._row(each, now_ms, shown) for each in islice(found, rows_max)],
            *gateways,
            facts,
            self.unreadable,
        )

    def explain(self, flood: LiveFlood, now_ms: int) -> list[str]:
        """Return the explanation of a flood, as `otpguard explain` prints it."""
        case, state = self._complete(flood, now_ms)
        told = tr("now: {state}").format(state=standing.says(state, case.lease(now_ms)))
        return [told, *standing.explanation(case, case.last)]

    def _row(self, flood: LiveFlood, now_ms: int, shown: Callable[[str], str]) -> FloodRow:
        (case, state), seen = self._complete(flood, now_ms), flood.evidence
        last = case.last
        acks = [ack for each in case.acks.values() for ack in each]
        line = CaseLine(
            last.episode_id, shown(last.recipient), last.kind, last.level.name.lower(), last.mode,
            state, seen.first_ms, seen.last_ms, None, seen.messages, seen.platforms, seen.novel,
            last.reason.rule, sum(flood.refused.values()),
            standing.said_by_gateways(acks, leased=bool(case.actions)), last.chronic,
        )  # fmt: skip
        return FloodRow(line, flood.pace())

    def _complete(self, flood: LiveFlood, now_ms: int) -> tuple[standing.Case, standing.Doing]:
        """Return a flood's case with its answers and overrides, and its state."""
        case, recipient = flood.case, flood.case.last.recipient
        own = (each.action_id for each in case.actions)
        case.acks = {each: list(self.acks[each].values()) for each in own if each in self.acks}
        words = list(self.words.values())
        case.words = [each for each in words if each.recipient == recipient]
        return case, standing.doing(case, words, now_ms)

    def _forget(self, now_ms: int) -> None:
        """Drop floods that are over, and answers about them when these are many."""
        self.floods = {n: each for n, each in self.floods.items() if not each.is_over(now_ms)}
        if len(self.acks) > 1000 + 4 * len(self.floods):
            own = {a.action_id for flood in self.floods.values() for a in flood.case.actions}
            since_ms = now_ms - QUIET_MS
            self.acks = {
                name: acks
                for name, acks in self.acks.items()
                if name in own or any(each.at_ms > since_ms for each in acks.values())
            }
