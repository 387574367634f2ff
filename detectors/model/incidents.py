"""Incident records: the messages of a flood since THROTTLE, and the evidence for that decision.

These records are stored for months, so they contain little personal data. They have no message
text. A platform that passes anyway (a trusted platform, or one that the recipient knows) is not
named: which services a person uses is private. All types are immutable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

from detectors.model.event import Trust
from detectors.model.fields import Bounds, Offset, PlatformId, TimeMs
from detectors.model.records import Cause, Mode, Reason, Rung

Fate: TypeAlias = Literal["pass", "refuse"]
ClockName: TypeAlias = Literal["exact", "minute", "jitter_30s", "jitter_120s"]


class FloodMessage(NamedTuple):
    """One message since THROTTLE.

    For a trusted or known platform, the fields from `platform` on are empty.
    """

    offset: int  # in the partition of the record's cause
    at_ms: int  # event time, UTC
    would: Fate  # what the episode's lease decides, whether it is enforced or not
    novel: bool
    trust: Trust
    gateway: str
    platform: str = ""
    platform_id: int = 0
    sender: str = ""
    account: str = ""
    message_id: str = ""
    lease: int = -1  # offset of the event that caused the refusing lease; -1: none refuses it


_TrustCode: TypeAlias = Annotated[int, Bounds(0, len(Trust) - 1)]
Listed: TypeAlias = tuple[
    Offset, TimeMs, Fate, bool, _TrustCode, str, str, PlatformId, str, str, str, Offset,
]  # fmt: skip
"""The fields of a pending `FloodMessage`, as a plain tuple for speed, since there are many."""


_TRUSTS: Final = tuple(Trust)


def flood_messages(listed: Sequence[Listed]) -> tuple[FloodMessage, ...]:
    """Return the messages as named tuples.

    This skips the constructor of the named tuple, which takes twice as long. A campaign has a
    million messages.

    >>> flood_messages([(7, 9, "pass", False, 1, "smsc-1", "", 0, "", "", "", -1)])[0].trust
    <Trust.BANK: 1>
    """
    made, trusts = tuple.__new__, _TRUSTS
    return tuple(
        [
            made(FloodMessage, (a, b, c, d, trusts[e], f, g, h, i, j, k, m))
            for a, b, c, d, e, f, g, h, i, j, k, m in listed
        ]
    )


class EarlierSighting(NamedTuple):
    """A platform's first message of the day in an episode, from before the episode's THROTTLE.

    Only a novel, untrusted platform is named. For other platforms `platform` is empty.
    """

    at_ms: int
    novel: bool
    trust: Trust
    platform: str = ""
    platform_id: int = 0
    hot: bool = False
    offset: int = -1  # -1: the message came before the recipient was judged exactly


class KnownPrint(NamedTuple):
    """One platform of the recipient's memory, by its print (16-bit hash of its id)."""

    print: int
    level: Literal[0, 1, 2]  # 0: it came once; 1: on a second day; 2: it is a habit
    last_ms: int  # time of its last use, to the week; 0: unknown


@dataclass(frozen=True, slots=True)
class Basis:
    """The evidence on which the decision for THROTTLE was based."""

    reason: Reason
    rungs: tuple[Rung, ...]  # each rule's score and thresholds
    born_ms: int  # first day of the recipient's memory
    known: tuple[KnownPrint, ...]  # at most 14
    clock: ClockName  # clock class of the gateway that delivered the deciding message
    list_version: int  # offset at which the list of abused platforms was made; 0: none


class Unlisted(NamedTuple):
    """Number of messages since the previous record that were counted but not listed."""

    passed: int
    refused: int


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """Some of the messages of an episode. The first record also says why THROTTLE was decided."""

    episode_id: str
    epoch: int
    revision: int  # offset of the cause
    recipient: str
    mode: Mode
    at_ms: int  # time of the cause
    first: int  # index of `messages[0]` in the episode, from 0; shows whether a record is missing
    messages: tuple[FloodMessage, ...]  # in log order; at most 64
    unlisted: Unlisted | None  # messages since the previous record that are not listed
    basis: Basis | None  # only in the first record
    earlier: tuple[EarlierSighting, ...]  # only in the first record
    cause: Cause
    version: str
    config: str
