"""Check access tokens: JWTs from the operator's authorisation server, verified with its JWKS."""

import asyncio
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from streams.common import ConfigError, UnavailableError, tr

ALGORITHMS: Final = ["ES256", "ES384", "PS256", "RS256", "EdDSA"]
"""Accepted algorithms, all asymmetric. With a shared secret every client could create tokens."""

REFRESH_S: Final = 600.0
AGAIN_S: Final = 30.0
"""A token with an unknown key triggers another read of the JWKS, at most once in this time."""

KEPT_MAX: Final = 4_096
TIMEOUT_S: Final = 10.0


class TokenError(Exception):
    """The token is invalid, expired, or was issued for another service."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A valid token."""

    client: str
    scopes: frozenset[str]
    expires_s: float
    number: str  # user's number in a three-legged token; empty if the client acts on its own


def jwks_of_url(url: str) -> bytes:
    """Read the JWKS from the operator's authorisation server. Raise UnavailableError on failure."""
    import urllib3  # noqa: PLC0415 - used only here

    try:
        with urllib3.PoolManager(retries=False, timeout=TIMEOUT_S) as pool:
            answer = pool.request("GET", url, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        raise UnavailableError(
            tr("signal.jwks_url does not answer: {error}").format(error=type(error).__name__)
        ) from None
    if answer.status != 200 or len(answer.data) > 1 << 20:
        raise UnavailableError(tr("signal.jwks_url answers {status}").format(status=answer.status))
    return answer.data


class AccessTokens:
    """Check tokens. Valid tokens are cached, because a bank sends the same token many times."""

    def __init__(
        self,
        fetch: Callable[[], bytes],
        issuer: str,
        audience: str,
        *,
        number_claim: str = "phone_number",
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the keys. Raise ConfigError for an invalid JWKS, or whatever `fetch` raises.

        `clock` decides when tokens expire. `ticks` (monotonic) decides when keys are read again. If
        the wall clock is set back, withdrawn keys must not stay valid for longer.
        """
        self._fetch, self._clock, self._ticks = fetch, clock, ticks
        self._number_claim = number_claim
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=30,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, AccessToken] = OrderedDict()
        self._keys = self._read()
        self._read_s = ticks()  # time of the last read

    async def check_in_thread(self, token: str) -> AccessToken:
        """Like `check`, but does not block: a token that is not cached is checked in a thread."""
        if (kept := self._get_cached(token)) is not None:
            return kept
        return await asyncio.to_thread(self.check, token)

    def _get_cached(self, token: str) -> AccessToken | None:
        with self._lock:
            kept = self._kept.get(token)
            fresh = self._ticks() - self._read_s < REFRESH_S
        return kept if kept is not None and fresh and self._clock() < kept.expires_s else None

    def check(self, token: str) -> AccessToken:
        """Check a token and return its rights. Raise TokenError if it is not valid."""
        if (kept := self._get_cached(token)) is not None:
            return kept
        self._refresh(REFRESH_S)
        try:
            read = self._decode(token)
        except TokenError:
            if not self._refresh(AGAIN_S):
                raise
            read = self._decode(token)
        found = self._check_claims(read.claims)
        with self._lock:
            self._kept[token] = found
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return found

    def _decode(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, self._keys, algorithms=ALGORITHMS)
        except Exception:  # noqa: BLE001 - malformed tokens cause many kinds of library errors
            raise TokenError from None

    def _check_claims(self, claims: dict[str, Any]) -> AccessToken:
        try:
            self._claims.validate(claims)
            scope, client = claims.get("scope", ""), claims.get("client_id") or claims.get("azp")
            scopes = frozenset(scope.split() if isinstance(scope, str) else map(str, scope))
            number = claims.get(self._number_claim, "")
            expires_s = float(claims["exp"])
        except Exception:  # noqa: BLE001 - claims can have any type and size
            raise TokenError from None
        if not isinstance(client, str) or not isinstance(number, str):
            raise TokenError
        return AccessToken(client, scopes, expires_s, number)

    def _refresh(self, age_s: float) -> bool:
        """Read the keys again if they are older than `age_s`. Return true if new keys were read.

        The old keys stay in use if the read fails.
        """
        with self._lock:
            now = self._ticks()
            if now - self._read_s < age_s:
                return False
            self._read_s = now
        try:
            self._keys = self._read()
        except (ConfigError, UnavailableError):
            return False
        with self._lock:
            self._kept.clear()  # the key of a cached token may have been withdrawn
        return True

    def _read(self) -> KeySet:
        try:
            return KeySet.import_key_set(json.loads(self._fetch()))
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(
                tr("signal: no JWKS: {error}").format(error=type(error).__name__)
            ) from None
