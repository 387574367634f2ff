"""The console as one ASGI application: routes with their rights, behind the guard.

A `Door` is a route that has a list of rights.
"""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, Final
from zoneinfo import ZoneInfo

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from streams.common.errors import OtpguardError, UnavailableError, UsageError
from streams.common.language import tr
from streams.people.desk.call_pages import CasePages
from streams.people.desk.desk_context import Desk
from streams.people.desk.entry import EntryPages
from streams.people.desk.guard import Guard
from streams.people.desk.handing import EvidencePages
from streams.people.desk.list_pages import ListPages
from streams.people.desk.live import LiveFeed
from streams.people.desk.oversight import OversightPages
from streams.people.desk.render import Flash, static_files
from streams.people.desk.rights import DeskRight
from streams.people.desk.shift_pages import ShiftPages
from streams.people.desk.visit import RefusedError, Visit, visit_of

log = logging.getLogger(__name__)

Endpoint = Callable[[Visit], Any]
Again = Callable[[Visit, Flash, int], Response]
"""Shows the page of a form again, with a message about the form and this HTTP status."""


OPEN: Final = None  # Rights of a route that needs no log-in.


@dataclass(frozen=True, slots=True)
class Door:
    """One route: method, path, endpoint, and the rights of which a person needs at least one."""

    method: str
    path: str
    rights: tuple[DeskRight, ...] | None  # None: no log-in is needed; empty: any logged-in person
    endpoint: Endpoint
    again: Again | None = None  # shows the page of a form again, if the form is not acceptable
    view: str = ""  # name of a page whose viewing goes to the audit log


def doors(desk: Desk, feed: LiveFeed) -> list[Door]:
    """Return all routes of the console. A test requests each of them with every role.

    Log-in by OpenID Connect has routes only where it is switched on.
    """
    entry, cases, lists = EntryPages(desk), CasePages(desk), ListPages(desk)
    oversight, shifts = OversightPages(desk), ShiftPages(desk, cases)
    wide = (DeskRight.PROPOSE, DeskRight.APPROVE)
    made = [
        Door("GET", "/login", OPEN, entry.login_page),
        Door("POST", "/login", OPEN, entry.login),
        Door("POST", "/language", OPEN, entry.language),
        Door("POST", "/logout", (), entry.logout),
        Door("GET", "/account", (), entry.account_page),
        Door("POST", "/account/password", (), entry.password),
        Door("GET", "/help", (), lambda visit: desk.page(visit, "help")),
        Door("GET", "/", (DeskRight.SEARCH,), cases.search_page),
        Door("POST", "/search", (DeskRight.SEARCH,), cases.search),
        Door("POST", "/digits", (DeskRight.BROWSE,), cases.find_digits, cases.search_page),
        Door("GET", "/case/{episode_id}", (DeskRight.SEARCH,), cases.case_page),
        Door("POST", "/say", (DeskRight.ACT,), cases.say, cases.again),
        Door("POST", "/note", (DeskRight.NOTE,), cases.note, cases.again),
        Door("POST", "/appeal", (DeskRight.NOTE,), cases.appeal, cases.again),
        Door("POST", "/unmask", (DeskRight.UNMASK,), cases.unmask, cases.again),
        Door("POST", "/evidence", (DeskRight.EVIDENCE,), EvidencePages(desk, cases).make,
             cases.again),
        Door("POST", "/handover", (DeskRight.NOTE,), shifts.hand_over, cases.again),
        Door("GET", "/mine", (DeskRight.SEARCH,), shifts.mine, view="mine"),
        Door("GET", "/shift", (DeskRight.SHIFT,), shifts.shift, view="shift"),
        Door("GET", "/live", (DeskRight.LIVE,), lists.live, view="live"),
        Door("POST", "/live", (DeskRight.BROWSE,), lists.choose_platform, lists.live),
        Door("POST", "/live/export", (DeskRight.BROWSE,), lists.export),
        Door("GET", "/live/stream", (DeskRight.LIVE,), feed.stream),
        Door("GET", "/campaigns", (DeskRight.PLATFORMS,), lists.campaigns, view="campaigns"),
        Door("GET", "/platforms", (DeskRight.PLATFORMS,), lists.platforms, view="platforms"),
        Door("POST", "/platforms", (DeskRight.PLATFORMS,), lists.platforms, view="platforms"),
        Door("GET", "/proposals", wide, oversight.proposals, view="proposals"),
        Door("POST", "/proposals", (DeskRight.PROPOSE,), oversight.propose, oversight.proposals),
        Door("POST", "/proposals/decide", (DeskRight.APPROVE,), oversight.decide,
             oversight.proposals),
        Door("GET", "/audit", (DeskRight.AUDIT,), oversight.audit),
        Door("POST", "/audit", (DeskRight.AUDIT,), oversight.audit),
        Door("GET", "/health", (DeskRight.HEALTH,), oversight.health, view="health"),
        Door("POST", "/health", (DeskRight.HEALTH,), oversight.health, view="health"),
        Door("GET", "/users", (DeskRight.USERS,), oversight.users, view="people"),
        Door("POST", "/users", (DeskRight.USERS,), oversight.change_user, oversight.users),
    ]  # fmt: skip
    if "oidc" in desk.settings.console.enter:
        from streams.people.desk.oidc import OidcEntry  # noqa: PLC0415 - its libraries load slowly

        oidc = OidcEntry(desk, entry)
        made += [
            Door("GET", "/login/oidc", OPEN, oidc.start),
            Door("GET", "/login/oidc/back", OPEN, oidc.back),
        ]
    return made


def application(desk: Desk) -> ASGIApp:
    """Return the ASGI application of the console."""
    feed = LiveFeed(desk)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        looking = asyncio.create_task(feed.run())
        yield
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking

    def show_refusal(request: Request, error: Exception) -> Response:
        refused = _refusal_for(desk, error)
        headers = {"retry-after": str(round(refused.wait_s) or 1)} if refused.wait_s else {}
        return desk.page(
            visit_of(request), "refused", status=refused.status, says=refused.says, headers=headers
        )

    routes = [
        Route("/static/{digest}/{name}", _static, methods=["GET"]),
        Route("/health/live", _live, methods=["GET"]),
        # HEAD is answered as GET, with the same rights.
        *(
            Route(
                each.path,
                _make_endpoint(desk, each),
                methods=[each.method],
                name=each.method + each.path,
            )
            for each in doors(desk, feed)
        ),
    ]
    inner = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers=dict.fromkeys(
            (RefusedError, OtpguardError, HTTPException), show_refusal
        ),
    )

    def refuse(scope: Scope, error: RefusedError) -> ASGIApp:
        return show_refusal(Request(scope), error)

    console = desk.settings.console
    return Guard(
        inner, desk.place, desk.store.accounts, refuse, ZoneInfo(console.zone), console.language
    )


def _refusal_for(desk: Desk, error: Exception) -> RefusedError:
    """Return the refusal that shows an error to the person; count errors of the program."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, HTTPException):
        says = {404: tr("There is no such page."), 405: tr("That page takes no form.")}
        told = says.get(error.status_code, tr("That cannot be answered."))
        return RefusedError(error.status_code, told)
    status = 503 if isinstance(error, UnavailableError) else 500
    if isinstance(error, UsageError):
        status = 400
    desk.metrics.add("desk_errors_total", 1, kind=_KINDS[status])
    return RefusedError(status, str(error))


_KINDS: Final = {400: "usage", 500: "internal", 503: "unavailable"}


def _make_endpoint(desk: Desk, door: Door) -> Callable[[Request], Any]:
    """Return the endpoint of a door, with a check of rights before it."""

    async def answer(request: Request) -> Response:
        visit = visit_of(request)
        if door.rights is not None:
            if visit.session is None:
                if request.method == "POST" or request.url.path.endswith("/stream"):
                    raise RefusedError(401, tr("Your log-in has ended. Log in again."))
                return RedirectResponse("/login", 303)
            if door.rights and not any(map(visit.may, door.rights)):
                name = f"{door.method} {door.path}"
                await to_thread.run_sync(lambda: desk.audit(visit, "enter", "refused", detail=name))
                raise RefusedError(403, tr("Your roles at the desk do not open this page."))
        try:
            return await _respond(desk, door, visit)
        except (RefusedError, OtpguardError, HTTPException):
            raise
        except Exception as error:  # noqa: BLE001 - logged without its text
            raise _log_failure(desk, door, error) from None

    return answer


async def _respond(desk: Desk, door: Door, visit: Visit) -> Response:
    """Call the endpoint of a door. Show the page of a form again if the form is not acceptable."""
    if door.view:
        await to_thread.run_sync(lambda: desk.audit(visit, "view", "done", detail=door.view))
    try:
        if iscoroutinefunction(door.endpoint):
            return await door.endpoint(visit)
        return await to_thread.run_sync(door.endpoint, visit)
    except UsageError as error:
        if door.again is None:
            raise
        return await to_thread.run_sync(door.again, visit, Flash(str(error), "bad"), 400)


def _log_failure(desk: Desk, door: Door, error: Exception) -> RefusedError:
    """Log where an endpoint failed, and return the error page.

    The log has the traceback without the error's text, because the text may contain a phone number.
    """
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s %s failed: %s\n%s", door.method, door.path, type(error).__name__, where)
    desk.metrics.add("desk_errors_total", 1, kind=_KINDS[500])
    return RefusedError(500, tr("That cannot be answered: a defect of this program. Tell the NOC."))


async def _static(request: Request) -> Response:
    file = static_files().get(request.path_params["name"])
    if file is None or file.path != request.url.path:
        return PlainTextResponse("not here\n", 404)
    return Response(file.body, media_type=file.kind)


async def _live(_: Request) -> Response:
    return PlainTextResponse("ok\n")
