"""Types of the state that a checkpoint contains beside the recipients' rows.

A checksum proves that the bytes are unchanged, but not that they are a valid state. Another program
version, or a person with write access to the changelog, may have written them. A checkpoint with
other types is refused completely before any part is used. Otherwise it would stop a worker hours
later, and again after every restart.

`detectors.chain.snapshot` creates these values. `detectors.chain.restore` checks that they are
consistent with each other.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict

import msgspec
from msgspec import Meta

from detectors.episodes.platform_lease import PLATFORMS_MAX
from detectors.recipients.overflow import MARKS_MAX, PLACES_MAX
from detectors.recipients.row import BORN, PRINTS
from detectors.recipients.windows import RUNGS

PRINT_BYTES: Final = (1 << 16) // 8

Count = Annotated[int, Meta(ge=0, le=2**53)]
Time = Annotated[int, Meta(ge=-(2**40), le=2**40)]
"""A time in the seconds of `detectors.recipients.row`, or the number of a day, tick or window."""
TimeMs = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Word = Annotated[int, Meta(ge=0)]  # 64-bit value: a sighting or a recipient's key
PlatformId = Annotated[int, Meta(ge=0, lt=2**32)]
Print = Annotated[int, Meta(ge=0, lt=2**16)]
LevelCode = Annotated[int, Meta(ge=0, le=2)]
TrustCode = Annotated[int, Meta(ge=0, le=4)]
Clock = Annotated[int, Meta(ge=0, le=3)]
Mode = Literal["shadow", "enforce"]
Score = int | float
Path = tuple[LevelCode, TimeMs, Count, str, Score, Score]

Bucket = tuple[Time, Count, Time, Time]
Held = tuple[
    str,
    Time,
    Time,
    Time,
    Count,
    LevelCode,
    Mode,
    TimeMs,
    TimeMs,
    bool,
    Annotated[list[Path], Meta(min_length=1)],
]  # an open episode
Day = Annotated[int, Meta(ge=0, le=BORN)]
Memory = tuple[
    Day,
    Annotated[list[Print], Meta(max_length=PLACES_MAX)],
    Annotated[list[Print], Meta(max_length=PRINTS + PLACES_MAX)],
    Annotated[list[Print], Meta(max_length=MARKS_MAX)],
]  # first day, prints of platforms that came on two days, on one day, and marks
Platforms = list[tuple[PlatformId, TimeMs]]
Tainted = list[tuple[PlatformId, Count]]
Heard = list[
    tuple[Word, Word]
]  # each value has more than 64 bits: the bits above the low 35, then the low 35 bits
Requests = tuple[
    Annotated[int, Meta(ge=-1, le=2**63 - 1)],  # offset of the lease
    TimeMs,  # time of the last retry windows, and their time at the mean rate
    TimeMs,
    Platforms,
    list[tuple[TimeMs, bool]],
    Platforms,  # newest refused message, and newest second one that passed, of each platform
    Platforms,
    list[TimeMs],  # first messages of platforms that were refused before
]
Offset = Annotated[int, Meta(ge=-1, le=2**63 - 1)]
ListedMessage = tuple[
    Offset, TimeMs, Literal["pass", "refuse"], bool, TrustCode, str, str, PlatformId, str, str, str,
    Offset,
]  # fmt: skip
IncidentState = tuple[
    Time, Offset, Count, Count, Count, Count, Count, Time, list[ListedMessage]
]  # opened, lease, published, hour, listed, passed, refused, due, messages that wait
PlatformLease = tuple[
    str,
    Platforms,
    Platforms,
    list[tuple[PlatformId, list[TimeMs]]],
    Annotated[list[PlatformId], Meta(max_length=PLATFORMS_MAX)],
    TimeMs,
    TimeMs,
    Offset,
    Mode,
    tuple[str, Score, Score],
]  # id, platforms past a limit and named ones, their codes, refused, times, offset, mode, limit
Suspect = tuple[
    Word,
    str,
    Count,
    list[Word],
    Memory,
    Time,
    Time,
    list[tuple[PlatformId, Clock]],
    Tainted,
    Bucket,
    Held | None,
    tuple[Heard, Platforms, Platforms, Platforms],
    Requests,
    list[tuple[PlatformId, Offset]],
    IncidentState | None,
    tuple[list[PlatformId], list[Print]] | None,  # what the newest lease lets pass: ids, prints
    PlatformLease | None,
    list[PlatformId],  # what a narrow lease refuses
]
Resend = tuple[Word, str, Time, Time, PlatformId, str, list[tuple[PlatformId, Count]], Path | None]
RefusedPlatforms = tuple[Word, Time, list[PlatformId], list[tuple[PlatformId, Time]]]
Gateway = tuple[str, TimeMs, Count, Count, Count, Count, TimeMs, Count, Count]
Rungs = Annotated[list[Count], Meta(min_length=len(RUNGS), max_length=len(RUNGS))]
Prints = Annotated[bytes, Meta(min_length=PRINT_BYTES, max_length=PRINT_BYTES)]
Votes = tuple[Time, list[tuple[Word, Time, Count, bytes]], list[tuple[Word, Time]]]
Base = tuple[tuple[bytes, bytes], bytes, list[PlatformId]]
Listed = tuple[Count, Count, list[PlatformId]]
Network = tuple[
    tuple[TimeMs, TimeMs, bytes, str] | None,  # list of hot platforms: version, end, ids, MAC
    tuple[bool, Time, Time],  # unpublished votes, time of publishing, window of the last base
]
Figured = tuple[Time, bytes, bytes, Annotated[list[Count], Meta(min_length=4, max_length=4)]]
Neighbours = tuple[Time, bytes]


class State(TypedDict):
    """The whole state except the rows. The last three fields exist only if the worker uses them."""

    samples: list[tuple[TimeMs, str]]
    medians_s: list[Time]
    recent_s: list[Time]
    suspects: list[Suspect]
    hot: tuple[Votes, Base, Listed]
    names: list[tuple[PlatformId, str, TrustCode, Count]]
    chronic: list[tuple[Word, Time, Count]]
    gateways: list[Gateway]
    resends: list[Resend]
    hindsight: list[RefusedPlatforms]
    relapses: list[tuple[Word, Time, list[PlatformId], Platforms]]
    pages: list[tuple[Word, list[tuple[Word, PlatformId, Time]]]]
    overflow_open: bool
    repeats: tuple[
        list[tuple[Word, PlatformId, Annotated[list[Time], Meta(min_length=1)]]],
        list[tuple[Word, PlatformId, Time]],
    ]
    window_next: Time
    windows: list[tuple[Time, Count, Prints, Rungs]]
    network: NotRequired[Network]
    figures: NotRequired[Figured]
    strangers: NotRequired[Neighbours]


def check_types(rest: dict[str, Any]) -> dict[str, Any]:
    """Check the types of a decoded state and convert lists to tuples where a type is a tuple.

    Raises ValueError if a value has another type.
    """
    told: dict[str, Any] = msgspec.convert(rest, type=State)
    return told
