"""Access tokens: JWTs that the operator's authorisation server signed, checked by its JWKS."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from streams.errors import ConfigError, UnavailableError
from streams.language import tr

ALGORITHMS: Final = ["ES256", "ES384", "PS256", "RS256", "EdDSA"]
"""Asymmetric ones: with a shared secret every client could make tokens."""

REFRESH_S: Final = 600.0
AGAIN_S: Final = 30.0
"""A token of an unknown key makes the keys be read again, but no sooner than this."""

LEEWAY_S: Final = 30
KEPT_MAX: Final = 4_096
TIMEOUT_S: Final = 10.0
JWKS_BYTES_MAX: Final = 1 << 20


class TokenError(Exception):
    """A token that is none, is over, or is somebody else's."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that was found good."""

    client: str
    scopes: frozenset[str]
    expires_s: float
    number: str  # of a three-legged one: whose consent it bears; empty for a client alone


class JwksFile:
    """Keys from a file, read anew when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> bytes:
        """Return the document. Raise ConfigError if it cannot be read."""
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{self._path}: {error.strerror}") from None


class JwksUrl:
    """Keys from the operator's authorisation server."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self) -> bytes:
        """Return the document. Raise UnavailableError if it does not come."""
        import urllib3  # noqa: PLC0415 - only here

        try:
            with urllib3.PoolManager(retries=False, timeout=TIMEOUT_S) as pool:
                answer = pool.request("GET", self._url, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(
                tr("signal.jwks_url does not answer: {error}").format(error=type(error).__name__)
            ) from None
        if answer.status != 200 or len(answer.data) > JWKS_BYTES_MAX:
            raise UnavailableError(
                tr("signal.jwks_url answers {status}").format(status=answer.status)
            )
        return answer.data


class AccessTokens:
    """Checks tokens; those found good are remembered until they end, for a bank sends one often."""

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
        """Read the keys. Raise ConfigError for a document that is none, and what `fetch` raises.

        Tokens end by `clock`. How old the keys are is told by `ticks`: a clock that is set back
        would else keep new keys from being read, and withdrawn ones good.
        """
        self._fetch, self._clock, self._ticks = fetch, clock, ticks
        self._number_claim = number_claim
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, AccessToken] = OrderedDict()
        self._keys = self._read()
        self._read_s = ticks()  # when

    async def checked(self, token: str) -> AccessToken:
        """Return as `check` does: at once what is remembered, else from a thread."""
        if (kept := self._remembered(token)) is not None:
            return kept
        return await asyncio.to_thread(self.check, token)

    def _remembered(self, token: str) -> AccessToken | None:
        with self._lock:
            kept = self._kept.get(token)
            fresh = self._ticks() - self._read_s < REFRESH_S
        return kept if kept is not None and fresh and self._clock() < kept.expires_s else None

    def check(self, token: str) -> AccessToken:
        """Return what a token allows. Raise TokenError if it allows nothing."""
        if (kept := self._remembered(token)) is not None:
            return kept
        self._refresh(REFRESH_S)
        try:
            read = self._decoded(token)
        except TokenError:
            if not self._refresh(AGAIN_S):
                raise
            read = self._decoded(token)
        found = self._allowed(read.claims)
        with self._lock:
            self._kept[token] = found
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return found

    def _decoded(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, self._keys, algorithms=ALGORITHMS)
        except Exception:  # noqa: BLE001 - whoever wrote it: the library has no end of errors
            raise TokenError from None

    def _allowed(self, claims: dict[str, Any]) -> AccessToken:
        try:
            self._claims.validate(claims)
            scope, client = claims.get("scope", ""), claims.get("client_id") or claims.get("azp")
            scopes = frozenset(scope.split() if isinstance(scope, str) else map(str, scope))
            number = claims.get(self._number_claim, "")
            expires_s = float(claims["exp"])
        except Exception:  # noqa: BLE001 - as above: claims may be of any type, and of any size
            raise TokenError from None
        if not isinstance(client, str) or not isinstance(number, str):
            raise TokenError
        return AccessToken(client, scopes, expires_s, number)

    def _refresh(self, age_s: float) -> bool:
        """Read the keys again if they are so old, and say so; old ones stay if none come."""
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
            self._kept.clear()  # a key may have been withdrawn
        return True

    def _read(self) -> KeySet:
        try:
            return KeySet.import_key_set(json.loads(self._fetch()))
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(
                tr("signal: no JWKS: {error}").format(error=type(error).__name__)
            ) from None
