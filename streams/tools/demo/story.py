"""The data of one demo run for the report, and the claims that the run must fulfil."""

from collections.abc import Iterator
from dataclasses import dataclass

from detectors.leases.gateway_rule import Ruling
from streams.common import tr
from streams.tools.scenarios.labelled_events import Role


@dataclass(frozen=True, slots=True)
class OfferedMessage:
    """One message offered to the victim."""

    event_time_ms: int
    platform: str  # Platform key, as in `detectors.recognise.recogniser`.
    role: Role  # The true kind of the message; the detector does not see it.
    code: bool  # True if it was recognised as a verification code.
    text: str  # All digits are masked.
    ruling: Ruling = Ruling.NO_LEASE  # The gateway's ruling.

    @property
    def is_refused(self) -> bool:
        return self.ruling is Ruling.REFUSE


@dataclass(frozen=True, slots=True)
class LevelChange:
    """A level that the victim's episode reached, and how long its publication took."""

    level: str  # WATCH, THROTTLE, CLEAR
    event_time_ms: int
    rule: str
    score: float
    threshold: float
    text: str  # The detector's own reason.
    # Real time in ms from sending the causing message until the gateway reads the action.
    reaction_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Background:
    """The traffic of all other subscribers."""

    subscribers: int
    look_alikes: dict[str, int]  # Scenario id -> number of subscribers who play this scenario.
    minutes: int  # Minutes of the live part.
    messages: int  # Messages to them in the live part.
    codes: int  # The codes among these.
    actions: int  # Throttle actions about any of them, in both modes.
    refused: int  # Messages to any of them that the gateway refused.

    @property
    def per_minute(self) -> float:
        """Mean number of messages per minute of the event clock."""
        return self.messages / self.minutes


@dataclass(frozen=True, slots=True)
class Machinery:
    """Conditions and counts of the run."""

    version: str
    broker: str
    partitions: int
    seed: int
    speed: float  # Seconds of the event clock per real second.
    history: int  # Number of messages of the days before.
    offered: int  # All messages sent to the topic.
    counted: int  # Messages that the worker reports as counted.
    dead_letters: int
    took_s: float  # Real seconds, from the broker's start to the last counted message.


@dataclass(frozen=True, slots=True)
class Story:
    """One run, from the first message of the flood to the last."""

    victim: str  # Masked number.
    utc_offset_min: int  # UTC offset of the times in the report, in minutes.
    known_platforms: int  # Number of platforms in the victim's history.
    messages: list[OfferedMessage]  # Messages to the victim in the live part, in order.
    changes: list[LevelChange]
    lease_end_ms: int | None  # End of the last lease, ms UTC; None without a lease.
    background: Background
    machinery: Machinery

    @property
    def started_ms(self) -> int:
        """The time of the first message of the flood, ms UTC."""
        return self.of(Role.ATTACK)[0].event_time_ms

    @property
    def codes(self) -> list[OfferedMessage]:
        """The victim's messages that are codes, requested or not."""
        return self.of(Role.ATTACK, Role.BANK, Role.KNOWN, Role.NEW)

    def of(self, *roles: Role) -> list[OfferedMessage]:
        return [message for message in self.messages if message.role in roles]

    def list_refused(self, *roles: Role) -> list[OfferedMessage]:
        return [message for message in self.of(*roles) if message.is_refused]

    def change(self, level: str) -> LevelChange | None:
        """Return the first time that the episode reached this level, or None."""
        return next((change for change in self.changes if change.level == level), None)

    def flood_until(self, event_time_ms: int) -> int:
        """Return the number of flood messages offered up to this time, inclusive."""
        return sum(message.event_time_ms <= event_time_ms for message in self.of(Role.ATTACK))


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim about the run, and whether it is true."""

    text: str
    true: bool


def claims(story: Story) -> Iterator[Claim]:
    """Yield the demo's claims; if one is false, the demo exits with code 70."""
    stopped = story.change("THROTTLE") is not None and bool(story.list_refused(Role.ATTACK))
    yield Claim(tr("the flood was throttled"), stopped)
    bank = story.of(Role.BANK)
    yield Claim(
        tr("the bank's codes arrived, every one"),
        bool(bank) and not any(message.is_refused for message in bank),
    )
    yield Claim(tr("no code of a known platform was refused"), not story.list_refused(Role.KNOWN))
    yield Claim(
        tr("nothing but codes was refused"), all(m.code for m in story.messages if m.is_refused)
    )
    asked = story.of(Role.NEW)  # Codes of the platform that is new to the victim.
    if asked and asked[0].is_refused:
        yield Claim(
            tr("a code of a platform new to the victim arrived when it was asked for again"),
            len(asked) > 1 and not asked[1].is_refused,
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
