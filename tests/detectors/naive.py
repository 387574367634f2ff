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
from typing import NamedTuple

from detectors.chain import Params
from detectors.model.event import Kind
from detectors.model.records import Level
from tests.detectors.stand_in import Event

DAY = 86_400
EPOCH = 1_577_836_800
TICK = 4096

# Written again from the design, so that a slip in the judge's table shows.
LEVEL = {Level.WATCH: Fraction("1.6"), Level.THROTTLE: Fraction("2.6")}
NOVEL = {Level.WATCH: 3, Level.THROTTLE: 5}
RAW = {Level.WATCH: (37, 54), Level.THROTTLE: (43, 61)}
SPACED = {  # (10 min in 24 h, 5 min in 3 h)
    "small": {Level.WATCH: (28, 21), Level.THROTTLE: (31, 24)},
    "large": {Level.WATCH: (22, 17), Level.THROTTLE: (26, 21)},
    "half": {Level.WATCH: (17, 14), Level.THROTTLE: (22, 18)},
    "third": {Level.WATCH: (12, 12), Level.THROTTLE: (17, 14)},
}


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


@dataclass
class Person:
    seen: dict[str, Seen] = field(default_factory=dict)
    flood: Flood | None = None


class Naive:
    def __init__(self, params: Params) -> None:
        self.params = params
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
            if event.kind is Kind.RECYCLED:
                self.recycle(offset, event)
            elif event.platform:
                self.message(offset, event)
            self.next_offset = offset + 1
        self.pass_to(offsets[-1] + 1)
        return self.alarms

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
        for p, s in [(p, s) for p, s in person.seen.items() if s.at > limit]:
            del person.seen[p]
            if not s.novel:
                person.seen[p] = Seen(max(at - DAY, 1), novel=False)

    def ends(self, flood: Flood) -> int:
        episode = self.params.episode
        return min(flood.last + episode.quiet_s, flood.opened + episode.episode_most_s)

    def end(self, offset: int, recipient: int) -> None:
        person = self.people[recipient]
        assert person.flood is not None
        for p, s in person.seen.items():
            if s.novel and s.at >= person.flood.since:
                person.seen[p] = s._replace(tainted=s.tainted or 1)
        if person.flood.level is Level.THROTTLE and self.confirmed(person):
            over = self.ends(person.flood)
            person.seen = {
                p: s for p, s in person.seen.items() if not s.tainted or self.knows(person, s, over)
            }
        person.flood = None
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
        self.put_right(offset, event.recipient, at)
        if person.flood and at >= self.ends(person.flood):
            self.end(offset, event.recipient)
        if person.seen and at <= max(s.at for s in person.seen.values()) - DAY:
            return
        held = person.seen.get(event.platform)
        known = held is not None and self.knows(person, held, at)
        if held is None or abs(at - held.at) >= DAY:
            again = held is not None and not known and at - held.at < 2 * DAY
            tainted = held.tainted + 1 if held and held.tainted and again else 0
            person.seen[event.platform] = Seen(at, not known, tainted)
            level, since = self.level(person, at)
            self.rise(offset, event.recipient, level, since, at)
        if person.flood and not known and not event.trust:
            person.flood.last = max(person.flood.last, at)

    def rise(self, offset: int, recipient: int, level: Level, since: int, at: int) -> None:
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
        self.alarms.append(Alarm(offset, recipient, change, level))

    def level(self, person: Person, at: int) -> tuple[Level, int]:
        """The highest level of any instant from `at` on, and where its evidence begins."""
        instants = sorted({s.at for s in person.seen.values() if s.at >= at})
        best = (Level.CLEAR, 0)
        for now in instants:
            found = self.instant(person, [s for s in person.seen.values() if s.at <= now], now, at)
            best = max(best, found, key=lambda f: f[0])
        return best

    def instant(
        self, person: Person, seen: list[Seen], now: int, event_at: int
    ) -> tuple[Level, int]:
        fill, novel, begun = self.bucket(seen)
        new = sorted(s.at for s in seen if s.novel)
        day = [t for t in new if t > now - DAY]
        short = [t for t in new if t > now - 35 * 60]
        hours = [t for t in new if t > now - 3 * 3600]
        spaced = SPACED[self.habit(person, event_at)]
        for level in (Level.THROTTLE, Level.WATCH):
            if fill >= LEVEL[level] and novel >= NOVEL[level]:
                return level, begun
            for count, bar, window in (
                (len(short), RAW[level][0], 35 * 60),
                (len(day), RAW[level][1], DAY),
                (apart(hours, 300), spaced[level][1], 3 * 3600),
                (apart(day, 600), spaced[level][0], DAY),
            ):
                if count >= bar:
                    return level, now - window + 1
        return Level.CLEAR, 0

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
