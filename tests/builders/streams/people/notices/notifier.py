"""Builders that test_notifier.py shares with other tests."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from kafka import KafkaProducer

from detectors.model.event import Trust, platform_id
from detectors.model.records import Action, Sighting
from detectors.recognise.platform.registry import Registry
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.cluster.topics import create
from streams.config import Kafka, Settings, Topics
from streams.config.sections.notices import Notify
from streams.people.notices.channels import Channel, Delivered, Delivery, SmsNotice
from streams.people.notices.notice_book import NoticeBook, NotifyParams
from streams.people.notices.notifier import Notifier
from streams.people.notices.reply import Replies
from streams.people.notices.texts import TextName, check_texts, read_texts
from streams.telemetry.metrics import Metrics
from streams.wire import (
    Notice,
    Numbers,
    decode_notice,
    encode_ack,
    encode_action,
    encode_episode,
)
from tests.builders.streams.people.notices.notice_book import ack, episode
from tests.enforce.records import action
from tests.nodes import Broker
from tests.threads import meanwhile

FIRST = 8613900000000


@dataclass
class Phones(Channel):
    """A channel that keeps what it is given, and does as it is told."""

    name: str = "file"
    got: list[SmsNotice] = field(default_factory=list)
    before: Callable[[SmsNotice], Delivery | None] = lambda _: None
    after: Callable[[SmsNotice], None] = lambda _: None

    def send(self, message: SmsNotice) -> Delivery:
        if (said := self.before(message)) is not None:
            return said
        self.got.append(message)
        self.after(message)
        return Delivery(Delivered.SENT)

    def rest(self) -> None:
        """Nothing to keep."""

    def close(self) -> None:
        """Nothing to close."""


class World:
    """Topics of one test, and whatever runs on them."""

    def __init__(self, broker: Broker, name: str) -> None:
        names = {
            each: f"{name}.{each}"
            for each in Topics.model_fields
            if each not in ("partitions", "replication")
        }
        self.topics = Topics(partitions=2, replication=1, **names)
        self.settings = Settings(
            app_id=name[:40], kafka=Kafka(bootstrap=broker.bootstrap), topics=self.topics
        )
        create(self.settings)
        self.clients = client_arguments(self.settings.kafka)
        self.producer = KafkaProducer(**self.clients, acks="all")
        self.phones = Phones()
        self.texts = check_texts(
            read_texts(None), Notify(operator="中国移动", sender="10086"), get_args(TextName),
            Registry.load_shipped(),
        )  # fmt: skip

    def notifier(
        self, *, reply: bool = False, metrics: Metrics | None = None, **params: Any
    ) -> Notifier:
        book = NoticeBook(NotifyParams(**params))
        replies = None
        if reply:
            rules = Notify(reply=True, reply_to=["10086"], reply_gateways=["msc-1"])
            replies = Replies(rules, Numbers("CN"), book)
        return Notifier(
            book, self.phones, self.texts, self.clients, self.topics,
            metrics or Metrics("notifier"), now_ms, replies=replies,
        )  # fmt: skip

    @contextmanager
    def running(self, **params: Any) -> Iterator[Notifier]:
        made = self.notifier(**params)
        with meanwhile(made.run, made.ready):
            yield made

    def flood(self, *numbers: int, mode: Any = "enforce", **more: Any) -> list[Action]:
        """Lease, episode and answer of so many victims."""
        leases = []
        for nth in numbers:
            lease = replace(
                action(str(FIRST + nth), nth + 1, at_ms=now_ms(), mode=mode),
                action_id=f"a{nth}", episode_id=f"e{nth}", **more,
            )  # fmt: skip
            leases.append(lease)
            key = lease.recipient.encode()
            self.producer.send(self.topics.throttle, encode_action(lease), key=key)
            self.producer.send(self.topics.episode, encode_episode(episode(lease)), key=key)
            state = "applied" if mode == "enforce" else "ignored"
            answer = encode_ack(ack(lease, state))  # type: ignore[arg-type]
            self.producer.send(self.topics.acks, answer, key=lease.action_id.encode())
        self.producer.flush()
        return leases

    def asks(self, lease: Action, platform: str) -> None:
        """A code of a platform that the victim may have asked for comes into her flood."""
        asked = Sighting(platform, platform_id(platform), now_ms(), novel=True, trust=Trust.NONE)
        record = replace(episode(lease, "raised"), revision=99_999, sightings=(asked,))
        self.say(self.topics.episode, lease.recipient.encode(), encode_episode(record))

    def say(self, topic: str, key: bytes, value: bytes | None) -> None:
        self.producer.send(topic, value, key=key).get()

    def notices(self) -> list[Notice]:
        """All records of the notice topic; those of a notice in their order."""
        return [decode_notice(r.value) for r in records(self.clients, self.topics.notice)]

    def last(self) -> dict[str, tuple[str, str]]:
        """Victim -> state and reason of her newest record."""
        return {each.to: (each.state, each.why) for each in self.notices()}

    def told(self) -> Counter[str]:
        return Counter(each.recipient for each in self.phones.got)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def victims(*numbers: int) -> set[str]:
    return {str(FIRST + nth) for nth in numbers}
