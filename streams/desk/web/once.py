"""Log-in by a link that works once. Only the demo uses it, so its visitor needs no password.

A desk without a ticket answers this path with 404.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streams.desk.web.visit import RefusedError, visit_of
from streams.language import tr

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from streams.desk.web.desk import Desk
    from streams.desk.web.entry import EntryPages


@dataclass(slots=True)
class LoginTicket:
    """A one-time secret that logs one browser in as the account `name`. Threads may share it."""

    name: str
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    _spent: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, secret: str) -> bool:
        """Use the ticket. Return true if the secret is right and was not used before.

        >>> ticket = LoginTicket("visitor")
        >>> ticket.spend("guessed"), ticket.spend(ticket.secret), ticket.spend(ticket.secret)
        (False, True, False)
        """
        with self._lock:
            right = hmac.compare_digest(secret.encode(), self.secret.encode())
            good, self._spent = right and not self._spent, self._spent or right
            return good


@dataclass(slots=True)
class OnceEntry:
    """Endpoint of the one-time link."""

    desk: Desk
    entry: EntryPages

    def enter(self, request: Request) -> Response:
        """Begin a session for the ticket's account.

        Raise RefusedError if the desk has no ticket, or the secret is wrong or used.
        """
        desk, visit, ticket = self.desk, visit_of(request), self.desk.ticket
        if ticket is None:
            raise RefusedError(404, tr("There is no such page."))
        self.entry.knocked(visit, "once")
        if not ticket.spend(request.path_params["secret"]):
            says = tr("This link was used before, or is none. Log in by name and password.")
            raise self.entry.refused(visit, "once", "?", says)
        return self.entry.begin(visit, desk.store.accounts.get(ticket.name), "once")
