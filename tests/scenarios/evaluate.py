"""The quality of detection on the seeded scenarios: many runs of each, packed side by side.

Every run is another recipient of one stream. A row's runs are played in parts, each apart from the
others; a part's seeds are its run numbers, so that the figures depend on the numbers of runs alone.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from detectors.model.times import DAY_S, HOUR_MS
from detectors.suspects.volume import LONGEST_S, VOLUMES, WINDOWS
from detectors.thresholds import (
    BURST_EXACT,
    BURST_NOVEL,
    BURST_WATCH_LEAST,
    COUNT_MIN,
    HOT_BURST,
    HOT_LEAD,
    LEAK_MILLI_S,
    RAW_24H,
    RAW_35MIN,
    RETURN_GAP_MS,
    RETURNS,
    SPACED_2MIN_3H,
    SPACED_5MIN_3H,
    SPACED_10MIN_24H,
    SPACED_50S_3H,
)
from streams.tools.scenarios import (
    DEFAULT_START_MS,
    Labelled,
    Rates,
    Role,
    merge_streams,
    ordinary,
)
from streams.tools.scenarios.labelled_events import Truth
from streams.tools.scenarios.message_writer import HISTORY_DAYS, MessageWriter
from streams.tools.scenarios.platform_profiles import ABUSED, TOOL_PLATFORMS, PlatformProfile, tool
from tests.scenarios.attack_tools import FAST, REPEATED, ROUND, TOOLS
from tests.scenarios.catalog import SCENARIOS, generate
from tests.scenarios.figures import Figures, Interval, wilson
from tests.scenarios.network import play_network
from tests.scenarios.people import CLASSES
from tests.scenarios.play import DAY_MS, play

STAGGER_MS: Final = 7_000
"""Between the starts of two runs of one stream: so that they overlap and do not coincide."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a scenario, its parameters, how many runs make it."""

    label: str
    name: str
    runs: int
    part: int = 500  # runs in one stream
    parameters: dict[str, Any] = field(default_factory=dict)
    confidence_min: float = 0.5
    stride: int = 1  # offsets from one event to the next: of a partition with other traffic
    sifted: bool = False  # after the first part, only runs that could raise an alarm are played
    throttles: bool = False  # only runs that could be throttled are played: WATCH is not counted
    others: int = 0  # people of the same partition, codes of a week, which say what is common
    listed: float | None = None  # the share of the tool's platforms that are hot before; each part
    # has a tool of its own. None: the list is the one that the chain makes
    abused: bool = False  # `ABUSED` is hot
    partitions: int = 1  # with more, a tool of its own for each part; `others` are of all of them
    network: bool = False  # these have the network's list, else each its own
    campaign: int = 0  # so many others were flooded by the tool, two hours before


NETWORK: Final = "the network's list"

TOOL_ROWS: Final = tuple(
    row
    for family, tool in enumerate(TOOLS)
    for row in (
        Row(f"A20 {tool.name}", "A20", 20, 20, {"family": family}),
        Row(f"A21 {tool.name}, campaign of 100", "A21", 1, 1, {"family": family}),
    )
)
"""Floods at the pace of real tools, at one victim and at 100 in turn."""

ATTACKS: Final = (
    Row("A1 incident, 60 platforms", "A1", 6000),
    Row("A1 incident, 40 platforms", "A1", 3000, parameters={"platforms": 40}),
    Row("A2 burst", "A2", 600, part=100),
    Row("A3 wave tool", "A3", 300, part=25),
    Row("A4 low and slow, 60 in 3 h", "A4", 1000),
    Row("A4 low and slow, 96 in 24 h", "A4-day", 1000),
    Row("A5 days", "A5", 60, part=10),
    Row("A6 campaign, 500 recipients", "A6", 2, part=1),
    Row("A7 one platform re-sends", "A7", 300),
    Row("A8 rotation", "A8", 1500),
    Row("A9 mixed senders and languages", "A9", 1500),
    Row("A9 without text", "A9-sender", 1500, confidence_min=0.4),
    Row("A10 sweep, 2,000 recipients", "A10", 2, part=1),
    Row("A11 throttle as a weapon", "A11", 1500),
    Row("A12 smoke screen", "A12", 1500),
    Row("A13 prime 12, then blast", "A13", 600, part=100),
    Row("A13 prime 36, then blast", "A13", 300, 100, {"platforms": 36, "repeats": 10}),
    Row("A13 prime 53 at 60 s", "A13", 300, 100, {"platforms": 53, "gap_s": 60, "repeats": 10}),
    Row("A14 taught memory", "A14", 500, part=100, stride=64),
    Row("A14 taught memory, 14 platforms", "A14", 500, 100, {"memory": 14}, stride=64),
    Row("A18 one shared sender", "A18", 1500),
    *(
        Row(f"{label}: {1 if share == 1 else share:g} of its platforms hot", name, runs, part,
            {**parameters, "tool": 0}, listed=share)
        for label, name, runs, part, parameters in (
            ("A1, 60 platforms", "A1", 800, 50, {}),
            ("A1, 40 platforms", "A1", 400, 50, {"platforms": 40}),
            ("A4, 60 in 3 h", "A4", 2000, 50, {}),
            ("A4, 96 in 24 h", "A4-day", 400, 50, {}),
            ("A6, 20 codes", "A6", 10, 1, {"recipients": 50, "codes": 20}),
            ("A6, 45 codes", "A6", 10, 1, {"recipients": 50, "codes": 45}),
            ("A6, 70 codes", "A6", 10, 1, {"recipients": 50, "codes": 70}),
            ("A15, one in two minutes", "A15", 400, 50, {}),
            ("A17, every platform twice", "A17", 400, 50, {}),
        )
        for share in (0.9, 0.6)
    ),
    *(
        Row(f"A6 campaign of {what} against 500 in 32 partitions, {NETWORK}", "A6", 2, 1,
            {"recipients": 500, "codes": codes}, others=19_200, partitions=32, network=True)
        for what, codes in (("20-70 codes", None), ("20", 20))
    ),
    *(
        Row(f"{label} after a campaign in 8 partitions, {lists}", name, 100, 100, others=4_800,
            partitions=8, campaign=125, network=lists == NETWORK)
        for label, name in (("A15, one in two minutes", "A15"), ("A4, 60 in 3 h", "A4"),
                            ("A4, 96 in 24 h", "A4-day"))
        for lists in (NETWORK, "each with its own list")
    ),
    Row("A15 one in two minutes for two hours, no list", "A15", 400, 50),
    Row("A17 every platform twice, no list", "A17", 400, 50),
    *(
        Row(f"{label}, the victim asks again", name, runs, part,
            {**parameters, "again": 0.7} | ({} if listed is None else {"tool": 0}), listed=listed)
        for label, name, runs, part, parameters, listed in (
            ("A1, 60 platforms: 0.9 hot", "A1", 2000, 50, {}, 0.9),
            ("A1, 60 platforms: no list", "A1", 1000, 100, {}, None),
            ("A2, 150 platforms: 0.9 hot", "A2", 800, 25, {"platforms": 150}, 0.9),
            ("A2: no list", "A2", 400, 50, {}, None),
            ("A5, two hours: 0.9 hot", "A5", 600, 10,
             {"days": 1, "slots": 1, "new_codes": 1, "platforms": 300}, 0.9),
            ("A8 rotation", "A8", 2000, 100, {}, None),
            ("A17, every platform twice: 0.9 hot", "A17", 600, 50, {}, 0.9),
            ("A17, 100 platforms twice: 0.9 hot", "A17", 600, 50, {"platforms": 100}, 0.9),
            ("A17, 100 platforms twice: no list", "A17", 400, 50, {"platforms": 100}, None),
            ("A19, waves that fill the windows: 0.9 hot", "A19", 600, 50, {}, 0.9),
            ("A19, waves that fill the windows: 0.5 hot", "A19", 600, 50, {}, 0.5),
        )
    ),
    *(
        Row(f"A6 campaign of {what}, {where}, list empty", "A6", runs, 1,
            {"recipients": recipients, "codes": codes}, stride=256, others=others)
        for what, codes in (("20-70 codes", None), ("20", 20), ("45", 45), ("70", 70))
        for where, recipients, runs, others in (
            ("500 in one partition", 500, 2, 4000),
            ("16 of 500 in one of 32", 16, 25, 600),
        )
    ),
    *(
        Row(f"A16 poisoned, {share:g} of log-ins aimed at", "A16", 10, 1, {"share": share},
            stride=256, others=600)
        for share in (0.3, 0.5)
    ),
)  # fmt: skip
"""The attacks. A feed without texts is read with the setting for such feeds."""

ABUSED_SHARE: Final = {"abused": 0.05}
"""The share of what people meet that may be hot at most. So the whole list counts in these days."""

LOOK_ALIKES: Final = (
    Row("B1 new phone", "B1", 80_000, 2500, ABUSED_SHARE, sifted=True, abused=True),
    Row("B2 power set-up", "B2", 40_000, 500, ABUSED_SHARE, abused=True),
    Row("B3 festival", "B3", 1_000_000, 10_000, {"ads": 0, **ABUSED_SHARE}, sifted=True,
        abused=True),
    Row("B4 bank retries", "B4", 400_000, part=10_000, sifted=True),
)  # fmt: skip
"""What the rate of false alarms is made of, with ORDINARY: each over 50 million subscriber-days'
worth, so that the upper ends of their intervals add up to less than one in a million. The festivals
come without their advertisements: B8 shows that those are not taken for codes."""

WHAT_IF: Final = (
    Row("B1, half of it known", "B1", 3000, parameters={"novel": 0.5}),
    Row("B2, half of it known", "B2", 3000, parameters={"novel": 0.5}),
    Row("B1, 20 % faster", "B1", 3000, parameters={"gap_s": 72}),
    Row("B2, 20 % faster", "B2", 3000, parameters={"gap_s": 43.2}),
    Row("B1, less even: variation 0.6", "B1", 3000, parameters={"variation": 0.6}),
    Row("B2, less even: variation 0.6", "B2", 3000, parameters={"variation": 0.6}),
    *(
        Row(f"{name}, {what}", name, runs, 500, {**more, **parameters}, abused=True)
        for what, more in (
            ("a twentieth abused, people differ (kappa 10)", {**ABUSED_SHARE, "kappa": 10}),
            ("a tenth abused", {"abused": 0.1}),
            ("a fifth abused", {"abused": 0.2}),
        )
        for name, runs, parameters in (("B1", 5000, {}), ("B2", 3000, {}), ("B3", 5000, {"ads": 0}))
    ),
    Row("B1, 20 % faster, a twentieth abused", "B1", 3000, 500, {"gap_s": 72, **ABUSED_SHARE},
        abused=True),
    Row("B2, 20 % faster, a twentieth abused", "B2", 3000, 500, {"gap_s": 43.2, **ABUSED_SHARE},
        abused=True),
)  # fmt: skip
"""The same if the assumptions about people are wrong."""

OTHERS: Final = (
    Row("B5 shared enterprise number, 7 days", "B5", 2000, part=50),
    Row("B6 test number", "B6", 200, part=50),
    Row("B7 courier pick-up codes", "B7", 500),
    Row("B8 marketing", "B8", 500),
    Row("B9 long messages, double receipts", "B9", 500),
    Row("B10 retries after a refusal", "B10", 500),
    Row("B11 public disposable number", "B11", 20, part=5),
    Row("B12 backlog flush, 500 recipients", "B12", 2, part=1),
    Row("B13 six new platforms a year, 5 years", "B13", 200, part=50, stride=64),
    Row("B6 test number, 7 days", "B6", 100, 50, {"days": 7}),
    Row("B14 tester, 5 days", "B14", 200, part=50),
    Row("B15 courier, 3 days", "B15", 500, part=100),
    Row("B16 migration to a new number", "B16", 500, part=100),
    Row("B17 number that turns shared overnight", "B17", 200, part=50),
    Row("B18 pages that fail and are tried again later", "B18", 2000, part=500),
)
"""Look-alikes whose rate nobody knows, or that a carrier exempts."""

ORDINARY_DAYS: Final = 10
ORDINARY: Final = Row(
    f"ordinary codes, {ORDINARY_DAYS} days", "ordinary", 6_000_000, part=25_000, sifted=True
)
"""Sixty million subscriber-days of ordinary codes, from a first day on which all is novel. A run is
a subscriber."""

SHAPES: Final = {FAST: "fast list", ROUND: "one in 30 s round and round", REPEATED: "9 repeated"}
"""The floods that people of each class are measured under: numbers of tools and their names."""

PEOPLE: Final = tuple(
    Row(f"{classes[memory]}: {shape}", "A20", 80, 20,
        {"family": family, "memory": memory, "own_codes": 9, "bank_codes": 4, **more})
    for classes, more in (
        ({memory: f"{memory} platforms" for memory in CLASSES}, {"wordings": 1, "together": 0}),
        ({memory: f"{memory} platforms, up to three wordings" for memory in CLASSES},
         {"wordings": 3, "together": 0}),
        ({14: "14 platforms, three of them together"}, {"wordings": 1, "together": 3}),
    )
    for memory in classes
    for family, shape in SHAPES.items()
)  # fmt: skip
"""Codes of platforms that a victim knows, and of a bank whose number no registry lists."""

PEOPLE_LABELS: Final = {
    people: tuple(row.label for row in PEOPLE if row.label.startswith(f"{people}: "))
    for people in dict.fromkeys(row.label.partition(":")[0] for row in PEOPLE)
}
"""The rows of each class of people."""

CLASS_DAYS: Final = {
    memory: Row(f"B2 power set-up, {memory} platforms", "B2", 20_000, 2_500,
                {"memory": memory, **ABUSED_SHARE}, abused=True, throttles=True)
    for memory in CLASSES
}  # fmt: skip
"""Power set-ups by class of people. All other look-alikes are taken as the same in all classes:
96 % of their log-ins are novel, whoever logs in, and they are too rarely throttled to be told
apart.
"""

CLASS_ROWS: Final = tuple(CLASS_DAYS.values())

ROWS: Final = (
    *ATTACKS,
    *TOOL_ROWS,
    *PEOPLE,
    *LOOK_ALIKES,
    *CLASS_ROWS,
    *OTHERS,
    *WHAT_IF,
    ORDINARY,
)

_CODES_ALONE: Final = Rates(marketing=0, courier=0, notices=0, personal=0)


def stream(row: Row, first: int, runs: int, *, history: bool = True) -> Iterator[Labelled]:
    """The runs `first` and following of a row, side by side by event time.

    A scenario that is out of order on purpose has a stream to itself.
    """
    apart = runs * 5000 if row.part == 1 else 1  # recipients that one run may take
    own_tool = row.listed is not None or row.partitions > 1
    parameters = {**row.parameters, "tool": first} if own_tool else row.parameters
    sides = [
        generate(
            row.name,
            seed,
            recipient=seed * apart,
            start_ms=DEFAULT_START_MS + (seed - first) * STAGGER_MS,
            history=history,
            **parameters,
        )
        for seed in range(first, first + runs)
    ]
    if row.campaign:
        sides.append(campaign_before(first, row.campaign))
    for n in range(row.others):
        # Half of them in the whole time of the victims' history. With fewer the log had too few
        # codes for a time of its own, and a tenth of that history was passed over as ahead of it.
        days = HISTORY_DAYS if n % 2 else 7
        writer = MessageWriter("others", first, _ELSEWHERE + n)
        sides.append(writer.history(DEFAULT_START_MS, first=days, last=0.1))
    return sides[0] if len(sides) == 1 else merge_streams(*sides)


_ELSEWHERE: Final = 5_000_000  # recipients whom no run takes
_VICTIMS: Final = 6_000_000  # nor these

CAMPAIGN_MS: Final = 2 * HOUR_MS  # so long before the runs it begins


def campaign_before(number: int, recipients: int) -> Iterator[Labelled]:
    """A campaign by the tool of this number, of which nothing is counted."""
    start_ms = DEFAULT_START_MS - CAMPAIGN_MS
    for event in generate(
        "A6", number, recipient=_VICTIMS, start_ms=start_ms, tool=number, recipients=recipients
    ):
        yield Labelled(event.value, replace(event.truth, scenario="history"))


def hot_of(row: Row, first: int) -> Sequence[PlatformProfile] | None:
    """The platforms that are hot in a part, or None where the chain finds them itself."""
    if row.abused:
        return ABUSED
    if row.listed is None:
        return None
    platforms = tool(first, row.parameters.get("platforms", TOOL_PLATFORMS))
    chosen = Random(f"list/{first}").sample(platforms, len(platforms))
    return chosen[: round(row.listed * len(platforms))]


@dataclass(frozen=True, slots=True)
class Part:
    """Some consecutive runs of a row, played apart from its others."""

    row: Row
    first: int
    runs: int

    def play(self) -> Figures:
        """What the runs come to."""
        if self.row.name == ORDINARY.name:
            return play_ordinary(self.first, self.runs)
        if self.row.throttles or (self.row.sifted and self.first):
            return sift_part(self.row, self.first, self.runs)
        return play_part(self.row, self.first, self.runs)


def parts_of(row: Row, scale: float) -> list[Part]:
    """All runs of a row, times `scale`; at least one."""
    runs = max(1, round(row.runs * scale))
    return [Part(row, at, min(row.part, runs - at)) for at in range(0, runs, row.part)]


def play_part(row: Row, first: int, runs: int) -> Figures:
    """Plays runs of a row side by side."""
    figures = Figures()
    if row.partitions > 1:
        from_ms = DEFAULT_START_MS - CAMPAIGN_MS
        events = stream(row, first, runs)
        outcomes = play_network(events, row.partitions, from_ms, listed=row.network)
    else:
        outcomes = play(
            stream(row, first, runs),
            confidence_min=row.confidence_min,
            stride=row.stride,
            hot=hot_of(row, first),
        )
    for outcome in outcomes.values():
        figures.take(outcome)
    return figures


def sift_part(row: Row, first: int, runs: int) -> Figures:
    """Play only the runs that could raise an alarm; the others raise none.

    What could raise one is what happens: a history ends two days before it.
    """
    hot = hot_of(row, first)
    names = frozenset(who.name for who in hot or ())
    kept = [
        stream(row, seed, 1)
        for seed in range(first, first + runs)
        if (
            could_throttle(*outlined(row, seed), names)
            if row.throttles
            else could_matter(stream(row, seed, 1, history=False), names)
        )
    ]
    return _played(kept, runs, row.confidence_min, hot)


def play_ordinary(first: int, subscribers: int) -> Figures:
    """Plays days of ordinary codes of so many people, those that could raise an alarm."""
    events = ordinary(
        subscribers,
        DEFAULT_START_MS,
        first,  # the seed
        first=first,
        duration_ms=ORDINARY_DAYS * DAY_MS,
        rates=_CODES_ALONE,
    )
    by_recipient = defaultdict[str, list[Labelled]](list)
    for event in events:
        by_recipient[event.value["recipient"]].append(event)
    kept = [alone for alone in by_recipient.values() if could_matter(alone)]
    return _played(kept, subscribers, ORDINARY.confidence_min)


def _played(
    kept: Sequence[Iterable[Labelled]],
    recipients: int,
    confidence_min: float,
    hot: Sequence[PlatformProfile] | None = None,
) -> Figures:
    figures = Figures()
    if kept:
        for outcome in play(merge_streams(*kept), confidence_min=confidence_min, hot=hot).values():
            figures.take(outcome)
    figures.recipients = recipients
    return figures


def could_matter(events: Iterable[Labelled], hot: frozenset[str] = frozenset()) -> bool:
    """Whether one recipient's messages could raise it to WATCH, were every platform novel to it.

    If not, they cannot: novelty only adds to the evidence, or takes from the lead of hot platforms,
    of which all count here. All that is no code counts as code here. What remains are the bucket
    over sightings, the counts over a day, and the messages of an hour.
    """
    hot_s: deque[float] = deque()
    seen_s: dict[str, float] = {}
    day_s: deque[float] = deque()
    level, count, last_s = 0.0, 0, 0.0
    hour_s: deque[float] = deque()
    mass = min(bar.watch for _, _, bar in WINDOWS)
    for event in events:
        at_s, platform = event.value["event_time_ms"] / 1000, event.truth.platform
        hour_s.append(at_s)
        while hour_s[0] < at_s - LONGEST_S:
            hour_s.popleft()
        if len(hour_s) >= mass:
            return True
        if at_s - seen_s.get(platform, -math.inf) < DAY_S:
            continue
        seen_s[platform] = at_s
        if platform in hot:
            hot_s.append(at_s)
            while hot_s[0] < at_s - DAY_S - 1:
                hot_s.popleft()
            if len(hot_s) >= HOT_LEAD.watch:
                return True
        day_s.append(at_s)
        while day_s[0] < at_s - DAY_S - 1:
            day_s.popleft()
        gap_s = max(0.0, at_s - last_s - 1)  # stamps are cut to whole seconds
        level = max(0.0, level - LEAK_MILLI_S / 1000 * gap_s)
        count = count + 1 if level else 1
        level, last_s = level + 1, at_s
        if len(day_s) >= COUNT_MIN or (level >= BURST_WATCH_LEAST and count >= BURST_NOVEL.watch):
            return True
    return False


class Outline(MessageWriter):
    """Writes times and platforms alone, which takes a third of the time. It draws as a writer."""

    def own(
        self, at_ms: int, platform: PlatformProfile, role: Role | None = None, **_: Any
    ) -> Labelled:
        """Write a code without its text."""
        self.rng.randrange(min(len(platform.wordings), self.wordings or platform.usual))
        self.rng.randrange(10**platform.digits)
        truth = Truth(role or Role.OTHER, self.scenario, platform.name)
        return Labelled({"event_time_ms": at_ms}, truth)


def outlined(row: Row, seed: int) -> tuple[list[Labelled], frozenset[str]]:
    """Return the outline of what happens in a run, and the names that its person knows."""
    people = ("memory", "wordings", "together")
    own = {name: value for name, value in row.parameters.items() if name not in people}
    writer = Outline(row.name, seed, seed, *map(row.parameters.get, people))
    events = [*SCENARIOS[row.name].write(writer, DEFAULT_START_MS, **own)]
    return events, frozenset(who.name for who in writer.person.known)


THROTTLE_COUNTS: Final = (
    (50, SPACED_50S_3H), (120, SPACED_2MIN_3H), (300, SPACED_5MIN_3H[1]), (600, SPACED_10MIN_24H[1])
)  # fmt: skip
"""Least seconds between two platforms, and the thresholds for these counts."""


def could_throttle(events: Sequence[Labelled], known: frozenset[str], hot: frozenset[str]) -> bool:
    """Whether messages of one evening could throttle, were every platform novel to the recipient.

    Platforms that the person knows take nothing from the lead of the hot ones here. Returns count
    whenever a platform comes again ten minutes later.
    """
    last_s: dict[str, float] = {}
    day_s: list[float] = []
    all_s: list[float] = []
    returned = set[str]()
    level, count, lead = 0.0, 0, 0
    windows = [(int(bar.throttle), ms / 1000 + 1, all_s) for _, ms, bar in (*WINDOWS, *VOLUMES)] + [
        (int(RAW_35MIN.throttle), 35 * 60 + 1, day_s),
        (int(RAW_24H.throttle), DAY_S + 1, day_s),
    ]
    for event in events:
        at_s, platform = event.value["event_time_ms"] / 1000, event.truth.platform
        all_s.append(at_s)
        if platform in last_s:
            if at_s - last_s[platform] >= RETURN_GAP_MS / 1000 - 1:
                returned.add(platform)
        else:
            gap_s = at_s - day_s[-1] - 1 if day_s else 0.0
            day_s.append(at_s)
            lead = lead + 1 if platform in hot else max(0, lead - (platform not in known))
            level = max(0.0, level - LEAK_MILLI_S / 1000 * max(0.0, gap_s))
            count = count + 1 if level else 1
            level += 1
        last_s[platform] = at_s
        if (
            (level >= BURST_EXACT.throttle and count >= BURST_NOVEL.throttle)
            or lead >= HOT_LEAD.throttle
            or (lead >= HOT_BURST and level >= BURST_WATCH_LEAST)
            or any(len(t) >= least and at_s - t[-least] <= span_s for least, span_s, t in windows)
        ):
            return True
    return len(returned) >= RETURNS.throttle or any(
        len(day_s) >= bar.throttle and _spaced(day_s, gap_s) >= bar.throttle
        for gap_s, bar in THROTTLE_COUNTS
    )


def _spaced(times_s: Sequence[float], gap_s: float) -> int:
    """Return the most times that are so far apart, as if no window ended."""
    count, last_s = 0, -math.inf
    for at_s in times_s:
        if at_s - last_s >= gap_s - 1:
            count, last_s = count + 1, at_s
    return count


def per_million(row: Row, figures: Figures, hits: int) -> Interval:
    """A row's alarms per million subscriber-days.

    A look-alike's is the share of its runs, times how often it happens; ordinary traffic's are over
    all its days, and who got no code counts too.
    """
    if row.name == ORDINARY.name:
        return wilson(hits, figures.recipients * ORDINARY_DAYS).scaled(1e6)
    rate = SCENARIOS[row.name].per_subscriber_day
    assert rate is not None, f"nobody knows how often {row.name} happens"
    return wilson(hits, figures.recipients).scaled(rate * 1e6)
