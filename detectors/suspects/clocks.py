"""Measures how precise the time stamps of each gateway are, from the gateway's own events.

The burst rule works on seconds. A feed that rounds to minutes, or whose clocks disagree, needs
other thresholds (`BURST` in `judge.py`). The measurement depends on the log alone: it samples the
event at every 16th offset.

Only stamps near the gateway's newest stamp are evidence about its clock. A gateway may also flush
a backlog between live messages. The stamps of a backlog are old, but correct.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from detectors.model.fields import Count, TimeMs
from detectors.thresholds import CLOCK_SAMPLES_MIN, GATEWAYS_MAX

SAMPLE_OFFSETS: Final = 16

NEAR_MS: Final = 300_000
"""Maximum distance behind the gateway's newest stamp, in milliseconds, at which a stamp is judged.

Older stamps belong to a backlog. Two stamps of a feed that jitters by two minutes are at most four
minutes apart. One minute is a margin.
"""

ASTRAY_MAX: Final = 16
"""Number of samples in a row, all older than `NEAR_MS`, after which the newest stamp is reset.

Either the newest stamp was wrong, or all that comes is a backlog. Chosen: 16 samples are 256
messages. If half of a gateway's messages are live, only one run in 65,000 is so long.
"""

ASTRAY_RATIO: Final = 4
"""Number of old samples per sample near the newest stamp above which clocks disagree.

Such a gateway has no backlog: its clocks disagree by more than `NEAR_MS`. Simulated: the ratio is
six where clocks jitter by hours, and 3.4 for a backlog of seven in eight messages.
"""


class ClockClass(IntEnum):
    """Precision of a gateway's time stamps, from the finest to the coarsest."""

    EXACT = 0
    MINUTE = 1  # whole minutes: receipts, CMPP Submit_time, many CDR
    JITTER_30S = 2  # errors of up to 30 s
    JITTER_120S = 3  # errors of up to 120 s; the burst rule never throttles on these stamps


@dataclass(frozen=True, slots=True)
class ClockParams:
    """Settings of the clock measurement, and clock classes that the operator gave to gateways."""

    # Gateway -> clock class; takes precedence over the measured class of that gateway.
    gateways: Mapping[str, ClockClass] = field(default_factory=dict)
    # Number of samples at which all counts of a gateway are halved, so that the measurement
    # recognises a repaired clock.
    sample_max: int = 4096


@dataclass(slots=True)
class GatewayClock:
    """The counters of one gateway's clock. Times are in milliseconds."""

    last_ms: TimeMs = 0  # stamp of the last sample near the newest stamp
    samples: Count = 0  # number of samples near the newest stamp; the counters below use these
    minutes: Count = 0  # number of stamps on a whole minute
    back_10s: Count = 0  # number of steps back by over 10 s, from sample to sample
    back_60s: Count = 0  # number of steps back by over 60 s
    newest_ms: TimeMs = 0  # newest stamp so far
    astray: Count = 0  # number of samples over `NEAR_MS` behind the newest stamp
    astray_run: Count = 0  # number of such samples since the last sample near it

    def __post_init__(self) -> None:
        self.newest_ms = max(self.newest_ms, self.last_ms)


def observe(
    params: ClockParams, gateways: dict[str, GatewayClock], gateway: str, event_time_ms: int
) -> None:
    """Record one sample of a gateway's event time.

    Past `GATEWAYS_MAX`, new gateways are ignored.
    """
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
    """Return gateway -> clock class, for gateways whose time stamps are not exact.

    The configured class takes precedence over the measured one.
    """
    measured = {name: _class(gateway) for name, gateway in gateways.items()}
    measured.update(params.gateways)
    return {name: stamps for name, stamps in measured.items() if stamps is not ClockClass.EXACT}


def _class(seen: GatewayClock) -> ClockClass:
    """Return the precision of a gateway's time stamps, by its samples.

    Two independent errors, uniform over +-J, differ by more than x with probability
    (1 - x/2J)**2 / 2 in each direction. So at J = 30 s, 35 % of all steps go back by over 10 s and
    none by over 60 s. At J = 120 s, 28 % go back by over 60 s. If a feed stamps seconds, one stamp
    in 60 is a whole minute.
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
