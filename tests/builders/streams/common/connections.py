"""Builders that test_connections.py shares with other tests."""

from __future__ import annotations

import socket

from tests.waiting import END_S


def closed(connection: socket.socket) -> bool:
    """Wait for the other side to close; what comes before is passed over."""
    connection.settimeout(END_S)
    try:
        while connection.recv(4_096):
            pass
    except ConnectionResetError:
        pass
    return True
