"""A victim's notice through a real gateway: one, once the lease holds; and what her reply opens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaProducer
from smpp.pdu.pdu_types import CommandStatus

from detectors.thresholds import AGAIN_MOST
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.tools.scenarios import Role, generate
from streams.wire import decode_audit
from tests.builders.enforce.notices import actions, notices_at, sent_at_ms
from tests.enforce.floods import OK, REFUSED
from tests.enforce.loop import Loop, now_ms, ready
from tests.enforce.services import ours
from tests.nodes import Broker
from tests.waiting import STILL_S, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.integration]

HERS = "【等待中的网站】验证码246810"
SENDER = "10690088888"


SETTINGS = """
[notify]
operator = "中国移动"
sender = "10086"
channel = "smpp"
reply = true
reply_to = ["10086"]
reply_gateways = ["msc-1"]
[smpp]
port = {port}
system_id = "esme"
password = "secret"
"""


@pytest.fixture(scope="module")
def loop(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    folder = tmp_path_factory.mktemp("notices")
    made = Loop(broker, folder, f"notices-{now_ms()}", {"lease_s": 600})
    with made:
        with made.config.open("a") as file:
            file.write(SETTINGS.format(port=made.jasmin.smpp_port))
        with ours(made.config, folder, "notifier", "notify", "run") as notifier:
            wait_until(lambda: ready(notifier.port), "the notifier is ready")
            yield made


def test_the_phone_gets_one_notice_and_a_reply_lets_her_own_site_in(loop: Loop) -> None:
    events = list(generate("A1", 1, recipient=7_000_001, start_ms=now_ms(), memory=8))
    past = [each for each in events if each.truth.scenario == "history"]
    loop.remember(each.value for each in past)
    known = {each.truth.platform for each in past}  # of these the flood's codes pass
    attack = [each for each in events if each.truth.role is Role.ATTACK]
    flood = [each.value for each in attack if each.truth.platform not in known]
    bank = next(each.value for each in events if each.truth.role is Role.BANK)
    victim = str(flood[0]["recipient"]).lstrip("+")

    for value in flood:
        if victim in loop.throttled():
            break
        send(loop, victim, value["sender"], value["text"])
        time.sleep(0.2)
    wait_until(lambda: victim in loop.throttled(), "the lease is applied")
    wait_until(lambda: notices_at(loop, victim), "the victim is told", pause_s=0.01)
    (lease, *_) = actions(loop, victim)
    took_s = sent_at_ms(loop, victim) / 1000 - lease / 1000
    print(f"from the first lease to the notice at the SMSC: {took_s:.2f} s")
    assert "您正遭验证码轰炸" in notices_at(loop, victim)[0].text
    assert send(loop, victim, SENDER, HERS) is REFUSED

    for value in flood[-20:]:
        assert send(loop, victim, value["sender"], value["text"]) is REFUSED
    reply(loop, victim, gateway="smpp-7")  # forged by whoever may submit: nothing opens
    time.sleep(STILL_S)
    clients = client_arguments(loop.settings.kafka)
    assert not list(records(clients, loop.settings.topics.override))
    reply(loop, victim, gateway="msc-1")
    wait_until(lambda: send(loop, victim, SENDER, HERS) is OK, "her site passes", pause_s=0.2)
    assert send(loop, victim, SENDER, HERS) is REFUSED  # one code, and no more
    wait_until(lambda: len(notices_at(loop, victim)) == 2, "it is confirmed")
    assert "10分钟内各放行一条" in notices_at(loop, victim)[1].text
    passed = [send(loop, victim, v["sender"], v["text"]) is OK for v in 3 * flood[-20:]]
    assert sum(passed) < AGAIN_MOST  # of the flood, with hers, no more than second requests have
    assert send(loop, victim, str(bank["sender"]), str(bank["text"])) is OK
    time.sleep(STILL_S)
    assert len(notices_at(loop, victim)) == 2
    audited = [decode_audit(r.value) for r in records(clients, loop.settings.topics.audit)]
    assert {(each.actor, each.subject) for each in audited} == {("victim", victim)}


def send(loop: Loop, victim: str, sender: str, text: str) -> CommandStatus:
    return loop.client.submit(victim, sender, text)


def reply(loop: Loop, victim: str, *, gateway: str) -> None:
    value = {
        "schema_version": 1, "recipient": "10086", "sender": f"+{victim}", "text": "KX",
        "event_time_ms": now_ms(), "message_id": f"mo-{now_ms()}", "direction": "mo",
        "gateway_id": gateway,
    }  # fmt: skip
    with closing(KafkaProducer(**client_arguments(loop.settings.kafka), acks="all")) as out:
        key = victim.encode()
        out.send(loop.settings.topics.input, json.dumps(value).encode(), key=key).get()
