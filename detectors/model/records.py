"""The output of detection: actions for gateways, episode records for people, and their parts.

All types are immutable and contain no rules of detection. `streams/wire` serialises them. Every id
is the log position of the event that caused it, so a replay creates the same ids.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Literal, NamedTuple, TypeAlias

from detectors.model.event import Trust, platform_print
from detectors.model.fields import Count, TimeMs
from detectors.model.times import EPOCH_S


class Level(IntEnum):
    """The state of an episode, and so the treatment of its recipient."""

    CLEAR = 0
    WATCH = 1
    THROTTLE = 2


Mode: TypeAlias = Literal["shadow", "enforce"]
Verb: TypeAlias = Literal["throttle", "release", "throttle_platforms", "retry_windows"]
"""`throttle`: a full lease. It refuses codes of all platforms that its scope does not let pass.
`release`: ends a full lease. `throttle_platforms`: a platform lease. It refuses the platforms in
`Action.refused_ids` and no others; without ids, it ends the platform lease before it.
`retry_windows`: replaces the retry windows of the lease with the same `action_id`, and nothing
else."""
Kind: TypeAlias = Literal["flood", "resend", "limit"]
"""`limit`: single platforms are refused for this recipient, without a flood."""
Change: TypeAlias = Literal["opened", "raised", "renewed", "ended", "recycled"]

ALWAYS_PASS: Final = tuple(sorted(t for t in Trust if t is not Trust.NONE))


class Cause(NamedTuple):
    """The event or tick that caused a record or action.

    At a tick (every `TICK_OFFSETS`-th offset) the maintenance of a partition runs.
    """

    topic: str
    partition: int
    offset: int
    at_ms: int

    @property
    def at_s(self) -> int:
        """Return the time in seconds since `EPOCH_S`."""
        at_s = self[3] // 1000 - EPOCH_S  # `seconds` inlined: this is called for all events
        return at_s if 0 < at_s < 1 << 31 else seconds(self[3])

    def id(self, epoch: int) -> str:
        """Return the id of the action or episode that this event causes in `epoch` (a setting).

        >>> cause_partition(Cause("sms", 3, 17, 0).id(epoch=1), 1, "sms")
        3
        """
        return f"{epoch}:{self.topic}:{self.partition}:{self.offset}"


def cause_partition(action_id: str, epoch: int, topic: str) -> int:
    """Return the partition in an id made by `Cause.id`; -1 if epoch, topic or format differ."""
    prefix = f"{epoch}:{topic}:"
    if not action_id.startswith(prefix):
        return -1
    number, _, _ = action_id[len(prefix) :].partition(":")
    return int(number) if number.isdecimal() else -1


def seconds(at_ms: int) -> int:
    """Return milliseconds UTC as seconds since `EPOCH_S`, limited to 1 (2020) and 2**31 - 1 (2088).

    >>> seconds(1_577_836_800_000 + 5_999)
    5
    """
    at_s = at_ms // 1000 - EPOCH_S
    return at_s if 0 < at_s < 1 << 31 else 1 if at_s < 1 else (1 << 31) - 1


def utc_ms(at_s: int) -> int:
    """Return seconds since `EPOCH_S` as milliseconds UTC."""
    return (at_s + EPOCH_S) * 1000


class Step(NamedTuple):
    """One change of an episode's level, and the finding that caused the change."""

    level: Level
    at_ms: TimeMs
    offset: Count
    rule: str
    score: int | float
    threshold: int | float


@dataclass(frozen=True, slots=True)
class Scope:
    """The exceptions of a throttle: codes that pass. All other codes are refused."""

    category: str
    trust: tuple[Trust, ...]  # trust classes that pass
    pass_ids: tuple[int, ...]  # platform ids that pass, ascending
    pass_prints: tuple[int, ...]  # 16-bit hashes, ascending; all platforms with these pass


@dataclass(frozen=True, slots=True)
class Evidence:
    """Number of messages and platforms of one episode, and the times of its flood."""

    messages: int  # messages of the flood
    platforms: int  # platforms with a sighting in the episode
    novel: int  # novel platforms among them
    first_ms: int  # time of the first sighting that is still stored; see `merge_renewal`
    last_ms: int  # time of the newest message


@dataclass(frozen=True, slots=True)
class Reason:
    """The rule that decided, its score and threshold, and a sentence for people."""

    rule: str
    score: float
    threshold: float
    text: str


class AgainWindow(NamedTuple):
    """A retry window: one code of a refused platform passes within this time, once."""

    platform_id: int
    from_ms: int
    until_ms: int  # exclusive
    hot: bool  # true: other floods abuse the platform, so fewer such codes pass


@dataclass(frozen=True, slots=True)
class Action:
    """One lease, its withdrawal, or its new retry windows.

    A recipient has at most one full lease and one platform lease at a time. For each of these two
    kinds, the highest (epoch, revision) applies. A current lease may be published again with other
    retry windows. It then keeps its id, and has a new revision and a new cause.
    """

    action_id: str
    episode_id: str
    epoch: int
    revision: int
    recipient: str
    verb: Verb
    mode: Mode
    scope: Scope
    issued_at_ms: int
    expires_at_ms: int
    opened_ms: int  # event time of the message that opened the episode
    level: Level
    reason: Reason
    evidence: Evidence
    cause: Cause
    version: str
    config: str
    again: tuple[AgainWindow, ...] = ()  # retry windows, ascending by opening time
    refused_ids: tuple[int, ...] = ()  # platforms refused although the scope lets them pass

    @property
    def rank(self) -> tuple[int, int]:
        """Return the value by which two actions of one kind compare: the higher one applies."""
        return self.epoch, self.revision

    @property
    def is_lease(self) -> bool:
        """Return true if this action is a full lease or a platform lease."""
        return self.verb != "retry_windows" and not self.ends

    @property
    def ends(self) -> bool:
        """Return true if this action only ends the lease that was issued before it."""
        return self.verb == "release" or (
            self.verb == "throttle_platforms" and not self.refused_ids
        )

    @property
    def update(self) -> bool:
        """Return true if this action publishes new retry windows of an earlier lease."""
        return self.action_id.partition("/")[0] != self.cause.id(self.epoch)


class Sighting(NamedTuple):
    """One platform's first message within a day, for the explanation of a decision."""

    platform: str
    platform_id: int
    at_ms: int
    novel: bool
    trust: Trust
    hot: bool = False  # true: the platform was listed as abused by floods at that time


class Rung(NamedTuple):
    """One rule's score and thresholds."""

    rule: str
    score: float
    watch: float
    throttle: float


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """The whole state of an episode at one change; for a renewal, only what changed.

    A renewal has `since_ms` and the sightings since then. Its path, rungs, scope and facts about
    the recipient are empty: they are in the previous record, and `merge_renewal` merges both.
    """

    episode_id: str
    kind: Kind
    change: Change
    epoch: int
    revision: int
    recipient: str
    level: Level
    mode: Mode
    at_ms: int
    reason: Reason
    evidence: Evidence
    path: tuple[Step, ...]
    sightings: tuple[Sighting, ...]  # of the episode, oldest first; at most 128
    rungs: tuple[Rung, ...]
    scope: Scope  # exceptions of the throttle; `NOWHERE` for a resend, which has no throttle
    known: int  # number of platforms that the recipient knows
    memory_days: int  # age of the recipient's memory in days
    chronic: bool  # true: the recipient was under THROTTLE on too many recent days
    cause: Cause
    version: str
    config: str
    since_ms: int | None = None  # only in a renewal: time of the previous lease


NOWHERE: Final = Scope("otp", (), (), ())  # Passes nobody: records without a throttle have it.


def merge_renewal(record: EpisodeRecord, before: EpisodeRecord) -> EpisodeRecord:
    """Return the complete record, merged with the previous complete record of its episode.

    A record that is not a renewal is complete but for the time of its first message. A large flood
    drops its oldest sightings, and a later record knows only those that are left.
    """
    first_ms = min(record.evidence.first_ms, before.evidence.first_ms)
    evidence = replace(record.evidence, first_ms=first_ms)
    if record.since_ms is None:
        return replace(record, evidence=evidence)
    sightings = {(s.at_ms, s.platform_id): s for s in (*before.sightings, *record.sightings)}
    return replace(
        before,
        change=record.change,
        revision=record.revision,
        level=record.level,
        mode=record.mode,
        at_ms=record.at_ms,
        reason=record.reason,
        evidence=evidence,
        sightings=tuple(sightings[key] for key in sorted(sightings)),
        cause=record.cause,
        version=record.version,
        config=record.config,
    )


def refuses(scope: Scope, platform: int, trust: Trust) -> bool:
    """Return true if a throttle with this scope refuses a code of this platform."""
    return not (
        trust in scope.trust
        or platform in scope.pass_ids
        or platform_print(platform) in scope.pass_prints
    )
