"""The gate's listening sockets: inherited from a supervisor or predecessor, or created here.

A process that is replaced passes its listening sockets to the next process. Waiting connections
belong to the socket, so none is rejected in between. If each process creates its own sockets, a
port is shared with SO_REUSEPORT, and a Unix socket path is taken over by a rename.
"""

import os
import re
import socket
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.common import ConfigError, UnavailableError, tr

FIRST_FD: Final = 3  # systemd's SD_LISTEN_FDS_START
HANDED: Final = "GATE_LISTEN_FDS"
"""Variable with the descriptors that a predecessor passes on, such as `3,4`. systemd's variables
cannot be used: they contain a process id that is unknown before the process starts."""
BACKLOG: Final = 1_024

# suffix of the temporary name that a Unix socket was bound to
_SCRATCH: Final = re.compile(r"\.\d+$")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a Unix socket path, a TCP port, or both."""

    path: Path | None
    mode: int  # file mode of the path
    host: str
    port: int | None


def listeners(address: Address, environment: Mapping[str, str]) -> list[socket.socket]:
    """Return the listening sockets.

    Raise ConfigError if no address is configured, and UnavailableError if the address is in use.
    """
    given = _list_inherited(environment)
    if given:
        return [_check_socket(number) for number in given]
    made = []
    if address.path is not None:
        made.append(_unix(address.path, address.mode))
    if address.port is not None:
        made.append(_tcp(address.host, address.port))
    if not made:
        raise ConfigError(tr("gate: neither a socket nor a port to listen on"))
    return made


def names(sockets: Sequence[socket.socket]) -> list[str]:
    """Return the addresses of the sockets for people: a path, or host and port."""
    addresses = [each.getsockname() for each in sockets]
    return [
        f"{each[0]}:{each[1]}" if isinstance(each, tuple) else _SCRATCH.sub("", str(each))
        for each in addresses
    ]


def _list_inherited(environment: Mapping[str, str]) -> list[int]:
    if handed := environment.get(HANDED):
        return [int(number) for number in handed.split(",")]
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    return list(range(FIRST_FD, FIRST_FD + int(environment.get("LISTEN_FDS", "0"))))


def _check_socket(number: int) -> socket.socket:
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
    given.set_inheritable(False)
    return given


def _unix(path: Path, mode: int) -> socket.socket:
    """Create a socket that replaces any socket at this path; an old listener can continue."""
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
    return made


def _tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=True)
    except OSError as error:
        raise UnavailableError(
            tr("cannot listen on {host}:{port}: {why}").format(
                host=host, port=port, why=os.strerror(error.errno or 0)
            )
        ) from None
    return made
