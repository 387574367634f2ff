"""The memory of a flood for months: its messages from THROTTLE on, and what that rested on.

All frozen. No text, and of platforms that pass anyhow (trusted ones, and those that the recipient
knows) no more than their class: whom else somebody deals with is nobody's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from detectors.model.event import Trust
from detectors.model.records import Cause, Mode, Reason, Rung

Fate: TypeAlias = Literal["pass", "refuse"]
ClockName: TypeAlias = Literal["exact", "minute", "jitter_30s", "jitter_120s"]


class FloodMessage(NamedTuple):
    """One message from THROTTLE on; the fields from `platform` on are empty where it passes."""

    offset: int  # in the partition of the record's cause
    at_ms: int  # event time, UTC
    would: Fate  # under the episode's lease, obeyed or not
    novel: bool
    trust: Trust
    gateway: str
    platform: str = ""
    platform_id: int = 0
    sender: str = ""
    account: str = ""
    message_id: str = ""
    lease: int = -1  # offset of the cause of the lease that refuses it; -1: none did


Listed: TypeAlias = tuple[int, int, Fate, bool, int, str, str, int, str, str, str, int]
"""The fields of a `FloodMessage` while it waits: plain, for there are many of them."""


_TRUSTS: Final = tuple(Trust)


def flood_messages(listed: Sequence[Listed]) -> tuple[FloodMessage, ...]:
    """Return them with names for their fields.

    Past the constructor of the named tuple, which takes twice as long: a campaign has a million.

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
    """One platform's first message within a day, before THROTTLE; a known one has no name."""

    at_ms: int
    novel: bool
    trust: Trust
    platform: str = ""
    platform_id: int = 0
    hot: bool = False
    offset: int = -1  # -1: it came before the recipient was a suspect


class KnownPrint(NamedTuple):
    """One platform of the recipient's memory, by its print."""

    print: int
    level: Literal[0, 1, 2]  # it came once; on a second day; is a habit
    last_ms: int  # as far as a row tells it, to the week; 0: it does not


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything that the decision for THROTTLE rested on."""

    reason: Reason
    rungs: tuple[Rung, ...]  # each rule's score beside its bars
    born_ms: int  # first day of the recipient's row
    known: tuple[KnownPrint, ...]  # at most 14
    clock: ClockName  # class of the stamps of the gateway whose message decided
    list_version: int  # offset at which the list of hot platforms was made; 0: there was none


class Unlisted(NamedTuple):
    """Messages of one hour of an episode that are counted and not listed."""

    passed: int
    refused: int


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """Some of the messages of an episode; the first record of an episode says why it began."""

    episode_id: str
    epoch: int
    revision: int  # offset of the cause
    recipient: str
    mode: Mode
    at_ms: int  # of the cause
    first: int  # number of `messages[0]`, counted from 0 in the episode: a gap shows
    messages: tuple[FloodMessage, ...]  # oldest first in the log; at most 64
    unlisted: Unlisted | None  # since the record before
    basis: Basis | None  # of the first record alone, as what follows
    earlier: tuple[EarlierSighting, ...]
    cause: Cause
    version: str
    config: str
