"""A notifier on a broker: who is told, once, and what its death at each step leaves behind."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from kafka.errors import NotLeaderForPartitionError

from detectors.model.records import Action
from streams.cluster import read as read_module
from streams.cluster.read import records
from streams.common.errors import UnavailableError
from streams.people.notices import notifier as module
from streams.people.notices.channels import Delivered, Delivery, SmsNotice
from streams.people.notices.notice_book import NotifyParams, PendingNotice, Unsent
from streams.people.notices.notifier import Notifier
from streams.telemetry.metrics import Metrics
from streams.wire import (
    Notice,
    decode_audit,
    decode_override,
    encode_override,
    override_key,
)
from tests.builders.streams.cluster.read import remade
from tests.builders.streams.people.notices.notifier import FIRST, Phones, World, now_ms, victims
from tests.enforce.records import override
from tests.nodes import Broker
from tests.threads import meanwhile
from tests.waiting import END_S, STILL_S, wait_until

pytestmark = pytest.mark.broker


class DiedError(BaseException):
    """Stands for the end of a process, which no `except Exception` sees."""


@pytest.fixture
def world(broker: Broker, unique: str) -> Iterator[World]:
    made = World(broker, unique)
    yield made
    made.producer.close()


def test_a_victim_gets_one_notice_in_her_language_and_its_records_say_so(world: World) -> None:
    with world.running():
        (lease,) = world.flood(0)
        wait_until(lambda: world.last().get(lease.recipient) == ("sent", ""), "she is told")
        world.flood(0)  # again, from another gateway
        time.sleep(STILL_S)
    (message,) = world.phones.got
    assert message.recipient == lease.recipient
    assert message.text.startswith("【中国移动】您的号码正遭验证码轰炸")
    states = [(each.state, each.template) for each in world.notices()]
    assert states == [("sending", "start.zh-Hans"), ("sent", "start.zh-Hans")]
    everything = b"".join(r.value for r in records(world.clients, world.topics.notice))
    assert "轰炸".encode() not in everything


def test_a_successor_reads_who_was_told_and_tells_the_rest(world: World) -> None:
    with world.running():
        world.flood(0, 1)
        wait_until(lambda: len(world.last()) == 2, "two are told")
    world.flood(2)
    with world.running():
        wait_until(lambda: world.told().total() == 3, "the third is told")
        time.sleep(STILL_S)
    assert world.told() == Counter(dict.fromkeys(victims(0, 1, 2), 1))


def test_shadow_and_tokens_get_nothing_and_the_topic_says_why(world: World) -> None:
    with world.running():
        world.flood(0, mode="shadow")
        world.flood(1, recipient="h1:00112233445566aa")
        wait_until(lambda: world.last() == {"h1:00112233445566aa": ("suppressed", "token")})
        time.sleep(STILL_S)
    assert world.phones.got == []


def test_an_smsc_that_is_away_is_tried_again_and_nobody_is_told_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSES_S", (0.05,))
    refusals = iter([Delivery(Delivered.AWAY, "smpp_0x58")] * 3)
    world.phones.before = lambda _: next(refusals, None)
    with world.running():
        world.flood(0)
        wait_until(lambda: world.last().get(str(FIRST)) == ("sent", ""), "she is told")
    assert [(n.state, n.why) for n in world.notices()] == [
        *([("sending", ""), ("failed", "away")] * 3), ("sending", ""), ("sent", ""),
    ]  # fmt: skip
    assert world.told().total() == 1


@pytest.mark.parametrize(
    ("delivery", "why"),
    [
        (Delivery(Delivered.UNKNOWN, "timeout"), Unsent.UNKNOWN),
        (Delivery(Delivered.REFUSED, "smpp_0xb"), "refused smpp_0xb"),
    ],
)
def test_what_is_unknown_or_refused_is_not_sent_again(
    world: World, delivery: Delivery, why: str
) -> None:
    tries = itertools.count()
    world.phones.before = lambda _: delivery if next(tries) < 100 else None
    with world.running():
        world.flood(0)
        wait_until(lambda: world.last().get(str(FIRST)) == ("failed", why), "it is said")
        world.flood(0)
        time.sleep(STILL_S)
    assert next(tries) == 1


@pytest.mark.parametrize(
    ("place", "why"), [("channel", Unsent.UNKNOWN), ("text", "refused ValueError")]
)
def test_the_first_notice_that_cannot_be_sent_keeps_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, place: str, why: str
) -> None:
    """Whatever a library raises about one notice, the next victim is told."""
    made = world.notifier()
    first = str(FIRST)
    if place == "channel":
        world.phones.before = lambda sms: _fail_if(is_first=sms.recipient == first)
    else:
        write = made._message

        def message(pending: PendingNotice) -> SmsNotice:
            _fail_if(is_first=pending.recipient == first)
            return write(pending)

        monkeypatch.setattr(made, "_message", message)
    world.flood(0, 1)
    with meanwhile(made.run, made.ready):
        wait_until(lambda: len(world.last()) == 2, "both are settled")
    assert world.last() == {first: ("failed", why), str(FIRST + 1): ("sent", "")}
    assert world.told() == Counter(victims(1))


def _fail_if(*, is_first: bool) -> None:
    if is_first:
        raise ValueError("whatever a library may raise")


STEPS = ("claim", "write", "written", "send", "sent", "result", "told", "drop")


def deadly(made: Notifier, phones: Phones, step: str, nth: int) -> None:
    """Let a notifier die at a step, the nth time that it comes to it."""
    turns = {each: itertools.count(1) for each in STEPS}

    def at(name: str) -> None:
        if name == step and next(turns[name]) == nth:
            raise DiedError

    say, write = made._say, made._write

    def said(notice: Notice) -> tuple[int, int]:
        states = {"sending": "claim", "sent": "result", "suppressed": "drop"}
        at(states.get(notice.state, ""))
        place = say(notice)
        at({"sending": "written", "sent": "told"}.get(notice.state, ""))
        return place

    def wrote(topic: str, key: bytes, value: bytes) -> tuple[int, int]:
        at("write")
        return write(topic, key, value)

    def before(_: SmsNotice) -> None:
        at("send")

    made._say, made._write = said, wrote  # type: ignore[method-assign]
    phones.before, phones.after = before, lambda _: at("sent")


@pytest.mark.parametrize("step", STEPS)
def test_whatever_step_it_dies_at_none_is_lost_and_one_is_doubled_at_most(
    world: World, step: str
) -> None:
    world.flood(*range(4))
    world.flood(9, recipient="h1:00112233445566aa")
    deaths = 0
    for nth in (1, 3):
        made = world.notifier()
        deadly(made, world.phones, step, nth)
        try:
            made.run(done(made))
        except DiedError:
            deaths += 1
    assert deaths >= 1
    world.phones.before, world.phones.after = Phones().before, Phones().after
    with world.running():
        wait_until(lambda: settled(world), "every notice has its end")
        time.sleep(STILL_S)
    told = world.told()
    assert set(told) == victims(*range(4))
    assert all(each <= 2 for each in told.values())
    assert told.total() <= 4 + deaths  # a death doubles one at most
    assert world.last()["h1:00112233445566aa"] == ("suppressed", "token")
    by_victim = Counter(n.to for n in world.notices() if n.state == "sending")
    assert all(told[victim] <= by_victim[victim] for victim in told)


def done(made: Notifier) -> threading.Event:
    """An event that is set once a notifier has nothing more to do, so that it ends by itself."""
    stop = threading.Event()
    took = made._take
    idle = itertools.count()

    def take(timeout_ms: int) -> None:
        took(timeout_ms)
        if made.ready.is_set() and not made._book.queue and next(idle) > 40:
            stop.set()

    made._take = take  # type: ignore[method-assign]
    return stop


def settled(world: World) -> bool:
    last = world.last()
    return len(last) == 5 and all(state != "sending" for state, _ in last.values())


def test_a_notice_that_two_processes_died_in_is_not_sent_a_third_time(world: World) -> None:
    world.flood(0)
    for _ in range(2):
        made = world.notifier()
        deadly(made, world.phones, "sent", 1)
        with pytest.raises(DiedError):
            made.run(threading.Event())
    world.phones.before, world.phones.after = Phones().before, Phones().after
    with world.running():
        wait_until(lambda: world.last()[str(FIRST)] == ("failed", Unsent.UNKNOWN), "it is said")
        time.sleep(STILL_S)
    assert world.told().total() == 2


def test_two_notifiers_tell_each_victim_once(world: World) -> None:
    with world.running(), world.running():
        for start in range(0, 40, 8):
            world.flood(*range(start, start + 8))
        wait_until(lambda: len(world.last()) == 40, "all are told")
        time.sleep(STILL_S)
    assert world.told() == Counter(dict.fromkeys(victims(*range(40)), 1))


def until_it_dies(made: Notifier) -> int:
    with pytest.raises(DiedError):
        made.run(threading.Event())
    return 1


def test_what_another_notifier_left_is_taken_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEFT_MS", 300)
    made = world.notifier()
    deadly(made, world.phones, "written", 1)
    left: list[int] = []
    thread = threading.Thread(target=lambda: left.append(until_it_dies(made)))
    thread.start()
    wait_until(made.ready.is_set, "everything is read")
    world.flood(0)
    thread.join()
    world.phones.before = lambda _: None
    with world.running():
        wait_until(lambda: world.last().get(str(FIRST)) == ("sent", ""), "she is told after all")
    assert world.told().total() == 1


def test_a_reply_opens_a_platform_and_is_confirmed_and_audited(world: World) -> None:
    with world.running(reply=True):
        (lease,) = world.flood(0)
        wait_until(lambda: world.last().get(lease.recipient) == ("sent", ""), "she is told")
        assert "回复KX" in world.phones.got[0].text
        key = "sig:新网站"
        world.asks(lease, key)
        reply = reply_of(lease)
        abroad = {**reply, "sender": "+14155550100", "gateway_id": "msc-1"}
        forged = [{**reply, "gateway_id": "smpp-7"}, reply, abroad]
        for each in (*forged, {**reply, "gateway_id": "msc-1"}, {**reply, "gateway_id": "msc-1"}):
            world.say(world.topics.input, lease.recipient.encode(), json.dumps(each).encode())
        wait_until(lambda: len(world.phones.got) == 2, "it is confirmed")
        time.sleep(STILL_S)
    assert "10分钟内各放行一条" in world.phones.got[1].text
    assert len(world.phones.got) == 2
    (said,) = [decode_override(r.value) for r in records(world.clients, world.topics.override)]
    assert (said.verb, said.platform, said.actor, said.via) == ("allow", key, "victim", "mo")
    assert said.once
    assert said.expires_at_ms is not None
    assert said.expires_at_ms - said.issued_at_ms == 600_000
    (audited,) = [decode_audit(r.value) for r in records(world.clients, world.topics.audit)]
    assert (audited.actor, audited.channel, audited.subject) == ("victim", "mo", lease.recipient)


def reply_of(lease: Action) -> dict[str, Any]:
    """What a victim writes back, as a gateway reports it."""
    return {
        "schema_version": 1, "recipient": "10086", "sender": f"+{lease.recipient}",
        "text": "kx", "event_time_ms": now_ms(), "message_id": "m1", "direction": "mo",
    }  # fmt: skip


def test_a_word_that_opens_a_number_is_told_to_it_where_it_was_wanted(world: World) -> None:
    word = override(
        "release", str(FIRST), issued_at_ms=now_ms(), expires_at_ms=now_ms() + 3_600_000
    )
    with world.running(released=True):
        world.say(world.topics.override, override_key(word), encode_override(word))
        wait_until(lambda: len(world.phones.got) == 1, "the number is told")
    assert "由人工解除" in world.phones.got[0].text


def test_the_cap_holds_for_a_campaign_and_the_metrics_say_so(world: World) -> None:
    metrics = Metrics("notifier")
    with world.running(per_minute=20, metrics=metrics):
        world.flood(*range(60))
        wait_until(lambda: world.told().total() == 20, "a minute has its share")
        wait_until(lambda: value(metrics, "notice_cap_reached") == 1, "the alert would see it")
        time.sleep(STILL_S)
        assert value(metrics, "notices_waiting") == 40
    assert world.told().total() == 20


def test_two_thousand_victims_wait_for_the_cap_and_hold_up_nobody_who_replies(
    world: World,
) -> None:
    metrics, cap, sent_ms = Metrics("notifier"), NotifyParams().per_minute, list[int]()
    world.phones.after = lambda _: sent_ms.append(now_ms())
    with world.running(reply=True, metrics=metrics):
        leases = {each.recipient: each for each in world.flood(*range(2_000))}
        wait_until(
            lambda: (
                world.told().total() + (value(metrics, "notices_waiting") or 0) == 2_000
                and value(metrics, "notice_cap_reached") == 1
            ),
            "everybody is told or waits, and the alert would see it",
        )
        lease = leases[world.phones.got[0].recipient]
        world.asks(lease, "sig:新网站")
        reply = json.dumps({**reply_of(lease), "gateway_id": "msc-1"}).encode()
        world.say(world.topics.input, lease.recipient.encode(), reply)
        wait_until(
            lambda: next(iter(records(world.clients, world.topics.override)), None),
            "her platform is let through while thousands wait",
        )
    told = world.told()
    told.pop(lease.recipient)  # she may have her reply confirmed by now
    assert cap - 1 <= len(told) == told.total()
    assert told.keys() <= leases.keys()
    # Between the count of a notice and its sending its record is written.
    assert all(late - early >= 59_000 for early, late in zip(sent_ms, sent_ms[cap:], strict=False))


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"otpguard_{name}", labels)


@pytest.mark.kafka
def test_a_topic_that_was_made_anew_ends_the_notifier(
    kafka: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went on at an offset that the topic had yet to reach, and told nobody."""
    monkeypatch.setattr(read_module, "PLACE_S", 0.2)
    world, stop = World(kafka, unique), threading.Event()
    topic = world.topics.override
    with closing(world.producer), ThreadPoolExecutor() as pool:
        for _ in range(5):
            world.producer.send(topic, b"{}", key=b"k", partition=0).get()
        made = world.notifier()
        ended = pool.submit(made.run, stop)
        try:
            wait_until(made.ready.is_set, "all is read")
            remade(world.clients, topic, b"{}")
            with pytest.raises(UnavailableError, match=f"{topic} was created again"):
                ended.result(END_S)
        finally:
            stop.set()


def test_an_error_of_kafka_that_passes_does_not_end_the_notifier(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another leader of a partition, and its victims had to wait for a restart."""
    with world.running() as notifier:
        failed = threading.Event()

        def moved(**_: object) -> None:
            failed.set()
            raise NotLeaderForPartitionError

        with monkeypatch.context() as broken:
            broken.setattr(notifier._consumer, "poll", moved)
            assert failed.wait(END_S)
        world.flood(1)
        wait_until(lambda: len(world.phones.got) == 1, "she is told")


def test_records_that_say_nothing_are_passed_over(world: World) -> None:
    metrics = Metrics("notifier")
    with world.running(metrics=metrics):
        for topic in (world.topics.throttle, world.topics.acks, world.topics.notice,
                      world.topics.episode, world.topics.override):  # fmt: skip
            world.say(topic, b"k", b"{}")
        world.flood(0)
        wait_until(lambda: world.told().total() == 1, "she is told")
    assert value(metrics, "records_refused_total", kind="bad") == 5


def test_a_word_about_everyone_counts_in_its_own_topic_alone(broker: Broker, unique: str) -> None:
    world = World(broker, unique)
    word = override("mode", "*", mode="off", issued_at_ms=now_ms(), expires_at_ms=None)
    with world.running():
        world.say(world.topics.override, override_key(word), encode_override(word))
        world.flood(0)
        wait_until(lambda: world.told().total() == 1, "she is told")
        world.say(world.topics.everyone, override_key(word), encode_override(word))
        wait_until(lambda: said_off(world), "the switch is heeded")
    world.producer.close()


def said_off(world: World) -> bool:
    world.flood(*range(10, 12))
    return ("suppressed", "switch") in world.last().values()
