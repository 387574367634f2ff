"""Process a victim's reply, which opens some refused platforms for ten minutes. Pure.

In the middle of a flood, the victim may wait for a code of a site that she never used before. Her
reply opens the newest few refused platforms, for one code each, and once a day. It opens only
platforms that had sent at most one message before the reply, and that are not hot. A hot platform
is abused by other floods too. A reply never exempts the number.

Attackers will also ask people to "reply KX". So a gateway counts such a code as a second request.
The gateway lets at most three second requests pass in twelve minutes, no matter who asked for them.

A reply counts only if its gateway vouches for the sender. The sender must also be under a lease and
must have been notified about replies. So a forged sender elsewhere opens nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Self

from detectors.leases.gateway_rule import forbids, lease_of
from detectors.model.event import Trust
from detectors.model.incidents import EarlierSighting, FloodMessage, IncidentRecord
from detectors.model.records import Action, EpisodeRecord
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.config.sections.notices import Notify
from streams.people.notices.notice_book import NoticeBook
from streams.wire import ONCE_VERSION, Event, Numbers, Override

ACTOR: Final = "victim"
REASON: Final = "reply of the victim"
VIA: Final = "mo"
OPEN_MS: Final = 10 * MINUTE_MS
AGE_MAX_MS: Final = 5 * MINUTE_MS
"""An older reply is ignored, because its sender has given up. Half of the time that it opens."""
AFTER_MS: Final = 30_000
"""A message that arrives this long after the reply still counts as requested before the reply."""
ASKED_MAX: Final = 64
"""Maximum number of first-contact platforms kept per episode; the oldest is dropped.

The detector keeps as many for a suspect.
"""
HOT_MAX: Final = 100_000
"""Maximum number of hot platforms kept. Floods use fewer platforms than this worldwide."""


class HeardReply(StrEnum):
    """Outcome of a reply."""

    OPENED = "opened"
    OTHER = "other"  # not the command, or not sent to us
    OLD = "old"
    UNVOUCHED = "unvouched"  # its gateway does not vouch for the sender
    UNREADABLE = "unreadable"  # the sender is not a phone number
    NO_LEASE = "no_lease"  # nothing is refused for this number
    NOT_TOLD = "not_told"  # this number got no notice that offers a reply
    DAILY = "daily"  # this number already replied within the last day


class AskedPlatform(NamedTuple):
    """A platform that is new to the victim, and when its messages arrived in this episode."""

    key: str
    platform_id: int
    times_ms: tuple[int, ...]  # times of the first, the second and the newest message

    def also(self, at_ms: int) -> Self:
        """Return a copy with one more message of this platform. A repeated message counts once.

        >>> AskedPlatform("sig:a", 1, (5,)).also(9).also(7).also(9).also(8).times_ms
        (5, 7, 9)
        """
        times = sorted({*self.times_ms, at_ms})
        return self._replace(times_ms=(*times[:2], *times[2:][-1:]))

    def heard_ms(self, asked_ms: int) -> int | None:
        """Return the time of the platform's newest message that the reply may be about, or None.

        At most one message of the platform may have arrived before the reply. A platform that
        repeats more often is part of the flood.
        """
        before = sum(each <= asked_ms for each in self.times_ms[:2])
        near = [each for each in self.times_ms if each <= asked_ms + AFTER_MS]
        return max(near) if near and before < 2 else None


@dataclass(slots=True)
class Opening:
    """Effect of one reply: the platforms that it opens.

    While the opening lasts, platforms whose records arrive late are added.
    """

    recipient: str
    episode_id: str
    asked_ms: int  # time of the reply at the gateway, at most the time when it was processed
    until_ms: int
    platforms: dict[str, None] = field(default_factory=dict)  # keys of platforms already opened

    def words(self, keys: Iterable[str]) -> Iterator[Override]:
        """Yield the overrides that open these platforms, and record that they were opened."""
        for key in keys:
            self.platforms[key] = None
            yield Override(
                recipient=self.recipient, verb="allow", platform=key, actor=ACTOR, via=VIA,
                reason=REASON, issued_at_ms=self.until_ms - OPEN_MS,
                expires_at_ms=self.until_ms, once=True, schema_version=ONCE_VERSION,
            )  # fmt: skip


@dataclass(slots=True)
class Replies:
    """Openings of the last ten minutes, and what is known about platforms. Mutable."""

    params: Notify
    numbers: Numbers
    book: NoticeBook
    openings: dict[str, Opening] = field(default_factory=dict)  # by recipient
    _hot: dict[int, None] = field(default_factory=dict)  # platform ids, the newest last
    _asked: dict[str, tuple[int, dict[str, AskedPlatform]]] = field(default_factory=dict)
    """Episode id -> time of its newest incident record, and its new platforms, the newest last."""

    def evaluate(self, event: Event, now_ms: int) -> tuple[HeardReply, Opening | None]:
        """Evaluate a message from a phone. Return the outcome, and the opening if there is one."""
        text = (event.text or event.text_prefix or "").strip().upper()
        own = event.recipient.lstrip("+") in [to.lstrip("+") for to in self.params.reply_to]
        if event.direction != "mo" or not own or text != self.params.reply_command.upper():
            return HeardReply.OTHER, None
        if event.event_time_ms + AGE_MAX_MS < now_ms:
            return HeardReply.OLD, None
        if event.gateway_id not in self.params.reply_gateways:
            return HeardReply.UNVOUCHED, None
        recipient = self.numbers.canonical(event.sender)
        if recipient is None or not recipient.isdecimal():
            return HeardReply.UNREADABLE, None
        lease = self.book.lease_of(recipient, now_ms)
        if lease is None:
            return HeardReply.NO_LEASE, None
        if self.book.last_told("victim_start", recipient) is None:
            return HeardReply.NOT_TOLD, None
        if self._has_replied(recipient, now_ms):
            return HeardReply.DAILY, None
        # Under load a reply is processed late. The victim may have asked again since: no flood.
        asked_ms = min(event.event_time_ms, now_ms)
        opening = Opening(recipient, lease.episode_id, asked_ms, now_ms + OPEN_MS)
        self.openings[recipient] = opening
        return HeardReply.OPENED, opening

    def lease(self, action: Action) -> None:
        """Record the hot platforms among the retry windows of a lease."""
        self._are_hot(window.platform_id for window in action.again if window.hot)

    def episode(self, record: EpisodeRecord) -> None:
        """Record the hot platforms among the sightings of an episode record."""
        self._are_hot(each.platform_id for each in record.sightings if each.hot)

    def incident(self, record: IncidentRecord) -> None:
        """Record the platforms of a flood. Incident records arrive before the episode record."""
        self._are_hot(each.platform_id for each in record.earlier if each.hot)
        _, asked = self._asked.get(record.episode_id, (0, {}))
        messages: list[EarlierSighting | FloodMessage] = [*record.earlier, *record.messages]
        for message in messages:
            if message.novel and message.trust is Trust.NONE and message.platform:
                key = message.platform
                known = asked.pop(key, AskedPlatform(key, message.platform_id, ()))
                asked[key] = known.also(message.at_ms)
        while len(asked) > ASKED_MAX:
            del asked[next(iter(asked))]
        self._asked[record.episode_id] = record.at_ms, asked

    def to_open(self, opening: Opening, now_ms: int) -> list[str]:
        """Return the keys of the platforms to open now, the newest first.

        Leaves out platforms that this reply already opened. A platform that the operator opened
        keeps the operator's override.
        """
        lease = self.book.lease_of(opening.recipient, now_ms)
        if lease is None or now_ms >= opening.until_ms:
            return []
        room = self.params.reply_platforms_max - len(opening.platforms)
        said = self.book.desired.overrides.get(opening.recipient, {})
        fits = [
            (-heard_ms, each.key)
            for each in self._list_refused(lease)
            if (heard_ms := each.heard_ms(opening.asked_ms)) is not None
            and each.platform_id not in self._hot
            and each.key not in opening.platforms
            and ("allow", each.key) not in said
        ]
        return [key for _, key in sorted(fits)[: max(0, room)]]

    def turn(self, now_ms: int) -> None:
        """Forget replies whose effect has ended, and old episodes."""
        self.openings = {to: each for to, each in self.openings.items() if each.until_ms > now_ms}
        self._asked = {e: told for e, told in self._asked.items() if told[0] + HOUR_MS > now_ms}

    def _are_hot(self, platform_ids: Iterable[int]) -> None:
        for each in platform_ids:
            self._hot.pop(each, None)
            self._hot[each] = None
        while len(self._hot) > HOT_MAX:
            del self._hot[next(iter(self._hot))]

    def _list_refused(self, lease: Action) -> Iterator[AskedPlatform]:
        """Yield the platforms that a lease refuses, with the known times of their messages."""
        found: dict[str, AskedPlatform] = dict(self._asked.get(lease.episode_id, (0, {}))[1])
        record = self.book.episodes.get(lease.episode_id)
        for s in record.sightings if record is not None else ():
            if s.novel and s.trust is Trust.NONE:
                known = found.get(s.platform, AskedPlatform(s.platform, s.platform_id, ()))
                found[s.platform] = known.also(s.at_ms)
        for each in found.values():
            named = not each.key.startswith("#")  # "#": the key was dropped, so no override fits
            if named and forbids(lease_of(lease), each.platform_id, Trust.NONE):
                yield each

    def _has_replied(self, recipient: str, now_ms: int) -> bool:
        last_ms = self.book.last_told("victim_opened", recipient)
        told = last_ms is not None and now_ms < last_ms + DAY_MS
        words = self.book.desired.overrides.get(recipient, {}).values()
        opened = any(w.actor == ACTOR and now_ms < w.issued_at_ms + DAY_MS for w in words)
        return told or opened or recipient in self.openings
