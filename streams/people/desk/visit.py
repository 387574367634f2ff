"""The checked parts of a request to the console: the session, the form, the address."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Network, ip_address

from starlette.requests import HTTPConnection

from streams.cases.store.roles import DeskSession
from streams.people.desk.rights import DeskRight, may


class RefusedError(Exception):
    """A request is refused. It has an HTTP status, and a translated sentence for the person.

    `wait_s` is the number of seconds after which the person may retry; 0 if not applicable.
    """

    def __init__(self, status: int, says: str, *, wait_s: float = 0) -> None:
        super().__init__(says)
        self.status = status
        self.says = says
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Visit:
    """The checked parts of one request."""

    request: HTTPConnection
    session: DeskSession | None
    secret: str  # session id as the browser sent it; empty without a session
    csrf: str  # CSRF token for every form of the response
    address: str  # address of the browser, from a trusted proxy's header if there is one
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def network(self) -> str:
        """Key for rate limits: the IPv4 address, or the first 64 bits of an IPv6 address.

        A machine can choose the other bits of its IPv6 address.
        """
        try:
            here = ip_address(self.address)
        except ValueError:
            return self.address
        return (
            self.address if here.version == 4 else str(IPv6Network((here.packed, 64), strict=False))
        )

    def may(self, right: DeskRight) -> bool:
        return self.session is not None and may(self.session.roles, right)

    @property
    def person(self) -> DeskSession:
        """The session, for pages that only logged-in people can reach."""
        assert self.session is not None
        return self.session

    def read_field(self, name: str, most: int = 256) -> str:
        """Return a field of the form, stripped and cut to `most` characters; empty if missing."""
        return self.form.get(name, "").strip()[:most]


def visit_of(request: HTTPConnection) -> Visit:
    """Return the visit that the guard stored in the request's scope."""
    return request.scope["state"]["visit"]
