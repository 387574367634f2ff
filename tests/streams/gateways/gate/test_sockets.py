"""Where a gate listens, and how the place changes hands."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from streams.common.errors import ConfigError, UnavailableError
from streams.gateways.gate.sockets import HANDED, Address, listeners, names
from tests.ports import free_port


def at(path: Path | None = None, port: int | None = None, mode: int = 0o660) -> Address:
    return Address(path, mode, "127.0.0.1", port)


def talks(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_a_socket_has_the_rights_that_were_asked_for_and_takes_the_place_of_one_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "gate.sock"
    [old] = listeners(at(path), {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with socket.socket(socket.AF_UNIX) as early:
        early.connect(str(path))
        [new] = listeners(at(path, mode=0o600), {})
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        old.setblocking(True)
        old.settimeout(60)
        old.accept()[0].close()  # who came before is still answered by the old one
    assert talks(path)
    assert names([new]) == [str(path)]
    assert [each.name for each in tmp_path.iterdir()] == ["gate.sock"]
    old.close()
    new.close()


def test_what_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "gate.sock"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="no socket"):
        listeners(at(path), {})
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["nowhere/gate.sock", "x" * 200])
def test_a_path_that_cannot_be_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"gate\.socket"):
        listeners(at(tmp_path / name), {})


def test_a_port_may_be_shared_with_a_successor_and_with_nobody_else() -> None:
    port = free_port()
    [first] = listeners(at(port=port), {})
    [second] = listeners(at(port=port), {})
    assert names([first, second]) == [f"127.0.0.1:{port}"] * 2
    first.close()
    second.close()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(UnavailableError, match="in use"):
            listeners(at(port=port), {})


def test_nowhere_to_listen_is_wrong() -> None:
    with pytest.raises(ConfigError, match="neither"):
        listeners(at(), {})


def test_sockets_that_are_handed_over_are_taken_in_place_of_new_ones(tmp_path: Path) -> None:
    [old] = listeners(at(tmp_path / "gate.sock"), {})
    copy = os.dup(old.fileno())
    [new] = listeners(at(tmp_path / "other.sock"), {HANDED: str(copy)})
    assert new.getsockname() == old.getsockname()
    assert not (tmp_path / "other.sock").exists()
    old.close()
    assert talks(tmp_path / "gate.sock")
    new.close()


def test_descriptors_that_are_no_sockets_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(ConfigError, match="no socket"):
        listeners(at(), {HANDED: str(file.fileno())})
    with pytest.raises(ConfigError, match="closed"):
        listeners(at(), {HANDED: "999"})


def test_a_supervisor_s_sockets_are_those_of_the_process_that_it_names(tmp_path: Path) -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    [made] = listeners(at(tmp_path / "gate.sock"), environment)
    assert names([made]) == [str(tmp_path / "gate.sock")]
    made.close()
