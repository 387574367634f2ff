"""The sockets that a gate listens on: given by a supervisor or a predecessor, or made here.

A process that is replaced hands its listening sockets to the next: the queue of connections that
wait belongs to the socket, so nobody is turned away in between. Where each process makes its own,
a port is shared by SO_REUSEPORT, and a path of a Unix socket changes hands by a rename.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.errors import ConfigError, UnavailableError
from streams.language import tr

FIRST_FD: Final = 3  # systemd's SD_LISTEN_FDS_START
HANDED: Final = "GATE_LISTEN_FDS"
"""The descriptors that a predecessor hands over, `3,4`: systemd's own variables name a process id,
which nobody knows before there is the process."""
BACKLOG: Final = 1_024

_SCRATCH: Final = re.compile(r"\.\d+$")  # of the name that a Unix socket was bound to


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen: a path, a port, or both."""

    path: Path | None
    mode: int  # of the path
    host: str
    port: int | None


def listeners(address: Address, environment: Mapping[str, str]) -> list[socket.socket]:
    """Return the listening sockets.

    Raise ConfigError if there is nowhere to listen, UnavailableError if that place is taken.
    """
    given = _given(environment)
    if given:
        return [_checked(number) for number in given]
    made = []
    if address.path is not None:
        made.append(_unix(address.path, address.mode))
    if address.port is not None:
        made.append(_tcp(address.host, address.port))
    if not made:
        raise ConfigError(tr("gate: neither a socket nor a port to listen on"))
    return made


def names(sockets: Sequence[socket.socket]) -> list[str]:
    """Return where these listen, for people: a path, or host and port."""
    found = []
    for each in sockets:
        name = each.getsockname()
        at = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else _SCRATCH.sub("", str(name))
        found.append(at)
    return found


def _given(environment: Mapping[str, str]) -> list[int]:
    if handed := environment.get(HANDED):
        return [int(number) for number in handed.split(",")]
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    return list(range(FIRST_FD, FIRST_FD + int(environment.get("LISTEN_FDS", "0"))))


def _checked(number: int) -> socket.socket:
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise ConfigError(
                tr("gate: descriptor {number}, which was handed over, is no socket").format(
                    number=number
                )
            )
    except OSError:
        raise ConfigError(
            tr("gate: descriptor {number} was handed over and is closed").format(number=number)
        ) from None
    given = socket.socket(fileno=number)
    given.setblocking(False)  # noqa: FBT003 - the library's
    given.set_inheritable(False)
    return given


def _unix(path: Path, mode: int) -> socket.socket:
    """Return a socket at the path, in place of any there; who listens on that one can go on."""
    if path.exists() and not path.is_socket():
        raise ConfigError(tr("gate.socket {path} is there, and is no socket").format(path=path))
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        scratch.unlink(missing_ok=True)
        made.bind(str(scratch))
        scratch.chmod(mode)
        made.listen(BACKLOG)
        scratch.replace(path)
    except OSError as error:
        made.close()
        raise ConfigError(f"gate.socket {path}: {error.strerror or error}") from None
    made.setblocking(False)  # noqa: FBT003 - the library's
    return made


def _tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise UnavailableError(
            tr("cannot listen on {host}:{port}: {why}").format(
                host=host, port=port, why=error.strerror
            )
        ) from None
    made.setblocking(False)  # noqa: FBT003 - the library's
    return made
