"""What each role at the desk may do. Pure.

Nobody has a right by being above somebody: an admin makes users and sees no case, an auditor sees
what people did and can do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from streams.desk.store.roles import DeskRole


class Right(StrEnum):
    """One thing that a person may do."""

    SEARCH = "search"  # for a whole number, and read the case that it names
    ACT = "act"  # release, let one platform pass, exempt for a short time
    EXEMPT_LONG = "exempt_long"  # past the cap of an agent
    NOTE = "note"  # notes and appeals
    UNMASK = "unmask"
    LIVE = "live"  # the list of floods, without a way into a case
    BROWSE = "browse"  # from a list into a case: masked numbers are shown in lists
    PLATFORMS = "platforms"  # campaigns and platforms: counts, no numbers
    EVIDENCE = "evidence"
    PROPOSE = "propose"
    APPROVE = "approve"
    AUDIT = "audit"
    USERS = "users"


RIGHTS: Final[Mapping[DeskRole, frozenset[Right]]] = MappingProxyType(
    {
        DeskRole.AGENT: frozenset({Right.SEARCH, Right.ACT, Right.NOTE, Right.LIVE}),
        DeskRole.LEAD: frozenset(
            {Right.SEARCH, Right.ACT, Right.EXEMPT_LONG, Right.NOTE, Right.UNMASK, Right.LIVE,
             Right.BROWSE, Right.PLATFORMS, Right.PROPOSE}
        ),
        DeskRole.ANALYST: frozenset({Right.LIVE, Right.PLATFORMS, Right.PROPOSE}),
        DeskRole.EVIDENCE: frozenset({Right.SEARCH, Right.UNMASK, Right.NOTE, Right.EVIDENCE}),
        DeskRole.APPROVER: frozenset({Right.LIVE, Right.APPROVE}),
        DeskRole.AUDITOR: frozenset({Right.AUDIT}),
        DeskRole.ADMIN: frozenset({Right.USERS}),
    }
)  # fmt: skip

ROLE_NAMES: Final[Mapping[DeskRole, str]] = MappingProxyType(
    {
        DeskRole.AGENT: "agent",
        DeskRole.LEAD: "desk lead",
        DeskRole.ANALYST: "abuse analyst",
        DeskRole.EVIDENCE: "evidence officer",
        DeskRole.APPROVER: "approver",
        DeskRole.AUDITOR: "auditor",
        DeskRole.ADMIN: "administrator",
    }
)
"""Each role in words, for translation."""


def may(roles: Iterable[DeskRole], right: Right) -> bool:
    """Tell if any of a person's roles has a right.

    >>> may([DeskRole.AGENT], Right.ACT), may([DeskRole.ADMIN, DeskRole.AUDITOR], Right.SEARCH)
    (True, False)
    """
    return any(right in RIGHTS[role] for role in roles)


def home_of(roles: Iterable[DeskRole]) -> str:
    """The page on which a person begins.

    >>> home_of([DeskRole.AGENT]), home_of([DeskRole.AUDITOR]), home_of([])
    ('/', '/audit', '/account')
    """
    own = tuple(roles)
    return next((path for right, path in _HOMES if may(own, right)), "/account")


_HOMES: Final = (
    (Right.SEARCH, "/"),
    (Right.AUDIT, "/audit"),
    (Right.USERS, "/users"),
    (Right.APPROVE, "/proposals"),
    (Right.LIVE, "/live"),
)
