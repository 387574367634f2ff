"""The desk's voice: of how many gateways a word is obeyed, and how long one waits to know."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
)

from streams.cluster import prompt, read as read_module
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.at_work import Sign
from streams.common.errors import UnavailableError
from streams.config import Kafka, Settings
from streams.people.desk import desk_audit as ledger, override_publisher as module
from streams.people.desk.call_view import name_unanswered
from streams.people.desk.desk_audit import ledger_on
from streams.people.desk.override_publisher import (
    WORDS_MAX,
    HeardWords,
    Said,
    Speaker,
    speaking_on,
)
from streams.wire import Ack, Override, decode_override, encode_ack
from tests.builders.streams.cluster.read import remade
from tests.nodes import Broker as RunningBroker
from tests.threads import meanwhile
from tests.waiting import END_S, wait_until

NOW_MS = 1_800_000_000_000


def ack(action: str, gateway: str, state: Any = "applied", at_ms: int = NOW_MS) -> Ack:
    return Ack(action_id=action, gateway_id=gateway, state=state, why="full", at_ms=at_ms)


def heard(*gateways: str) -> HeardWords:
    made = HeardWords(lambda: NOW_MS)
    made.see({each: Sign(NOW_MS, ended=False) for each in gateways})
    return made


def test_all_that_are_at_work_have_obeyed() -> None:
    ears = heard("a", "b")
    began = time.monotonic()

    def obey() -> None:
        for each in "ab":
            ears.take(ack("override-7", each))

    threading.Timer(0.05, obey).start()
    said = ears.wait("override-7", began, END_S)
    assert (set(said.obeyed), said.failed, said.gateways) == ({"a", "b"}, {}, 2)


def test_one_that_does_not_obey_is_named_with_its_reason() -> None:
    ears = heard("a", "b")
    ears.take(ack("override-7", "a"))
    ears.take(ack("override-7", "b", "failed"))
    said = ears.wait("override-7", time.monotonic(), END_S)
    assert (set(said.obeyed), said.failed) == ({"a"}, {"b": "full"})


def test_one_that_is_silent_is_waited_for_and_counted() -> None:
    ears = heard("a", "b", "c")
    ears.take(ack("override-7", "a"))
    said = ears.wait("override-7", time.monotonic(), 0.1)
    assert (len(said.obeyed), said.gateways, said.missing) == (1, 3, ["b", "c"])


def test_nobody_is_believed_to_be_all_before_the_signs_were_read() -> None:
    """A command concluded from the acknowledgements alone, and missed who was known by its sign."""
    ears = HeardWords(lambda: NOW_MS, signs_read=False)
    ears.take(ack("override-7", "a"))
    began = time.monotonic()
    threading.Timer(0.2, lambda: ears.see({"b": Sign(NOW_MS, ended=False)})).start()
    said = ears.wait("override-7", began, 2)
    assert (set(said.obeyed), said.missing) == ({"a"}, ["b"])


def test_an_acknowledgement_is_no_sign_of_life() -> None:
    """A damaged one named a gateway that there is not, and each override waited for it all day."""
    ears = heard("a")
    ears.take(ack("1:sms:0:2", "b"))
    assert set(ears.at_work()) == {"a"}


def test_whoever_may_not_see_the_signs_is_not_told_that_all_have_obeyed() -> None:
    ears = heard()
    ears.take(ack("override-7", "a"))
    began = time.monotonic()
    said = ears.wait("override-7", began, END_S)
    assert said.has_unknown
    assert time.monotonic() < began + END_S, "nobody else is waited for"
    assert name_unanswered(said) == "Which other gateways run is not known."
    assert not heard("a").wait("override-8", time.monotonic(), 0.1).has_unknown, "none obeyed"


def test_what_is_remembered_is_bounded() -> None:
    ears = HeardWords(lambda: NOW_MS)
    for n in range(WORDS_MAX + 50):
        ears.take(ack(f"override-{n}", f"gateway-{n}"))
    assert len(ears._of_word) == WORDS_MAX


class Broker:
    """Takes records, or does not."""

    def __init__(self, *, away: bool = False, error: KafkaError | None = None) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []
        self._error = KafkaTimeoutError("nobody there") if away else error
        self.dropped = 0

    def send(self, topic: str, value: bytes, key: bytes) -> Any:
        self.sent.append((topic, value, key))

        def get(timeout: float) -> Any:
            if self._error is not None:
                raise self._error
            return SimpleNamespace(offset=41)

        return SimpleNamespace(get=get)

    def drop(self) -> None:
        self.dropped += 1


def word(recipient: str = "8613900000001", **more: Any) -> Override:
    given: dict[str, Any] = {"verb": "release", "expires_at_ms": NOW_MS + 1, **more}
    return Override(recipient=recipient, actor="li", reason="r", issued_at_ms=NOW_MS, **given)


def test_words_about_everyone_have_a_topic_of_their_own() -> None:
    broker, settings = Broker(), Settings()
    speaker = Speaker(settings, broker, heard())
    assert speaker.say(word(), 0).word_id == "override-41"
    assert speaker.say(word("*", verb="mode", mode="off"), 0).word_id == "override-all-41"
    topics = settings.topics
    assert [topic for topic, _, _ in broker.sent] == [topics.override, topics.everyone]
    assert decode_override(broker.sent[0][1]) == word()


def test_a_word_that_was_not_taken_is_an_error() -> None:
    with pytest.raises(UnavailableError):
        Speaker(Settings(), Broker(away=True), heard()).say(word(), 0)


@pytest.mark.parametrize("on", [speaking_on, partial(ledger_on, chain="desk/a")])
def test_what_a_person_was_told_did_not_go_out_is_sent_no_more(
    on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []

    def producer(**given: Any) -> Any:
        made.append(given)
        return SimpleNamespace(close=lambda **_: None)

    monkeypatch.setattr(prompt, "KafkaProducer", producer)
    for each in (module, ledger):
        monkeypatch.setattr(each, "client_arguments", lambda _: {})
    monkeypatch.setattr(module, "_follow", lambda *_: None)
    with on(Settings(), now_ms=lambda: NOW_MS):
        pass
    (given,) = made
    assert given["acks"] == "all"
    assert given["request_timeout_ms"] + given["linger_ms"] < given["delivery_timeout_ms"]
    assert given["delivery_timeout_ms"] < prompt.SENT_S * 1000
    assert given["max_block_ms"] < prompt.SENT_S * 1000


def test_what_was_said_here_can_be_asked_about_later_and_what_was_not_is_no_error() -> None:
    ears = heard("a")
    speaker = Speaker(Settings(), Broker(), ears)
    speaker.say(word(), 0)
    assert speaker.collect_answers("override-41").obeyed == {}
    ears.take(ack("override-41", "a"))
    assert set(speaker.collect_answers("override-41").obeyed) == {"a"}
    assert speaker.collect_answers("override-99") == Said("override-99", at_work={"a": NOW_MS})


@pytest.mark.kafka
def test_acknowledgements_are_heard_of_a_topic_that_was_made_anew(
    kafka: RunningBroker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk went on at an offset that the topic had yet to reach, and heard no gateway."""
    monkeypatch.setattr(read_module, "PLACE_S", 0.2)
    settings = Kafka(bootstrap=kafka.bootstrap)
    clients, ears = client_arguments(settings), heard()

    def obeyed(word_id: str) -> set[str]:
        return set(ears.wait(word_id, time.monotonic(), 0).obeyed)

    with Cluster(settings) as cluster:
        cluster.create(unique, 1, 1, {})
    with closing(KafkaProducer(**clients, acks="all")) as producer:
        for n in range(5):
            producer.send(unique, encode_ack(ack(f"override-{n}", "a", at_ms=NOW_MS)))
        producer.flush()
    with meanwhile(lambda stop: module._follow(clients, unique, ears, stop)):
        wait_until(lambda: obeyed("override-4") == {"a"}, "it is heard")
        remade(clients, unique, encode_ack(ack("override-9", "b")))
        wait_until(lambda: obeyed("override-9") == {"b"}, "it is heard again")


def test_whatever_stops_the_reader_it_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop, begun = threading.Event(), count()

    def consumer(**_: Any) -> Any:
        if not next(begun):
            raise ValueError("8613900000009")
        stop.set()
        return SimpleNamespace(partitions_for_topic=lambda _: None, close=lambda: None)

    monkeypatch.setattr(module, "KafkaConsumer", consumer)
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    module._follow({}, "acks", heard(), stop)
    assert next(begun) == 2
    assert "ValueError" in caplog.text
    assert "8613900000009" not in caplog.text
