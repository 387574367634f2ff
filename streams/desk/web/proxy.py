"""Log-in through an authenticating proxy, such as oauth2-proxy or a company's gateway.

The proxy's headers are trusted only if they come from a listed peer *and* with a shared secret.
Otherwise anybody who reaches the port could send these headers.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from streams.desk.store.roles import DeskRole
from streams.desk.web.visit import visit_of
from streams.language import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

    from streams.desk.web.desk import Desk
    from streams.desk.web.entry import EntryPages

SECRET: Final = "x-otpguard-proxy"  # noqa: S105 - name of the header with the secret


@dataclass(slots=True)
class ProxyEntry:
    """The log-in page. A request from a trusted proxy is logged in without a form."""

    desk: Desk
    entry: EntryPages

    def login_page(self, request: Request) -> Response:
        """Begin a session for a person whom the proxy has authenticated; else show the form.

        Raise RefusedError if the header with the secret is present but the proxy is not trusted.
        """
        desk, visit = self.desk, visit_of(request)
        console = desk.settings.console
        said = request.headers.get(SECRET)
        if "proxy" not in console.enter or visit.session or said is None:
            return self.entry.login_page(request)
        peer = request.client.host if request.client else ""
        secret = console.proxy_secret.get_secret_value()
        if not (desk.place.trusts(peer) and hmac.compare_digest(said.encode(), secret.encode())):
            self.entry.knocked(visit, "proxy")
            raise self.entry.refused(
                visit, "proxy", "?", tr("That proxy is not one that this desk believes.")
            )
        name = request.headers.get(console.proxy_user, "").strip()[:64]
        groups = request.headers.get(console.proxy_groups, "").split(",")
        account = desk.store.accounts.vouched(name, "proxy", roles_of(groups, console.roles))
        if account is None:
            raise self.entry.refused(visit, "proxy", name, tr("Your account is disabled."))
        return self.entry.begin(visit, account, "proxy")


def roles_of(groups: Iterable[str], table: Mapping[str, str]) -> frozenset[DeskRole]:
    """Return the roles for a person's groups. `table` maps groups to roles.

    >>> sorted(roles_of([" hotline ", "other"], {"hotline": "agent"}))
    [<DeskRole.AGENT: 'agent'>]
    """
    return frozenset(DeskRole(table[each.strip()]) for each in groups if each.strip() in table)
