"""The memory of a process that takes in polls of many thousand records."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from typing import Final

GC_THRESHOLDS: Final = (200_000, 20, 20)
"""A poll's records are alive together, so Python's default (700) walks them again and again: a
third of the consumer thread's time. What is not in a cycle is freed without the collector."""
M_TRIM_THRESHOLD: Final = -1  # malloc.h
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
KEEP_BYTES: Final = 256 << 20
"""Freed memory that is kept for the next poll: glibc would give a poll's megabytes back and have
the kernel clear them again. Two pairs of runs, on a busy machine, differed by 4 and 6 % of CPU."""
ARENAS_MAX: Final = 1
"""Places that glibc allocates from. It makes each thread its own, up to eight for a core, and each
keeps what its thread freed: 40 to 60 MB of a worker's 500 at 50,000 events/s. Threads seldom wait
for each other at one, for nearly all that allocates holds the interpreter."""
KEEP_S: Final = 60.0
"""The time for which freed memory is kept. For ever, the largest backlog would set what is held."""


def collect_rarely() -> None:
    """Leave what is alive now to no collector, and have the rest looked at seldom."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def keep_freed_memory() -> None:
    """Have glibc keep what is freed, in one place for all threads that are started from here on.

    Does nothing with another C library.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)
        mallopt(M_MMAP_THRESHOLD, KEEP_BYTES // 8)
        mallopt(M_ARENA_MAX, ARENAS_MAX)


async def give_freed_memory_back() -> None:
    """For ever: what is free after so long goes back to the system.

    Young garbage is collected before: a consumer of kafka-python leaves exceptions with their
    frames behind, and with the thresholds above the collector comes for them late.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)
    while True:
        await asyncio.sleep(KEEP_S)
        gc.collect(1)
        await asyncio.to_thread(trim, 0)
