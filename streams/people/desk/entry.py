"""Log-in and log-out pages, password checks, a person's own account, and the language.

A person may also log in through an authenticating proxy, such as oauth2-proxy. OpenID Connect is in
a separate module. All create sessions with `begin`.
"""

import hmac
import threading
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import RedirectResponse, Response

from streams.cases.store.roles import Account
from streams.common import UsageError, tr
from streams.common.language import LANGUAGES
from streams.people.desk.desk_context import Desk
from streams.people.desk.guard import LANGUAGE, SESSION, set_cookie
from streams.people.desk.render import Flash
from streams.people.desk.rights import ROLE_NAMES, home_of, roles_of
from streams.people.desk.visit import RefusedError, Visit

HASHES_AT_ONCE: Final = 4
"""Maximum number of password hashes computed at the same time. Each needs 64 MiB and a core. Other
log-ins wait."""

PROXY_HEADER: Final = "x-otpguard-proxy"
"""Name of the header with the secret that the desk shares with a trusted proxy."""


@dataclass(slots=True)
class EntryPages:
    """Pages that create, change and end sessions."""

    desk: Desk
    _turn: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(HASHES_AT_ONCE)
    )

    def login_page(self, visit: Visit) -> Response:
        """Show the log-in form. A person who is logged in is redirected to her first page.

        A person whom a trusted proxy has authenticated is logged in without a form.
        """
        if visit.session:
            return RedirectResponse(home_of(visit.session.roles), 303)
        said = visit.request.headers.get(PROXY_HEADER)
        if said is not None and "proxy" in self.desk.settings.console.enter:
            return self._by_proxy(visit, said)
        return self._asking(visit)

    def _by_proxy(self, visit: Visit, said: str) -> Response:
        """Begin a session for the person whom the proxy's headers name.

        The headers are trusted only if they come from a listed peer *and* with the shared secret.
        Otherwise anybody who reaches the port could send these headers.
        """
        console = self.desk.settings.console
        peer = visit.request.client.host if visit.request.client else ""
        secret = console.proxy_secret.get_secret_value()
        if not (
            self.desk.place.trusts(peer) and hmac.compare_digest(said.encode(), secret.encode())
        ):
            self.count_attempt(visit, "proxy")
            raise self.refuse(
                visit, "proxy", "?", tr("That proxy is not one that this desk believes.")
            )
        name = visit.request.headers.get(console.proxy_user, "").strip()[:64]
        groups = visit.request.headers.get(console.proxy_groups, "").split(",")
        account = self.desk.store.accounts.admit_vouched(
            name, "proxy", roles_of(groups, console.roles)
        )
        if account is None:
            raise self.refuse(visit, "proxy", name, tr("Your account is disabled."))
        return self.begin(visit, account, "proxy")

    def _asking(self, visit: Visit, status: int = 200, says: str = "", name: str = "") -> Response:
        enter = self.desk.settings.console.enter
        flashes = [Flash(says, "bad")] if says else []
        return self.desk.page(
            visit, "login", status=status, flashes=flashes, name=name,
            by_password="password" in enter, by_oidc="oidc" in enter,
        )  # fmt: skip

    def login(self, visit: Visit) -> Response:
        """Check name and password, and begin a new session."""
        if "password" not in self.desk.settings.console.enter:
            raise RefusedError(404, tr("There are no passwords here."))
        self.count_attempt(visit, "password")
        name = visit.read_field("name", 64)
        account = self._verify(visit, name, visit.form.get("password", ""))
        if account is None:
            self._count_failure(visit, "password", name)
            says = tr("That is not right. After five wrong passwords a name has to wait.")
            return self._asking(visit, 401, says, name)
        return self.begin(visit, account, "password")

    def count_attempt(self, visit: Visit, door: str, step: str = "") -> None:
        """Count a log-in attempt. `door` is the log-in method, `step` a step of it.

        Raise RefusedError if there are too many attempts from the visitor's network.
        """
        wait_s = self.desk.limits["logins"].take(f"{door}{step} {visit.network}", self.desk.now_s())
        if wait_s:
            raise self._refuse_limited(door, wait_s)

    def _refuse_limited(self, door: str, wait_s: float) -> RefusedError:
        self.desk.metrics.add("desk_logins_total", 1, door=door, outcome="limited")
        says = tr("Too many log-ins from your address. Try again in {n} s.")
        return RefusedError(429, says.format(n=round(wait_s) or 1), wait_s=wait_s)

    def _verify(self, visit: Visit, name: str, password: str) -> Account | None:
        """Return the account if the password is right, else None.

        Raise RefusedError after too many wrong passwords. Wrong passwords are counted by account
        name and network, also for unknown names. So guesses from another network do not lock the
        owner out.
        """
        key = f"{name.lower()} {visit.network}"
        wait_s = self.desk.limits["guesses"].take(key, self.desk.now_s())
        if wait_s:
            raise self._refuse_limited("password", wait_s)
        with self._turn:
            account = self.desk.store.accounts.verify(name, password)
        if account is not None:
            self.desk.limits["guesses"].forget(key)
        return account

    def _count_failure(self, visit: Visit, door: str, name: str) -> None:
        self.desk.metrics.add("desk_logins_total", 1, door=door, outcome="refused")
        self.desk.auditor.write(
            actor=name[:64] or "?", auth=door, channel="desk", address=visit.address,
            verb="login", outcome="refused",
        )  # fmt: skip

    def refuse(self, visit: Visit, door: str, name: str, says: str) -> RefusedError:
        """Write a failed log-in to the audit log, and return the refusal."""
        self._count_failure(visit, door, name)
        return RefusedError(403, says)

    def begin(self, visit: Visit, account: Account, door: str) -> Response:
        """Begin a session, and end an earlier session of this browser.

        The session gets a new id. Raise RefusedError for an account without a role.
        """
        if not account.roles:
            raise self.refuse(visit, door, account.name, tr("You have no role at the desk."))
        console = self.desk.settings.console
        self.desk.auditor.write(
            actor=account.name, role=" ".join(sorted(account.roles)), auth=door, channel="desk",
            address=visit.address, verb="login", outcome="done",
        )  # fmt: skip
        if visit.session:
            self.desk.store.accounts.end(visit.secret)
        secret, session = self.desk.store.accounts.begin(
            account,
            door,
            visit.address,
            idle_ms=round(console.idle_s * 1000),
            absolute_ms=round(console.absolute_s * 1000),
        )
        self.desk.metrics.add("desk_logins_total", 1, door=door, outcome="done")
        cookie = set_cookie(self.desk.place, SESSION, secret)
        return RedirectResponse(home_of(session.roles), 303, {"set-cookie": cookie})

    def logout(self, visit: Visit) -> Response:
        """End this session, or all sessions of the person."""
        name = visit.person.account.name
        self.desk.audit(visit, "logout", "done", detail=visit.read_field("all", 8))
        if visit.read_field("all"):
            self.desk.store.accounts.end_all(name)
        else:
            self.desk.store.accounts.end(visit.secret)
        headers = {
            "set-cookie": set_cookie(self.desk.place, SESSION, "", lasts_s=0),
            "clear-site-data": '"cache", "storage"',
        }
        return RedirectResponse("/login", 303, headers)

    def account_page(self, visit: Visit, status: int = 200, says: str = "") -> Response:
        roles = [tr(ROLE_NAMES[each]) for each in sorted(visit.person.roles)]
        flashes = [Flash(says, "bad")] if says else []
        return self.desk.page(
            visit, "account", status=status, flashes=flashes, roles=roles, session=visit.person,
            local=visit.person.account.source == "local",
        )  # fmt: skip

    def password(self, visit: Visit) -> Response:
        """Change a person's own password. All her sessions end, and a new session begins."""
        account = visit.person.account
        if account.source != "local":
            raise RefusedError(404, tr("There are no passwords here."))
        self.desk.take("forms", visit)
        if self._verify(visit, account.name, visit.form.get("old", "")) is None:
            self.desk.audit(visit, "password", "refused")
            return self.account_page(visit, 401, tr("The password so far is not right."))
        with self._turn:
            if visit.form.get("new", "") != visit.form.get("again", ""):
                return self.account_page(visit, 400, tr("Both new ones have to be the same."))
            try:
                self.desk.store.accounts.change(account.name, password=visit.form.get("new", ""))
            except UsageError as error:
                return self.account_page(visit, 400, str(error))
        self.desk.audit(visit, "password", "done")
        return self.begin(visit, self.desk.store.accounts.get(account.name), visit.person.auth)

    def language(self, visit: Visit) -> Response:
        """Set the language of this browser, and of the person's account if she is logged in."""
        tag = visit.read_field("language", 16)
        if tag not in LANGUAGES:
            raise RefusedError(400, tr("The desk does not speak that language."))
        if visit.session:
            self.desk.store.accounts.change(visit.session.account.name, language=tag)
        back = home_of(visit.session.roles) if visit.session else "/login"
        cookie = set_cookie(self.desk.place, LANGUAGE, tag, lasts_s=31_536_000)
        return RedirectResponse(back, 303, {"set-cookie": cookie})
