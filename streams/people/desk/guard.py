"""ASGI middleware that checks each request before a page sees it.

It checks the host name, the size of the body, the origin and CSRF token of a form, and the session.
It adds security headers to every response: scripts, frames, caches and referrers are restricted.
It logs no personal data.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.cases.store.accounts import Accounts
from streams.cases.store.roles import DeskSession
from streams.common import UnavailableError, speaking, tr
from streams.common.language import LANGUAGES, matching
from streams.people.desk.visit import RefusedError, Visit

BODY_MAX: Final = 65_536
"""Maximum size of a form in bytes. The longest form has a note of 4,000 percent-encoded characters.
"""

FIELDS_MAX: Final = 64

HEADERS: Final = (
    # Only files of the console itself, and no frames.
    (
        "content-security-policy",
        (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
)

QUIET: Final = ("/static/", "/health/")
"""Path prefixes for which no session is looked up. Browsers may cache `/static/`."""

STREAM: Final = "/live/stream"
"""Path of the live list's event stream. An open page reconnects by itself, so a request does not
show that a person is active, and does not extend the session."""

LANGUAGE: Final = "desk-language"
SESSION: Final = "desk-session"
FORM: Final = "desk-form"
"""Names of the cookies: language, session id, and the CSRF secret before log-in."""


Refuse = Callable[["Scope", RefusedError], "ASGIApp"]
"""Creates the page that explains why a request is refused."""


@dataclass(frozen=True, slots=True)
class Site:
    """The public address of the console, and the proxies that it trusts."""

    url: str  # for example https://desk.example, without a path
    proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-For header is trusted

    @property
    def secure(self) -> bool:
        return self.url.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """Allowed values of the `Host` header: the address, and other names of loopback."""
        parts = urlsplit(self.url)
        names = {parts.netloc}
        if parts.hostname in ("127.0.0.1", "localhost", "::1"):
            port = f":{parts.port}" if parts.port else ""
            names |= {f"{name}{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        return frozenset(names)

    def cookie(self, name: str) -> str:
        """Return the full name of a cookie.

        With TLS it has the prefix `__Host-`, so that a sibling domain cannot set the cookie.
        """
        return f"__Host-{name}" if self.secure else name

    def trusts(self, peer: str) -> bool:
        here = _ip(peer)
        networks = (ip_network(each, strict=False) for each in self.proxies)
        return here is not None and any(here in each for each in networks)

    def address(self, peer: str, headers: Headers) -> str:
        """Return the address of the browser.

        It is the peer's address. For a trusted proxy it is the last address in `X-Forwarded-For`,
        because the browser can forge the earlier ones.
        """
        found = _ip(peer)
        if self.trusts(peer):
            found = _ip(",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2]) or found
        return str(found or peer)


def _ip(written: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address, with or without a port and brackets. Return None if it is invalid.

    An IPv4 address in IPv6 form is returned as IPv4.

    >>> [str(_ip(each)) for each in ("10.0.0.1:80", "[::1]:443", "::ffff:10.0.0.1", "unknown")]
    ['10.0.0.1', '::1', '10.0.0.1', 'None']
    """
    for read in (str.strip, lambda each: urlsplit(f"//{each.strip()}").hostname or ""):
        try:
            found = ip_address(read(written))
        except ValueError:
            continue
        return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
    return None


def set_cookie(place: Site, name: str, value: str, *, lasts_s: int | None = None) -> str:
    """Return the value of a `Set-Cookie` header.

    `lasts_s` is the lifetime in seconds; 0 deletes the cookie. Without `lasts_s` the cookie ends
    with the browser.
    """
    parts = [f"{place.cookie(name)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if place.secure:
        parts.append("Secure")
    if lasts_s is not None:
        parts.append(f"Max-Age={lasts_s}")
    return "; ".join(parts)


class Guard:
    """The outermost ASGI layer. It passes only checked requests to `app`."""

    def __init__(
        self,
        app: ASGIApp,
        place: Site,
        sessions: Accounts,
        refuse: Refuse,
        zone: tzinfo | None,
        language: str,
    ) -> None:
        self._app = app
        self._place = place
        self._sessions = sessions
        self._refuse = refuse
        self._zone = zone
        self._language = language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application, or answer with a refusal."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = HTTPConnection(scope)
        headers, cookies = request.headers, request.cookies
        peer = scope["client"][0] if scope.get("client") else ""
        address = self._place.address(peer, headers)
        form_secret = cookies.get(self._place.cookie(FORM), "")
        fresh = secrets.token_urlsafe(24) if len(form_secret) < 16 else ""
        scope.setdefault("state", {})["visit"] = Visit(
            request, None, "", form_secret or fresh, address
        )
        outward = _outward(send, self._place, scope["path"], fresh)
        with speaking(self._tag(headers, cookies, None), self._zone):
            try:
                visit = await self._check_request(scope, receive, headers, cookies, address, fresh)
            except (RefusedError, UnavailableError) as error:
                if isinstance(error, UnavailableError):  # the store does not answer
                    error = RefusedError(503, str(error))
                await self._refuse(scope, error)(scope, receive, outward)
                return
        scope["state"]["visit"] = visit
        with speaking(self._tag(headers, cookies, visit.session), self._zone):
            await self._app(scope, receive, outward)

    def _tag(
        self, headers: Headers, cookies: Mapping[str, str], session: DeskSession | None
    ) -> str:
        """Return the language of a page.

        Order: the cookie, the account, the browser's `Accept-Language`, the console's default.
        """
        chosen = cookies.get(self._place.cookie(LANGUAGE), "")
        asked = headers.get("accept-language", "").split(",")
        wanted = [
            session.account.language if session else "",
            *(a.partition(";")[0] for a in asked),
        ]
        if chosen in LANGUAGES:
            return chosen
        return next((tag for each in wanted if (tag := matching(each.strip()))), self._language)

    async def _check_request(
        self,
        scope: Scope,
        receive: Receive,
        headers: Headers,
        cookies: Mapping[str, str],
        address: str,
        fresh: str,
    ) -> Visit:
        """Check a request and return its session and form. Raise RefusedError if a check fails."""
        host = headers.get("host", "")
        if host not in self._place.hosts and not scope["path"].startswith("/health/"):
            raise RefusedError(421, tr("This desk is not reached by that name."))
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            raise RefusedError(404, tr("There is no such page."))
        if scope["method"] not in ("GET", "HEAD", "POST"):
            raise RefusedError(405, tr("A page of the desk is read, or a form of it is sent."))
        session = None
        secret = cookies.get(self._place.cookie(SESSION), "")
        if secret and not scope["path"].startswith(QUIET):
            touch = scope["path"] != STREAM
            session = await to_thread.run_sync(lambda: self._sessions.session(secret, touch=touch))
        csrf = session.csrf if session else fresh or cookies[self._place.cookie(FORM)]
        form: Mapping[str, str] = {}
        if scope["method"] == "POST":
            _check_origin(headers, self._place)
            form = await _form(Request(scope, receive))
            if not secrets.compare_digest(form.get("csrf", "").encode(), csrf.encode()):
                raise RefusedError(
                    403,
                    tr("The form is of an earlier log-in, or not of this desk. Load it again."),
                )
        return Visit(HTTPConnection(scope), session, secret if session else "", csrf, address, form)


def _check_origin(headers: Headers, place: Site) -> None:
    """Raise RefusedError if another site sent the form.

    Old browsers send only `Origin`, new browsers also `Sec-Fetch-Site`.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    known = {f"{urlsplit(place.url).scheme}://{host}" for host in place.hosts}
    if (site is not None and site != "same-origin") or (origin is not None and origin not in known):
        raise RefusedError(403, tr("The form was sent by another site."))


async def _form(request: Request) -> Mapping[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise RefusedError(415, tr("The desk takes its own forms only."))
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > BODY_MAX:
                raise RefusedError(413, tr("The form is too long."))
    except ClientDisconnect:
        raise RefusedError(400, tr("The form ended in its middle.")) from None
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
        )
    except ValueError:  # UnicodeDecodeError is one
        raise RefusedError(400, tr("The form cannot be read.")) from None
    if any("\0" in each for pair in pairs for each in pair):  # databases reject NUL
        raise RefusedError(400, tr("The form cannot be read."))
    return dict(pairs)


def _outward(send: Send, place: Site, path: str, fresh: str) -> Send:
    """Return a `send` that adds security headers, cache headers and the CSRF cookie."""

    def sending(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS:
                headers[name] = value
            if place.secure:
                headers["strict-transport-security"] = "max-age=31536000"
            if message["status"] == 200 and path.startswith("/static/"):
                headers["cache-control"] = "public, max-age=31536000, immutable"
            else:
                headers["cache-control"] = "no-store"
                if fresh and not path.startswith(QUIET):
                    headers.append("set-cookie", set_cookie(place, FORM, fresh))
        return send(message)

    return sending
