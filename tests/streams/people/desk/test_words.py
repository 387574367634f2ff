"""Words on the desk's pages: those of people who answer calls, not those of logs and settings."""

from __future__ import annotations

import re
from typing import Final

import pytest

from streams.cases.store.roles import DeskRole
from streams.config import Settings
from streams.people.desk.console import doors
from streams.people.desk.live import LiveFeed
from streams.people.desk.rights import may
from tests.streams.cases.store.filled import fill, flood
from tests.streams.people.desk.world import World, busy, send

FORBIDDEN: Final = re.compile(
    r"影子|索引|平台键|\bsig:|\bWATCH\b|\bTHROTTLE\b|(?i:\bshadow|\bindex)"
)
SHOWN: Final = re.compile(r'>([^<]+)<| (?:placeholder|aria-label|title|alt)="([^"]+)"')


def shown(page: str) -> str:
    """The texts of a page as people see or hear them, one a line."""
    body = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", page)
    return "\n".join(filter(None, (one or other for one, other in SHOWN.findall(body))))


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_every_page_speaks_as_an_agent_does(world: World, language: str, mode: str) -> None:
    world.desk.settings = Settings(mode=mode)
    busy(world, world.store.at_ms)
    fill(world.store, *flood(11, recipient="8617000000011", mode="shadow"))
    if mode == "shadow":  # an index that is old has a banner of its own
        world.store.at_ms += 600_000
    wrong: dict[str, str] = {}  # a text, and a page that shows it
    seen = 0
    for role in DeskRole:
        client = world.inside(role, name=role.value)
        client.headers["accept-language"] = language
        pages = {
            door.path: client.get(door.path)
            for door in doors(world.desk, LiveFeed(world.desk))
            if door.method == "GET" and not door.path.endswith("/stream") and "{" not in door.path
            and "oidc" not in door.path
            and (not door.rights or any(may([role], right) for right in door.rights))
        }  # fmt: skip
        if pages.get("/"):
            for number in ("17000000001", "17000000011", "13911112222", "no number"):
                found = send(client, "/search", at="/", number=number)
                pages[number] = client.get(found.headers.get("location", "/help")) if (
                    found.status_code == 303) else found  # fmt: skip
        for path, page in pages.items():
            seen += 1
            wrong |= {line: path for line in shown(page.text).splitlines()
                      if FORBIDDEN.search(line)}  # fmt: skip
    assert seen > 30
    assert wrong == {}
