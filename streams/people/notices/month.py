"""Count the figures of one month for the regulator and for management, from the topics.

This module is pure. The figures contain no phone number. They also state what could not be counted:
a topic whose oldest record is later than the start of the month has lost a part of the month.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any, Final

from detectors.model.incidents import IncidentRecord
from detectors.model.records import EpisodeRecord, Level
from detectors.model.times import DAY_MS
from detectors.thresholds import AGAIN_FROM_MS, AGAIN_UNTIL_MS
from streams.cases.outcome import FloodOutcome, outcome
from streams.cases.standing import Doing, said_by_gateways
from streams.common import utc
from streams.people.notices.platform_use import PlatformUse, few, trend, uses
from streams.people.notices.tell import told_days
from streams.wire import EVERYONE, Ack, Counts, Notice, Override

PLATFORMS_MAX: Final = 30
OPENING: Final = frozenset({"release", "allow", "exempt"})
"""Verbs of overrides that let messages of a flood through. The other verbs concern gateways."""


@dataclass(frozen=True, slots=True)
class MonthRecords:
    """All records of the topics that concern a month, including those shortly before and after."""

    episodes: Iterable[EpisodeRecord] = ()
    acks: Iterable[Ack] = ()
    counts: Iterable[Counts] = ()
    incidents: Iterable[IncidentRecord] = ()
    words: Iterable[Override] = ()
    notices: Iterable[Notice] = ()
    reach_ms: Mapping[str, int | None] = field(default_factory=dict)
    """Role of a topic -> time of its oldest record, in ms. None: the topic is empty."""


@dataclass(frozen=True, slots=True)
class TimeSpread:
    """Count, median and 95th percentile of a duration. Durations are in seconds."""

    n: int
    median_s: float | None
    p95_s: float | None


# No record shows whether a refused code was requested by the person. But a person whose code does
# not arrive presses "send again" after a minute or two. Attack tools go on to the next platform
# instead. So a second message of the same platform within that time is the best available sign of
# the person's own code. If the second message passed, the person got the code after all.
@dataclass(frozen=True, slots=True)
class SecondRequestCount:
    """Number of refused codes that somebody requested again, and how many of those arrived."""

    asked: int  # refused codes that were followed by a second message at a human interval
    arrived: int  # of these, codes whose second message passed the lease


@dataclass(frozen=True, slots=True)
class MonthPlatform:
    """The figures of one platform for a month."""

    key: str
    messages: int
    floods: int
    victims: str  # number of recipients; "<5" for one to four
    told: bool  # true if a report about the platform was sent
    before: float | None  # messages per day before the first report
    after: float | None  # messages per day after the first report


@dataclass(frozen=True, slots=True)
class Month:
    """One month's report: figures of floods, victims, refused codes, notices and platforms."""

    from_ms: int
    until_ms: int
    floods: int
    floods_refused: int
    floods_observed: int
    watched: int  # episodes that never reached the level THROTTLE
    victims: int
    by_day: Mapping[int, int]  # midnight in UTC, ms -> floods
    rules: Mapping[str, int]  # rule that decided -> floods
    to_notice: TimeSpread  # from the first message of a flood to THROTTLE
    to_hold: TimeSpread  # from THROTTLE to the first `applied` ack of a gateway
    refused: int
    own: SecondRequestCount  # estimate of the victims' own codes that were refused, then arrived
    words: Mapping[str, int]  # verb -> overrides that people issued: release, allow, exempt
    replies: int  # replies by which victims opened platforms themselves
    false_signals: int  # refused floods whose victim got an override that opened something
    notices: Mapping[str, int]  # state -> notices to victims
    platforms: tuple[MonthPlatform, ...]
    platforms_used: int
    unlisted: int  # messages of floods that were counted but not listed one by one
    lost: Mapping[str, int]  # role of a topic -> time of its oldest record, if after the start


def count_month(records: MonthRecords, from_ms: int, until_ms: int) -> Month:
    """Count a month. Records may be duplicated, and may lie outside the month."""
    floods, watched = _floods(records.episodes, from_ms, until_ms)
    acks = list(records.acks)
    held = _find_first_applied(floods, acks)
    words = _words(records.words, from_ms, until_ms)
    people = [w for w in words if w.actor != "victim"]
    taken_back = {w.recipient for w in words} - {EVERYONE}
    incidents = list(records.incidents)
    notices = list(records.notices)
    days = [each.at_ms - each.at_ms % DAY_MS for each in floods.values()]
    refused = _find_refused(floods, acks)
    return Month(
        from_ms=from_ms,
        until_ms=until_ms,
        floods=len(floods),
        floods_refused=len(refused),
        floods_observed=len(floods) - len(refused),
        watched=watched,
        victims=len({each.recipient for each in floods.values()}),
        by_day=dict(sorted(Counter(days).items())),
        rules=dict(Counter(each.reason.rule for each in floods.values()).most_common()),
        to_notice=_spread([each.at_ms - each.evidence.first_ms for each in floods.values()]),
        to_hold=_spread([held[e] - floods[e].at_ms for e in floods.keys() & held.keys()]),
        refused=_count_refused(records.counts, acks, from_ms, until_ms),
        own=second_requests(incidents, from_ms, until_ms),
        words=dict(Counter(w.verb for w in people)),
        replies=len({(w.recipient, w.issued_at_ms) for w in words if w.actor == "victim"}),
        false_signals=sum(each.recipient in taken_back for each in refused),
        notices=_notices(notices, from_ms, until_ms),
        platforms=_platforms(incidents, notices, from_ms, until_ms),
        platforms_used=len(uses(incidents, from_ms, until_ms)),
        unlisted=sum(
            sum(r.unlisted) for r in incidents
            if r.unlisted is not None and from_ms <= r.at_ms < until_ms
        ),
        lost={
            role: reach for role, reach in records.reach_ms.items()
            if reach is not None and reach > from_ms
        },
    )  # fmt: skip


def second_requests(
    incidents: Iterable[IncidentRecord], from_ms: int, until_ms: int
) -> SecondRequestCount:
    """Count the second requests of enforced floods whose first message lies in a period.

    Records may be duplicated and in any order. Two cases are not counted: a platform that came
    before the lease, and a second message sooner or later than people ask for it.
    """
    messages: dict[tuple[str, int], dict[int, tuple[int, bool]]] = {}
    before: set[tuple[str, int]] = set()
    for record in incidents:
        if record.mode != "enforce":
            continue
        before.update((record.episode_id, each.platform_id) for each in record.earlier)
        for each in record.messages:
            if each.platform_id:
                found = messages.setdefault((record.episode_id, each.platform_id), {})
                found[each.offset] = each.at_ms, each.would == "refuse"
    asked = arrived = 0
    for place in messages.keys() - before:
        (first_ms, held), *more = sorted(messages[place].values())
        if not (held and more and from_ms <= first_ms < until_ms):
            continue
        second_ms, held = more[0]
        if AGAIN_FROM_MS <= second_ms - first_ms < AGAIN_UNTIL_MS:
            asked += 1
            arrived += not held
    return SecondRequestCount(asked, arrived)


def _floods(
    episodes: Iterable[EpisodeRecord], from_ms: int, until_ms: int
) -> tuple[dict[str, EpisodeRecord], int]:
    """Return the record by which each flood reached THROTTLE, and how many episodes never did."""
    found: dict[str, EpisodeRecord] = {}
    seen: set[str] = set()
    for record in episodes:
        if record.kind == "flood" and from_ms <= record.at_ms < until_ms:
            name = record.episode_id
            seen.add(name)
            if record.level is Level.THROTTLE and record.change in ("opened", "raised"):
                found[name] = min(found.get(name, record), record, key=lambda each: each.at_ms)
    return found, len(seen - found.keys())


def _find_first_applied(floods: Mapping[str, EpisodeRecord], acks: Iterable[Ack]) -> dict[str, int]:
    """Return the time when a gateway applied the first lease of each episode.

    The id of this lease follows from the cause in the episode record.
    """
    episode_of = {record.cause.id(record.epoch): name for name, record in floods.items()}
    found: dict[str, int] = {}
    for ack in acks:
        episode = episode_of.get(ack.action_id)
        if ack.state == "applied" and episode is not None:
            found[episode] = min(ack.at_ms, found.get(episode, ack.at_ms))
    return found


def _find_refused(floods: Mapping[str, EpisodeRecord], acks: Iterable[Ack]) -> list[EpisodeRecord]:
    """Return the floods that were refused, by what gateways said of their first lease."""
    said: dict[str, list[Ack]] = defaultdict(list)
    for ack in acks:
        said[ack.action_id].append(ack)
    found = []
    for record in floods.values():
        gateways = said_by_gateways(said[record.cause.id(record.epoch)], leased=True)
        if outcome(Doing.OVER, record.mode, gateways) is FloodOutcome.REFUSED:
            found.append(record)
    return found


def _count_refused(
    counts: Iterable[Counts], acks: Iterable[Ack], from_ms: int, until_ms: int
) -> int:
    """Return how many messages gateways refused: the sum over the last count per lease and gateway.

    Counts come from the count records and from `expired` acks.
    """
    last: Counter[tuple[str, str]] = Counter()
    told: Iterator[tuple[Counts | Ack, int]] = chain(
        ((each, each.refused) for each in counts),
        ((ack, ack.refused_count) for ack in acks if ack.state == "expired"),
    )
    for each, refused in told:
        if from_ms <= each.at_ms < until_ms:
            lease = each.action_id, each.gateway_id
            last[lease] = max(refused, last[lease])
    return last.total()


def _words(words: Iterable[Override], from_ms: int, until_ms: int) -> list[Override]:
    """Return each override of the month that lets messages through, once.

    An override that expires when it is issued only ends an earlier override, so it is left out.
    """
    return [
        word
        for word in dict.fromkeys(words)
        if word.verb in OPENING
        and from_ms <= word.issued_at_ms < until_ms
        and (word.expires_at_ms is None or word.expires_at_ms > word.issued_at_ms)
    ]


def _notices(notices: Iterable[Notice], from_ms: int, until_ms: int) -> dict[str, int]:
    """Return the number of first notices to victims by state. The last record of each counts."""
    told = (n for n in notices if n.kind == "victim_start" and from_ms <= n.at_ms < until_ms)
    last = {n.notice_id: n.state for n in sorted(told, key=lambda each: each.at_ms)}
    return dict(Counter(last.values()))


def _platforms(
    incidents: Iterable[IncidentRecord], notices: Iterable[Notice], from_ms: int, until_ms: int
) -> tuple[MonthPlatform, ...]:
    told = told_days(notices)
    found: list[PlatformUse] = sorted(
        uses(incidents, from_ms, until_ms).values(), key=lambda each: (-each.messages, each.key)
    )
    made = []
    for use in found[:PLATFORMS_MAX]:
        first = min(told.get(use.key, ()), default=None)
        before, after = trend(use.days(), first, from_ms, until_ms)
        made.append(
            MonthPlatform(
                use.key,
                use.messages,
                len(use.episodes),
                few(len(use.victims)),
                first is not None,
                before,
                after,
            )
        )
    return tuple(made)


def _spread(spans_ms: list[int]) -> TimeSpread:
    spans = sorted(max(0, span) / 1000 for span in spans_ms)
    if not spans:
        return TimeSpread(0, None, None)
    at = min(len(spans) - 1, -(-95 * len(spans) // 100) - 1)
    return TimeSpread(len(spans), statistics.median(spans), spans[at])


def figures(month: Month) -> dict[str, Any]:
    """Return the month as JSON: times in ISO 8601 UTC, durations in seconds."""
    found = asdict(month)
    found["from"], found["until"] = utc(found.pop("from_ms")), utc(found.pop("until_ms"))
    found["by_day"] = {utc(day)[:10]: n for day, n in month.by_day.items()}
    found["lost"] = {role: utc(at) for role, at in month.lost.items()}
    return found
