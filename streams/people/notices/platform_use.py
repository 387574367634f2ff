"""Measure how floods used each platform, and whether reports to the platform helped. Pure.

The results contain counts only: no phone number and no hash of one. A platform knows to which
numbers it sent codes, but it must not learn from us which number is under attack. So one to four
victims are written "<5".
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from detectors.model.incidents import IncidentRecord
from detectors.model.times import DAY_MS, MINUTE_MS

FEW: Final = 5
"""A smaller number of victims is written "<5", because a small count may identify a person."""
GAP_MS: Final = 30 * MINUTE_MS
"""A window of use ends after this time without a message, like an episode."""
WINDOWS_MAX: Final = 50  # windows in a report; the largest are listed
SENDERS_MAX: Final = 16  # senders in a report, and accounts; the most frequent are listed
IDS_MAX: Final = 1_000
BETTER: Final = 0.5
"""A platform improves if its messages per day fall to this share of those in an earlier report."""
QUIET_DAYS: Final = 7  # days without a further report to a platform that improves


@dataclass(frozen=True, slots=True)
class UseWindow:
    """A period of continuous use. Times are in ms UTC."""

    from_ms: int
    until_ms: int
    messages: int
    most_a_minute: int


@dataclass(slots=True)
class PlatformUse:
    """The use of one platform by floods in a period. Mutable."""

    key: str
    episodes: set[str] = field(default_factory=set)
    victims: set[str] = field(default_factory=set)  # recipients; never leave this process
    minutes: Counter[int] = field(default_factory=Counter)  # start of a minute, ms -> messages
    refused: int = 0
    senders: Counter[str] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)
    message_ids: list[str] = field(default_factory=list)  # the platform's ids, at most IDS_MAX

    @property
    def messages(self) -> int:
        return self.minutes.total()

    def days(self) -> dict[int, int]:
        """Return the messages per day: first millisecond of the day in UTC -> messages."""
        found: Counter[int] = Counter()
        for at, n in self.minutes.items():
            found[at - at % DAY_MS] += n
        return dict(sorted(found.items()))

    def windows(self) -> list[UseWindow]:
        """Return the windows in which the platform was used, the oldest first.

        If there are more than `WINDOWS_MAX`, only the largest are returned.
        """
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
    """Return the most frequent senders or accounts, as many as a report lists."""
    return [name for name, _ in counted.most_common(SENDERS_MAX)]


def uses(
    incidents: Iterable[IncidentRecord], from_ms: int, until_ms: int
) -> dict[str, PlatformUse]:
    """Return the use of each platform in a period, by platform key. Records may be duplicated.

    Messages of trusted platforms, and of platforms that the recipient knows, have no platform key
    in the records. Such messages are not part of the abuse, so they are not counted.
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
    """Format a number of people, and hide the exact value if it is small.

    >>> few(4), few(5), few(0)
    ('<5', '5', '0')
    """
    return f"<{FEW}" if 0 < n < FEW else str(n)


class Telling(StrEnum):
    """Why a platform gets a report today, or why it gets none."""

    DIGEST = "digest"  # part of the daily run
    AT_ONCE = "at_once"  # enough messages for an immediate report
    FEW = "few"  # too few messages for a report
    QUIET = "quiet"  # the platform improves since an earlier report
    TOLD = "told"  # the report of this day was already sent
    NOBODY = "nobody"  # there is no contact, or the contact has expired
    NOT_YET = "not_yet"  # too few messages for an immediate report


def to_tell(
    use: PlatformUse,
    *,
    told: Mapping[int, int],
    today_ms: int,
    now_ms: int,
    messages_min: int,
    at_once: int | None,
) -> Telling:
    """Decide whether a platform gets a report about its use on one day.

    `told`: days that were already reported, ms -> messages of that day. `at_once`: messages per day
    from which a report is sent immediately. None: this is the daily run.
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


def trend(
    days: Mapping[int, int], told_ms: int | None, from_ms: int, until_ms: int
) -> tuple[float | None, float | None]:
    """Return the messages per day before and after the first report to a platform.

    Full days count, without the day of the report; None: no such day. `told_ms` is None if there
    was no report.

    >>> day = 86_400_000
    >>> trend({0: 60, day: 60, 2 * day: 9, 3 * day: 6}, 2 * day, 0, 4 * day)
    (60.0, 6.0)
    """
    starts = range(from_ms - from_ms % DAY_MS, until_ms, DAY_MS)
    if told_ms is None:
        return None, None
    first = told_ms - told_ms % DAY_MS
    before = [days.get(at, 0) for at in starts if at < first]
    after = [days.get(at, 0) for at in starts if at > first]
    return _mean(before), _mean(after)


def _mean(values: list[int]) -> float | None:
    return sum(values) / len(values) if values else None
