"""The incident at a gateway that asks a gate: real gate, Kafka, worker, and who of them dies."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from detectors.model.records import Action
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.demo.brokers import Broker
from streams.operate.replay import replay
from streams.scenarios import Role, generate
from streams.wire import decode_ack, decode_action
from streams.wire.partitioner import partition_of
from tests.enforce.floods import incident, other_traffic
from tests.enforce.gate_loop import OK, REFUSED, GateClient, GateLoop, gate_loop
from tests.enforce.loop import now_ms
from tests.waiting import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(1_200)]

LEASE_S = 20


@pytest.fixture(scope="module")
def loop(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateLoop]:
    folder = tmp_path_factory.mktemp("gate")
    with gate_loop(broker, folder, detect={"lease_s": LEASE_S}) as running:
        yield running


def test_the_incident_is_stopped_and_banks_and_other_people_pass(loop: GateLoop) -> None:
    with other_traffic(lambda: GateClient(loop.port)) as statuses:
        run = incident(loop, index=1_100_001, seed=1, client=loop.client, pace=90)
    print(f"{run.reached.total()} of {run.offered.total()} reached the phone: {run.reached}")
    assert run.reached[Role.BANK] == run.offered[Role.BANK] == 2
    assert run.reached[Role.KNOWN] == run.offered[Role.KNOWN] >= 1
    assert run.reached.total() <= 16
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


class Flood:
    """An endless flood of platforms nobody knows, and the victim's bank in between."""

    def __init__(self, loop: GateLoop, index: int) -> None:
        events = list(generate("A2", index, recipient=index, start_ms=now_ms(), memory=8))
        loop.remember(each.value for each in events if each.truth.scenario == "history")
        self._bank = next(each.value for each in events if each.truth.role is Role.BANK)
        self._flood = itertools.cycle(
            each.value for each in events if each.truth.role is Role.ATTACK
        )
        self.recipient: str = self._bank["recipient"].lstrip("+")
        self._client = loop.client
        self.bank_refused = 0

    def go_on(self, count: int) -> int:
        """Send so many, and the bank's code; returns how many were refused."""
        refused = sum(self._send(next(self._flood)) is REFUSED for _ in range(count))
        self.bank_refused += self._send(self._bank) is REFUSED
        return refused

    def go_on_until_refused(self) -> None:
        def once() -> int:
            time.sleep(0.1)
            return self.go_on(1)

        wait_until(once, "the flood is refused")

    def _send(self, value: dict[str, Any]) -> Any:
        return self._client.submit(self.recipient, value["sender"], value["text"])


@pytest.mark.integration
@pytest.mark.faults
@pytest.mark.kafka
def test_whoever_dies_the_bank_passes_no_event_is_lost_and_leases_end(
    own_kafka: Callable[..., Broker], tmp_path: Path
) -> None:
    """Kill -9 of gate, worker and broker in the middle of a flood, one after another."""
    broker = own_kafka()
    with gate_loop(broker, tmp_path, detect={"lease_s": 30}) as loop:
        victim = Flood(loop, 5_100_000)
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
        wait_until(lambda: answered <= set(loop.message_ids()), "what was answered is published")

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
        wait_until(loop.rebuilt, "the gate has read the leases")
        mine = {f"{loop.client.prefix}-{n}" for n in range(first - 20, first + 3)}
        late = [each for each in mine if each not in set(loop.message_ids())]
        wait_until(lambda: mine <= set(loop.message_ids()), f"all are published: {late}")

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
