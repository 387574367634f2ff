"""The Redis adapter on a real Redis: keys, ends, counters, outages, a lost memory, rights."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest
import redis
from pydantic import SecretStr

from detectors.leases.gateway_rule import Lease
from detectors.leases.rails import RailParams
from detectors.leases.retry_budget import SecondPasses, most
from detectors.model.event import platform_id
from detectors.model.records import AgainWindow
from detectors.recognise.platform.registry import Registry
from detectors.thresholds import AGAIN_BUDGET_MS
from streams.common.errors import ConfigError
from streams.config import Redis
from streams.gateways.enforce.gateway import GatewayAwayError, Order
from streams.gateways.enforce.reconcile import Reconciler
from streams.gateways.enforce.redis import RedisGateway, connect, translating
from streams.wire import encode_ack
from streams.wire.desired_state import DesiredState
from tests.enforce.records import START_MS, action, override
from tests.enforce.services import Server, redis_client, redis_server
from tests.enforce.settling import settle
from tests.ports import free_port
from tests.waiting import END_S, STILL_S, wait_until

REGISTRY = Registry.load('[bank]\n"招商银行" = {ports = ["95555"]}\n[none]\n"某校" = {}')


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def gateway(server: Server) -> Iterator[RedisGateway]:
    """One that waits for its answers: a Redis that shares its core with other tests is slow."""
    client = connect(Redis(url=f"redis://127.0.0.1:{server.port}"), END_S)
    with closing(RedisGateway(client, REGISTRY)) as made:
        yield made


@pytest.fixture
def look(server: Server) -> Iterator[redis.Redis]:
    with closing(redis_client(server)) as client:
        yield client


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def order(recipient: str, lasts_ms: int = 600_000, name: str = "1:t:0:1") -> Order:
    return Order(recipient, Lease(name, now_ms() + lasts_ms, action(pass_ids=(7,)).scope))


def throttled(look: redis.Redis) -> set[str]:
    return {key.decode().rsplit(":", 1)[-1] for key in look.scan_iter("otpguard:throttle:*")}


def test_a_lease_is_a_key_that_a_script_can_read_and_that_ends_by_itself(
    gateway: RedisGateway, look: redis.Redis
) -> None:
    given = order("8613900000001")
    gateway.apply([given, order("8613900000002", 300)])
    value = json.loads(look.get("otpguard:throttle:8613900000001") or b"")
    assert value == {
        "v": 1,
        "action": "1:t:0:1",
        "until": given.lease.expires_at_ms,
        "category": "otp",
        "trust": ["bank", "government", "carrier", "emergency"],
        "ids": [7],
        "prints": [],
    }
    assert look.pexpiretime("otpguard:throttle:8613900000001") == given.lease.expires_at_ms
    wait_until(lambda: throttled(look) == {"8613900000001"}, "the other's key is gone")


def script(name: str) -> str:
    """A script of Jasmin's interceptor, which only Jasmin's interpreter can import."""
    source = Path("deploy/gateways/jasmin/otpguard_jasmin.py").read_text("utf-8")
    found = re.search(rf'^{name}: Final = """(.*?)"""', source, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_script_lets_pass_what_the_rule_of_all_gateways_does(look: redis.Redis) -> None:
    take, rule, chance = look.register_script(script("AGAIN")), SecondPasses(), Random(7)
    at_ms, passed = START_MS, 0
    for _ in range(400):
        at_ms += chance.randrange(60_000)
        window = AgainWindow(chance.randrange(1, 9), at_ms, at_ms + 1, chance.random() < 0.3)
        args = [window.platform_id, at_ms, AGAIN_BUDGET_MS, most(window)]
        key = f"otpguard:again:1:{int(window.hot)}"
        by_rule = rule.take("1", window, at_ms)
        assert bool(take(keys=[key], args=args)) == by_rule
        passed += by_rule
    assert 40 < passed < 360
    assert 0 < look.pttl("otpguard:again:1:0") <= AGAIN_BUDGET_MS


def test_a_release_takes_the_keys_away_and_counters_are_taken_once(
    gateway: RedisGateway, look: redis.Redis
) -> None:
    gateway.apply([order("8613900000001"), order("8613900000002")])
    assert set(gateway.list_recipients()) == {"8613900000001", "8613900000002"}
    gateway.release(["8613900000001"])
    assert throttled(look) == {"8613900000002"}
    look.set("otpguard:refused:a", 12)
    assert list(gateway.list_counted()) == ["a"]
    assert gateway.take_refused(["a", "b"]) == [12, 0]
    assert gateway.take_refused(["a"]) == [0]


def test_scripts_without_the_registry_find_the_trusted_platforms(
    gateway: RedisGateway, look: redis.Redis
) -> None:
    look.hset("otpguard:trusted", "sig:of an earlier registry", "bank")
    gateway.health()
    assert look.hgetall("otpguard:trusted") == {
        "sig:招商银行".encode(): b"bank",
        b"port:95555": b"bank",
    }


def test_scripts_without_the_registry_find_the_keys_of_brands(
    gateway: RedisGateway, look: redis.Redis
) -> None:
    look.hset("otpguard:keys", "sig:of an earlier registry", "sig:other")
    gateway.health()
    keys = look.hgetall("otpguard:keys")
    assert keys[b"port:95555"] == "sig:招商银行".encode()
    assert keys["sig:واتساب".encode()] == b"sig:whatsapp"
    assert b"sig:of an earlier registry" not in keys
    assert not {"sig:招商银行".encode(), b"sig:whatsapp"} & keys.keys(), "their own keys"


def test_a_redis_that_is_away_is_said_to_be_away_within_its_time_out(server: Server) -> None:
    client = connect(Redis(url=f"redis://127.0.0.1:{server.port}"))
    with closing(RedisGateway(client, REGISTRY)) as gateway:
        server.freeze()  # no answer comes: the time-out alone ends the call
        with pytest.raises(GatewayAwayError):
            gateway.apply([order("8613900000001")])
        server.thaw()
        server.kill()
        with pytest.raises(GatewayAwayError):
            gateway.health()


def test_a_full_redis_is_away_and_not_wrong(gateway: RedisGateway, look: redis.Redis) -> None:
    look.config_set("maxmemory", "1")
    with pytest.raises(GatewayAwayError, match="OutOfMemory"):
        gateway.apply([order("8613900000001")])


def test_a_full_redis_is_told_of_releases(gateway: RedisGateway, look: redis.Redis) -> None:
    """Who was wrongly held stayed so until the lease's end: each look at its health was refused."""
    reconciler = Reconciler(gateway, DesiredState(RailParams()), "redis-1")
    with closing(reconciler):
        reconciler.action(action("8613900000001", at_ms=now_ms()), (0, 0), now_ms())
        settle(reconciler)
        assert throttled(look) == {"8613900000001"}
        known = gateway.health()
        look.config_set("maxmemory", "1")
        with pytest.raises(GatewayAwayError, match="OutOfMemory"):
            gateway.apply([order("8613900000002")])
        assert gateway.health() == known
        word = override(
            "release", "8613900000001", issued_at_ms=now_ms(), expires_at_ms=now_ms() + 600_000
        )
        reconciler.override(word, (1, 0))
        acks = settle(reconciler).acks
        assert [ack.state for ack in acks if ack.why.startswith("release by")] == ["applied"]
        assert throttled(look) == set()


def busy(look: redis.Redis) -> bool:
    """Tell if Redis runs a script for too long to do anything else."""
    try:
        look.ping()
    except redis.ResponseError as error:
        return str(error).startswith("BUSY")
    return False


def test_a_redis_that_runs_somebodys_script_is_away_and_not_wrong(
    gateway: RedisGateway, look: redis.Redis
) -> None:
    gateway.health()
    look.config_set("busy-reply-threshold", "50")

    def spin() -> None:
        with suppress(redis.ResponseError):  # killed
            look.eval("while true do end", 0)

    spinning = threading.Thread(target=spin)
    spinning.start()
    try:
        wait_until(lambda: busy(look), "the script runs")
        for call in (
            lambda: gateway.apply([order("8613900000001")]),
            lambda: gateway.release(["8613900000001"]),
            lambda: gateway.take_refused(["a"]),
            gateway.list_recipients,
            gateway.health,
        ):
            with pytest.raises(GatewayAwayError):
                call()
    finally:
        with closing(redis.Redis(port=look.get_connection_kwargs()["port"])) as another:
            another.script_kill()
        spinning.join()
    assert gateway.apply([order("8613900000001")]) == {}


@pytest.mark.parametrize("code", ["LOADING x", "EXECABORT x", "ERR x", "NOSCRIPT x", "TRYAGAIN x"])
def test_whatever_redis_says_but_that_it_forbids_may_be_over_at_the_next_try(
    code: str,
) -> None:
    with pytest.raises(GatewayAwayError), translating():
        raise redis.ResponseError(code)


def test_keys_that_somebody_else_made_are_taken_away_or_passed_over(
    gateway: RedisGateway, look: redis.Redis
) -> None:
    look.set(b"otpguard:throttle:\xff\xfe", "{}")
    look.lpush("otpguard:throttle:8613900000001", "x")
    look.set(b"otpguard:refused:\xff", 7)
    look.lpush("otpguard:refused:list", "x")
    look.set("otpguard:refused:words", "many")
    look.set("otpguard:refused:below", -3)
    look.set("otpguard:refused:a", 12)
    counted = list(gateway.list_counted())
    assert dict(zip(counted, gateway.take_refused(counted), strict=True)) == {
        "list": 0,
        "words": 0,
        "below": 0,
        "a": 12,
    }
    gateway.apply([order("8613900000001")])
    held = set(gateway.list_recipients())
    assert held == {"8613900000001", "\udcff\udcfe"}
    gateway.release(sorted(held))
    assert list(look.scan_iter("otpguard:throttle:*")) == []


def test_an_adapter_that_finds_such_keys_goes_on(gateway: RedisGateway, look: redis.Redis) -> None:
    look.set(b"otpguard:throttle:\xff\xfe", "{}")
    look.set(b"otpguard:refused:\xff", 7)
    look.lpush("otpguard:refused:list", "x")
    reconciler = Reconciler(gateway, DesiredState(RailParams()), "redis-1")
    reconciler.action(action(at_ms=now_ms()), ("t", 1), now_ms())
    report = settle(reconciler)
    reconciler.close()
    assert throttled(look) == {"8613900000001"}
    for ack in report.acks:
        encode_ack(ack)


def test_a_restart_and_a_flush_are_other_incarnations(
    server: Server, gateway: RedisGateway, look: redis.Redis
) -> None:
    first = gateway.health()
    assert gateway.health() == first
    look.flushall()
    flushed = gateway.health()
    assert flushed != first
    server.kill()
    server.start()
    assert gateway.health() not in {first, flushed}


def test_after_kill_9_of_redis_the_keys_equal_the_book_again(
    server: Server, gateway: RedisGateway, look: redis.Redis
) -> None:
    reconciler = Reconciler(gateway, DesiredState(RailParams()), "redis-1")
    for revision in range(500):
        reconciler.action(
            action(f"86139{revision:08}", revision, at_ms=now_ms()), ("t", revision), now_ms()
        )
    reconciler.override(override("allow", "*", platform="sig:某校", expires_at_ms=None), ("o", 1))
    assert sum(ack.state == "applied" for ack in settle(reconciler).acks) == 501
    server.kill()
    reconciler.action(action("8613800000000", 1000, at_ms=now_ms()), ("t", 1000), now_ms())
    end = time.monotonic() + STILL_S
    while time.monotonic() < end:
        assert reconciler.step(now_ms()).acks == []
        reconciler.wait(0.05)
    server.start()
    settle(reconciler)
    assert throttled(look) == {f"86139{n:08}" for n in range(500)} | {"8613800000000"}
    value = json.loads(look.get("otpguard:throttle:8613800000000") or b"")
    assert value["ids"] == [platform_id("sig:某校")]
    reconciler.close()


def test_the_adapter_needs_no_more_rights_than_the_guide_gives_it(
    server: Server, look: redis.Redis
) -> None:
    guide = Path("deploy/gateways/redis-users.acl").read_text()
    for line in guide.splitlines():
        if line.startswith("user "):
            _, name, *rules = line.replace("<password>", "secret").split()
            look.execute_command("ACL", "SETUSER", name, *rules)  # type: ignore[no-untyped-call]
    mine = Redis(
        url=f"redis://127.0.0.1:{server.port}",
        username="otpguard-adapter",
        password=SecretStr("secret"),
    )
    with closing(RedisGateway(connect(mine), REGISTRY)) as gateway:
        gateway.health()
        gateway.apply([order("8613900000001")])
        assert list(gateway.list_recipients()) == ["8613900000001"]
        gateway.release(["8613900000001"])
        assert gateway.take_refused(["a"]) == [0]
    client = connect(mine)
    with closing(client), pytest.raises(redis.exceptions.NoPermissionError):
        client.get("somebody:else")


def test_over_a_network_redis_is_reached_by_tls_and_by_its_own_authority_alone(
    tmp_path: Path,
) -> None:
    key, mine, another = tmp_path / "key.pem", tmp_path / "mine.pem", tmp_path / "another.pem"
    for certificate in (another, mine):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
    tls = ["--tls-cert-file", mine, "--tls-key-file", key, "--tls-auth-clients", "no"]
    port = free_port()
    server = redis_server(tmp_path / "redis", "--tls-port", str(port), *map(str, tls))
    with server:
        trusting = Redis(url=f"rediss://localhost:{port}", ca_file=mine)
        with closing(RedisGateway(connect(trusting), REGISTRY)) as gateway:
            gateway.apply([order("8613900000001")])
            assert list(gateway.list_recipients()) == ["8613900000001"]
        for wary in (
            Redis(url=f"rediss://localhost:{port}", ca_file=another),
            Redis(url=f"rediss://127.0.0.1:{port}", ca_file=mine),  # another name
        ):
            with (
                closing(RedisGateway(connect(wary), REGISTRY)) as gateway,
                pytest.raises(GatewayAwayError),
            ):
                gateway.health()


def test_a_wrong_password_is_for_a_person_to_mend(server: Server, look: redis.Redis) -> None:
    look.acl_setuser(
        "adapter", enabled=True, passwords=["+right"], keys=["*"], categories=["+@all"]
    )
    wrong = Redis(
        url=f"redis://127.0.0.1:{server.port}", username="adapter", password=SecretStr("wrong")
    )
    with (
        closing(RedisGateway(connect(wrong), REGISTRY)) as gateway,
        pytest.raises(ConfigError),
    ):
        gateway.health()
