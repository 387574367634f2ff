"""Loopback ports for the servers that tests start."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PORTS: Final = range(10_000, 20_000)
"""Apart from those of brokers (20,000 and up) and of outgoing connections (32,768 and up). A port
that the kernel picks, and that is given back before the server takes it, can be given to somebody
else meanwhile: Kannel then goes on without its admin port."""

PROCESSES_MAX: Final = 8
"""How many processes of one run have a share of the ports each."""

AT_USUAL_PORTS: Final = tuple(
    f"tests/deploy/{name}.py" for name in ("test_commands", "test_guide", "test_quickstart")
)
"""Files whose tests hold the ports that the guides name. One process has them all: a second one
would spend their minutes waiting for the first."""

_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on now, and that no test of this run was given before."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = PORTS[process % PROCESSES_MAX :: PROCESSES_MAX]
    for port in random.sample(share, len(share)):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    msg = f"no free port between {PORTS.start} and {PORTS.stop}"
    raise OSError(msg)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def usual_ports() -> Iterator[None]:
    """Hold the ports that the guides name, while a test follows one word for word.

    Guides use the machine's own network, which has each port once, and runs of tests share it:
    the next test waits here until this one has ended what it started. Within one run none has to
    (`AT_USUAL_PORTS`).
    """
    with Path(tempfile.gettempdir(), "otpguard-tests-usual-ports").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
