"""Erases everything about one number from the store, then searches the bytes of its files.

In SQLite, rows are deleted with their remains in free pages and in the write-ahead log. In
PostgreSQL, VACUUM removes dead rows; its log and backups are the administrator's task. Records
cannot be erased from Kafka topics. Retention deletes them later;
`streams.tools.operate.retention.still_held` computes when.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from detectors.model.times import DAY_MS
from streams.cases.store.engine import files, writing
from streams.cases.store.index_tables import (
    INDEX,
    acks,
    audit,
    cases,
    changes,
    incidents,
    leases,
    links,
    notices,
    words,
)
from streams.cases.store.index_writer import ERASED, texts_of, without_texts
from streams.cases.store.mentions import is_mentioned, is_mentioned_in_bytes, without_mention
from streams.cases.store.packing import pack, unpack
from streams.cases.store.people_tables import (
    PEOPLE,
    appeals,
    calls,
    erased,
    handovers,
    holds,
    notes,
    proposals,
)
from streams.cases.store.removal import STEP, remove_cases
from streams.cases.store.store import CaseStore
from streams.common import UnavailableError, UsageError, tr
from streams.wire import Override, decode_override, encode_override

GONE: Final = ERASED["subject"]  # Text that replaces an erased number.

REMEMBERED_MS: Final = 400 * DAY_MS
"""Time (ms) for which a rebuild skips the erased records. It is more than twice the longest
retention of a topic."""

READ_BYTES: Final = 1 << 24
"""Number of bytes of a file that are searched together. Chosen: 16 MiB bound the memory."""

OVERLAP_BYTES: Final = 1 << 10
"""Number of bytes that are searched again with the next. A number with separators is shorter."""

TRUNCATE_S: Final = 30.0
"""Longest wait in seconds for readers before SQLite's write-ahead log can be emptied."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Result of an erasure."""

    rows: Counter[str]  # deleted or changed rows by table
    searched: tuple[tuple[Path, int], ...]  # searched files and their sizes in bytes; SQLite only
    newest_ms: dict[str, int]  # kind of topic -> timestamp of its newest record about the number


def erase(store: CaseStore, recipient: str, *, even_open: bool = False) -> Erasure:
    """Erase a number (canonical form) and its tokens.

    Raise UsageError if a legal hold forbids it. Raise UsageError also if a case goes on, because
    its next record would store the number again; `even_open` allows this. Raise UnavailableError
    if a file cannot be cleaned because another process reads it.
    """
    forms = store.forms(recipient)
    ids = _list_erasable(store, forms, even_open=even_open)
    now_ms = int(time.time() * 1000)
    rows: Counter[str] = Counter()
    with writing(store.index).begin() as connection:
        named = _named_in_words(connection, forms)
        newest = _newest(connection, forms, ids, named)
        identities = [*ids, *_identities(connection, forms), *(texts_of(one) for one in named)]
    # Store the identities first. After a crash here, a rebuild still skips the records.
    _remember(store.people, identities, now_ms)
    with writing(store.index).begin() as connection:
        rows += _index(connection, forms, ids)
    with writing(store.people).begin() as connection:
        rows += _papers(connection, forms)
    if store.people.dialect.name == "sqlite":
        for half in (store.index, store.people):
            _truncate(half)
    else:
        _vacuum(store)
    return Erasure(+rows, tuple(search_files(store.url, forms)), newest)


def search_files(url: str, forms: Sequence[str]) -> Iterator[tuple[Path, int]]:
    """Search the files of a store for a number. Yield each file with its size in bytes.

    Raise UnavailableError if a file contains the number. The search covers keys, texts of people
    and free pages. The search cannot see compressed values. Of the compressed records only
    overrides have free texts, and `erase` decompresses and checks these.
    """
    for path in files(url).values():
        for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if not one.exists():
                continue
            size, held = 0, b""
            with one.open("rb") as file:
                while read := file.read(READ_BYTES):
                    size, held = size + len(read), held[-OVERLAP_BYTES:] + read
                    if is_mentioned_in_bytes(held, forms):
                        told = tr(
                            "{path} still contains it, because another process reads or writes; "
                            "try again in a moment"
                        )
                        raise UnavailableError(told.format(path=one))
            yield one, size


def _list_erasable(store: CaseStore, forms: Sequence[str], *, even_open: bool) -> list[str]:
    """Return the episode ids of a number. Raise UsageError if they must not be erased."""
    with store.index.connect() as connection:
        found = connection.execute(
            select(cases.c.episode_id, cases.c.ended_ms).where(cases.c.recipient.in_(forms))
        ).all()
    ids = [row.episode_id for row in found]
    if standing := store.papers.holds([*forms, *ids]):
        raise UsageError(
            tr("hold {id} ({document}) forbids it: `otpguard desk hold --lift {id}` lifts it")
            .format(id=standing[0].hold_id, document=standing[0].document_no)
        )  # fmt: skip
    if not even_open and any(row.ended_ms is None for row in found):
        raise UsageError(
            tr("this number has an open case: erase it when the case is over, or use --even-open")
        )
    return ids


def _newest(
    connection: Connection,
    forms: Sequence[str],
    ids: Sequence[str],
    named: Mapping[str, tuple[Override, int]],
) -> dict[str, int]:
    """Return the Kafka timestamp (ms) of the newest record about the number, by kind of topic."""
    own = select(links.c.action_id).where(links.c.episode_id.in_(ids))
    asked = {
        "episode": select(func.max(changes.c.written_ms)).where(changes.c.episode_id.in_(ids)),
        "throttle": select(func.max(leases.c.written_ms)).where(leases.c.recipient.in_(forms)),
        "acks": select(func.max(acks.c.written_ms)).where(acks.c.action_id.in_(own)),
        "incident": select(func.max(incidents.c.written_ms)).where(
            incidents.c.recipient.in_(forms)
        ),
        "override": select(func.max(words.c.written_ms)).where(words.c.recipient.in_(forms)),
        "notice": select(func.max(notices.c.written_ms)).where(notices.c.addressee.in_(forms)),
        "audit": select(func.max(audit.c.written_ms)).where(audit.c.subject.in_(forms)),
    }
    found = {name: [connection.scalar(one)] for name, one in asked.items()}
    found["override"] += [written_ms for _, written_ms in named.values()]
    told = {name: [int(ms) for ms in times if ms is not None] for name, times in found.items()}
    return {name: max(times) for name, times in told.items() if times}


def _identities(connection: Connection, forms: Sequence[str]) -> Iterator[str]:
    """Yield the identities of overrides, notices and audit log lines that must not be read again.

    The identities of the cases are not among them.
    """
    yield from connection.scalars(select(words.c.word_id).where(words.c.recipient.in_(forms)))
    yield from connection.scalars(select(notices.c.notice_id).where(notices.c.addressee.in_(forms)))
    for chain, seq in _find_audit_lines(connection, forms):
        yield f"audit:{chain}:{seq}"


def _remember(people: Engine, identities: Sequence[str], now_ms: int) -> None:
    into = sqlite.insert if people.dialect.name == "sqlite" else postgresql.insert
    rows = [
        {"identity": each, "at_ms": now_ms, "forget_ms": now_ms + REMEMBERED_MS}
        for each in dict.fromkeys(identities)
    ]
    if rows:
        with writing(people).begin() as connection:
            connection.execute(into(erased).on_conflict_do_nothing(), rows)


def _index(connection: Connection, forms: Sequence[str], ids: Sequence[str]) -> Counter[str]:
    rows: Counter[str] = Counter()
    for at in range(0, len(ids), STEP):
        rows += remove_cases(connection, ids[at : at + STEP])
    said = select(words.c.word_id).where(words.c.recipient.in_(forms))
    rows["acks"] += connection.execute(delete(acks).where(acks.c.action_id.in_(said))).rowcount
    for table, column in (
        (leases, leases.c.recipient),
        (incidents, incidents.c.recipient),
        (words, words.c.recipient),
        (notices, notices.c.addressee),
    ):
        rows[table.name] += connection.execute(delete(table).where(column.in_(forms))).rowcount
    # An override for another number stays, but its texts are removed if they mention this number.
    # The search runs again here, because an override may have been written meanwhile.
    for word_id, (word, _) in _named_in_words(connection, forms).items():
        value = pack(encode_override(without_texts(word)))
        rows["words"] += connection.execute(
            update(words).where(words.c.word_id == word_id).values(value=value)
        ).rowcount
    # The audit log keeps who looked and when. The number is removed.
    for chain, seq in _find_audit_lines(connection, forms):
        rows["audit"] += connection.execute(
            update(audit).where(audit.c.chain == chain, audit.c.seq == seq).values(**ERASED)
        ).rowcount
    return rows


def _named_in_words(
    connection: Connection, forms: Sequence[str]
) -> dict[str, tuple[Override, int]]:
    """Find overrides for other numbers whose texts mention this number.

    Return override id -> override and its Kafka timestamp. The values are compressed, so every
    override has to be read.
    """
    others = select(words).where(words.c.recipient.not_in(forms))
    found = {}
    for row in connection.execute(others):
        word = decode_override(unpack(row.value))
        if _names((word.reason, word.ticket), forms):
            found[row.word_id] = word, row.written_ms
    return found


def _find_audit_lines(connection: Connection, forms: Sequence[str]) -> list[tuple[str, int]]:
    """Return (chain, seq) of audit log lines whose subject or texts contain the number.

    Every line is read: SQL does not know in how many kinds of digits a number can be written.
    """
    wanted = select(
        audit.c.chain, audit.c.seq, audit.c.subject, audit.c.detail, audit.c.reason, audit.c.ticket
    ).execution_options(yield_per=10_000)
    return [
        (row.chain, row.seq)
        for row in connection.execute(wanted)
        if row.subject in forms or _names(row[3:], forms)
    ]


def _papers(connection: Connection, forms: Sequence[str]) -> Counter[str]:
    rows: Counter[str] = Counter()
    for table in (notes, calls, appeals, handovers):
        rows[table.name] += connection.execute(
            delete(table).where(table.c.recipient.in_(forms))
        ).rowcount
    rows["holds"] += connection.execute(delete(holds).where(holds.c.subject.in_(forms))).rowcount

    def replace_mentions(row: Any, columns: Sequence[Any]) -> dict[str, str]:
        """Return the texts of a row that mention the number, with the number replaced."""
        cut = {column.name: row[column.name] for column in columns}
        for one in forms:
            cut = {name: without_mention(text, one, GONE) for name, text in cut.items()}
        return {name: text for name, text in cut.items() if text != row[name]}

    for table in (proposals, notes, calls, appeals, handovers, holds):
        columns, (key,) = _texts(table), table.primary_key
        for row in connection.execute(select(table)).mappings().all():
            changed = replace_mentions(row, columns)
            where = table.c[key.name] == row[key.name]
            # A proposal is bound to its exact bytes, so it is deleted and not edited.
            value = row["value"].decode("utf-8", "replace") if table is proposals else ""
            if table is proposals and (changed or _names([value], forms)):
                rows["proposals"] += connection.execute(delete(table).where(where)).rowcount
            elif changed:
                done = connection.execute(update(table).where(where).values(changed))
                rows[table.name] += done.rowcount
    return rows


def _names(texts: Sequence[str], forms: Sequence[str]) -> bool:
    return any(is_mentioned(text, each) for text in texts for each in forms)


def _texts(table: Any) -> list[Any]:
    free = {"text", "outcome", "ticket", "reason", "says", "why", "document_no", "identified_by"}
    return [column for column in table.c if column.name in free]


def _truncate(half: Engine) -> None:
    """Checkpoint and empty SQLite's write-ahead log, once no reader uses the old state.

    Raise UnavailableError if readers remain after `TRUNCATE_S`.
    """
    end = time.monotonic() + TRUNCATE_S
    with half.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        connection.rollback()
        while raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > end:
                raise UnavailableError(
                    tr(
                        "the rows are deleted, but another process reads the file's old "
                        "state; try again later"
                    )
                )
            time.sleep(0.05)


def _vacuum(store: CaseStore) -> None:
    for half, metadata in ((store.index, INDEX), (store.people, PEOPLE)):
        with half.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in metadata.sorted_tables:
                connection.execute(text(f'VACUUM "{table.name}"'))
