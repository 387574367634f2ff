"""One suspect: what is remembered of a recipient that a flood may be at.

Its sightings of a day and more, which of them are tainted, the bucket after the last of them, and
its open episode. A message is taken in here, or forgotten; what it amounts to is for `judge`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from enum import IntEnum
from typing import Final

from detectors.bars import LEAK_MILLI_S
from detectors.model.event import platform_print
from detectors.model.records import Level, Mode, Scope, Step
from detectors.model.times import DAY_S
from detectors.recipients.overflow import MARKS_MAX, SPILL, unique
from detectors.recipients.row import AGAIN, EXCUSED, HABIT, ONCE, PRINTS, RING, Known, Memory, word
from detectors.suspects.again import SecondRequests
from detectors.suspects.clocks import ClockClass
from detectors.suspects.incident import Incident

LATE_S: Final = 3600
"""A suspect keeps its sightings for a day plus this, so messages up to an hour out of order are
judged exactly. Older ones are judged on the sightings that remain."""

SIGHTINGS_MAX: Final = 64
"""Novel sightings, and again so many known ones, that a suspect holds: the highest bar is 61."""

TAINTED_DAYS: Final = 2
"""A platform first seen in an episode that was not confirmed (`judge.confirmed`) is known when it
has come on so many days, however far apart. Chosen: people who share a number are left alone from
the third day on, and so are people who always use the same platforms within seconds. An attacker
who wants a flood to become known has to keep it small for two days first."""

TAINT_S: Final = 2 * DAY_S
"""How long a suspect waits for the second day of such platforms. After that a row remembers the
newest of them by their marks."""


class Episode:
    """The memory of an open episode."""

    __slots__ = (
        "chronic",
        "expires_ms",
        "fresh_ms",
        "id",
        "incident",
        "issued_ms",
        "last_flood_s",
        "level",
        "messages",
        "mode",
        "opened_s",
        "path",
        "requests",
        "scope",
        "since_s",
    )

    def __init__(self, episode_id: str, since_s: int, opened_s: int) -> None:
        self.id = episode_id
        self.since_s = since_s  # of its first sighting
        self.opened_s = opened_s
        self.last_flood_s = opened_s
        self.messages = 0
        self.level = Level.CLEAR
        self.mode: Mode = "shadow"
        self.issued_ms = 0  # of the lease; 0: none yet
        self.expires_ms = 0
        self.fresh_ms: dict[int, int] = {}  # platforms of the flood since the lease -> their newest
        self.chronic = False
        self.path: list[Step] = []
        self.requests = SecondRequests()
        self.incident: Incident | None = None  # from THROTTLE on
        self.scope: Scope | None = None  # of its newest lease; None: there is none yet


class Seen(IntEnum):
    """The bearing of one message on its recipient."""

    LATE = 0  # over a day older than the newest sighting: not judged
    REPEAT = 1  # of a sighting
    KNOWN = 2  # the sighting of a platform that its recipient knows
    EXCESS = 3  # the same, held as a novel one: too many of a day have its print
    NOVEL = 4


class Suspect:
    """The sightings of one recipient, and the bucket after the last of them.

    A sighting is a word of `detectors.recipients.row`; one older than a day stands for a known
    platform.
    """

    __slots__ = (
        "barred",
        "bucket_level_milli",
        "bucket_novel",
        "bucket_s",
        "bucket_since_s",
        "coarse",
        "due_s",
        "episode",
        "habits",
        "heard",
        "known_held",
        "last_s",
        "memory",
        "name",
        "novel_s",
        "places",
        "prints_held",
        "recipient",
        "refused_ms",
        "retried_ms",
        "row",
        "seen",
        "sightings",
        "tainted",
    )

    def __init__(
        self, recipient: int, name: str, row: int, sightings: list[int], memory: Memory
    ) -> None:
        self.recipient = recipient
        self.row = row  # in the partition's table: a suspect's row is never given away
        self.name = name  # E.164 digits, or the token
        self.sightings = sightings  # ascending
        self.seen = {w & 0xFFFF_FFFF: w for w in sightings}
        self.novel_s = [w >> 33 for w in sightings if w >> 32 & 1]  # times of the novel ones
        self.known_held = {
            w & 0xFFFF_FFFF for w in sightings if not w >> 32 & 1
        }  # platforms of the others
        # print -> sightings of platforms that have it
        self.prints_held = dict(Counter(map(platform_print, self.seen)))
        self.places: dict[int, int] = {}  # platform of a sighting -> its offset, if it came since
        self.tainted: dict[int, int] = {}  # platform first seen in an episode -> days it came on
        self.memory = memory
        self.habits: set[int] = set()  # platforms of known sightings that are a habit
        self.heard: list[int] = []  # messages of novel platforms, ascending: see `mass`
        self.refused_ms: dict[int, int] = {}  # platform -> its last message that a lease refused
        self.retried_ms: dict[int, int] = {}  # and the first one, where retries followed it
        self.last_s = 0  # of the newest message since it is a suspect
        self.due_s = 0  # when to ask whether it may be let go
        # Platforms whose sighting has a stamp that is not exact, and how coarse it is. Of what a
        # row held that is not known: the sieve has seen that it amounts to nothing.
        self.coarse: dict[int, ClockClass] = {}
        self.episode: Episode | None = None
        # Platforms of the last days' flood: they do not become known while it is remembered.
        self.barred: frozenset[int] = frozenset()
        self.bucket_level_milli = 0
        self.bucket_novel = 0  # since it was last empty,
        self.bucket_since_s = 0  # which was then
        self.bucket_s = 0  # of the last sighting
        _refill(self)

    @property
    def novels(self) -> int:
        """The number of novel sightings."""
        return len(self.novel_s)

    def knows(self, platform: int, at_s: int) -> bool:
        """Tell if this recipient knew the platform before the day that ends at `at_s`.

        Or one with the same print, which nobody can tell from it. What was first seen in an episode
        is tainted: it does not become known by it alone. Once it has come on days enough it is
        known, even if a new episode reaches back over the last.
        """
        seen = platform in self.seen
        if seen and self.met(platform, at_s):
            return True
        wanted = platform_print(platform)
        if wanted in self.memory.prints:
            return True
        # Most have no other with their print, and a look at all of them is most of a judge's time.
        if self.prints_held.get(wanted, 0) == seen:
            return False
        return any(self.met(p, at_s) for p in self._alike(platform))

    def met(self, platform: int, at_s: int) -> bool:
        """The same of a platform that has a sighting, by its id alone."""
        held = self.seen[platform]
        if not held >> 32 & 1:
            return True
        if at_s - (held >> 33) < DAY_S:
            return False
        return self._met_once(held, None)

    def _met_once(self, held: int, oldest: int | None) -> bool:
        """The same of a novel sighting of over a day ago; `oldest` is `_oldest_held`, if known."""
        platform = held & 0xFFFF_FFFF
        if platform in self.barred:
            return False
        days = self.tainted.get(platform)
        if days is not None:
            return days >= TAINTED_DAYS
        if self.episode is not None and held >> 33 >= self.episode.since_s:
            return False
        return held >= (self._oldest_held() if oldest is None else oldest)

    def _oldest_held(self) -> int:
        """The oldest sighting of a platform that came once which a row would still have; 0: all.

        The ring has the eight newest of all; those that came once get what places are left among
        the prints. What came in an open episode displaces nothing.
        """
        before = self.sightings
        if len(before) <= RING:
            return 0
        if self.episode is not None:
            before = before[: bisect_left(before, word(self.episode.since_s, 0, 0))]
        ring, older = before[-RING:], before[:-RING]
        once = [w for w in older if w >> 32 & 1]
        memory = self.memory
        often = sum(each.level > ONCE for each in memory.known) + len(older) - len(once)
        if memory.extent is not None or often >= SPILL:  # then those have places of their own
            often = sum(each.level == ONCE for each in memory.known)
        places = PRINTS - often
        if places >= len(once):
            return 0
        return once[-places] if places > 0 else ring[0]

    def _alike(self, platform: int) -> list[int]:
        """The platforms with sightings that have its print."""
        wanted = platform_print(platform)
        return [p for p in self.seen if platform_print(p) == wanted]

    def exceeds(self, platform: int, at_s: int) -> bool:
        """Tell if a known platform is one too many of its print in a day.

        That is the day which ends with the newest sighting: of it the sieve has all. It does not
        matter which of them are known by their ids: of that the sieve forgets more than a judge.
        """
        if self.prints_held.get(platform_print(platform), 0) < EXCUSED:
            return False
        since_s = max(at_s, self.sightings[-1] >> 33) - DAY_S
        return sum(self.seen[p] >> 33 > since_s for p in self._alike(platform)) >= EXCUSED

    def known(self, at_s: int) -> list[int]:
        """The platform ids that it knows, ascending; those in its memory have no id any more."""
        day_ago_s = at_s - DAY_S
        held = self.sightings
        known = [*self.known_held]
        old = held[: bisect_left(held, word(day_ago_s + 1, 0, 0))]
        if self.novel_s and self.novel_s[0] <= day_ago_s:
            oldest = self._oldest_held()
            known += [w & 0xFFFF_FFFF for w in old if w >> 32 & 1 and self._met_once(w, oldest)]
        known.sort()
        return known

    def prints(self, at_s: int) -> set[int]:
        """The prints of all that it knows, in its memory or by id."""
        return {*self.memory.prints, *map(platform_print, self.known(at_s))} - {0}

    def memory_size(self, at_s: int) -> int:
        """The number of platforms that the recipient knows, as far as prints tell them apart."""
        return len(self.prints(at_s))

    def remembers(self, least: int, at_s: int) -> bool:
        """Tell if it knows `count` platforms or more, without counting where that is plain."""
        if not self.sightings or self.sightings[0] >> 33 > at_s - DAY_S:  # no novel one is known
            most = self.memory.size + len(self.sightings) - self.novels
            if most < least:
                return False
        return self.memory_size(at_s) >= least


def see(
    suspect: Suspect,
    platform: int,
    at_s: int,
    stamps: ClockClass = ClockClass.EXACT,
    offset: int = -1,
    *,
    refused: bool = False,
    counts_day: bool = True,
) -> Seen:
    """Take one message in, from a gateway whose stamps are of this class.

    `refused` says that the lease refuses it, so its platform is novel. `counts_day` says that the
    message counts as a day on which the platform came.
    """
    sightings = suspect.sightings
    suspect.last_s = max(suspect.last_s, at_s)
    newest_s = sightings[-1] >> 33 if sightings else at_s
    if at_s <= newest_s - DAY_S:
        return Seen.LATE
    held = suspect.seen.get(platform)
    if held is not None and -DAY_S < at_s - (held >> 33) < DAY_S:
        if counts_day and suspect.tainted.get(platform) == 0:
            suspect.tainted[platform] = 1
        return Seen.REPEAT
    known = not refused and suspect.knows(platform, at_s)
    novel = not known or suspect.exceeds(platform, at_s)
    habit = not novel and _rises(suspect, platform, held, at_s)
    days = _days_with(suspect, platform, counts=counts_day) if novel else None
    if held is not None:
        _forget(suspect, held)
    if days is not None:
        suspect.tainted[platform] = days
    sighting = word(at_s, novel, platform)
    _hold(suspect, sighting)
    suspect.places[platform] = offset
    if stamps:
        suspect.coarse[platform] = stamps
    if habit:
        suspect.habits.add(platform)
    if len(sightings) > SIGHTINGS_MAX:
        _bound(suspect)
    if len(sightings) > RING:
        _retire(suspect)
    if at_s >= newest_s:
        fill(suspect, at_s, novel)
    else:
        _refill(suspect)
    if known:
        return Seen.EXCESS if novel else Seen.KNOWN
    return Seen.NOVEL


def _days_with(suspect: Suspect, platform: int, *, counts: bool) -> int | None:
    """Return the days on which a tainted platform came, with a new one; None if it is not tainted.

    A day on which none of its messages `counts` begins the count anew.
    """
    if not counts:
        return 0
    days = suspect.tainted.get(platform)
    return None if days is None else days + 1


def _rises(suspect: Suspect, platform: int, held: int | None, at_s: int) -> bool:
    """Tell if a known platform that comes again is a habit now."""
    memory = suspect.memory
    if held is not None:
        level = ONCE if held >> 32 & 1 else HABIT if platform in suspect.habits else AGAIN
        return memory.risen(level, held >> 33, at_s) == HABIT
    known = memory.recall(platform_print(platform))
    return known is not None and memory.risen(known.level, known.last_s, at_s) == HABIT


def _retire(suspect: Suspect) -> None:
    """Let sightings that no score looks at any more become prints, as in a row.

    Who is a suspect for days could else be taught 64 platforms where a row learns eight. What is
    tainted waits for the end of its episode, and nothing is retired while one is open. Time is that
    of the eighth newest sighting: seven from a clock that is ahead retire nothing.
    """
    if suspect.episode is not None:
        return
    sightings = suspect.sightings
    limit_s = (sightings[-RING] >> 33) - DAY_S - LATE_S
    if sightings[0] >> 33 > limit_s:
        return
    back = {platform_print(w & 0xFFFF_FFFF) for w in sightings if not w >> 32 & 1}
    for sighting in sightings[: len(sightings) - RING]:
        platform = sighting & 0xFFFF_FFFF
        if sighting >> 33 <= limit_s and platform not in suspect.tainted:
            level = ONCE if sighting >> 32 & 1 else HABIT if platform in suspect.habits else AGAIN
            leaving = Known(platform_print(platform), level, sighting >> 33)
            suspect.memory = suspect.memory.with_one(leaving, back, sightings[-1] >> 33)
            back.discard(leaving.print)
            _forget(suspect, sighting)


def _bound(suspect: Suspect) -> None:
    """A flood pushes out its own oldest, never what is known."""
    sightings = suspect.sightings
    newest_s = sightings[-1] >> 33
    if len(suspect.novel_s) > SIGHTINGS_MAX:
        oldest = sightings[0]
        if not oldest >> 32 & 1:
            oldest = next(w for w in sightings if w >> 32 & 1)
        platform = oldest & 0xFFFF_FFFF
        known = newest_s - (oldest >> 33) >= DAY_S and suspect.met(platform, newest_s)
        _forget(suspect, oldest)
        if known:  # over a day old: it is no news any more, but what it stands for stays
            _hold(suspect, word(oldest >> 33, 0, platform))
    if len(sightings) - len(suspect.novel_s) > SIGHTINGS_MAX:
        _forget(suspect, next(w for w in sightings if not w >> 32 & 1))


def _hold(suspect: Suspect, sighting: int) -> None:
    """Takes a sighting of a platform that has none."""
    platform = sighting & 0xFFFF_FFFF
    suspect.seen[platform] = sighting
    prints_held, print_ = suspect.prints_held, platform_print(platform)
    prints_held[print_] = prints_held.get(print_, 0) + 1
    insort(suspect.sightings, sighting)
    if sighting >> 32 & 1:
        insort(suspect.novel_s, sighting >> 33)
    else:
        suspect.known_held.add(platform)


def _forget(suspect: Suspect, sighting: int) -> None:
    platform = sighting & 0xFFFF_FFFF
    del suspect.seen[platform]
    print_ = platform_print(platform)
    if suspect.prints_held[print_] > 1:
        suspect.prints_held[print_] -= 1
    else:
        del suspect.prints_held[print_]
    del suspect.sightings[bisect_left(suspect.sightings, sighting)]
    if sighting >> 32 & 1:
        del suspect.novel_s[bisect_left(suspect.novel_s, sighting >> 33)]
    else:
        suspect.known_held.discard(platform)
    suspect.tainted.pop(platform, None)
    suspect.coarse.pop(platform, None)
    suspect.places.pop(platform, None)
    suspect.habits.discard(platform)


def newest_s(suspect: Suspect) -> int:
    """The newest time that anything of it has."""
    newest_s, episode = suspect.last_s, suspect.episode
    if suspect.sightings and suspect.sightings[-1] >> 33 > newest_s:
        newest_s = suspect.sightings[-1] >> 33
    if episode is not None and episode.last_flood_s > newest_s:
        newest_s = episode.last_flood_s
    return newest_s


def put_right(suspect: Suspect, limit_s: int, at_s: int) -> None:
    """Drops what lies after `limit_s`: a clock was ahead. `at_s` is the event, or the tick, now.

    A known platform stays known, as one of a day ago.
    """
    for sighting in [w for w in suspect.sightings if w >> 33 > limit_s]:
        platform = sighting & 0xFFFF_FFFF
        habit = platform in suspect.habits
        _forget(suspect, sighting)
        if not sighting >> 32 & 1:
            _hold(suspect, word(max(at_s - DAY_S, 1), 0, platform))
            if habit:
                suspect.habits.add(platform)
    suspect.last_s = min(suspect.last_s, limit_s)
    _refill(suspect)


def taint_since(suspect: Suspect, since_s: int) -> None:
    """Taint the novel sightings from `since_s` on: platforms that one episode does not make known.

    They are novel when they come back. A mark in the memory is of a day before this one.
    """
    for sighting in suspect.sightings:
        if sighting >> 32 & 1 and sighting >> 33 >= since_s:
            platform = sighting & 0xFFFF_FFFF
            marked = platform_print(platform) in suspect.memory.marks
            suspect.tainted.setdefault(platform, 1 + marked)


def forget_tainted(suspect: Suspect, at_s: int) -> None:
    """Drops what is tainted and has not become known, with its marks: it counts afresh."""
    memory = suspect.memory
    lost = [p for p in suspect.tainted if not suspect.met(p, at_s)]
    for platform in lost:
        _forget(suspect, suspect.seen[platform])
    marks = [each for each in memory.marks if each not in map(platform_print, lost)]
    suspect.memory = Memory(memory.born_day, memory.known, memory.extent, marks)
    _refill(suspect)


def settle_tainted(suspect: Suspect, at_s: int) -> None:
    """Before a suspect goes back to its row: what came on one day leaves a mark there.

    What came on `TAINTED_DAYS` is known for good, as any platform that came on two days.
    """
    memory = suspect.memory
    met = [p for p in suspect.tainted if suspect.met(p, at_s)]
    once = [p for p, days in suspect.tainted.items() if days and p not in met]
    marks = [platform_print(p) for p in once]
    marks = unique([*marks[::-1], *memory.marks[::-1]])[:MARKS_MAX][::-1]
    forget_tainted(suspect, at_s)
    suspect.memory = Memory(memory.born_day, memory.known, memory.extent, marks)
    for platform in met:
        held = suspect.seen[platform]
        _forget(suspect, held)
        _hold(suspect, word(held >> 33, 0, platform))


def fill(suspect: Suspect, at_s: int, novel: int) -> None:
    """Leaks, then adds one sighting. Two of one second add up in either order."""
    level = suspect.bucket_level_milli - LEAK_MILLI_S * (at_s - suspect.bucket_s)
    if level <= 0:
        level = 0
        suspect.bucket_novel = 0
        suspect.bucket_since_s = at_s
    suspect.bucket_level_milli = level + 1000
    suspect.bucket_novel += novel
    suspect.bucket_s = at_s


def _refill(suspect: Suspect) -> None:
    """Runs the bucket over all sightings: `fill`, without what a call costs."""
    level = novels = last_s = since_s = 0
    for sighting in suspect.sightings:
        at_s = sighting >> 33
        level -= LEAK_MILLI_S * (at_s - last_s)
        if level <= 0:
            level = novels = 0
            since_s = at_s
        level += 1000
        novels += sighting >> 32 & 1
        last_s = at_s
    suspect.bucket_level_milli, suspect.bucket_novel = level, novels
    suspect.bucket_s, suspect.bucket_since_s = last_s, since_s
