"""Workers, memory and disk that an installation takes, by figures that were measured. Pure.

`tests/bench/README.md` says how, `deploy/README.md` under *Size* what each rests on. They are one
machine's, with two cores and other work on it: measure your own traffic before you buy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from detectors.model.times import DAY_S
from streams.limits import PARTITIONS_MAX

EVENTS_A_WORKER: Final = 32_000
"""A second, on one core: half of the least that one did from recognition to checkpoints (`make
bench`); the other half takes a neighbour's share while it restarts."""

RECIPIENTS_A_PARTITION: Final = 5_000_000
"""Chosen: half of what the guide allows, for the years to come; 16.7 M rows are the end."""

PARTITIONS_MIN: Final = 32
"""But for a trial: they are never expanded in flight."""

TRIAL_EVENTS: Final = 20_000
TRIAL_RECIPIENTS: Final = 2_000_000
TRIAL_PARTITIONS: Final = 4

BASE_BYTES: Final = 620_000_000
"""A worker at 50,000 events/s without recipients. A million more were 769 MB in half an hour."""

OVERFLOW_BYTES: Final = 20
"""Of a recipient in the mean, for platforms of people who use more than their row can hold: 15
after half a year and 22 after two, simulated. A partition holds 32 a row at most."""

RECIPIENT_BYTES: Final = 145 + OVERFLOW_BYTES
"""In memory: 134 to 143 measured without overflow, by the size of the partition."""

ROW_BYTES: Final = 112 + OVERFLOW_BYTES
"""A copied row, while its partition's checkpoint is made; as many bytes are written for it."""

SUSPECT_BYTES: Final = 3_400
SUSPECTS_A_PARTITION: Final = 32_768

CHECKPOINT_BYTES_PER_S: Final = 20_000_000
"""`worker.checkpoint_bytes_per_s`, unless it is set."""

CHECKPOINT_CYCLE_S: Final = 60

CHANGELOG_BYTES: Final = 113 + OVERFLOW_BYTES
"""Of a recipient, live. On disk up to five times that while old segments wait for deletion."""

CHANGELOG_ROOM: Final = 5

EVENT_BYTES: Final = 378
EVENT_BYTES_LZ4: Final = 160
"""On a broker, indexes included, without and with the producer's compression."""


@dataclass(frozen=True, slots=True)
class Size:
    """Needs of so many events a second about so many recipients. Bytes, no GiB.

    All but the first are those of one installation, which has its share of the recipients.
    """

    installations: int  # more than one where one would have more than PARTITIONS_MAX partitions
    workers: int  # of one core each
    partitions: int  # of the input and of the changelog
    memory_bytes: int  # of one worker, while one of its partitions is copied
    memory_attacked_bytes: int  # the same with as many suspects as there can be
    checkpoint_s: int  # a whole cycle of one worker's checkpoints
    changelog_live_bytes: int  # on each replica
    changelog_disk_bytes: int  # the room to keep for it, all replicas together
    input_day_bytes: int  # a day of input, all replicas together
    input_day_lz4_bytes: int


def size_of(events: int, recipients: int, *, replicas: int = 3) -> Size:
    """Sum it up for `events` a second at the busiest, about `recipients`.

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
    """The lowest power of two that is no less: so partitions are a multiple of workers.

    >>> [_power(n) for n in (1, 2, 3, 31, 32, 33)]
    [1, 2, 4, 32, 32, 64]
    """
    return 1 << max(0, least - 1).bit_length()
