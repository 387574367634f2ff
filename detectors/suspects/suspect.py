"""One suspect: the memory about a recipient that may be the victim of a flood.

A suspect has the sightings of more than a day, the marks of tainted platforms, the state of the
leaky bucket, and its open episode. A platform is tainted if it was first seen in an episode. This
module records and forgets messages. The module `judge` evaluates them.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from enum import IntEnum
from operator import attrgetter
from typing import Annotated, Final, TypeAlias

from detectors.model.event import platform_print
from detectors.model.fields import As, Bounds, Count, Offset, PlatformId, Print, Time, TimeMs, Word
from detectors.model.records import ALWAYS_PASS, Level, Mode, Scope, Step
from detectors.model.times import DAY_S
from detectors.recipients.overflow import MARKS_MAX, unique
from detectors.recipients.repeats import Repeats
from detectors.recipients.row import EXCUSED, RING, Memory, StoredMemory, word
from detectors.suspects.clocks import ClockClass
from detectors.suspects.incident_state import Incident
from detectors.suspects.limit import PlatformLease
from detectors.suspects.retry_windows import SecondRequests
from detectors.thresholds import LEAK_MILLI_S, YOUNG_S

LATE_S: Final = 3600
"""A suspect retains its sightings for a day plus this many seconds. So messages that come up to an
hour out of order are judged exactly. Later messages are judged on the sightings that remain."""

SIGHTINGS_MAX: Final = 64
"""Maximum number of novel sightings of a suspect, and also of known ones. The highest threshold is
61."""

TAINTED_DAYS: Final = 2
"""Number of days on which a tainted platform must come to become known, however far apart.

This applies after an episode that was not confirmed (`judge.is_confirmed`). Chosen: people who
share a number are not throttled from the third day on. The same holds for people who always use the
same platforms within seconds. An attacker who wants a flood to become known must keep it small for
two days first."""

TAINT_S: Final = 2 * DAY_S
"""Time for which a suspect waits for the second day of its tainted platforms. After that, the row
remembers the newest of these platforms by marks (hashes of platforms that came on one day)."""


_LOW_35: Final = (1 << 35) - 1
_Message: TypeAlias = Annotated[
    int,  # over 64 bits, so it is stored in two parts
    As(tuple[Word, Word], lambda w: (w >> 35, w & _LOW_35), lambda pair: pair[0] << 35 | pair[1]),
]
_Scope: TypeAlias = Annotated[
    Scope,
    As(
        tuple[tuple[PlatformId, ...], tuple[Print, ...]],
        attrgetter("pass_ids", "pass_prints"),
        lambda passes: Scope("otp", ALWAYS_PASS, *passes),
    ),
]


@dataclass(slots=True, eq=False)
class Episode:
    """The state of an open episode. Names in `_s` are seconds since `EPOCH_S`, in `_ms` UTC ms."""

    id: str
    since_s: Time  # time of the episode's first sighting
    opened_s: Time  # time of the message that raised the level from CLEAR
    last_flood_s: Time = 0  # time of the flood's newest message
    messages: Count = 0  # number of the flood's messages
    level: Level = Level.CLEAR
    mode: Mode = "shadow"
    issued_ms: TimeMs = 0  # start of the newest lease; 0: no lease yet
    expires_ms: TimeMs = 0  # end of the newest lease
    chronic: bool = False  # true: this recipient was under THROTTLE on too many recent days
    # Changes of level, oldest first.
    path: Annotated[list[Step], Bounds(1)] = field(default_factory=list)
    # Platforms of the flood that came since the lease -> time of their newest message.
    fresh_ms: dict[PlatformId, TimeMs] = field(default_factory=dict)
    incident: Incident | None = None  # set from THROTTLE on
    scope: _Scope | None = None  # scope of the newest lease; None: no lease yet, or narrow
    named: set[PlatformId] = field(default_factory=set)  # platforms that a narrow lease refuses

    def __post_init__(self) -> None:
        self.last_flood_s = max(self.last_flood_s, self.opened_s)

    def has_lease(self, at_ms: int, *, full: bool) -> bool:
        """Return true if a full lease, or with `full` false a narrow lease, is in force.

        A narrow lease is in force also for a code that its gateway's clock dates before the lease.
        Otherwise a flood through a gateway whose clock is behind could not make the lease full.
        """
        begun = self.issued_ms < at_ms if full else self.issued_ms > 0
        return begun and at_ms < self.expires_ms and full is (self.scope is not None)


class Seen(IntEnum):
    """How one message counts for its recipient."""

    LATE = 0  # the message is over a day older than the newest sighting: not judged
    REPEAT = 1  # the platform already has a sighting within a day
    KNOWN = 2  # a sighting of a platform that the recipient knows
    YOUNG = 3  # the same, but it came once, within a week: see `recipients.repeats`
    EXCESS = 4  # a known platform, counted as novel: too many sightings of a day have its hash
    NOVEL = 5  # a sighting of a platform that the recipient does not know


@dataclass(slots=True, eq=False, repr=False)
class Suspect:
    """The sightings of one recipient, and the state of the bucket after the last sighting.

    A sighting is a packed integer (`detectors.recipients.row.word`): the time in seconds in bits 33
    and above, the novel flag in bit 32, the platform id in bits 0 to 31. A sighting that is older
    than a day stands for a known platform.
    """

    recipient: Word
    name: str  # E.164 digits, or the recipient's token
    row: Count  # index in the partition's table; a suspect's row is never given to another
    sightings: list[Word]  # in ascending order
    memory: StoredMemory  # known platforms that have no sighting here
    last_s: Time = 0  # time of the newest message since the promotion
    due_s: Time = 0  # time of the next check whether the suspect can go back to its row
    # Platform -> clock class of its sighting's stamp, if not exact. The class of sightings from
    # before the promotion is unknown; the sieve (fast check) found that these stay below WATCH.
    coarse: dict[PlatformId, ClockClass] = field(default_factory=dict)
    # Platform first seen in an episode -> number of days on which it came.
    tainted: dict[PlatformId, Count] = field(default_factory=dict)
    bucket_level_milli: Time = 0  # level of the bucket, in thousandths of a sighting
    bucket_novel: Count = 0  # number of novel sightings since the bucket was last empty
    bucket_s: Time = 0  # time of the last sighting in the bucket
    bucket_since_s: Time = 0  # time at which the bucket was last empty
    episode: Episode | None = None
    # Messages of novel platforms, ascending: see `detectors.suspects.volume`.
    heard: list[_Message] = field(default_factory=list)
    # Platform -> time of its last message that a lease refused.
    refused_ms: dict[PlatformId, TimeMs] = field(default_factory=dict)
    # Platform -> time of its first refused message, if retries followed that message.
    retried_ms: dict[PlatformId, TimeMs] = field(default_factory=dict)
    # Retry windows, over all episodes.
    requests: SecondRequests = field(default_factory=SecondRequests)
    # Platform of a sighting -> offset of its event. Only sightings since the promotion.
    places: dict[PlatformId, Offset] = field(default_factory=dict)
    platforms: PlatformLease | None = None  # the newest platform lease
    repeats: Repeats = field(init=False, default_factory=Repeats)  # of the whole partition
    # Platforms of the earlier flood (`relapse`). They do not become known while its record is
    # active.
    barred: frozenset[int] = field(init=False, default=frozenset())
    seen: dict[int, int] = field(init=False)  # platform -> its sighting
    novel_s: list[int] = field(init=False)  # times of novel sightings
    known_held: set[int] = field(init=False)  # platforms of the sightings that are not novel
    # Print (16-bit hash) -> number of sightings whose platform has this print.
    prints_held: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        sightings = self.sightings
        self.seen = {w & 0xFFFF_FFFF: w for w in sightings}
        self.novel_s = [w >> 33 for w in sightings if w >> 32 & 1]
        self.known_held = {w & 0xFFFF_FFFF for w in sightings if not w >> 32 & 1}
        prints = [*map(platform_print, self.seen)]
        self.prints_held = {print_: prints.count(print_) for print_ in prints}
        if not self.bucket_s:
            _refill(self)

    @property
    def novels(self) -> int:
        """Return the number of novel sightings."""
        return len(self.novel_s)

    def knows(self, platform: int, at_s: int) -> bool:
        """Return true if this recipient knew the platform before the day that ends at `at_s`.

        A known platform with the same print is enough, because the memory stores only prints. A
        tainted platform (first seen in an episode) does not become known by the episode alone. It
        is known once it has come on `TAINTED_DAYS` days, even if a new episode includes the last.
        """
        seen = platform in self.seen
        if seen and self.has_met(platform, at_s):
            return True
        wanted = platform_print(platform)
        if wanted in self.memory.prints:
            return True
        # Fast path: most platforms share their print with no other. The scan below is slow.
        if self.prints_held.get(wanted, 0) == seen:
            return False
        return any(self.has_met(p, at_s) for p in self._alike(platform))

    def has_met(self, platform: int, at_s: int) -> bool:
        """Return true if the recipient knows this platform by its id.

        The platform has a sighting.
        """
        held = self.seen[platform]
        if not held >> 32 & 1:
            return True
        if at_s - (held >> 33) < DAY_S:
            return self._has_days_before(platform)
        return self._met_once(held, None)

    def _has_days_before(self, platform: int) -> bool:
        """Return true if the platform came on `TAINTED_DAYS` days before its sighting.

        The sighting is novel only because the platform was then `barred`: unable to become known.
        """
        return self.tainted.get(platform, 0) > TAINTED_DAYS and platform not in self.barred

    def _met_once(self, held: int, oldest: int | None) -> bool:
        """Return true if the platform of a novel sighting from over a day ago is known.

        `oldest`: the result of `_oldest_held` if the caller has it, else None.
        """
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
        """Return the oldest once-seen sighting that would still fit into the packed row.

        Returns 0 if all of them fit.

        A row's ring has the eight newest sightings. A crowd that leaves it shares the free places
        of the prints. Sightings of an open episode displace nothing.
        """
        before = self.sightings
        if len(before) <= RING:
            return 0
        if self.episode is not None:
            before = before[: bisect_left(before, word(self.episode.since_s, 0, 0))]
        once = [w for w in before[:-RING] if w >> 32 & 1]
        places = self.memory.free
        if places >= len(once):
            return 0
        return once[-places] if places else before[-RING]

    def _alike(self, platform: int) -> list[int]:
        """Return all platforms with sightings whose id has the same 16-bit print as `platform`."""
        wanted = platform_print(platform)
        return [p for p in self.seen if platform_print(p) == wanted]

    def exceeds(self, platform: int, at_s: int) -> bool:
        """Return true if too many platforms with the same print as this known one came in a day.

        The day ends with the newest sighting, because the sieve has all sightings of that day. All
        platforms with the print count, known by id or not, because the sieve forgets ids earlier
        than a suspect does. Sieve and judge must agree here.
        """
        if self.prints_held.get(platform_print(platform), 0) < EXCUSED:
            return False
        since_s = max(at_s, self.sightings[-1] >> 33) - DAY_S
        return sum(self.seen[p] >> 33 > since_s for p in self._alike(platform)) >= EXCUSED

    def list_known(self, at_s: int) -> list[int]:
        """Return the platform ids that the recipient knows, ascending.

        Platforms in `memory` are not included: only their prints are stored.
        """
        day_ago_s = at_s - DAY_S
        held = self.sightings
        known = [*self.known_held]
        old = held[: bisect_left(held, word(day_ago_s + 1, 0, 0))]
        if self.novel_s and self.novel_s[0] <= day_ago_s:
            oldest = self._oldest_held()
            known += [w & 0xFFFF_FFFF for w in old if w >> 32 & 1 and self._met_once(w, oldest)]
        for platform in self.tainted:
            if self.seen[platform] >> 33 > day_ago_s and self._has_days_before(platform):
                known.append(platform)
        known.sort()
        return known

    def prints(self, at_s: int) -> set[int]:
        """Return the prints of all platforms that the recipient knows, from memory or by id."""
        return {*self.memory.prints, *map(platform_print, self.list_known(at_s))} - {0}

    def memory_size(self, at_s: int) -> int:
        """Return how many platforms the recipient knows, as far as prints distinguish them."""
        return len(self.prints(at_s))

    def remembers(self, least: int, at_s: int) -> bool:
        """Return true if the recipient knows at least `least` platforms.

        Uses an upper bound first, to skip the exact count where possible.
        """
        # No sighting is older than a day: so no platform of a novel sighting is known.
        if not self.sightings or self.sightings[0] >> 33 > at_s - DAY_S:
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
    """Record one message at `at_s`, and return how it counts.

    `stamps`: the clock class of the gateway. `offset`: position of the event in the log. `refused`:
    the lease refuses the message, so its platform is novel. `counts_day`: the message counts as a
    day on which the platform came.
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
    young = not novel and _came_once(suspect, platform, held, at_s)
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
    if len(sightings) > SIGHTINGS_MAX:
        _limit_sightings(suspect)
    if len(sightings) > RING:
        _retire(suspect)
    if at_s >= newest_s:
        fill(suspect, at_s, novel)
    else:
        _refill(suspect)
    if known:
        return Seen.EXCESS if novel else Seen.YOUNG if young else Seen.KNOWN
    return Seen.NOVEL


def _came_once(suspect: Suspect, platform: int, held: int | None, at_s: int) -> bool:
    """Return true if a known platform came on one day only so far, lately, and in no episode.

    Prints have no time. Each is older than all sightings, so the oldest of these decides.
    """
    oldest = suspect.sightings[0] if held is None and suspect.sightings else held or 0
    if at_s - (oldest >> 33) >= YOUNG_S:
        return False
    if held is not None:
        return held >> 32 & 1 == 1 and platform not in suspect.tainted
    print_ = platform_print(platform)
    return print_ not in suspect.prints_held and print_ in suspect.memory.once


def _days_with(suspect: Suspect, platform: int, *, counts: bool) -> int | None:
    """Return the days on which a tainted platform came, including today; None if not tainted.

    If the message does not count as a day, the count starts again from 0.
    """
    if not counts:
        return 0
    days = suspect.tainted.get(platform)
    return None if days is None else days + 1


def _retire(suspect: Suspect) -> None:
    """Turn sightings that are too old for every score into prints (16-bit hashes), as a row does.

    Otherwise an attacker could teach a long-lived suspect 64 platforms, where a row learns only
    eight. Tainted platforms wait for the end of the episode, barred ones for the end of the bar.
    Nothing is retired while an episode is open. Age is measured from the eighth newest sighting, so
    up to seven sightings from a clock that is ahead retire nothing.
    """
    if suspect.episode is not None:
        return
    sightings = suspect.sightings
    limit_s = (sightings[-RING] >> 33) - DAY_S - LATE_S
    if sightings[0] >> 33 > limit_s:
        return
    back = {platform_print(w & 0xFFFF_FFFF) for w in sightings if not w >> 32 & 1}
    waiting = suspect.barred.union(suspect.tainted)
    for sighting, later in list(zip(sightings, sightings[RING:], strict=False)):
        platform = sighting & 0xFFFF_FFFF
        if sighting >> 33 <= limit_s and platform not in waiting:
            suspect.memory = suspect.memory.with_one(sighting, later, back)
            back.discard(platform_print(platform))
            _forget(suspect, sighting)


def _limit_sightings(suspect: Suspect) -> None:
    """Drop sightings past `SIGHTINGS_MAX`.

    A novel sighting displaces a novel one, never a sighting of a known platform.
    """
    sightings = suspect.sightings
    newest_s = sightings[-1] >> 33
    if len(suspect.novel_s) > SIGHTINGS_MAX:
        oldest = sightings[0]
        if not oldest >> 32 & 1:
            oldest = next(w for w in sightings if w >> 32 & 1)
        platform = oldest & 0xFFFF_FFFF
        known = newest_s - (oldest >> 33) >= DAY_S and suspect.has_met(platform, newest_s)
        _forget(suspect, oldest)
        if known:  # over a day old and known: keep the platform as a known sighting
            _hold(suspect, word(oldest >> 33, 0, platform))
    if len(sightings) - len(suspect.novel_s) > SIGHTINGS_MAX:
        _forget(suspect, next(w for w in sightings if not w >> 32 & 1))


def _hold(suspect: Suspect, sighting: int) -> None:
    """Add a sighting of a platform that has no sighting yet."""
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


def newest_s(suspect: Suspect) -> int:
    """Return the newest time in the suspect's state, in seconds."""
    newest_s, episode = suspect.last_s, suspect.episode
    if suspect.sightings and suspect.sightings[-1] >> 33 > newest_s:
        newest_s = suspect.sightings[-1] >> 33
    if episode is not None and episode.last_flood_s > newest_s:
        newest_s = episode.last_flood_s
    return newest_s


def put_right(suspect: Suspect, limit_s: int, at_s: int) -> None:
    """Drop all sightings with a time after `limit_s`, because a clock was ahead.

    `at_s` is the time of the event or tick being processed. A known platform stays known, with a
    sighting dated a day before `at_s`.
    """
    for sighting in [w for w in suspect.sightings if w >> 33 > limit_s]:
        platform = sighting & 0xFFFF_FFFF
        _forget(suspect, sighting)
        if not sighting >> 32 & 1:
            _hold(suspect, word(max(at_s - DAY_S, 1), 0, platform))
    suspect.last_s = min(suspect.last_s, limit_s)
    _refill(suspect)


def taint_since(suspect: Suspect, since_s: int) -> None:
    """Taint the platforms of all novel sightings from `since_s` on.

    An episode alone does not make these platforms known. Such platforms are novel when they come
    back. If the memory has a mark of a platform, then the platform came on one earlier day.
    """
    for sighting in suspect.sightings:
        if sighting >> 32 & 1 and sighting >> 33 >= since_s:
            platform = sighting & 0xFFFF_FFFF
            marked = platform_print(platform) in suspect.memory.marks
            suspect.tainted.setdefault(platform, 1 + marked)


def forget_tainted(suspect: Suspect, at_s: int) -> None:
    """Drop tainted platforms that have not become known, and all marks of such platforms.

    When such a platform comes back, it counts as new.
    """
    memory = suspect.memory
    for platform in [p for p in suspect.tainted if not suspect.has_met(p, at_s)]:
        _forget(suspect, suspect.seen[platform])
    suspect.memory = Memory(memory.born_day, memory.kept, memory.once)
    _refill(suspect)


def settle_tainted(suspect: Suspect, at_s: int) -> None:
    """Decide what a suspect's row remembers of its tainted platforms when the suspect is released.

    A platform is tainted if it was first seen in an episode. A tainted platform that came on
    `TAINTED_DAYS` days becomes known, like any platform that came on two days. If it came on one
    day, the row keeps only a mark: a 16-bit hash of the platform, which counts as one earlier day.
    """
    memory = suspect.memory
    met = [p for p in suspect.tainted if suspect.has_met(p, at_s)]
    once = [p for p, days in suspect.tainted.items() if days and p not in met]
    marks = [platform_print(p) for p in once]
    marks = unique([*marks[::-1], *memory.marks[::-1]])[:MARKS_MAX][::-1]
    forget_tainted(suspect, at_s)
    suspect.memory = Memory(memory.born_day, memory.kept, memory.once, marks)
    for platform in met:
        held = suspect.seen[platform]
        _forget(suspect, held)
        _hold(suspect, word(held >> 33, 0, platform))


def fill(suspect: Suspect, at_s: int, novel: int) -> None:
    """Update the burst bucket for one sighting at `at_s`: it leaks, then its level rises by 1.

    `novel` is 1 if the sighting is novel, otherwise 0. `novel` changes only the number of novel
    sightings since the bucket was last empty, not the level. Two sightings of the same second give
    the same result in either order.
    """
    level = suspect.bucket_level_milli - LEAK_MILLI_S * (at_s - suspect.bucket_s)
    if level <= 0:
        level = 0
        suspect.bucket_novel = 0
        suspect.bucket_since_s = at_s
    suspect.bucket_level_milli = level + 1000
    suspect.bucket_novel += novel
    suspect.bucket_s = at_s


def _refill(suspect: Suspect) -> None:
    """Recompute the burst bucket from all sightings, by the rule of `fill`, inlined for speed."""
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
