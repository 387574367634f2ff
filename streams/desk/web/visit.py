"""One request to the console, as far as its guards have settled it: who asks, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Network, ip_address
from typing import TYPE_CHECKING

from streams.desk.web.rights import DeskRight, may

if TYPE_CHECKING:
    from starlette.requests import Request

    from streams.desk.store.roles import DeskSession


class RefusedError(Exception):
    """A request that is refused: its status, and a sentence for the person, in their language."""

    def __init__(self, status: int, says: str, *, wait_s: float = 0) -> None:
        super().__init__(says)
        self.status = status
        self.says = says
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Visit:
    """The part of a request that guards made sure of."""

    session: DeskSession | None
    secret: str  # of the session as the browser sent it; empty without one
    csrf: str  # what every form of the answer carries
    address: str  # of the person's machine, by a trusted proxy's word if there is one
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def network(self) -> str:
        """The part of the address that one machine cannot choose: of IPv6 the first 64 bits."""
        try:
            here = ip_address(self.address)
        except ValueError:
            return self.address
        return (
            self.address if here.version == 4 else str(IPv6Network((here.packed, 64), strict=False))
        )

    def may(self, right: DeskRight) -> bool:
        """Tell if the person who asks has a right."""
        return self.session is not None and may(self.session.roles, right)

    @property
    def person(self) -> DeskSession:
        """The log-in of a page that is for people who are in."""
        assert self.session is not None
        return self.session

    def given(self, name: str, most: int = 256) -> str:
        """A field of the form, trimmed and cut; empty if it is not there."""
        return self.form.get(name, "").strip()[:most]


def visit_of(request: Request) -> Visit:
    """The visit that the guard put beside a request."""
    found: Visit = request.scope["state"]["visit"]
    return found
