"""The oracle: a judge that sees every message of every recipient, written without any cleverness.

It shares with the chain what is a matter of definition (a sighting, the bars' numbers, when an
episode ends) and nothing of how it is computed: no sieve, no row, no increment, no bound; each
instant is evaluated from the whole history with exact fractions. It says which levels a stream of
events must lead to. Valid while a recipient has few enough platforms to remember them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from detectors.chain import Params
from detectors.model.event import EventKind, platform_id
from detectors.model.records import Level
from tests.detectors.stand_in import Event

DAY = 86_400
EPOCH = 1_577_836_800
TICK = 4096

# Written again from the design, so that a slip in the judge's table shows.
LEVEL = {Level.WATCH: Fraction("1.6"), Level.THROTTLE: Fraction("2.6")}
NOVEL = {Level.WATCH: 3, Level.THROTTLE: 5}
RUSH = 2  # novel platforms at such a pace that are enough beside a lead
CLOSE = {Level.WATCH: (42, 27), Level.THROTTLE: (50, 32)}  # 50 s, 2 min; in 3 h
RAW = {Level.WATCH: (37, 54), Level.THROTTLE: (43, 61)}
SPACED = {  # (10 min in 24 h, 5 min in 3 h)
    "small": {Level.WATCH: (28, 21), Level.THROTTLE: (31, 24)},
    "large": {Level.WATCH: (22, 17), Level.THROTTLE: (26, 21)},
    "half": {Level.WATCH: (17, 14), Level.THROTTLE: (22, 18)},
    "third": {Level.WATCH: (12, 12), Level.THROTTLE: (17, 14)},
}

LEAD = {Level.WATCH: 5, Level.THROTTLE: 8}
MASS = {600_000: (38, 45), 2_100_000: (51, 60), 3_600_000: (50, 90)}
RETRY = 90_000
RETRIES = 300_000


class Alarm(NamedTuple):
    offset: int
    recipient: int
    change: str
    level: Level


class Seen(NamedTuple):
    at: int
    novel: bool
    tainted: int = 0  # days on which it came since it was first seen in an episode


@dataclass
class Flood:
    since: int
    opened: int
    last: int
    level: Level = Level.CLEAR
    by_mass: bool = False
    issued: int = 0  # of the lease; in milliseconds, as all about it
    expires: int = 0
    fresh: dict[str, int] = field(default_factory=dict)  # platforms since the lease


class Heard(NamedTuple):
    """A message of a novel platform that counts."""

    at_ms: int
    platform: str
    many: bool  # it came when the day had five novel platforms


@dataclass
class Person:
    seen: dict[str, Seen] = field(default_factory=dict)
    flood: Flood | None = None
    heard: list[Heard] = field(default_factory=list)
    refused: dict[str, tuple[int, int]] = field(default_factory=dict)  # first of a row, last
    windows: tuple[int, int, int] = (0, 0, 0)  # the newest, messages in it and the one before


class Naive:
    def __init__(self, params: Params, hot: frozenset[int] = frozenset()) -> None:
        self.params = params
        self.hot = hot  # ids of platforms, the same all the time
        self.people: dict[int, Person] = {}
        self.alarms: list[Alarm] = []
        self.watermark = 0
        self.samples: list[int] = []
        self.ticks: list[int] = []
        self.codes: list[int] = []  # when each was sent
        self.next_offset = 0

    def run(self, events: Iterable[Event], offsets: Sequence[int]) -> list[Alarm]:
        for event, offset in zip(events, offsets, strict=True):
            self.pass_to(offset)
            if offset % 16 == 0:
                self.samples.append(event.at_ms)
            if event.kind is EventKind.RECYCLED:
                self.recycle(offset, event)
            elif event.platform:
                self.message(offset, event)
            self.next_offset = offset + 1
        self.pass_to(offsets[-1] + 1)
        return sorted(self.alarms, key=lambda alarm: (alarm.offset, alarm.recipient))

    def pass_to(self, offset: int) -> None:
        """The ticks after the last event, up to and with this offset."""
        tick = (self.next_offset // TICK + (self.next_offset % TICK > 0)) * TICK or TICK
        if tick > offset:
            return
        if self.samples:
            middle = sorted(self.samples)[len(self.samples) // 2]
            self.ticks.append(middle // 1000 - EPOCH)
            self.samples = []
            self.watermark = self.borne_out(sorted(self.ticks[-5:]))
        ended = []
        for recipient, person in self.people.items():
            if person.flood and self.watermark >= self.ends(person.flood):
                ended.append((self.ends(person.flood), recipient))
        for _, recipient in sorted(ended):
            self.end(tick, recipient)

    def borne_out(self, last: list[int]) -> int:
        """The newest tick's time, unless that is far ahead of most; back only where most say so."""
        newest, low, high = self.ticks[-1], last[(len(last) - 1) // 2], last[len(last) // 2]
        below = last[max((len(last) - 1) // 2 - 1, 0)]
        slack = 4 * min(low - below, 6 * 3600)
        told = low if newest > low + 2 * 3600 + slack else newest
        wrong = len(last) >= 3 and self.watermark > high + 900 + slack
        return told if wrong else max(self.watermark, told)

    def now(self) -> int:
        """The time by the log: what most of the last codes agree on."""
        last = sorted(self.codes[-31:])
        return max(self.watermark, last[(len(last) - 1) // 2])

    def put_right(self, offset: int, recipient: int, at: int) -> None:
        """Forgets what is two days after the message and the log's time, but not what is known."""
        person = self.people[recipient]
        limit = max(at, self.now()) + 2 * DAY
        if person.flood and max(person.flood.opened, person.flood.last) > limit:
            self.end(offset, recipient)
        elif person.flood and person.flood.issued // 1000 - EPOCH > limit - 2 * DAY + 3600:
            person.flood.issued = person.flood.expires = 0
        for p, s in [(p, s) for p, s in person.seen.items() if s.at > limit]:
            del person.seen[p]
            if not s.novel:
                person.seen[p] = Seen(max(at - DAY, 1), novel=False)
        limit_ms = (limit + EPOCH + 1) * 1000
        person.heard = [h for h in person.heard if h.at_ms < limit_ms]
        person.refused = {p: ms for p, ms in person.refused.items() if ms[1] < limit_ms}
        if person.flood:
            person.flood.fresh = {p: ms for p, ms in person.flood.fresh.items() if ms < limit_ms}

    def ends(self, flood: Flood) -> int:
        episode = self.params.episode
        quiet = max(episode.quiet_s, (flood.expires - flood.issued) * 3 // 2000)
        return min(flood.last + quiet, flood.opened + episode.episode_most_s)

    def end(self, offset: int, recipient: int) -> None:
        person = self.people[recipient]
        assert person.flood is not None
        for p, s in person.seen.items():
            if s.novel and s.at >= person.flood.since:
                person.seen[p] = s._replace(tainted=s.tainted or 1)
        throttled = person.flood.level is Level.THROTTLE
        if person.flood.by_mass or (throttled and self.confirmed(person)):
            over = self.ends(person.flood)
            person.seen = {
                p: s for p, s in person.seen.items() if not s.tainted or self.knows(person, s, over)
            }
        person.flood = None
        person.heard = []
        self.alarms.append(Alarm(offset, recipient, "ended", Level.CLEAR))

    def confirmed(self, person: Person) -> bool:
        """Whether any instant of the flood is more than a shared number's chance."""
        assert person.flood is not None
        for at in {s.at for s in person.seen.values() if s.at >= person.flood.since}:
            seen = sorted(s for s in person.seen.values() if s.at <= at)
            new = [s.at for s in seen if s.novel]
            if (
                self.bucket(seen)[0] >= LEVEL[Level.THROTTLE] + Fraction("1.9")
                or sum(t > at - 35 * 60 for t in new) >= 25
                or sum(t > at - DAY for t in new) >= 43
            ):
                return True
        return False

    def recycle(self, offset: int, event: Event) -> None:
        person = self.people.pop(event.recipient, None)
        if person and person.flood:
            self.alarms.append(Alarm(offset, event.recipient, "recycled", Level.CLEAR))

    def message(self, offset: int, event: Event) -> None:
        at = event.at_ms // 1000 - EPOCH
        person = self.people.setdefault(event.recipient, Person())
        self.codes.append(at)
        ahead = at > self.watermark + 7 * DAY and self.watermark and len(self.codes) >= 31
        if ahead and at > self.now() + 7 * DAY:
            return
        loud = self.counted(person, at // self.params.sieve.window_s) >= 7
        self.put_right(offset, event.recipient, at)
        if person.flood and at >= self.ends(person.flood):
            self.end(offset, event.recipient)
        if person.seen and at <= max(s.at for s in person.seen.values()) - DAY:
            return
        held = person.seen.get(event.platform)
        known = held is not None and self.knows(person, held, at)
        level, since, by_mass = Level.CLEAR, 0, False
        if held is None or abs(at - held.at) >= DAY:
            again = held is not None and not known
            tainted = held.tainted + 1 if held and held.tainted and again else 0
            person.seen[event.platform] = Seen(at, not known, tainted)
            level, since = self.level(person, at)
        fresh = False
        if not known:
            flood = person.flood
            live = flood is not None and flood.issued < event.at_ms < flood.expires
            refused = live and not event.trust
            fresh, counts = self.hear(person, event, refused=refused, loud=loud)
            if counts:
                by = self.mass(person, event.at_ms)
                if by[0] > level:
                    (level, since), by_mass = by, True
        self.rise(offset, event.recipient, level, since, at, by_mass=by_mass)
        if person.flood and fresh and not event.trust:
            person.flood.last = max(person.flood.last, at)
            person.flood.fresh[event.platform] = max(
                event.at_ms, person.flood.fresh.get(event.platform, event.at_ms)
            )
        if person.flood and person.flood.level is Level.THROTTLE:
            evident = by_mass and level is Level.THROTTLE
            fresh = fresh and not event.trust
            self.lease(person, person.flood, event.at_ms, fresh=fresh, evident=evident)

    def counted(self, person: Person, window: int) -> int:
        newest, now, before = person.windows
        soon = max(3600 // self.params.sieve.window_s, 2)
        if newest > max(self.now() // self.params.sieve.window_s, window) + soon:
            newest = now = before = 0
        if window > newest:
            newest, now, before = window, 1, now if window == newest + 1 else 0
        elif window == newest:
            now += 1
        elif window == newest - 1:
            before += 1
        else:
            return 0
        person.windows = newest, now, before
        return now + before

    def hear(self, person: Person, event: Event, *, refused: bool, loud: bool) -> tuple[bool, bool]:
        """Whether a message of a novel platform is evidence of a flood, and whether it counts."""
        at_ms = event.at_ms
        first, last = person.refused.get(event.platform, (-RETRY, -RETRY))
        retry = abs(at_ms - last) < RETRY
        if refused:
            if not retry and at_ms >= last:
                first = at_ms
            person.refused[event.platform] = first, max(at_ms, last)
            return not retry, False
        if retry and abs(at_ms - first) < RETRIES:
            return False, False
        if any(h[:2] == (event.at_ms, event.platform) for h in person.heard):
            return False, False
        at = event.at_ms // 1000 - EPOCH
        newest = max(s.at for s in person.seen.values())
        novel = sum(s.novel and newest - DAY < s.at <= at for s in person.seen.values())
        if novel >= 5 or loud:
            person.heard.append(Heard(event.at_ms, event.platform, novel >= 5))
        return True, novel >= 5 or loud

    def mass(self, person: Person, at_ms: int) -> tuple[Level, int]:
        best = (Level.CLEAR, 0)
        for window, (watch, throttle) in MASS.items():
            for end in sorted({h.at_ms for h in person.heard if 0 <= h.at_ms - at_ms < window}):
                inside = [h for h in person.heard if end - window < h.at_ms <= end]
                each = [h.platform for h in inside if h.many]
                score = sum(min(9, each.count(p)) for p in set(each))
                count = max(len(each), len(inside) - 6)  # six may be loud too soon, or unheard
                level = Level.WATCH if count >= watch else Level.CLEAR
                if len(set(each)) >= 5 and score >= throttle:
                    level = Level.THROTTLE
                firsts = (person.seen[h.platform].at for h in inside if h.platform in person.seen)
                first = min(firsts, default=min(h.at_ms for h in inside) // 1000 - EPOCH)
                best = max(best, (level, first), key=lambda found: found[0])
        return best

    def lease(
        self, person: Person, flood: Flood, at_ms: int, *, fresh: bool, evident: bool
    ) -> None:
        if flood.issued:
            half = self.params.episode.lease_ms // 2
            quiet = self.params.episode.quiet_s * 1000
            newest = sorted(flood.fresh.items(), key=lambda f: (f[1], f[0]))[-3:]
            several = len(newest) == 3 and newest[0][1] > at_ms - quiet
            if self.length(person, flood, 0, 10**12) > half:
                several = bool(newest) and newest[-1][1] > at_ms - quiet
            if not fresh or at_ms < flood.issued + half or not (several or evident):
                return
        least = self.params.episode.lease_ms
        flood.issued, flood.expires = at_ms, at_ms + self.length(person, flood, least, 3_600_000)
        flood.fresh = {}

    def length(self, person: Person, flood: Flood, least: int, most: int) -> int:
        """Three and a half times the median of up to seven gaps of the flood's novel platforms."""
        times = sorted(s.at for s in person.seen.values() if s.novel)[-8:]
        times = [t for t in times if t >= flood.since]
        if len(times) < 2:
            return least
        gap = median(b - a for a, b in pairwise(times))
        return int(min(max(3500 * gap, least), most))

    def rise(
        self, offset: int, recipient: int, level: Level, since: int, at: int, *, by_mass: bool
    ) -> None:
        person = self.people[recipient]
        if level <= (person.flood.level if person.flood else Level.CLEAR):
            return
        for s in sorted(
            (s for s in person.seen.values() if s.novel and s.at < since), reverse=True
        ):
            if since - s.at >= self.params.episode.quiet_s:
                break
            since = s.at
        change = "raised" if person.flood else "opened"
        person.flood = person.flood or Flood(since, at, at)
        person.flood.since = min(person.flood.since, since)
        person.flood.level = level
        person.flood.by_mass |= by_mass and level is Level.THROTTLE
        self.alarms.append(Alarm(offset, recipient, change, level))

    def level(self, person: Person, at: int) -> tuple[Level, int]:
        """The highest level of any instant from `at` on, and where its evidence begins."""
        instants = sorted({s.at for s in person.seen.values() if s.at >= at})
        best = (Level.CLEAR, 0, False)
        for now in instants:
            found = self.instant(person, [s for s in person.seen.values() if s.at <= now], now, at)
            best = max(best, found, key=lambda f: (f[0], f[0] is Level.CLEAR and f[2]))
        level, since, fast = best
        if level is Level.THROTTLE:
            return level, since
        score, begun = self.lead(person, at)
        if score >= LEAD[Level.THROTTLE]:
            return Level.THROTTLE, begun
        if score >= LEAD[Level.WATCH] and fast:
            return Level.THROTTLE, min(begun, since)
        if score >= LEAD[Level.WATCH] and not level:
            return Level.WATCH, begun
        return level, since

    def lead(self, person: Person, at: int) -> tuple[int, int]:
        """The highest of any instant from `at` on, and where it was last nought before."""
        newest = max(s.at for s in person.seen.values())
        novel = sorted(
            (s.at, platform_id(p))
            for p, s in person.seen.items()
            if s.novel and s.at > newest - DAY
        )
        best, steps = (0, 0), [0]
        for n, (when, which) in enumerate(novel):
            steps.append(max(0, steps[-1] + (1 if which in self.hot else -1)))
            if when >= at and steps[-1] > best[0]:
                nought = max(i for i in range(n + 1) if steps[i] == 0)
                best = steps[-1], novel[nought][0]
        return best

    def instant(
        self, person: Person, seen: list[Seen], now: int, event_at: int
    ) -> tuple[Level, int, bool]:
        """The level, where its evidence begins, and whether it is the bucket's.

        The bucket's evidence may be too little for a level and enough beside a lead.
        """
        fill, novel, begun = self.bucket(seen)
        new = sorted(s.at for s in seen if s.novel)
        day = [t for t in new if t > now - DAY]
        short = [t for t in new if t > now - 35 * 60]
        hours = [t for t in new if t > now - 3 * 3600]
        spaced = SPACED[self.habit(person, event_at)]
        for level in (Level.THROTTLE, Level.WATCH):
            if fill >= LEVEL[level] and novel >= NOVEL[level]:
                return level, begun, True
            for count, bar, window in (
                (len(short), RAW[level][0], 35 * 60),
                (len(day), RAW[level][1], DAY),
                (apart(hours, 50), CLOSE[level][0], 3 * 3600),
                (apart(hours, 120), CLOSE[level][1], 3 * 3600),
                (apart(hours, 300), spaced[level][1], 3 * 3600),
                (apart(day, 600), spaced[level][0], DAY),
            ):
                if count >= bar:
                    return level, now - window + 1, False
        rush = fill >= LEVEL[Level.WATCH] and novel >= RUSH
        return Level.CLEAR, begun if rush else 0, rush

    def bucket(self, seen: list[Seen]) -> tuple[Fraction, int, int]:
        """Its level after the last of these, the novel ones since it was empty, and when it was."""
        fill, novel, last, begun = Fraction(0), 0, 0, 0
        for s in sorted(seen):
            fill -= Fraction(3, 2) * Fraction(s.at - last, 60)
            if fill <= 0:
                fill, novel, begun = Fraction(0), 0, s.at
            fill += 1
            novel += s.novel
            last = s.at
        return fill, novel, begun

    def habit(self, person: Person, at: int) -> str:
        p_novel = self.params.judge.p_novel
        if p_novel is not None and p_novel <= 0.5:
            return "third" if p_novel <= 0.3 else "half"
        known = sum(self.knows(person, s, at) for s in person.seen.values())
        return "large" if known >= 14 else "small"

    def knows(self, person: Person, seen: Seen, at: int) -> bool:
        if not seen.novel:
            return True
        inside = person.flood is not None and seen.at >= person.flood.since
        return at - seen.at >= DAY and (seen.tainted > 1 if seen.tainted else not inside)


def apart(times: list[int], gap: int) -> int:
    """The most of these ascending times that are pairwise a gap apart: earliest first."""
    count, last = 0, -gap
    for t in times:
        if t - last >= gap or count == 0:
            count, last = count + 1, t
    return count
