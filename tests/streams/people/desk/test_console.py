"""Every door with every role: what a role's rights do not open is refused, and recorded."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, text

from streams.cases.store.engine import writing
from streams.cases.store.roles import DeskRole
from streams.cases.store.store import CaseStore
from streams.people.desk.console import doors
from streams.people.desk.live import LiveFeed
from streams.people.desk.rights import may
from tests.streams.people.desk.world import World, searched, send, token_of


@pytest.mark.parametrize("role", list(DeskRole))
def test_a_role_opens_its_doors_and_no_other(world: World, role: DeskRole) -> None:
    client = world.inside(role)
    tried = 0
    for door in doors(world.desk, LiveFeed(world.desk)):
        if not door.rights:
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
        if door.rights is None:
            continue
        path = door.path.replace("{episode_id}", "1")
        answer: Any = client.get(path) if door.method == "GET" else send(client, path, at="/login")
        assert answer.status_code in (303, 401), (door.method, path)
    assert world.ledger.lines == []


def test_doors_that_need_no_log_in_are_few(world: World) -> None:
    open_ = {
        (door.method, door.path)
        for door in doors(world.desk, LiveFeed(world.desk))
        if door.rights is None
    }
    assert open_ == {
        ("GET", "/login"), ("POST", "/login"), ("POST", "/language"),
    }  # fmt: skip
    console = world.desk.settings.console.model_copy(update={"enter": ("oidc",)})
    world.desk.settings = world.desk.settings.model_copy(update={"console": console})
    more = {each.path for each in doors(world.desk, LiveFeed(world.desk)) if each.rights is None}
    assert more - {path for _, path in open_} == {"/login/oidc", "/login/oidc/back"}


def test_a_page_that_is_not_there_says_so_in_the_pages_language(world: World) -> None:
    answer = world.client().get("/nowhere")
    assert answer.status_code == 404
    assert "没有这个页面" in answer.text
    assert world.inside(DeskRole.AGENT).get("/search").status_code == 405


NUMBER = "13911112222"


def drop(engine: Engine, table: str) -> None:
    """Take a table away, as a database does that is half restored."""
    with writing(engine).begin() as connection:
        connection.execute(text(f"DROP TABLE {table}"))


def test_a_store_that_does_not_answer_is_said_on_a_page_and_names_nobody_in_a_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    client = world.inside(DeskRole.AGENT)
    about = searched(client, NUMBER)
    drop(world.store.people, "notes")
    answer = send(client, "/note", **about, text="the caller waits")
    assert answer.status_code == 503
    token = token_of(client, "/account")
    drop(world.store.index, "cases")
    world.store.at_ms += 1_000  # banners are a second old
    found = client.post("/search", data={"csrf": token, "number": NUMBER})
    assert found.status_code == 503
    assert "OperationalError" in found.text
    drop(world.store.index, "places")
    world.store.at_ms += 1_000
    page = client.get("/")
    assert page.status_code == 200
    assert "OperationalError" in page.text, "the bar of banners says it"
    drop(world.store.people, "sessions")
    assert client.get("/").status_code == 503
    assert NUMBER not in caplog.text
    assert "the caller waits" not in caplog.text


def test_a_defect_of_a_page_is_answered_and_its_log_has_no_number(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = world.inside(DeskRole.AGENT)

    def broken(_: object, recipient: str) -> None:
        raise KeyError(recipient)

    monkeypatch.setattr(CaseStore, "find", broken)
    assert send(client, "/search", at="/", number=NUMBER).status_code == 500
    assert "KeyError" in caplog.text
    assert "in broken" in caplog.text
    assert NUMBER not in caplog.text
    registry = world.desk.metrics.registry
    assert registry.get_sample_value("otpguard_desk_errors_total", {"kind": "internal"}) == 1


@pytest.mark.parametrize("path", ["/case/a%00b", "/case/1?k=%00", "/platforms?name=a%00"])
def test_what_no_database_keeps_as_text_is_no_address(world: World, path: str) -> None:
    assert world.inside(DeskRole.LEAD).get(path).status_code == 404


def test_a_form_with_such_a_byte_is_refused(world: World) -> None:
    client = world.inside(DeskRole.AGENT)
    assert send(client, "/search", at="/", number="1\x0039").status_code == 400


def test_a_head_is_a_get(world: World) -> None:
    assert world.client().head("/login").status_code == 200
