"""Actions and episode records, which tell the world, and the parts that they are made of.

All frozen, none with a rule of detection in it; `streams/wire` writes and reads them. Every id is
the position of the event that caused it, so that a replay repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Literal, NamedTuple, TypeAlias

from detectors.model.event import Trust, platform_print
from detectors.model.times import EPOCH_S


class Level(IntEnum):
    """The treatment of a recipient."""

    CLEAR = 0
    WATCH = 1
    THROTTLE = 2


Mode: TypeAlias = Literal["shadow", "enforce"]
Verb: TypeAlias = Literal["throttle", "release"]
Kind: TypeAlias = Literal["flood", "resend"]
Change: TypeAlias = Literal["opened", "raised", "renewed", "ended", "recycled"]

ALWAYS_PASS: Final = tuple(sorted(t for t in Trust if t is not Trust.NONE))


class Cause(NamedTuple):
    """The event that made something happen, or the tick that found it out."""

    topic: str
    partition: int
    offset: int
    at_ms: int

    @property
    def at_s(self) -> int:
        """Seconds since the epoch of `detectors.recipients.row`."""
        at_s = self[3] // 1000 - EPOCH_S  # `seconds`, without its call: all events ask
        return at_s if 0 < at_s < 1 << 31 else seconds(self[3])

    def id(self, epoch: int) -> str:
        """The id of whatever this event causes.

        >>> cause_partition(Cause("sms", 3, 17, 0).id(epoch=1), 1, "sms")
        3
        """
        return f"{epoch}:{self.topic}:{self.partition}:{self.offset}"


def cause_partition(action_id: str, epoch: int, topic: str) -> int:
    """The partition of the cause that an id names; -1 if it is of another epoch, topic or kind."""
    prefix = f"{epoch}:{topic}:"
    if not action_id.startswith(prefix):
        return -1
    number, _, _ = action_id[len(prefix) :].partition(":")
    return int(number) if number.isdecimal() else -1


def seconds(at_ms: int) -> int:
    """Milliseconds UTC as seconds since `EPOCH_S`; before 2020 all is 1, after 2088 the end.

    >>> seconds(1_577_836_800_000 + 5_999)
    5
    """
    at_s = at_ms // 1000 - EPOCH_S
    return at_s if 0 < at_s < 1 << 31 else 1 if at_s < 1 else (1 << 31) - 1


def utc_ms(at_s: int) -> int:
    """Back to milliseconds UTC."""
    return (at_s + EPOCH_S) * 1000


class Step(NamedTuple):
    """One change of level, and the finding behind it."""

    level: Level
    at_ms: int
    offset: int
    rule: str
    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Scope:
    """The exceptions of a throttle, which refuses all other codes."""

    category: str
    trust: tuple[Trust, ...]  # classes that pass
    pass_ids: tuple[int, ...]  # platforms that pass, ascending
    pass_prints: tuple[int, ...]  # the same by print, ascending; a platform sharing one passes too


@dataclass(frozen=True, slots=True)
class Evidence:
    """Counts of an episode: messages, platforms and novel platforms, from when to when."""

    messages: int
    platforms: int
    novel: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Reason:
    """The rule that decided."""

    rule: str
    score: float
    threshold: float
    text: str


class AgainWindow(NamedTuple):
    """A refused platform whose next code passes, being asked for again: within this time, once."""

    platform_id: int
    from_ms: int
    until_ms: int  # exclusive
    hot: bool  # abused in other floods: of those fewer pass


@dataclass(frozen=True, slots=True)
class Action:
    """One lease, or its withdrawal; of one recipient's the highest (epoch, revision) holds.

    A lease that stands may be told again with other windows: under its own id, with a new revision
    and the cause of that.
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
    again: tuple[AgainWindow, ...] = ()  # ascending by when they open

    @property
    def update(self) -> bool:
        """True if it tells new windows of a lease that was told before."""
        return self.action_id != self.cause.id(self.epoch)


class Sighting(NamedTuple):
    """One platform's first message within a day, for the explanation."""

    platform: str
    platform_id: int
    at_ms: int
    novel: bool
    trust: Trust
    hot: bool = False  # abused in other floods, by the list that held then


class Rung(NamedTuple):
    """One rule's score beside its bars."""

    rule: str
    score: float
    watch: float
    throttle: float


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """Everything about an episode at one change of it; of a renewal, what changed.

    A renewal says `since_ms`. It has the sightings since then, and neither path, rungs, scope nor
    what is known of the recipient: those are in the record before, and in `completed`.
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
    scope: Scope  # what a throttle lets pass; none of a resend, which has no throttle
    known: int  # platforms the recipient knows
    memory_days: int  # since its row began
    chronic: bool
    cause: Cause
    version: str
    config: str
    since_ms: int | None = None  # time of the episode's record before, which this one goes on from


NOWHERE: Final = Scope("otp", (), (), ())
"""Scope of a record that tells of no throttle's exceptions."""


def completed(record: EpisodeRecord, before: EpisodeRecord) -> EpisodeRecord:
    """Everything about an episode at a renewal, from what is known of it by the record before."""
    if record.since_ms is None:
        return record
    sightings = {(s.at_ms, s.platform_id): s for s in (*before.sightings, *record.sightings)}
    return replace(
        before,
        change=record.change,
        revision=record.revision,
        level=record.level,
        mode=record.mode,
        at_ms=record.at_ms,
        reason=record.reason,
        evidence=record.evidence,
        sightings=tuple(sightings[key] for key in sorted(sightings)),
        cause=record.cause,
        version=record.version,
        config=record.config,
    )


def refuses(scope: Scope, platform: int, trust: Trust) -> bool:
    """Tell if a throttle with this scope refuses a code of this platform."""
    return not (
        trust in scope.trust
        or platform in scope.pass_ids
        or platform_print(platform) in scope.pass_prints
    )
