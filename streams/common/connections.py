"""Limits for idle connections to the services that run in uvicorn: the desk and the signal.

uvicorn closes a connection that is idle only after a response. It also counts each open connection
against its request limit. So silent connections, or unfinished TLS handshakes, could keep all other
clients out. This module closes the longest idle connections when there are too many, and limits the
time of handshakes.
"""

import asyncio
import math
import time
from typing import Any, ClassVar, Final

import uvloop

WHOLE_S: Final = 5.0  # maximum time until a request is complete
HANDSHAKE_S: Final = 5.0  # maximum time of a TLS handshake; asyncio's default is one minute


class ServerLoop(uvloop.Loop):
    """The services' event loop, with a short timeout for TLS handshakes."""

    async def create_server(self, *args: Any, **more: Any) -> Any:
        """Create a server with the handshake timeout. uvicorn has no setting for this."""
        if more.get("ssl"):
            more["ssl_handshake_timeout"] = HANDSHAKE_S
        return await super().create_server(*args, **more)


class Bounded(asyncio.Protocol):
    """Mixin for a uvicorn protocol class that limits connections. It uses uvicorn's attributes."""

    connections_max: ClassVar[float] = math.inf
    """Maximum number of connections. At this number, or at uvicorn's own limit, the connection that
    is idle for longest is closed."""

    connections: set[Any]
    cycle: Any
    limit_concurrency: int | None
    loop: asyncio.AbstractEventLoop
    transport: Any
    _late: asyncio.TimerHandle | None = None
    heard_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection. If there are too many, close the one that is idle longest."""
        super().connection_made(transport)
        self._note_data(asked=False)
        most = min(self.connections_max, self.limit_concurrency or math.inf)
        if len(self.connections) >= most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Process data. A request that is not complete yet gets a deadline."""
        super().data_received(data)
        self._note_data(asked=self.answering())

    def connection_lost(self, exc: Exception | None) -> None:
        self._note_data(asked=True)
        super().connection_lost(exc)

    def answering(self) -> bool:
        """True if a complete request still waits for its complete response."""
        cycle = self.cycle
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def _make_room(self) -> None:
        idle = [each for each in self.connections - {self} if not each.answering()]
        if idle:
            longest = min(idle, key=lambda each: each.heard_s)
            self.connections.discard(longest)  # removed now, not only when the connection is closed
            longest.transport.abort()

    def _note_data(self, *, asked: bool) -> None:
        """Record the time of the last data, and start or cancel the deadline of a request.

        The deadline counts from the start of the request, however slowly its data arrives.
        """
        self.heard_s = time.monotonic()
        if asked and self._late is not None:
            self._late.cancel()
            self._late = None
        elif not asked and self._late is None:
            # `close` is not used: over TLS it would wait half a minute for the client's close
            # message.
            self._late = self.loop.call_later(WHOLE_S, self.transport.abort)
