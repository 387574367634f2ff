"""Platforms whose pages a flood used: how much, when, and whether telling them helped. Pure.

Counts only. A platform knows whose numbers it sent codes to; that *this number is under attack* it
does not learn from us: no number and no hash of one is in anything that is made here, and few
victims are "<5".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from detectors.model.incidents import IncidentRecord
from detectors.model.times import DAY_MS, MINUTE_MS

FEW: Final = 5
"""Fewer victims than this are "<5": a small number may name somebody."""
GAP_MS: Final = 30 * MINUTE_MS
"""A window of use ends where nothing came for so long; as an episode does."""
WINDOWS_MAX: Final = 50  # of a report, the largest
SENDERS_MAX: Final = 16  # that a report names, and accounts: those that sent most
IDS_MAX: Final = 1_000
BETTER: Final = 0.5
"""Use has to fall to this share of what it was when a platform was told, to call it improving."""
QUIET_DAYS: Final = 7  # so long nothing is said to who was told and improves


@dataclass(slots=True)
class PlatformUse:
    """Mutable: what is known of the use of one platform in a span of time."""

    key: str
    episodes: set[str] = field(default_factory=set)
    victims: set[str] = field(default_factory=set)  # stays in this process
    minutes: Counter[int] = field(default_factory=Counter)  # minute, ms -> messages
    refused: int = 0
    senders: Counter[str] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)
    message_ids: list[str] = field(default_factory=list)  # the platform's own, at most IDS_MAX

    @property
    def messages(self) -> int:
        """Messages in floods."""
        return self.minutes.total()

    def days(self) -> dict[int, int]:
        """First millisecond of a day UTC -> messages."""
        found: Counter[int] = Counter()
        for at, n in self.minutes.items():
            found[at - at % DAY_MS] += n
        return dict(sorted(found.items()))

    def windows(self) -> list[UseWindow]:
        """Spans in which the platform was used, the oldest first; the largest if there are many."""
        found: list[UseWindow] = []
        for at in sorted(self.minutes):
            n = self.minutes[at]
            if found and at - found[-1].until_ms < GAP_MS:
                last = found[-1]
                found[-1] = UseWindow(last.from_ms, at + MINUTE_MS, last.messages + n,
                                      max(last.most_a_minute, n))  # fmt: skip
            else:
                found.append(UseWindow(at, at + MINUTE_MS, n, n))
        largest = sorted(found, key=lambda each: -each.messages)[:WINDOWS_MAX]
        return sorted(largest, key=lambda each: each.from_ms)


def most(counted: Counter[str]) -> list[str]:
    """Return the senders or accounts that a report names, the commonest first."""
    return [name for name, _ in counted.most_common(SENDERS_MAX)]


@dataclass(frozen=True, slots=True)
class UseWindow:
    """One span of use, in milliseconds UTC."""

    from_ms: int
    until_ms: int
    messages: int
    most_a_minute: int


def uses(
    incidents: Iterable[IncidentRecord], from_ms: int, until_ms: int
) -> dict[str, PlatformUse]:
    """Return the use of each platform in a span of time; records may come twice.

    Messages of platforms that the recipient knows, and of trusted ones, name no platform in the
    records, and are nobody's fault: they are not counted.
    """
    found: dict[str, PlatformUse] = {}
    seen: set[tuple[str, int]] = set()
    for record in incidents:
        asked = [
            (e.platform, e.at_ms, e.offset, "pass", "", "", "") for e in record.earlier if e.novel
        ] + [
            (m.platform, m.at_ms, m.offset, m.would, m.sender, m.account, m.message_id)
            for m in record.messages
        ]
        for key, at_ms, offset, would, sender, account, message_id in asked:
            place = record.episode_id, offset if offset >= 0 else -at_ms
            if not key or not from_ms <= at_ms < until_ms or place in seen:
                continue
            seen.add(place)
            use = found.setdefault(key, PlatformUse(key))
            use.episodes.add(record.episode_id)
            use.victims.add(record.recipient)
            use.minutes[at_ms - at_ms % MINUTE_MS] += 1
            use.refused += would == "refuse"
            if sender:
                use.senders[sender] += 1
            if account:
                use.accounts[account] += 1
            if message_id and len(use.message_ids) < IDS_MAX:
                use.message_ids.append(message_id)
    return found


def few(n: int) -> str:
    """A count of people, such that a small one says no more than that.

    >>> few(4), few(5), few(0)
    ('<5', '5', '0')
    """
    return f"<{FEW}" if 0 < n < FEW else str(n)


class Telling(StrEnum):
    """Reasons for telling a platform, or for not telling it, today."""

    DIGEST = "digest"
    AT_ONCE = "at_once"
    FEW = "few"  # too little to be worth a letter
    QUIET = "quiet"  # it was told, and improves
    TOLD = "told"  # of this day already
    NOBODY = "nobody"  # nobody's address is known, or what is known has expired
    NOT_YET = "not_yet"  # at once is for what is over the threshold


def to_tell(
    use: PlatformUse,
    *,
    told: Mapping[int, int],
    today_ms: int,
    now_ms: int,
    messages_min: int,
    at_once: int | None,
) -> Telling:
    """Decide whether a platform is told of its use on a day.

    `told`: when it was told, ms -> messages of that day. `at_once`: messages of a day over which
    one does not wait for the digest; None: it is the digest's turn.
    """
    if any(today_ms <= at < today_ms + DAY_MS for at in told):
        return Telling.TOLD
    if at_once is not None:
        return Telling.AT_ONCE if use.messages >= at_once else Telling.NOT_YET
    if use.messages < messages_min:
        return Telling.FEW
    recent = {at: n for at, n in told.items() if at > now_ms - QUIET_DAYS * DAY_MS}
    if recent and use.messages <= BETTER * recent[min(recent)]:
        return Telling.QUIET
    return Telling.DIGEST


@dataclass(frozen=True, slots=True)
class Trend:
    """Messages a day before and after a platform was first told; None: there is no such day."""

    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """Share by which it fell (negative) or rose; None if one side is not known."""
        if not self.before or self.after is None:
            return None
        return self.after / self.before - 1


def trend(days: Mapping[int, int], told_ms: int | None, from_ms: int, until_ms: int) -> Trend:
    """Compare whole days before the day on which a platform was first told with those after it.

    >>> day = 86_400_000
    >>> trend({0: 60, day: 60, 2 * day: 9, 3 * day: 6}, 2 * day, 0, 4 * day)
    Trend(before=60.0, after=6.0)
    """
    starts = range(from_ms - from_ms % DAY_MS, until_ms, DAY_MS)
    if told_ms is None:
        return Trend(_mean([days.get(at, 0) for at in starts]), None)
    first = told_ms - told_ms % DAY_MS
    before = [days.get(at, 0) for at in starts if at < first]
    after = [days.get(at, 0) for at in starts if at > first]
    return Trend(_mean(before), _mean(after))


def _mean(values: list[int]) -> float | None:
    return sum(values) / len(values) if values else None
