"""What runs beside a test or a measure, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.waiting import END_S, wait_until


@contextmanager
def meanwhile(
    do: Callable[[threading.Event], object], ready: threading.Event | None = None
) -> Iterator[None]:
    """Do it while the block runs, until the event that it is given is set.

    The block begins when `ready` is set. Whatever ends the thread before, fails the test.
    """
    over = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            do(over)
        except BaseException as error:  # noqa: BLE001 - told by the test's thread
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        if ready is not None:
            wait_until(lambda: ready.is_set() or failed, "it is ready")
        yield
    finally:
        over.set()
        thread.join(END_S)
        assert not failed, failed
        assert not thread.is_alive()
