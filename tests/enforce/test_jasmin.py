"""The interceptor in a real Jasmin, between a real client and an SMSC that counts."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from smpp.pdu.pdu_types import CommandStatus

from detectors.leases.gateway_rule import Lease
from detectors.model.event import platform_id, platform_print
from detectors.recognise.platform.registry import Registry
from streams.config import Redis
from streams.gateways.enforce.gateway import Order
from streams.gateways.enforce.redis import RedisGateway, connect
from tests.enforce.records import action
from tests.enforce.services import (
    Jasmin,
    Server,
    inside,
    redis_client,
    redis_server,
)
from tests.enforce.smpp_ends import Client, Smsc, smsc
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

VICTIM, OTHER = "8613900000001", "8613900000002"
PORT = "10690000123"
OK, REFUSED = CommandStatus.ESME_ROK, CommandStatus.ESME_RSUBMITFAIL


def code(name: str, number: int = 123456) -> str:
    return f"【{name}】验证码{number}，5分钟内有效，请勿泄露给他人"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class World:
    """Everything that stands between a sender and a phone, and the adapter's hand on Redis."""

    def __init__(self, server: Server, jasmin: Jasmin, centre: Smsc, client: Client) -> None:
        self.server = server
        self.jasmin = jasmin
        self.centre = centre
        self.client = client
        self.gateway = RedisGateway(
            connect(Redis(url=f"redis://127.0.0.1:{server.port}")), Registry.load_shipped()
        )
        self.keys = redis_client(server)

    def hold(self, recipient: str = VICTIM, lasts_ms: int = 600_000, **scope: Any) -> None:
        passes = replace(action().scope, **scope)
        lease = Lease("1:sms.delivery.v1:0:7", now_ms() + lasts_ms, passes)
        self.gateway.apply([Order(recipient, lease)])

    def submit(self, text: str, recipient: str = VICTIM, sender: str = PORT) -> CommandStatus:
        return self.client.submit(recipient, sender, text)

    def reports(self) -> list[dict[str, Any]]:
        return reported(self.keys)


def reported(keys: Any) -> list[dict[str, Any]]:
    return [json.loads(fields[b"value"]) for _, fields in keys.xrange("otpguard:submissions")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("jasmin")
    with ExitStack() as stack:
        centre = stack.enter_context(smsc())
        server = stack.enter_context(redis_server(folder / "redis"))
        jasmin = Jasmin(folder / "jasmin", server.port, centre.port)
        stack.enter_context(jasmin)
        client = stack.enter_context(closing(jasmin.client()))
        world = World(server, jasmin, centre, client)
        with closing(world.keys), closing(world.gateway):

            def reported() -> bool:
                """Send one message more: the first imports the interceptor, which then connects."""
                world.submit("hello", recipient=OTHER)
                return bool(world.reports())

            wait_until(reported, "the interceptor has its Redis", pause_s=0.5)
            yield world


@pytest.fixture
def world(running: World) -> World:
    running.keys.flushall()
    running.centre.arrived.clear()
    return running


def test_a_flood_is_refused_and_the_bank_the_known_and_the_rest_pass(world: World) -> None:
    known, by_print = platform_id("sig:美团"), platform_print(platform_id("sig:某外卖"))
    world.hold(pass_ids=(known,), pass_prints=(by_print,))
    assert world.submit(code("从未见过")) is REFUSED
    passing = [
        code("美团"),
        code("某外卖"),
        code("招商银行"),
        "【从未见过】您的包裹已到驿站，请及时领取",
    ]
    assert [world.submit(text) for text in passing] == [OK] * 4
    assert world.submit("95588您的动态密码654321", sender="95588") is OK
    assert world.submit(code("从未见过"), recipient=OTHER) is OK

    def texts(recipient: str) -> list[str]:
        return [each.text for each in world.centre.reached(recipient)]

    # A message of the test before may come late, so what came is not counted but looked for.
    wait_until(lambda: code("从未见过") in texts(OTHER), "what passes arrives")
    wait_until(lambda: "95588您的动态密码654321" in texts(VICTIM), "and the bank's")
    assert [text for text in texts(VICTIM) if text in passing] == passing
    assert code("从未见过") not in texts(VICTIM)


def test_a_signature_that_claims_a_bank_from_anothers_number_is_no_bank(world: World) -> None:
    world.hold()
    assert world.submit(code("招商银行"), sender="13800138000") is REFUSED


def test_http_says_429_and_nothing_of_a_long_message_gets_through(world: World) -> None:
    world.hold()
    http = urllib3.PoolManager()
    status = {}
    for name, recipient, text in (
        ("code", VICTIM, code("从未见过")),
        ("long", VICTIM, code("从未见过") + "长" * 100),
        ("other", OTHER, code("从未见过") + "长" * 100),
    ):
        fields = {
            "username": Jasmin.USER,
            "password": Jasmin.PASSWORD,
            "to": recipient,
            "from": PORT,
            "coding": "8",
            "hex-content": text.encode("utf-16-be").hex(),
        }
        url = f"http://127.0.0.1:{world.jasmin.http_port}/send"
        status[name] = http.request("GET", url, fields=fields).status
    assert status == {"code": 403, "long": 403, "other": 200}
    wait_until(lambda: len(world.centre.reached(OTHER)) == 2, "both parts arrive")
    assert world.centre.reached(VICTIM) == []
    assert [report["text"] for report in world.reports()][1] == code("从未见过") + "长" * 100


def test_later_parts_share_the_fate_of_their_own_first_and_of_no_message_before(
    world: World,
) -> None:
    world.hold()

    def parts(first: str) -> list[CommandStatus]:
        return [
            world.client.submit_part(VICTIM, PORT, text, part, 2)
            for part, text in enumerate((first, "详情咨询客服"), 1)
        ]

    assert parts(code("从未见过")) == [REFUSED, REFUSED]
    assert parts("【从未见过】您的包裹已到驿站，请及时领取") == [OK, OK]


def test_a_part_of_no_such_message_is_one_message(world: World) -> None:
    """No phone heeds a header that says part 2 of 1; the worker would count no such event."""
    world.hold()
    assert world.client.submit_part(VICTIM, PORT, code("从未见过"), 2, 1) is REFUSED
    (report,) = world.reports()
    assert (report["segment"], report["segments"]) == (1, 1)


def test_every_submission_is_reported_and_refusals_are_counted(world: World) -> None:
    world.hold()
    for _ in range(3):
        world.submit(code("从未见过"))
    world.submit(code("招商银行"))
    world.submit("hello", recipient="+8613900000002")
    reports = world.reports()
    assert [(each["recipient"], each["status"]) for each in reports] == [
        (VICTIM, "refused"),
        (VICTIM, "refused"),
        (VICTIM, "refused"),
        (VICTIM, "accepted"),
        (OTHER, "accepted"),
    ]
    assert reports[3]["text"] == code("招商银行")
    assert reports[3]["gateway_id"] == "jasmin-1"
    assert len({each["message_id"] for each in reports}) == 5
    assert world.gateway.take_refused(["1:sms.delivery.v1:0:7"]) == [3]


def test_a_lease_ends_at_its_time_by_itself(world: World) -> None:
    world.hold(lasts_ms=1_500)
    assert world.submit(code("从未见过")) is REFUSED
    wait_until(lambda: world.submit(code("从未见过")) is OK, "the lease ends")


def test_a_redis_that_is_away_or_frozen_or_full_holds_nobody_back(world: World) -> None:
    world.hold()
    assert world.submit(code("从未见过")) is REFUSED
    world.server.freeze()
    for _ in range(20):
        assert world.submit(code("从未见过")) is OK
    world.server.thaw()
    wait_until(lambda: world.submit(code("从未见过")) is REFUSED, "it is asked again")
    world.keys.config_set("maxmemory", "1")
    assert world.submit(code("从未见过"), recipient=OTHER) is OK
    world.keys.config_set("maxmemory", "0")
    world.server.kill()
    assert world.submit(code("从未见过")) is OK
    world.server.start()
    world.hold()
    wait_until(lambda: world.submit(code("从未见过")) is REFUSED, "it is asked again")


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Server]:
    with redis_server(tmp_path / "redis") as server:
        yield server


def test_the_interceptor_answers_as_gateways_in_other_languages_should(alone: Server) -> None:
    found = json.loads(Path("deploy/gateways/vectors.json").read_text("utf-8"))
    expected = {vector["name"]: vector["passes"] for vector in found["messages"]}
    assert inside(alone, "vectors") == expected


def test_a_name_server_that_does_not_answer_stops_nobody_but_the_look_up(alone: Server) -> None:
    hold(alone, VICTIM)
    said = inside(alone, "lookups", 100)
    assert said == {"early": False, "waited": False, "refused": True}


def test_a_full_redis_costs_reports_and_no_look_up(alone: Server) -> None:
    hold(alone, VICTIM)
    assert inside(alone, "full") == {"answers": [False, True] * 5}


def test_octets_that_an_alphabet_does_not_have_hide_no_message(alone: Server) -> None:
    hold(alone, VICTIM)
    found = inside(alone, "octets")
    assert found.pop("nothing else") == [False, 1]
    assert set(map(tuple, found.values())) == {(True, 1)}, found


def test_half_of_a_bank_s_message_is_not_refused_for_what_it_says(alone: Server) -> None:
    hold(alone, VICTIM)
    for late in (0, 1):  # the lease, which then comes between the parts
        assert inside(alone, "parts", late) == {
            "招商银行": [False, False, True],  # the second once more is no part of it
            "从未见过": [False, True, True],
        }


def test_a_redis_that_answers_in_pieces_holds_one_message_back(alone: Server) -> None:
    hold(alone, VICTIM)
    assert inside(alone, "drip") == {"first": True, "others": 0, "asked": 1}


def hold(server: Server, recipient: str) -> None:
    client = connect(Redis(url=f"redis://127.0.0.1:{server.port}"))
    with closing(RedisGateway(client, Registry.load_shipped())) as gateway:
        gateway.apply([Order(recipient, Lease("a", now_ms() + 600_000, action().scope))])


def test_ten_thousand_hostile_messages_raise_nothing(alone: Server) -> None:
    with closing(
        RedisGateway(connect(Redis(url=f"redis://127.0.0.1:{alone.port}")), Registry.load_shipped())
    ) as gateway:
        lease = Lease("a", now_ms() + 600_000, action().scope)
        gateway.apply([Order(VICTIM, lease), Order("*", lease)])
        said = inside(alone, "fuzz", 10_000, 7)
    assert said["raised"] == []
    assert said["refused"] > 50  # the rule was reached
    assert said["readable"] > 5_000
    with closing(redis_client(alone)) as keys:
        statuses = Counter(report["status"] for report in reported(keys))
    assert statuses["refused"] == said["refused"]


def test_ten_thousand_hostile_messages_raise_nothing_without_redis(alone: Server) -> None:
    alone.kill()
    said = inside(alone, "fuzz", 10_000, 8, environment={})
    assert (said["raised"], said["refused"]) == ([], 0)


def test_the_interceptor_asks_once_a_message_and_nobody_when_redis_is_away(alone: Server) -> None:
    with closing(redis_client(alone)) as keys:
        inside(alone, "time", 3_000, 0)
        commands = keys.info("commandstats")
    assert 3_001 <= commands["cmdstat_evalsha"]["calls"] <= 3_003  # the first loads the script
    alone.freeze()
    frozen = inside(alone, "time", 1_000, 5, environment={})
    alone.thaw()
    alone.kill()
    down = inside(alone, "time", 1_000, 5, environment={})
    for away in (frozen, down):
        assert 1 <= away["tried"] < 100  # in a cool-down of two seconds nobody is asked
