"""The memory of a process: what is collected seldom, and what goes back to the system."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import pytest

from streams.common import heap


@pytest.fixture(autouse=True)
def _pythons_own() -> object:
    """The collector as Python starts with it: the test process itself collects rarely."""
    before = gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_alive_is_left_alone_and_the_rest_is_looked_at_seldom() -> None:
    heap.collect_rarely()
    assert gc.get_threshold() == heap.GC_THRESHOLDS
    assert gc.get_freeze_count() > 1000


def test_garbage_in_cycles_goes_back_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "KEEP_S", 0.001)
    collected: list[int] = []
    twice = asyncio.Event()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            collected.append(info["generation"])
            if collected.count(1) == 2:
                twice.set()

    async def play() -> None:
        giving = asyncio.ensure_future(heap.give_freed_memory_back())
        await twice.wait()
        giving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await giving

    gc.callbacks.append(note)
    try:
        asyncio.run(play())
    finally:
        gc.callbacks.remove(note)


def test_freed_memory_is_kept_by_a_process_that_says_so() -> None:
    """In a process of its own: what glibc was told holds for good."""
    script = (
        "from streams.common.heap import keep_freed_memory\n"
        "def held():\n"
        "    return int(open('/proc/self/statm').read().split()[1]) * 4096\n"
        "keep_freed_memory()\n"
        "blocks = [bytearray(1 << 20) for _ in range(64)]\n"
        "full = held(); del blocks\n"
        "print(full - held() < 1 << 24)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "True"


@pytest.mark.parametrize("told", [True, False])
def test_threads_share_what_they_free_in_a_process_that_says_so(*, told: bool) -> None:
    """By glibc's own account of its arenas, `malloc_info`, once four threads have used memory."""
    script = (
        "import ctypes, threading\n"
        "from streams.common.heap import keep_freed_memory\n"
        f"if {told}: keep_freed_memory()\n"
        "gate = threading.Barrier(5)\n"
        "def use():\n"
        "    held = [bytearray(100_000) for _ in range(50)]\n"
        "    gate.wait(60)\n"
        "    gate.wait(60)\n"
        "for _ in range(4): threading.Thread(target=use).start()\n"
        "gate.wait(60)\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, 'stdout'))\n"
        "libc.fflush(None)\n"
        "gate.wait(60)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (ran.stdout.count("<heap nr=") == 1) is told
