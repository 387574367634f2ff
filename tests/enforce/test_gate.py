"""The incident at a gateway that asks a gate: real gate, Kafka, worker, and who of them dies.

Where two gates are under load, or programs die, a test is part of `make integration`.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from smpp.pdu.pdu_types import CommandStatus

from detectors.model.records import Action
from streams.cases.log_replay import replay
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.gateways.gate.spool import Spool
from streams.tools.operate.diagnosis import TOGETHER
from streams.wire import decode_ack, decode_action
from streams.wire.partitioner import partition_of
from tests.builders.streams.tools.operate.diagnosis import doctor
from tests.enforce.floods import Flood, Submits, other_traffic, stopped
from tests.enforce.gate_loop import GATEWAY_ID, OK, GateClient, GateLoop, gate_loop
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import END_S, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(1_200)]

LEASE_S = 20


@pytest.fixture(scope="module")
def loop(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateLoop]:
    folder = tmp_path_factory.mktemp("gate")
    with gate_loop(broker, folder, detect={"lease_s": LEASE_S}) as running:
        yield running


def test_the_incident_is_stopped_and_banks_and_other_people_pass(loop: GateLoop) -> None:
    with other_traffic(lambda: GateClient(loop.port)) as statuses:
        *_, run = stopped(loop, 1_100_001, loop.client)
    assert len(statuses) > 5
    assert set(statuses) == {OK}
    assert loop.client.unanswered == 0
    assert set(loop.client.whys) >= {"no_lease", "refuse"}

    wait_until(
        lambda: len(loop.message_ids()) == loop.client.numbered + len(statuses), "all are published"
    )
    for record in loop.published():
        assert record.partition == partition_of(record.key, 4)
        assert record.key.isdigit()
        value = json.loads(record.value)
        if "reported_by" in value:
            assert "text" not in value
    refused = loop.client.whys.count("refuse")
    wait_until(lambda: _acked_refusals(loop) == refused, "the acks say how many")
    assert loop.client.submit(run.victim, "10690099999", "【还没见过】验证码123456") is OK


def _acked_refusals(loop: GateLoop) -> int:
    clients, topic = client_arguments(loop.settings.kafka), loop.settings.topics.acks
    return sum(decode_ack(each.value).refused_count for each in records(clients, topic))


class Turns:
    """A sender whose messages gateways take by turns."""

    def __init__(self, *clients: Submits) -> None:
        self.take(*clients)

    def take(self, *clients: Submits) -> None:
        """Go on by these."""
        self._clients = itertools.cycle(clients)

    def submit(self, recipient: str, sender: str, text: str) -> CommandStatus:
        """Submit by the next."""
        return next(self._clients).submit(recipient, sender, text)

    def wait(self, seconds: float) -> None:
        """Do nothing for so long."""
        time.sleep(max(0.0, seconds))


@pytest.mark.integration
def test_two_gates_for_one_recipient_decide_alike_though_one_s_events_come_late(
    loop: GateLoop,
) -> None:
    """One has no broker, and dies; the next drains its spool when the lease is long there."""
    nowhere = f"127.0.0.1:{free_port()}"
    with loop.another("smsc-2", "late", OTPGUARD_KAFKA_BOOTSTRAP=nowhere) as (gate, late):
        turns = Turns(loop.client, late, late)  # three, as each turn of the flood has two messages
        flood = Flood(loop, 5_200_000, turns)
        flood.go_on_until_refused()
        assert set(late.whys) == {"rebuilding"}
        said = late.ids()
        assert len(said) >= 8
        wait_until(lambda: _spooled(loop.folder / "late") >= len(said), "they are on disk")
        gate.kill()
        assert not said & set(loop.message_ids())
    with loop.another("smsc-2", "late") as (_, late):
        wait_until(lambda: _published(loop, said), "the spool is drained")
        wait_until(late.ready, "the next has read the leases")
        turns.take(loop.client, late, late)
        wait_until(lambda: flood.go_on(3) == 3 and "refuse" in late.whys, "both refuse")
        assert flood.bank_refused == 0
    doubles_change_no_decision(loop)
    values = [record.value for record in loop.published()]
    by_time = sorted(values, key=lambda value: json.loads(value)["event_time_ms"])
    assert _throttled(loop, by_time) == _throttled(loop, values)  # as if none had come late


def _published(loop: GateLoop, ids: set[str]) -> bool:
    return ids <= set(loop.message_ids())


def _spooled(folder: Path) -> int:
    """The events that a process would find that took over now."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(shutil.copytree(folder, Path(name) / "spool"))
        heir = Spool(copy, 1 << 30, 3_600_000)
        try:
            return heir.adopt()
        finally:
            heir.close()


def _throttled(loop: GateLoop, values: list[bytes]) -> set[str]:
    steps = replay(loop.settings, [values])
    return {action.recipient for step in steps for action in step.decisions.actions}


@pytest.mark.integration
def test_a_gate_that_is_replaced_under_load_goes_on_with_its_leases(loop: GateLoop) -> None:
    """Each question is answered, by the old one or the new, which has read the leases by then."""
    victim = Flood(loop, 5_300_000, loop.client)
    victim.go_on_until_refused()
    stop = threading.Event()
    with loop.another("smsc-3", "replaced") as (gate, client):
        assert gate.process is not None
        group, port = gate.process.pid, int(gate.environment["OTPGUARD_GATE_PORT"])
        wait_until(client.ready, "it has read the leases")
        askers = [GateClient(port) for _ in range(4)]

        names = itertools.count()

        def ask(asker: GateClient) -> None:
            while not stop.is_set():
                text = f"【没见过{next(names)}】验证码123456"  # each is a reason to renew the lease
                asker.submit(victim.recipient, "10690099999", text)
                asker.wait(0.01)
            asker.close()

        threads = [threading.Thread(target=ask, args=(each,)) for each in askers]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: all(each.whys for each in askers), "they ask")
            gate.process.send_signal(signal.SIGHUP)
            assert gate.process.wait(END_S) == 0
            before = [len(each.whys) for each in askers]
            wait_until(
                lambda: all(len(a.whys) > n for a, n in zip(askers, before, strict=True)),
                "the successor answers",
            )
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            os.killpg(group, signal.SIGKILL)  # the successor is the group's, not the server's
    whys = Counter(why for each in askers for why in each.whys)
    print(f"{whys.total()} answers: {whys}")
    assert [each.unanswered for each in askers] == [0] * 4
    assert whys["refuse"] > 100
    assert whys["known"] < whys.total() / 100  # some of so many names share a known one's print
    assert whys.keys() <= {"refuse", "known", "no_lease", "over", "again"}  # never "rebuilding"


def test_doctor_refuses_a_second_gate_of_one_gateway(loop: GateLoop) -> None:
    """A gate that starts while the machine is busy publishes later: each waits for the other."""
    with loop.another(GATEWAY_ID, "second") as (_, second):
        for messages in (1, TOGETHER, 1):  # both begin before the middle ones, and end after them
            said = set()
            for client in (loop.client, second):
                before = client.numbered
                for n in range(messages):
                    assert client.submit(f"86137{n:08d}", "10690000123", "您的快递到了") is OK
                said |= client.ids(before)
            wait_until(partial(_published, loop, said), "both have published")
    code, found = doctor(loop.config, "--role", "worker")
    assert (found["sources"]["state"], code) == ("bad", 78)
    assert f"{GATEWAY_ID} (2)" in found["sources"]["says"]


@pytest.mark.integration
@pytest.mark.faults
@pytest.mark.kafka
def test_whoever_dies_the_bank_passes_no_event_is_lost_and_leases_end(
    own_kafka: Callable[..., Broker], tmp_path: Path
) -> None:
    """Kill -9 of gate, worker and broker in the middle of a flood, one after another."""
    broker = own_kafka()
    with gate_loop(broker, tmp_path, detect={"lease_s": 30}) as loop:
        victim = Flood(loop, 5_100_000, loop.client)
        victim.go_on_until_refused()

        time.sleep(0.5)  # past what stands in the gate's memory alone
        sent = loop.client.numbered
        loop.gate.kill()
        loop.client.close()
        assert victim.go_on(5) == 0  # nobody answers: all of it passes
        assert loop.client.unanswered == 6
        loop.gate.start()
        wait_until(loop.rebuilt, "the gate has read the leases")
        victim.go_on_until_refused()
        answered = {f"{loop.client.prefix}-{n}" for n in range(1, sent + 1)}
        wait_until(lambda: _published(loop, answered), "what was answered is published")

        broker.kill()
        known = victim.go_on(20)
        assert known > 0  # under the lease that it holds, Kafka or not
        assert loop.client.unanswered == 6
        first = loop.client.numbered
        time.sleep(0.5)
        loop.gate.kill()  # with the broker away: what it has written is the next one's
        loop.client.close()
        loop.gate.start()
        assert victim.go_on(1) == 0  # rebuilding
        assert loop.client.whys[-1] == "rebuilding"
        broker.restart()
        loop.worker.supervise()  # the broker was away, on a busy machine for over a minute
        wait_until(loop.rebuilt, "the gate has read the leases")
        mine = {f"{loop.client.prefix}-{n}" for n in range(first - 20, first + 3)}
        wait_until(lambda: _published(loop, mine), "all are published")

        victim.go_on_until_refused()
        loop.worker.kill()
        wait_until(lambda: not victim.go_on(1), "the lease ends, with nobody to end it")
        assert victim.bank_refused == 0
        assert loop.counted("gate_failures_total") == 0
        doubles_change_no_decision(loop)


def doubles_change_no_decision(loop: GateLoop) -> None:
    """Live decisions are those of the log without doubles, and of one with nothing but doubles."""
    values = [record.value for record in loop.published()]
    once = list({json.loads(value)["message_id"]: value for value in reversed(values)}.values())
    once.reverse()
    print(f"{len(values)} events in the log, {len(values) - len(once)} of them doubles")
    clients, topic = client_arguments(loop.settings.kafka), loop.settings.topics.throttle
    live = {_episode(decode_action(each.value)) for each in records(clients, topic)}
    assert live
    for log in (values, once, [value for value in once for _ in range(2)]):
        steps = replay(loop.settings, [log])
        assert {_episode(action) for step in steps for action in step.decisions.actions} == live


def _episode(action: Action) -> tuple[str, int | None]:
    return action.recipient, action.opened_ms
