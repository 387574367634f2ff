"""A console over a filled store: a clock, gateways that obey at once, and an audit in memory."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from argon2 import PasswordHasher
from starlette.testclient import TestClient

from detectors.model.event import Trust, platform_id
from detectors.model.incidents import FloodMessage, IncidentRecord
from detectors.model.records import Level, Sighting, Step
from streams.cases.store.accounts import Accounts
from streams.cases.store.roles import Account, DeskRole
from streams.common.errors import UnavailableError
from streams.config import Settings
from streams.people.desk.console import application
from streams.people.desk.desk_audit import DeskLedger
from streams.people.desk.desk_context import Desk, limits_of
from streams.people.desk.guard import Site
from streams.people.desk.override_publisher import Said, Speaker
from streams.telemetry.metrics import Metrics
from streams.wire import Ack, Override, override_id
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS
from tests.streams.cases.store.filled import (
    NOW_MS,
    FilledStore,
    acked,
    campaign,
    counted,
    fill,
    flood,
    incident,
    opened,
    week_of,
)

PASSWORD: Final = "Rain-on-the-quay-7"
URL: Final = "http://127.0.0.1:8470"
QUICK: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Argon2id as slow as a test can wait for."""


class Gateways(Speaker):
    """Obeys every word at once, as three gateways do; or is away."""

    def __init__(self, store: FilledStore) -> None:
        self.store = store
        self.said: list[Override] = []
        self.away = False
        self.gateways = ("smsc-1", "smsc-2", "smsc-3")
        self.answers: dict[str, Said] = {}

    def say(self, word: Override, wait_s: float) -> Said:
        if self.away:
            raise UnavailableError("Kafka is away")
        self.said.append(word)
        (logged,) = fill(self.store, word)
        word_id = override_id(word, logged.offset)
        at_ms = word.issued_at_ms
        for name in self.gateways:
            ack = Ack(action_id=word_id, gateway_id=name, state="applied", why="", at_ms=at_ms)
            fill(self.store, ack)
        told = Said(
            word_id, dict.fromkeys(self.gateways, 0.2), {}, dict.fromkeys(self.gateways, at_ms)
        )
        self.answers[word_id] = told
        return told

    def at_work(self) -> dict[str, int]:
        return dict.fromkeys(self.gateways, NOW_MS)

    def collect_answers(self, word_id: str) -> Said:
        return self.answers.get(word_id, Said(word_id, at_work=dict.fromkeys(self.gateways, 0)))


class AuditInMemory(DeskLedger):
    """The audit in memory; or one that cannot be written."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.away = False

    def write(self, **fields: Any) -> None:
        if self.away:
            raise UnavailableError("the audit is away")
        self.lines.append(fields)

    def of(self, verb: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["verb"] == verb]


class World:
    """One console, whose clock stands until a test moves it."""

    def __init__(self, folder: Path, *, url: str = URL, **console: Any) -> None:
        given = {"console": console} if console else {}
        self.settings = Settings(mode="enforce", **given)
        self.store = opened(folder, params=self.settings.protection())
        self.store.accounts = Accounts(self.store.people, lambda: self.store.at_ms, QUICK)
        self.ledger, self.gateways = AuditInMemory(), Gateways(self.store)
        self.place = Site(url, self.settings.console.proxies)
        self.desk = Desk(
            settings=self.settings,
            place=self.place,
            store=self.store,
            voice=self.gateways,
            auditor=self.ledger,
            metrics=Metrics("desk"),
            now_ms=lambda: self.store.at_ms,
            now_s=lambda: self.store.at_ms / 1000,
            limits=limits_of(self.settings),
        )
        self.app = application(self.desk)

    def person(self, name: str, *roles: DeskRole) -> Account:
        return self.store.accounts.add(name, roles, password=PASSWORD)

    def client(self, peer: str = "127.0.0.1") -> TestClient:
        return TestClient(
            self.app, base_url=self.place.url, follow_redirects=False, client=(peer, 4711)
        )

    def inside(self, *roles: DeskRole, name: str = "li.lei") -> TestClient:
        """A browser of somebody who has logged in."""
        if all(each.name != name for each in self.store.accounts.all()):
            self.person(name, *roles)
        client = self.client()
        done = send(client, "/login", at="/login", name=name, password=PASSWORD)
        assert done.status_code == 303, done.text
        return client

    def flood(
        self, n: int = 0, *, recipient: str = RECIPIENT, platforms: Any = None, **more: Any
    ) -> str:
        """A flood that goes on, refused at three gateways; its id."""
        more |= {"platforms": platforms} if platforms else {}
        record, lease = flood(n, recipient=recipient, **more)
        fill(self.store, record, lease, incident(record, 30),
             *(acked(lease, gateway=name) for name in self.gateways.gateways),
             counted(lease, {1_000 + at: 1 for at in range(30)}))  # fmt: skip
        return record.episode_id


def token_of(client: TestClient, path: str) -> str:
    """The token of the forms of a page."""
    page = client.get(path)
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text[:500]
    return found[1]


def send(client: TestClient, path: str, at: str = "/account", **fields: str) -> Any:
    """Send a form as the page at `at` would."""
    return client.post(path, data={"csrf": token_of(client, at), **fields})


def searched(client: Any, number: str) -> dict[str, str]:
    """What the forms of a number without a case carry, after a search for it."""
    page = send(client, "/search", at="/", number=number).text
    word = re.search(r'name="k" value="([^"]+)"', page)
    assert word is not None, page
    return {"recipient": number, "k": word[1]}


# --- a flood as people see one, for pictures and for the browser ----------------------------------

BANKS: Final = (("sig:工商银行", 4), ("sig:建设银行", 2))
SITES: Final = (
    "听潮课堂", "橙子优选", "云鹿出行", "蓝鲸租房", "小满理财课", "青柠外卖",
    "木鱼读书", "飞象家政", "南墙招聘", "大白洗衣", "星火驾校", "半亩花田",
    "早安健身", "知了问医", "麦田好车", "阿福到家", "千里物流", "初见相亲",
    "海豚英语", "金橘优品", "老街火锅", "白桥电竞", "拾光旅拍", "牛角包考研",
)  # fmt: skip


def busy(world: World, now_ms: int) -> str:
    """Fill a store as on a bad day: one flood of half an hour, and some others; its case."""
    world.store.at_ms = now_ms
    begun = now_ms - 34 * 60_000
    platforms = [f"sig:{name}" for name in SITES]
    record, lease = flood(1, recipient="8617000000001", at_ms=begun, platforms=platforms)
    messages = []
    total = 131
    for n in range(total):
        key = platforms[n % len(platforms)]
        trust, novel = Trust.NONE, True
        would: Any = "refuse"
        if n % 33 == 20:
            key, trust, would, novel = BANKS[n // 33 % 2][0], Trust.BANK, "pass", False
        if n < 6:
            would = "pass"
        at = begun + int(33.5 * 60_000 * (n / total) ** 1.3)
        messages.append(
            FloodMessage(record.revision + n, at, would, novel=novel, trust=trust, gateway="smsc-1",
                         platform=key, platform_id=platform_id(key), sender=f"1069{n:08}",
                         account="acc-1", message_id=f"m-{n}")
        )  # fmt: skip
    throttled = messages[6].at_ms
    record = replace(
        record,
        evidence=replace(record.evidence, messages=total + 3, platforms=len(SITES) + 2,
                         novel=len(SITES), first_ms=begun, last_ms=messages[-1].at_ms),
        path=(Step(Level.WATCH, messages[3].at_ms, 3, "burst", 1.7, 1.6),
              Step(Level.THROTTLE, throttled, 6, "burst", 2.8, 2.6)),
        sightings=tuple(
            Sighting(key, platform_id(key), begun + 20_000 * at, novel=True, trust=Trust.NONE)
            for at, key in enumerate(platforms)
        ),
        at_ms=throttled,
    )  # fmt: skip
    lease = replace(
        lease, issued_at_ms=throttled, opened_ms=begun, expires_at_ms=now_ms + LEASE_MS // 2
    )
    told: IncidentRecord = replace(incident(record, 0), messages=tuple(messages[:64]), earlier=())
    further = replace(told, first=64, messages=tuple(messages[64:128]),
                      revision=record.revision + 64)  # fmt: skip
    refused = Counter(each.platform_id for each in messages if each.would == "refuse")
    fill(
        world.store, record, lease, told, further,
        *(acked(lease, gateway=name) for name in world.gateways.gateways),
        counted(lease, refused),
    )  # fmt: skip
    for n in range(2, 9):
        other, held = flood(
            n, recipient=f"86170000000{n:02}", at_ms=now_ms - n * 7 * 60_000,
            platforms=platforms[: 6 + 2 * n],
        )  # fmt: skip
        held = replace(held, expires_at_ms=now_ms + LEASE_MS)
        later = dict.fromkeys(map(platform_id, platforms[6 : 6 + 2 * n]), 1)
        fill(world.store, other, held, acked(held), counted(held, later))
    fill(
        world.store, campaign(1, victims=9, end_ms=now_ms - 60_000, platforms=platforms[:18]),
        *(week_of(key, 800 + 450 * at, now_ms) for at, key in enumerate(platforms)),
    )  # fmt: skip
    return record.episode_id


__all__ = ["NOW_MS", "PASSWORD", "START_MS", "URL", "World", "busy", "searched", "send", "token_of"]
