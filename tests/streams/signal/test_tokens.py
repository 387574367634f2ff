"""Access tokens: of the right issuer, for us, in time, by a key that still holds."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from streams.errors import ConfigError, UnavailableError
from streams.signal.clients import CHECK
from streams.signal.tokens import REFRESH_S, AccessTokens, JwksFile, JwksUrl, TokenError
from tests.streams.signal.parts import AUDIENCE, ISSUER, jwks, token


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def test_a_good_token_says_who_and_what() -> None:
    tokens = AccessTokens(jwks, ISSUER, AUDIENCE)
    found = tokens.check(token(phone_number="+8613900000001"))
    assert (found.client, found.number) == ("bank-1", "+8613900000001")
    assert CHECK in found.scopes
    assert asyncio.run(tokens.checked(token(scope=["a", "b"]))).scopes == {"a", "b"}


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"}, {"aud": "another"}, {"exp": 1}, {"exp": None},
        {"client_id": None}, {"client_id": 7}, {"phone_number": 7}, {"scope": 7},
    ],
)  # fmt: skip
def test_a_token_of_somebody_else_or_of_before_allows_nothing(claims: dict) -> None:
    with pytest.raises(TokenError):
        AccessTokens(jwks, ISSUER, AUDIENCE).check(token(**claims))


def test_a_token_that_nobody_signed_or_with_a_shared_secret_allows_nothing() -> None:
    tokens = AccessTokens(jwks, ISSUER, AUDIENCE)
    head, body, _ = token().split(".")
    shared = jwt.encode({"alg": "HS256", "kid": "k1"}, {"iss": ISSUER}, OctKey.generate_key(256))
    for wrong in ("", "x", "a.b.c", f"{head}.{body}.", token("k2"), shared):
        with pytest.raises(TokenError):
            tokens.check(wrong)


def test_a_token_that_was_good_ends_when_it_says() -> None:
    clock = Clock()
    tokens = AccessTokens(jwks, ISSUER, AUDIENCE, clock=clock)
    given = token(exp=int(clock.now) + 60)
    assert tokens.check(given) is tokens.check(given)
    clock.now += 120
    with pytest.raises(TokenError):
        tokens.check(given)


def test_a_new_key_is_learnt_and_a_withdrawn_one_forgotten() -> None:
    clock, names = Clock(), ["k1"]
    tokens = AccessTokens(lambda: jwks(*names), ISSUER, AUDIENCE, clock=clock)
    old, new = token(exp=int(clock.now) + 9_000), token("k2", exp=int(clock.now) + 9_000)
    tokens.check(old)
    names[:] = ["k2"]
    clock.now += REFRESH_S + 1
    tokens.check(new)
    with pytest.raises(TokenError):
        tokens.check(old)


def test_where_no_keys_come_the_old_ones_stay() -> None:
    clock = Clock()
    answers = [jwks()]

    def fetch() -> bytes:
        if not answers:
            raise UnavailableError
        return answers.pop()

    tokens = AccessTokens(fetch, ISSUER, AUDIENCE, clock=clock)
    clock.now += REFRESH_S + 1
    tokens.check(token(exp=int(clock.now) + 600))


def test_keys_come_from_a_file_or_a_server(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(jwks())
    assert JwksFile(tmp_path / "jwks.json")() == jwks()
    with pytest.raises(ConfigError):
        JwksFile(tmp_path / "nowhere")()
    with pytest.raises(UnavailableError):
        JwksUrl("http://127.0.0.1:9/jwks")()
    with pytest.raises(ConfigError, match="no JWKS"):
        AccessTokens(lambda: b"{", ISSUER, AUDIENCE)
    with pytest.raises(ConfigError, match="no JWKS"):
        AccessTokens(lambda: b"[" * 100_000, ISSUER, AUDIENCE)
