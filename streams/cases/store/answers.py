"""Answer types of the case store: frozen dataclasses, independent of wire formats.

Times are milliseconds UTC. Personal data (recipient, sender, note) is not masked here. The caller
that shows an answer masks it by the rights of the viewer.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

from sqlalchemy import Row

from detectors.leases.gateway_rule import forbids, lease_of
from detectors.model.event import Trust
from detectors.model.incidents import EarlierSighting
from detectors.model.records import Action, Level, Sighting
from detectors.platforms.days import PlatformFigures
from streams.cases.outcome import FloodOutcome, Observed, outcome
from streams.cases.standing import Case, Doing
from streams.wire import Ack, AuditRecord, Notice, Override

Would = Literal["pass", "refuse", ""]
"""Decision of a throttle on one message. Empty if the decision is not known."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Age of the data in the store. An answer "nothing found" is only true up to `read_ms`."""

    at_ms: int  # time of the query
    read_ms: int  # all topics are in the store up to this time; 0: never
    events_behind: int | None  # overdue events that no worker has processed; None: not known

    @property
    def lag_ms(self) -> int:
        """Age of the data (ms). If nothing was ever read, this is the time since 1970."""
        return max(0, self.at_ms - self.read_ms)

    def stale(self, most_ms: float) -> bool:
        """Return true if "nothing found" could be wrong, or it is unknown whether it could."""
        return self.lag_ms > most_ms or self.events_behind is None or self.events_behind > 0


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One case as a line of a list."""

    episode_id: str
    recipient: str
    kind: str  # flood | resend
    level: str  # clear | watch | throttle
    mode: str  # shadow | enforce
    state: Doing
    first_ms: int  # time of its first message
    last_ms: int  # time of the newest message in any record
    ended_ms: int | None  # None: the case goes on
    messages: int
    platforms: int
    novel: int
    rule: str
    refused: int
    gateways: str  # strongest state in any acknowledgement; unknown: none came; watched: no lease
    chronic: bool

    @property
    def open(self) -> bool:
        """True if the detector has not ended the case."""
        return self.ended_ms is None

    @property
    def outcome(self) -> FloodOutcome:
        """What is done about the flood: refused, observed, or watched only."""
        return outcome(self.state, self.mode, self.gateways)

    def lasts_ms(self, now_ms: int) -> int:
        """Return how long the case lasts, from its first message, in milliseconds.

        A case that is over or lapsed ends at its last message. Another case lasts until `now_ms`.
        """
        ended = self.state in (Doing.OVER, Doing.LAPSED)
        return (self.last_ms if ended else max(now_ms, self.last_ms)) - self.first_ms

    @property
    def rank(self) -> tuple[int, bool, int, str]:
        """Sort key of a number's cases. Pages and commands show the case with the highest rank.

        The highest level ranks first; a case that is over ranks as CLEAR. Then a resend (codes of a
        single platform, nothing refused) ranks last. Then the newest case ranks first.
        """
        level = Level.CLEAR if self.state is Doing.OVER else Level[self.level.upper()]
        return level, self.kind != "resend", self.first_ms, self.episode_id


@dataclass(frozen=True, slots=True)
class WordLine:
    """One override of an operator, with the acknowledgements of the gateways."""

    word_id: str  # id of the override, which acknowledgements carry
    word: Override
    holds: bool  # in force now: not expired, not replaced, not withdrawn
    acks: tuple[Ack, ...]  # oldest first; a gateway may have several


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One message of a timeline."""

    at_ms: int
    platform: str  # key; empty if the record has only the class (known or trusted)
    platform_id: int
    novel: bool
    trust: Trust
    would: Would = ""

    @classmethod
    def seen(cls, at: Sighting | EarlierSighting) -> Self:
        """Return the event of a sighting, whose decision is not known."""
        return cls(at.at_ms, at.platform, at.platform_id, at.novel, at.trust)

    def ruling(self, newest: Action | None) -> Would:
        """Return the decision: its own, or what the newest lease says, or empty without a lease."""
        if self.would or newest is None:
            return self.would
        return "refuse" if forbids(lease_of(newest), self.platform_id, self.trust) else "pass"


class PapersAbout(NamedTuple):
    """Notes, appeals, calls and legal hold of one number or case, the newest first.

    They are rows of the tables of the same names in `streams.cases.store.people_tables`.
    """

    notes: Sequence[Row[Any]] = ()
    appeals: Sequence[Row[Any]] = ()
    calls: Sequence[Row[Any]] = ()
    held: bool = False  # under a legal hold: neither retention nor erasure deletes it


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One case with everything that the store has about it."""

    line: CaseLine
    case: Case  # records, leases, acknowledgements and overrides, for explanations in words
    words: tuple[WordLine, ...]  # overrides for this number, oldest first, expired ones too
    events: tuple[CaseEvent, ...]  # oldest first
    refused: Mapping[int, int]  # platform id -> messages; the sum may be < `line.refused`
    notices: tuple[Notice, ...]
    papers: PapersAbout
    others: tuple[CaseLine, ...]  # other cases of this number, newest first
    observed: Observed | None  # why it is only observed; None: it is not


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything about one number at one moment, with a case or without."""

    recipient: str  # canonical form, as in the query
    newest: CaseFile | None  # the case with the highest `CaseLine.rank`
    cases: tuple[CaseLine, ...]  # the highest rank first
    codes: int | None  # messages of the cases of the last 24 h; None: there is no such case
    known: int | None  # platforms known to the number, by the newest record; None: not known
    words: tuple[WordLine, ...]  # overrides for this number, oldest first
    leases_ended: int  # expired leases of all its cases
    calls: Sequence[Row[Any]]  # newest first
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class PlatformLine:
    """One platform: its part in the floods of some days, and its whole traffic of a week."""

    platform: str
    platform_id: int
    floods: int  # throttled floods in which the platform was seen
    novel: int  # floods among these whose victim did not know the platform
    refused: int
    trust: Trust
    last_ms: int
    week: PlatformFigures | None  # newest record of the platform agent; None: there is none


class AuditPlace(NamedTuple):
    """Position of an audit log line in the list of all lines.

    The time alone is not enough, because several lines may have the same millisecond.
    """

    at_ms: int
    chain: str
    seq: int

    @classmethod
    def of(cls, line: AuditRecord) -> Self:
        return cls(line.at_ms, line.chain, line.seq)

    def __str__(self) -> str:
        return f"{self.at_ms}.{self.seq}.{self.chain}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Parse the text form of a place. Return None if the text is not valid.

        >>> AuditPlace.read("1760000000000.7.desk/h:8470"), AuditPlace.read("x.1.y")
        (AuditPlace(at_ms=1760000000000, chain='desk/h:8470', seq=7), None)
        """
        named = re.fullmatch(r"(\d{1,15})\.(\d{1,15})\.(.{1,128})", text, re.ASCII)
        return cls(int(named[1]), named[3], int(named[2])) if named else None
