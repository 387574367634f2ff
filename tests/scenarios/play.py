"""Plays labelled events through decoder and chain, with a simulated gateway that obeys the leases.

What comes out is what became of each recipient: when it was noticed, and what was refused to it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.chain import Decisions, Params, Partition, process
from detectors.episodes.lease import EpisodeParams
from detectors.hot.listed import Hot
from detectors.leases.gateway_rule import Ruling
from detectors.leases.retry_budget import SecondPasses
from detectors.model.event import HotList, Trust
from detectors.model.records import Action, Level, refuses
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import RecogniseParams, Recogniser
from streams.tools.scenarios import Labelled, Role
from streams.tools.scenarios.message_writer import MessageWriter
from streams.tools.scenarios.platform_profiles import PlatformProfile
from streams.wire.events import Intake, decode, encode_listed
from streams.wire.recipients import Numbers

BATCH: Final = 4096
DAY_MS: Final = 86_400_000

APPLY_MS: Final = 500
"""From a message to the lease that it causes being obeyed: the budget of p99."""

REGISTRY: Final = Registry.load_shipped()
INTAKE: Final = Intake(Numbers("CN"), listed=True)
PARAMS: Final = Params(episode=EpisodeParams(mode="enforce"))


class Found(NamedTuple):
    """When a level was reached, counted from the first message of the flood."""

    delay_ms: int
    messages: int  # of the flood, the one that caused it among them


@dataclass(slots=True)
class Outcome:
    """What became of one recipient. Its flood is what an attacker sent, else its own codes."""

    first_ms: int = 0
    flood: int = 0  # messages of it
    watch: Found | None = None
    throttle: Found | None = None
    shadow: bool = False  # the THROTTLE was in shadow
    after: int = 0  # messages of the flood after the one that caused THROTTLE
    sent: Counter[Role] = field(default_factory=Counter)
    recognised: Counter[Role] = field(default_factory=Counter)  # as codes
    refused: Counter[Role] = field(default_factory=Counter)
    again: Counter[Role] = field(default_factory=Counter)  # passed, being asked for again
    held_new: set[str] = field(default_factory=set)  # own new platforms whose first was refused,
    came_new: set[str] = field(default_factory=set)  # and those of them of which one came then
    met_new: set[str] = field(default_factory=set)
    # Of the flood's messages, those of platforms that the recipient did not know: known ones pass.
    flood_by_day: Counter[int] = field(default_factory=Counter)
    refused_by_day: Counter[int] = field(default_factory=Counter)
    throttled_by_day: Counter[int] = field(default_factory=Counter)  # times


def play(
    events: Iterable[Labelled],
    *,
    params: Params = PARAMS,
    confidence_min: float = 0.5,
    stride: int = 1,
    hot: Sequence[PlatformProfile] | None = None,
) -> dict[str, Outcome]:
    """What became of each recipient of these events, which are a partition's log in its order.

    With `hot`, those platforms are hot from the first to the last, in place of a list that is made.

    Every event is so many offsets after the one before: what lies between is not counted, and
    moves ticks, as the traffic of others does.
    """
    played = Played(params, confidence_min)
    log = Log(0, Partition(params))
    if hot is not None:
        log.state.book.hot = Given(platform_ids(hot, played.recogniser))
    events = iter(events)
    while chunk := list(islice(events, BATCH)):
        played.take(log, chunk, stride)
    return dict(played.outcomes)


@dataclass(slots=True)
class Log:
    """A partition, as far as its log was played."""

    number: int
    state: Partition
    offset: int = 0  # of the next event


class Played:
    """What became of recipients, while a gateway obeys the leases that the chain makes."""

    def __init__(self, params: Params, confidence_min: float = 0.5) -> None:
        self.outcomes: dict[str, Outcome] = defaultdict(Outcome)
        self.recogniser = Recogniser(REGISTRY, RecogniseParams(confidence_min=confidence_min))
        self._params = params
        self._leases: dict[str, list[Action]] = defaultdict(list)  # of a recipient, oldest first
        self._attacked = set[str]()
        self._known = set[tuple[str, str]]()  # recipient, platform
        self._gateway = Gateway()

    def take(
        self,
        log: Log,
        chunk: Sequence[Labelled],
        stride: int,
        until: int | None = None,
        told: HotList | None = None,
    ) -> Decisions:
        """Take events of a partition in, each so many offsets after the one before.

        `until` is the offset behind them, where others' records follow; before them comes a list
        that was `told`.
        """
        values: list[bytes | None] = [msgspec.json.encode(event.value) for event in chunk]
        keys: list[bytes | None] = [str(event.value["recipient"]).encode() for event in chunk]
        if told is not None:
            values.insert(0, encode_listed(told))
            keys.insert(0, None)
        first = log.offset + stride * (told is not None)
        log.offset += len(values) * stride
        offsets = np.arange(log.offset - len(values) * stride, log.offset, stride)
        log.offset = log.offset if until is None else until
        decoded = decode(INTAKE, "rehearsal", log.number, values, keys, offsets, None, log.offset)
        assert not decoded.rejects, decoded.rejects[:3]
        batch = decoded.batch
        codes = self.recogniser.columns(batch)
        decisions = process(self._params, log.state, batch, codes)
        for action in decisions.actions:
            self._leases[action.recipient].append(action)
        raised: dict[int, Level] = {
            record.cause.offset: record.level
            for record in decisions.episodes
            if record.kind == "flood" and record.change in ("opened", "raised")
        }
        for row, offset in enumerate(batch.offset.tolist()):
            if offset >= first:
                code = Code(
                    bool(codes.otp[row]), int(codes.platform[row]), Trust(int(codes.trust[row]))
                )
                self._note(chunk[(offset - first) // stride], code, raised.get(offset))
        return decisions

    def _note(self, event: Labelled, code: Code, raised: Level | None) -> None:
        """Note what becomes of an event, and the level to which it raised its recipient."""
        recipient, role = event.value["recipient"], event.truth.role
        acquainted = (recipient, event.truth.platform)
        if event.truth.scenario == "history":
            self._known.add(acquainted)
            return
        if role is Role.ATTACK:
            self._attacked.add(recipient)
        ruling = Ruling.NO_LEASE
        if recipient in self._leases and code.otp:
            ruling = self._gateway.ask(
                self._leases[recipient], event.value["event_time_ms"], code.platform, code.trust
            )
        refused = ruling is Ruling.REFUSE
        in_flood = role is Role.ATTACK if recipient in self._attacked else role is not Role.OTHER
        outcome = self.outcomes[recipient]
        outcome.sent[role] += 1
        outcome.refused[role] += refused
        outcome.again[role] += ruling is Ruling.AGAIN
        if role is Role.NEW:
            _asked(outcome, event.truth.platform, refused=refused)
        if in_flood:
            _flooded(outcome, event, refused=refused, known=acquainted in self._known)
        if code.otp:
            outcome.recognised[role] += 1
        if raised is not None:
            _raise(outcome, event, raised, self._leases.get(recipient, []))


class Code(NamedTuple):
    """What was recognised in a message."""

    otp: bool
    platform: int
    trust: Trust


class Given(Hot):
    """A list that nothing changes."""

    __slots__ = ()

    def __init__(self, platforms: frozenset[int]) -> None:
        super().__init__()
        self.platforms = platforms

    def make(self, offset: int) -> None:
        """Nothing."""


def platform_ids(platforms: Sequence[PlatformProfile], recogniser: Recogniser) -> frozenset[int]:
    """The ids that codes of these platforms are recognised with."""
    writer = MessageWriter("ids", 0, 0)
    values: list[bytes | None] = [
        msgspec.json.encode(writer.code(1_700_000_000_000, who).value) for who in platforms
    ]
    keys: list[bytes | None] = [b"1"] * len(values)
    offsets = np.arange(len(values))
    decoded = decode(INTAKE, "rehearsal", 0, values, keys, offsets, None, len(values))
    return frozenset(recogniser.columns(decoded.batch).platform.tolist())


def _flooded(outcome: Outcome, event: Labelled, *, refused: bool, known: bool) -> None:
    at_ms = event.value["event_time_ms"]
    outcome.flood += 1
    outcome.first_ms = outcome.first_ms or at_ms
    outcome.after += outcome.throttle is not None
    day = (at_ms - outcome.first_ms) // DAY_MS
    if not known:
        outcome.flood_by_day[day] += 1
        outcome.refused_by_day[day] += refused


def _asked(outcome: Outcome, platform: str, *, refused: bool) -> None:
    if not refused and platform in outcome.held_new:
        outcome.came_new.add(platform)
    elif refused and platform not in outcome.met_new:
        outcome.held_new.add(platform)
    outcome.met_new.add(platform)


def _raise(outcome: Outcome, event: Labelled, level: Level, leases: list[Action]) -> None:
    found = Found(event.value["event_time_ms"] - outcome.first_ms, outcome.flood)
    outcome.watch = outcome.watch or found
    if level is Level.THROTTLE:
        outcome.throttled_by_day[found.delay_ms // DAY_MS] += 1
        if outcome.throttle is None:
            outcome.throttle = found
            outcome.shadow = leases[0].mode == "shadow"


class Gateway:
    """One gateway that obeys a lease half a second after it was told."""

    def __init__(self) -> None:
        self.second = SecondPasses()

    def ask(self, leases: Sequence[Action], at_ms: int, platform: int, trust: Trust) -> Ruling:
        """The ruling on a code, by the newest full and platform leases that reached the gateway."""
        came = [lease for lease in reversed(leases) if lease.cause.at_ms + APPLY_MS <= at_ms]
        full = next((lease for lease in came if lease.verb in ("throttle", "release")), None)
        alone = next((lease for lease in came if lease.verb == "throttle_platforms"), None)
        live = [
            lease
            for lease in (full, alone)
            if lease and lease.mode == "enforce" and at_ms < lease.expires_at_ms
        ]
        live = [lease for lease in live if lease.verb != "release"]
        if not live:
            over = full is not None and full.verb == "throttle" and full.mode == "enforce"
            return Ruling.OVER if over else Ruling.NO_LEASE
        named = trust is Trust.NONE and any(platform in lease.refused_ids for lease in live)
        if not named and (full not in live or not refuses(live[0].scope, platform, trust)):
            return Ruling.KNOWN if full in live else Ruling.OTHER
        for window in (window for lease in live for window in lease.again):
            inside = window.from_ms <= at_ms < window.until_ms
            if window.platform_id == platform and inside:
                passes = self.second.take(live[0].recipient, window, at_ms)
                return Ruling.AGAIN if passes else Ruling.REFUSE
        return Ruling.REFUSE
