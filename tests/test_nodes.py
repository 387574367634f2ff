"""Brokers of tests: started, ended, and what is said of one that cannot be had."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests import clusters
from tests.nodes import Broker, BrokerError, Node, answers, free_ports, own

SILENCE_S = 0.2  # is no answer, where none will come


def test_a_stopped_broker_leaves_no_process_and_no_folder() -> None:
    with clusters.broker("tansu") as tansu:
        node, port = tansu.nodes[0], tansu.nodes[0].port
        folder = node.log.parent
        pid = tansu.pids[0]
        assert answers("127.0.0.1", port)
    assert not Path("/proc", str(pid)).exists()
    assert not folder.exists()
    assert not answers("127.0.0.1", port)


def test_a_port_in_use_is_named() -> None:
    with clusters.broker("tansu") as tansu, socket.socket() as other:
        tansu.stop()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", tansu.nodes[0].port))
        other.listen()
        with pytest.raises(BrokerError, match=f"port {tansu.nodes[0].port} is in use"):
            tansu.start()


def test_a_broker_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo the disk is full; exit 1"]
    node = Node(command, port=20_001, log=tmp_path / "log")
    broken = Broker("kafka", "broken", "127.0.0.1:20001", [node])
    with pytest.raises(BrokerError, match=r"ended at once(?s:.*)the disk is full"):
        broken.start()


def sleeper(tmp_path: Path) -> Node:
    """A process that answers nobody."""
    command = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
    return Node(command, free_ports(1)[0], tmp_path / "log")


@pytest.mark.parametrize("paused", [False, True])
def test_a_node_ends_also_when_it_stands_still(paused: bool, tmp_path: Path) -> None:
    node = sleeper(tmp_path)
    node.start()
    process = node.process
    assert process is not None
    if paused:
        node.pause()
    node.kill()
    assert process.poll() is not None
    node.stop()  # ending twice is no error
    assert not node.alive


def test_who_does_not_answer_in_time_is_said_with_the_end_of_its_log(tmp_path: Path) -> None:
    node = sleeper(tmp_path)
    node.start()
    try:
        with pytest.raises(BrokerError, match="does not answer"):
            node.await_ready(0)
    finally:
        node.kill()


def test_a_broker_that_was_given_is_not_ours_to_stop() -> None:
    given = Broker("given", "somebody's", "127.0.0.1:9")
    for act in (given.start, given.stop, given.kill, given.pause, given.resume):
        with pytest.raises(BrokerError, match="not ours"):
            act()
    assert (given.pids, str(given)) == ([], "somebody's at 127.0.0.1:9")


def test_a_folder_goes_although_its_broker_never_started() -> None:
    folders = []

    def make(where: Path) -> Broker:
        folders.append(where)
        return Broker("kafka", "broken", "x", [Node(["false"], free_ports(1)[0], where / "log")])

    with pytest.raises(BrokerError, match="ended at once"), own(make, "otpguard-broken-"):
        pass
    assert [folder.exists() for folder in folders] == [False]


def test_ports_are_free_and_different_and_silence_is_no_answer() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", ports[0]))
        silent.listen()
        assert not answers("127.0.0.1", ports[0], timeout_s=SILENCE_S)
    assert not answers("127.0.0.1", ports[1])
