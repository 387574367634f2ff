"""Entry by OpenID Connect, with a provider that runs: the flow, and each way it can go wrong."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from starlette.testclient import TestClient

from streams.cases.store.roles import DeskRole
from streams.people.desk import oidc
from tests.streams.people.desk.signing_provider import CLIENT, SigningProvider, signing_provider
from tests.streams.people.desk.world import World
from tests.waiting import END_S

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses what its library calls old
    from oidc_provider_mock import User, run_server_in_thread

# The provider is served by a thread of this process, and is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    people = [
        User(sub="u-1", claims={"name": "李雷", "groups": ["hotline"]}),
        User(sub="u-2", claims={"groups": ["others"]}),
        User(sub="u-3", claims={"groups": ["hotline"]}),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with run_server_in_thread(user_claims=people) as server:
            yield f"http://localhost:{server.server_port}"


@pytest.fixture
def world(tmp_path: Path, provider: str) -> Iterator[World]:
    made = World(
        tmp_path, enter=("oidc",), oidc_issuer=provider, oidc_client_id="desk",
        oidc_secret="s", roles={"hotline": "agent"},
    )  # fmt: skip
    yield made
    made.store.close()


def begun(client: TestClient) -> str:
    """The provider's address to which a browser is sent."""
    answer = client.get("/login/oidc")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def agreed(address: str, sub: str) -> str:
    """What the provider sends the browser back to, once a person has said yes."""
    answer = httpx2.post(address, data={"sub": sub}, follow_redirects=False, timeout=END_S)
    assert answer.status_code == 302, answer.text
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


def test_somebody_comes_in_with_the_roles_of_their_groups(world: World) -> None:
    client = world.client()
    address = begun(client)
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://127.0.0.1:8470/login/oidc/back"]
    assert len(asked["state"][0]) >= 32
    assert len(asked["nonce"][0]) >= 32
    done = client.get(agreed(address, "u-1"))
    assert (done.status_code, done.headers["location"]) == (303, "/"), done.text
    account = world.store.accounts.get("u-1")
    assert account.roles == {DeskRole.AGENT}
    assert account.shown_name == "李雷"
    assert "李雷" in client.get("/").text
    (line,) = world.ledger.of("login")
    assert (line["auth"], line["outcome"]) == ("oidc", "done")


def test_who_is_in_no_group_of_ours_stays_outside(world: World) -> None:
    client = world.client()
    done = client.get(agreed(begun(client), "u-2"))
    assert done.status_code == 403
    assert client.get("/").status_code == 303


def test_another_browser_cannot_finish_a_log_in(world: World) -> None:
    """Log-in CSRF: somebody is made to enter as the attacker."""
    back = agreed(begun(world.client()), "u-1")
    victim = world.client()
    assert victim.get(back).status_code == 403
    begun(victim)
    assert victim.get(back).status_code == 403, "with a log-in of its own begun, neither"


def test_who_comes_back_without_end_fills_no_audit_and_asks_no_provider(world: World) -> None:
    client = world.client()
    client.cookies.set("desk-oidc", "a.b.c")
    back = [client.get("/login/oidc/back?state=a&code=x").status_code for _ in range(22)]
    assert back == [403] * 20 + [429] * 2
    assert len(world.ledger.lines) == 20
    assert [client.get("/login/oidc").status_code for _ in range(21)] == [303] * 20 + [429]


@pytest.mark.parametrize(
    "change",
    [{"state": "x" * 43}, {"state": ""}, {"code": "guessed"}, {"code": ""}],
)
def test_a_changed_answer_is_refused(world: World, change: dict[str, str]) -> None:
    client = world.client()
    back = agreed(begun(client), "u-1")
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    assert client.get(f"/login/oidc/back?{urlencode({**query, **change})}").status_code == 403
    assert world.ledger.of("login")[-1]["outcome"] == "refused"
    assert client.get("/").status_code == 303


def test_a_code_is_of_no_use_twice(world: World) -> None:
    client = world.client()
    back = agreed(begun(client), "u-1")
    done = client.get(back)
    assert done.status_code == 303, done.text
    assert world.client().get(back).status_code == 403


def test_a_token_with_another_nonce_is_refused(world: World) -> None:
    client = world.client()
    address = begun(client)
    nonce = parse_qs(urlsplit(address).query)["nonce"][0]
    back = agreed(address.replace(nonce, "n" * len(nonce)), "u-1")
    assert client.get(back).status_code == 403


AN_HOUR_AGO = int(time.time()) - 3_600

BAD_TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "of another provider": ({"iss": "https://elsewhere.example"}, "RS256"),
    "of nobody": ({"iss": None}, "RS256"),
    "for another program": ({"aud": "mail"}, "RS256"),
    "for nobody": ({"aud": None}, "RS256"),
    "for several, with us among them": ({"aud": ["mail", "desk"]}, "RS256"),
    "for several, given to another": ({"aud": ["mail", "desk"], "azp": "mail"}, "RS256"),
    "given to another": ({"azp": "mail"}, "RS256"),
    "over": ({"exp": AN_HOUR_AGO}, "RS256"),
    "without end": ({"exp": None}, "RS256"),
    "not yet": ({"nbf": AN_HOUR_AGO + 7_200}, "RS256"),
    "about nobody": ({"sub": None}, "RS256"),
    "of another log-in": ({"nonce": "guessed"}, "RS256"),
    "of no log-in": ({"nonce": None}, "RS256"),
    "not signed": ({}, "none"),
    "signed with the public key": ({}, "public key as a secret"),
    "signed by somebody else": ({}, "another key"),
}


@pytest.fixture(scope="module")
def signing() -> Iterator[SigningProvider]:
    with signing_provider() as made:
        yield made


def came_in(tmp_path: Path, signing: SigningProvider, how: str, changed: Any) -> int:
    """The status with which a browser is answered whose token says this."""
    world = World(
        tmp_path, enter=("oidc",), oidc_issuer=signing.issuer, oidc_client_id=CLIENT,
        oidc_secret="s", roles={"hotline": "agent"},
    )  # fmt: skip
    client = world.client()
    asked = parse_qs(urlsplit(begun(client)).query)
    signing.sign(signing.claims(asked["nonce"][0], changed), how)
    query = urlencode({"state": asked["state"][0], "code": "c"})
    status: int = client.get(f"/login/oidc/back?{query}").status_code
    inside = client.get("/").status_code
    assert inside == (200 if status == 303 else 303)
    world.store.close()
    return status


@pytest.mark.parametrize(
    "changed",
    [{}, {"aud": ["desk"]}, {"azp": "desk"}, {"aud": ["mail", "desk"], "azp": "desk"}],
    ids=str,
)
def test_a_token_for_this_console_lets_in(
    tmp_path: Path, signing: SigningProvider, changed: dict[str, Any]
) -> None:
    assert came_in(tmp_path, signing, "RS256", changed) == 303


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_token_that_is_not_for_this_log_in_lets_nobody_in(
    tmp_path: Path, signing: SigningProvider, kind: str
) -> None:
    changed, how = BAD_TOKENS[kind]
    assert came_in(tmp_path, signing, how, changed) == 403


def test_a_code_is_redeemed_with_the_verifier_of_its_challenge(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    redeemed: list[dict[str, Any]] = []

    class Watched(OAuth2Client):
        def fetch_token(self, url: str, **given: Any) -> Any:
            redeemed.append(given)
            return super().fetch_token(url, **given)

    monkeypatch.setattr(oidc, "OAuth2Client", Watched)
    client = world.client()
    address = begun(client)
    assert client.get(agreed(address, "u-1")).status_code == 303
    (given,) = redeemed
    challenge = parse_qs(urlsplit(address).query)["code_challenge"][0]
    assert create_s256_code_challenge(given["code_verifier"]) == challenge
    assert len(given["code_verifier"]) >= 43


def test_a_disabled_person_stays_outside_and_a_local_account_is_not_taken_over(
    world: World,
) -> None:
    client = world.client()
    done = client.get(agreed(begun(client), "u-3"))
    assert done.status_code == 303, done.text
    world.store.accounts.change("u-3", disabled=True)
    assert client.get("/").status_code == 303
    again = world.client()
    assert again.get(agreed(begun(again), "u-3")).status_code == 403
    world.person("u-1", DeskRole.ADMIN)
    local = world.client()
    assert local.get(agreed(begun(local), "u-1")).status_code == 403


def test_a_provider_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    given: dict[str, Any] = {"enter": ("oidc",), "oidc_client_id": "desk"}
    made = World(tmp_path, **given, oidc_issuer="http://127.0.0.1:9")
    answer = made.client().get("/login/oidc")
    assert answer.status_code == 503
    assert re.search("登录服务没有响应", answer.text)
    made.store.close()


def test_where_it_is_off_there_is_no_such_door(tmp_path: Path) -> None:
    made = World(tmp_path)
    assert made.client().get("/login/oidc").status_code == 404
    assert made.client().get("/login/oidc/back?state=x&code=y").status_code == 404
    made.store.close()
