"""Deletes rows that are older than their retention time, except rows under a legal hold.

Cases, the audit log and papers (what people wrote) have separate retention times. Each step is a
small transaction, so other processes wait only briefly.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, case, delete, exists, or_, select, union

from detectors.model.times import DAY_MS
from streams.cases.store.engine import writing
from streams.cases.store.index_tables import (
    acks,
    audit,
    campaigns,
    cases,
    changes,
    counts,
    incidents,
    leases,
    links,
    notices,
    platform_days,
    words,
)
from streams.cases.store.people_tables import (
    appeals,
    calls,
    erased,
    handovers,
    notes,
    proposals,
    sessions,
)
from streams.cases.store.store import CaseStore, ReadModel
from streams.config import DeskSettings

STEP: Final = 200

LOST_MS: Final = 2 * DAY_MS
"""A case whose end was never published counts as ended this long (ms) after its last message. An
episode ends within a day, but its worker may have stopped before it published the end."""


def remove_cases(connection: Connection, ids: Sequence[str]) -> Counter[str]:
    """Delete these cases and the index rows that refer to them. Return deleted rows by table."""
    done: Counter[str] = Counter()
    actions = list(connection.scalars(select(links.c.action_id).where(links.c.episode_id.in_(ids))))
    for at in range(0, len(actions), STEP):
        some = actions[at : at + STEP]
        for table in (acks, counts):
            done[table.name] += connection.execute(
                delete(table).where(table.c.action_id.in_(some))
            ).rowcount
    for table in (links, leases, changes, incidents, notices, cases):
        done[table.name] += connection.execute(
            delete(table).where(table.c.episode_id.in_(ids))
        ).rowcount
    return done


def forget(store: CaseStore, ages: DeskSettings, now_ms: int) -> Counter[str]:
    """Delete rows older than their retention time. Return deleted rows by table.

    Rows under a legal hold stay. Expired sessions and old identities of erased records go too.
    """
    held = [each.subject for each in store.papers.holds()]
    done: Counter[str] = Counter()
    limit_ms = now_ms - ages.cases_days * DAY_MS
    done += forget_cases(store, limit_ms, now_ms - ages.audit_days * DAY_MS, held)
    done += _old_papers(store, now_ms - ages.papers_days * DAY_MS, now_ms, held)
    return +done


def forget_cases(
    store: ReadModel, limit_ms: int, audit_ms: int, held: Sequence[str] = ()
) -> Counter[str]:
    """Delete what the index has of cases from before `limit_ms`, and older lines of the audit."""
    return _old_cases(store, limit_ms, held) + _old_rows(store, limit_ms, audit_ms, held)


def _old_cases(store: ReadModel, limit_ms: int, held: Sequence[str]) -> Counter[str]:
    over = or_(
        cases.c.ended_ms < limit_ms,
        and_(cases.c.ended_ms.is_(None), cases.c.last_ms < limit_ms - LOST_MS),
    )
    free = ~or_(cases.c.episode_id.in_(held), cases.c.recipient.in_(held))
    done: Counter[str] = Counter()
    while True:
        with writing(store.index).begin() as connection:
            ids = list(connection.scalars(select(cases.c.episode_id).where(over, free).limit(STEP)))
            if not ids:
                return done
            done += remove_cases(connection, ids)


def _old_rows(store: ReadModel, limit_ms: int, audit_ms: int, held: Sequence[str]) -> Counter[str]:
    """Delete old rows that refer to no stored case, and rows with a retention time of their own.

    A case may be missing forever, because retention deletes its episode records before the records
    of its messages and counts.
    """
    # Episodes of numbers under legal hold. Leases and incident records also have episodes that are
    # missing in the table `cases`.
    named = (leases.alias(), incidents.alias())
    theirs = union(*(select(each.c.episode_id).where(each.c.recipient.in_(held)) for each in named))

    def free(episode_id: Any) -> Any:
        """Return a condition: the episode is not stored as a case and not under a legal hold."""
        there = exists().where(cases.c.episode_id == episode_id)
        return ~or_(there, episode_id.in_(held), episode_id.in_(theirs))

    def is_unlinked(table: Any) -> Any:
        return ~exists().where(links.c.action_id == table.c.action_id, ~free(links.c.episode_id))

    # This subquery reads only the key's index. The table is large: it has every message of a flood.
    told = incidents.alias()
    lost = select(told.c.episode_id).where(free(told.c.episode_id))
    newer = words.alias()
    said_anew = exists().where(newer.c.key == words.c.key, newer.c.offset > words.c.offset)
    ended_ms = case(
        (words.c.withdrawn_ms.is_not(None), words.c.withdrawn_ms),
        (words.c.expires_at_ms.is_not(None), words.c.expires_at_ms),
        (said_anew, words.c.written_ms),
    )
    old: list[tuple[Any, Any]] = [
        (incidents, and_(incidents.c.written_ms < limit_ms, incidents.c.episode_id.in_(lost))),
        (notices, and_(notices.c.at_ms < limit_ms, free(notices.c.episode_id),
                       ~notices.c.addressee.in_(held))),
        (counts, and_(counts.c.written_ms < limit_ms, is_unlinked(counts))),
        (acks, and_(acks.c.written_ms < limit_ms, is_unlinked(acks))),
        (leases, and_(leases.c.written_ms < limit_ms, free(leases.c.episode_id))),
        (links, and_(free(links.c.episode_id),
                     *(~exists().where(each.c.action_id == links.c.action_id)
                       for each in (leases, acks, counts)))),
        (words, and_(ended_ms < limit_ms, ~words.c.recipient.in_(held))),
        (platform_days, platform_days.c.day < limit_ms // DAY_MS),
        (campaigns, campaigns.c.end_ms < limit_ms),
        (audit, and_(audit.c.at_ms < audit_ms, ~audit.c.subject.in_(held),
                     ~audit.c.episode_id.in_(held))),
    ]  # fmt: skip
    return _delete(store.index, old)


def _old_papers(store: CaseStore, limit_ms: int, now_ms: int, held: Sequence[str]) -> Counter[str]:
    def free(table: Any) -> Any:
        return ~or_(table.c.recipient.in_(held), table.c.episode_id.in_(held))

    old: list[tuple[Any, Any]] = [
        (notes, and_(notes.c.at_ms < limit_ms, free(notes))),
        (calls, and_(calls.c.at_ms < limit_ms, free(calls))),
        (appeals, and_(appeals.c.decided_ms < limit_ms, free(appeals))),
        (handovers, and_(handovers.c.at_ms < limit_ms, free(handovers))),
        (proposals, proposals.c.at_ms < limit_ms),
        (sessions, sessions.c.idle_end_ms < now_ms),
        (erased, erased.c.forget_ms < now_ms),
    ]
    return _delete(store.people, old)


def _delete(database: Engine, old: Iterable[tuple[Any, Any]]) -> Counter[str]:
    """Delete rows, each pair of table and condition in its own transaction; count by table."""
    done: Counter[str] = Counter()
    for table, where in old:
        with writing(database).begin() as connection:
            done[table.name] += connection.execute(delete(table).where(where)).rowcount
    return done
