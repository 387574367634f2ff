"""The incident, through a real SMS gateway: what reaches the phone, and what does not.

The 68 messages come within a minute here, not in 35, so that the test ends; `make enforce` sends
them at their own pace, to ten victims.

`make integration` runs this, because six programs work beside Kafka, one of them Jasmin, and leases
have to end. `test_gate.py` has the incident at a gateway that asks a gate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.enforce.floods import OK, REFUSED, Flood, check, incident, other_traffic, time_to_refusal
from tests.enforce.loop import Loop, now_ms, ready
from tests.nodes import Broker
from tests.waiting import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.integration]

LEASE_S = 20


@pytest.fixture(scope="module")
def loop(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    folder = tmp_path_factory.mktemp("loop")
    name = f"loop-{folder.name}-{now_ms()}"
    with Loop(broker, folder, name, {"lease_s": LEASE_S}) as running:
        yield running


def test_the_incident_is_stopped_and_what_the_victim_needs_arrives(loop: Loop) -> None:
    with other_traffic(loop.jasmin.client) as others:
        run = incident(loop, index=1_000_001, seed=1, client=loop.client, pace=50)
        wait_until(lambda: len(others) > 100, "others are served")
    check(run, lambda: len(loop.centre.reached(run.victim)))
    assert set(others) == {OK}  # a second recipient's codes, and everybody else's

    def refused() -> bool:
        """Go on with the flood: how soon it is stopped, `make enforce` says."""
        code = f"【还没见过{next(numbers)}】验证码123456"
        return loop.client.submit(run.victim, "10690099999", code) is REFUSED

    numbers = itertools.count()
    wait_until(refused, "the flood is refused", pause_s=0.1)
    wait_until(lambda: run.victim not in loop.throttled(), "the lease ends")
    assert loop.client.submit(run.victim, "10690099999", "【还没见过】验证码123456") is OK


def test_a_refusal_names_the_message_that_crossed_the_threshold(loop: Loop) -> None:
    """`make enforce ARGS=floods` says how soon it follows."""
    assert time_to_refusal(loop, 2_000_000, loop.client) > 0


@pytest.mark.faults
@pytest.mark.kafka
def test_whoever_dies_the_bank_passes_and_redis_is_as_the_topic_says_in_the_end(
    own_kafka: Callable[..., Broker], tmp_path: Path
) -> None:
    """Kill -9 of adapter, Redis, worker and broker, one after another, in the middle of floods."""
    broker = own_kafka()
    with Loop(broker, tmp_path, f"faults-{now_ms()}", {"lease_s": 60}) as loop:
        victims = [Flood(loop, index, loop.client) for index in range(5_000_000, 5_000_004)]
        for victim in victims:
            victim.go_on_until_refused()
        for blow in (
            loop.adapter.kill,
            loop.redis.kill,
            loop.worker.kill,
            broker.kill,
        ):
            blow()
            for victim in victims:
                victim.go_on(10)  # whatever is down, the gateway answers and the bank passes
            if blow == broker.kill:
                broker.restart()
            for server in (loop.redis, loop.worker, loop.feed, loop.adapter):
                server.supervise()
            for server in (loop.worker, loop.adapter):
                wait_until(lambda: ready(server.port), f"{server.name} is back")  # noqa: B023
            for victim in victims:
                victim.go_on_until_refused()
            wait_until(lambda: loop.held() == loop.expected(), "Redis is as the topic says")
        for victim in victims:
            victim.go_on_until_refused()
            assert victim.bank_refused == 0
            assert 0 < loop.keys.pttl(f"otpguard:throttle:{victim.recipient}") <= 60_000
        loop.worker.kill()
        loop.adapter.kill()
        for victim in victims:  # nobody is left to renew or to end the leases: they end
            wait_until(lambda: victim.recipient not in loop.throttled(), "the lease ends")  # noqa: B023
