"""Answers of the case store: frozen, complete, and free of any table or wire format.

Times are milliseconds UTC. Whatever names a person (recipient, sender, note) is given whole: who
may see how much of it is decided by whoever shows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

from detectors.campaigns.campaign import Campaign
from detectors.model.event import Trust
from detectors.model.records import Level
from detectors.platforms.days import PlatformFigures
from streams.operate.cases import Case, Doing
from streams.wire import Ack, Override

Would = Literal["pass", "refuse", ""]
"""A throttle's ruling on one message; empty where nobody knows it."""


@dataclass(frozen=True, slots=True)
class TopicFreshness:
    """One topic, as far as it was read."""

    topic: str
    read_ms: int  # whatever was written until then is in the store; 0: not even begun
    behind: int  # records that the indexer knows of and has not read


@dataclass(frozen=True, slots=True)
class Freshness:
    """Age of what the store says: "nothing found" is worth no more than this."""

    at_ms: int  # of the question
    read_ms: int  # all topics are in the store up to this time; 0: never
    events_behind: int | None  # events of minutes ago that no worker has judged; None: not known
    topics: tuple[TopicFreshness, ...] = ()

    @property
    def lag_ms(self) -> int:
        """Time that the store is behind; the whole of time if nothing was ever read."""
        return max(0, self.at_ms - self.read_ms)


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case as one line of a list."""

    episode_id: str
    recipient: str
    kind: str  # flood | resend
    level: str  # clear | watch | throttle
    mode: str  # shadow | enforce
    state: Doing
    first_ms: int  # of its first message
    last_ms: int  # of the newest message that a record told of
    ended_ms: int | None  # None: it goes on
    messages: int
    platforms: int
    novel: int
    rule: str
    refused: int
    gateways: str  # the strongest answer of any gateway; unknown: none came; watched: no lease
    chronic: bool

    @property
    def open(self) -> bool:
        """True if it is not over."""
        return self.ended_ms is None

    def lasts_ms(self, now_ms: int) -> int:
        """Return the time since its first message; it ends with the last where no lease holds."""
        ended = self.state in (Doing.OVER, Doing.LAPSED)
        return (self.last_ms if ended else max(now_ms, self.last_ms)) - self.first_ms

    @property
    def rank(self) -> tuple[int, bool, int, str]:
        """Order of a number's cases: the highest counts, and every page and command shows that.

        The worst level that is not over comes first (one that is over is CLEAR), then a flood
        before codes of a single platform, then the newest.
        """
        level = Level.CLEAR if self.state is Doing.OVER else Level[self.level.upper()]
        return level, self.kind == "flood", self.first_ms, self.episode_id


@dataclass(frozen=True, slots=True)
class LeaseLine:
    """One lease, or its withdrawal, and what every gateway said of it."""

    action_id: str
    verb: str  # throttle | release
    mode: str
    issued_at_ms: int
    expires_at_ms: int
    acks: tuple[Ack, ...]  # of each gateway the newest word
    refused: int  # so far, by counts on the way and at the end


@dataclass(frozen=True, slots=True)
class WordLine:
    """One word of the operator, the id by which gateways acknowledge it, and who did."""

    word_id: str
    word: Override
    holds: bool  # now: not over, not said anew, not withdrawn
    acks: tuple[Ack, ...]  # of each gateway the newest word


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One message of a timeline. Of a sighting, its first of a platform, little is known."""

    at_ms: int
    platform: str  # key, or empty where only its class is told (known or trusted)
    platform_id: int
    novel: bool
    trust: Trust
    would: Would
    sender: str = ""
    account_id: str = ""
    gateway_id: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """Messages of one platform that gateways refused in a case."""

    platform: str  # key, or `#<platform_id>` where no record names it
    platform_id: int
    refused: int


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One notice to somebody about a case."""

    notice_id: str
    kind: str
    addressee: str
    channel: str
    state: str
    why: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Note:
    """Words of a colleague about a case or a number."""

    note_id: int
    episode_id: str  # empty: about the number alone
    recipient: str
    author: str
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call about a number: who took it, and how the caller was identified."""

    call_id: int
    recipient: str
    episode_id: str
    agent: str
    at_ms: int
    identified_by: str  # how the caller showed that the number is theirs
    same_caller: bool  # calls from the number itself
    ticket: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Appeal:
    """An appeal as the law asks for it: recorded, with a deadline and an outcome."""

    appeal_id: int
    recipient: str
    episode_id: str
    received_by: str
    received_ms: int
    due_ms: int
    identified_by: str
    text: str
    state: Literal["open", "granted", "refused", "withdrawn"]
    outcome: str = ""
    decided_by: str = ""
    decided_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One case with everything that the store knows of it."""

    line: CaseLine
    case: Case  # records, leases, acknowledgements and words, for `explain`, `doing` and `phone`
    leases: tuple[LeaseLine, ...]  # oldest first
    words: tuple[WordLine, ...]  # about this number, oldest first; those that are over too
    events: tuple[CaseEvent, ...]  # oldest first
    refused: tuple[RefusedLine, ...]  # by platform, most first; fewer than `line.refused` at times
    notices: tuple[NoticeLine, ...]
    notes: tuple[Note, ...]  # newest first
    appeals: tuple[Appeal, ...]  # newest first
    calls: tuple[Call, ...]  # newest first
    others: tuple[CaseLine, ...]  # other cases of this number, newest first
    held: bool  # by a legal hold: neither retention nor erasure touches it


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything about one number at one moment, with a case or without."""

    recipient: str  # canonical, as it was asked for
    newest: CaseFile | None  # the case that counts (`CaseLine.rank`)
    cases: tuple[CaseLine, ...]  # all, the one that counts first
    codes: int | None  # verification codes of the newest case of a day; None: no record tells
    known: int | None  # platforms that the number knows, by the newest record; None: none tells
    words: tuple[WordLine, ...]  # about this number, oldest first
    leases_ended: int  # of all its cases
    calls: tuple[Call, ...]  # newest first
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class PlatformLine:
    """One platform in the floods of a span of days, and in its whole traffic of a week."""

    platform: str
    platform_id: int
    floods: int  # cases in which it was seen
    novel: int  # of these, where the victim did not know it
    refused: int
    trust: Trust
    last_ms: int
    week: PlatformFigures | None  # as the agent told last; None: it did not


@dataclass(frozen=True, slots=True)
class CampaignList:
    """Campaigns as the agent of campaigns tells them."""

    campaigns: tuple[Campaign, ...]  # most victims first
    told_ms: int  # when it wrote last; 0: it never did, and perhaps none runs


@dataclass(frozen=True, slots=True)
class PlatformList:
    """Platforms of floods, and what the agent of platforms tells of them."""

    platforms: tuple[PlatformLine, ...]  # most floods first
    told_ms: int  # when the agent wrote last; 0: it never did, and perhaps none runs


class AuditPlace(NamedTuple):
    """A line's place among all, the newest first: several are of one millisecond."""

    at_ms: int
    chain: str
    seq: int

    def __str__(self) -> str:
        return f"{self.at_ms}.{self.seq}.{self.chain}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The place that a text names; None if it names none.

        >>> AuditPlace.read("1760000000000.7.desk/h:8470"), AuditPlace.read("x.1.y")
        (AuditPlace(at_ms=1760000000000, chain='desk/h:8470', seq=7), None)
        """
        named = re.fullmatch(r"(\d{1,15})\.(\d{1,15})\.(.{1,128})", text, re.ASCII)
        return cls(int(named[1]), named[3], int(named[2])) if named else None


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of the audit topic."""

    chain: str
    seq: int
    at_ms: int
    actor: str
    role: str
    auth: str
    channel: str
    address: str
    verb: str
    outcome: str
    subject: str
    episode_id: str
    detail: str
    reason: str
    ticket: str
    until_ms: int | None

    @property
    def place(self) -> AuditPlace:
        """The line's place among all."""
        return AuditPlace(self.at_ms, self.chain, self.seq)


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: rows of this case or number are kept until it is lifted."""

    hold_id: int
    subject: str  # episode id or recipient
    document_no: str  # of the authority's request
    reason: str
    actor: str
    at_ms: int
    lifted_ms: int | None = None
    lifted_by: str = ""
