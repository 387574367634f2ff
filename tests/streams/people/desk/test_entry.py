"""Coming in by password, going out, and what a guesser gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.cases.store.roles import DeskRole
from tests.streams.people.desk.world import PASSWORD, World, send


def test_a_wrong_password_and_an_unknown_name_are_told_the_same(world: World) -> None:
    world.person("li.lei", DeskRole.AGENT)
    answers = [
        send(world.client(), "/login", at="/login", name=name, password="x" * 12)
        for name in ("li.lei", "nobody")
    ]
    assert [each.status_code for each in answers] == [401, 401]
    said = [each.text.replace("li.lei", "").replace("nobody", "") for each in answers]
    strip = [text[text.index('<div class="message bad"') :][:200] for text in said]
    assert strip[0] == strip[1]
    assert [line["outcome"] for line in world.ledger.of("login")] == ["refused"] * 2


def guess(world: World, peer: str, name: str = "li.lei", times: int = 5) -> list[int]:
    client = world.client(peer)
    return [
        send(client, "/login", at="/login", name=name, password="wrong-password").status_code
        for _ in range(times)
    ]


def entered(world: World, peer: str) -> int:
    """The status of a log-in with the right password."""
    client = world.client(peer)
    done = send(client, "/login", at="/login", name="LI.LEI", password=PASSWORD)
    status: int = done.status_code
    return status


@pytest.mark.parametrize("name", ["li.lei", "nobody"])
def test_after_five_wrong_passwords_a_machine_waits_for_that_name(world: World, name: str) -> None:
    world.person("li.lei", DeskRole.AGENT)
    assert guess(world, "10.0.0.9", name, 7) == [401] * 5 + [429] * 2
    assert guess(world, "10.0.0.9", "han.mei", 1) == [401]
    world.store.at_ms += 180_000
    assert guess(world, "10.0.0.9", name, 2) == [401, 429]


def test_a_guesser_locks_nobody_out_elsewhere(world: World) -> None:
    world.person("li.lei", DeskRole.AGENT)
    guess(world, "10.0.0.9", times=20)
    assert entered(world, "10.0.0.9") == 429
    assert entered(world, "10.0.0.1") == 303


def test_a_right_password_begins_the_count_anew(world: World) -> None:
    world.person("li.lei", DeskRole.AGENT)
    for _ in range(2):
        guess(world, "10.0.0.1", times=4)
        assert entered(world, "10.0.0.1") == 303


def test_guessers_from_many_machines_lock_a_name_and_a_quarter_of_an_hour_unlocks_it(
    world: World,
) -> None:
    world.person("li.lei", DeskRole.AGENT)
    for n in range(4):
        guess(world, f"10.0.0.{n + 2}")
    assert entered(world, "10.0.0.1") == 401
    world.store.at_ms += 15 * 60_000
    assert entered(world, "10.0.0.1") == 303


def test_one_machine_has_one_bound_however_many_addresses_it_takes(world: World) -> None:
    statuses = [guess(world, f"2001:db8::{n:x}", f"n{n}", 1)[0] for n in range(1, 25)]
    assert statuses == [401] * 20 + [429] * 4
    assert guess(world, "2001:db8:0:1::1", "n1", 1) == [401], "another network"


def test_an_address_that_tries_too_often_waits(world: World) -> None:
    client = world.client()
    statuses = [
        send(client, "/login", at="/login", name=f"n{n}", password="x" * 12).status_code
        for n in range(25)
    ]
    assert statuses[:20] == [401] * 20
    assert set(statuses[20:]) == {429}


def test_who_has_no_role_does_not_come_in(world: World) -> None:
    world.person("li.lei")
    done = send(world.client(), "/login", at="/login", name="li.lei", password=PASSWORD)
    assert done.status_code == 403


def test_a_disabled_account_is_out_at_once(world: World) -> None:
    client = world.inside(DeskRole.AGENT)
    world.store.accounts.change("li.lei", disabled=True)
    assert client.get("/").status_code == 303
    done = send(world.client(), "/login", at="/login", name="li.lei", password=PASSWORD)
    assert done.status_code == 401


@pytest.mark.parametrize(
    ("role", "home"),
    [(DeskRole.AGENT, "/"), (DeskRole.AUDITOR, "/audit"), (DeskRole.ADMIN, "/users")],
)
def test_everybody_begins_where_their_work_is(world: World, role: DeskRole, home: str) -> None:
    world.person("li.lei", role)
    client = world.client()
    done = send(client, "/login", at="/login", name="li.lei", password=PASSWORD)
    assert done.headers["location"] == home
    assert client.get("/login").headers["location"] == home, "and is not asked again"


def test_a_log_out_ends_this_session_and_one_everywhere_all(world: World) -> None:
    one, two = world.inside(DeskRole.AGENT), world.inside(DeskRole.AGENT)
    done = send(one, "/logout")
    assert done.status_code == 303
    assert "clear-site-data" in done.headers
    assert (one.get("/").status_code, two.get("/").status_code) == (303, 200)
    three = world.inside(DeskRole.AGENT)
    send(two, "/logout", all="1")
    assert three.get("/").status_code == 303


def test_a_password_is_changed_by_who_knows_it_and_other_sessions_end(world: World) -> None:
    one, two = world.inside(DeskRole.AGENT), world.inside(DeskRole.AGENT)
    new = "Another-long-one-9"
    wrong = send(one, "/account/password", old="wrong-password", new=new, again=new)
    assert wrong.status_code == 401
    unlike = send(one, "/account/password", old=PASSWORD, new=new, again="x")
    assert unlike.status_code == 400
    short = send(one, "/account/password", old=PASSWORD, new="short", again="short")
    assert short.status_code == 400
    done = send(one, "/account/password", old=PASSWORD, new=new, again=new)
    assert done.status_code == 303
    assert (one.get("/").status_code, two.get("/").status_code) == (200, 303)
    after = send(world.client(), "/login", at="/login", name="li.lei", password=new)
    assert after.status_code == 303


def test_a_name_of_markup_is_shown_as_text(world: World) -> None:
    hostile = '"><script>alert(1)</script>'
    page = send(world.client(), "/login", at="/login", name=hostile, password="x" * 12).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_nobody_comes_in_while_the_audit_cannot_be_written(world: World) -> None:
    world.person("li.lei", DeskRole.AGENT)
    world.ledger.away = True
    client = world.client()
    done = send(client, "/login", at="/login", name="li.lei", password=PASSWORD)
    assert done.status_code == 503
    assert client.get("/").status_code == 303


def test_where_passwords_are_off_there_is_no_form_for_one(tmp_path: Path) -> None:
    given: dict[str, Any] = {"enter": ("oidc",), "oidc_client_id": "desk"}
    given["oidc_issuer"] = "http://127.0.0.1:9/"
    world = World(tmp_path, **given)
    page = world.client().get("/login").text
    assert 'type="password"' not in page
    assert "/login/oidc" in page
    assert send(world.client(), "/login", at="/login", name="a", password="b").status_code == 404
    world.store.close()
