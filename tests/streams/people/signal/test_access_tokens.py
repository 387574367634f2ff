"""Access tokens: of the right issuer, for us, in time, by a key that still holds."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given, strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey
from joserfc.jws import JWSRegistry

from streams.common.errors import ConfigError, UnavailableError
from streams.common.files import read_bytes
from streams.people.signal import access_tokens as module
from streams.people.signal.access_tokens import REFRESH_S, AccessTokens, TokenError, jwks_of_url
from streams.people.signal.clients import CHECK
from tests.streams.people.signal.parts import AUDIENCE, ISSUER, jwks, signer, token


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
    assert asyncio.run(tokens.check_in_thread(token(scope=["a", "b"]))).scopes == {"a", "b"}


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
    tokens = AccessTokens(lambda: jwks(*names), ISSUER, AUDIENCE, clock=clock, ticks=clock)
    old, new = token(exp=int(clock.now) + 9_000), token("k2", exp=int(clock.now) + 9_000)
    tokens.check(old)
    names[:] = ["k2"]
    clock.now += REFRESH_S + 1
    tokens.check(new)
    with pytest.raises(TokenError):
        tokens.check(old)


def test_a_wall_clock_that_is_set_back_keeps_no_key_from_being_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, names = Clock(), ["k1"]
    tokens = AccessTokens(lambda: jwks(*names), ISSUER, AUDIENCE, clock=clock)
    old, new = token(), token("k2")
    tokens.check(old)
    names[:] = ["k2"]
    clock.now -= 86_400
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    assert tokens.check(new).client == "bank-1"
    with pytest.raises(TokenError):
        tokens.check(old)


def test_where_no_keys_come_the_old_ones_stay() -> None:
    clock = Clock()
    answers = [jwks()]

    def fetch() -> bytes:
        if not answers:
            raise UnavailableError
        return answers.pop()

    tokens = AccessTokens(fetch, ISSUER, AUDIENCE, clock=clock, ticks=clock)
    clock.now += REFRESH_S + 1
    tokens.check(token(exp=int(clock.now) + 600))


def raw(header: str, claims: str, key: str = "k1") -> str:
    """A token whose signature is good, whatever is in it."""
    parts = [urlsafe_b64encode(each.encode()).rstrip(b"=") for each in (header, claims)]
    signature = JWSRegistry.algorithms["ES256"].sign(b".".join(parts), signer(key))
    return b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def refused_or_read(given: str) -> bool:
    """Tell if a token was read; whatever else it does but be refused fails the test."""
    try:
        AccessTokens(jwks, ISSUER, AUDIENCE).check(given)
    except TokenError:
        return False
    return True


GOOD = '{"alg":"ES256","kid":"k1"}'
CLAIMS = json.dumps({"iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000, "client_id": "bank-1"})


@pytest.mark.parametrize(
    "given",
    [
        "eyJhbGciOiJFUzI1NiIsImNyaXQiOjF9.e30.eA",
        raw('{"alg":"ES256","kid":"k1","crit":1}', CLAIMS),
        raw('{"alg":"ES256","crit":[[]]}', CLAIMS),
        raw('{"alg":[]}', CLAIMS),
        raw("[]", CLAIMS),
        raw("7", CLAIMS),
        raw("[" * 100_000, CLAIMS),
        raw(GOOD, "[" * 100_000),
        raw(GOOD, '{"a":' * 900 + "0" + "}" * 900),
        raw(GOOD, CLAIMS[:-1] + ',"exp":1' + "0" * 400 + "}"),
        raw(GOOD, CLAIMS[:-1] + ',"exp":1' + "0" * 5_000 + "}"),
        raw(GOOD, CLAIMS[:-1] + ',"exp":[]}'),
        raw(GOOD, CLAIMS[:-1] + ',"exp":NaN}'),
        raw(GOOD, CLAIMS[:-1] + ',"aud":{"a":1}}'),
        raw(GOOD, CLAIMS[:-1] + ',"sub":7}'),
        raw(GOOD, CLAIMS[:-1] + ',"nbf":"x"}'),
        raw(GOOD, CLAIMS[:-1] + ',"client_id":{}}'),
        raw(GOOD, "null"),
        "\ud800.e30.eA",
    ],
)
def test_a_token_of_odd_types_is_refused_as_any_bad_one(given: str) -> None:
    assert not refused_or_read(given)


def test_a_token_that_nests_as_deep_as_can_be_read_is_refused_or_read() -> None:
    assert refused_or_read(raw(GOOD, CLAIMS))
    for depth in range(850, 1_000, 5):
        nested = "[" * depth + "]" * depth
        refused_or_read(raw(GOOD, f'{CLAIMS[:-1]},"scope":[{nested}]}}'))
        refused_or_read(raw(f'{GOOD[:-1]},"crit":{nested}}}', CLAIMS))


_ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4) | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**63, ISSUER, AUDIENCE, "ES256", "k1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip
_HEADERS = ("alg", "kid", "crit", "b64", "typ", "cty", "jwk", "jku", "x5c", "x5t", "zip", "epk")
_CLAIMS = ("iss", "aud", "exp", "nbf", "iat", "sub", "jti", "scope", "client_id", "azp",
           "phone_number")  # fmt: skip


@hypothesis.settings(deadline=None)
@given(
    header=st.dictionaries(st.sampled_from(_HEADERS), _ANY),
    claims=st.dictionaries(st.sampled_from(_CLAIMS), _ANY),
)
def test_whatever_is_in_a_token_it_is_refused_or_read(
    header: dict[str, object], claims: dict[str, object]
) -> None:
    refused_or_read(raw(json.dumps({"alg": "ES256", "kid": "k1"} | header), CLAIMS))
    refused_or_read(raw(GOOD, json.dumps(json.loads(CLAIMS) | claims)))


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda each: each.decode("latin-1")))
def test_whatever_a_client_sends_for_a_token_is_refused(given: str) -> None:
    assert not refused_or_read(given)


def test_keys_come_from_a_file_or_a_server(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(jwks())
    assert read_bytes(tmp_path / "jwks.json") == jwks()
    with pytest.raises(ConfigError):
        read_bytes(tmp_path / "nowhere")
    with pytest.raises(UnavailableError):
        jwks_of_url("http://127.0.0.1:9/jwks")
    with pytest.raises(ConfigError, match="no JWKS"):
        AccessTokens(lambda: b"{", ISSUER, AUDIENCE)
    with pytest.raises(ConfigError, match="no JWKS"):
        AccessTokens(lambda: b"[" * 100_000, ISSUER, AUDIENCE)
