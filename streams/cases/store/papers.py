"""Papers are what people write at the desk: notes, calls, appeals, proposals, legal holds."""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from sqlalchemy import Engine, Row, case, func, insert, select, update

from detectors.model.times import HOUR_MS
from streams.cases.store.answers import PapersAbout
from streams.cases.store.engine import writing
from streams.cases.store.people_tables import (
    appeals,
    calls,
    handovers,
    holds,
    notes,
    proposals,
)
from streams.common import UsageError, tr

TEXT_MAX: Final = 4_000  # Maximum length of a note or an appeal in characters: about a page.

WORD_MAX: Final = 256  # Maximum length of a single-line field in characters.

LIST_MAX: Final = 500

PROPOSAL_MS: Final = 15 * 60_000
"""Time (ms) in which a proposal must be approved and used. After that it is expired."""


class Papers:
    """Reads and writes papers (what people write at the desk).

    Papers are rows of the tables in `streams.cases.store.people_tables`. Threads may share this
    object. `now_ms` is the clock.
    """

    def __init__(self, engine: Engine, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._writing = writing(engine)
        self._now_ms = now_ms

    # --- notes and calls ---------------------------------------------------------------------

    def add_note(self, author: str, text: str, *, recipient: str, episode_id: str = "") -> Row[Any]:
        """Store a note about a case or a number. Raise UsageError for an empty or too long text."""
        return self._insert(
            notes, episode_id=episode_id, recipient=recipient, author=author,
            at_ms=self._now_ms(), text=_text(text),
        )  # fmt: skip

    def add_call(
        self,
        agent: str,
        recipient: str,
        *,
        identified_by: str,
        same_caller: bool,
        episode_id: str = "",
        ticket: str = "",
        outcome: str = "",
    ) -> Row[Any]:
        """Store a phone call: how the caller was identified, and its outcome.

        Raise UsageError if a text is too long.
        """
        return self._insert(
            calls, recipient=recipient, episode_id=episode_id, agent=agent,
            at_ms=self._now_ms(), identified_by=_word(identified_by), same_caller=same_caller,
            ticket=_word(ticket), outcome=_word(outcome),
        )  # fmt: skip

    def list_calls(
        self, since_ms: int = 0, agent: str = "", named: str | None = None
    ) -> tuple[Row[Any], ...]:
        """Return calls since a time, newest first; with `agent`, only this person's.

        With `named`, only calls about a case that have this ticket or this case.
        """
        wanted = select(calls).where(calls.c.at_ms >= since_ms)
        if agent:
            wanted = wanted.where(calls.c.agent == agent)
        if named is not None:
            either = (calls.c.ticket == named) | (calls.c.episode_id == named)
            wanted = wanted.where(either, calls.c.episode_id != "")
        newest = wanted.order_by(calls.c.at_ms.desc(), calls.c.call_id.desc()).limit(LIST_MAX)
        return self._rows(newest)

    def count_calls(self, since_ms: int) -> list[tuple[int, str, int]]:
        """Return the number of calls by hour since 1970 (UTC) and by agent, the oldest first."""
        hour = (calls.c.at_ms // HOUR_MS).label("hour")
        wanted = select(hour, calls.c.agent, func.count().label("n"))
        told = wanted.where(calls.c.at_ms >= since_ms).group_by(hour, calls.c.agent)
        rows = self._rows(told.order_by(hour, calls.c.agent))
        return [(int(row.hour), row.agent, row.n) for row in rows]

    # --- handovers ---------------------------------------------------------------------------

    def hand_over(
        self, author: str, receiver: str, text: str, *, recipient: str, episode_id: str
    ) -> Row[Any]:
        """Hand a case over, with a text for the receiver. Raise UsageError for an invalid text."""
        return self._insert(
            handovers, episode_id=episode_id, recipient=recipient, author=author,
            receiver=receiver, at_ms=self._now_ms(), text=_text(text), read_ms=None, read_by="",
        )  # fmt: skip

    def list_handovers(
        self, since_ms: int, receivers: Iterable[str] | None = None
    ) -> tuple[Row[Any], ...]:
        """Return handovers since a time, unread ones first; with `receivers`, only to these."""
        wanted = select(handovers).where(handovers.c.at_ms >= since_ms)
        if receivers is not None:
            wanted = wanted.where(handovers.c.receiver.in_(list(receivers)))
        order = handovers.c.read_ms.is_not(None), handovers.c.handover_id.desc()
        return self._rows(wanted.order_by(*order).limit(LIST_MAX))

    def count_unread(self, name: str, receivers: Iterable[str]) -> int:
        """Return how many cases others handed to these receivers that nobody has opened."""
        (row,) = self._rows(select(func.count().label("n")).where(_unread(name, receivers)))
        return int(row.n)

    def read_handovers(self, name: str, receivers: Iterable[str], episode_id: str) -> None:
        """Note that this person has opened a case, if it was handed to one of the receivers."""
        where = _unread(name, receivers) & (handovers.c.episode_id == episode_id)
        if self._rows(select(handovers.c.handover_id).where(where)):
            self._change(handovers, where, read_ms=self._now_ms(), read_by=name)

    # --- appeals -----------------------------------------------------------------------------

    def add_appeal(
        self,
        received_by: str,
        recipient: str,
        text: str,
        *,
        due_ms: int,
        identified_by: str,
        episode_id: str = "",
    ) -> Row[Any]:
        """Store an appeal. It must be decided by `due_ms`.

        Raise UsageError if the text is empty, or a text is too long.
        """
        return self._insert(
            appeals, recipient=recipient, episode_id=episode_id, received_by=received_by,
            received_ms=self._now_ms(), due_ms=due_ms, identified_by=_word(identified_by),
            text=_text(text), state="open", outcome="", decided_by="", decided_ms=None,
        )  # fmt: skip

    def decide_appeal(
        self,
        appeal_id: int,
        decided_by: str,
        state: Literal["granted", "refused", "withdrawn"],
        outcome: str,
    ) -> Row[Any]:
        """Decide an open appeal. Raise UsageError if there is no such appeal, or it is decided."""
        self._once(
            appeals, appeals.c.appeal_id == appeal_id, state=state, outcome=_text(outcome),
            decided_by=decided_by, decided_ms=self._now_ms(),
        )  # fmt: skip
        return self._rows(select(appeals).where(appeals.c.appeal_id == appeal_id))[0]

    # --- proposals ---------------------------------------------------------------------------

    def propose(
        self,
        proposer: str,
        verb: str,
        value: bytes,
        says: str,
        reason: str,
        ticket: str,
    ) -> Row[Any]:
        """Store a proposal for an override that needs a second person.

        The second person has `PROPOSAL_MS` to approve exactly the bytes in `value`. Raise
        UsageError if the reason is empty, or a text is too long.
        """
        now_ms = self._now_ms()
        return self._insert(
            proposals, verb=verb, value=value, says=says, reason=_text(reason),
            ticket=_word(ticket), proposer=proposer, at_ms=now_ms,
            expires_ms=now_ms + PROPOSAL_MS, state="open", decided_by="", decided_ms=None, why="",
        )  # fmt: skip

    def decide_proposal(
        self, proposal_id: int, decided_by: str, state: Literal["approved", "rejected"], why: str
    ) -> Row[Any]:
        """Decide an open proposal.

        The proposer may reject a proposal, but not approve it. Raise UsageError for this, and if
        the proposal is expired, decided or unknown.
        """
        where = self._valid(proposal_id)
        if state == "approved":
            where &= proposals.c.proposer != decided_by
        self._once(
            proposals, where, state=state, decided_by=decided_by, decided_ms=self._now_ms(),
            why=why[:TEXT_MAX],
        )  # fmt: skip
        return self.proposal(proposal_id)

    def use_proposal(self, proposal_id: int) -> bytes:
        """Mark an approved proposal as used, and return its bytes.

        This works once. Raise UsageError if the proposal is used already, expired or not approved.
        """
        self._once(proposals, self._valid(proposal_id), "approved", state="used")
        return bytes(self.proposal(proposal_id).value)

    def _valid(self, proposal_id: int) -> Any:
        return (proposals.c.proposal_id == proposal_id) & (proposals.c.expires_ms > self._now_ms())

    def proposal(self, proposal_id: int) -> Row[Any]:
        """Return the proposal with this id. Raise UsageError if it does not exist."""
        found = self._rows(self._proposals().where(proposals.c.proposal_id == proposal_id))
        if not found:
            raise UsageError(tr("there is no proposal {id}").format(id=proposal_id))
        return found[0]

    def proposals(self) -> tuple[Row[Any], ...]:
        """Return proposals, newest first, at most `LIST_MAX`."""
        newest = self._proposals().order_by(proposals.c.proposal_id.desc())
        return self._rows(newest.limit(LIST_MAX))

    def _proposals(self) -> Any:
        """Select proposals. One that was not used in time has the state expired."""
        unused = proposals.c.state.in_(["open", "approved"])
        over = unused & (proposals.c.expires_ms <= self._now_ms())
        state = case((over, "expired"), else_=proposals.c.state).label("state")
        return select(*(state if c is proposals.c.state else c for c in proposals.c))

    # --- holds -------------------------------------------------------------------------------

    def hold(self, actor: str, subject: str, document_no: str, reason: str) -> Row[Any]:
        """Place a legal hold on a case or a number.

        Neither retention nor erasure deletes its rows until the hold is lifted.
        """
        return self._insert(
            holds, subject=subject, document_no=_word(document_no), reason=_text(reason),
            actor=actor, at_ms=self._now_ms(), lifted_ms=None, lifted_by="",
        )  # fmt: skip

    def lift(self, actor: str, hold_id: int) -> Row[Any]:
        """Lift a legal hold. Raise UsageError if the hold does not exist or is already lifted."""
        where = (holds.c.hold_id == hold_id) & holds.c.lifted_ms.is_(None)
        if not self._change(holds, where, lifted_ms=self._now_ms(), lifted_by=actor):
            raise UsageError(tr("there is no hold {id} that stands").format(id=hold_id))
        return self._rows(select(holds).where(holds.c.hold_id == hold_id))[0]

    def holds(self, subjects: Iterable[str] | None = None) -> tuple[Row[Any], ...]:
        """Return legal holds on these cases and numbers, or on any if `subjects` is None."""
        wanted = select(holds).where(holds.c.lifted_ms.is_(None)).order_by(holds.c.hold_id)
        if subjects is not None:
            wanted = wanted.where(holds.c.subject.in_(list(subjects)))
        return self._rows(wanted)

    def about(self, recipient: str, episode_id: str) -> PapersAbout:
        """Return notes, appeals and calls of a number or case, and if it is under a legal hold.

        All of these are read over one connection.
        """
        with self._engine.connect() as connection:

            def rows(table: Any, where: Any, newest: Any) -> tuple[Row[Any], ...]:
                wanted = select(table).where(where).order_by(newest.desc()).limit(LIST_MAX)
                return tuple(connection.execute(wanted))

            def either(table: Any) -> Any:
                own = table.c.recipient == recipient
                return own | (table.c.episode_id == episode_id) if episode_id else own

            held = holds.c.subject.in_([recipient, episode_id]) & holds.c.lifted_ms.is_(None)
            return PapersAbout(
                rows(notes, either(notes), notes.c.note_id),
                rows(appeals, either(appeals), appeals.c.appeal_id),
                rows(calls, calls.c.recipient == recipient, calls.c.call_id),
                bool(rows(holds, held, holds.c.hold_id)),
            )

    # --- in common ---------------------------------------------------------------------------

    def _insert(self, table: Any, **row: Any) -> Row[Any]:
        """Store a row, and return it with the id that the database gave it."""
        with self._writing.begin() as connection:
            return connection.execute(insert(table).values(row).returning(table)).one()

    def _once(self, table: Any, where: Any, before: str = "open", /, **values: Any) -> None:
        """Change a row only if the row still has the state `before`.

        If two people try at the same time, the second gets a UsageError.
        """
        if not self._change(table, where & (table.c.state == before), **values):
            raise UsageError(tr("it is decided already, over, or not yours to decide"))

    def _change(self, table: Any, where: Any, **values: Any) -> int:
        with self._writing.begin() as connection:
            return connection.execute(update(table).where(where).values(values)).rowcount

    def _rows(self, wanted: Any) -> tuple[Row[Any], ...]:
        with self._engine.connect() as connection:
            return tuple(connection.execute(wanted))


def _unread(name: str, receivers: Iterable[str]) -> Any:
    """Return a condition: a handover to these receivers, not by `name`, that nobody has opened."""
    to = handovers.c.receiver.in_(list(receivers))
    return to & (handovers.c.author != name) & handovers.c.read_ms.is_(None)


def _text(text: str) -> str:
    """Strip a text. Raise UsageError if it is empty or too long."""
    cut = text.strip()
    if not cut or len(cut) > TEXT_MAX:
        raise UsageError(tr("a text has 1 to {most} characters").format(most=TEXT_MAX))
    return cut


def _word(word: str) -> str:
    cut = word.strip()
    if len(cut) > WORD_MAX:
        raise UsageError(tr("a line has at most {most} characters").format(most=WORD_MAX))
    return cut
