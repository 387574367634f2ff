"""An end for connections that ask nothing, for what uvicorn serves: the desk and the signal.

A handshake that is never finished has one too. uvicorn ends an idle connection after an answer
alone, and counts each one as a request where it has a limit of those. So connections that say
nothing would be enough to keep everybody else out.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any, ClassVar, Final

import uvloop

WHOLE_S: Final = 5.0  # for a request to be whole
HANDSHAKE_S: Final = 5.0  # for one of TLS: asyncio's own end is a minute


class ServerLoop(uvloop.Loop):
    """The loop of what is served, which lets no handshake take long."""

    async def create_server(self, *args: Any, **more: Any) -> Any:
        """Listen. uvicorn has no setting for this."""
        if more.get("ssl"):
            more["ssl_handshake_timeout"] = HANDSHAKE_S
        return await super().create_server(*args, **more)


class Bounded(asyncio.Protocol):
    """The part of a protocol that stands before one of uvicorn's, whose attributes it uses."""

    connections_max: ClassVar[float] = math.inf
    """With so many the longest idle has to go; of uvicorn's own limit, if it has one, too."""

    connections: set[Any]
    cycle: Any
    limit_concurrency: int | None
    loop: asyncio.AbstractEventLoop
    transport: Any
    _late: asyncio.TimerHandle | None = None
    heard_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection in; where there are too many the longest idle has to go."""
        super().connection_made(transport)
        self._heard(asked=False)
        most = min(self.connections_max, self.limit_concurrency or math.inf)
        if len(self.connections) >= most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Read on; a request that is not whole has to be so in time."""
        super().data_received(data)
        self._heard(asked=self.answering())

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out."""
        self._heard(asked=True)
        super().connection_lost(exc)

    def answering(self) -> bool:
        """Tell if a whole request is here that has no whole answer yet."""
        cycle = self.cycle
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def _make_room(self) -> None:
        idle = [each for each in self.connections - {self} if not each.answering()]
        if idle:
            longest = min(idle, key=lambda each: each.heard_s)
            self.connections.discard(longest)  # at once, and not only when its end has come
            longest.transport.abort()

    def _heard(self, *, asked: bool) -> None:
        """Note when something came; a request that begins has so long, however it trickles in."""
        self.heard_s = time.monotonic()
        if asked and self._late is not None:
            self._late.cancel()
            self._late = None
        elif not asked and self._late is None:
            # Not `close`: over TLS it would wait half a minute for the other side to say goodbye.
            self._late = self.loop.call_later(WHOLE_S, self.transport.abort)
