"""The read model of cases: queries for a number, a case, lists, and the age of the index.

`ReadModel` runs queries on an index. The indexer fills the index for the desk. A command fills an
index in memory from the topics (`streams.cases.store.opening.of_topics`). Because all use this
class, every command and page chooses the same case of a number and shows the same counts.
`CaseStore` is the database of the desk: the index, and a second database with what people wrote.

Each query reads in one transaction and reads the clock once, so its answer is consistent.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Select,
    and_,
    event,
    func,
    inspect,
    or_,
    select,
)
from sqlalchemy.engine import ExceptionContext

from detectors.campaigns.campaign import Campaign
from detectors.defaults import QUIET_S
from detectors.episodes.lease import EpisodeParams
from detectors.leases.rails import Refusal
from detectors.model.event import Trust
from detectors.model.incidents import IncidentRecord
from detectors.model.records import (
    Action,
    Evidence,
    Level,
    merge_renewal,
)
from detectors.model.times import DAY_MS, MINUTE_MS
from streams.cases.outcome import FloodOutcome, why_observed
from streams.cases.standing import Case, Doing, lease_now, said_by_gateways, standing, switch
from streams.cases.store.answers import (
    Answer,
    AuditPlace,
    CaseEvent,
    CaseFile,
    CaseLine,
    Freshness,
    PapersAbout,
    PlatformLine,
    WordLine,
)
from streams.cases.store.engine import AWAY, alone, away, engine, rows_of, writing
from streams.cases.store.index_tables import (
    FORMAT,
    INDEX,
    acks,
    audit,
    campaigns,
    cases,
    changes,
    counts,
    incidents,
    leases,
    links,
    meta,
    notices,
    places,
    platform_days,
    platform_weeks,
    tail,
    words,
)
from streams.cases.store.index_writer import platform_counts
from streams.cases.store.packing import ids_of, kept_value, unpack
from streams.cases.store.papers import Papers
from streams.common import ConfigError, UnavailableError, UsageError, now_ms, tr
from streams.wire import (
    EVERYONE,
    Ack,
    AuditRecord,
    Counts,
    Notice,
    Override,
    decode_action,
    decode_campaign,
    decode_episode,
    decode_incident,
    decode_override,
    decode_platform,
)

LINES_MAX: Final = 500
"""Maximum number of rows in a list. The newest rows come first, and people read no more."""

ORDERS: Final[Mapping[str, ColumnElement[Any]]] = {
    "worst": cases.c.level != "throttle",
    "pace": -cases.c.messages / (cases.c.last_ms - cases.c.first_ms + MINUTE_MS),
    "newest": cases.c.last_ms.desc(),
    "longest": cases.c.first_ms.asc(),
    "messages": cases.c.messages.desc(),
    "platforms": cases.c.platforms.desc(),
}
"""Orders of the live floods; of equal ones the flood with the most messages comes first.

`worst`: throttled first; `pace`: messages a minute since the flood began; `newest`: the newest
message first; `longest`: the oldest first."""

CONFIRMED: Final = (Doing.THROTTLED, Doing.UNCONFIRMED, Doing.FAILED)
"""States that only the gateways' acknowledgements tell apart."""

ACKS: Final = select(*(each for each in acks.c if each.name in Ack.__struct_fields__))
"""Selects the columns of an acknowledgement. A list may need 15,000 of them."""

BEHIND: Final = "events_behind"
"""Key in the table `meta`: how many events the workers have not processed yet."""

QUIET_MS: Final = QUIET_S * 1000
"""A case without a message for this long (ms) and without a lease is over. The detector also ends
the episode, but publishes the end only at the next maintenance (tick), which needs more events on
its partition.
"""

RAILS: Final = (Refusal.RATE, Refusal.SHARE)
"""Rails (limits in a gateway) that refuse because there are too many leases. The other rails refuse
a single lease that is wrong."""

RAILS_MS: Final = 10 * MINUTE_MS
"""Age (ms) up to which a refused lease counts as still missing. It equals the default length of a
lease. Chosen, not measured."""


class ReadModel:
    """Queries on an index. Threads may share it if they may share its engine.

    `tokens` returns the tokens under which a number may be stored. `clock` returns the time, in
    milliseconds, at which the state of a case is evaluated. `wall` is the clock of the machine,
    used for the age of the index. The two differ only when an incident is replayed faster than
    real time. `url` names the database in error messages. `params`: the settings of the detector.
    """

    def __init__(
        self,
        index: Engine,
        *,
        url: str = "",
        clock: Callable[[], int] = now_ms,
        wall: Callable[[], int] | None = None,
        tokens: Callable[[str], Iterable[str]] = lambda _: (),
        params: EpisodeParams = EpisodeParams(),  # noqa: B008 - immutable
    ) -> None:
        self.index = index
        self._params = params
        self.url = url
        self._clock = clock
        self._wall = wall or clock
        self._tokens = tokens

    def close(self) -> None:
        self.index.dispose()

    def forms(self, recipient: str) -> tuple[str, ...]:
        """Return the forms under which a number may be stored: the number and its tokens."""
        return (recipient, *self._tokens(recipient))

    # --- queries -----------------------------------------------------------------------------

    def find(self, recipient: str) -> Answer:
        """Return everything about one number (canonical form) or token, even without a case."""
        asked = self.forms(recipient)
        with self.reading() as (connection, at_ms):
            rows = _cases(connection, asked)
            loaded = _load(connection, rows, at_ms, asked)
            lines = loaded.lines(at_ms)
            newest = self._file(connection, lines[0], lines, loaded, at_ms) if lines else None
            fresh = _freshness(connection, self._wall())
        ended = sum(
            row["verb"] != "release" and row["expires_at_ms"] <= at_ms for row in loaded.leases
        )
        known = max(
            ((row["at_ms"], row["known"]) for row in rows if row["known"] is not None),
            default=(0, None),
        )[1]
        lately = [each for each in lines if each.last_ms > at_ms - DAY_MS]
        return Answer(
            recipient=recipient,
            newest=newest,
            cases=tuple(lines),
            codes=sum(each.messages for each in lately) if lately else None,
            known=known,
            words=tuple(each for each in loaded.words if each.word.recipient != EVERYONE),
            leases_ended=ended,
            calls=(newest.papers if newest else self._about(recipient, "")).calls,
            freshness=fresh,
        )

    def case(self, episode_id: str) -> CaseFile:
        """Return one case with all its details. Raise UsageError if the case does not exist."""
        with self.reading() as (connection, at_ms):
            wanted = select(cases).where(cases.c.episode_id == episode_id)
            row = connection.execute(wanted).mappings().first()
            if row is None:
                raise UsageError(tr("there is no case {id}").format(id=episode_id))
            episode_id = row["episode_id"]
            asked = (row["recipient"],)
            rows = _cases(connection, asked)
            # The case may be older than the newest `LINES_MAX` cases of its recipient.
            if all(each["episode_id"] != episode_id for each in rows):
                rows.append(row)
            loaded = _load(connection, rows, at_ms, asked)
            lines = loaded.lines(at_ms)
            line = next(each for each in lines if each.episode_id == episode_id)
            return self._file(connection, line, lines, loaded, at_ms)

    def find_named(self, named: str, recipient: str | None) -> tuple[CaseLine, ...]:
        """Return the cases for the id of an episode or an action, or for a number.

        The result is empty if nothing matches. The highest case by `CaseLine.rank` comes first.
        `recipient` is the canonical form of `find_named` if `find_named` is a number, else None.
        Cases stored under the number's tokens are found too.
        """
        of_action = select(links.c.episode_id).where(links.c.action_id == named)
        forms = self.forms(recipient) if recipient is not None else (named,)
        named_by = (
            cases.c.episode_id == named,
            cases.c.episode_id.in_(of_action),
            cases.c.recipient.in_(forms),
        )
        return self._lines(select(cases).where(or_(*named_by)))

    def find_many(self, ids: Sequence[str]) -> tuple[CaseLine, ...]:
        """Return the cases with these ids, the newest message first. Others are left out."""
        lines = self._lines(select(cases).where(cases.c.episode_id.in_(ids[:LINES_MAX])))
        return tuple(sorted(lines, key=lambda each: -each.last_ms))

    def find_tail(self, digits: str, since_ms: int, limit: int) -> tuple[CaseLine, ...]:
        """Return cases of numbers whose last `TAIL` digits are `digits`, the newest first.

        Only cases that began at `since_ms` or later are found, and no tokens.
        """
        named = select(cases).where(tail == digits, cases.c.recipient.not_like("%:%"))
        newest = named.where(cases.c.first_ms >= since_ms).order_by(cases.c.first_ms.desc())
        return tuple(sorted(self._lines(newest.limit(limit)), key=lambda each: -each.first_ms))

    def all(self, *, ended: bool) -> tuple[CaseLine, ...]:
        """Return all open cases, oldest first. With `ended`, ended cases are included."""
        wanted = select(cases) if ended else select(cases).where(cases.c.ended_ms.is_(None))
        return tuple(sorted(self._lines(wanted), key=lambda each: (each.first_ms, each.episode_id)))

    def records(self, episode_id: str) -> list[tuple[str, Any]]:
        """Return the records of a case as pairs of kind (`episode`, `lease`, `ack`, …) and record.

        The store has every record of episodes, leases, incidents and overrides. Of each
        acknowledgement, count and notice, the store has only the newest record. The list is empty
        if there is no such case.
        """
        with self.reading() as (connection, _):
            return list(_records(connection, episode_id))

    def live(
        self,
        limit: int = 100,
        *,
        skip: int = 0,
        order: str = "newest",
        platform_id: int | None = None,
        state: Doing | None = None,
    ) -> tuple[tuple[CaseLine, ...], int]:
        """Return throttled floods that go on now, and the number of all of them.

        `order` is a key of `ORDERS`. `skip` is the number of floods on earlier pages. With
        `platform_id`, only floods in which this platform was seen. With `state`, only cases in this
        state, which may be watched ones, or those that ended in the last 24 hours.
        """
        with self.reading() as (connection, at_ms):
            wanted = select(cases).where(*_shown(state, at_ms))
            rows = [
                row
                for row in connection.execute(wanted.order_by(*_sorted(order)))
                .mappings()
                .fetchall()
                if platform_id is None or platform_id in ids_of(row["platform_ids"])
            ]
            if state not in (None, Doing.OVER):  # the state is not in the table
                quick = _load(connection, rows, at_ms, only=state)
                rows = [row for row, found, _ in quick.states(at_ms) if found is state]
            some = rows[skip : skip + min(limit, LINES_MAX)]
            lines = {each.episode_id: each for each in _load(connection, some, at_ms).lines(at_ms)}
        return tuple(lines[row["episode_id"]] for row in some), len(rows)

    def floods(self, order: str, is_wanted: Callable[[Any], bool], *, limit: int) -> list[Any]:
        """Return id, recipient, level, rule of all floods that go on, as `live` sorts them.

        Floods that are only watched are included. `is_wanted` is asked about each row, until
        `limit` rows are found.
        """
        with self.reading() as (connection, at_ms):
            wanted = select(cases.c.episode_id, cases.c.recipient, cases.c.level, cases.c.rule)
            found = connection.execute(wanted.where(*_going_on(at_ms)).order_by(*_sorted(order)))
            return list(islice(filter(is_wanted, found), limit))

    def count_floods(self) -> Counter[FloodOutcome]:
        """Return the number of floods that go on now, by what is done about them.

        The database counts, so that a large campaign costs little. Only floods whose numbers have
        an operator's override are loaded.
        """
        with self.reading() as (connection, at_ms):
            going = _going_on(at_ms)
            flood = or_(cases.c.kind == "limit", cases.c.level == "throttle")
            told = {
                "enforced": cases.c.mode == "enforce",
                "is_flood": flood,
                "leased": _in_force(at_ms),
                "denied": _denied(at_ms),
            }
            spoken = select(words.c.word_id).where(
                words.c.recipient == cases.c.recipient, words.c.verb.in_(("exempt", "release"))
            )
            spoken_of = spoken.correlate(cases).exists()
            everyone = [each.word for each in _words(connection, (EVERYONE,), at_ms)]
            off = switch(everyone, at_ms) is not None
            rows = connection.execute(select(cases).where(*going, flood, spoken_of)).mappings()
            lines = _load(connection, rows.all(), at_ms).lines(at_ms)
            found = Counter(each.outcome for each in lines)
            # A subquery, because PostgreSQL groups by no expression with parameters.
            others = select(*(each.label(name) for name, each in told.items()))
            each_ = others.where(*going, or_(~flood, ~spoken_of)).subquery().c
            counted = select(*each_, func.count().label("n")).group_by(*each_)
            for row in connection.execute(counted).mappings():
                refused = row["enforced"] and not row["denied"] and not (row["leased"] and off)
                by = FloodOutcome.REFUSED if refused else FloodOutcome.OBSERVED
                found[by if row["is_flood"] else FloodOutcome.WATCHED] += row["n"]
        return found

    def paces(self, ids: Sequence[str], since_ms: int) -> dict[str, list[Evidence]]:
        """Return the counts of cases as their records since then have them, the newest last."""
        wanted = select(changes.c.episode_id, changes.c.value).where(
            changes.c.episode_id.in_(ids[:LINES_MAX]), changes.c.written_ms >= since_ms
        )
        found: dict[str, list[Evidence]] = defaultdict(list)
        with self.reading() as (connection, _):
            for name, value in connection.execute(wanted.order_by(changes.c.revision)):
                found[name].append(decode_episode(kept_value(value)).evidence)
        return found

    def mark(self) -> str:
        """Return a version string of the index, which changes with every record that is read.

        A page compares version strings to see if it has to load again.
        """
        with self.reading() as (connection, _):
            total = connection.scalar(select(func.sum(places.c.next_offset)))
        return str(total or 0)

    def campaigns(self, *, since_ms: int = 0) -> tuple[list[Campaign], int]:
        """Return campaigns that had a message since `since_ms`; the most victims come first.

        Also return the time of the agent's newest record; 0: none, perhaps no agent runs.
        """
        with self.reading() as (connection, _):
            found = connection.scalars(
                select(campaigns.c.value)
                .where(campaigns.c.end_ms >= since_ms)
                .order_by(campaigns.c.victims.desc(), campaigns.c.campaign_id)
                .limit(LINES_MAX)
            ).all()
            told_ms = connection.scalar(select(func.max(campaigns.c.written_ms)))
        return [decode_campaign(kept_value(each)) for each in found], told_ms or 0

    def platforms(self, *, days: int = 7, limit: int = 100) -> tuple[list[PlatformLine], int]:
        """Return the platforms seen in the most floods in the last `days` days (UTC).

        Also return the time of the agent's newest record; 0: none, perhaps no agent runs.
        """
        with self.reading() as (connection, at_ms):
            first = at_ms // DAY_MS - days + 1
            floods = func.sum(platform_days.c.floods)
            top = connection.execute(
                select(
                    platform_days.c.platform_id,
                    floods,
                    func.sum(platform_days.c.novel),
                    func.sum(platform_days.c.refused),
                    func.max(platform_days.c.last_ms),
                )
                .where(platform_days.c.day >= first)
                .group_by(platform_days.c.platform_id)
                .order_by(floods.desc(), platform_days.c.platform_id)
                .limit(min(limit, LINES_MAX))
            ).all()
            ids = [row[0] for row in top]
            lately = select(platform_days).where(platform_days.c.day >= first)
            by_day = lately.order_by(platform_days.c.day)  # the name of the newest day counts
            named = {
                row["platform_id"]: (row["platform"], row["trust"])
                for row in rows_of(connection, by_day, platform_days.c.platform_id, ids)
            }
            told = rows_of(connection, select(platform_weeks), platform_weeks.c.platform_id, ids)
            weeks = {row["platform_id"]: decode_platform(kept_value(row["value"])) for row in told}
            told_ms = connection.scalar(select(func.max(platform_weeks.c.written_ms)))
        lines = [
            PlatformLine(
                platform=named[one][0],
                platform_id=one,
                floods=int(n),
                novel=int(novel),
                refused=int(refused),
                trust=Trust(named[one][1]),
                last_ms=last_ms,
                week=weeks.get(one),
            )
            for one, n, novel, refused, last_ms in top
        ]
        return lines, told_ms or 0

    def platform_name(self, platform_id: int) -> str:
        """Return the key of a platform that a flood had, or an empty text."""
        wanted = select(platform_days.c.platform).where(platform_days.c.platform_id == platform_id)
        with self.reading() as (connection, _):
            return connection.scalar(wanted.limit(1)) or ""

    def words_now(self) -> tuple[WordLine, ...]:
        """Return overrides for all recipients that are in force: kill switch, platform rules."""
        with self.reading() as (connection, at_ms):
            found = _words(connection, (EVERYONE,), at_ms)
        return tuple(each for each in found if each.holds)

    def rail_refusals(self) -> int:
        """Return how many recent leases the gateways refused because of a rail in `RAILS`.

        Recent means the last `RAILS_MS` milliseconds. The source is the gateways' acknowledgements.
        """
        with self.reading() as (connection, at_ms):
            told = connection.scalar(
                select(func.count(acks.c.action_id.distinct())).where(
                    acks.c.written_ms > self._wall() - RAILS_MS,
                    acks.c.at_ms > at_ms - RAILS_MS,
                    acks.c.state == "ignored",
                    acks.c.why.in_([str(each) for each in RAILS]),
                )
            )
        return told or 0

    def word(self, word_id: str) -> WordLine | None:
        """Return one override with the gateways' acknowledgements, or None if it is not stored."""
        with self.reading() as (connection, at_ms):
            row = connection.execute(
                select(words.c.recipient).where(words.c.word_id == word_id)
            ).first()
            if row is None:
                return None
            told = _words(connection, (row.recipient,), at_ms)
        return next(each for each in told if each.word_id == word_id)

    def audit(
        self,
        *,
        actor: str = "",
        verb: str = "",
        subject: str = "",
        behind: AuditPlace | None = None,
        limit: int = 100,
    ) -> tuple[AuditRecord, ...]:
        """Return audit log lines that match all given filters, the newest first.

        `behind` is the place of the last line on the previous page, for keyset pagination.
        """
        wanted = select(*(each for each in audit.c if each.name in AuditRecord.__struct_fields__))
        for column, value in (
            (audit.c.actor, actor),
            (audit.c.verb, verb),
            (audit.c.subject, subject),
        ):
            if value:
                wanted = wanted.where(column == value)
        if behind is not None:
            older = (audit.c.chain == behind.chain) & (audit.c.seq < behind.seq)
            same = (audit.c.at_ms == behind.at_ms) & ((audit.c.chain > behind.chain) | older)
            wanted = wanted.where((audit.c.at_ms < behind.at_ms) | same)
        wanted = wanted.order_by(audit.c.at_ms.desc(), audit.c.chain, audit.c.seq.desc())
        with self.reading() as (connection, _):
            found = connection.execute(wanted.limit(min(limit, LINES_MAX))).mappings()
            return tuple(AuditRecord(**row) for row in found)

    def freshness(self) -> Freshness:
        """Return how far the index is behind the topics."""
        with self.reading() as (connection, _):
            return _freshness(connection, self._wall())

    # --- parts -------------------------------------------------------------------------------

    def _lines(self, wanted: Select[Any]) -> tuple[CaseLine, ...]:
        with self.reading() as (connection, at_ms):
            rows = connection.execute(wanted).mappings().all()
            return tuple(_load(connection, rows, at_ms).lines(at_ms))

    def _about(self, _recipient: str, _episode_id: str) -> PapersAbout:
        """Return what people wrote about a number or a case. An index alone has nothing."""
        return PapersAbout()

    def _file(
        self,
        connection: Connection,
        line: CaseLine,
        others: Sequence[CaseLine],
        loaded: "_Loaded",
        at_ms: int,
    ) -> CaseFile:
        episode_id = line.episode_id
        case = Case()
        for value in connection.scalars(
            select(changes.c.value)
            .where(changes.c.episode_id == episode_id)
            .order_by(changes.c.revision)
        ):
            record = decode_episode(kept_value(value))
            case.records.append(merge_renewal(record, case.last) if case.records else record)
        own = [row for row in loaded.leases if row["episode_id"] == episode_id]
        own.sort(key=lambda row: (row["epoch"], row["revision"]))
        case.actions = [decode_action(kept_value(row["value"])) for row in own]
        case.acks = {
            each: loaded.acks[each]
            for each in loaded.links.get(episode_id, ())
            if each in loaded.acks
        }
        about = [each for each in loaded.words if each.word.recipient == line.recipient]
        case.words = [each.word for each in about]
        told_of = [
            decode_incident(kept_value(value))
            for value in connection.scalars(
                select(incidents.c.value)
                .where(incidents.c.episode_id == episode_id)
                .order_by(incidents.c.revision, incidents.c.first)
            )
        ]
        why = None
        if line.outcome is FloodOutcome.OBSERVED:
            whys = {ack.why for some in case.acks.values() for ack in some}
            why = why_observed(line.state, whys, case.last, self._params)
        events = _messages(told_of) if told_of else _sightings(case, at_ms)
        return CaseFile(
            line=line,
            case=case,
            words=tuple(about),
            events=events,
            refused=loaded.count_refused(episode_id)[1],
            notices=notices_of(connection, episode_id),
            papers=self._about(line.recipient, episode_id),
            others=tuple(
                sorted(
                    (each for each in others if each.episode_id != episode_id),
                    key=lambda each: -each.first_ms,
                )
            ),
            observed=why,
        )

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Raise UnavailableError inside the block if the database does not answer.

        The error has no text of the database, which may contain data.
        """
        try:
            yield
        except AWAY as error:
            raise away(error, self.url) from None

    @contextmanager
    def reading(self) -> Iterator[tuple[Connection, int]]:
        """Yield a connection inside one transaction, and the time for evaluating cases (ms).

        Raise UnavailableError if the database does not answer, also inside the `with` block.
        """
        with self.answering(), self.index.connect() as connection, connection.begin():
            yield connection, self._clock()


class CaseStore(ReadModel):
    """Both databases of the desk (index and people), opened by URL. Threads may share this object.

    `accounts` and `papers` give access to the people database. Log-in sessions expire by `wall`.
    """

    def __init__(
        self,
        url: str,
        *,
        password: str = "",
        clock: Callable[[], int] = now_ms,
        wall: Callable[[], int] | None = None,
        tokens: Callable[[str], Iterable[str]] = lambda _: (),
        params: EpisodeParams = EpisodeParams(),  # noqa: B008 - immutable
        aside: str = "",
        any_format: bool = False,
    ) -> None:
        """Open the store. Create or migrate its tables if needed.

        `aside`: open the index with this suffix instead of the live index. `any_format`: skip the
        format check (used by `otpguard desk rebuild`). Raise ConfigError for an invalid URL or an
        index of another format. Raise UnavailableError if the database does not answer.
        """
        # Both modules need packages that only the desk installs. Commands that read topics do not.
        from streams.cases.store import accounts, migrate  # noqa: PLC0415

        index = engine(url, "index", password, aside)
        super().__init__(index, url=url, clock=clock, wall=wall, tokens=tokens, params=params)
        self.people = engine(url, "people", password)
        event.listen(self.people, "handle_error", self._people_away, retval=True)
        with self.answering():
            migrate.upgrade(self.people)
            found = self._prepare()
        if found != FORMAT and not any_format:
            raise ConfigError(
                tr(
                    "the index has format {found}, and this program needs {wanted}: "
                    "`otpguard desk rebuild` rebuilds it"
                ).format(found=found, wanted=FORMAT)
            )
        self.accounts = accounts.Accounts(self.people, self._wall)
        self.papers = Papers(self.people, clock)

    def note_behind(self, events: int | None) -> None:
        """Store how many overdue events no worker has processed yet; None if it is not known."""
        with self.answering(), writing(self.index).begin() as connection:
            connection.execute(meta.delete().where(meta.c.key == BEHIND))
            if events is not None:
                connection.execute(meta.insert().values(key=BEHIND, value=str(events)))

    def close(self) -> None:
        super().close()
        self.people.dispose()

    def _about(self, recipient: str, episode_id: str) -> PapersAbout:
        return self.papers.about(recipient, episode_id)

    def _people_away(self, context: ExceptionContext) -> UnavailableError | None:
        """Replace every database error of the people database: its text would log phone numbers."""
        error = context.sqlalchemy_exception
        return away(error, self.url) if isinstance(error, AWAY) else None

    def _prepare(self) -> str | None:
        """Create the tables of the index if there are none. Return the format of the index."""
        with writing(self.index).begin() as connection:
            alone(connection)
            if not inspect(connection).has_table(meta.name):
                INDEX.create_all(connection)
                connection.execute(meta.insert().values(key="format", value=FORMAT))
            return connection.scalar(select(meta.c.value).where(meta.c.key == "format"))


def _line(row: Any, state: Doing, gateways: str, refused: int) -> CaseLine:
    return CaseLine(
        episode_id=row["episode_id"],
        recipient=row["recipient"],
        kind=row["kind"],
        level=row["level"],
        mode=row["mode"],
        state=state,
        first_ms=row["first_ms"],
        last_ms=row["last_ms"],
        ended_ms=row["ended_ms"],
        messages=row["messages"],
        platforms=row["platforms"],
        novel=row["novel"],
        rule=row["rule"],
        refused=refused,
        gateways=gateways,
        chronic=row["chronic"],
    )


def _cases(connection: Connection, asked: Sequence[str]) -> list[RowMapping]:
    """Return the cases of these recipients, the newest first, at most `LINES_MAX`."""
    wanted = select(cases).where(cases.c.recipient.in_(asked)).order_by(cases.c.first_ms.desc())
    return list(connection.execute(wanted.limit(LINES_MAX)).mappings())


@dataclass(slots=True)
class _Loaded:
    """Rows about some recipients and their cases, loaded once for several answers.

    Each query costs a round trip to the database, so few large queries are faster than many small.
    """

    rows: Sequence[RowMapping]  # rows of the table `cases`
    words: Sequence[WordLine]  # overrides for these recipients, and for all
    leases: list[RowMapping]
    links: Mapping[str, Sequence[str]]  # episode id -> action ids
    acks: Mapping[str, list[Ack]]  # action id -> acknowledgements
    counts: Mapping[str, list[RowMapping]]  # action id -> rows of the table `counts`

    def lines(self, at_ms: int) -> list[CaseLine]:
        """Return the cases with their state at `at_ms`, the highest `CaseLine.rank` first."""
        lines = []
        for row, state, action in self.states(at_ms):
            linked = self.links.get(row["episode_id"], ())
            acks_ = [ack for each in linked for ack in self.acks.get(each, ())]
            gateways = said_by_gateways(acks_, leased=action is not None)
            lines.append(_line(row, state, gateways, self.count_refused(row["episode_id"])[0]))
        return sorted(lines, key=lambda each: each.rank, reverse=True)

    def states(self, at_ms: int) -> Iterator[tuple[RowMapping, Doing, Action | None]]:
        """Yield each case with its state at `at_ms` and the lease that gateways follow."""
        newest: dict[str, dict[bool, RowMapping]] = defaultdict(dict)
        for row in self.leases:
            kinds, narrow = newest[row["episode_id"]], row["verb"] == "throttle_platforms"
            if narrow not in kinds or row["revision"] > kinds[narrow]["revision"]:
                kinds[narrow] = row
        spoken: dict[str, list[Override]] = defaultdict(list)
        for told in self.words:
            # A release counts for ever: leases from before the release stay ineffective.
            if told.holds or told.word.verb == "release":
                spoken[told.word.recipient].append(told.word)
        for row in self.rows:
            kinds = newest[row["episode_id"]]
            action = lease_now(
                (decode_action(kept_value(lease["value"])) for lease in kinds.values()), at_ms
            )
            said = self.acks.get(action.action_id, ()) if action is not None else ()
            about = [*spoken[row["recipient"]], *spoken[EVERYONE]]
            state = standing(Level[row["level"].upper()], action, said, about, at_ms)
            leased = action is not None and action.expires_at_ms > at_ms
            if not leased and row["last_ms"] <= at_ms - QUIET_MS:
                state = Doing.OVER
            yield row, state, action

    def count_refused(self, episode_id: str) -> tuple[int, dict[int, int]]:
        """Return the number of messages refused in an episode, in total and by platform id.

        A gateway reports a running count during a lease and a final count at its end. For each
        lease and gateway, the higher of both is used.
        """
        most: Counter[tuple[str, str]] = Counter()
        by_platform: Counter[int] = Counter()
        for action_id in self.links.get(episode_id, ()):
            for row in self.counts.get(action_id, ()):
                most[action_id, row["gateway_id"]] = row["refused"]
                by_platform.update(platform_counts(row["by_platform"]))
            for ack in self.acks.get(action_id, ()):
                lease = action_id, ack.gateway_id
                most[lease] = max(most[lease], ack.refused_count)
        return most.total(), by_platform


def _shown(state: Doing | None, at_ms: int) -> tuple[Any, ...]:
    """Return conditions for cases that may be in this state; None: for live floods."""
    if state is Doing.OVER:
        return cases.c.ended_ms.is_not(None), cases.c.last_ms > at_ms - DAY_MS
    flood = or_(cases.c.kind == "limit", cases.c.level == "throttle")
    return *_going_on(at_ms), cases.c.level == "watch" if state is Doing.WATCHED else flood


def _denied(at_ms: int) -> Any:
    """Return a condition for cases of which gateways ignored the lease, and none enforces it."""
    own = select(acks.c.action_id).join(leases, leases.c.action_id == acks.c.action_id)
    own = own.where(leases.c.episode_id == cases.c.episode_id)
    current = or_(leases.c.expires_at_ms > at_ms, ~_in_force(at_ms))
    applied = own.where(acks.c.state == "applied", current).correlate(cases).exists()
    ignored = own.where(acks.c.state.in_(("ignored", "failed")), current)
    return and_(ignored.correlate(cases).exists(), ~applied)


def _sorted(order: str) -> tuple[Any, ...]:
    return ORDERS[order], cases.c.messages.desc(), cases.c.episode_id


def _going_on(at_ms: int) -> tuple[Any, ...]:
    """Return conditions for cases that go on: a message came lately, or a lease is in force."""
    lately = cases.c.last_ms > at_ms - QUIET_MS
    return cases.c.ended_ms.is_(None), or_(lately, _in_force(at_ms))


def _in_force(at_ms: int) -> Any:
    """Return a condition for cases with a lease in force."""
    lease = leases.alias()
    standing_ = select(lease.c.action_id).where(
        lease.c.episode_id == cases.c.episode_id, lease.c.expires_at_ms > at_ms
    )
    return standing_.correlate(cases).exists()


def _load(
    connection: Connection,
    rows: Sequence[RowMapping],
    at_ms: int,
    asked: Sequence[str] = (),
    *,
    only: Doing | None = None,
) -> _Loaded:
    """Load what belongs to these cases, and to `asked`, the forms of a number that was searched.

    With `only`, load just enough to tell which cases are in this state. That takes a third of the
    time, and only `states` may be called.
    """
    asked = asked or list({row["recipient"]: None for row in rows})
    spoken = _words(connection, (*asked, EVERYONE), at_ms)
    held = list(rows_of(connection, select(leases), leases.c.recipient, asked))
    linked: dict[str, list[str]] = defaultdict(list)
    ids = [row["episode_id"] for row in rows] if only is None else []
    for row in rows_of(connection, select(links), links.c.episode_id, ids):
        linked[row["episode_id"]].append(row["action_id"])
    actions = [each for some in linked.values() for each in some]
    held_ids = [row["action_id"] for row in held] if only in CONFIRMED else []
    said = _acks(connection, [*actions, *held_ids])
    counted: dict[str, list[RowMapping]] = defaultdict(list)
    for row in rows_of(connection, select(counts), counts.c.action_id, actions):
        counted[row["action_id"]].append(row)
    return _Loaded(rows, spoken, held, linked, said, counted)


def _acks(connection: Connection, action_ids: Sequence[str]) -> dict[str, list[Ack]]:
    """Return the gateways' acknowledgements by action id, the newest last."""
    found: dict[str, list[Ack]] = defaultdict(list)
    wanted = ACKS.order_by(acks.c.action_id, acks.c.at_ms, acks.c.written_ms, acks.c.state)
    for row in rows_of(connection, wanted, acks.c.action_id, action_ids):
        found[row["action_id"]].append(Ack(**row))
    return found


def _words(connection: Connection, recipients: Iterable[str], at_ms: int) -> tuple[WordLine, ...]:
    """Return the overrides for these recipients in log order, with their acknowledgements."""
    wanted = select(words).order_by(words.c.written_ms, words.c.offset)
    rows = list(rows_of(connection, wanted, words.c.recipient, list(recipients)))
    said = _acks(connection, [row["word_id"] for row in rows])
    last = {row["key"]: row["word_id"] for row in rows}
    return tuple(
        WordLine(
            word_id=row["word_id"],
            # The texts are not cleaned here, so that the override keeps its original Kafka key.
            word=decode_override(unpack(row["value"])),
            holds=last[row["key"]] == row["word_id"]
            and row["withdrawn_ms"] is None
            and (row["expires_at_ms"] is None or at_ms < row["expires_at_ms"]),
            acks=tuple(said.get(row["word_id"], ())),
        )
        for row in rows
    )


def _sightings(case: Case, at_ms: int) -> tuple[CaseEvent, ...]:
    """Return the timeline of a case without incident records, built from its sightings."""
    newest = case.lease(at_ms)
    seen = map(CaseEvent.seen, case.last.sightings)
    return tuple(replace(each, would=each.ruling(newest)) for each in seen)


def _messages(told_of: Iterable[IncidentRecord]) -> tuple[CaseEvent, ...]:
    """Return the timeline of a case from its incident records, ordered by time.

    The timeline has the earlier sightings, and every message that the records list.
    """
    events = [CaseEvent.seen(each) for record in told_of for each in record.earlier]
    events += [
        CaseEvent(m.at_ms, m.platform, m.platform_id, m.novel, m.trust, m.would)
        for record in told_of
        for m in record.messages
    ]
    return tuple(sorted(events, key=lambda event: event.at_ms))


def notices_of(connection: Connection, episode_id: str) -> tuple[Notice, ...]:
    """Return the newest record of each notice about a case. The store has no template."""
    wanted = select(notices).where(notices.c.episode_id == episode_id).order_by(notices.c.at_ms)
    return tuple(
        Notice(
            to=row["addressee"],
            template="",
            **{name: row[name] for name in Notice.__struct_fields__ if name in row},
        )
        for row in connection.execute(wanted).mappings()
    )


def _freshness(connection: Connection, at_ms: int) -> Freshness:
    noted = select(meta.c.value).where(meta.c.key == BEHIND)
    read_ms, behind = connection.execute(
        select(select(func.min(places.c.read_ms)).scalar_subquery(), noted.scalar_subquery())
    ).one()
    return Freshness(at_ms, read_ms or 0, int(behind) if behind else None)


def _records(connection: Connection, episode_id: str) -> Iterator[tuple[str, Any]]:
    recipient = connection.scalar(select(cases.c.recipient).where(cases.c.episode_id == episode_id))
    if recipient is None:
        return
    about = words.c.recipient.in_((recipient, EVERYONE))
    kept: tuple[tuple[str, Select[Any], Callable[[bytes], Any]], ...] = (
        ("episode", select(changes.c.value).where(changes.c.episode_id == episode_id)
         .order_by(changes.c.revision), decode_episode),
        ("lease", select(leases.c.value).where(leases.c.episode_id == episode_id)
         .order_by(leases.c.epoch, leases.c.revision), decode_action),
        ("incident", select(incidents.c.value).where(incidents.c.episode_id == episode_id)
         .order_by(incidents.c.revision, incidents.c.first), decode_incident),
        ("word", select(words.c.value).where(about).order_by(words.c.written_ms, words.c.offset),
         decode_override),
    )  # fmt: skip
    for kind, wanted, decode in kept:
        for value in connection.scalars(wanted):
            yield kind, decode(unpack(value))
    own = select(links.c.action_id).where(links.c.episode_id == episode_id)
    said = ACKS.where(acks.c.action_id.in_(own))
    said = said.order_by(acks.c.at_ms, acks.c.gateway_id, acks.c.state)
    yield from (("ack", Ack(**row)) for row in connection.execute(said).mappings())
    for row in connection.execute(
        select(counts).where(counts.c.action_id.in_(own)).order_by(counts.c.at_ms)
    ).mappings():
        told = {name: row[name] for name in ("action_id", "gateway_id", "at_ms", "refused")}
        by_platform = platform_counts(row["by_platform"])
        yield "counts", Counts(**told, episode_id=episode_id, by_platform=by_platform)
    for notice in notices_of(connection, episode_id):
        yield "notice", notice
