"""The state of one partition at one offset of its log, and its snapshots: create and restore."""

from dataclasses import dataclass, field
from heapq import heapify
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.defaults import NAMES_MAX, SUSPECTS_MAX
from detectors.episodes.episode import REASONS
from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.lease import EpisodeParams
from detectors.episodes.platform_names import StoredNames
from detectors.episodes.resend import Resend
from detectors.episodes.used_later import StoredUsedLater, UsedLater
from detectors.hot.listed import Hot
from detectors.hot.published_sums import HotTelling
from detectors.model.event import TICK_OFFSETS, HotList
from detectors.model.fields import (
    Count,
    PlatformId,
    Time,
    TimeMs,
    Word,
    reader,
    stored_names,
    writer,
)
from detectors.model.records import Level
from detectors.model.times import EPOCH_S
from detectors.platforms.figures import Figures
from detectors.platforms.first_contacts import Strangers
from detectors.recipients.evict import make_room
from detectors.recipients.overflow import BLOCK
from detectors.recipients.repeats import StoredRepeats
from detectors.recipients.row import TAGS, count_cold
from detectors.recipients.sieve import SieveParams
from detectors.recipients.table import WORDS, Table
from detectors.recipients.windows import Tally, Windows
from detectors.recognise.text.fold import NAME_VERSION
from detectors.suspects.clocks import ClockParams, GatewayClock, coarse, lagging
from detectors.suspects.judge import JudgeParams
from detectors.suspects.pages import Pages
from detectors.suspects.relapse import Relapse
from detectors.suspects.retry_windows import SecondRequests
from detectors.suspects.suspect import Suspect


@dataclass(frozen=True, slots=True)
class Params:
    """All settings of detection. Decisions depend on these and the log, but not on `seed`."""

    sieve: SieveParams = field(default_factory=SieveParams)
    judge: JudgeParams = field(default_factory=JudgeParams)
    episode: EpisodeParams = field(default_factory=EpisodeParams)
    stamps: ClockParams = field(default_factory=ClockParams)
    suspects_max: int = SUSPECTS_MAX
    names_max: int = NAMES_MAX
    figures: bool = True  # compute figures of platforms; decisions do not depend on them
    # Keys that may sign the network's lists of hot platforms (abused by floods). Empty: lists
    # of the network are ignored, and votes are not published for them.
    list_keys: tuple[bytes, ...] = field(default=(), repr=False)
    # Keys that may sign memory records. Empty: such records are ignored.
    memory_keys: tuple[bytes, ...] = field(default=(), repr=False)
    # Seed of the table's hash: random for each process, and not part of a checkpoint. So outsiders
    # cannot choose phone numbers that collide.
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.suspects_max <= self.sieve.rows_max // 2:
            raise ValueError("suspects_max must be 1 to half of rows_max: a suspect keeps its row")
        if self.names_max < 1:
            raise ValueError("names_max must be positive")


STATE_FORMAT: Final = 1
"""Format number of a snapshot. A release that changes the format must read the earlier formats. It
writes the new format only when every worker can read it. A worker rejects newer formats."""


class Partition:
    """The mutable state of one partition, up to `next_offset` (exclusive) of its log."""

    __slots__ = (
        "book",
        "due",
        "figures",
        "gateways",
        "lags_ms",
        "medians_s",
        "network",
        "next_offset",
        "noted",
        "noted_tick",
        "pages",
        "recent_s",
        "recycled",
        "resends",
        "samples",
        "stamps",
        "strangers",
        "suspects",
        "table",
        "used_later",
        "watermark_s",
        "window_s",
        "windows",
    )

    def __init__(self, params: Params) -> None:
        self.next_offset = 0
        self.watermark_s = 0  # seconds since `EPOCH_S`; 0 before the first tick
        self.medians_s: list[int] = []  # medians of the event times of the last ticks
        self.recent_s: list[int] = []  # event times of the last codes: `LogTime.newest_s`
        self.window_s = params.sieve.window_s  # window length of the table and `windows`
        # Samples since the last tick: (event time in ms, gateway).
        self.samples: list[tuple[int, str]] = []
        self.table = Table(params.sieve.rows_max, seed=params.seed)
        self.suspects: dict[int, Suspect] = {}  # by recipient
        # Heap of (due time, recipient): when to check which suspect. After a tick it has at most
        # two entries per suspect plus `upkeep.DUE_SPARE`.
        self.due: list[tuple[int, int]] = []
        self.book = EpisodeLog()
        # Cache: (platform, name check) -> tick at which the name was recorded in `book.names`.
        # Pairs that are not in the cache are looked up there.
        self.noted: dict[int, int] = {}
        self.noted_tick = 0  # tick for which the cache has no entries that are too old
        self.gateways: dict[str, GatewayClock] = {}
        self.stamps = coarse(params.stamps, {})  # clock classes as of the last tick
        self.lags_ms: dict[str, int] = {}  # gateways whose clocks are behind, as of the last tick
        self.windows = Windows()
        self.figures = Figures() if params.figures else None
        self.strangers = Strangers() if params.figures else None
        # True: adopt the network's lists of hot platforms, and publish votes for them.
        self.network = bool(params.list_keys and params.judge.hot)
        self.resends: dict[int, Resend] = {}  # by recipient
        self.pages: Pages = {}
        self.recycled: dict[int, int] = {}  # by recipient: `memory_records.note_recycled`
        self.used_later: UsedLater[int] = UsedLater()

    @property
    def watermark_ms(self) -> int:
        """Return the watermark in milliseconds UTC; 0 before the first tick.

        The watermark is the highest median of a tick's event times that other ticks confirm. A
        single bad clock cannot move it. If the watermark was moved too far, it goes back
        (`detectors.model.log_time`).
        """
        return (self.watermark_s + EPOCH_S) * 1000 if self.watermark_s else 0

    @property
    def recipients(self) -> int:
        return self.table.count

    def count_cold(self, params: EpisodeParams, most: int) -> tuple[int, int]:
        """Count the recipients of the last day, and those too little known to enforce a lease.

        The counts are those of a sample of `most` to twice as many rows.
        """
        rows = self.table.words[: self.table.used : max(1, self.table.used // most)]
        least = 0 if params.enforce_cold else params.cold_known
        return count_cold(rows, self.watermark_s, least, params.cold_days)

    def levels(self) -> dict[Level, int]:
        counts = {Level.WATCH: 0, Level.THROTTLE: 0}
        for suspect in self.suspects.values():
            if suspect.episode is not None:
                counts[suspect.episode.level] += 1
        return counts


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a partition's whole state at one offset."""

    header: dict[str, int]
    rows: NDArray[np.uint64]  # (rows, 14)
    rest: dict[str, Any]  # the fields of `State` as plain data: see `detectors.model.fields`
    # (blocks, 8): overflow blocks of the rows. The first block is always empty.
    places: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((1, BLOCK), np.uint16))


@dataclass(slots=True, eq=False, repr=False)
class State:
    """The whole state of a partition except its rows: the declaration of what snapshots contain."""

    samples: list[tuple[TimeMs, str]]
    medians_s: list[Time]
    recent_s: list[Time]
    suspects: list[Suspect]
    hot: Hot
    names: StoredNames
    chronic: dict[Word, tuple[Time, Count]]
    relapses: dict[Word, Relapse]
    gateways: dict[str, GatewayClock]
    resends: dict[Word, Resend]
    hindsight: StoredUsedLater
    pages: dict[Word, dict[Word, tuple[PlatformId, Time]]]
    overflow_open: bool
    repeats: StoredRepeats
    window_next: Time
    windows: dict[Time, Tally]
    network: tuple[HotList | None, HotTelling] | None  # None: the worker uses no network's list
    figures: Figures | None  # this field and the next one are None if the worker has no figures
    strangers: Strangers | None
    recycled: dict[Word, Time]


def snapshot(partition: Partition) -> Snapshot:
    """Return a copy of the state that later batches do not change."""
    table, windows, book = partition.table, partition.windows, partition.book
    if partition.figures is not None and partition.strangers is not None:
        partition.figures.fold()
        partition.strangers.fold()
    for window in windows.open.values():
        window.fold()
    book.hot.base.gather()
    state = State(
        samples=partition.samples,
        medians_s=partition.medians_s,
        recent_s=partition.recent_s,
        suspects=list(partition.suspects.values()),
        hot=book.hot,
        names=book.names,
        chronic=book.chronic,
        relapses=book.relapses,
        gateways=partition.gateways,
        resends=partition.resends,
        hindsight=partition.used_later,
        pages=partition.pages,
        overflow_open=table.overflow.is_open,
        repeats=table.repeats,
        window_next=windows.next,
        windows=windows.open,
        network=(book.hot.network, book.hot.telling) if partition.network else None,
        figures=partition.figures,
        strangers=partition.strangers,
        recycled=partition.recycled,
    )
    return Snapshot(
        header={
            "format": STATE_FORMAT,
            "next_offset": partition.next_offset,
            "watermark_s": partition.watermark_s,
            "row_words": WORDS,
            "window_s": partition.window_s,
            "name_version": NAME_VERSION,
        },
        rows=table.words[: table.used].copy(),
        places=table.overflow.places[: table.overflow.used].copy(),
        rest=dict(zip(stored_names(State), writer(State)(state), strict=True)),
    )


def restore(params: Params, held: Snapshot) -> Partition:
    """Restore a partition from a snapshot. Its later decisions are the same, byte for byte.

    The partition uses the arrays `held.rows` and `held.places` without a copy, because they are
    most of a state. The caller must not use these arrays afterwards. `params` may differ from those
    of the snapshot. With another `window_s`, window counts start again at 0. With a smaller
    `rows_max`, recipients are evicted until the rest fits.

    Raises ValueError in three cases: the snapshot's platform ids come from another version of the
    names; the table is full of suspects, which cannot be evicted, so new recipients do not fit; or
    the state is inconsistent.
    """
    assert held.header["format"] == STATE_FORMAT
    names = held.header["name_version"]
    if names != NAME_VERSION:
        raise ValueError(f"its platform names are of version {names}, not {NAME_VERSION}")
    assert held.header["row_words"] == WORDS
    partition = Partition(params)
    partition.next_offset = held.header["next_offset"]
    partition.watermark_s = held.header["watermark_s"]
    same_windows = held.header["window_s"] == params.sieve.window_s
    if not same_windows:
        held.rows[:, 1] &= np.uint64(TAGS)
    state: State = reader(State)([held.rest[name] for name in stored_names(State)])
    partition.table = Table.over(
        held.rows, params.sieve.rows_max, seed=params.seed, places=held.places
    )
    partition.table.overflow.is_open = state.overflow_open
    partition.table.repeats = state.repeats
    partition.samples, partition.medians_s = state.samples, state.medians_s
    partition.recent_s, partition.gateways = state.recent_s, state.gateways
    partition.stamps = coarse(params.stamps, partition.gateways)
    partition.lags_ms = lagging(partition.gateways)
    partition.resends, partition.used_later = state.resends, state.hindsight
    partition.pages, partition.recycled = state.pages, state.recycled
    if same_windows:
        partition.windows.next, partition.windows.open = state.window_next, state.windows
    if params.figures:
        partition.figures = state.figures or Figures()
        partition.strangers = state.strangers or Strangers()
    _take_suspects(params, partition, state.suspects)
    book = partition.book
    book.names, book.chronic, book.relapses = state.names, state.chronic, state.relapses
    if params.judge.hot:
        _take_hot(partition, state)
    # Maximum number of new recipients until the next tick makes room.
    coming = TICK_OFFSETS - partition.next_offset % TICK_OFFSETS
    make_room(partition.table, coming)
    if partition.table.room < coming:
        raise ValueError(f"rows_max leaves no room beside {len(partition.suspects)} suspects")
    return partition


def _take_suspects(params: Params, partition: Partition, suspects: list[Suspect]) -> None:
    """Add restored suspects, and derive when they must be checked."""
    for suspect in suspects:
        if suspect.row >= partition.table.used:
            raise ValueError("a suspect has a row that is not there")
        if any(a >= b for a, b in pairwise(suspect.sightings)):
            raise ValueError("a suspect's sightings do not ascend")
        if not suspect.tainted.keys() <= suspect.seen.keys():
            raise ValueError("a tainted platform has no sighting")
        path = suspect.episode.path if suspect.episode is not None else []
        if any(step.rule not in REASONS for step in path):
            raise ValueError("a step of an episode has a rule that nobody knows")
        suspect.repeats = partition.table.repeats
        if not params.episode.again:
            suspect.requests = SecondRequests()
    partition.suspects = {suspect.recipient: suspect for suspect in suspects}
    partition.due = [(s.due_s, s.recipient) for s in partition.suspects.values()]
    heapify(partition.due)
    partition.book.incidents.restore(partition.suspects)


def _take_hot(partition: Partition, state: State) -> None:
    """Restore the hot platforms, with the network's list.

    If lists of the network are no longer configured, the partition makes its own list now.
    """
    hot = partition.book.hot = state.hot
    if partition.network and state.network is not None:
        hot.network, hot.telling = state.network
    elif state.network is not None and state.network[0] is not None:
        hot.make(partition.next_offset)
