"""Processes batches of recognised codes: sieve, judge, episodes. Updates the partitions' states.

A partition's state depends only on its log up to one offset, not on how the log is divided into
batches. Maintenance runs at ticks (every 4,096th offset). So a batch is divided at ticks, and after
each event that is not a message (a recycled number, a list of platforms abused by floods, a memory
record).
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise, zip_longest
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.decisions import Decisions
from detectors.episodes import resend
from detectors.episodes.episode import (
    recycle,
)
from detectors.episodes.platform_names import AMBIGUOUS, Name
from detectors.episodes.resend import Resend
from detectors.episodes.used_later import note_refusal, note_use
from detectors.judge_pass import JudgedEvent, cause_at, external_form, judge_events
from detectors.memory_records import adopt_memory, note_recycled
from detectors.model.arrays import indices
from detectors.model.codes import Codes
from detectors.model.event import (
    TICK_OFFSETS,
    Batch,
    Block,
    EventKind,
    Trust,
    is_message,
    name_check,
)
from detectors.model.log_time import LogTime, LogTimes
from detectors.model.records import Cause
from detectors.model.times import EPOCH_S, MINUTE_MS
from detectors.partition import (
    STATE_FORMAT,
    Params,
    Partition,
    Snapshot,
    restore,
    snapshot,
)
from detectors.platforms.figures import CODES, SIGHTED, STRANGE
from detectors.recipients.repeats import spread_s
from detectors.recipients.sieve import TABLES_MAX, Sifted, sift_together
from detectors.recipients.tables import Tables
from detectors.recipients.windows import tally
from detectors.shares import Piece, Share, pieces
from detectors.suspects.clocks import SAMPLE_OFFSETS
from detectors.suspects.pages import count_as
from detectors.thresholds import (
    RESEND_RECIPIENTS_MAX,
)
from detectors.upkeep import tick

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

_Columns: TypeAlias = tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint64]]
"""Columns of codes: platform, the platform that the code counts as, and recipient."""

_FEW: Final = 4  # up to this many values, a linear search is faster than building a dictionary
_CHECK_BITS: Final = 16  # number of bits reserved for `name_check`
_TRUSTED: Final = 1 << 48  # flag above platform and name check: the platform is trusted


def process(params: Params, partition: Partition, batch: Batch, codes: Codes) -> Decisions:
    """Process one batch of one partition, and return the decisions.

    `codes`: the recogniser's results for the batch's events. The batch's offsets must be at or
    after `partition.next_offset`. The state of `partition` changes.
    """
    batch = replace(batch, event_time_ms=batch.event_time_ms.copy())
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
    batch = replace(batch, event_time_ms=batch.event_time_ms.copy())
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
        # An event that is no message, alone, says nothing about the time or a clock.
        some = [p for p in together if p.stop - p.start != 1 or p.stop not in last]
        if some:
            _pass(params, batch, codes, some)
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
    """Process one piece of each of several shares; the pieces are in the order of the batch.

    A share is one partition's part of a batch. A piece of a share contains no tick.
    """
    low, high = together[0].start, together[-1].stop
    here = slice(low, high)
    # The time of a memory record is that of the other state, and a list of recycled numbers may be
    # days old. So only messages are samples of the log's time and of a gateway's clock.
    messages = is_message(batch.kind[here])
    chosen = codes.otp[here] & messages
    sampled = messages & (batch.offset[here] % SAMPLE_OFFSETS == 0)
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
    for share, (a, b) in zip(shares, pairwise(edges), strict=True):
        if lags_ms := share.state.lags_ms:
            for i in at[a:b].tolist():
                batch.event_time_ms[i] += lags_ms.get(batch.gateway[i], 0)
    at_s = np.minimum(np.maximum(batch.event_time_ms[at] // 1000 - EPOCH_S, 1), (1 << 31) - 1)
    _take(params, batch, codes, _on_time(batch, shares, edges, at, at_s))


def _sample(
    batch: Batch, together: Sequence[Piece], sampled: NDArray[np.int64], starts: Sequence[int]
) -> None:
    """Record messages as samples of their gateways' clocks (`detectors.suspects.clocks`).

    `sampled`: positions of these events in the batch. `starts`: positions where the pieces begin.
    """
    if not len(sampled):
        return
    gateways = batch.gateway.take(sampled)
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
    states = [share.state for share in shares]
    logs = [
        LogTime(state.recent_s, at_s[a:b], state.watermark_s)
        for state, (a, b) in zip(states, pairwise(edges), strict=True)
    ]
    for state, log in zip(states, logs, strict=True):
        state.recent_s = log.newest_s
    if not len(at_s) or at_s.max() <= min(log.limit_s for log in logs):
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
    """Run the sieve (fast check) and windows over all codes, then judge each share's suspects."""
    shares, edges, at, at_s, time = some
    if not shares:
        return
    recipient, platform, trust = batch.recipient[at], codes.platform[at], codes.trust[at]
    pairs = platform.astype(np.int64) << _CHECK_BITS
    if codes.check is not None:
        pairs |= codes.check[at]
    pairs |= np.where(trust, _TRUSTED, 0)
    ticks = (batch.offset[at[edges[:-1]]] // TICK_OFFSETS).tolist()  # a piece lies in one
    unnoted = _find_unrecorded(shares, edges, ticks, pairs.tolist())
    tables = Tables([share.state.table for share in shares], edges)
    counted = _count_pages(some, codes, recipient, platform, trust)
    later = batch.kind[at] >= int(EventKind.LATER_PART)
    moment_s = _find_moments(batch, at, at_s)
    sifted = sift_together(params.sieve, tables, recipient, counted, at_s, moment_s, time, later)
    number = at_s // params.sieve.window_s
    tally([share.state.windows for share in shares], edges, number, platform, sifted)
    loud = np.zeros(len(at), np.bool_)
    loud[sifted.loud] = True
    few, where = sifted.judged, at[sifted.judged]
    columns = (
        where, few, sifted.rows, batch.offset[where], recipient[few], batch.event_time_ms[where],
        at_s[few], moment_s[few], counted[few], platform[few], trust[few], loud[few],
        later[few],
    )  # fmt: skip
    judged = list(zip(*(column.tolist() for column in columns), strict=True))
    close = _Close(at, counted, trust, judged, [*few.tolist(), len(at)],
                   [*sifted.loud.tolist(), len(at)], time)  # fmt: skip
    _figure(params, some, (platform, counted, recipient), sifted)
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
            refused = _closely(params, codes, share, close, (a, c, e), b, unnoted[i], ticks[i])
        known = state.used_later.entries.keys() & whose[a:b]
        if refused or known:
            decisions.refused += _look_back(
                state, at[a:b], whose[a:b], platform[a:b], at_s[a:b], known, refused=refused
            )


def _find_moments(
    batch: Batch, at: NDArray[np.int64], at_s: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the times (n,) under which repeats are counted: whole minutes get `spread_s` added."""
    moment_s = at_s.copy()
    for i in indices(batch.event_time_ms[at] % MINUTE_MS == 0).tolist():
        message_id = batch.origin(int(at[i]))[1] if batch.origin else ""
        moment_s[i] += spread_s(message_id or str(batch.offset[at[i]]))
    return moment_s


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
    where = indices((page != 0) & (trust == int(Trust.NONE)))
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


class _Close(NamedTuple):
    """The codes of a pass that must be judged one by one, with the columns that this needs."""

    at: NDArray[np.int64]  # positions of the pass's codes in the batch
    platform: NDArray[np.uint32]  # platforms that the codes count as
    trust: NDArray[np.uint8]
    judged: list[JudgedEvent]  # events of suspects, in the order of the batch
    few: list[int]  # positions of these events among the codes, then the number of codes
    loud: list[int]  # positions of loud events among the codes, then the same number
    time: LogTimes


def _closely(
    params: Params,
    codes: Codes,
    share: Share,
    close: _Close,
    starts: tuple[int, int, int],
    stop: int,
    notes: Mapping[int, int],
    tick_: int,
) -> set[int]:
    """Judge, one by one, the codes of suspects; return the positions of codes that a lease refuses.

    `share` is one partition's part of the batch. The loud codes are counted too, to find platforms
    that re-send; a code is loud if its recipient has many messages (see `_resend`).

    `starts`: index of the share's first code, of its first judged code in `close.few`, and of its
    first loud code in `close.loud`. `stop`: index after its last code. `notes`: index of a code ->
    name that must be recorded there, with the time `tick_`. A record may contain only names that
    came before its event. So the codes are processed in parts, and names are recorded in between.
    """
    at, platform, trust, judged, few, loud, time = close
    state, refused, (start, c, e) = share.state, set(), starts
    for first, last in pairwise(sorted({start, stop, *notes})):
        if first in notes:
            _note(state, tick_, codes, notes[first], int(at[first]), int(trust[first]))
        if few[c] < last:
            first_judged, c = c, bisect_left(few, last, c)
            share.decisions.judged += c - first_judged
            refused |= judge_events(params, state, share.batch, judged[first_judged:c], time)
        if loud[e] < last:
            first_loud, e = e, bisect_left(loud, last, e)
            where = loud[first_loud:e]
            _resend(params, state, share.batch, at[where].tolist(), platform[where].tolist())
    return refused


def _figure(params: Params, some: _Pass, columns: _Columns, sifted: Sifted) -> None:
    """Add the codes and sightings of a pass to the figures of each partition, by platform.

    The figures are those of `detectors.platforms`. The base counts of novel sightings
    show how often people meet a platform outside of floods. The list of hot platforms is made
    relative to them (`detectors.hot.base`). A first contact is a recipient's first code in 24 hours
    of a platform that it did not know. First contacts are counted by platform, and by block of
    1,000 neighbouring numbers.
    """
    platform, counted, recipient = columns
    sighted, novel, edges = platform[sifted.sighted], sifted.novel, some.edges
    fresh = np.zeros(len(platform), np.bool_)
    fresh[sifted.fresh] = True
    met, contacts = counted[novel], (platform[novel], recipient[novel], fresh[novel])
    # With one share, the positions are in any order, but all of them lie between its edges.
    cuts = (edges, sifted.sighted.searchsorted(edges).tolist(), novel.searchsorted(edges).tolist())
    for share, (a, b), (c, d), (e, f) in zip(some.shares, *map(pairwise, cuts), strict=True):
        state = share.state
        if e < f and params.judge.hot:
            state.book.hot.base.met.append(met[e:f])
        if state.figures is None or state.strangers is None:
            continue
        pending = state.figures.pending
        pending[CODES].append(platform[a:b])
        if c < d:
            pending[SIGHTED].append(sighted[c:d])
        if e < f:
            contact = contacts[0][e:f], contacts[1][e:f], contacts[2][e:f]
            pending[STRANGE].append(contact[0])
            state.strangers.meet(*contact)


def _find_unrecorded(
    shares: Sequence[Share], edges: Sequence[int], ticks: Sequence[int], pairs: Sequence[int]
) -> list[dict[int, int]]:
    """Return, for each share, position -> pair of the codes whose names must be recorded.

    A name is recorded if it is not in the cache, which loses entries whose recorded last use is too
    old. A pair of `pairs` packs the platform, the check of its name, and the flag for a trusted
    platform.
    """
    unnoted: list[dict[int, int]] = []
    for share, now, (a, b) in zip(shares, ticks, pairwise(edges), strict=True):
        state, told = share.state, pairs[a:b]
        if state.noted_tick != now:
            state.noted = {p: used for p, used in state.noted.items() if used > now - NAME_TICKS}
            state.noted_tick = now
        old = set(told).difference(state.noted)
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
    if held is None:
        held = names[key] = Name(codes.name(at), Trust(trust), now)
    elif now - held.tick >= NAME_TICKS:
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
    """Count loud messages to find platforms that re-send; `where` are positions in the batch.

    A message is loud if its recipient has at least `LOUD_MESSAGES` messages in its two newest
    windows.
    """
    columns = (batch.recipient, batch.offset, batch.event_time_ms)
    told = zip(*(column[where].tolist() for column in columns), platform, strict=True)
    for recipient, offset, at_ms, key in told:
        held = partition.resends.get(recipient)
        if held is None and len(partition.resends) >= RESEND_RECIPIENTS_MAX:
            continue
        cause = Cause(batch.topic, batch.partition, offset, at_ms)
        if held is None:
            held = Resend(external_form(batch, recipient), cause.at_s)
            partition.resends[recipient] = held
        resend.observe(params.episode, partition.book, held, cause, platform=key)


def _look_back(
    partition: Partition,
    at: NDArray[np.int64],
    recipient: Sequence[int],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
    known: set[int],
    *,
    refused: set[int],
) -> int:
    """Update `partition.used_later` with the codes of recipients that have refused platforms.

    Columns are (n,); `at` are positions in the batch, `refused` the positions of refused codes.
    `known`: recipients of these codes that had refused platforms before. Returns how many
    platforms were refused for the first time.
    """
    used_later, first = partition.used_later, 0
    wanted = known.union(recipient[i] for i in at.searchsorted(sorted(refused)).tolist())
    some = [i for i, whom in enumerate(recipient) if whom in wanted]
    for k, i, what, when_s in zip(
        some, *(column[some].tolist() for column in (at, platform, at_s)), strict=True
    ):
        whom = recipient[k]
        if i in refused:
            first += note_refusal(used_later, whom, what, when_s)
        else:
            note_use(used_later, whom, what, when_s)
    return first


def _set_apart(
    params: Params, partition: Partition, batch: Batch, i: int, decisions: Decisions
) -> None:
    """Process an event that is no message: a recycled number, a hot list, or a memory record."""
    if batch.kind[i] == EventKind.RECYCLED:
        _recycle(params, partition, batch, i, decisions)
    elif batch.kind[i] == EventKind.MEMORY:
        if params.memory_keys:
            told_memory = batch.memory(i) if batch.memory else None
            recipient = int(batch.recipient[i])
            outcome = adopt_memory(partition, params.memory_keys, recipient, told_memory)
            decisions.memories.append(outcome)
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
    note_recycled(partition, recipient, cause_at(batch, i).at_s)
    suspect = partition.suspects.pop(recipient, None)
    if suspect is not None:
        recycle(params.episode, params.judge, partition.book, suspect, cause_at(batch, i))
    decisions.recycled += partition.table.drop(np.array([recipient], np.uint64))
