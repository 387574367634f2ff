"""Measures how precise the time stamps of each gateway are, from the gateway's own events.

The burst rule works on seconds. A feed that rounds to minutes, or whose clocks disagree, needs
other thresholds (`BURST` in `judge.py`). The measurement depends on the log alone: it samples the
message at every 16th offset.

Only stamps near the gateway's newest stamp are evidence about its clock. A gateway may also flush
a backlog between live messages. The stamps of a backlog are old, but correct.

A clock may also be precise and far behind the clocks of other gateways. Then its lag is constant,
and is added to its stamps.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np

from detectors.model.fields import Count, TimeMs
from detectors.thresholds import CLOCK_SAMPLES_MIN, GATEWAYS_MAX

SAMPLE_OFFSETS: Final = 16

NEAR_MS: Final = 300_000
"""Maximum distance behind the gateway's newest stamp, in milliseconds, at which a stamp is judged.

Older stamps belong to a backlog. Two stamps of a feed that jitters by two minutes are at most four
minutes apart. One minute is a margin.
"""

ASTRAY_MAX: Final = 16
"""Number of consecutive samples, all older than `NEAR_MS`, after which the newest stamp is reset.

Either the newest stamp was wrong, or all that comes is a backlog. Chosen: 16 samples are 256
messages. If half of a gateway's messages are live, only one run in 65,000 is so long.
"""

ASTRAY_RATIO: Final = 4
"""Number of old samples per sample near the newest stamp above which clocks disagree.

Such a gateway has no backlog: its clocks disagree by more than `NEAR_MS`. Simulated: the ratio is
six where clocks jitter by hours, and 3.4 for a backlog of seven in eight messages.
"""


LAG_MOST_MS: Final = 15 * 3_600_000
"""Maximum lag, in milliseconds, that is added: clocks with a wrong time zone are up to 14 hours
behind. The minimum is `NEAR_MS`: a smaller lag delays the burst rule by less than that."""

LAG_NEAR_MS: Final = 60_000
STEADY_MS: Final = 1_800_000
STEADY_SAMPLES: Final = 32
"""A lag is steady if it stays within `LAG_NEAR_MS` of its first value for `STEADY_MS`, in at least
`STEADY_SAMPLES` samples. A backlog's lag shrinks as it is delivered: at 1.1 times the pace at which
it came, by three minutes in half an hour. At a slower pace, its times come apart by less than that
if the lag is added."""

REFERENCE: Final = 16
"""Number of latest samples of all gateways whose newest time is the time now. So a clock that is
right is found if it has a quarter of the messages. Chosen."""


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
    lag_ms: TimeMs = 0  # how far a stamp was behind the newest one: the first of a steady lag
    lag_more_ms: TimeMs = 0  # sum of the differences between later lags and this one
    lag_samples: Count = 0  # number of these samples
    lag_since_ms: TimeMs = 0  # times of the first and the last of them
    lag_until_ms: TimeMs = 0
    lag_stray: Count = 0  # number of samples with another lag since then


def observe(
    params: ClockParams, gateways: dict[str, GatewayClock], samples: Iterable[tuple[int, str]]
) -> None:
    """Update the clocks of gateways from `samples`: (event time in ms, gateway), in log order.

    Past `GATEWAYS_MAX`, new gateways are ignored.
    """
    for at_ms, gateway in samples:
        seen = gateways.get(gateway)
        if seen is None:
            if len(gateways) >= GATEWAYS_MAX:
                continue
            seen = gateways[gateway] = GatewayClock(at_ms, newest_ms=at_ms)
        if at_ms < seen.newest_ms - NEAR_MS:
            seen.astray += 1
            seen.astray_run += 1
            if seen.astray_run < ASTRAY_MAX:
                continue
            seen.newest_ms = seen.last_ms = at_ms
        elif at_ms > seen.newest_ms:
            seen.newest_ms = at_ms
        seen.astray_run = 0
        back_ms = seen.last_ms - at_ms
        seen.last_ms = at_ms
        seen.samples += 1
        seen.minutes += at_ms % 60_000 == 0
        if back_ms > 10_000:
            seen.back_10s += 1
            seen.back_60s += back_ms > 60_000
        if seen.samples + seen.astray >= params.sample_max:
            for name in ("samples", "astray", "minutes", "back_10s", "back_60s"):
                setattr(seen, name, getattr(seen, name) >> 1)


def observe_lags(gateways: Mapping[str, GatewayClock], samples: Sequence[tuple[int, str]]) -> None:
    """Measure how far each gateway's stamps are behind the newest stamp of all gateways.

    `samples`: (time in ms, gateway) of the samples of one tick (4,096 offsets), in log order.
    """
    if len(samples) <= REFERENCE:
        return
    times_ms = np.array([at_ms for at_ms, _ in samples[:-1]])
    newest_ms = np.lib.stride_tricks.sliding_window_view(times_ms, REFERENCE).max(axis=1)
    for (at_ms, gateway), now_ms in zip(samples[REFERENCE:], newest_ms.tolist(), strict=True):
        seen = gateways.get(gateway)
        if seen is None:
            continue
        lag_ms = now_ms - at_ms
        more_ms = lag_ms - seen.lag_ms
        if not -LAG_NEAR_MS <= more_ms <= LAG_NEAR_MS and seen.lag_samples:
            seen.lag_stray += 1
            if seen.lag_stray < ASTRAY_MAX:
                continue
            seen.lag_samples = 0
        if not seen.lag_samples:
            seen.lag_ms, seen.lag_more_ms, seen.lag_since_ms, more_ms = lag_ms, 0, now_ms, 0
        seen.lag_more_ms += more_ms
        seen.lag_samples, seen.lag_until_ms, seen.lag_stray = seen.lag_samples + 1, now_ms, 0


def lagging(gateways: Mapping[str, GatewayClock]) -> dict[str, int]:
    """Return gateway -> lag in ms, for gateways whose clocks are steadily behind the others'.

    The lag is added to the times of such a gateway. So its codes and those of other gateways count
    at the times at which they came.
    """
    steady = {
        name: seen.lag_ms + seen.lag_more_ms // seen.lag_samples
        for name, seen in gateways.items()
        if seen.lag_samples >= STEADY_SAMPLES and seen.lag_until_ms - seen.lag_since_ms >= STEADY_MS
    }
    least_ms = min(steady.values(), default=0)
    return {
        name: lag_ms - least_ms
        for name, lag_ms in steady.items()
        if NEAR_MS < lag_ms - least_ms <= LAG_MOST_MS
    }


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
