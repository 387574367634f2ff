"""Processes batches of recognised codes: sieve, judge, episodes. Updates the partitions' states.

A partition's state depends only on its log up to one offset, not on how the log is divided into
batches. Maintenance runs where the log passes a tick. So a batch is divided at ticks, and after
each event that is not a message (a recycled number, a list of hot platforms).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import partial
from heapq import heappush
from itertools import accumulate, pairwise, zip_longest
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.decisions import Decisions
from detectors.episodes import resend
from detectors.episodes.episode import (
    EpisodeLog,
    active_relapse,
    advance,
    ahead_of,
    end,
    ends_s,
    is_settling,
    lease_refuses,
    over,
    publish_windows,
    recycle,
)
from detectors.episodes.incident_log import Rests, begin, note
from detectors.episodes.limit import observe_known, observe_limit
from detectors.episodes.platform_names import AMBIGUOUS, Name
from detectors.episodes.resend import Resend
from detectors.episodes.used_later import note_refusal, note_use
from detectors.model.arrays import indices
from detectors.model.codes import Codes
from detectors.model.event import (
    TICK_OFFSETS,
    TOKEN_BIT,
    Batch,
    Block,
    EventKind,
    Trust,
    is_message,
    name_check,
)
from detectors.model.incidents import Listed
from detectors.model.log_time import ASTRAY_S, SOON_S, LogTime, LogTimes
from detectors.model.records import Cause, Level, seconds, utc_ms
from detectors.model.times import EPOCH_S
from detectors.partition import (
    STATE_FORMAT,
    Params,
    Partition,
    Snapshot,
    restore,
    snapshot,
)
from detectors.platforms.figures import FLOODED, SIGHTED, STRANGE
from detectors.recipients.row import unpack
from detectors.recipients.sieve import TABLES_MAX, sift_together
from detectors.recipients.tables import Tables
from detectors.recipients.windows import tally
from detectors.shares import Piece, Share, pieces
from detectors.suspects.clocks import SAMPLE_OFFSETS, ClockClass
from detectors.suspects.hot_score import add_hot_score
from detectors.suspects.judge import CALM, Finding, is_settled, judge
from detectors.suspects.pages import count_as
from detectors.suspects.relapse import Relapse, observe_relapse
from detectors.suspects.retry_windows import take_request
from detectors.suspects.returns import judge_returns
from detectors.suspects.suspect import Episode, Seen, Suspect, newest_s, put_right, see
from detectors.suspects.volume import Heard, forget_after, hear, is_varied, many, mass
from detectors.thresholds import (
    AGAIN_SILENT_MS,
    RELAPSE_DIVISOR,
    RESEND_RECIPIENTS_MAX,
    SUSPECT_IDLE_S,
)
from detectors.upkeep import DUE_MAX_S, tick

__all__ = [
    "STATE_FORMAT",
    "Decisions",
    "Params",
    "Partition",
    "Snapshot",
    "process",
    "process_together",
    "restore",
    "snapshot",
]

NAME_TICKS: Final = 16
"""Precision, in ticks, of the recorded time of a name's last use. This is enough to find names that
are no longer in use."""

NOTED_MAX: Final = 1 << 13
"""Maximum size of the cache of (platform, name check) pairs whose name was recorded lately: ten
times the pairs of an hour. When it is full, it is cleared."""

SPREAD_S: Final = 59
"""Codes with a stamp in whole minutes are counted as repeats under this many different seconds, by
their offsets. Otherwise all codes of one platform in one minute would be one code."""

_FEW: Final = 4  # up to this many values, a linear search is faster than building a dictionary
_CHECK_BITS: Final = 16  # number of bits reserved for `name_check`
_TRUSTED: Final = 1 << 48  # flag above platform and name check: the platform is trusted
_NEVER: Final = -(1 << 62)
_TRUSTS: Final = tuple(Trust)
_EXACT: Final = ClockClass.EXACT


def process(params: Params, partition: Partition, batch: Batch, codes: Codes) -> Decisions:
    """Process one batch of one partition, and return the decisions.

    `codes`: the recogniser's results for the batch's events. The batch's offsets must be at or
    after `partition.next_offset`. The state of `partition` changes.
    """
    block = Block(batch.partition, batch.next_offset, 0, len(batch))
    share = Share(partition, batch, block)
    _process(params, batch, codes, [share])
    return share.decisions


def process_together(
    params: Params, partitions: Sequence[Partition], batch: Batch, codes: Codes
) -> list[Decisions]:
    """Process one batch of several partitions; return the decisions for each block of the batch.

    `partitions`: the state for each block; all states must have been created with `params`. The
    result is the same as processing each block separately. For small blocks, the cost is much
    lower.
    """
    shares = [
        Share(partition, batch, block)
        for partition, block in zip(partitions, batch.blocks, strict=True)
    ]
    for first in range(0, len(shares), TABLES_MAX):
        _process(params, batch, codes, shares[first : first + TABLES_MAX])
    return [share.decisions for share in shares]


def _process(params: Params, batch: Batch, codes: Codes, shares: Sequence[Share]) -> None:
    apart = indices(~is_message(batch.kind))  # a piece ends after each of these events
    last = set((apart + 1).tolist())
    for turn in zip_longest(*(pieces(share, batch, apart) for share in shares)):
        together = [piece for piece in turn if piece is not None]
        _pass(params, batch, codes, together)
        for share, start, stop, next_offset in together:
            if start < stop and stop in last:
                _set_apart(params, share.state, share.batch, stop - 1, share.decisions)
            share.state.next_offset = next_offset
            if next_offset % TICK_OFFSETS == 0 and next_offset:
                tick(params, share.state, share.batch, share.decisions)
    for share in shares:
        share.state.next_offset = share.block.next_offset
        book, decisions = share.state.book, share.decisions
        overflow = share.state.table.overflow
        decisions.platforms_dropped, overflow.dropped = overflow.dropped, 0
        if book.actions:
            decisions.actions, book.actions = book.actions, []
        if book.records:  # in log order, so that the batch size does not change the order
            decisions.episodes = sorted(book.records, key=attrgetter("revision"))
            book.records = []
        if book.incidents.records:
            decisions.incidents, book.incidents.records = book.incidents.records, []


def _pass(params: Params, batch: Batch, codes: Codes, together: Sequence[Piece]) -> None:
    """Process one piece of each of some shares. The pieces are in the order of the batch."""
    low, high = together[0].start, together[-1].stop
    here = slice(low, high)
    chosen = codes.otp[here] & is_message(batch.kind[here])
    sampled = batch.offset[here] % SAMPLE_OFFSETS == 0
    if sum(piece.stop - piece.start for piece in together) < high - low:
        inside = np.zeros(high - low, np.bool_)
        for piece in together:
            inside[piece.start - low : piece.stop - low] = True
        chosen &= inside
        sampled &= inside
    starts = [*(piece.start for piece in together), high]
    _sample(batch, together, indices(sampled) + low, starts)
    at = indices(chosen) + low
    edges = at.searchsorted(starts).tolist()
    shares = [piece.share for piece, a, b in zip(together, edges, edges[1:], strict=False) if a < b]
    if not shares:
        return
    edges = [*sorted(set(edges[:-1]) - {edges[-1]}), edges[-1]]
    at_s = np.minimum(np.maximum(batch.event_time_ms[at] // 1000 - EPOCH_S, 1), (1 << 31) - 1)
    _take(params, batch, codes, _on_time(batch, shares, edges, at, at_s))


def _sample(
    batch: Batch, together: Sequence[Piece], sampled: NDArray[np.int64], starts: Sequence[int]
) -> None:
    """Record samples of the gateways' clocks at these positions; the pieces begin at `starts`."""
    if not len(sampled):
        return
    gateways = [batch.gateway[i] for i in sampled.tolist()]
    samples = list(zip(batch.event_time_ms[sampled].tolist(), gateways, strict=True))
    for piece, (a, b) in zip(
        together, pairwise(sampled.searchsorted(starts).tolist()), strict=True
    ):
        piece.share.state.samples += samples[a:b]


class _Pass(NamedTuple):
    """The codes of a pass, from several shares, in the order of the batch: columns (n,)."""

    shares: list[Share]
    edges: list[int]  # the codes from `edges[i]` up to `edges[i + 1]` belong to share i
    at: NDArray[np.int64]  # positions of the codes in the batch
    at_s: NDArray[np.int64]  # event times in seconds
    time: LogTimes  # the log's time at each code


def _on_time(
    batch: Batch,
    shares: list[Share],
    edges: list[int],
    at: NDArray[np.int64],
    at_s: NDArray[np.int64],
) -> _Pass:
    """Return the pass without the codes that are too far ahead of their log's time.

    The offsets of these codes are added to the decisions.
    """
    logs = []
    for share, (a, b) in zip(shares, pairwise(edges), strict=True):
        state = share.state
        log = LogTime(state.recent_s, at_s[a:b], state.watermark_s)
        state.recent_s = log.newest_s
        logs.append(log)
    limit_s = np.repeat([log.limit_s for log in logs], np.diff(edges))
    if not (at_s > limit_s).any():
        return _Pass(shares, edges, at, at_s, LogTimes(logs, edges))
    kept = np.ones(len(at), np.bool_)
    for share, log, a in zip(shares, logs, edges[:-1], strict=True):
        ahead = log.ahead()
        if len(ahead):
            log.without(ahead)
            kept[ahead + a] = False
            share.decisions.ahead += batch.offset[at[ahead + a]].tolist()
    sizes = np.add.reduceat(kept, edges[:-1], dtype=np.int64).tolist()
    left = [(share, log) for share, log, n in zip(shares, logs, sizes, strict=True) if n]
    edges = [0, *accumulate(n for n in sizes if n)]
    times = LogTimes([log for _, log in left], edges)
    return _Pass([share for share, _ in left], edges, at[kept], at_s[kept], times)


def _take(params: Params, batch: Batch, codes: Codes, some: _Pass) -> None:
    """Run the sieve and the windows over all codes at once, then judge each share's suspects."""
    shares, edges, at, at_s, time = some
    if not shares:
        return
    recipient, platform, trust = batch.recipient[at], codes.platform[at], codes.trust[at]
    pairs = platform.astype(np.int64) << _CHECK_BITS
    if codes.check is not None:
        pairs |= codes.check[at]
    pairs |= (trust != Trust.NONE) * np.int64(_TRUSTED)
    ticks = (batch.offset[at[edges[:-1]]] // TICK_OFFSETS).tolist()  # a piece lies in one
    unnoted = _find_unrecorded(shares, edges, ticks, pairs.tolist())
    tables = Tables([share.state.table for share in shares], edges)
    counted = _count_pages(some, codes, recipient, platform, trust)
    later = batch.kind[at] >= EventKind.LATER_PART
    offset, at_ms = batch.offset[at], batch.event_time_ms[at]
    moment_s = at_s + (at_ms % 60_000 == 0) * (offset % SPREAD_S)
    sifted = sift_together(params.sieve, tables, recipient, counted, at_s, moment_s, time, later)
    number = at_s // params.sieve.window_s
    tally([share.state.windows for share in shares], edges, number, platform, sifted)
    loud = np.zeros(len(at), np.bool_)
    loud[sifted.loud] = True
    few, where = sifted.judged, at[sifted.judged]
    columns = (
        where, few, sifted.rows, batch.offset[where], recipient[few], batch.event_time_ms[where],
        at_s[few], counted[few], platform[few], trust[few], loud[few], later[few],
    )  # fmt: skip
    judged = list(zip(*(column.tolist() for column in columns), strict=True))
    close = _Close(at, counted, trust, judged, few.tolist(), sifted.loud.tolist(), time,
                   _Words(batch, where))  # fmt: skip
    if params.judge.hot and len(sifted.novel):
        _meet(some, counted, sifted.novel)
    if params.figures:
        _figure(some, platform, sifted.sighted, sifted.novel)
        if len(sifted.novel):
            _neighbours(some, platform, recipient, sifted.novel, sifted.fresh)
    whose = recipient.tolist()
    cuts = (edges, few.searchsorted(edges).tolist(), sifted.loud.searchsorted(edges).tolist())
    for i, (share, (a, b), (c, d), (e, f)) in enumerate(
        zip(shares, *map(pairwise, cuts), strict=True)
    ):
        decisions, state = share.decisions, share.state
        decisions.codes += b - a
        decisions.promoted += sifted.promoted[i]
        refused: set[int] = set()
        if unnoted[i] or c < d or e < f:
            refused = _closely(params, codes, share, close, (a, b), unnoted[i], ticks[i])
        if refused or not state.used_later.entries.keys().isdisjoint(whose[a:b]):
            held = recipient[a:b], platform[a:b], at_s[a:b]
            decisions.refused += _look_back(state, at[a:b], *held, refused=refused)


def _count_pages(
    some: _Pass,
    codes: Codes,
    recipient: NDArray[np.uint64],
    platform: NDArray[np.uint32],
    trust: NDArray[np.uint8],
) -> NDArray[np.uint32]:
    """Return the platform (n,) that each code counts as: see `detectors.suspects.pages`."""
    if codes.page is None:
        return platform
    page = codes.page[some.at]
    where = indices((page != 0) & (trust == Trust.NONE))
    if not len(where):
        return platform
    counted = platform.copy()
    columns = (where, recipient[where], page[where], platform[where], some.at_s[where])
    presses = list(zip(*(column.tolist() for column in columns), strict=True))
    edges = where.searchsorted(some.edges).tolist()
    for share, (a, b) in zip(some.shares, pairwise(edges), strict=True):
        for i, *press in presses[a:b]:
            counted[i] = count_as(share.state.pages, *press)
    return counted


_Event: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, bool, bool]
"""A suspect's event: position in the batch, position among the codes of the pass, the suspect's
row, offset, recipient, event time in ms, event time in s, the platform that the event counts as,
its own platform, its trust, whether it is loud, and whether it is a later attempt or part. It is a
plain tuple for speed: a campaign creates one per event."""


class _Close(NamedTuple):
    """The codes of a pass that must be judged one by one, with the columns that this needs."""

    at: NDArray[np.int64]  # positions of the pass's codes in the batch
    platform: NDArray[np.uint32]  # platforms that the codes count as
    trust: NDArray[np.uint8]
    judged: list[_Event]  # events of suspects, in the order of the batch
    few: list[int]  # positions of these events among the codes
    loud: list[int]  # positions of loud events among the codes
    time: LogTimes
    words: _Words


def _closely(
    params: Params,
    codes: Codes,
    share: Share,
    close: _Close,
    span: tuple[int, int],
    notes: Mapping[int, int],
    tick_: int,
) -> set[int]:
    """Judge the events in a span of the pass's codes; return positions of codes a lease refuses.

    `notes`: position -> name that must be recorded there. A record may contain only names that came
    before its event. So the span is processed in parts, and names are recorded between them.
    """
    at, platform, trust, judged, few, loud, time, words = close
    state, refused = share.state, set()
    for first, last in pairwise(sorted({*span, *notes})):
        if first in notes:
            _note(state, tick_, codes, notes[first], int(at[first]), int(trust[first]))
        (c, d), (e, f) = ((bisect_left(one, first), bisect_left(one, last)) for one in (few, loud))
        if c < d:
            share.decisions.judged += d - c
            said = words if not c else words.behind(c)
            refused |= _judge(params, state, share.batch, judged[c:d], time, said)
        if e < f:
            where = loud[e:f]
            _resend(params, state, share.batch, at[where].tolist(), platform[where].tolist())
    return refused


def _meet(some: _Pass, platform: NDArray[np.uint32], novel: NDArray[np.int64]) -> None:
    """Count novel platforms for each share: the base of the list of hot platforms."""
    met, edges = platform[novel], novel.searchsorted(some.edges).tolist()
    for share, (a, b) in zip(some.shares, pairwise(edges), strict=True):
        if a < b:
            share.state.book.hot.base.met.append(met[a:b])


def _figure(
    some: _Pass, platform: NDArray[np.uint32], sighted: NDArray[np.int64], novel: NDArray[np.int64]
) -> None:
    """Count codes, sightings and novel sightings by platform, for each share's figures."""
    columns = platform, platform[sighted], platform[novel]
    if len(some.shares) == 1:
        cuts = [[0, len(column)] for column in columns]
    else:
        cuts = [
            some.edges,
            sighted.searchsorted(some.edges).tolist(),
            novel.searchsorted(some.edges).tolist(),
        ]
    for i, share in enumerate(some.shares):
        figures = share.state.figures
        assert figures is not None
        for pending, column, cut in zip(figures.pending, columns, cuts, strict=False):
            if cut[i] < cut[i + 1]:
                pending.append(column[cut[i] : cut[i + 1]])


def _neighbours(
    some: _Pass,
    platform: NDArray[np.uint32],
    recipient: NDArray[np.uint64],
    novel: NDArray[np.int64],
    fresh: NDArray[np.int64],
) -> None:
    """Count first contacts of platforms by neighbourhood of numbers, for each share."""
    first = np.zeros(len(platform), np.bool_)
    first[fresh] = True
    whose, whom, new = platform[novel], recipient[novel], first[novel]
    edges = [0, len(novel)] if len(some.shares) == 1 else novel.searchsorted(some.edges).tolist()
    for share, (a, b) in zip(some.shares, pairwise(edges), strict=True):
        strangers = share.state.strangers
        assert strangers is not None
        if a < b:
            strangers.meet(whose[a:b], whom[a:b], new[a:b])


def _find_unrecorded(
    shares: Sequence[Share], edges: Sequence[int], ticks: Sequence[int], pairs: Sequence[int]
) -> list[dict[int, int]]:
    """Return, for each share, position -> pair of the codes whose names must be recorded.

    A name is recorded if it is not in the cache, or if its recorded last use is too old. A pair of
    `pairs` packs the platform, the check of its name, and the flag for a trusted platform.
    """
    unnoted: list[dict[int, int]] = []
    for share, now, (a, b) in zip(shares, ticks, pairwise(edges), strict=True):
        noted, before, told = share.state.noted, now - NAME_TICKS, pairs[a:b]
        old = [pair for pair in set(told) if noted.get(pair, _NEVER) <= before]
        if len(old) <= _FEW:
            first = {a + told.index(pair): pair for pair in old}
        else:
            place = dict(zip(told[::-1], range(b - 1, a - 1, -1), strict=True))
            first = {place[pair]: pair for pair in old}
        unnoted.append(first)
    return unnoted


def _note(partition: Partition, now: int, codes: Codes, pair: int, at: int, trust: int) -> None:
    """Record, in this tick, the name of the code at a position, and the first trust of its id.

    If several names share an id, the first one stays and gets the suffix `AMBIGUOUS`. The result
    must not depend on which of these names are in the same batch. If a forged name comes first, the
    id has no trust until the real platform sends a code.
    """
    key, check = (pair & _TRUSTED - 1) >> _CHECK_BITS, pair & (1 << _CHECK_BITS) - 1
    names, noted = partition.book.names, partition.noted
    held = names.get(key)
    if held is None or now - held.tick >= NAME_TICKS:
        held = held or Name(codes.name(at), Trust(trust), now)
        held = names[key] = held._replace(tick=now)
    if trust and held.trust is Trust.NONE:
        held = names[key] = held._replace(trust=Trust(trust))
    plain = held.key.removesuffix(AMBIGUOUS)
    if check and plain == held.key and name_check(plain) != check:
        names[key] = held._replace(key=plain + AMBIGUOUS)
    if len(noted) >= NOTED_MAX:
        noted.clear()
    noted[pair] = held.tick


def _resend(
    params: Params, partition: Partition, batch: Batch, where: list[int], platform: list[int]
) -> None:
    """Count the loud messages at these positions of the batch, to find re-sending platforms."""
    columns = (batch.recipient, batch.offset, batch.event_time_ms)
    told = zip(*(column[where].tolist() for column in columns), platform, strict=True)
    for recipient, offset, at_ms, key in told:
        held = partition.resends.get(recipient)
        if held is None and len(partition.resends) >= RESEND_RECIPIENTS_MAX:
            continue
        cause = Cause(batch.topic, batch.partition, offset, at_ms)
        if held is None:
            held = partition.resends[recipient] = Resend(_text(batch, recipient), cause.at_s)
        resend.observe(params.episode, partition.book, held, cause, platform=key)


def _text(batch: Batch, recipient: int) -> str:
    """Return the external form of a recipient of this batch: E.164 digits or the token."""
    return batch.tokens[recipient] if recipient & TOKEN_BIT else str(recipient)


def _look_back(
    partition: Partition,
    at: NDArray[np.int64],
    recipient: NDArray[np.uint64],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
    *,
    refused: set[int],
) -> int:
    """Update `partition.used_later` with the codes of recipients that have refused platforms.

    Columns are (n,); `at` are positions in the batch, `refused` the positions of refused codes.
    Returns how many platforms were refused for the first time.
    """
    used_later, first = partition.used_later, 0
    entries, whose = used_later.entries, recipient.tolist()
    hit = {whose[i] for i in at.searchsorted(sorted(refused)).tolist()} if refused else ()
    some = [i for i, whom in enumerate(whose) if whom in entries or whom in hit]
    if not some:
        return 0
    for i, whom, what, when_s in zip(
        *(column[some].tolist() for column in (at, recipient, platform, at_s)), strict=True
    ):
        if i in refused:
            first += note_refusal(used_later, whom, what, when_s)
        else:
            note_use(used_later, whom, what, when_s)
    return first


def _judge(
    params: Params,
    partition: Partition,
    batch: Batch,
    events: Sequence[_Event],
    log: LogTimes,
    words: _Words,
) -> set[int]:
    """Judge the events of suspects, one by one; return the positions that a lease refuses."""
    refused = set()
    book, stamps = partition.book, partition.stamps
    counted = _Counted([], [], [], [])
    recorder = _Recorder(params, book, words)
    for k, event in enumerate(events):
        i, _, _, offset, recipient, at_ms, at_s, platform, own, trust, loud, later = event
        suspect = _bring_up(params, partition, batch, event, log)
        stamp = stamps.get(batch.gateway[i], _EXACT) if stamps else _EXACT
        relapse = active_relapse(book, suspect, at_s)
        held = lease_refuses(suspect, own, _TRUSTS[trust], at_ms)
        counts = not held or is_settling(book, recipient, at_s)
        seen = see(suspect, platform, at_s, stamp, offset, refused=held, counts_day=counts)
        if seen is Seen.LATE:
            continue
        if later and seen is Seen.REPEAT:  # its first attempt or part counted
            refused.update([i] * (held or _is_refused_alone(suspect, own, trust, at_ms)))
            continue
        strange = seen is not Seen.REPEAT and counted.sight(platform, seen)
        if seen is Seen.YOUNG:
            suspect.repeats.young[recipient << 32 | platform] = at_s
        episode = suspect.episode
        level = Level.CLEAR if episode is None else episode.level
        finding = CALM  # at THROTTLE the judge's finding has no effect, so it is not computed
        if seen is not Seen.REPEAT and not _is_final(params, episode):
            finding = judge(params.judge, suspect, at_s, stamp)
            finding = add_hot_score(params.judge, suspect, book.hot.platforms, at_s, finding)
        novel = held or _is_novel(suspect, seen, platform, own, at_s)
        cause = Cause(batch.topic, batch.partition, offset, at_ms)
        code = _Code(seen, platform, own, trust, novel, held, loud, relapse is not None)
        if _is_refused(params, book, suspect, cause, code):
            refused.add(i)
        # A code that passes through a retry window counts like a refused one.
        heard = _hear(params, suspect, cause, code)
        flood = novel and trust == Trust.NONE and heard is not Heard.AGAIN
        # Fewer platforms reach WATCH at most, which is no change if the level is WATCH.
        if heard is Heard.COUNTED and (not level or is_varied(suspect)):
            finding = _by_messages(params, suspect, relapse, at_ms, finding)
        finding = observe_relapse(relapse if flood else None, platform, at_ms, finding)
        if episode is None and finding is CALM:
            counted.meet(platform, strange=strange)
            continue
        of, said = platform if flood else None, (k, own, trust, novel, i in refused, stamp)
        recorder.advance(suspect, cause, said, finding, of)
        counted.flood(suspect, of)
        if episode is None and suspect.episode is not None:
            over_s = ends_s(params.episode, suspect.episode)
            _look_at(partition, suspect, min(over_s, partition.watermark_s + DUE_MAX_S))
    counted.add_to(params, partition)
    return refused


def _bring_up(
    params: Params, partition: Partition, batch: Batch, event: _Event, log: LogTimes
) -> Suspect:
    """Return the suspect of an event, brought to the event's time.

    Sightings of clocks that were ahead are dropped, and an episode that is over ends.
    """
    i, place, row, _, recipient, _, at_s, *_ = event
    suspect = partition.suspects.get(recipient) or _adopt(partition, batch, recipient, row)
    if newest_s(suspect) > at_s + SOON_S:
        now_s = max(at_s, int(log.at(np.array([place]))[0]))
        _put_right(params, partition, suspect, _cause(batch, i), now_s)
    if suspect.episode is not None and over(params.episode, suspect.episode, at_s):
        end(params.episode, params.judge, partition.book, suspect, _cause(batch, i))
    return suspect


class _Code(NamedTuple):
    """Facts about one judged code."""

    seen: Seen
    platform: int  # platform that the code counts as
    own: int  # its own platform
    trust: int
    novel: bool
    held: bool  # the full lease refuses the code
    loud: bool
    relapse: bool  # an earlier flood is remembered


def _is_final(params: Params, episode: Episode | None) -> bool:
    """Return true if no finding can change an episode: THROTTLE by a rule that enforces."""
    if episode is None or episode.level is not Level.THROTTLE:
        return False
    return not params.judge.is_shadowed(episode.path[-1].rule)


def _is_young(params: Params, suspect: Suspect, platform: int, at_s: int) -> bool:
    """Return true if the platform had come on one day only before its sighting of this day."""
    if params.judge.mode("young") != "enforce":
        return False
    return suspect.repeats.is_young(suspect.recipient << 32 | platform, at_s)


def _hear(params: Params, suspect: Suspect, cause: Cause, code: _Code) -> Heard:
    """Record a code of a novel or young platform, and return how it counts."""
    _, platform, own, _, novel, held, loud, _ = code
    at_ms = cause.at_ms
    if novel:
        return hear(suspect, own, at_ms, refused=held, loud=loud, page=own != platform)
    if _is_young(params, suspect, platform, cause.at_s) and many(suspect, cause.at_s):
        return hear(suspect, own, at_ms, refused=False, loud=False)
    return Heard.AGAIN


def _is_refused(
    params: Params, book: EpisodeLog, suspect: Suspect, cause: Cause, code: _Code
) -> bool:
    """Return true if a lease refuses a code, and no retry window lets it pass.

    Codes that the full lease lets pass count towards the limit on their platform.
    """
    seen, platform, own, trust, novel, held, _, relapse = code
    if held:
        new = own != platform or seen is not Seen.REPEAT
        return not _asked_again(params, book, suspect, own, cause.at_ms, new=new)
    refused = _is_refused_alone(suspect, own, trust, cause.at_ms)
    passes = refused and _asked_again(params, book, suspect, own, cause.at_ms, new=False)
    if (refused or seen is Seen.REPEAT) and params.judge.mode("limit") != "off":
        unknown = novel if own == platform else not suspect.knows(platform, cause.at_s)
        limited = unknown or _is_young(params, suspect, platform, cause.at_s)
        at_s = cause.at_s + (cause.at_ms % 60_000 == 0) * (cause.offset % SPREAD_S)
        if suspect.seen.get(platform, 0) >> 33 != at_s:  # else delivered twice
            observe_limit(params.episode, params.judge, book, suspect, cause, platform=platform,
                          limited=limited, trusted=bool(trust), relapse=relapse,
                          at_s=at_s)  # fmt: skip
    episode = suspect.episode
    throttled = episode is not None and episode.level is Level.THROTTLE
    if throttled and not (refused or novel or trust) and params.judge.mode("known") != "off":
        observe_known(params.episode, params.judge, book, suspect, cause, platform=own)
    if refused and params.episode.again:
        publish_windows(params.episode, book, suspect, cause)
    return refused and not passes


def _is_refused_alone(suspect: Suspect, platform: int, trust: int, at_ms: int) -> bool:
    """Return true if a platform lease refuses a code of this platform."""
    lease = suspect.platforms
    return lease is not None and not trust and lease.refuses(platform, at_ms)


def _by_messages(
    params: Params, suspect: Suspect, relapse: Relapse | None, at_ms: int, other: Finding
) -> Finding:
    """Return the strongest finding by message volume, returns, or `other`."""
    at_s = seconds(at_ms)
    long = (relapse is not None and suspect.episode is None) or many(suspect, at_s)
    long = long and is_settled(params.judge, suspect, at_s)
    divisor = long * (1 if relapse is None else RELAPSE_DIVISOR)
    volume, again = (divisor * (params.judge.mode(r) != "off") for r in ("volume", "returns"))
    return judge_returns(suspect, at_ms, mass(suspect, at_ms, other, volume), again)


def _is_novel(suspect: Suspect, seen: Seen, platform: int, own: int, at_s: int) -> bool:
    """Return true if the recipient does not know the message's platform.

    The recipient must know neither the platform that the message counts as, nor its own platform.
    """
    if seen is not Seen.NOVEL and (seen is not Seen.REPEAT or suspect.knows(platform, at_s)):
        return False
    return own == platform or not suspect.knows(own, at_s)


class _Counted(NamedTuple):
    """Platforms of judged events, one entry per event: for the figures and the base counts."""

    sighted: list[int]  # platforms of all sightings
    strange: list[int]  # platforms of novel sightings
    met: list[int]  # platforms of novel sightings that are no evidence of a flood
    flooded: list[int]  # platforms of novel, untrusted codes whose recipient is in an episode

    def sight(self, platform: int, seen: Seen) -> bool:
        """Count a sighting; return true if it counts as novel."""
        self.sighted.append(platform)
        if strange := seen not in (Seen.KNOWN, Seen.YOUNG):
            self.strange.append(platform)
        return strange

    def meet(self, platform: int, *, strange: bool) -> None:
        """Count an event that is no evidence of a flood, if it is a novel sighting (`strange`)."""
        if strange:
            self.met.append(platform)

    def flood(self, suspect: Suspect, platform: int | None) -> None:
        """Count a flood code, if there is one (not None) and its recipient is in an episode."""
        if platform is not None and suspect.episode is not None:
            self.flooded.append(platform)

    def add_to(self, params: Params, partition: Partition) -> None:
        """Add the counts to the partition, as `_figure` and `_meet` do for other recipients."""
        if params.judge.hot:
            partition.book.hot.base.one += self.met
        if (figures := partition.figures) is not None:
            figures.waiting[SIGHTED] += self.sighted
            figures.waiting[STRANGE] += self.strange
            figures.waiting[FLOODED] += self.flooded


def _asked_again(
    params: Params, book: EpisodeLog, suspect: Suspect, platform: int, at_ms: int, *, new: bool
) -> bool:
    """Return true if a message that the lease refuses passes through a retry window.

    `new`: the platform had no message within the day before it.
    """
    if not params.episode.again:
        return False
    first = new
    if not new:
        times_s = suspect.repeats.codes.get(suspect.recipient << 32 | platform, ())
        before_s = [t for t in times_s if utc_ms(t) < at_ms // 1000 * 1000][-1:]
        if platform in suspect.seen:
            before_s.append(suspect.seen[platform] >> 33)
        first = at_ms - utc_ms(max(before_s, default=0)) >= AGAIN_SILENT_MS
    hot = platform in book.hot_for(suspect)
    return take_request(suspect.requests, platform, at_ms, first=first, hot=hot)


_Heard: TypeAlias = tuple[int, int, int, bool, bool, ClockClass]
"""Facts about a judged event: its index among the judged events, platform, trust, whether it is
novel, whether a lease refuses it (or would, in shadow), and the clock class of its stamp. It is a
plain tuple for speed: a campaign creates one for most of its events."""


class _Words:
    """Strings of judged events that only incident records contain. They are read on demand."""

    __slots__ = ("_batch", "_columns", "_first", "_where")

    def __init__(self, batch: Batch, where: NDArray[np.int64]) -> None:
        """`where`: positions in the batch of the judged events of a pass."""
        self._batch = batch
        self._where = where
        self._first = 0
        self._columns: list[list[str]] = []  # all gateways and senders, once read

    def behind(self, first: int) -> _Words:
        """Return a view in which index 0 is the judged event of index `first`."""
        other = _Words(self._batch, self._where)
        other._columns, other._first = self._columns, first  # shared list: read only once
        return other

    def of(self, k: int) -> tuple[str, str]:
        """Return gateway and sender of the judged event at index `k`."""
        if not self._columns:
            batch = self._batch
            self._columns += [[*batch.gateway.take(self._where)], [*batch.sender.take(self._where)]]
        gateways, senders = self._columns
        return gateways[self._first + k], senders[self._first + k]

    def origin(self, k: int) -> tuple[str, str]:
        """Return account and message id of the judged event at index `k`."""
        origin = self._batch.origin
        return origin(int(self._where[self._first + k])) if origin else ("", "")


class _Recorder:
    """Updates the episodes of suspects, and the incident records of those at THROTTLE."""

    __slots__ = ("_book", "_params", "_words")

    def __init__(self, params: Params, book: EpisodeLog, words: _Words) -> None:
        self._params = params
        self._book = book
        self._words = words

    def advance(
        self, suspect: Suspect, cause: Cause, heard: _Heard, finding: Finding, flood: int | None
    ) -> None:
        """Call `detectors.episodes.episode.advance`, and update the incident around it."""
        params, book = self._params, self._book
        episode = suspect.episode
        throttled = episode is not None and episode.level is Level.THROTTLE
        if throttled and params.episode.incidents:  # before `advance` may renew the lease
            make = partial(self._message, suspect, cause, heard)
            note(params.episode, book.incidents, suspect, cause, make, refused=heard[4])
        advance(params.episode, params.judge, book, suspect, cause, finding=finding, flood=flood)
        episode = suspect.episode
        if throttled or episode is None or episode.level is not Level.THROTTLE:
            return
        if params.episode.incidents:
            told = book.records[-1]  # the record that `advance` has just created
            version = book.hot.version if book.hot.platforms else 0
            message = self._message(suspect, cause, heard)
            rests = Rests(told, heard[-1], version)
            begin(params.episode, book.incidents, suspect, cause, message, rests)

    def _message(self, suspect: Suspect, cause: Cause, heard: _Heard) -> Listed:
        k, platform, trust, novel, refused, _ = heard
        _, _, offset, at_ms = cause
        gateway, sender = self._words.of(k)
        if trust or not novel:
            return offset, at_ms, "pass", novel, trust, _plain(gateway), "", 0, "", "", "", -1
        account, message_id = self._words.origin(k)
        if not (gateway + sender + account + message_id).isascii():
            gateway, sender, account, message_id = map(
                _plain, (gateway, sender, account, message_id)
            )
        held = self._book.names.get(platform)
        name = held.key if held else f"#{platform}"
        who = gateway, name, platform, sender, account, message_id
        if not refused:
            return offset, at_ms, "pass", novel, trust, *who, -1
        assert suspect.episode is not None, "a lease is an episode's"
        incident = suspect.episode.incident
        return offset, at_ms, "refuse", novel, trust, *who, incident.lease if incident else -1


def _plain(written: str) -> str:
    """Return an external string with lone surrogates replaced, since UTF-8 cannot encode these."""
    return written if written.isascii() else written.encode("utf-8", "replace").decode()


def _put_right(
    params: Params, partition: Partition, suspect: Suspect, cause: Cause, now_s: int
) -> None:
    """Drop what a suspect has from a clock that was ahead of the log's time `now_s`."""
    limit_s = now_s + ASTRAY_S
    episode = suspect.episode
    if episode is not None and ahead_of(episode, limit_s):
        end(params.episode, params.judge, partition.book, suspect, cause)
    elif episode is not None and seconds(episode.issued_ms) > now_s + SOON_S:
        # No gateway enforces a lease from the future. Reset it, so that the flood gets a new lease.
        episode.issued_ms = episode.expires_ms = 0
    if newest_s(suspect) > limit_s:
        put_right(suspect, limit_s, cause.at_s)
        forget_after(suspect, limit_s)
        if (relapse := partition.book.relapses.get(suspect.recipient)) is not None:
            relapse.forget_after(limit_s)


def _cause(batch: Batch, i: int) -> Cause:
    """Return the event at position i of a batch as the cause of records."""
    return Cause(batch.topic, batch.partition, int(batch.offset[i]), int(batch.event_time_ms[i]))


def _adopt(partition: Partition, batch: Batch, recipient: int, row: int) -> Suspect:
    """Create a suspect from the row of a recipient that the sieve has just promoted."""
    table = partition.table
    sightings, memory = unpack(table.words[row], table.overflow)
    name = _text(batch, recipient)
    suspect = partition.suspects[recipient] = Suspect(recipient, name, row, sightings, memory)
    suspect.repeats = table.repeats
    _look_at(partition, suspect, partition.watermark_s + SUSPECT_IDLE_S)
    return suspect


def _look_at(partition: Partition, suspect: Suspect, due_s: int) -> None:
    """Schedule the next check of the suspect: at the first tick at or after `due_s`."""
    suspect.due_s = due_s
    heappush(partition.due, (due_s, suspect.recipient))


def _set_apart(
    params: Params, partition: Partition, batch: Batch, i: int, decisions: Decisions
) -> None:
    """Process an event that is not a message: a recycled number or a list of hot platforms."""
    if batch.kind[i] == EventKind.RECYCLED:
        _recycle(params, partition, batch, i, decisions)
    elif partition.network:
        told = batch.listed(i) if batch.listed else None
        offset, now_ms = int(batch.offset[i]), partition.watermark_ms
        hot = partition.book.hot
        decisions.lists.append(hot.adopt(told, params.list_keys, now_ms, offset))


def _recycle(
    params: Params, partition: Partition, batch: Batch, i: int, decisions: Decisions
) -> None:
    recipient = int(batch.recipient[i])
    partition.resends.pop(recipient, None)
    partition.pages.pop(recipient, None)
    partition.table.repeats.drop(recipient)
    partition.used_later.drop(recipient)
    suspect = partition.suspects.pop(recipient, None)
    if suspect is not None:
        recycle(params.episode, params.judge, partition.book, suspect, _cause(batch, i))
    decisions.recycled += partition.table.drop(np.array([recipient], np.uint64))
