"""Periodic tasks of the indexer: delete old rows, and measure how far the workers are behind."""

from __future__ import annotations

import logging
import time
from typing import Final

from streams.clock import now_ms
from streams.config import Settings
from streams.desk.store.removal import forget
from streams.desk.store.store import CaseStore
from streams.operate.behind import events_behind

log = logging.getLogger(__name__)

FORGET_S: Final = 3_600.0
"""Interval in seconds between two deletions of old rows."""

BEHIND_S: Final = 15.0
"""Interval in seconds between two measurements of the workers' backlog."""


class Chores:
    """Runs the periodic tasks when they are due."""

    def __init__(self, settings: Settings, store: CaseStore) -> None:
        self._settings = settings
        self._store = store
        self._forgot = self._looked = float("-inf")

    def __call__(self) -> None:
        """Run the tasks that are due. The indexer calls this about once a second."""
        now = time.monotonic()
        if now - self._looked >= BEHIND_S:
            self._looked = now
            self._store.note_behind(events_behind(self._settings, now_ms()))
        if now - self._forgot >= FORGET_S:
            self._forgot = now
            rows = forget(self._store, self._settings.desk, now_ms())
            if rows:
                log.info("deleted what is old: %s", dict(rows))
