"""The stream of the live list: at once, on every change, for whoever is in, few to a session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from streams.cases.store.roles import DeskRole
from streams.common.errors import UnavailableError
from streams.common.language import speaking
from streams.people.desk import live
from streams.people.desk.live import ENDED, LiveFeed
from tests.streams.people.desk.world import World
from tests.waiting import END_S, wait_until

Events = AsyncGenerator[Any, None]


def seated(world: World, *roles: DeskRole) -> str:
    """The secret of a session."""
    account = world.person("li.lei", *roles)
    secret, _ = world.store.accounts.begin(account, "password", "127.0.0.1")
    return secret


def watched(world: World, script: Callable[[LiveFeed], Awaitable[None]]) -> None:
    """Run a script beside the feed."""

    async def run() -> None:
        feed = LiveFeed(world.desk)
        looking = asyncio.create_task(feed.run())
        try:
            async with asyncio.timeout(END_S):
                await script(feed)
        finally:
            looking.cancel()

    asyncio.run(run())


def events(feed: LiveFeed, secret: str, *, browse: bool = True, tag: str = "en") -> Events:
    return feed._events(secret, secret, tag, browse=browse)


def test_rows_come_at_once_and_when_something_changes(world: World) -> None:
    world.flood()
    secret = seated(world, DeskRole.LEAD)

    async def script(feed: LiveFeed) -> None:
        stream = events(feed, secret)
        first = (await anext(stream)).data
        assert first.count('<tr role="row">') == 1 + 1
        assert "1 flood now" in first
        world.flood(1, recipient="8613900000022")
        second = (await anext(stream)).data
        assert second.count('<tr role="row">') == 1 + 2
        await stream.aclose()
        assert feed.open == 0

    watched(world, script)


def test_a_change_is_told_once_however_many_look_at_the_same_time(
    world: World, monkeypatch: Any
) -> None:
    world.flood()
    secret = seated(world, DeskRole.LEAD)
    marks: list[str] = []
    mark = world.store.mark

    def slow() -> str:
        found = mark()
        time.sleep(0.05)  # so that looks which are not held apart overlap
        marks.append(found)
        return found

    monkeypatch.setattr(live, "LOOK_S", 0.01)
    monkeypatch.setattr(world.store, "mark", slow)

    async def script(feed: LiveFeed) -> None:
        streams = [events(feed, secret) for _ in range(2)]
        await asyncio.gather(*map(anext, streams))
        await asyncio.to_thread(wait_until, lambda: len(marks) >= 8, "looks at the store")
        assert feed._turn == 1
        for each in streams:
            await each.aclose()

    watched(world, script)


@pytest.mark.parametrize("kind", [UnavailableError, RuntimeError])
def test_a_look_that_fails_is_not_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    secret = seated(world, DeskRole.LEAD)
    mark = world.store.mark
    failed: list[bool] = []

    def away() -> str:
        if len(failed) < 2:
            failed.append(True)
            raise kind("no answer")
        return mark()

    async def script(feed: LiveFeed) -> None:
        stream = events(feed, secret)
        await anext(stream)
        monkeypatch.setattr(world.store, "mark", away)
        world.flood()
        assert "1 flood now" in (await anext(stream)).data
        assert len(failed) == 2
        await stream.aclose()

    watched(world, script)


def test_each_is_told_in_the_own_language_and_by_the_own_rights(world: World) -> None:
    world.flood()
    secret = seated(world, DeskRole.LEAD)

    async def script(feed: LiveFeed) -> None:
        with speaking("zh-Hans", None):
            agent = events(feed, secret, browse=False, tag="zh-Hans")
            told = (await anext(agent)).data
        lead = events(feed, secret)
        assert "轰炸 1" in told
        assert "/case/" not in told
        assert "/case/" in (await anext(lead)).data
        await agent.aclose()
        await lead.aclose()

    watched(world, script)


def test_a_session_has_few_streams_and_the_oldest_is_told_to_end(world: World) -> None:
    secret = seated(world, DeskRole.AGENT)

    async def script(feed: LiveFeed) -> None:
        streams = [events(feed, secret) for _ in range(4)]
        for each in streams:
            await anext(each)
        assert feed.open == 3
        world.flood(3)
        assert [each.event async for each in streams[0]][-1] == ENDED
        for each in streams:
            await each.aclose()

    watched(world, script)


def test_a_stream_ends_with_its_session_and_keeps_none_alive(
    world: World, monkeypatch: Any
) -> None:
    monkeypatch.setattr(live, "REFRESH_S", 0.05)
    secret = seated(world, DeskRole.AGENT)

    async def script(feed: LiveFeed) -> None:
        stream = events(feed, secret)
        await anext(stream)
        world.store.at_ms += 14 * 60_000
        await asyncio.sleep(0.2)
        world.store.at_ms += 2 * 60_000
        assert [each.event async for each in stream][-1] == ENDED

    watched(world, script)


def test_who_is_not_in_gets_no_stream(world: World) -> None:
    assert world.client().get("/live/stream").status_code == 401
    assert world.inside(DeskRole.AUDITOR).get("/live/stream").status_code == 403
