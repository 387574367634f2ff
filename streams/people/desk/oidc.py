"""Log-in by OpenID Connect: authorization code flow with PKCE, nonce, and a state in a cookie.

The provider returns the person's name and groups. The settings map groups to roles. The data of a
started log-in are in a cookie for ten minutes, so any console process can finish the log-in.
"""

import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from httpx2 import HTTPError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.responses import RedirectResponse, Response

from streams.common import tr
from streams.common.tls import private
from streams.config.sections.desk_settings import Console
from streams.people.desk.desk_context import Desk
from streams.people.desk.entry import EntryPages
from streams.people.desk.guard import set_cookie
from streams.people.desk.rights import roles_of
from streams.people.desk.visit import RefusedError, Visit

COOKIE: Final = "desk-oidc"
FLIGHT_S: Final = 600
"""Time in seconds in which a started log-in must be finished."""

KNOWN_S: Final = 3_600.0  # Time in seconds for which the provider's discovery document is cached.

TIMEOUT_S: Final = 10.0

ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "EdDSA",
)
"""Accepted signature algorithms of a provider. Shared secrets (HMAC) and `none` are excluded."""

WRONG_ANSWERS: Final = (AuthlibBaseError, HTTPError, JoseError, KeyError, ValueError)
"""Exceptions of a provider that does not answer or answers incorrectly."""


@dataclass(slots=True)
class OidcEntry:
    """Endpoints that start a log-in at the provider and finish it."""

    desk: Desk
    entry: EntryPages
    _known: tuple[float, dict[str, Any]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, visit: Visit) -> Response:
        """Redirect the browser to the provider, and store state, nonce and verifier in a cookie."""
        self.entry.count_attempt(visit, "oidc")
        provider = self._provider()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._client(state) as client:
            url, _ = client.create_authorization_url(
                provider["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
            )
        kept = f"{state}.{nonce}.{verifier}"
        cookie = set_cookie(self.desk.place, COOKIE, kept, lasts_s=FLIGHT_S)
        return RedirectResponse(url, 303, {"set-cookie": cookie})

    def back(self, visit: Visit) -> Response:
        """Check the provider's answer when the browser returns, and begin a session.

        Raise RefusedError if the state does not match the cookie, or a later check fails.
        """
        self.entry.count_attempt(visit, "oidc", "back")
        console = self.desk.settings.console
        flight = visit.request.cookies.get(self.desk.place.cookie(COOKIE), "").split(".")
        state = visit.request.query_params.get("state", "")
        if len(flight) != 3 or not hmac.compare_digest(flight[0].encode(), state.encode()):
            raise self._not_in(visit, tr("That log-in was not begun in this browser."))
        claims = self._claims(visit, self._provider(), flight)
        name = str(claims.get(console.oidc_name, ""))
        groups = claims.get(console.oidc_claim, [])
        listed = groups if isinstance(groups, list) else [groups]
        roles = roles_of(map(str, listed), console.roles)
        if not name:
            raise self._not_in(visit, tr("The provider did not say who you are."))
        account = self.desk.store.accounts.admit_vouched(
            name, "oidc", roles, str(claims.get("name", "") or claims.get("email", ""))[:64]
        )
        if account is None:
            raise self.entry.refuse(visit, "oidc", name, tr("Your account is disabled."))
        answer = self.entry.begin(visit, account, "oidc")
        answer.headers.append("set-cookie", set_cookie(self.desk.place, COOKIE, "", lasts_s=0))
        return answer

    def _claims(
        self, visit: Visit, provider: Mapping[str, Any], flight: list[str]
    ) -> dict[str, Any]:
        """Exchange the code for an ID token, check the token, and return its claims.

        If the claim with the groups is missing, the userinfo endpoint is asked too.
        """
        console = self.desk.settings.console
        state, nonce, verifier = flight
        code = visit.request.query_params.get("code", "")
        if not code:
            raise self._not_in(visit, tr("The provider did not let you in."))
        with self._client(state) as client:
            try:
                token = client.fetch_token(
                    provider["token_endpoint"], code=code, code_verifier=verifier,
                    grant_type="authorization_code",
                )  # fmt: skip
                keys = client.request("GET", provider["jwks_uri"], withhold_token=True).json()
                checked = jwt.decode(
                    token["id_token"], KeySet.import_key_set(keys), algorithms=list(ALGORITHMS)
                )
                claims = dict(checked.claims)
                _check(claims, console, nonce)
                if console.oidc_claim not in claims and "userinfo_endpoint" in provider:
                    more = client.get(provider["userinfo_endpoint"]).json()
                    if more.get("sub") == claims["sub"]:
                        claims = {**more, **claims}
            except WRONG_ANSWERS as error:
                raise self._not_in(
                    visit,
                    tr("The provider's answer does not fit ({kind}).").format(
                        kind=type(error).__name__
                    ),
                ) from None
        return claims

    def _not_in(self, visit: Visit, says: str) -> RefusedError:
        return self.entry.refuse(visit, "oidc", "?", says)

    def _provider(self) -> dict[str, Any]:
        """Return the provider's discovery document, at most `KNOWN_S` old.

        Raise RefusedError if the provider does not answer or the document is not acceptable.
        """
        issuer = self.desk.settings.console.oidc_issuer
        with self._lock:
            if self._known and time.monotonic() - self._known[0] < KNOWN_S:
                return self._known[1]
        with self._client("") as client:
            try:
                answer = client.request(
                    "GET",
                    f"{issuer.rstrip('/')}/.well-known/openid-configuration",
                    withhold_token=True,
                )
                found: dict[str, Any] = answer.raise_for_status().json()
            except WRONG_ANSWERS as error:
                raise RefusedError(
                    503,
                    tr("The company's log-in does not answer ({kind}).").format(
                        kind=type(error).__name__
                    ),
                ) from None
        if found.get("issuer") != issuer or not all(
            private(str(found.get(name, "")))
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        ):
            raise RefusedError(503, tr("The company's log-in describes itself wrongly."))
        with self._lock:
            self._known = time.monotonic(), found
        return found

    def _client(self, state: str) -> Any:
        console = self.desk.settings.console
        return OAuth2Client(
            client_id=console.oidc_client_id,
            client_secret=console.oidc_secret.get_secret_value() or None,
            scope=console.oidc_scope,
            state=state or None,
            redirect_uri=f"{self.desk.place.url}/login/oidc/back",
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
        )


def _check(claims: dict[str, Any], console: Console, nonce: str) -> None:
    """Raise JoseError if a token is not for this console or not from this log-in.

    OpenID Connect Core 1.0, section 3.1.3.7: if a token has several audiences, `azp` must name the
    console.
    """
    audience = claims.get("aud")
    several = isinstance(audience, list) and len(audience) > 1
    jwt.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": console.oidc_issuer},
        aud={"essential": True, "value": console.oidc_client_id},
        azp={"essential": several, "value": console.oidc_client_id},
        exp={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(claims)
