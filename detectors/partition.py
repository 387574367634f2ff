"""The state of one partition at one offset of its log, and its snapshots: create and restore."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heapify
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.defaults import NAMES_MAX, SUSPECTS_MAX
from detectors.episodes.episode import REASONS, EpisodeLog, EpisodeParams
from detectors.episodes.platform_names import names_of
from detectors.episodes.resend import Resend
from detectors.episodes.used_later import UsedLater, revive
from detectors.hot.listed import hot_of
from detectors.model.event import TICK_OFFSETS
from detectors.model.records import ALWAYS_PASS, Level, Scope, Step
from detectors.model.times import EPOCH_S
from detectors.platforms.figures import Figures, figures_of
from detectors.platforms.first_contacts import Strangers, strangers_of
from detectors.recipients.evict import make_room
from detectors.recipients.overflow import BLOCK
from detectors.recipients.repeats import Repeats, repeats_of
from detectors.recipients.row import TAGS, Memory
from detectors.recipients.sieve import SieveParams
from detectors.recipients.table import WORDS, Table
from detectors.recipients.windows import Tally, Windows
from detectors.recognise.fold import NAME_VERSION
from detectors.suspects.clocks import ClockClass, ClockParams, GatewayClock, coarse
from detectors.suspects.incident_state import incident_of
from detectors.suspects.judge import JudgeParams
from detectors.suspects.limit import platform_lease_of
from detectors.suspects.pages import Pages
from detectors.suspects.relapse import Relapse
from detectors.suspects.retry_windows import SecondRequests
from detectors.suspects.suspect import Episode, Suspect


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
    # Keys that may sign the network's lists of hot platforms. Empty: lists of the network are
    # ignored, and votes are not published for them.
    list_keys: tuple[bytes, ...] = field(default=(), repr=False)
    # Seed of the table's hash: random for each process, and not part of a checkpoint. So outsiders
    # cannot choose phone numbers that collide.
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.suspects_max <= self.sieve.rows_max // 2:
            raise ValueError("suspects_max must be 1 to half of rows_max: a suspect keeps its row")
        if self.names_max < 1:
            raise ValueError("names_max must be positive")


_LOW_35: Final = (1 << 35) - 1
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
        "medians_s",
        "network",
        "next_offset",
        "noted",
        "pages",
        "recent_s",
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
        self.gateways: dict[str, GatewayClock] = {}
        self.stamps = coarse(params.stamps, {})  # clock classes as of the last tick
        self.windows = Windows()
        self.figures = Figures() if params.figures else None
        self.strangers = Strangers() if params.figures else None
        # True: adopt the network's lists of hot platforms, and publish votes for them.
        self.network = bool(params.list_keys and params.judge.hot)
        self.resends: dict[int, Resend] = {}  # by recipient
        self.pages: Pages = {}
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
        """Return the number of recipients that have a row."""
        return self.table.count

    def levels(self) -> dict[Level, int]:
        """Return the number of open episodes by level."""
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
    rest: dict[str, Any]  # lists, tuples, dicts, ints, floats, strings and bytes
    # (blocks, 8): overflow blocks of the rows. The first block is always empty.
    places: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((1, BLOCK), np.uint16))


def snapshot(partition: Partition) -> Snapshot:
    """Return a copy of the state that later batches do not change."""
    table, windows, book = partition.table, partition.windows, partition.book
    optional: dict[str, Any] = {}
    if partition.network:
        optional["network"] = book.hot.network_state()
    if partition.figures is not None:
        assert partition.strangers is not None
        optional["figures"] = partition.figures.state()
        optional["strangers"] = partition.strangers.state()
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
        rest=optional
        | {
            "samples": list(partition.samples),
            "medians_s": list(partition.medians_s),
            "recent_s": list(partition.recent_s),
            "suspects": [_suspect_state(s) for s in partition.suspects.values()],
            "hot": book.hot.state(),
            "names": book.names.state(),
            "chronic": [[key, *days] for key, days in book.chronic.items()],
            "relapses": [[key, *held.state()] for key, held in book.relapses.items()],
            "gateways": [[name, *g.state()] for name, g in partition.gateways.items()],
            "resends": [[key, *_resend_state(r)] for key, r in partition.resends.items()],
            "hindsight": partition.used_later.state(),
            "pages": [
                [recipient, [[template, *first] for template, first in held.items()]]
                for recipient, held in partition.pages.items()
            ],
            "overflow_open": table.overflow.is_open,
            "repeats": table.repeats.state(),
            "window_next": windows.next,
            "windows": [
                [number, w.codes, np.packbits(w.prints).tobytes(), list(w.rungs)]
                for number, w in windows.open.items()
            ],
        },
    )


def restore(params: Params, held: Snapshot) -> Partition:
    """Restore a partition from a snapshot. Continuing gives the same decisions, byte for byte.

    The partition uses the arrays `held.rows` and `held.places` without a copy, because they are
    most of a state. The caller must not use them afterwards. If `params` differ from those of the
    snapshot: with another `window_s`, window counts start again; recipients past `rows_max` are
    evicted.

    Raises ValueError if the snapshot's platform ids come from another version of the names, if the
    suspects leave no room in the table, or if the state is inconsistent.
    """
    assert held.header["format"] == STATE_FORMAT
    names = held.header["name_version"]
    if names != NAME_VERSION:
        raise ValueError(f"its platform names are of version {names}, not {NAME_VERSION}")
    assert held.header["row_words"] == WORDS
    partition = Partition(params)
    partition.next_offset = held.header["next_offset"]
    partition.watermark_s = held.header["watermark_s"]
    same = held.header["window_s"] == params.sieve.window_s
    if not same:
        held.rows[:, 1] &= np.uint64(TAGS)
    rest = held.rest
    partition.table = Table.over(
        held.rows, params.sieve.rows_max, seed=params.seed, places=held.places
    )
    partition.table.overflow.is_open = rest["overflow_open"]
    partition.table.repeats = repeats_of(rest["repeats"])
    partition.samples = [(at_ms, gateway) for at_ms, gateway in rest["samples"]]
    partition.medians_s = list(rest["medians_s"])
    partition.recent_s = list(rest["recent_s"])
    for state in rest["suspects"]:
        suspect = _suspect_of(state, partition.table.repeats, again=params.episode.again)
        if not 0 <= suspect.row < partition.table.used:
            raise ValueError("a suspect has a row that is not there")
        if any(a >= b for a, b in pairwise(suspect.sightings)):
            raise ValueError("a suspect's sightings do not ascend")
        if not suspect.tainted.keys() <= suspect.seen.keys():
            raise ValueError("a tainted platform has no sighting")
        partition.suspects[suspect.recipient] = suspect
    partition.due = [(s.due_s, s.recipient) for s in partition.suspects.values()]
    heapify(partition.due)
    partition.book.incidents.restore(partition.suspects)
    partition.book.names = names_of(rest["names"])
    partition.book.chronic = {key: (last, days) for key, last, days in rest["chronic"]}
    partition.book.relapses = {key: Relapse(*state) for key, *state in rest["relapses"]}
    if params.judge.hot:
        _take_hot(partition, rest)
    if params.figures:
        _take_figures(partition, rest)
    partition.gateways = {name: GatewayClock(*state) for name, *state in rest["gateways"]}
    partition.stamps = coarse(params.stamps, partition.gateways)
    partition.resends = {key: _resend_of(state) for key, *state in rest["resends"]}
    partition.used_later = revive(rest["hindsight"])
    partition.pages = {
        recipient: {template: (platform, at_s) for template, platform, at_s in held}
        for recipient, held in rest["pages"]
    }
    # Maximum number of new recipients until the next tick makes room.
    coming = TICK_OFFSETS - partition.next_offset % TICK_OFFSETS
    make_room(partition.table, coming)
    if partition.table.room < coming:
        raise ValueError(f"rows_max leaves no room beside {len(partition.suspects)} suspects")
    partition.windows.next = rest["window_next"] if same else 0
    if same:
        _take_windows(partition, rest["windows"])
    return partition


def _take_windows(partition: Partition, states: list[Any]) -> None:
    for number, codes, prints, rungs in states:
        tallied = partition.windows.open[number] = Tally()
        tallied.codes = codes
        tallied.prints = np.unpackbits(np.frombuffer(prints, np.uint8)).astype(np.bool_)
        tallied.rungs = list(rungs)


def _suspect_state(suspect: Suspect) -> list[Any]:
    """Return a suspect's state, except what can be derived from its sightings."""
    episode = suspect.episode
    incident = None if episode is None else episode.incident
    return [
        suspect.recipient,
        suspect.name,
        suspect.row,
        list(suspect.sightings),
        _memory_state(suspect),
        suspect.last_s,
        suspect.due_s,
        [(platform, int(stamps)) for platform, stamps in suspect.coarse.items()],
        list(suspect.tainted.items()),
        [
            suspect.bucket_level_milli,
            suspect.bucket_novel,
            suspect.bucket_s,
            suspect.bucket_since_s,
        ],
        None
        if episode is None
        else [
            episode.id,
            episode.since_s,
            episode.opened_s,
            episode.last_flood_s,
            episode.messages,
            int(episode.level),
            episode.mode,
            episode.issued_ms,
            episode.expires_ms,
            episode.chronic,
            [[int(step.level), *step[1:]] for step in episode.path],
        ],
        [
            [(w >> 35, w & _LOW_35) for w in suspect.heard],  # msgpack has 64 bits at most
            list(suspect.refused_ms.items()),
            list(suspect.retried_ms.items()),
            [] if episode is None else list(episode.fresh_ms.items()),
        ],
        _requests_state(suspect.requests),
        list(suspect.places.items()),
        None if incident is None else incident.state(),
        None
        if episode is None or episode.scope is None
        else [episode.scope.pass_ids, episode.scope.pass_prints],
        None if suspect.platforms is None else suspect.platforms.state(),
        [] if episode is None else sorted(episode.named),
    ]


def _requests_state(requests: SecondRequests) -> list[Any]:
    return [
        requests.lease_offset,
        requests.told_ms,
        requests.paced_ms,
        list(requests.first_ms.items()),
        list(requests.passed),
        list(requests.last_ms.items()),
        list(requests.passed_ms.items()),
        list(requests.reopened_ms),
    ]


def _requests_of(state: list[Any]) -> SecondRequests:
    requests = SecondRequests()
    requests.lease_offset, requests.told_ms, requests.paced_ms, first_ms, passed = state[:5]
    requests.first_ms, requests.last_ms, requests.passed_ms = map(dict, (first_ms, *state[5:7]))
    requests.reopened_ms = list(state[7])
    requests.passed = [(at_ms, hot) for at_ms, hot in passed]
    if requests.passed != sorted(requests.passed):
        raise ValueError("what passed, being asked for again, does not ascend")
    return requests


def _take_hot(partition: Partition, rest: dict[str, Any]) -> None:
    """Restore the hot platforms, with the network's list.

    If lists of the network are no longer configured, the partition makes its own list now.
    """
    hot = partition.book.hot = hot_of(rest["hot"])
    state = rest.get("network")
    if partition.network and state is not None:
        hot.take_network(state)
    elif state is not None and state[0] is not None:
        hot.make(partition.next_offset)


def _take_figures(partition: Partition, rest: dict[str, Any]) -> None:
    """Restore the figures of platforms. Snapshots made without figures do not contain them."""
    if "figures" in rest:
        partition.figures = figures_of(rest["figures"])
    if "strangers" in rest:
        partition.strangers = strangers_of(rest["strangers"])


def _memory_state(suspect: Suspect) -> list[Any]:
    memory = suspect.memory
    return [memory.born_day, list(memory.kept), list(memory.once), list(memory.marks)]


def _suspect_of(state: list[Any], repeats: Repeats, *, again: bool) -> Suspect:
    recipient, name, row, sightings, memory, last_s, due_s, coarse, tainted, bucket, held = state[
        :11
    ]
    messages, requests, places, incident, scope, platforms, named = state[11:]
    heard, refused_ms, retried_ms, fresh_ms = messages
    suspect = Suspect(recipient, name, row, list(sightings), Memory(*memory))
    suspect.last_s = last_s
    suspect.due_s = due_s
    suspect.coarse = {platform: ClockClass(stamps) for platform, stamps in coarse}
    suspect.tainted = dict(tainted)
    suspect.heard = [high << 35 | low for high, low in heard]
    suspect.refused_ms = dict(refused_ms)
    suspect.retried_ms = dict(retried_ms)
    suspect.places = dict(places)
    suspect.repeats = repeats
    suspect.requests = _requests_of(requests) if again else SecondRequests()
    suspect.platforms = None if platforms is None else platform_lease_of(platforms)
    (
        suspect.bucket_level_milli,
        suspect.bucket_novel,
        suspect.bucket_s,
        suspect.bucket_since_s,
    ) = bucket
    if held is not None:
        episode_id, since_s, opened_s, *rest, path = held
        episode = suspect.episode = Episode(episode_id, since_s, opened_s)
        (
            episode.last_flood_s,
            episode.messages,
            level,
            episode.mode,
            episode.issued_ms,
            episode.expires_ms,
            episode.chronic,
        ) = rest
        episode.level = Level(level)
        episode.fresh_ms = dict(fresh_ms)
        episode.named = set(named)
        episode.incident = None if incident is None else incident_of(incident)
        if scope is not None:
            episode.scope = Scope("otp", ALWAYS_PASS, *map(tuple, scope))
        episode.path = [Step(Level(step[0]), *step[1:]) for step in path]
        if any(step.rule not in REASONS for step in episode.path):
            raise ValueError("a step of an episode has a rule that nobody knows")
    return suspect


def _resend_state(held: Resend) -> list[Any]:
    opened = None if held.opened is None else [int(held.opened.level), *held.opened[1:]]
    counts = list(held.counts.items())
    return [held.name, held.first_s, held.last_s, held.platform, held.episode_id, counts, opened]


def _resend_of(state: list[Any]) -> Resend:
    name, first_s, last_s, platform, episode_id, counts, opened = state
    held = Resend(name, first_s)
    held.last_s = last_s
    held.platform = platform
    held.episode_id = episode_id
    held.counts = dict(counts)
    held.opened = None if opened is None else Step(Level(opened[0]), *opened[1:])
    if bool(platform) != (held.opened is not None):
        raise ValueError("a re-sending platform without its opening, or the other way round")
    return held
