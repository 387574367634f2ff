"""A victim's reply: for ten minutes the new platforms of her flood pass that are not hot.

Pure. She may wait for the code of a site that she never used before, in the middle of a flood; her
word opens the newest few platforms that were refused, once a day, and not those that other floods
abuse. Attackers will write to people "reply KX" too: so it opens little, for a short time, and
never exempts.

A reply counts only if it comes by a gateway that vouches for its sender, and from a number that a
lease holds and that was told so: whoever forges a sender elsewhere opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from detectors.model.event import Trust
from detectors.model.incidents import IncidentRecord
from detectors.model.records import Action, EpisodeRecord, refuses
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.notices.book import NoticeBook
from streams.wire import Event, Numbers, Override

ACTOR: Final = "victim"
VIA: Final = "mo"
OPEN_MS: Final = 10 * MINUTE_MS
AGE_MAX_MS: Final = 5 * MINUTE_MS
"""An older reply is not heeded: whoever sent it has given up. Chosen: half of what it opens."""
AFTER_MS: Final = 30_000
"""Her own request may come so much after her reply, and counts as one before it."""
LATE_MAX: Final = 64
"""Refused platforms remembered of an episode, the newest: as many as a reply can ever open."""
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


class Asked(NamedTuple):
    """One platform that was refused under a lease."""

    key: str
    platform_id: int
    at_ms: int


@dataclass(slots=True)
class Opening:
    """The effect of one reply. More is opened while it lasts, where records came late."""

    recipient: str
    episode_id: str
    asked_ms: int
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
                recipient=self.recipient, verb="allow", platform=key, actor=ACTOR,
                reason=self.reason, issued_at_ms=self.asked_ms, expires_at_ms=self.until_ms,
                via=VIA,
            )  # fmt: skip


@dataclass(slots=True)
class Replies:
    """Mutable: the openings of the last ten minutes, and what is known of platforms."""

    params: ReplyParams
    numbers: Numbers
    book: NoticeBook
    openings: dict[str, Opening] = field(default_factory=dict)  # by recipient
    _hot: dict[int, None] = field(default_factory=dict)  # ids, the newest last
    _late: dict[str, tuple[int, dict[str, Asked]]] = field(default_factory=dict)
    """Episode -> time of its newest incident record, and what was refused, the newest last."""

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
        opening = Opening(recipient, lease.episode_id, now_ms, now_ms + OPEN_MS)
        self.openings[recipient] = opening
        return HeardReply.OPENED, opening

    def episode(self, record: EpisodeRecord) -> None:
        """Learn which platforms are hot."""
        for sighting in record.sightings:
            if sighting.hot:
                self._hot.pop(sighting.platform_id, None)
                self._hot[sighting.platform_id] = None
        while len(self._hot) > HOT_MAX:
            del self._hot[next(iter(self._hot))]

    def incident(self, record: IncidentRecord) -> None:
        """Learn which platforms are refused under a lease: sooner than by the episode's record."""
        _, asked = self._late.get(record.episode_id, (0, {}))
        for message in record.messages:
            if message.would == "refuse" and message.novel and message.platform:
                key = message.platform
                known = asked.pop(key, None)
                at_ms = max(message.at_ms, known.at_ms if known is not None else 0)
                asked[key] = Asked(key, message.platform_id, at_ms)
        while len(asked) > LATE_MAX:
            del asked[next(iter(asked))]
        self._late[record.episode_id] = record.at_ms, asked

    def to_open(self, opening: Opening, now_ms: int) -> list[str]:
        """Return the keys of platforms to be opened now, the newest first; those before left out.

        A platform that the operator opened already keeps the operator's word.
        """
        lease = self.book.lease_of(opening.recipient, now_ms)
        if lease is None or now_ms >= opening.until_ms:
            return []
        room = self.params.platforms_max - len(opening.platforms)
        said = self.book.desired.overrides.get(opening.recipient, {})
        newest = sorted(self._refused(lease), key=lambda each: -each.at_ms)
        fits = [
            each.key
            for each in newest
            if each.at_ms <= opening.asked_ms + AFTER_MS
            and each.platform_id not in self._hot
            and each.key not in opening.platforms
            and ("allow", each.key) not in said
        ]
        return fits[: max(0, room)]

    def turn(self, now_ms: int) -> None:
        """Forget what is over."""
        for recipient, opening in list(self.openings.items()):
            if opening.until_ms <= now_ms:
                del self.openings[recipient]
        for episode_id in [e for e, (at, _) in self._late.items() if at + HOUR_MS <= now_ms]:
            del self._late[episode_id]

    def _refused(self, lease: Action) -> Iterator[Asked]:
        """Yield the platforms that a lease refuses, with the newest time that is known of each."""
        found: dict[str, Asked] = dict(self._late.get(lease.episode_id, (0, {}))[1])
        record = self.book.record_of(lease.episode_id)
        for s in record.sightings if record is not None else ():
            named = not s.platform.startswith("#")  # else it was let go: nothing to open it by
            known = found.get(s.platform)
            newer = known is None or known.at_ms < s.at_ms
            if s.novel and s.trust is Trust.NONE and not s.hot and named and newer:
                found[s.platform] = Asked(s.platform, s.platform_id, s.at_ms)
        for each in found.values():
            if refuses(lease.scope, each.platform_id, Trust.NONE):
                yield each

    def _replied(self, recipient: str, now_ms: int) -> bool:
        last_ms = self.book.last_told("victim_opened", recipient)
        if last_ms is not None and now_ms < last_ms + DAY_MS:
            return True
        if recipient in self.openings:
            return True
        words = self.book.desired.overrides.get(recipient, {}).values()
        return any(w.actor == ACTOR and now_ms < w.issued_at_ms + DAY_MS for w in words)
