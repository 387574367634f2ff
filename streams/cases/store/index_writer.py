"""Writes Kafka records as rows of the index. Rows and offsets go into the same transaction.

Writing is idempotent. The primary key of a row comes from the record, and a row only replaces an
older row. So a record may be read twice, at any time, and a crash or a replay changes nothing.
Texts are cleaned for the database (`kept_text`); the column `value` has the record's own bytes. If
the database can never store a record, the record is skipped, so that it does not block the others.
"""

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    Table,
    case,
    delete,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError

from detectors.model.records import Action, EpisodeRecord, Level, Sighting
from detectors.model.times import DAY_MS
from streams.cases.store.engine import rows_of, writing
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
    places,
    platform_days,
    platform_weeks,
    words,
)
from streams.cases.store.packing import id_bytes, ids_of, kept_json, kept_text, pack
from streams.common import UnavailableError, tr
from streams.wire import (
    Ack,
    Counts,
    Notice,
    Override,
    UnreadableError,
    decode_ack,
    decode_action,
    decode_audit,
    decode_campaign,
    decode_counts,
    decode_episode,
    decode_incident,
    decode_notice,
    decode_override,
    decode_platform,
    encode_override,
    hash_record,
    override_id,
    override_key,
)

log = logging.getLogger(__name__)

Source = Literal[
    "episode", "throttle", "acks", "override", "incident", "counts", "notice", "audit", "campaign",
    "platform",
]  # fmt: skip
"""Kind of a topic's records. Overrides for all recipients have their own topic, but this kind."""

SOURCES: Final[Mapping[str, Source]] = {
    "episode": "episode",
    "throttle": "throttle",
    "acks": "acks",
    "override": "override",
    "everyone": "override",
    "incident": "incident",
    "counts": "counts",
    "notice": "notice",
    "audit": "audit",
    "campaign": "campaign",
    "platform": "platform",
}
"""Name of a topic's setting -> kind of its records."""

LOGGED_MAX: Final = 10
"""Maximum number of unreadable records of a batch that are logged one by one. If there are more,
only their total is logged."""

_Guard = Callable[[Any, Table], Any]
"""Function that turns an `INSERT` into an upsert, which replaces a row only if it is older."""

REFUSED_MAX: Final = 1 << 40
"""Maximum plausible count of messages that a gateway refused under one lease. The sum of millions
of such counts still fits into a 64-bit column. Real gateways stay far below."""

PLATFORM_MAX: Final = (1 << 32) - 1  # Largest platform id: an unsigned integer of 32 bits.

ERASED: Final = {"subject": "[erased]", "detail": "", "reason": "", "ticket": ""}
"""Values that replace the texts of an audit log line after its subject was erased."""


def texts_of(word_id: str) -> str:
    """Return the identity of an override's texts.

    The texts (reason and ticket) can be erased while the override itself stays.
    """
    return f"texts:{word_id}"


def without_texts(word: Override) -> Override:
    """Return a copy of an override without its texts (reason and ticket)."""
    return msgspec.structs.replace(word, reason=ERASED["reason"], ticket=ERASED["ticket"])


class LogRecord(NamedTuple):
    """One Kafka record, as input of `Writer.take`."""

    source: Source
    topic: str
    partition: int
    offset: int
    written_ms: int  # Kafka timestamp of the record
    key: bytes | None
    value: bytes | None  # None: a tombstone


@dataclass(slots=True)
class PlaceRead:
    """The read position of a partition, in the store and since then.

    `end_offset` is the end of the partition, as last seen. `record_ms` is the timestamp of the
    newest record that was read. At `read_ms` the partition was last read to its end.
    """

    topic: str
    partition: int
    before: int | None = None  # next offset that the store has; None: the store has none yet
    next_offset: int | None = None  # next offset to read; None: not known before the first poll
    end_offset: int = 0
    record_ms: int = 0
    read_ms: int = 0


@dataclass(slots=True)
class _Rows:
    """Rows to write in one transaction."""

    tables: defaultdict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    links: dict[str, str] = field(default_factory=dict)  # action -> episode
    leased: dict[str, str] = field(default_factory=dict)  # the same, from records of leases only
    counts: list[tuple[LogRecord, Counts]] = field(default_factory=list)
    withdrawn: list[tuple[str, str, int, int]] = field(default_factory=list)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    days: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    # Key of a record -> its row. The value of the row is None if the record is a tombstone.
    campaigns: dict[str, dict[str, Any]] = field(default_factory=dict)
    platform_weeks: dict[int, dict[str, Any]] = field(default_factory=dict)
    unreadable: int = 0


class Writer:
    """Writes batches of records to the index.

    Only one process may write to a store. A second writer is detected by the offsets. `erased` has
    the identities of erased records, which are skipped.
    """

    def __init__(self, index: Engine, erased: Collection[str] = ()) -> None:
        self._engine = writing(index)
        self._erased = frozenset(erased)
        into = sqlite.insert if index.dialect.name == "sqlite" else postgresql.insert
        # Compiled once to SQL text. Otherwise SQLAlchemy builds the parameters of each row again,
        # which takes a sixth of the indexer's time.
        self._put = {name: _statement(index.dialect, into, *GUARDS[name]) for name in GUARDS}

    def take(self, batch: Sequence[LogRecord], read: Collection[PlaceRead]) -> int:
        """Write records and read positions. Return the number of records that were unreadable.

        Raise UnavailableError if another process has written to the store meanwhile.
        """
        try:
            return self._write_batch(batch, read, self._together)
        except Exception as error:
            if not _never_kept(error):
                raise
        return self._write_batch(batch, read, self._one_by_one)

    def _write_batch(
        self,
        batch: Sequence[LogRecord],
        read: Collection[PlaceRead],
        into: Callable[[Connection, Sequence[LogRecord]], int],
    ) -> int:
        with self._engine.begin() as connection:
            unreadable = into(connection, batch)
            for place in read:
                _move(connection, place)
        for place in read:
            place.before = place.next_offset
        return unreadable

    def _together(self, connection: Connection, batch: Sequence[LogRecord]) -> int:
        rows = _Rows()
        self._fold(connection, self._parse_batch(batch, rows), rows)
        self._write(connection, rows, _count(connection, rows))
        return rows.unreadable

    def _one_by_one(self, connection: Connection, batch: Sequence[LogRecord]) -> int:
        """Write each record in a savepoint, and skip records that the database can never store.

        A retry would fail again for these records.
        """
        unreadable = 0
        for record in batch:
            try:
                with connection.begin_nested():
                    unreadable += self._together(connection, [record])
            except Exception as error:
                if not _never_kept(error):
                    raise
                unreadable += 1
                _pass_over(record, type(error).__name__)
        return unreadable

    def put(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Upsert rows into a table of `GUARDS`, in a separate transaction."""
        if rows:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(self._put[name], rows)

    def _parse_batch(self, batch: Sequence[LogRecord], rows: _Rows) -> list[tuple[LogRecord, Any]]:
        """Decode records and build the rows that need no other row.

        Return the episode records. The rows of cases are built from them later, because they need
        the earlier row of the case.
        """
        episodes: list[tuple[LogRecord, Any]] = []
        for record in batch:
            try:
                found = _READERS[record.source](record, rows, self._erased)
            except UnreadableError as error:
                rows.unreadable += 1
                if rows.unreadable <= LOGGED_MAX:
                    _pass_over(record, str(error))
            else:
                if found is not None:
                    episodes.append((record, found))
        if rows.unreadable > LOGGED_MAX:
            log.warning("passed over %d records in all", rows.unreadable)
        return episodes

    def _fold(
        self, connection: Connection, episodes: list[tuple[LogRecord, Any]], rows: _Rows
    ) -> None:
        ids = list({record.episode_id for _, record in episodes})
        stored = {
            row["episode_id"]: dict(row)
            for row in rows_of(connection, select(cases), cases.c.episode_id, ids)
        }
        for taken, record in episodes:
            before = rows.cases.get(record.episode_id) or stored.get(record.episode_id)
            if before is not None and before["revision"] >= record.revision:
                continue
            after = case_row(record, before, taken.written_ms)
            _platforms(record, before, after, rows.days)
            rows.cases[record.episode_id] = after

    def _write(self, connection: Connection, rows: _Rows, counted: list[dict[str, Any]]) -> None:
        for name, some in (
            *rows.tables.items(),
            ("links", [{"action_id": a, "episode_id": e} for a, e in rows.links.items()]),
            ("counts", counted),
            ("cases", list(rows.cases.values())),
            ("platform_days", list(rows.days.values())),
        ):
            if some:
                connection.exec_driver_sql(self._put[name], some)
        for name, found in (("campaigns", rows.campaigns), ("platform_weeks", rows.platform_weeks)):
            self._keep(connection, name, found.values())
        for topic, key, offset, written_ms in rows.withdrawn:
            connection.execute(
                update(words)
                .where(words.c.key == key, words.c.topic == topic, words.c.offset < offset)
                .where(words.c.withdrawn_ms.is_(None))
                .values(withdrawn_ms=written_ms)
            )

    def _keep(self, connection: Connection, name: str, rows: Iterable[dict[str, Any]]) -> None:
        """Write the newest record of each key of a compacted topic. A tombstone deletes the row."""
        rows = list(rows)
        if some := [row for row in rows if row["value"] is not None]:
            connection.exec_driver_sql(self._put[name], some)
        table = GUARDS[name][0]
        (key,) = table.primary_key
        for row in rows:
            if row["value"] is None:
                older = tuple_(table.c.written_ms, table.c.offset) < tuple_(
                    row["written_ms"], row["offset"]
                )
                connection.execute(delete(table).where(key == row[key.name], older))


def _pass_over(record: LogRecord, why: str) -> None:
    place = record.topic, record.partition, record.offset
    log.warning("passed over a record at %s[%d]@%d: %s", *place, why)


def _never_kept(error: Exception) -> bool:
    """Return true if the data caused the error, and not the state of the database.

    PostgreSQL reports a key that is too long for an index as class 54 (program limit exceeded).
    """
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, DataError | OverflowError) or state.startswith("54")


def _statement(
    dialect: Dialect, into: Callable[[Table], Any], table: Table, guard: _Guard | None
) -> str:
    """Return the SQL text of an upsert. The names of its parameters are the column names."""
    put = into(table)
    put = put.on_conflict_do_nothing() if guard is None else guard(put, table)
    compiled = put.compile(dialect=dialect)
    assert compiled.params.keys() == {column.name for column in table.c}, table.name
    return str(compiled)


def _over(*by: str) -> _Guard:
    """Return a guard that replaces a row only if these columns are less than in the new row.

    The columns are compared in order, like a tuple.
    """

    def put_over(put: Any, table: Table) -> Any:
        new = put.excluded
        return put.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={c.name: new[c.name] for c in table.c if not c.primary_key},
            where=tuple_(*(new[each] for each in by)) > tuple_(*(table.c[each] for each in by)),
        )

    return put_over


def _add_counts(put: Any, table: Table) -> Any:
    """Guard of `platform_days`: adds the counts, and keeps a platform's name if one is known.

    A name that begins with `#` is the platform's id, used while the name is unknown.
    """
    new = put.excluded
    unnamed = new.platform.like(literal_column("'#%'"))
    summed = {name: table.c[name] + new[name] for name in ("floods", "novel", "refused")}
    return put.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={
            **summed,
            "platform": case((unnamed, table.c.platform), else_=new.platform),
            "trust": case((unnamed, table.c.trust), else_=new.trust),
            "last_ms": case((new.last_ms > table.c.last_ms, new.last_ms), else_=table.c.last_ms),
        },
    )


GUARDS: Final[Mapping[str, tuple[Table, _Guard | None]]] = {
    "changes": (changes, None),
    "links": (links, None),
    "leases": (leases, None),
    "acks": (acks, _over("at_ms", "refused_count")),
    "counts": (counts, _over("refused", "at_ms")),
    "incidents": (incidents, None),
    "notices": (notices, _over("at_ms", "settled")),
    "audit": (audit, None),
    "words": (words, None),
    "cases": (cases, _over("revision")),
    "platform_days": (platform_days, _add_counts),
    "campaigns": (campaigns, _over("written_ms", "offset")),
    "platform_weeks": (platform_weeks, _over("written_ms", "offset")),
}
"""Table name -> the table, and the guard for a row that exists already. None: that row stays."""


# --- records -> rows ---------------------------------------------------------------------------


def _take_record(record: LogRecord, rows: _Rows, erased: Collection[str]) -> Any:
    """Add a row to `rows` for a record about a case. Return the record if it is an episode record.

    `erased` has the ids of erased episodes, leases and notices. Records with these ids are skipped.
    """
    if record.value is None:
        return None
    decode, table = _OF_CASES[record.source]
    told = decode(kept_json(record.value))
    if any(getattr(told, name, "") in erased for name in ("episode_id", "action_id", "notice_id")):
        return None
    more: dict[str, Any] = {}
    if isinstance(told, EpisodeRecord):
        if told.level is Level.THROTTLE:
            rows.links.setdefault(told.cause.id(told.epoch), told.episode_id)
    elif isinstance(told, Action):
        # The index has a row for each lease, and no further windows of it.
        if told.verb == "retry_windows":
            return None
        if rows.leased.setdefault(told.action_id, told.episode_id) != told.episode_id:
            raise UnreadableError("another lease has this id, of another case")
        rows.links[told.action_id] = told.episode_id
    elif isinstance(told, Ack):
        _check_refused(told.refused_count)
    elif isinstance(told, Counts):
        _check_refused(told.refused, *told.by_platform.values())
        rows.counts.append((record, told))
        rows.links.setdefault(told.action_id, told.episode_id)
        return None  # the row depends on the row that is stored
    elif isinstance(told, Notice):
        more = {"addressee": told.to, "settled": told.state != "sending"}
    if "value" in table.c:
        more["value"] = pack(record.value)
    row = {name: getattr(told, name) for name in _columns(table, type(told))}  # type: ignore[arg-type] # a class is hashable
    rows.tables[table.name].append({**row, **more, "written_ms": record.written_ms})
    return told if table is changes else None


@cache
def _columns(table: Table, kind: type) -> list[str]:
    return [column.name for column in table.c if hasattr(kind, column.name)]


def _take_word(record: LogRecord, rows: _Rows, erased: Collection[str]) -> None:
    if record.value is None:
        if record.key is not None:
            key = _text(record.key)
            rows.withdrawn.append((record.topic, key, record.offset, record.written_ms))
        return
    word = decode_override(kept_json(record.value))
    word_id = override_id(word, record.offset)
    if word_id in erased:
        return
    value = record.value
    if texts_of(word_id) in erased:
        value = encode_override(without_texts(word))
    rows.tables["words"].append(
        {
            "word_id": word_id,
            "key": override_key(word).decode(),
            "topic": record.topic,
            "offset": record.offset,
            "recipient": word.recipient,
            "verb": word.verb,
            "issued_at_ms": word.issued_at_ms,
            "expires_at_ms": word.expires_at_ms,
            "withdrawn_ms": None,
            "written_ms": record.written_ms,
            "value": pack(value),
        }
    )


def _take_audit(record: LogRecord, rows: _Rows, erased: Collection[str]) -> None:
    if record.value is None:
        return
    told = decode_audit(kept_json(record.value))
    row = msgspec.structs.asdict(told)
    del row["schema_version"]
    if f"audit:{told.chain}:{told.seq}" in erased:
        row |= ERASED  # the actor and the time stay
    rows.tables["audit"].append(
        {**row, "digest": hash_record(record.value), "written_ms": record.written_ms}
    )


def _take_campaign(record: LogRecord, rows: _Rows, _: Collection[str]) -> None:
    if not record.key:
        raise UnreadableError("the key is no campaign's id")
    told = None if record.value is None else decode_campaign(kept_json(record.value))
    key = _text(record.key)
    rows.campaigns[key] = {
        "campaign_id": key,
        "end_ms": told.end_ms if told else 0,
        "victims": told.victims if told else 0,
        **_newest_value(record),
    }


def _take_platform(record: LogRecord, rows: _Rows, _: Collection[str]) -> None:
    key = record.key or b""
    if not key.isdigit() or len(key) > len(str(PLATFORM_MAX)) or int(key) > PLATFORM_MAX:
        raise UnreadableError("the key is no platform's id")
    told = None if record.value is None else decode_platform(kept_json(record.value))
    rows.platform_weeks[int(key)] = {
        "platform_id": int(key),
        "codes": told.codes if told else 0,
        "flood_codes": sum(day.flood_codes for day in told.days) if told else 0,
        **_newest_value(record),
    }


def _newest_value(record: LogRecord) -> dict[str, Any]:
    """Return the columns of a compacted topic's newest record. A tombstone has the value None."""
    value = None if record.value is None else pack(record.value)
    return {"value": value, "written_ms": record.written_ms, "offset": record.offset}


def _text(key: bytes) -> str:
    return kept_text(key.decode(errors="replace"))


def _check_refused(*numbers: int) -> None:
    """Raise UnreadableError for a count so large that sums of it could overflow the column."""
    if max(numbers) > REFUSED_MAX:
        raise UnreadableError("a count that no gateway can have")


_OF_CASES: Final[Mapping[Source, tuple[Callable[[bytes], Any], Table]]] = {
    "episode": (decode_episode, changes),
    "throttle": (decode_action, leases),
    "acks": (decode_ack, acks),
    "counts": (decode_counts, counts),
    "incident": (decode_incident, incidents),
    "notice": (decode_notice, notices),
}
"""Kinds of records about one case: the decoder, and the table of their rows."""

_READERS: Final[Mapping[Source, Callable[[LogRecord, _Rows, Collection[str]], Any]]] = {
    **dict.fromkeys(_OF_CASES, _take_record),
    "override": _take_word,
    "audit": _take_audit,
    "campaign": _take_campaign,
    "platform": _take_platform,
}


def case_row(record: Any, before: Mapping[str, Any] | None, written_ms: int) -> dict[str, Any]:
    """Return the row of a case after this episode record.

    `before` is the earlier row. A partial record (a renewal, with `since_ms`) does not contain all
    fields; the missing fields keep the values of `before`.
    """
    partial = record.since_ms is not None
    own = [s.platform_id for s in record.sightings]
    known = ids_of(before["platform_ids"]) if before is not None else []
    over = record.level is Level.CLEAR
    return {
        "episode_id": record.episode_id,
        "recipient": record.recipient,
        "kind": record.kind,
        "level": record.level.name.lower(),
        "mode": record.mode,
        "change": record.change,
        "epoch": record.epoch,
        "revision": record.revision,
        "at_ms": record.at_ms,
        "first_ms": min(record.evidence.first_ms, before["first_ms"] if before else math.inf),
        "last_ms": record.evidence.last_ms,
        "ended_ms": record.at_ms if over else None,
        "messages": record.evidence.messages,
        "platforms": record.evidence.platforms,
        "novel": record.evidence.novel,
        "rule": record.reason.rule,
        "known": (before["known"] if before is not None else None) if partial else record.known,
        "chronic": bool(before and before["chronic"]) if partial else record.chronic,
        "throttled": record.level is Level.THROTTLE or bool(before and before["throttled"]),
        "platform_ids": id_bytes([*known, *own]),
        "written_ms": written_ms,
    }


def _platforms(
    record: Any,
    before: Mapping[str, Any] | None,
    row: Mapping[str, Any],
    days: dict[tuple[int, int], dict[str, Any]],
) -> None:
    """Add the new platforms of a flood to the counts per day.

    Only floods that were throttled at some time are counted. `days` is changed in place.
    """
    if record.kind != "flood" or not row["throttled"]:
        return
    counted = set(ids_of(before["platform_ids"])) if before and before["throttled"] else set()
    added: dict[int, Sighting] = {}
    for sighting in record.sightings:
        if sighting.platform_id not in counted:
            added.setdefault(sighting.platform_id, sighting)
    for one, sighting in added.items():
        day = _day(days, sighting.at_ms // DAY_MS, one)
        day["floods"] += 1
        day["novel"] += sighting.novel
        day["last_ms"] = max(day["last_ms"], sighting.at_ms)
        if not sighting.platform.startswith("#"):
            day["platform"], day["trust"] = sighting.platform, int(sighting.trust)


def _count(connection: Connection, rows: _Rows) -> list[dict[str, Any]]:
    """Return updated rows of refused messages, and add the increase to the platforms' days.

    A gateway may count from 0 again after a restart, so the highest count is kept.
    """
    actions = list({told.action_id for _, told in rows.counts})
    found: dict[tuple[str, str], dict[str, Any]] = {
        (row["action_id"], row["gateway_id"]): {
            **row, "by_platform": platform_counts(row["by_platform"]),
        }
        for row in rows_of(connection, select(counts), counts.c.action_id, actions)
    }  # fmt: skip
    touched = set()
    refused: Counter[tuple[int, int]] = Counter()
    for taken, told in rows.counts:
        key = told.action_id, told.gateway_id
        if (before := found.get(key)) is None:
            before = found[key] = {
                "action_id": told.action_id, "gateway_id": told.gateway_id, "by_platform": {},
            }  # fmt: skip
        elif (before["refused"], before["at_ms"]) >= (told.refused, told.at_ms):
            continue
        highest = before["by_platform"]
        day = told.at_ms // DAY_MS
        for one, n in told.by_platform.items():
            more = n - highest.get(one, 0)
            if more > 0:
                highest[one] = n
                refused[day, one] += more
        before |= {"at_ms": told.at_ms, "refused": told.refused, "written_ms": taken.written_ms}
        touched.add(key)
    for (day, one), more in refused.items():
        _day(rows.days, day, one)["refused"] += more
    return [
        found[key] | {"by_platform": msgspec.json.encode(found[key]["by_platform"])}
        for key in sorted(touched)
    ]


platform_counts: Final = msgspec.json.Decoder(dict[int, int]).decode
"""Decodes a column `by_platform`: platform id -> messages."""


def _day(days: dict[tuple[int, int], dict[str, Any]], day: int, platform_id: int) -> dict[str, Any]:
    """Return a platform's row for a day (days since 1970). Its counts will be added."""
    return days.setdefault(
        (day, platform_id),
        {
            "day": day,
            "platform_id": platform_id,
            "platform": f"#{platform_id}",
            "trust": 0,
            "floods": 0,
            "novel": 0,
            "refused": 0,
            "last_ms": 0,
        },
    )


def _move(connection: Connection, place: PlaceRead) -> None:
    """Store the read position of a partition.

    Raise UnavailableError if the stored position is not `place.before`: another process wrote.
    """
    values = {
        "next_offset": place.next_offset,
        "end_offset": place.end_offset,
        "record_ms": place.record_ms,
        "read_ms": place.read_ms,
    }
    if place.before is None:
        connection.execute(
            insert(places).values(topic=place.topic, partition=place.partition, **values)
        )
        return
    moved = connection.execute(
        update(places)
        .where(
            places.c.topic == place.topic,
            places.c.partition == place.partition,
            places.c.next_offset == place.before,
        )
        .values(values)
    )
    if not moved.rowcount:
        raise UnavailableError(tr("another indexer writes to this case store"))
