"""Live lists of many agents on one console: how soon each has a new row, and what that costs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import psutil
from kafka import KafkaProducer

from detectors.model.records import Level
from streams.cases.store.roles import DeskRole
from streams.cases.store.store import CaseStore
from streams.cluster.topics import create
from streams.common.clock import now_ms
from streams.config import load
from streams.wire import encode_episode
from tests.builders.streams.cases.standing import OPENED
from tests.enforce.loop import ready
from tests.enforce.services import ours
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import wait_until

TOPICS: Final = (
    "input", "throttle", "episode", "acks", "override", "everyone", "undeliverable", "dead_letters",
    "incident", "counts", "audit", "notice", "campaign", "platform",
)  # fmt: skip
FLOODS: Final = 20
EVERY_S: Final = 2.0
IDLE_S: Final = 20.0
LATE_S: Final = 120.0
"""What has not come by then never comes."""

Arrivals = dict[tuple[int, str], float]
"""List and mark of a flood -> when its row came, on the clock of `time.monotonic`."""


def measure(broker: Broker, store_url: str, folder: Path, lists: int) -> dict[str, Any]:
    """Open lists on a console of its own, start floods, and see each row arrive at each list.

    Console on one core, lists and broker on the other, if the machine has two. The time begins
    when a flood's record is sent to its topic: indexer, look and page are in it.
    """
    name = f"lists-bench-{time.time_ns():x}"
    port = free_port()
    config = folder / "lists.toml"
    config.write_text(
        f'app_id = "{name}"\nkafka = {{bootstrap = "{broker.bootstrap}"}}\n'
        f'desk = {{store = "{store_url}"}}\nconsole = {{port = {port}}}\n'
        "[topics]\npartitions = 8\nreplication = 1\n"
        + "".join(f'{each} = "{name}.{each}"\n' for each in TOPICS)
    )
    settings = load(config)
    create(settings)
    with closing(CaseStore(store_url)) as store:
        secrets = [_seated(store, n) for n in range(lists)]
    with ExitStack() as stack:
        desk = stack.enter_context(ours(config, folder, "desk", "desk", "serve"))
        wait_until(lambda: ready(desk.port), "the console is ready")
        assert desk.process is not None
        process = psutil.Process(desk.process.pid)
        cores = os.sched_getaffinity(0)
        if len(cores) > 1:
            process.cpu_affinity([min(cores)])
            os.sched_setaffinity(0, cores - {min(cores)})
            stack.callback(os.sched_setaffinity, 0, cores)
        producer = stack.enter_context(
            closing(KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all"))
        )

        def start(n: int) -> None:
            flood = _flood(n)
            key = flood.recipient.encode()
            producer.send(settings.topics.episode, encode_episode(flood), key=key).get(60)

        return asyncio.run(_watch(f"http://127.0.0.1:{port}", secrets, process, start))


def _seated(store: CaseStore, n: int) -> str:
    account = store.accounts.add(f"agent-{n}-{time.time_ns()}", [DeskRole.LEAD], source="oidc")
    secret, _ = store.accounts.begin(account, "oidc", "127.0.0.1")
    return secret


def _mark(n: int) -> str:
    """The case of a flood, which no other row links to."""
    return f"1:sms.delivery.v1:9:{n + 1}"


def _flood(n: int) -> Any:
    at_ms = now_ms()
    return replace(
        OPENED, episode_id=_mark(n), recipient=f"86138{n:08d}", revision=n + 1, at_ms=at_ms,
        level=Level.THROTTLE, cause=OPENED.cause._replace(offset=n + 1),
        evidence=replace(OPENED.evidence, first_ms=at_ms - 60_000, last_ms=at_ms),
    )  # fmt: skip


class Listeners:
    """Lists that are open, and what came to them."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, f"{url}/live/stream"
        self._news = asyncio.Event()
        self._links = {
            mark: f'/case/{quote(mark, safe="")}"'.encode() for mark in map(_mark, range(FLOODS))
        }
        self.opened: set[int] = set()
        self.arrived: Arrivals = {}
        self.bytes = 0

    async def listen(self, number: int, secret: str) -> None:
        """Follow one list as its agent's browser does, until cancelled."""
        headers = {"Cookie": f"desk-session={secret}", "Sec-Fetch-Site": "same-origin"}
        async with self._session.get(self._url, headers=headers) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                self._take(number, line, time.monotonic())
        raise AssertionError(f"list {number} was ended by the console")

    def _take(self, number: int, line: bytes, now: float) -> None:
        self.bytes += len(line)
        if line.startswith(b"data:"):
            self.opened.add(number)
        for mark, link in self._links.items():
            if link in line:
                self.arrived.setdefault((number, mark), now)
        self._news.set()

    async def until(self, right: Callable[[], bool]) -> None:
        """Wait until something is right, which only what comes can make so."""
        async with asyncio.timeout(LATE_S):
            while not right():
                self._news.clear()
                await self._news.wait()


async def _watch(
    url: str, secrets: list[str], process: psutil.Process, start: Callable[[int], None]
) -> dict[str, Any]:
    sent: dict[str, float] = {}

    async def floods() -> None:
        for n in range(FLOODS):
            sent[_mark(n)] = time.monotonic()
            await asyncio.to_thread(start, n)
            await asyncio.sleep(EVERY_S)

    wanted = len(secrets) * FLOODS
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None),
            connector=aiohttp.TCPConnector(limit=0),
            read_bufsize=2**20,
        ) as session,
        asyncio.TaskGroup() as group,
    ):
        lists = Listeners(session, url)
        tasks = [
            group.create_task(lists.listen(number, secret)) for number, secret in enumerate(secrets)
        ]
        await lists.until(lambda: len(lists.opened) == len(secrets))
        idle = await _share(process, asyncio.sleep(IDLE_S))
        busy = await _share(process, floods())
        await lists.until(lambda: len(lists.arrived) == wanted)
        for task in tasks:
            task.cancel()
    late = sorted(at - sent[mark] for (_, mark), at in lists.arrived.items())
    return {
        "lists": len(secrets),
        "rows": wanted,
        **{f"p{p}_s": round(late[len(late) * p // 100], 2) for p in (50, 95, 99)},
        "max_s": round(late[-1], 2),
        "core_percent_idle": idle,
        "core_percent_a_flood_each_2_s": busy,
        "memory_mb": round(process.memory_info().rss / 1e6),
        "mb_sent": round(lists.bytes / 1e6, 1),
    }


async def _share(process: psutil.Process, while_this: Awaitable[None]) -> float:
    """Percent of a core that the process takes while something goes on."""
    before, began = process.cpu_times(), time.monotonic()
    await while_this
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return round(100 * used / (time.monotonic() - began), 1)
