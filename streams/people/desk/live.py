"""Event streams of the live list: one query of the store per second for all open pages.

Each page has one stream. Streams per session are limited, because a browser opens only six
connections to a host, and another page would hang. Over the limit, the oldest stream ends.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict, defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Final

from anyio import to_thread
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from streams.cases.outcome import FloodOutcome
from streams.cases.store.answers import CaseLine
from streams.common.errors import OtpguardError
from streams.common.language import current_language, speaking, tr, zone
from streams.people.desk.desk_context import Desk
from streams.people.desk.list_pages import LIVE_MAX, live_rows, live_summary
from streams.people.desk.render import render
from streams.people.desk.rights import DeskRight
from streams.people.desk.visit import RefusedError, Visit

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""Interval in seconds between two queries of the store. A row appears one to two seconds after the
index has it."""

REFRESH_S: Final = 15.0
"""Interval in seconds in which rows are sent again without a change, because their durations grow.
A session that has ended is noticed in the same interval."""

STREAMS_MAX: Final = 2_000

ENDED: Final = "ended"  # Event that makes a page close its stream and not reconnect.


class LiveFeed:
    """Queries the store and notifies all streams when the list has changed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._mark = ""
        self._turn = 0
        self._lines: tuple[CaseLine, ...] = ()
        self._count = 0  # number of all floods; `_lines` has the newest
        self._by: Mapping[FloodOutcome, int] = {}
        self._changed = asyncio.Condition()
        self._looking = asyncio.Lock()
        self._made: dict[tuple[int, str, bool], str] = {}
        self._streams: defaultdict[str, OrderedDict[asyncio.Event, None]] = defaultdict(OrderedDict)

    @property
    def open(self) -> int:
        return sum(map(len, self._streams.values()))

    async def run(self) -> None:
        """Query the store each second while streams are open. Only a cancellation ends the loop."""
        waited = 0.0
        while True:
            try:
                if self._streams:
                    if await self._look(anew=waited >= REFRESH_S):
                        waited = 0
                    self._desk.metrics.put("desk_streams_open", self.open)
            except OtpguardError as error:
                log.warning("the live list stands still: %s", error)
            except Exception:  # a bug must not stop the loop, or no list would update any more
                log.exception("the live list stands still")
            await asyncio.sleep(LOOK_S)
            waited += LOOK_S

    async def _look(self, *, anew: bool) -> bool:
        """Notify all streams if the index has changed, or always with `anew`.

        Return true if they were notified. A lock allows one query at a time; otherwise two queries
        could send the same change twice.
        """
        async with self._looking:
            mark = await to_thread.run_sync(self._desk.store.mark)
            if mark == self._mark and not anew:
                return False
            lines, count = await to_thread.run_sync(self._desk.store.live, LIVE_MAX)
            by = await to_thread.run_sync(self._desk.store.count_floods)
            async with self._changed:
                self._mark, self._lines, self._count, self._by = mark, lines, count, by
                self._turn += 1
                self._made.clear()
                self._changed.notify_all()
            return True

    async def stream(self, visit: Visit) -> Response:
        """Send the rows to one page, now and at each change."""
        if self.open >= STREAMS_MAX:
            raise RefusedError(503, tr("Too many live lists are open; this one is to be reloaded."))
        key = hashlib.sha256(visit.secret.encode()).hexdigest()
        events = self._events(
            key, visit.secret, current_language(), browse=visit.may(DeskRight.BROWSE)
        )
        return EventSourceResponse(events, ping=20)

    async def _events(
        self, key: str, secret: str, tag: str, *, browse: bool
    ) -> AsyncGenerator[ServerSentEvent, None]:
        own, over = self._streams[key], asyncio.Event()
        own[over] = None
        while len(own) > self._desk.settings.console.streams_max:
            own.popitem(last=False)[0].set()
        clock = zone()
        try:
            if self._turn == 0 or self.open == 1:  # the rows may be old: no stream was open
                await self._look(anew=self.open == 1)
            seen = -1
            while not over.is_set():
                if not await self._stands(secret):
                    break
                if seen != self._turn:
                    seen = self._turn
                    yield ServerSentEvent(data=self._html(tag, clock, browse=browse))
                await self._wait(seen)
            yield ServerSentEvent(event=ENDED, data="-")
        finally:
            own.pop(over, None)
            if not own:
                self._streams.pop(key, None)

    async def _stands(self, secret: str) -> bool:
        find = self._desk.store.accounts.session
        return await to_thread.run_sync(lambda: find(secret, touch=False)) is not None

    async def _wait(self, seen: int) -> None:
        """Wait for a change, at most `REFRESH_S`: then the session is checked again."""
        async with self._changed:
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await self._changed.wait_for(lambda: self._turn != seen)

    def _html(self, tag: str, clock: object, *, browse: bool) -> str:
        key = self._turn, tag, browse
        if key not in self._made:
            with speaking(tag, clock):  # type: ignore[arg-type] # what `zone` gave
                now_ms = self._desk.now_ms()
                self._made[key] = render(
                    "rows", now_ms, rows=live_rows(self._lines, now_ms, browse=browse), live=True,
                    summary=live_summary(self._lines, self._count, self._by),
                )  # fmt: skip
        return self._made[key]
