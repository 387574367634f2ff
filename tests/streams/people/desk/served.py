"""A world's console on a port of this machine, for browsers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from streams.people.desk.console_server import ConsoleProtocol
from tests.ports import free_port
from tests.streams.people.desk.world import World
from tests.waiting import wait_until


@contextmanager
def served(folder: Path, **console: Any) -> Iterator[World]:
    """Serve a world until the block ends; its `place.url` is the address."""
    port = free_port()
    world = World(folder, url=f"http://127.0.0.1:{port}", **console)
    with socket.create_server(("127.0.0.1", port)) as sock:
        config = uvicorn.Config(
            world.app, log_config=None, timeout_graceful_shutdown=1, ws="none", http=ConsoleProtocol
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, "the console is up")
        try:
            yield world
        finally:
            server.should_exit = True
            thread.join()
            world.store.close()
