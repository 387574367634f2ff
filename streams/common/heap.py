"""Memory settings for a process that handles polls of many thousand records."""

import asyncio
import ctypes
import gc
from typing import Final

GC_THRESHOLDS: Final = (200_000, 20, 20)
"""Thresholds of the garbage collector. All records of a poll are alive together. With Python's
default (700) the collector scans them repeatedly, which takes a third of the consumer thread's
time. Objects without cycles are freed without the collector."""
M_TRIM_THRESHOLD: Final = -1  # malloc.h
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
KEEP_BYTES: Final = 256 << 20
"""Amount of freed memory to keep for the next poll. By default glibc returns a poll's megabytes to
the kernel, which must clear them again. In two pairs of runs on a busy machine, this saved 4 and 6
% of CPU."""
ARENAS_MAX: Final = 1
"""Number of glibc memory arenas. By default each thread gets its own, up to eight per core, and
each arena keeps what its thread freed: 40 to 60 MB of a worker's 500 MB at 50,000 events/s. With
one arena threads seldom wait for each other, because nearly all allocating code has the GIL."""
KEEP_S: Final = 60.0
"""How long freed memory is kept. Without this limit, memory use would stay at the level of the
largest backlog."""


def collect_rarely() -> None:
    """Exclude all current objects from garbage collection, and make collections rare."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def keep_freed_memory() -> None:
    """Make glibc keep freed memory, in one arena for all threads started from now on.

    Does nothing with another C library.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)
        mallopt(M_MMAP_THRESHOLD, KEEP_BYTES // 8)
        mallopt(M_ARENA_MAX, ARENAS_MAX)


async def give_freed_memory_back() -> None:
    """Run for ever: return free memory to the system every KEEP_S seconds.

    Young garbage is collected first. A kafka-python consumer leaves exceptions with their frames
    behind. With the thresholds of `collect_rarely`, the collector would free them late.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)
    while True:
        await asyncio.sleep(KEEP_S)
        gc.collect(1)
        await asyncio.to_thread(trim, 0)
