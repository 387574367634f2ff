"""The possible moves of an attacker against one victim, as messages with times; seeded.

A move is a function of a `Field` (the victim, the numbers, the one source of chance) and draws its
own parameters. `arrives_ms` is when a message reaches the log; `recorded_ms` is what the broker
wrote beside it; the event time in the value is what its gateway claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random
from typing import Any, Final

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
START_MS: Final = 1_790_000_000_000  # September 2026


class Kind(Enum):
    """Who a message is from."""

    ATTACK = auto()
    OWN = auto()  # the victim's own platforms, used over weeks, and its bank
    METRONOME = auto()  # ordinary messages to others, which move the watermark
    COVER = auto()  # the attacker's messages to others: they prepare, and are not counted


@dataclass(frozen=True, slots=True)
class Shot:
    """One message."""

    kind: Kind
    arrives_ms: int
    recorded_ms: int
    platform: str
    value: dict[str, Any]
    evidence: bool = True  # a flood goes on; not one platform that sends again and again


@dataclass(frozen=True, slots=True)
class Move:
    """A part of a plan: its name, its parameters for people, its messages."""

    name: str
    told: str
    shots: list[Shot]
    end_ms: int


@dataclass(slots=True)
class Field:
    """Where a plan takes place."""

    rng: Random
    victim: str = "8613900000001"
    now_ms: int = START_MS
    _written: int = 0
    _platforms: int = 0
    taken: list[str] = field(default_factory=list)

    def platforms(self, count: int) -> list[str]:
        """So many platforms that nobody has used yet."""
        made = [f"平台{self._platforms + i}号" for i in range(count)]
        self._platforms += count
        return made

    def shot(
        self, at_ms: int, platform: str, kind: Kind = Kind.ATTACK, *, recipient: str = "",
        claims_ms: int | None = None, recorded_ms: int | None = None, gateway: str = "gw-1",
        sender: str | None = None, text: str | None = None, evidence: bool = True,
    ) -> Shot:  # fmt: skip
        """One code of a platform, by default with a signature from a port of its own."""
        self._written += 1
        code = self.rng.randrange(100_000, 1_000_000)
        if sender is None:
            sender = f"1069{sum(map(ord, platform)) % 10**8:08}"
        value = {
            "schema_version": 1, "recipient": recipient or self.victim, "sender": sender,
            "event_time_ms": at_ms if claims_ms is None else claims_ms,
            "message_id": f"m{self._written}", "gateway_id": gateway,
            "text": text if text is not None else f"【{platform}】您的验证码是{code}，5分钟内有效",
        }  # fmt: skip
        recorded_ms = at_ms if recorded_ms is None else recorded_ms
        return Shot(kind, at_ms, recorded_ms, platform, value, evidence)


def own_life(f: Field, days: int = 30) -> Move:
    """The victim's own platforms, each used in three different weeks, and its bank."""
    used = f.platforms(14)
    shots = []
    for number, platform in enumerate(used):
        for week in range(3):
            at = f.now_ms + (week * 9 * DAY_MS) + number * HOUR_MS + f.rng.randrange(HOUR_MS)
            shots.append(f.shot(at, platform, Kind.OWN))
    f.now_ms += days * DAY_MS
    f.taken = used
    return Move("own life", f"{len(used)} platforms in three weeks each", shots, f.now_ms)


def prime_then_blast(f: Field) -> Move:
    """First each platform once at a person's pace, then many more of each, which weigh nothing."""
    count, gap_s = f.rng.randrange(5, 54), f.rng.randrange(41, 91)
    repeats, beat_ms = f.rng.randrange(6, 16), f.rng.randrange(800, 3000)
    platforms, shots, at = f.platforms(count), [], f.now_ms
    for platform in platforms:
        shots.append(f.shot(at, platform))
        at += gap_s * SECOND_MS
    for _ in range(repeats):
        for platform in platforms:
            shots.append(f.shot(at, platform))
            at += beat_ms
    return _move(
        f, "prime", f"{count} platforms each {gap_s} s, {repeats} more each {beat_ms} ms", shots, at
    )


def paced(f: Field) -> Move:
    """New platforms at one pace, as near under a bar as can be."""
    gap_s = f.rng.choice((20, 35, 41, 45, 60, 75, 90, 110, 120, 150, 240))
    count = min(300, 4 * 3600 // gap_s)
    shots, at = [], f.now_ms
    for platform in f.platforms(count):
        shots.append(f.shot(at, platform))
        at += gap_s * SECOND_MS
    return _move(f, "paced", f"{count} platforms, one each {gap_s} s", shots, at)


def burst(f: Field) -> Move:
    """A plain flood: what every preparation is for."""
    count, gap_ms = f.rng.randrange(30, 80), f.rng.randrange(500, 4000)
    shots, at = [], f.now_ms
    for platform in f.platforms(count):
        shots.append(f.shot(at, platform))
        at += gap_ms
    return _move(f, "burst", f"{count} platforms, one each {gap_ms} ms", shots, at)


def taught(f: Field) -> Move:
    """Platforms are taught over days at a slow pace, then used as if the victim knew them."""
    count, days, gap_min = f.rng.randrange(18, 30), f.rng.randrange(2, 6), f.rng.randrange(45, 75)
    platforms, shots = f.platforms(count), []
    for day in range(days):
        for number in range(11):
            platform = platforms[(day * 11 + number) % count]
            at = f.now_ms + day * DAY_MS + number * gap_min * MINUTE_MS
            shots.append(f.shot(at, platform))
    at = f.now_ms + days * DAY_MS
    for _ in range(10):
        for platform in platforms:
            shots.append(f.shot(at, platform))
            at += 2 * SECOND_MS
    return _move(f, "taught", f"{count} platforms over {days} days, then 10 of each", shots, at)


def coarse_once(f: Field) -> Move:
    """One message through a gateway with stamps of two minutes, days before a burst."""
    rough, shots = "gw-rough", []
    for number in range(4000):  # others' messages show how coarse that gateway is
        at = f.now_ms + number * 20 * SECOND_MS
        jitter = f.rng.randrange(-120, 121) * SECOND_MS
        shots.append(
            f.shot(
                at,
                "天气",
                Kind.COVER,
                recipient=f"86137{number % 500:08}",
                gateway=rough,
                claims_ms=at + min(jitter, 0),
                text="明日晴",
            )
        )
    # Enough others have to be suspects of that feed, and the victim as well.
    at = shots[-1].arrives_ms + MINUTE_MS
    for platform in f.platforms(9):
        shots.append(f.shot(at, platform, gateway=rough, claims_ms=at - 60 * SECOND_MS))
        at += 3 * MINUTE_MS
    f.now_ms = at + f.rng.randrange(1, 12) * HOUR_MS
    after = burst(f)
    return Move("coarse once", f"a rough gateway, then {after.told}", shots + after.shots, f.now_ms)


def backlog(f: Field) -> Move:
    """Old messages of a healthy gateway come between its live ones, then a burst through it."""
    shots, at = [], f.now_ms
    for number in range(9000):
        at = f.now_ms + number * 400
        old = number % 3 == 0
        claims = at - f.rng.randrange(1, 6) * HOUR_MS if old else at
        shots.append(
            f.shot(
                at,
                "天气",
                Kind.COVER,
                recipient=f"86136{number % 2000:08}",
                claims_ms=claims,
                text="明日晴",
            )
        )
    f.now_ms = at + MINUTE_MS
    after = burst(f)
    return Move(
        "backlog", f"3,000 old among 6,000 live, then {after.told}", shots + after.shots, f.now_ms
    )


def wrong_clock(f: Field) -> Move:
    """A clock far ahead, and wrong in the record too; bursts hours and days later."""
    ahead = f.rng.choice((20 * MINUTE_MS, 6 * HOUR_MS, 30 * DAY_MS, 365 * DAY_MS))
    number = f.rng.choice((1, 1, 400))  # one event, or whole ticks
    shots, at = [], f.now_ms
    for i in range(number):
        recipient = f.victim if i == 0 else f"86135{i:08}"
        kind = Kind.ATTACK if i == 0 else Kind.COVER
        shots.append(
            f.shot(
                at, "时钟", kind, recipient=recipient, claims_ms=at + ahead, recorded_ms=at + ahead
            )
        )
        at += 2 * SECOND_MS
    f.now_ms = at + HOUR_MS
    told = []
    for _ in range(2):
        after = burst(f)
        shots += after.shots
        told.append(after.told)
        f.now_ms += 2 * DAY_MS
    return Move(
        "wrong clock",
        f"{number} events {ahead // MINUTE_MS} min ahead, then {told}",
        shots,
        f.now_ms,
    )


def drip_then_burst(f: Field) -> Move:
    """A code now and then for most of a day, so that the evidence is old, then a flood."""
    shots, at = [], f.now_ms
    gap_min = f.rng.randrange(25, 80)
    count = 23 * 60 // gap_min
    for platform in f.platforms(count):
        shots.append(f.shot(at, platform))
        at += gap_min * MINUTE_MS
    for platform in f.platforms(600):
        shots.append(f.shot(at, platform))
        at += 6 * SECOND_MS
    return _move(f, "drip", f"{count} codes each {gap_min} min, then 600 each 6 s", shots, at)


def kept_alive(f: Field) -> Move:
    """A burst, then one platform that goes on sending for a day."""
    gap_s = f.rng.randrange(30, 400)
    after = burst(f)
    (platform,) = f.platforms(1)
    shots, at = list(after.shots), after.end_ms
    quiet_from = at
    while at < quiet_from + 12 * HOUR_MS:
        shots.append(f.shot(at, platform, evidence=False))
        at += gap_s * SECOND_MS
    return _move(
        f, "kept alive", f"{after.told}, then one platform each {gap_s} s for 12 h", shots, at
    )


SPOOFS: Final = (
     "+95588", "+1069{n}", "0095588", "+10086{n}", "00", " ", "\u200b", "+120255501{m}",
    "+96650000{m}", "+9620000{m}", "+95000{m}", "10690{n}", "",
)  # fmt: skip
"""Senders that look like those of banks, carriers, ports or nobody; n four digits, m two."""


def spoofed(f: Field) -> Move:
    """A burst in which senders claim what they are not, and texts name banks."""
    count, shots, at = f.rng.randrange(40, 70), [], f.now_ms
    for number, platform in enumerate(f.platforms(count)):
        sender = f.rng.choice(SPOOFS).format(
            n=f.rng.randrange(1000, 10_000), m=f.rng.randrange(10, 100)
        )
        name = f.rng.choice((platform, platform, "招商银行", "中国移动"))
        if not sender or sender.startswith("10690"):
            name = platform  # a port's owner answers for it, and a feed without senders for all
        code = f.rng.randrange(100_000, 1_000_000)
        text = f"【{name}】验证码{code}，{number}分钟内有效"
        shots.append(f.shot(at, platform, sender=sender, text=text))
        at += f.rng.randrange(500, 4000)
    return _move(f, "spoofed", f"{count} codes from senders that claim others", shots, at)


def doubled(f: Field) -> Move:
    """A burst whose messages all arrive twice, and are tried again as after a refusal."""
    inner = burst(f)
    shots = []
    for shot in inner.shots:
        shots += [shot, shot]
        again = shot.value | {"attempt": 2}
        later = shot.arrives_ms + f.rng.randrange(30, 61) * SECOND_MS
        shots.append(Shot(shot.kind, later, later, shot.platform, again))
    return Move("doubled", f"{inner.told}, each twice and tried again", shots, f.now_ms)


MOVES: Final[dict[str, Callable[[Field], Move]]] = {
    "prime": prime_then_blast, "paced": paced, "burst": burst, "taught": taught,
    "coarse": coarse_once, "backlog": backlog, "clock": wrong_clock, "drip": drip_then_burst,
    "alive": kept_alive, "spoofed": spoofed, "doubled": doubled,
}  # fmt: skip


def _move(f: Field, name: str, told: str, shots: list[Shot], end_ms: int) -> Move:
    f.now_ms = end_ms + f.rng.randrange(0, 3) * HOUR_MS
    return Move(name, told, shots, end_ms)


def metronome(busy_ms: int, to_ms: int) -> Iterator[Shot]:
    """Ordinary messages to others through one gateway, twelve in two minutes.

    Every ten minutes from `busy_ms` on, once in two hours before.
    """
    at, number = START_MS, 0
    while at < to_ms:
        value = {
            "schema_version": 1, "recipient": f"86134{number % 97:08}", "sender": "10086",
            "event_time_ms": at, "message_id": f"t{number}", "gateway_id": "gw-2",
            "text": "话费余额12元",
        }  # fmt: skip
        yield Shot(Kind.METRONOME, at, at, "", value)
        number += 1
        pause_ms = 8 * MINUTE_MS if at >= busy_ms - HOUR_MS else 118 * MINUTE_MS
        at += 10 * SECOND_MS if number % 12 else pause_ms


def plan(seed: int, only: str = "") -> list[Move]:
    """One to three moves with all their parameters, after a month of the victim's own life."""
    f = Field(Random(f"adversary/{seed}"))
    moves = [own_life(f)]
    busy_ms = f.now_ms
    names = [only] if only else f.rng.choices([*MOVES], k=f.rng.choice((1, 1, 2, 3)))
    moves += [MOVES[name](f) for name in names]
    end = max(shot.arrives_ms for move in moves for shot in move.shots) + 2 * HOUR_MS
    tail = [
        f.shot(end - HOUR_MS + i * MINUTE_MS, platform, Kind.OWN)
        for i, platform in enumerate(f.taken)
    ]
    moves.append(Move("own life goes on", "each of the victim's platforms once", tail, end))
    moves.append(Move("others", "ordinary messages", [*metronome(busy_ms, end)], end))
    return moves
