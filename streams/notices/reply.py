"""A victim's reply: for ten minutes new platforms of her flood pass once that are not hot.

Pure. She may wait for the code of a site that she never used before, in the middle of a flood; her
word opens the newest few platforms that were refused, once a day: those that sent no more than one
message before it, for one code each, and not those that other floods abuse. Attackers will write
to people "reply KX" too: so a gateway counts such a code as a second request, of which it lets
three through in twelve minutes at most, whoever asked for them. A reply never exempts.

A reply counts only if it comes by a gateway that vouches for its sender, and from a number that a
lease holds and that was told so: whoever forges a sender elsewhere opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from detectors.model.event import Trust
from detectors.model.incidents import EarlierSighting, FloodMessage, IncidentRecord
from detectors.model.records import Action, EpisodeRecord, refuses
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.notices.book import NoticeBook
from streams.wire import ONCE_VERSION, Event, Numbers, Override

ACTOR: Final = "victim"
VIA: Final = "mo"
OPEN_MS: Final = 10 * MINUTE_MS
AGE_MAX_MS: Final = 5 * MINUTE_MS
"""An older reply is not heeded: whoever sent it has given up. Chosen: half of what it opens."""
AFTER_MS: Final = 30_000
"""Her own request may come so much after her reply, and counts as one before it."""
ASKED_MAX: Final = 64
"""New platforms remembered of an episode, the newest: as many as a suspect holds."""
HOT_MAX: Final = 100_000
"""Platforms remembered as hot; there are fewer platforms than that in the world of floods."""


class HeardReply(StrEnum):
    """The ends that a reply can have."""

    OPENED = "opened"
    OTHER = "other"  # no command, or not to us
    OLD = "old"
    UNVOUCHED = "unvouched"  # its gateway does not vouch for the sender
    UNREADABLE = "unreadable"  # the sender is no number
    NO_LEASE = "no_lease"  # nothing is refused to this number
    NOT_TOLD = "not_told"  # nobody told this number of a reply
    DAILY = "daily"  # it replied within a day before


@dataclass(frozen=True, slots=True)
class ReplyParams:
    """Rules of replies."""

    command: str
    to: frozenset[str]  # numbers that replies are sent to, as gateways write them
    gateways: frozenset[str]
    platforms_max: int = 8


class AskedPlatform(NamedTuple):
    """One platform new to the victim, and when its messages came in this episode."""

    key: str
    platform_id: int
    times_ms: tuple[int, ...]  # the first, the second and the newest, as far as there are so many

    def also(self, at_ms: int) -> AskedPlatform:
        """Return it with one more message; the same message twice counts once.

        >>> AskedPlatform("sig:a", 1, (5,)).also(9).also(7).also(9).also(8).times_ms
        (5, 7, 9)
        """
        times = sorted({*self.times_ms, at_ms})
        return self._replace(times_ms=(*times[:2], *times[2:][-1:]))

    def heard_ms(self, asked_ms: int) -> int | None:
        """Return when it last sent something that a reply is about; None: it is not about it.

        Its next message has to be the first or the second of the episode, as the victim saw it
        when she replied: whoever repeats more is the flood.
        """
        before = sum(each <= asked_ms for each in self.times_ms[:2])
        near = [each for each in self.times_ms if each <= asked_ms + AFTER_MS]
        return max(near) if near and before < 2 else None


@dataclass(slots=True)
class Opening:
    """The effect of one reply. More is opened while it lasts, where records came late."""

    recipient: str
    episode_id: str
    asked_ms: int  # by the gateway that took her reply, and no later than it was heard
    until_ms: int
    platforms: dict[str, None] = field(default_factory=dict)  # keys that were opened

    @property
    def reason(self) -> str:
        """The reason of the words that it makes."""
        return "reply of the victim"

    def words(self, keys: Iterable[str]) -> Iterator[Override]:
        """Yield the words that open these platforms, and note that they were said."""
        for key in keys:
            self.platforms[key] = None
            yield Override(
                recipient=self.recipient, verb="allow", platform=key, actor=ACTOR, via=VIA,
                reason=self.reason, issued_at_ms=self.until_ms - OPEN_MS,
                expires_at_ms=self.until_ms, once=True, schema_version=ONCE_VERSION,
            )  # fmt: skip


@dataclass(slots=True)
class Replies:
    """Mutable: the openings of the last ten minutes, and what is known of platforms."""

    params: ReplyParams
    numbers: Numbers
    book: NoticeBook
    openings: dict[str, Opening] = field(default_factory=dict)  # by recipient
    _hot: dict[int, None] = field(default_factory=dict)  # ids, the newest last
    _asked: dict[str, tuple[int, dict[str, AskedPlatform]]] = field(default_factory=dict)
    """Episode -> time of its newest incident record, and its new platforms, the newest last."""

    def heard(self, event: Event, now_ms: int) -> tuple[HeardReply, Opening | None]:
        """Judge a message from a phone; where it opens something, return what."""
        text = (event.text or event.text_prefix or "").strip().upper()
        own = event.recipient.lstrip("+") in self.params.to
        if event.direction != "mo" or not own or text != self.params.command.upper():
            return HeardReply.OTHER, None
        if event.event_time_ms + AGE_MAX_MS < now_ms:
            return HeardReply.OLD, None
        if event.gateway_id not in self.params.gateways:
            return HeardReply.UNVOUCHED, None
        recipient = self.numbers.canonical(event.sender)
        if recipient is None or not recipient.isdecimal():
            return HeardReply.UNREADABLE, None
        lease = self.book.lease_of(recipient, now_ms)
        if lease is None:
            return HeardReply.NO_LEASE, None
        if self.book.last_told("victim_start", recipient) is None:
            return HeardReply.NOT_TOLD, None
        if self._replied(recipient, now_ms):
            return HeardReply.DAILY, None
        # A busy machine hears it late, when she has asked for her code again: that is no flood.
        asked_ms = min(event.event_time_ms, now_ms)
        opening = Opening(recipient, lease.episode_id, asked_ms, now_ms + OPEN_MS)
        self.openings[recipient] = opening
        return HeardReply.OPENED, opening

    def lease(self, action: Action) -> None:
        """Learn which platforms are hot, by what a lease says of second requests."""
        self._are_hot(window.platform_id for window in action.again if window.hot)

    def episode(self, record: EpisodeRecord) -> None:
        """Learn which platforms are hot."""
        self._are_hot(each.platform_id for each in record.sightings if each.hot)

    def incident(self, record: IncidentRecord) -> None:
        """Learn which platforms a flood has: sooner than by the episode's record."""
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
        """Return the keys of platforms to be opened now, the newest first; those before left out.

        A platform that the operator opened already keeps the operator's word.
        """
        lease = self.book.lease_of(opening.recipient, now_ms)
        if lease is None or now_ms >= opening.until_ms:
            return []
        room = self.params.platforms_max - len(opening.platforms)
        said = self.book.desired.overrides.get(opening.recipient, {})
        fits = [
            (-heard_ms, each.key)
            for each in self._refused(lease)
            if (heard_ms := each.heard_ms(opening.asked_ms)) is not None
            and each.platform_id not in self._hot
            and each.key not in opening.platforms
            and ("allow", each.key) not in said
        ]
        return [key for _, key in sorted(fits)[: max(0, room)]]

    def turn(self, now_ms: int) -> None:
        """Forget what is over."""
        for recipient, opening in list(self.openings.items()):
            if opening.until_ms <= now_ms:
                del self.openings[recipient]
        for episode_id in [e for e, (at, _) in self._asked.items() if at + HOUR_MS <= now_ms]:
            del self._asked[episode_id]

    def _are_hot(self, platform_ids: Iterable[int]) -> None:
        for each in platform_ids:
            self._hot.pop(each, None)
            self._hot[each] = None
        while len(self._hot) > HOT_MAX:
            del self._hot[next(iter(self._hot))]

    def _refused(self, lease: Action) -> Iterator[AskedPlatform]:
        """Yield the platforms that a lease refuses, with what is known of their messages."""
        found: dict[str, AskedPlatform] = dict(self._asked.get(lease.episode_id, (0, {}))[1])
        record = self.book.record_of(lease.episode_id)
        for s in record.sightings if record is not None else ():
            if s.novel and s.trust is Trust.NONE:
                known = found.get(s.platform, AskedPlatform(s.platform, s.platform_id, ()))
                found[s.platform] = known.also(s.at_ms)
        for each in found.values():
            named = not each.key.startswith("#")  # else it was let go: nothing to open it by
            if named and refuses(lease.scope, each.platform_id, Trust.NONE):
                yield each

    def _replied(self, recipient: str, now_ms: int) -> bool:
        last_ms = self.book.last_told("victim_opened", recipient)
        if last_ms is not None and now_ms < last_ms + DAY_MS:
            return True
        if recipient in self.openings:
            return True
        words = self.book.desired.overrides.get(recipient, {}).values()
        return any(w.actor == ACTOR and now_ms < w.issued_at_ms + DAY_MS for w in words)
