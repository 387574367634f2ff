"""HTTP API of the signal, with CAMARA's request and error formats. See `openapi.yaml`."""

import re
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from streams.common import UnavailableError, tr, utc_exact
from streams.common.rate_limits import RateLimit
from streams.people.signal.access_tokens import AccessTokens, TokenError
from streams.people.signal.clients import CHECK, DATE, OWN, SignalClient
from streams.people.signal.lookup import MAX_AGE_H, Lookup, is_flooded, own_codes
from streams.people.signal.signal_audit import SignalLedger
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers
from streams.wire.version import UNDECODABLE

PATH: Final = "/verification-flood-signal/v0"
BODY_BYTES_MAX: Final = 4_096
AGE_KEPT_S: Final = 0.5
"""The age of the index is queried at most once in this time. The usual limit is one minute."""

NUMBERS_MAX: Final = 200_000
"""Maximum numbers per client whose quota is kept. The number used longest ago is dropped first."""

_CORRELATOR: Final = re.compile(r"[a-zA-Z0-9\-_:;./<>{}]{0,256}")
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{4,14}")

STATUS: Final = {
    "INVALID_ARGUMENT": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "IDENTIFIER_NOT_FOUND": 404,
    "MISSING_IDENTIFIER": 422,
    "UNNECESSARY_IDENTIFIER": 422,
    "SERVICE_NOT_APPLICABLE": 422,
    "QUOTA_EXCEEDED": 429,
    "TOO_MANY_REQUESTS": 429,
    "UNAVAILABLE": 503,
}
"""CAMARA error code -> HTTP status."""

_SAYS: Final = {
    "INVALID_ARGUMENT": "Client specified an invalid argument, request body or query param.",
    "OUT_OF_RANGE": "maxAge is 0 to 2400 hours.",
    "UNAUTHENTICATED": "Request not authenticated due to missing, invalid, or expired credentials.",
    "PERMISSION_DENIED": "Client does not have sufficient permissions to perform this action.",
    "NOT_FOUND": "The specified resource is not found.",
    "METHOD_NOT_ALLOWED": "The requested method is not allowed on this resource.",
    "IDENTIFIER_NOT_FOUND": "The phone number is not one that this service knows of.",
    "MISSING_IDENTIFIER": "The phone number cannot be identified.",
    "UNNECESSARY_IDENTIFIER": "The phone number is already identified by the access token.",
    "SERVICE_NOT_APPLICABLE": "The service is not available for the provided phone number.",
    "QUOTA_EXCEEDED": "Out of resource quota for this phone number.",
    "TOO_MANY_REQUESTS": "Rate limit reached.",
    "UNAVAILABLE": "Service unavailable: what is known is not new enough to answer.",
}


class CamaraError(Exception):
    """The answer is a CAMARA error with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Question(msgspec.Struct):
    phoneNumber: str = ""  # noqa: N815 - name from the CAMARA API
    maxAge: int | None = None  # noqa: N815 - name from the CAMARA API


@dataclass(frozen=True, slots=True)
class BankQuestion:
    """A client's request about one number. The number is in canonical form."""

    client: SignalClient
    number: str
    max_age_h: int


@dataclass(frozen=True, slots=True)
class SignalParts:
    """Everything that the service needs to answer."""

    lookup: Lookup
    clients: dict[str, SignalClient]
    tokens: AccessTokens | None
    ledger: SignalLedger
    numbers: Numbers
    metrics: Metrics
    stale_ms: float
    kept_days: int
    now_ms: Callable[[], int]


Work = Callable[["Signal", BankQuestion], tuple[dict[str, Any], str]]
"""Answers a request, in a thread. Returns the response body, and a short result for the audit."""


class Signal:
    """The service: it answers banks and platforms that ask about a number.

    Steps: identify the client, check its rights, refuse if the index is stale, look up, audit,
    send.
    """

    def __init__(self, parts: SignalParts) -> None:
        self.parts = parts
        # The quota per number matters more. A bank asks about a customer who is doing something. A
        # client that asks about the same person again and again is watching that person.
        self._by_client = {
            each.name: RateLimit(each.per_minute, 60 / each.per_minute)
            for each in parts.clients.values()
        }
        self._by_number = {
            each.name: RateLimit(each.number_per_hour, 3_600 / each.number_per_hour, NUMBERS_MAX)
            for each in parts.clients.values()
        }
        self._by_certificate = {
            each.certificate_sha256: each
            for each in parts.clients.values()
            if each.certificate_sha256
        }
        self._asked_s = -1e9
        self._why_stale = ""
        self._asking = threading.Lock()

    def app(self) -> Starlette:
        routes = [
            Route(f"{PATH}/check", self._endpoint("check", CHECK, check), methods=["POST"]),
            Route(f"{PATH}/retrieve-date", self._endpoint("retrieve_date", DATE, retrieve_date),
                  methods=["POST"]),
            Route(f"{PATH}/own-codes", self._endpoint("own_codes", OWN, own), methods=["POST"]),
        ]  # fmt: skip
        return Starlette(routes=routes, exception_handlers={HTTPException: _other})

    def _endpoint(
        self, verb: str, scope: str, work: Work
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            began = time.perf_counter()
            correlator = _correlator(request)
            try:
                body = await self._answer_audited(request, verb, scope, work, correlator)
                response, outcome = _json(200, body, correlator or ""), "done"
            except CamaraError as refusal:
                outcome = refusal.code.lower()
                response = _error(refusal.code, correlator or "")
            self.parts.metrics.add("signal_answers_total", outcome=outcome)
            self.parts.metrics.observe("signal_answer_seconds", time.perf_counter() - began)
            return response

        return endpoint

    async def _answer_audited(
        self, request: Request, verb: str, scope: str, work: Work, correlator: str | None
    ) -> dict[str, Any]:
        """Audit a request, then return the answer. Refusals to a known client are audited too."""
        if correlator is None:
            raise CamaraError("INVALID_ARGUMENT")
        client, auth, number = await self._who(request, scope)
        line = {
            "actor": client.name,
            "channel": "api",
            "auth": auth,
            "address": request.client.host if request.client else "",
            "verb": verb,
            "ticket": correlator,
        }
        try:
            asked = await self._parse_question(request, client, number)
            line["subject"] = asked.number
            self._check_quota(asked, scope)
            body, word = await run_in_threadpool(self.answer, work, asked)
        except CamaraError as refusal:
            await self._audit(**line, outcome="refused", reason=refusal.code)
            raise
        except UnavailableError:
            await self._audit(**line, outcome="failed", reason="UNAVAILABLE")
            raise CamaraError("UNAVAILABLE") from None
        await self._audit(**line, outcome="done", detail=word)
        return body

    async def _audit(self, **fields: Any) -> None:
        """Write an audit record. If that fails, the client gets no answer."""
        try:
            await self.parts.ledger.write(**fields)
        except UnavailableError:
            raise CamaraError("UNAVAILABLE") from None

    async def _who(self, request: Request, scope: str) -> tuple[SignalClient, str, str]:
        """Return the client, how it authenticated, and the number in a three-legged token."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if token and self.parts.tokens is not None:
            if kind.lower() != "bearer":
                raise CamaraError("UNAUTHENTICATED")
            try:
                found = await self.parts.tokens.check_in_thread(token.strip())
            except TokenError:
                raise CamaraError("UNAUTHENTICATED") from None
            client = self.parts.clients.get(found.client)
            if client is None or scope not in found.scopes:
                raise CamaraError("PERMISSION_DENIED")
            return client, "jwt", found.number
        certificate = request.scope.get("extensions", {}).get("otpguard.tls", {})
        client = self._by_certificate.get(certificate.get("client_sha256", ""))
        if client is None:
            raise CamaraError("UNAUTHENTICATED")
        return client, "mtls", ""

    async def _parse_question(
        self, request: Request, client: SignalClient, of_token: str
    ) -> BankQuestion:
        question = await _question(request)
        if question.phoneNumber and of_token:
            raise CamaraError("UNNECESSARY_IDENTIFIER")
        written = question.phoneNumber or of_token
        if not written:
            raise CamaraError("MISSING_IDENTIFIER")
        number = self.parts.numbers.canonical(written) if _NUMBER.fullmatch(written) else None
        if number is None:
            raise CamaraError("INVALID_ARGUMENT")
        hours = MAX_AGE_H if question.maxAge is None else question.maxAge
        if not 0 <= hours <= 2_400:
            raise CamaraError("OUT_OF_RANGE")
        return BankQuestion(client, number, hours)

    def _check_quota(self, asked: BankQuestion, scope: str) -> None:
        if scope not in asked.client.scopes:
            raise CamaraError("PERMISSION_DENIED")
        name, now_s = asked.client.name, time.monotonic()
        if self._by_client[name].take(name, now_s):
            raise CamaraError("TOO_MANY_REQUESTS")
        if self._by_number[name].take(asked.number, now_s):
            raise CamaraError("QUOTA_EXCEEDED")

    def why_stale(self) -> str:
        """Return why the index is too old to answer, or "". Queried at most twice per second.

        Blocks while the store answers. Also updates the metric.
        """
        parts = self.parts
        with self._asking:  # concurrent requests wait for the same query
            if time.monotonic() - self._asked_s >= AGE_KEPT_S:
                try:
                    stale = parts.lookup.age().stale(parts.stale_ms)
                    self._why_stale = tr("the case store's index is stale") if stale else ""
                except UnavailableError as error:
                    self._why_stale = str(error)
                self._asked_s = time.monotonic()
                parts.metrics.put("signal_index_stale", int(bool(self._why_stale)))
            return self._why_stale

    def answer(self, work: Work, asked: BankQuestion) -> tuple[dict[str, Any], str]:
        """Answer from an index that is new enough, in a thread."""
        if self.why_stale():
            raise CamaraError("UNAVAILABLE")
        return work(self, asked)


def check(signal: Signal, asked: BankQuestion) -> tuple[dict[str, Any], str]:
    """Answer whether the number is flooded, or was flooded within `maxAge` hours."""
    parts = signal.parts
    found = is_flooded(parts.lookup.floods(asked.number), parts.now_ms(), asked.max_age_h)
    return {"flooded": found}, "flooded" if found else "not flooded"


def retrieve_date(signal: Signal, asked: BankQuestion) -> tuple[dict[str, Any], str]:
    """Answer when the newest flood began, and when it ended."""
    newest = next(iter(signal.parts.lookup.floods(asked.number)), None)
    return {
        "latestFlood": None if newest is None else utc_exact(newest.first_ms),
        "ended": None if newest is None or newest.ended_ms is None else utc_exact(newest.ended_ms),
        "monitoredPeriod": signal.parts.kept_days,
    }, "no flood" if newest is None else "a flood"


def own(signal: Signal, asked: BankQuestion) -> tuple[dict[str, Any], str]:
    """Answer whether the client's own codes pass now, and how many of them were refused."""
    if not asked.client.platforms:
        raise CamaraError("SERVICE_NOT_APPLICABLE")
    lookup, now_ms = signal.parts.lookup, signal.parts.now_ms()
    state = own_codes(
        lookup.leases(asked.number, now_ms), asked.client.platforms, asked.client.trust, now_ms
    )
    return {
        "ownCodes": state,
        "held": lookup.count_refused(asked.number, asked.client),
    }, state.lower()


async def _question(request: Request) -> _Question:
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_BYTES_MAX:
                raise CamaraError("INVALID_ARGUMENT")
    except ClientDisconnect:
        raise CamaraError("INVALID_ARGUMENT") from None
    try:
        return msgspec.json.decode(body or b"{}", type=_Question)
    except UNDECODABLE:
        raise CamaraError("INVALID_ARGUMENT") from None


def _json(status: int, body: dict[str, Any], correlator: str) -> Response:
    headers = {"cache-control": "no-store"} | ({"x-correlator": correlator} if correlator else {})
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def _error(code: str, correlator: str) -> Response:
    status = STATUS[code]
    return _json(status, {"status": status, "code": code, "message": _SAYS[code]}, correlator)


async def _other(request: Request, error: Exception) -> Response:
    """Return router errors in the same format as other errors."""
    code = "METHOD_NOT_ALLOWED" if getattr(error, "status_code", 404) == 405 else "NOT_FOUND"
    return _error(code, _correlator(request) or "")


def _correlator(request: Request) -> str | None:
    """Return the client's id of this call, or "" if it sent none. None: the id is invalid."""
    given = request.headers.get("x-correlator", "")
    return given if _CORRELATOR.fullmatch(given) else None
