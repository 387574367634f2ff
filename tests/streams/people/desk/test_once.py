"""A link that lets one browser in, at a desk that has one; others have no such page."""

from __future__ import annotations

from streams.cases.store.roles import DeskRole
from streams.people.desk.desk_context import LoginTicket
from tests.streams.people.desk.world import World


def test_a_desk_without_a_ticket_has_no_such_page(world: World) -> None:
    answer = world.client().get("/login/once/anything")
    assert answer.status_code == 404
    assert world.ledger.lines == []


def test_a_link_lets_one_browser_in_and_no_second(world: World) -> None:
    world.person("visitor", DeskRole.LEAD)
    world.desk.ticket = ticket = LoginTicket("visitor")
    first, second = world.client(), world.client()
    assert second.get("/login/once/guessed").status_code == 403
    done = first.get(f"/login/once/{ticket.secret}")
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert first.get("/").status_code == 200
    assert second.get(f"/login/once/{ticket.secret}").status_code == 403
    assert second.get("/").status_code == 303, "and is still outside"
    lines = [(each["auth"], each["outcome"]) for each in world.ledger.of("login")]
    assert lines == [("once", "refused"), ("once", "done"), ("once", "refused")]
    assert ticket.secret not in str(world.ledger.lines)


def test_a_link_is_not_guessed_without_end(world: World) -> None:
    world.desk.ticket = LoginTicket("visitor")
    client = world.client()
    assert [client.get("/login/once/x").status_code for _ in range(21)] == [403] * 20 + [429]


def test_a_browser_that_was_in_gets_a_session_of_its_own(world: World) -> None:
    client = world.inside(DeskRole.AGENT)
    before = client.cookies["desk-session"]
    world.person("visitor", DeskRole.LEAD)
    world.desk.ticket = ticket = LoginTicket("visitor")
    client.get(f"/login/once/{ticket.secret}")
    assert client.cookies["desk-session"] != before
    assert world.store.accounts.session(before) is None
