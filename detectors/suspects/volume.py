"""Message volume: counts all messages of novel platforms, including repeats.

Sightings count each platform once, so a page that fails and re-sends is no evidence. But an
attacker could introduce a few platforms slowly, one by one, and then send any number of their
codes. So the messages of platforms that a suspect does not know are counted too. There are three
short windows (`mass_10min` to `mass_1h`). Two long windows (`volume_6h`, `volume_24h`) find floods
that are slow or that pause.

A message counts once, however often it is delivered: one platform and one event time are one
message. At gateways with times in whole minutes the message id tells messages apart. Messages that
a lease refuses do not count, nor do the sender's retries of them: a throttle must not extend
itself. Many counted messages of many platforms are a flood (THROTTLE). Many messages of any number
of platforms are a nuisance (WATCH).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from operator import attrgetter
from typing import Final

from detectors.model.records import seconds, utc_ms
from detectors.model.times import DAY_S
from detectors.recipients.row import RING, word as packed
from detectors.suspects.judge import CALM, Band, Finding
from detectors.suspects.retry_windows import forget_from
from detectors.suspects.suspect import Suspect
from detectors.thresholds import (
    MASS_1H,
    MASS_10MIN,
    MASS_35MIN,
    MASS_EACH,
    MASS_HELD,
    MASS_NOVEL,
    MASS_UNSURE,
    NARROW_MS,
    NARROW_PLATFORMS,
    REFUSED_HELD,
    RETRIES_S,
    RETRY_S,
    VOLUME_6H,
    VOLUME_24H,
    Bar,
)

WINDOWS: Final = (
    ("mass_10min", 600_000, MASS_10MIN),
    ("mass_35min", 2_100_000, MASS_35MIN),
    ("mass_1h", 3_600_000, MASS_1H),
)
"""Rule, window in milliseconds, thresholds. `MASS_NOVEL` platforms must come within the window."""

VOLUMES: Final = (
    ("volume_6h", 6 * 3_600_000, VOLUME_6H),
    ("volume_24h", 24 * 3_600_000, VOLUME_24H),
)
"""Rule, window in milliseconds, thresholds of the long windows. Only recipients known long enough
(`judge.is_settled`) use them. A message counts only if `MASS_NOVEL` novel platforms came within the
day before it."""

RULES: Final = frozenset(rule for rule, _, _ in WINDOWS)
"""Rules of the short windows. Their THROTTLE is never chance, so it confirms an episode."""

LONGEST_S: Final = DAY_S
"""Length of the longest window, in seconds."""

_LEAST: Final = min(min(bar) for _, _, bar in WINDOWS + VOLUMES)
"""The lowest threshold of any window."""

_BAND: Final[Callable[[Finding], Band]] = attrgetter("band")
_RETRY_MS: Final = RETRY_S * 1000
_RETRIES_MS: Final = RETRIES_S * 1000
_LOUD: Final = 1
_MANY: Final = 2
_PAST: Final = 4  # message of an episode that ended: only the long windows count it
_LONG: Final = _MANY | _PAST
_FLAGS: Final = 7
_PLATFORM: Final = 3  # position of the lowest bit of the platform (u32), above the flags
_TIME: Final = 35  # position of the lowest bit of the event time, above the platform


class Heard(Enum):
    """How one message of a platform that the suspect does not know is counted."""

    AGAIN = 0  # delivered twice, or the sender's retry of a refused message: no evidence
    REFUSED = 1  # a lease refuses the message: it may renew that lease, but is not counted
    COUNTED = 2  # the message is evidence


def hear(
    suspect: Suspect,
    platform: int,
    at_ms: int,
    counted_ms: int,
    *,
    refused: bool,
    loud: bool,
    page: bool = False,
) -> Heard:
    """Record one message of a novel or young platform, and return how it counts.

    `counted_ms`: the time under which it counts. At a gateway that gives times in whole minutes it
    differs from `at_ms` and tells the messages of a minute apart (`repeats.spread_s`).

    `refused`: a lease in force refuses the message. `loud`: the sieve counted many messages of the
    recipient (`LOUD_MESSAGES`). A message counts for THROTTLE if the day had `MASS_NOVEL` novel
    platforms by then (`many`). It counts for WATCH if it counts for THROTTLE or is loud. The sieve
    can evaluate both conditions from the packed row alone, so it knows when to promote a recipient
    to a suspect.

    `page`: the message counts as a message of another number (`detectors.suspects.pages`).
    Then a loud message also counts for THROTTLE, under its own number. Otherwise a pool of numbers
    would be a single platform, and one platform alone never reaches THROTTLE.
    """
    last_ms = suspect.refused_ms.get(platform, -_RETRY_MS)
    retry = -_RETRY_MS < at_ms - last_ms < _RETRY_MS
    if refused:
        _refuse(suspect, platform, at_ms, retry=retry)
        return Heard.AGAIN if retry else Heard.REFUSED
    if retry and abs(at_ms - suspect.retried_ms.get(platform, last_ms)) < _RETRIES_MS:
        return Heard.AGAIN
    heard = suspect.heard
    key = counted_ms << _TIME | platform << _PLATFORM
    counts = (page and loud) or many(suspect, seconds(at_ms))
    word = key | (_MANY if counts else 0) | (_LOUD if loud else 0)
    place = bisect_left(heard, key)
    if place < len(heard) and heard[place] | _FLAGS == key | _FLAGS:
        if heard[place] > key or word == key:
            return Heard.AGAIN
        # A second delivery raises the flags. The sieve stores no messages, so it counts this one.
        heard[place] = word
        return Heard.COUNTED
    heard.insert(place, word)
    if len(heard) > MASS_HELD:
        del heard[0]
    return Heard.COUNTED


def _refuse(suspect: Suspect, platform: int, at_ms: int, *, retry: bool) -> None:
    refused_ms, retried_ms = suspect.refused_ms, suspect.retried_ms
    last_ms = refused_ms.pop(platform, at_ms)
    refused_ms[platform] = max(at_ms, last_ms)
    if retry:
        retried_ms.setdefault(platform, last_ms)
    elif at_ms >= last_ms:
        retried_ms.pop(platform, None)
    if len(refused_ms) > REFUSED_HELD:
        oldest = next(iter(refused_ms))
        del refused_ms[oldest]
        retried_ms.pop(oldest, None)


def forget_after(suspect: Suspect, limit_s: int) -> None:
    """Drop all messages with a time after `limit_s`, because a clock was ahead."""
    from_ms = utc_ms(limit_s + 1)
    del suspect.heard[bisect_left(suspect.heard, from_ms << _TIME) :]
    suspect.refused_ms = {p: ms for p, ms in suspect.refused_ms.items() if ms < from_ms}
    suspect.retried_ms = {p: ms for p, ms in suspect.retried_ms.items() if p in suspect.refused_ms}
    forget_from(suspect.requests, from_ms)
    if suspect.platforms is not None:
        suspect.platforms.forget_from(from_ms)
    if (episode := suspect.episode) is not None:
        episode.fresh_ms = {p: ms for p, ms in episode.fresh_ms.items() if ms < from_ms}


def many(suspect: Suspect, at_s: int) -> bool:
    """Return true if at least `MASS_NOVEL` novel platforms came in the day up to `at_s`.

    The count uses event time. So a message that is older than these platforms does not count, even
    if it is delivered again after them. Young platforms (seen before on one day only, within the
    last week) count like novel ones if `RING` platforms or more came in the day. With fewer
    platforms the sieve does not promote the recipient to a suspect.
    """
    novel_s, sightings = suspect.novel_s, suspect.sightings
    if len(novel_s) < MASS_NOVEL and len(sightings) < RING:
        return False
    day_ago_s = (sightings[-1] >> 33) - DAY_S
    novel = bisect_right(novel_s, at_s) - bisect_right(novel_s, day_ago_s)
    if novel >= MASS_NOVEL or len(sightings) < RING:
        return novel >= MASS_NOVEL
    first = bisect_left(sightings, packed(day_ago_s + 1, 0, 0))
    day = sightings[first : bisect_left(sightings, packed(at_s + 1, 0, 0))]
    if len(day) < RING:
        return False
    young = suspect.repeats.young
    keys = suspect.recipient << 32
    old = [w for w in day if not w >> 32 & 1 and young.get(keys | w & 0xFFFF_FFFF) == w >> 33]
    return novel + len(old) >= MASS_NOVEL


def is_varied(suspect: Suspect) -> bool:
    """Return true if the retained messages come from at least `MASS_NOVEL` platforms.

    This check saves time: without it, each message of a single noisy platform would count three
    windows.
    """
    return len(counted_platforms(suspect)) >= MASS_NOVEL


def mass(suspect: Suspect, at_ms: int, other: Finding = CALM, divisor: int = 0) -> Finding:
    """Return the strongest finding of any window that a message at `at_ms` lies in.

    Call `hear` with the message first. Returns `other` if no window is stronger. The thresholds of
    the long windows are divided by `divisor`. With 0 these windows are not judged.
    """
    if len(suspect.heard) * max(divisor, 1) < _LEAST:
        return other
    findings = [_strongest(suspect, at_ms, *window) for window in WINDOWS]
    if divisor:
        for rule, window_ms, bar in VOLUMES:
            lower = Bar(bar.watch, bar.throttle / divisor)
            findings.append(_strongest(suspect, at_ms, rule, window_ms, lower, long=True))
    return max((other, *findings), key=_BAND)


def _strongest(
    suspect: Suspect, at_ms: int, rule: str, window_ms: int, bar: Bar, *, long: bool = False
) -> Finding:
    """Return the strongest finding of the windows of one length that the message lies in.

    Each window ends with a message. `long`: see `MassWindow`.
    """
    heard = suspect.heard
    first = bisect_left(heard, at_ms << _TIME)
    low = bisect_left(heard, at_ms - window_ms + 1 << _TIME)
    stop = bisect_left(heard, at_ms + window_ms << _TIME)
    best = CALM
    if stop - low < min(bar):
        return best
    window = MassWindow(long=long)
    for end in range(low, stop):
        window.add(heard[end])
        end_ms = heard[end] >> _TIME
        if end < first or (end + 1 < stop and heard[end + 1] >> _TIME == end_ms):
            continue  # the window ends before the message, or the next message has the same time
        while heard[low] >> _TIME <= end_ms - window_ms:
            window.drop(heard[low])
            low += 1
        count, capped = window.scores
        if capped >= bar.throttle:
            since_s = first_sighting_s(suspect, heard[low : end + 1])
            return Finding(Band.THROTTLE, rule, capped, bar.throttle, since_s)
        if count >= bar.watch and best is CALM:
            since_s = first_sighting_s(suspect, heard[low : end + 1])
            best = Finding(Band.WATCH, rule, count, bar.watch, since_s)
    return best


class MassWindow:
    """Counts over the messages of one window as it moves on.

    A long window also counts messages of earlier episodes. It does not need `MASS_NOVEL` platforms
    within the window.
    """

    __slots__ = ("capped", "counts", "each", "heard", "least", "many")

    def __init__(self, words: Iterable[int] = (), *, long: bool = False) -> None:
        self.counts = _LONG if long else _MANY  # flags of a message that counts for THROTTLE
        self.least = 1 if long else MASS_NOVEL  # platforms that THROTTLE needs
        self.each: dict[int, int] = {}  # platform -> its messages that count for THROTTLE
        self.many = 0  # number of messages that count for THROTTLE, over all platforms
        self.capped = 0  # the same with at most MASS_EACH messages of each platform
        self.heard = 0  # number of messages that count for WATCH
        for word in words:
            self.add(word)

    def add(self, word: int) -> None:
        """Add one message (a packed integer of `Suspect.heard`)."""
        self.heard += word & (_LOUD | _MANY) != 0
        if word & self.counts:
            platform = word >> _PLATFORM & 0xFFFF_FFFF
            count = self.each[platform] = self.each.get(platform, 0) + 1
            self.many += 1
            self.capped += count <= MASS_EACH

    def drop(self, word: int) -> None:
        """Remove one message that `add` added."""
        self.heard -= word & (_LOUD | _MANY) != 0
        if word & self.counts:
            platform = word >> _PLATFORM & 0xFFFF_FFFF
            count = self.each[platform] = self.each[platform] - 1
            self.many -= 1
            self.capped -= count < MASS_EACH
            if not count:
                del self.each[platform]

    @property
    def scores(self) -> tuple[int, int]:
        """Return (count for WATCH, count for THROTTLE).

        If every message is delivered twice, messages become loud earlier. `MASS_UNSURE` is
        subtracted from the count of loud messages to make up for this.
        """
        capped = self.capped if len(self.each) >= self.least else 0
        return max(self.many, self.heard - MASS_UNSURE), capped


def first_sighting_s(suspect: Suspect, window: list[int]) -> int:
    """Return the time of the first sighting of any platform in the window, in seconds.

    Codes that introduced a platform before the flood are thereby part of the flood.
    """
    part = {w >> _PLATFORM & 0xFFFF_FFFF: w >> _TIME for w in window if w & _FLAGS}
    return earliest_s(suspect, part, default=seconds(window[0] >> _TIME))


def earliest_s(suspect: Suspect, part: Mapping[int, int], *, default: int) -> int:
    """Return the time of the first sighting of these platforms on the day of their message.

    `part`: platform -> time of a message in ms. A sighting of an earlier day does not count: the
    platform is then a sender number that the recipient knows, and that also sends unnamed texts
    (`suspects.pages`).
    """
    firsts = ((suspect.seen[p] >> 33, ms) for p, ms in part.items() if p in suspect.seen)
    return min((at_s for at_s, ms in firsts if ms < utc_ms(at_s + DAY_S)), default=default)


def newest(suspect: Suspect) -> dict[str, tuple[int, int]]:
    """Return rule -> (count for WATCH, count for THROTTLE), each for its newest window."""
    heard = suspect.heard
    end_ms = heard[-1] >> _TIME if heard else 0
    return {
        rule: MassWindow(heard[low:], long=windows is VOLUMES).scores
        for windows in (WINDOWS, VOLUMES)
        for rule, window_ms, _ in windows
        for low in (bisect_left(heard, end_ms - window_ms + 1 << _TIME),)
    }


def counted_messages(suspect: Suspect) -> list[tuple[int, int]]:
    """Return (time in ms, platform) of the messages that long windows count, in time order."""
    return [(w >> _TIME, w >> _PLATFORM & 0xFFFF_FFFF) for w in suspect.heard if w & _LONG]


def counted_platforms(suspect: Suspect) -> set[int]:
    """Return the platforms of the messages that long windows count."""
    return {w >> _PLATFORM & 0xFFFF_FFFF for w in suspect.heard if w & _LONG}


def has_heard(suspect: Suspect, platform: int, at_ms: int) -> bool:
    """Return true if a retained message of the platform came within the day before `at_ms`.

    A confirmed flood's sightings are forgotten when it ends. So a code may be a new sighting and
    still not be the platform's first code of the day.
    """
    heard = suspect.heard
    first = bisect_left(heard, at_ms - LONGEST_S * 1000 + 1 << _TIME)
    day = heard[first : bisect_left(heard, at_ms << _TIME)]
    return any(w >> _PLATFORM & 0xFFFF_FFFF == platform and w & _LONG for w in day)


def has_few_platforms(suspect: Suspect, at_ms: int) -> bool:
    """Return true if `NARROW_PLATFORMS` novel platforms or fewer came in the last half hour.

    Sightings count too: those from before the promotion have no message here.
    """
    since_ms = at_ms - NARROW_MS
    newer = bisect_left(suspect.sightings, packed(seconds(since_ms) + 1, 0, 0))
    heard = suspect.heard[bisect_left(suspect.heard, since_ms + 1 << _TIME) :]
    recent = {w >> _PLATFORM & 0xFFFF_FFFF for w in heard}
    recent |= {p for p, ms in suspect.refused_ms.items() if ms > since_ms}
    recent |= {w & 0xFFFF_FFFF for w in suspect.sightings[newer:] if w >> 32 & 1}
    return len(recent) <= NARROW_PLATFORMS


def close_messages(suspect: Suspect) -> None:
    """Remove an ended episode's messages from the short windows.

    The long windows still count them.
    """
    suspect.heard = [w & ~_FLAGS | _PAST for w in suspect.heard if w & _LONG]


def heard_since(suspect: Suspect, since_s: int) -> int:
    """Return the number of retained messages that came at `since_s` or later."""
    heard = suspect.heard
    return len(heard) - bisect_left(heard, utc_ms(since_s) << _TIME)


def last_s(suspect: Suspect) -> int:
    """Return the time of the newest retained message in seconds; 0 if there is none."""
    return seconds(suspect.heard[-1] >> _TIME) if suspect.heard else 0
