"""The door: hosts, methods, sizes, other sites, tokens, sessions, headers of every answer."""

from __future__ import annotations

import asyncio

import pytest
from starlette.datastructures import Headers

from streams.cases.store.roles import DeskRole
from streams.people.desk.guard import BODY_MAX, FIELDS_MAX, Site, set_cookie
from tests.streams.people.desk.world import PASSWORD, URL, World, send, token_of


def test_every_answer_lets_no_script_frame_cache_or_referrer_do_anything(world: World) -> None:
    client = world.inside(DeskRole.AGENT)
    for path in ("/", "/login", "/nowhere", "/users", "/health/live"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_a_file_may_be_kept_and_a_wrong_address_of_one_is_not_there(world: World) -> None:
    from streams.people.desk.render import static_files

    client = world.client()
    kept = client.get(static_files()["desk.css"].path)
    assert kept.headers["cache-control"].endswith("immutable")
    assert "set-cookie" not in kept.headers
    missing = client.get("/static/0000000000000000/desk.css")
    assert missing.status_code == 404
    assert missing.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:80", ""])
def test_a_name_that_is_not_the_desks_is_refused(world: World, host: str) -> None:
    """A page of another site may have its name point at loopback."""
    assert world.client().get("/login", headers={"host": host}).status_code == 421


def test_loopback_has_several_names(world: World) -> None:
    for host in ("127.0.0.1:8470", "localhost:8470", "[::1]:8470"):
        assert world.client().get("/login", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(world: World, method: str) -> None:
    assert world.client().request(method, "/login").status_code == 405


def test_a_form_without_its_token_is_refused(world: World) -> None:
    client = world.inside(DeskRole.AGENT)
    for fields in ({}, {"csrf": ""}, {"csrf": "x" * 43}, {"csrf": "é"}):
        assert client.post("/search", data={"number": "13900000001", **fields}).status_code == 403
    assert world.ledger.of("search") == []


def test_the_token_of_another_session_is_refused(world: World) -> None:
    mine, theirs = world.inside(DeskRole.AGENT), world.inside(DeskRole.AGENT, name="wang.fang")
    token = token_of(theirs, "/")
    answer = mine.post("/search", data={"csrf": token, "number": "13900000001"})
    assert answer.status_code == 403


def test_a_token_from_before_the_log_in_is_worth_nothing_after_it(world: World) -> None:
    world.person("li.lei", DeskRole.AGENT)
    client = world.client()
    before = token_of(client, "/login")
    client.post("/login", data={"csrf": before, "name": "li.lei", "password": PASSWORD})
    assert client.post("/logout", data={"csrf": before}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:8470"},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_the_token(
    world: World, headers: dict[str, str]
) -> None:
    client = world.inside(DeskRole.AGENT)
    fields = {"csrf": token_of(client, "/"), "number": "13900000001"}
    assert client.post("/search", data=fields, headers=headers).status_code == 403
    own = {"sec-fetch-site": "same-origin", "origin": URL}
    assert client.post("/search", data=fields, headers=own).status_code == 200


def test_a_form_that_is_too_long_or_no_form_is_refused(world: World) -> None:
    client = world.inside(DeskRole.AGENT)
    token = token_of(client, "/")
    long = client.post("/note", data={"csrf": token, "text": "x" * BODY_MAX})
    assert long.status_code == 413
    assert client.post("/search", json={"csrf": token}).status_code == 415
    assert client.post("/search", files={"csrf": b"x"}).status_code == 415
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/search", content=b"\xff=\xff", headers=kind).status_code == 400
    many = "&".join(f"a{n}=1" for n in range(FIELDS_MAX + 1))
    assert client.post("/search", content=many, headers=kind).status_code == 400


def test_whoever_is_not_in_is_sent_to_the_log_in(world: World) -> None:
    client = world.client()
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert send(client, "/search", at="/login", number="13900000001").status_code == 401


def test_a_session_ends_when_it_is_idle_and_at_the_end_of_a_shift(world: World) -> None:
    client = world.inside(DeskRole.AGENT)
    begun = world.store.at_ms
    while client.get("/").status_code == 200:  # somebody is there
        world.store.at_ms += 14 * 60_000
    assert 0 <= world.store.at_ms - begun - 12 * 3_600_000 < 14 * 60_000, "a shift"
    idle = world.inside(DeskRole.AGENT)
    world.store.at_ms += 16 * 60_000
    assert idle.get("/").status_code == 303


def test_a_log_in_gives_a_session_that_nobody_had_before(world: World) -> None:
    """Session fixation: whatever a browser brings is not what it is given."""
    world.person("li.lei", DeskRole.AGENT)
    client = world.client()
    planted = "p" * 43
    client.cookies.set("desk-session", planted)
    done = send(client, "/login", at="/login", name="li.lei", password=PASSWORD)
    secret = done.cookies["desk-session"]
    assert secret != planted
    assert world.store.accounts.session(planted) is None
    again = send(client, "/login", at="/account", name="li.lei", password=PASSWORD)
    renewed = again.cookies["desk-session"]
    assert renewed != secret
    assert world.store.accounts.session(secret) is None, "and the one before has ended"


def test_cookies_are_for_this_host_alone_where_there_is_tls() -> None:
    place = Site("https://desk.example")
    made = set_cookie(place, "desk-session", "x")
    assert made.startswith("__Host-desk-session=x; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert "Domain" not in made
    assert set_cookie(Site(URL), "desk-session", "x").startswith("desk-session=x; ")
    assert "Max-Age=0" in set_cookie(place, "desk-session", "", lasts_s=0)


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("10.0.0.5", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.5", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.6", "203.0.113.9", "10.0.0.6"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("", "203.0.113.9", ""),
        ("10.0.0.5", "203.0.113.9:52114", "203.0.113.9"),
        ("10.0.0.5", "[2001:db8::9]:443", "2001:db8::9"),
        ("10.0.0.5", "[2001:db8::9]", "2001:db8::9"),
        ("10.0.0.5", "2001:DB8:0::9", "2001:db8::9"),
        ("10.0.0.5", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.5", "[::ffff:203.0.113.9]:443", "203.0.113.9"),
        ("10.0.0.5", "unknown", "10.0.0.5"),
        ("10.0.0.5", "999.0.113.9:80:80", "10.0.0.5"),
        ("10.0.0.5", "[2001:db8::9", "10.0.0.5"),
        ("::ffff:10.0.0.5", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.6", "203.0.113.9", "10.0.0.6"),
    ],
)
def test_only_a_listed_proxy_says_who_is_behind_it(peer: str, said: str, address: str) -> None:
    place = Site("https://desk.example", ("10.0.0.5/32",))
    assert place.address(peer, Headers({"x-forwarded-for": said})) == address


def test_of_two_headers_the_one_that_the_proxy_added_counts() -> None:
    place = Site("https://desk.example", ("10.0.0.5/32",))
    said = [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-for", b"203.0.113.9")]
    assert place.address("10.0.0.5", Headers(raw=said)) == "203.0.113.9"


def test_a_web_socket_is_closed(world: World) -> None:
    sent: list[dict[str, object]] = []

    async def send_(message: dict[str, object]) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    asyncio.run(world.app({"type": "websocket"}, receive, send_))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_the_language_is_what_the_browser_asks_for_until_somebody_says_otherwise(
    world: World,
) -> None:
    client = world.client()
    assert '<html lang="zh-Hans">' in client.get("/login").text
    english = client.get("/login", headers={"accept-language": "fr;q=.9, en;q=.8"}).text
    assert '<html lang="en">' in english
    inside = world.inside(DeskRole.AGENT)
    send(inside, "/language", at="/", language="en")
    assert '<html lang="en">' in inside.get("/").text
    assert world.store.accounts.get("li.lei").language == "en"
    assert send(inside, "/language", at="/", language="xx").status_code == 400
