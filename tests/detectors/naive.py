"""The oracle: a simple judge that sees every message of every recipient.

It shares with the chain what is a matter of definition (a sighting, the bars' numbers, when an
episode ends) and nothing of how it is computed: no sieve, no row, no increment, no bound; each
instant is evaluated from the whole history with exact fractions. It says which levels a stream of
events must lead to. Valid while a recipient has few enough platforms to remember them all.
"""

from __future__ import annotations

import zlib
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
VOLUME = {6 * 3_600_000: 120, 24 * 3_600_000: 150}
RETURNS = 13
RELAPSE = 72 * 3600
KNOWN = {600: 8, 3600: 16, DAY: 30}  # window -> delivered codes of a known one in a flood
LIMIT = {2100: (10, 2), DAY: (20, 3)}  # window -> codes after the first, and how much lower later
# Window -> codes of all platforms, without each first of a day, that new and known ones may reach.
TOTAL = {3600: (54, 58), DAY: (150, 145)}
TOTAL_ENOUGH = {3600: 6, DAY: 3}  # codes that are always enough
TOTAL_OVER = {3600: 9, DAY: 24}  # so many past the limit, one code is enough
TOTAL_LEAST = 300_000  # a known platform is refused for so long at least
TOTAL_FAR = 24  # so many past the limit of an hour, a platform of the last week is refused
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
    tainted: int = -1  # days on which it came since it was first seen in an episode; -1: in none


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
    passes: set[str] = field(default_factory=set)  # platforms that the lease lets pass
    narrow: bool = False  # the lease refuses what it names, and nothing else
    named: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def live(self, at_ms: int) -> bool:
        return self.issued < at_ms < self.expires

    def live_narrow(self, at_ms: int) -> bool:
        return self.narrow and self.issued > 0 and at_ms < self.expires


@dataclass
class Earlier:
    """The last enforced flood, as far as it is remembered."""

    until: int
    platforms: set[str]
    recent: dict[str, int] = field(default_factory=dict)  # platform -> newest code, in ms
    repeated: bool = False  # three quarters of the platforms came within ten minutes


@dataclass
class Alone:
    """The lease that refuses single platforms; all in milliseconds."""

    issued: int = 0
    ends: dict[str, int] = field(default_factory=dict)  # platform -> end of what refuses it
    # What further codes prolong: when the newest row of them began, the last of it, and the rows.
    limited: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    total: bool = False  # the newest limit that was reached is the one on all platforms together

    def refuses(self, platform: str, at_ms: int) -> bool:
        inside = self.issued < at_ms < max(self.ends.values(), default=0)
        return inside and platform in self.ends


class Heard(NamedTuple):
    """A message of a novel platform that counts."""

    at_ms: int
    platform: str
    many: bool  # it came when the day had five novel platforms
    loud: bool
    past: bool = False  # of an episode that ended


@dataclass
class Person:
    seen: dict[str, Seen] = field(default_factory=dict)
    flood: Flood | None = None
    heard: list[Heard] = field(default_factory=list)
    refused: dict[str, tuple[int, int]] = field(default_factory=dict)  # first of a row, last
    windows: tuple[int, int, int] = (0, 0, 0)  # the newest, messages in it and the one before
    uncounted: set[tuple[int, str]] = field(default_factory=set)  # since the last flood
    born: int = 0  # day of the first code
    earlier: Earlier | None = None
    relapsing: bool = False  # the earlier flood is remembered now
    pages: dict[int, tuple[str, int]] = field(default_factory=dict)  # template -> first, and when
    unsure: bool = False  # a row may have forgotten in which episode a platform came first
    young: dict[str, int] = field(default_factory=dict)  # platform -> second day's sighting
    codes: dict[str, set[int]] = field(default_factory=dict)  # platform -> codes after the first
    firsts: dict[str, int] = field(default_factory=dict)  # platform -> sighting, by its message id
    alone: Alone = field(default_factory=Alone)

    def note_young(self, platform: str, at: int, held: Seen | None) -> None:
        """Notes a sighting whose platform is known by one code, which came in no episode."""
        if held is None:
            return
        lately = at - held.at < 7 * DAY
        once = held.novel and held.tainted < 0
        if once and lately:
            self.young[platform] = at
        self.unsure |= held.tainted > 1 or (once and not lately)


class Naive:
    def __init__(self, params: Params, hot: frozenset[int] = frozenset()) -> None:
        self.params = params
        self.hot = hot  # ids of platforms, the same all the time
        self.people: dict[int, Person] = {}
        self.recycled: dict[int, int] = {}  # the day on which a number got a new owner
        self.names: dict[int, str] = {}  # of the platforms in memory records, by id
        self.alarms: list[Alarm] = []
        self.trusted: set[str] = set()
        # Recipients for whom a row's memory may differ, and from which offset on. A platform that
        # came on two days, each in an episode, is young for a row and known for this judge. A print
        # has no time, so a platform that came once over a week ago may be young for a row.
        self.unsure: dict[int, int] = {}
        # Their leases name platforms of a week, of which a row may have forgotten some names.
        self.far: set[int] = set()
        self.limited: list[tuple[int, int, tuple[int, ...]]] = []  # offset, recipient, platforms
        self.watermark = 0
        self.samples: list[int] = []
        self.ticks: list[int] = []
        self.codes: list[int] = []  # when each was sent
        self.next_offset = 0

    def run(self, events: Iterable[Event], offsets: Sequence[int]) -> list[Alarm]:
        for event, offset in zip(events, offsets, strict=True):
            self.pass_to(offset)
            apart = event.kind in (EventKind.RECYCLED, EventKind.LISTED, EventKind.MEMORY)
            if offset % 16 == 0 and not apart:
                self.samples.append(event.at_ms)
            if event.kind is EventKind.RECYCLED:
                self.recycle(offset, event)
            elif event.kind is EventKind.MEMORY:
                self.remember(event)
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
            before, self.watermark = self.watermark, self.borne_out(sorted(self.ticks[-5:]))
            if before // 600 != self.watermark // 600:
                for person in self.people.values():
                    person.pages = {
                        p: f for p, f in person.pages.items() if abs(self.watermark - f[1]) < 3600
                    }
        ended = []
        for recipient, person in self.people.items():
            if person.flood and self.watermark >= self.ends(person.flood):
                ended.append((self.ends(person.flood), recipient))
        for _, recipient in sorted(ended):
            self.end(tick, recipient, self.watermark)

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
            self.end(offset, recipient, at)
        elif person.flood and person.flood.issued // 1000 - EPOCH > limit - 2 * DAY + 3600:
            person.flood.issued = person.flood.expires = 0
        for p, s in [(p, s) for p, s in person.seen.items() if s.at > limit]:
            del person.seen[p]
            if not s.novel:
                person.seen[p] = Seen(max(at - DAY, 1), novel=False)
        limit_ms = (limit + EPOCH + 1) * 1000
        person.heard = [h for h in person.heard if h.at_ms < limit_ms]
        person.refused = {p: ms for p, ms in person.refused.items() if ms[1] < limit_ms}
        if person.earlier:
            recent = person.earlier.recent
            person.earlier.recent = {p: ms for p, ms in recent.items() if ms < limit_ms}
        if person.flood:
            person.flood.fresh = {p: ms for p, ms in person.flood.fresh.items() if ms < limit_ms}

    def ends(self, flood: Flood) -> int:
        episode = self.params.episode
        quiet = max(episode.quiet_s, (flood.expires - flood.issued) * 3 // 2000)
        return min(flood.last + quiet, flood.opened + episode.episode_most_s)

    def end(self, offset: int, recipient: int, at: int) -> None:
        person = self.people[recipient]
        assert person.flood is not None
        for p, s in person.seen.items():
            if s.novel and s.at >= person.flood.since:
                person.seen[p] = s._replace(tainted=abs(s.tainted))
        throttled = person.flood.level is Level.THROTTLE
        over = self.ends(person.flood)
        person.relapsing = person.earlier is not None and at < person.earlier.until
        rested = not person.earlier or over >= person.earlier.until + 11 * DAY
        if throttled and self.enforces() and rested and self.settled(person, over):
            since = person.flood.since
            part = {p for p, s in person.seen.items() if s.novel and s.at >= since}
            person.earlier = Earlier(over + RELAPSE, part)
        if person.flood.by_mass or (throttled and self.confirmed(person)):
            person.seen = {
                p: s
                for p, s in person.seen.items()
                if s.tainted < 0 or self.knows(person, p, s, over)
            }
        person.flood = None
        person.heard = [h._replace(past=True) for h in person.heard if h.many]
        person.uncounted = set()
        self.alarms.append(Alarm(offset, recipient, "ended", Level.CLEAR))

    def enforces(self) -> bool:
        episode = self.params.episode
        return episode.mode == "enforce" and episode.enforce_cold

    def settled(self, person: Person, at: int) -> bool:
        return at // DAY - person.born >= self.params.judge.settled_days

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

    def remember(self, event: Event) -> None:
        """Adds the platforms that the record knows, but none that came here, or of a flood here.

        Valid where the record is signed and fresh, and its platforms came over a week ago.
        """
        told = event.memory
        assert told is not None
        if told.born_day <= self.recycled.get(event.recipient, 0):
            return
        person = self.people.setdefault(event.recipient, Person(born=told.born_day))
        person.born = min(person.born, told.born_day)
        here = {platform_id(p) for p in person.seen}
        here |= {platform_id(p) for p in person.earlier.platforms} if person.earlier else set()
        for each in told.platforms:
            if each.platform not in here:
                name = self.names[each.platform]
                person.seen[name] = Seen(each.last_day * DAY, novel=each.days < 2)

    def recycle(self, offset: int, event: Event) -> None:
        self.recycled[event.recipient] = (event.at_ms // 1000 - EPOCH) // DAY
        person = self.people.pop(event.recipient, None)
        if person and person.flood:
            self.alarms.append(Alarm(offset, event.recipient, "recycled", Level.CLEAR))

    def message(self, offset: int, event: Event) -> None:  # noqa: C901, PLR0915 - in the order of rules
        at = event.at_ms // 1000 - EPOCH
        person = self.people.setdefault(event.recipient, Person(born=at // DAY))
        self.codes.append(at)
        ahead = at > self.watermark + 7 * DAY and self.watermark and len(self.codes) >= 31
        if ahead and at > self.now() + 7 * DAY:
            return
        platform = self.page(person, event, at)
        paged = platform != event.platform
        loud = self.counted(person, at // self.params.sieve.window_s) >= 7
        later = event.kind >= EventKind.LATER_PART
        loud &= not later
        self.put_right(offset, event.recipient, at)
        if person.flood and at >= self.ends(person.flood):
            self.end(offset, event.recipient, at)
        person.relapsing = person.earlier is not None and at < person.earlier.until
        if person.seen and at <= max(s.at for s in person.seen.values()) - DAY:
            return
        held = person.seen.get(platform)
        flood = person.flood
        self.trusted |= {event.platform} if event.trust else set()
        refused = self.refused(person, event)
        idle = refused and not self.settling(person, at)  # a message that counts as no day
        known = not refused and held is not None and self.knows(person, platform, held, at)
        level, since, by_mass, evident = Level.CLEAR, 0, False, False
        # At a whole minute a message counts once for its id, not for its time.
        number = zlib.crc32((event.message_id or f"id {offset}").encode())
        spread = (event.at_ms % 60_000 == 0) * (1 + number % 59)
        when, when_ms = at + spread, event.at_ms + spread * 1000
        if held is None or abs(at - held.at) >= DAY:
            person.firsts[platform] = when
            tainted = self.days(held, at, refused=idle) if not known else -1
            person.note_young(platform, at, held if known else None)
            if person.unsure:
                self.unsure.setdefault(event.recipient, offset)
            person.seen[platform] = Seen(at, not known, tainted)
            level, since = self.level(person, at)
        elif held.tainted == 0 and not idle:
            person.seen[platform] = held._replace(tainted=1)
        if later and held is not None and abs(at - held.at) < DAY:
            return  # its first part or attempt counted
        fresh = False
        own = person.seen.get(event.platform)
        young = known and abs(at - person.young.get(platform, at - DAY)) < DAY
        if not refused:
            counts = held is not None and abs(at - held.at) < DAY and when != held.at
            counts = counts and when != person.firsts.get(platform)
            counts |= (held is None or abs(at - held.at) >= DAY) and any(
                0 < when_ms - h.at_ms < DAY * 1000 and h.platform == event.platform
                for h in self.counted_messages(person)
            )
            first = not counts and (held is None or abs(at - held.at) >= DAY)
            self.limit(
                offset, event, platform, counts=counts, first=first, own=young or not known, at=when
            )
            known = known or (
                paged and own is not None and self.knows(person, event.platform, own, at)
            )
            self.known_limit(offset, event, known=known, at=when)
        if not known or (young and self.many(person, at)):
            fresh, counts = self.hear(
                person, event, refused=refused, loud=loud and not young, page=paged and not young,
                at_ms=when_ms,
            )  # fmt: skip
            calm = flood is None and fresh and not refused
            by = self.by_messages(person, event, counts=counts, calm=calm, at_ms=when_ms)
            if by[0] > level:
                level, since, by_mass = by
                evident = True
            fresh &= not known
            flooding = fresh and not event.trust
            again = self.relapse(person, platform, event.at_ms, flooding=flooding)
            if again[0] > level:
                level, since, evident = *again, True
        self.rise(offset, event.recipient, level, since, at, by_mass=by_mass)
        if person.flood:
            self.follow(offset, person, person.flood, event, platform, fresh=fresh, evident=evident,
                        level=level)  # fmt: skip

    def follow(
        self, offset: int, person: Person, flood: Flood, event: Event, platform: str, *,
        fresh: bool, evident: bool, level: Level,
    ) -> None:  # fmt: skip
        fresh = fresh and not event.trust
        if fresh:
            flood.last = max(flood.last, event.at_ms // 1000 - EPOCH)
            flood.fresh[platform] = max(event.at_ms, flood.fresh.get(platform, event.at_ms))
        if flood.level is Level.THROTTLE:
            evident = evident and level is Level.THROTTLE
            named = platform_id(platform)
            if self.issues(person, flood, event.at_ms, fresh=fresh, evident=evident):
                self.lease(offset, event, person, flood)
            elif fresh and flood.live_narrow(event.at_ms) and named not in flood.named:
                self.name(offset, event, flood, {named: platform})

    def limit(
        self, offset: int, event: Event, platform: str,
        *, counts: bool, first: bool, own: bool, at: int,
    ) -> None:  # fmt: skip
        """Ten codes after the first in 35 minutes, or 20 in a day, of one platform: refused."""
        person, at_ms = self.people[event.recipient], event.at_ms
        alone = person.alone
        refused = alone.refuses(event.platform, at_ms)
        first = first and not refused and at_ms < max(alone.ends.values(), default=0)
        if not (counts or first) and (event.trust or not refused):
            return
        if at_ms == alone.issued and platform in alone.ends:
            return
        began, last, rows = alone.limited.get(platform, (0, 0, 0))
        counted_ms = (at + EPOCH) * 1000
        passed = (began, last) == (counted_ms, at_ms - RETRY)  # second delivery of a retry
        row = passed or at_ms - last < RETRY
        if alone.refuses(platform, at_ms):
            if own and platform not in alone.limited:
                return
            began, rows = (began, rows) if row else (at_ms, rows + 1)
            total = alone.total
            alone.limited[platform] = began, max(at_ms, last), rows
            over = own and ((not row and rows >= 3) or at_ms - began >= 1_800_000)
            over = over and at_ms >= alone.ends[platform] - 1_800_000
        else:
            total = False
            if row:
                alone.limited[platform] = counted_ms, at_ms - RETRY, rows
            times = person.codes.setdefault(platform, set())
            in_total = alone.total and at_ms < max(alone.ends.values(), default=0)
            if (alone.total and not own) if row else (in_total or not first):
                times.add(at)
            over = (
                own
                and not (first or row)
                and any(
                    sum(t > max(times) - window for t in times)
                    >= Fraction(most, lower if person.relapsing else 1)
                    for window, (most, lower) in LIMIT.items()
                )
            )
            if not event.trust and self.settled(person, at):
                newest = event.at_ms // 1000 - EPOCH if first or row else max(times)
                total = self.total(offset, event, newest, platform)
        if over and not event.trust and self.settled(person, at):
            end = at_ms + 3_600_000
            self.refuse(offset, event, {platform}, end, prolongs=True, total=total)

    def total(self, offset: int, event: Event, newest: int, platform: str) -> bool:
        """Too many codes of all platforms: refused is what is new, and later what is known."""
        person, at = self.people[event.recipient], event.at_ms // 1000 - EPOCH
        if platform in self.trusted:
            return False
        every_one = person.seen.keys() | {h.platform for h in self.counted_messages(person)}
        own = {
            p
            for p in every_one
            if p not in person.seen
            or person.seen[p].novel
            or abs(at - person.young.get(p, at - DAY)) < DAY
        }
        ends: dict[str, int] = {}
        for window, limits in TOTAL.items():
            codes = {
                p: [t for t in person.codes.get(p, ()) if t > newest - window] for p in every_one
            }
            every = sorted(t for times in codes.values() for t in times)
            senders = sum(len(times) > 0 for times in codes.values())
            for most, part in zip(limits, (own, every_one - own), strict=True):
                if len(every) < most:
                    continue
                over = len(every) >= most + TOTAL_OVER[window]
                for p in part:
                    number = len(codes[p])
                    many = number >= 2 and 10 * senders * number >= 7 * len(every)
                    many = many or number >= TOTAL_ENOUGH[window] or part is own or over
                    far = len(every) >= most + TOTAL_FAR
                    since = newest - (7 * DAY if far else window)
                    came = p in person.seen and person.seen[p].at > since
                    if far and came and window < DAY and person.seen[p].at <= newest - DAY:
                        self.far.add(event.recipient)
                    if (number and many) or (over and came and window < DAY):
                        ends[p] = max(ends.get(p, 0), every[-most] + window)
        if ends:  # the lease is told again, also where all of these are trusted
            self.refuse(offset, event, set(), 0, prolongs=False, total=True)
        for p in ends.keys() - self.trusted:
            end = max((ends[p] + EPOCH) * 1000, event.at_ms + TOTAL_LEAST)
            end = min(-(-end // 60_000) * 60_000, event.at_ms + 3_600_000)
            self.refuse(offset, event, {p}, end, prolongs=False)
            if p in own:
                self.refuse(offset, event, {p}, event.at_ms + 3_600_000, prolongs=True)
        return bool(ends)

    def counted_messages(self, person: Person) -> list[Heard]:
        """Messages of novel platforms that long windows count, also of floods that ended."""
        return [h for h in person.heard if h.many or h.past]

    def known_limit(self, offset: int, event: Event, *, known: bool, at: int) -> None:
        """The limit on a known platform during a flood, by the codes that were delivered."""
        person, at_ms = self.people[event.recipient], event.at_ms
        throttled = person.flood is not None and person.flood.level is Level.THROTTLE
        if event.trust or not (known and throttled) or person.alone.refuses(event.platform, at_ms):
            return
        if self.params.judge.mode("known") == "off":
            return
        times = person.codes.setdefault(event.platform, set())
        times.add(at)
        if at_ms == person.alone.issued and event.platform in person.alone.ends:
            return
        ends = []
        for window, most in KNOWN.items():
            newest = sorted(t for t in times if t > max(times) - window)
            if len(newest) >= most:
                ends.append(newest[-most] + window)
        if ends:
            end = -(-(max(ends) + EPOCH) // 60) * 60_000
            self.refuse(offset, event, {event.platform}, end, prolongs=False, total=False)

    def refuse(
        self, offset: int, event: Event, platforms: set[str], end: int,
        *, prolongs: bool, total: bool | None = None,
    ) -> None:  # fmt: skip
        alone, at_ms = self.people[event.recipient].alone, event.at_ms
        total = alone.total if total is None else total
        ends = dict(alone.ends)
        for platform in platforms:
            ends[platform] = max(end, ends.get(platform, 0))
        ends = {p: old for p, old in ends.items() if old > at_ms}
        limited = {
            p: rows for p, rows in alone.limited.items() if p in ends or at_ms - rows[1] < RETRY
        }
        limited |= {p: (at_ms, at_ms, 0) for p in platforms if prolongs}
        self.people[event.recipient].alone = Alone(at_ms, ends, limited, total)
        named = tuple(sorted(map(platform_id, ends)))
        if self.limited and self.limited[-1][:2] == (offset, event.recipient):
            self.limited.pop()
        if named:
            self.limited.append((offset, event.recipient, named))

    def refused(self, person: Person, event: Event) -> bool:
        """Whether the lease of the flood refuses a code."""
        flood = person.flood
        if flood is None or event.trust:
            return False
        if person.refused.get(event.platform, (0, 0))[1] == event.at_ms:
            return True  # delivered twice
        if flood.narrow:
            named = platform_id(event.platform) in flood.named
            return named and person.alone.refuses(event.platform, event.at_ms)
        return flood.live(event.at_ms) and event.platform not in flood.passes

    def by_messages(
        self, person: Person, event: Event, *, counts: bool, calm: bool, at_ms: int
    ) -> tuple[Level, int, bool]:
        """Mass, volume and returns, and if it is the mass.

        `calm`: a message that no lease refuses, outside a flood.
        """
        found = [(*self.mass(person, at_ms), True)] if counts else []
        key = at_ms, event.platform
        many = counts and any(h[:3] == (*key, True) for h in person.heard)
        calm = calm and person.relapsing and key not in person.uncounted
        person.uncounted.add(key)
        if self.settled(person, event.at_ms // 1000 - EPOCH) and (many or calm):
            passed = person.alone.total and event.at_ms < max(person.alone.ends.values(), default=0)
            divisor = 3 if person.relapsing or passed else 1
            found.append((*self.volume(person, at_ms, divisor), False))
            found.append((*self.returns(person, at_ms, divisor), False))
        return max(found, key=lambda by: by[0], default=(Level.CLEAR, 0, False))

    def settling(self, person: Person, at: int) -> bool:
        return person.earlier is not None and at < person.earlier.until + 11 * DAY

    def days(self, held: Seen | None, at: int, *, refused: bool) -> int:
        """The days on which a tainted platform came, with this one; -1 if it is not tainted."""
        if refused:
            return 0
        if held is None or held.tainted < 0:
            return -1
        return held.tainted + 1

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

    def page(self, person: Person, event: Event, at: int) -> str:
        """The platform that an event counts as: of an unnamed page the first within ten minutes."""
        if not event.page or event.trust:
            return event.platform
        first, since = person.pages.get(event.page, (event.platform, at - 600))
        if abs(at - since) < 600:
            return first
        person.pages[event.page] = event.platform, at
        return event.platform

    def hear(
        self, person: Person, event: Event, *, refused: bool, loud: bool, page: bool, at_ms: int
    ) -> tuple[bool, bool]:
        """Whether a message of a novel platform is evidence of a flood, and whether it counts."""
        first, last = person.refused.get(event.platform, (-RETRY, -RETRY))
        retry = abs(event.at_ms - last) < RETRY
        if refused:
            if not retry and event.at_ms >= last:
                first = event.at_ms
            person.refused[event.platform] = first, max(event.at_ms, last)
            return not retry, False
        if retry and abs(event.at_ms - first) < RETRIES:
            return False, False
        several = self.many(person, event.at_ms // 1000 - EPOCH) or (page and loud)
        message = Heard(at_ms, event.platform, several, loud)
        for h in person.heard:
            if h[:2] == message[:2]:
                if h.many or h.loud or h.past or not (several or loud):
                    return False, False
                person.heard.remove(h)
                break
        person.heard.append(message)
        return True, several or loud

    def many(self, person: Person, at: int) -> bool:
        """Five novel platforms in the day; of eight or more in all, young ones count as novel."""
        newest = max(s.at for s in person.seen.values())
        day = {p: s for p, s in person.seen.items() if newest - DAY < s.at <= at}
        novel = sum(s.novel for s in day.values())
        young = sum(not s.novel and person.young.get(p) == s.at for p, s in day.items())
        return novel >= 5 or (len(day) >= 8 and novel + young >= 5)

    def mass(self, person: Person, at_ms: int) -> tuple[Level, int]:
        best = (Level.CLEAR, 0)
        for window, (watch, throttle) in MASS.items():
            now = [h for h in person.heard if not h.past and (h.many or h.loud)]
            for end in sorted({h.at_ms for h in now if 0 <= h.at_ms - at_ms < window}):
                inside = [h for h in now if end - window < h.at_ms <= end]
                each = [h.platform for h in inside if h.many]
                score = sum(min(9, each.count(p)) for p in set(each))
                count = max(len(each), len(inside) - 6)  # six may be loud too soon, or unheard
                level = Level.WATCH if count >= watch else Level.CLEAR
                if len(set(each)) >= 5 and score >= throttle:
                    level = Level.THROTTLE
                first = min(h.at_ms for h in inside) // 1000 - EPOCH
                first = self.first_of(person, ((h.platform, h.at_ms) for h in inside), first)
                best = max(best, (level, first), key=lambda found: found[0])
        return best

    def volume(self, person: Person, at_ms: int, divisor: int) -> tuple[Level, int]:
        for window, throttle in VOLUME.items():
            later = {h.at_ms for h in person.heard if 0 <= h.at_ms - at_ms < window}
            for end in sorted(later | {at_ms}):
                inside = [h for h in person.heard if end - window < h.at_ms <= end]
                each = [h.platform for h in inside if h.many]
                score = sum(min(9, each.count(p)) for p in set(each))
                if score >= Fraction(throttle, divisor):
                    part = ((h.platform, h.at_ms) for h in inside if h.many or h.loud)
                    first = min(h.at_ms for h in inside) // 1000 - EPOCH
                    return Level.THROTTLE, self.first_of(person, part, first)
        return Level.CLEAR, 0

    def first_of(self, person: Person, part: Iterable[tuple[str, int]], otherwise: int) -> int:
        """The first sighting of platforms that was less than a day before their message."""
        held = [(person.seen[p].at, ms // 1000 - EPOCH) for p, ms in part if p in person.seen]
        return min((seen for seen, at in held if at - seen < DAY), default=otherwise)

    def returns(self, person: Person, at_ms: int, divisor: int) -> tuple[Level, int]:
        """Platforms with a second code 10 min to 3 h after the one before, in the last 3 h."""
        came = sorted((h.at_ms, h.platform) for h in person.heard if h.many)
        newest = max([at_ms, *(ms for ms, _ in came)])
        found = set()
        for platform in {p for _, p in came}:
            times = [ms for ms, p in came if p == platform]
            if platform in person.seen:
                times.insert(0, (person.seen[platform].at + EPOCH) * 1000)
            for before, after in pairwise(times):
                if 600_000 <= after - before < 10_800_000 and after > newest - 10_800_000:
                    found.add(platform)
        if len(found) < Fraction(RETURNS, divisor):
            return Level.CLEAR, 0
        newest = max(s.at for s in person.seen.values())
        part = ((p, ms) for ms, p in came if p in found)
        return Level.THROTTLE, self.first_of(person, part, newest)

    def relapse(
        self, person: Person, platform: str, at_ms: int, *, flooding: bool
    ) -> tuple[Level, int]:
        """Three platforms of the earlier flood within ten minutes; one after nearly all of them."""
        earlier = person.earlier
        if not (flooding and person.relapsing and earlier and platform in earlier.platforms):
            return Level.CLEAR, 0
        held = earlier.recent.get(platform, at_ms)
        earlier.recent[platform] = max(at_ms, held)
        near = [ms for ms in earlier.recent.values() if abs(at_ms - ms) < 600_000]
        enough = len(near) >= (1 if earlier.repeated else 3)
        if len(near) >= 5 and 4 * len(near) >= 3 * len(earlier.platforms):
            earlier.repeated = True
        return (Level.THROTTLE, min(near) // 1000 - EPOCH) if enough else (Level.CLEAR, 0)

    def few(self, person: Person, at_ms: int) -> bool:
        """Whether at most two novel platforms came in the last half hour."""
        came = {h.platform for h in person.heard if h.at_ms > at_ms - 1_800_000}
        came |= {p for p, (_, last) in person.refused.items() if last > at_ms - 1_800_000}
        since = (at_ms - 1_800_000) // 1000 - EPOCH
        came |= {p for p, s in person.seen.items() if s.novel and s.at > since}
        return len(came) <= 2

    def issues(
        self, person: Person, flood: Flood, at_ms: int, *, fresh: bool, evident: bool
    ) -> bool:
        few = self.few(person, at_ms)
        if fresh and flood.live_narrow(at_ms) and not few:
            return True
        if flood.issued:
            half = self.params.episode.lease_ms // 2
            quiet = self.params.episode.quiet_s * 1000
            newest = sorted(flood.fresh.items(), key=lambda f: (f[1], f[0]))[-3:]
            several = len(newest) == 3 and newest[0][1] > at_ms - quiet
            if self.length(person, flood, 0, 10**12) > half:
                several = bool(newest) and newest[-1][1] > at_ms - quiet
            if not fresh or at_ms < flood.issued + half or not (several or evident):
                return False
        return not (few and not flood.narrow and flood.live(at_ms))

    def lease(self, offset: int, event: Event, person: Person, flood: Flood) -> None:
        at_ms, least = event.at_ms, self.params.episode.lease_ms
        flood.issued, flood.expires = at_ms, at_ms + self.length(person, flood, least, 3_600_000)
        flood.fresh = {}
        flood.narrow = self.few(person, at_ms)
        if not flood.narrow:
            end = max(at_ms, flood.expires) // 1000 - EPOCH
            flood.passes = {p for p, s in person.seen.items() if self.knows(person, p, s, end)}
            return
        part = {p for p, s in person.seen.items() if s.novel and s.at >= flood.since}
        if person.relapsing and person.earlier:
            part |= person.earlier.platforms
        self.name(offset, event, flood, {platform_id(p): p for p in part - self.trusted})

    def name(self, offset: int, event: Event, flood: Flood, platforms: dict[int, str]) -> None:
        flood.named |= platforms.keys()
        flood.names.update(platforms.values())
        self.refuse(offset, event, flood.names, flood.expires, prolongs=False)

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
        known = sum(self.knows(person, p, s, at) for p, s in person.seen.items())
        return "large" if known >= 14 else "small"

    def knows(self, person: Person, platform: str, seen: Seen, at: int) -> bool:
        if not seen.novel:
            return True
        if person.relapsing and person.earlier and platform in person.earlier.platforms:
            return False
        inside = person.flood is not None and seen.at >= person.flood.since
        met = not inside if seen.tainted < 0 else seen.tainted > 1
        return seen.tainted > 2 or (at - seen.at >= DAY and met)


def apart(times: list[int], gap: int) -> int:
    """The most of these ascending times that are pairwise a gap apart: earliest first."""
    count, last = 0, -gap
    for t in times:
        if t - last >= gap or count == 0:
            count, last = count + 1, t
    return count
