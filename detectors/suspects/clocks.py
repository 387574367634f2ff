"""The trust that the time stamps of a gateway deserve, measured from its own events.

Pace is judged in seconds; a feed that rounds to minutes, or whose clocks disagree, needs other
bars (`BURST` in `judge.py`). The measurement is a function of the log: it takes the event at every
16th offset.

Only stamps near the gateway's newest say anything about its clock: those of a backlog that it
flushes between live messages are old, and right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from detectors.bars import CLOCK_SAMPLES_MIN, GATEWAYS_MAX

SAMPLE_OFFSETS: Final = 16

NEAR_MS: Final = 300_000
"""A stamp so far behind the gateway's newest is judged; an older one belongs to a backlog. Two
stamps of a feed that jitters by two minutes lie four apart at most, and one is spare."""

ASTRAY_MAX: Final = 16
"""After so many samples in a row that are all older than that, the newest was wrong, or all that
comes is a backlog: the newest begins anew. Chosen: 256 messages; of a gateway with as many live
ones, one run in 65,000 is so long."""

ASTRAY_RATIO: Final = 4
"""A gateway with this many old samples for each one near the newest has no backlog: its clocks
disagree by more than `NEAR_MS`. Simulated: six where they jitter by hours, and still 3.4 for a
backlog of seven in eight messages."""


class ClockClass(IntEnum):
    """From the finest to the coarsest."""

    EXACT = 0
    MINUTE = 1  # whole minutes: receipts, CMPP Submit_time, many CDR
    JITTER_30S = 2
    JITTER_120S = 3  # may not throttle


@dataclass(frozen=True, slots=True)
class ClockParams:
    """Bounds of the measurement, and what the operator knows of its gateways."""

    gateways: Mapping[str, ClockClass] = field(default_factory=dict)  # beats the measurement
    sample_max: int = 4096  # then both counts are halved, so that a repaired clock is believed


class GatewayClock:
    """The measurements of one gateway's clock."""

    __slots__ = (
        "astray",
        "astray_run",
        "back_10s",
        "back_60s",
        "last_ms",
        "minutes",
        "newest_ms",
        "samples",
    )

    def __init__(
        self,
        last_ms: int = 0,
        samples: int = 0,
        minutes: int = 0,
        back_10s: int = 0,
        back_60s: int = 0,
        newest_ms: int = 0,  # the last three are not in checkpoints of format 1
        astray: int = 0,
        astray_run: int = 0,
    ) -> None:
        self.last_ms = last_ms  # of the last sample near the newest
        self.newest_ms = max(newest_ms, last_ms)
        self.astray = astray  # samples long before the newest,
        self.astray_run = astray_run  # and how many of them came last, one after the other
        self.samples = samples  # near the newest, of which all counts below are
        self.minutes = minutes  # stamps on a whole minute
        self.back_10s = back_10s  # steps back by more than 10 s from one sample to the next
        self.back_60s = back_60s

    def state(self) -> list[int]:
        """The arguments that make an equal one."""
        return [
            self.last_ms,
            self.samples,
            self.minutes,
            self.back_10s,
            self.back_60s,
            self.newest_ms,
            self.astray,
            self.astray_run,
        ]


def observe(
    params: ClockParams, gateways: dict[str, GatewayClock], gateway: str, event_time_ms: int
) -> None:
    """Take one sample in."""
    seen = gateways.get(gateway)
    if seen is None:
        if len(gateways) >= GATEWAYS_MAX:
            return
        seen = gateways[gateway] = GatewayClock(event_time_ms)
    if event_time_ms < seen.newest_ms - NEAR_MS:
        seen.astray += 1
        seen.astray_run += 1
        if seen.astray_run < ASTRAY_MAX:
            return
        seen.newest_ms = seen.last_ms = event_time_ms
    seen.astray_run = 0
    seen.newest_ms = max(seen.newest_ms, event_time_ms)
    back_ms = seen.last_ms - event_time_ms
    seen.last_ms = event_time_ms
    seen.samples += 1
    seen.minutes += event_time_ms % 60_000 == 0
    seen.back_10s += back_ms > 10_000
    seen.back_60s += back_ms > 60_000
    if seen.samples + seen.astray >= params.sample_max:
        seen.samples >>= 1
        seen.astray >>= 1
        seen.minutes >>= 1
        seen.back_10s >>= 1
        seen.back_60s >>= 1


def coarse(params: ClockParams, gateways: Mapping[str, GatewayClock]) -> dict[str, ClockClass]:
    """The class of each gateway that is not exact: as told, else as measured."""
    measured = {name: _class(gateway) for name, gateway in gateways.items()}
    measured.update(params.gateways)
    return {name: stamps for name, stamps in measured.items() if stamps is not ClockClass.EXACT}


def _class(seen: GatewayClock) -> ClockClass:
    """Class a gateway by its samples.

    Two independent errors, uniform over +-J, differ by more than x with probability
    (1 - x/2J)**2 / 2 each way: steps back over 10 s are 35 % of all at J = 30 s, and over 60 s
    28 % at J = 120 s but none at 30 s. Whole minutes are one in 60 of a feed that stamps seconds.
    """
    if seen.samples + seen.astray < CLOCK_SAMPLES_MIN:
        return ClockClass.EXACT
    if seen.astray > ASTRAY_RATIO * seen.samples:
        return ClockClass.JITTER_120S
    if seen.back_60s * 10 > seen.samples:
        return ClockClass.JITTER_120S
    if seen.minutes * 2 > seen.samples:
        return ClockClass.MINUTE
    if seen.back_10s * 10 > seen.samples:
        return ClockClass.JITTER_30S
    return ClockClass.EXACT
