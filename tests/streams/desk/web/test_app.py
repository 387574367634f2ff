"""Every door with every role: what a role's rights do not open is refused, and recorded."""

from __future__ import annotations

from typing import Any

import pytest

from streams.desk.store import DeskRole
from streams.desk.web.app import Open, doors
from streams.desk.web.live import LiveFeed
from streams.desk.web.rights import may
from tests.streams.desk.web.world import World, send


@pytest.mark.parametrize("role", list(DeskRole))
def test_a_role_opens_its_doors_and_no_other(world: World, role: DeskRole) -> None:
    client = world.inside(role)
    tried = 0
    for door in doors(world.desk, LiveFeed(world.desk)):
        if isinstance(door.rights, Open) or not door.rights:
            continue
        if any(may([role], right) for right in door.rights):
            continue
        path = door.path.replace("{episode_id}", "1")
        before = len(world.ledger.lines)
        answer: Any = client.get(path) if door.method == "GET" else send(client, path, act="x")
        assert answer.status_code == 403, (door.method, path)
        (line,) = world.ledger.lines[before:]
        assert (line["verb"], line["outcome"]) == ("enter", "refused")
        tried += 1
    assert tried >= 5, "each role is kept out of something"


def test_every_door_but_the_log_in_asks_for_one(world: World) -> None:
    client = world.client()
    for door in doors(world.desk, LiveFeed(world.desk)):
        if isinstance(door.rights, Open):
            continue
        path = door.path.replace("{episode_id}", "1")
        answer: Any = client.get(path) if door.method == "GET" else send(client, path, at="/login")
        assert answer.status_code in (303, 401), (door.method, path)
    assert world.ledger.lines == []


def test_doors_that_need_no_log_in_are_few(world: World) -> None:
    open_ = {
        (door.method, door.path)
        for door in doors(world.desk, LiveFeed(world.desk))
        if isinstance(door.rights, Open)
    }
    assert open_ == {
        ("GET", "/login"), ("POST", "/login"), ("GET", "/login/oidc"),
        ("GET", "/login/oidc/back"), ("GET", "/login/once/{secret}"), ("POST", "/language"),
    }  # fmt: skip


def test_a_page_that_is_not_there_says_so_in_the_pages_language(world: World) -> None:
    answer = world.client().get("/nowhere")
    assert answer.status_code == 404
    assert "没有这个页面" in answer.text
    assert world.inside(DeskRole.AGENT).get("/search").status_code == 405


def test_a_head_is_a_get(world: World) -> None:
    assert world.client().head("/login").status_code == 200
