"""Estimates the workers, memory and disk that an installation needs, from measured figures. Pure.

`tests/bench/README.md` says how the figures were measured. `deploy/README.md` explains each figure
under *Size*. They come from one machine with two cores that also did other work. Measure your own
traffic before you buy hardware.
"""

import math
from dataclasses import dataclass
from typing import Final

from detectors.model.times import DAY_S
from streams.common.limits import PARTITIONS_MAX

EVENTS_A_WORKER: Final = 32_000
"""Events per second for one worker on one core. This is half of the slowest measured rate, from
recognition to checkpoints (`make bench`). The other half lets a worker take over another worker's
share during a restart."""

RECIPIENTS_A_PARTITION: Final = 5_000_000
"""Chosen: half of what the guide allows, so there is room to grow; the limit is 16.7 M recipients.
"""

PARTITIONS_MIN: Final = 32
"""Minimum number of partitions, except for a trial. Partitions are never added during operation."""

TRIAL_EVENTS: Final = 20_000
TRIAL_RECIPIENTS: Final = 2_000_000
TRIAL_PARTITIONS: Final = 4

BASE_BYTES: Final = 620_000_000
"""Memory in bytes of a worker at 50,000 events/s without its recipients. A worker with a million
recipients used 769 MB after half an hour."""

OVERFLOW_BYTES: Final = 20
"""Mean bytes per recipient for platforms that do not fit into the row of a person who uses many.
Simulated: 11 after half a year, 17 after two years, and up to an eighth more while the array of the
extents grows. A partition stores at most 32 per row."""

RECIPIENT_BYTES: Final = 145 + OVERFLOW_BYTES
"""Memory in bytes per recipient. Measured without the overflow: 134 to 143, depending on the size
of the partition."""

ROW_BYTES: Final = 112 + OVERFLOW_BYTES
"""Bytes per row of the copy that a checkpoint makes of its partition; the checkpoint writes as
many."""

SUSPECT_BYTES: Final = 3_400
SUSPECTS_A_PARTITION: Final = 32_768

CHECKPOINT_BYTES_PER_S: Final = 20_000_000

CHECKPOINT_CYCLE_S: Final = 60

CHANGELOG_BYTES: Final = 113 + OVERFLOW_BYTES
"""Bytes per recipient in the changelog, newest records only. The topic needs up to five times as
much disk while old segments wait for deletion."""

CHANGELOG_ROOM: Final = 5

EVENT_BYTES: Final = 378
EVENT_BYTES_LZ4: Final = 160
"""Bytes per event on a broker, including indexes: without and with the producer's compression."""


@dataclass(frozen=True, slots=True)
class Size:
    """Needs of an installation for a number of events per second and recipients. Bytes, not GiB.

    All fields except `installations` describe one installation, which serves its share of the
    recipients.
    """

    # More than one if a single one would need more than PARTITIONS_MAX partitions.
    installations: int
    workers: int  # With one core each.
    partitions: int  # Partitions of the input; the changelog has as many.
    memory_bytes: int  # Memory of one worker, while one of its partitions is copied.
    memory_attacked_bytes: int  # The same with the maximum number of suspects.
    checkpoint_s: int  # A full cycle of one worker's checkpoints.
    changelog_live_bytes: int  # Newest records of the changelog, on each replica.
    changelog_disk_bytes: int  # Disk space to provide for the changelog, all replicas together.
    input_day_bytes: int  # One day of input, all replicas together.
    input_day_lz4_bytes: int


def size_of(events: int, recipients: int, *, replicas: int = 3) -> Size:
    """Return the needs for `events` per second in the busiest time, and `recipients`.

    >>> found = size_of(100_000, 10_000_000)
    >>> found.workers, found.partitions, found.memory_bytes // 1_000_000
    (4, 32, 1073)
    """
    installations = max(
        math.ceil(events / (EVENTS_A_WORKER * PARTITIONS_MAX)),
        math.ceil(recipients / (RECIPIENTS_A_PARTITION * PARTITIONS_MAX)),
    )
    events, recipients = math.ceil(events / installations), math.ceil(recipients / installations)
    workers = _power(math.ceil(events / EVENTS_A_WORKER))
    trial = events <= TRIAL_EVENTS and recipients <= TRIAL_RECIPIENTS
    least = max(
        TRIAL_PARTITIONS if trial else PARTITIONS_MIN,
        math.ceil(recipients / RECIPIENTS_A_PARTITION),
    )
    partitions = max(workers, _power(least))
    mine = math.ceil(recipients / workers)
    copied = math.ceil(recipients / partitions) * ROW_BYTES
    memory = BASE_BYTES + mine * RECIPIENT_BYTES + copied
    suspects = min(mine, SUSPECTS_A_PARTITION * partitions // workers)
    live = recipients * CHANGELOG_BYTES
    day = events * DAY_S * replicas
    return Size(
        installations=installations,
        workers=workers,
        partitions=partitions,
        memory_bytes=memory,
        memory_attacked_bytes=memory + suspects * SUSPECT_BYTES,
        checkpoint_s=max(CHECKPOINT_CYCLE_S, round(mine * ROW_BYTES / CHECKPOINT_BYTES_PER_S)),
        changelog_live_bytes=live,
        changelog_disk_bytes=live * CHANGELOG_ROOM * replicas,
        input_day_bytes=day * EVENT_BYTES,
        input_day_lz4_bytes=day * EVENT_BYTES_LZ4,
    )


def _power(least: int) -> int:
    """Return the lowest power of two that is at least `least`.

    With powers of two, the partitions are a multiple of the workers.

    >>> [_power(n) for n in (1, 2, 3, 31, 32, 33)]
    [1, 2, 4, 32, 32, 64]
    """
    return 1 << max(0, least - 1).bit_length()
