"""The console as a process: its address, what keeps it from starting, and its end."""

from __future__ import annotations

import socket
import threading
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from streams.common import connections
from streams.common.errors import UnavailableError
from streams.config import Settings
from streams.config.sections.desk_settings import Console
from streams.people.desk import console_server as module
from streams.people.desk.console_server import ConsoleProtocol, address_of, listening, serve
from streams.telemetry.metrics import Metrics
from tests.builders.streams.common.connections import closed
from tests.ports import free_port
from tests.streams.people.desk.served import served
from tests.waiting import END_S


def settings(**console: Any) -> Settings:
    return Settings(console=Console.model_validate(console))


@pytest.mark.parametrize(
    ("console", "address"),
    [
        ({}, "http://127.0.0.1:4711"),
        ({"host": "::1"}, "http://[::1]:4711"),
        ({"url": "https://desk.example"}, "https://desk.example"),
    ],
)
def test_browsers_come_by_the_address_that_is_said(console: dict[str, str], address: str) -> None:
    assert address_of(settings(**console), 4711) == address


def test_a_port_that_is_taken_is_named() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(UnavailableError) as error:
        listening(settings(port=port))
    assert str(port) in str(error.value)


@pytest.mark.parametrize(
    "error",
    [OverflowError("8613900000009"), PoolTimeoutError("8613900000009"), UnavailableError("away")],
)
def test_whatever_stops_the_indexer_it_begins_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    again, begun = threading.Event(), count()

    def run(stop: threading.Event, _: object) -> None:
        if not next(begun):
            raise error
        again.set()
        stop.wait(END_S)

    indexer = SimpleNamespace(run=run)
    monkeypatch.setattr(module, "indexer_of", lambda *_: indexer)
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    store: Any = None
    with module._indexing(Settings(), store, Metrics("desk")):
        assert again.wait(END_S)
    assert "the index stands still" in caplog.text
    assert "8613900000009" not in caplog.text


def test_without_kafka_it_does_not_start(tmp_path: Path) -> None:
    given = Settings.model_validate(
        {
            "kafka": {"bootstrap": f"127.0.0.1:{free_port()}"},
            "desk": {"store": f"sqlite:///{tmp_path}/desk.db"},
            "console": {"port": 0},
            "http": {"port": 0},
        }
    )
    with pytest.raises(UnavailableError):
        serve(given)


def test_a_connection_that_asks_nothing_ends_at_the_console_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WHOLE_S", 0.2)
    with served(tmp_path) as world:
        desk: Any = world.desk
        config = module._config(desk)
        assert config.http is ConsoleProtocol
        assert config.get_loop_factory() is connections.ServerLoop
        address = world.desk.place.url.rpartition(":")[2]
        with socket.create_connection(("127.0.0.1", int(address))) as idle:
            assert closed(idle)
