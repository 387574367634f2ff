"""One run of the demo: all that the report tells, and the claims it is held to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from detectors.leases.gate import Ruling
from streams.language import tr
from streams.scenarios.events import Role


@dataclass(frozen=True, slots=True)
class OfferedMessage:
    """One message offered to the victim."""

    event_time_ms: int
    platform: str  # its key, as detectors.recognise.recogniser names it
    role: Role  # what it really is; the detector is never told
    code: bool  # whether it was recognised as a verification code
    text: str  # with every digit masked
    ruling: Ruling = Ruling.NO_LEASE  # the gateway's
    level: float = 0.0  # of the bucket, this message included

    @property
    def refused(self) -> bool:
        """True if the gateway held it back."""
        return self.ruling is Ruling.REFUSE


@dataclass(frozen=True, slots=True)
class LevelChange:
    """A level that the victim's episode reached, and how long the news of it took."""

    level: str  # WATCH, THROTTLE, CLEAR
    event_time_ms: int
    rule: str
    score: float
    threshold: float
    text: str  # the detector's own reason
    reaction_ms: float | None = None  # real time from the causing message's sending to the gateway


@dataclass(frozen=True, slots=True)
class BucketBars:
    """The levels that the bucket had to reach, as the worker was configured."""

    leak_per_min: float
    watch_level: float
    watch_novel: int
    throttle_level: float
    throttle_novel: int


@dataclass(frozen=True, slots=True)
class Minute:
    """Messages offered to everybody else in one minute of the event clock."""

    start_ms: int
    messages: int
    codes: int


@dataclass(frozen=True, slots=True)
class Background:
    """Everybody else."""

    subscribers: int
    look_alikes: dict[str, int]  # id in the scenario catalogue -> subscribers who live through it
    minutes: list[Minute]
    actions: int  # throttle actions about any of them, of either mode
    refused: int  # messages to any of them that the gateway refused

    @property
    def messages(self) -> int:
        """In the whole live part."""
        return sum(minute.messages for minute in self.minutes)

    @property
    def codes(self) -> int:
        """The verification codes among the messages."""
        return sum(minute.codes for minute in self.minutes)

    @property
    def per_minute(self) -> float:
        """Mean rate of messages on the event clock."""
        return self.messages / max(len(self.minutes), 1)


@dataclass(frozen=True, slots=True)
class Machinery:
    """Conditions and counts of the run."""

    version: str
    broker: str
    partitions: int
    seed: int
    speed: float  # seconds of the event clock in a real second
    history: int  # messages of the days before
    offered: int  # messages sent to the topic in all
    counted: int  # messages that the worker says it has counted
    dead_letters: int
    took_s: float  # real time, from the broker's start to the last message counted


@dataclass(frozen=True, slots=True)
class Story:
    """One run, from the first message of the flood to the last."""

    victim: str  # masked
    utc_offset_min: int  # of the clock that the report shows
    known_platforms: int  # in the victim's history
    bars: BucketBars
    messages: list[OfferedMessage]  # to the victim in the live part, in the order offered
    changes: list[LevelChange]
    lease_end_ms: int | None  # of the last lease; None without one
    leases: int  # actions about the victim: the first and its renewals
    episode: dict[str, Any]  # the victim's newest episode record, as published
    background: Background
    machinery: Machinery

    @property
    def started_ms(self) -> int:
        """The time of the first message of the flood."""
        return self.of(Role.ATTACK)[0].event_time_ms

    @property
    def codes(self) -> list[OfferedMessage]:
        """The victim's messages that are codes, asked for or not."""
        return self.of(Role.ATTACK, Role.BANK, Role.KNOWN, Role.NEW)

    def of(self, *roles: Role) -> list[OfferedMessage]:
        """The victim's messages of these roles."""
        return [message for message in self.messages if message.role in roles]

    def refused(self, *roles: Role) -> list[OfferedMessage]:
        """The messages of these kinds that the gateway held back."""
        return [message for message in self.of(*roles) if message.refused]

    @property
    def asked_again(self) -> tuple[OfferedMessage | None, OfferedMessage | None]:
        """The first two codes of the platform that is new to the victim."""
        first, again, *_ = [*self.of(Role.NEW), None, None]
        return first, again

    def change(self, level: str) -> LevelChange | None:
        """The first time that the episode reached this level, or None."""
        return next((change for change in self.changes if change.level == level), None)

    def flood_until(self, event_time_ms: int) -> int:
        """Messages of the flood offered up to and at this time."""
        return sum(message.event_time_ms <= event_time_ms for message in self.of(Role.ATTACK))


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence about the run, and whether it came true."""

    text: str
    true: bool


def claims(story: Story) -> Iterator[Claim]:
    """The demo's promises. One that is not true makes it exit with 70."""
    throttle = story.change("THROTTLE")
    stopped = throttle is not None and bool(story.refused(Role.ATTACK))
    yield Claim(tr("the flood was throttled"), stopped)
    bank = story.of(Role.BANK)
    yield Claim(
        tr("the bank's codes arrived, every one"),
        bool(bank) and not any(message.refused for message in bank),
    )
    yield Claim(tr("no code of a known platform was refused"), not story.refused(Role.KNOWN))
    yield Claim(
        tr("nothing but codes was refused"), all(m.code for m in story.messages if m.refused)
    )
    first, again = story.asked_again
    if first is not None and first.refused:
        yield Claim(
            tr("a code of a platform new to the victim arrived when it was asked for again"),
            again is not None and not again.refused,
        )
    others = story.background
    yield Claim(
        tr("nobody else was touched: {n} others, {rate} messages a minute").format(
            n=f"{others.subscribers:,}", rate=f"{others.per_minute:,.0f}"
        ),
        others.actions == 0 and others.refused == 0,
    )
    machinery = story.machinery
    yield Claim(
        tr("every message was counted once: {n}").format(n=f"{machinery.offered:,}"),
        machinery.counted == machinery.offered and machinery.dead_letters == 0,
    )
