"""Rights of each role at the desk. Pure functions.

Roles have no hierarchy. An admin manages accounts but sees no case. An auditor sees what people did
but cannot act.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from streams.cases.store.roles import DeskRole


class DeskRight(StrEnum):
    """One action or page that a person may use."""

    SEARCH = "search"  # search for a full number, and read its case
    ACT = "act"  # release, allow one platform, exempt for a short time
    EXEMPT_LONG = "exempt_long"  # exempt for longer than an agent may
    NOTE = "note"  # write notes and appeals
    UNMASK = "unmask"  # see the full number of a case
    LIVE = "live"  # see the list of floods, without opening a case
    BROWSE = "browse"  # open cases from a list, and see masked numbers in lists
    PLATFORMS = "platforms"  # see campaigns and platforms: counts, no numbers
    EVIDENCE = "evidence"  # download evidence packs
    PROPOSE = "propose"  # propose overrides that need a second person
    APPROVE = "approve"  # approve or reject proposals
    AUDIT = "audit"  # read the audit log
    SHIFT = "shift"  # see the calls of all agents in a shift, with masked numbers
    HEALTH = "health"  # see the state of the installation: no case and no number
    USERS = "users"  # manage accounts


RIGHTS: Final[Mapping[DeskRole, frozenset[DeskRight]]] = MappingProxyType(
    {
        DeskRole.AGENT: frozenset(
            {DeskRight.SEARCH, DeskRight.ACT, DeskRight.NOTE, DeskRight.LIVE}
        ),
        DeskRole.LEAD: frozenset(
            {
                DeskRight.SEARCH,
                DeskRight.ACT,
                DeskRight.EXEMPT_LONG,
                DeskRight.NOTE,
                DeskRight.UNMASK,
                DeskRight.LIVE,
                DeskRight.BROWSE,
                DeskRight.SHIFT,
                DeskRight.PLATFORMS,
                DeskRight.PROPOSE,
            }
        ),
        DeskRole.ANALYST: frozenset({DeskRight.LIVE, DeskRight.PLATFORMS, DeskRight.PROPOSE}),
        DeskRole.EVIDENCE: frozenset(
            {DeskRight.SEARCH, DeskRight.UNMASK, DeskRight.NOTE, DeskRight.EVIDENCE}
        ),
        DeskRole.APPROVER: frozenset({DeskRight.LIVE, DeskRight.APPROVE}),
        DeskRole.AUDITOR: frozenset({DeskRight.AUDIT}),
        DeskRole.ADMIN: frozenset({DeskRight.USERS, DeskRight.HEALTH}),
    }
)

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
"""Names of the roles for people. The texts are translated."""


def may(roles: Iterable[DeskRole], right: DeskRight) -> bool:
    """Return true if any of the roles has the right.

    >>> may([DeskRole.AGENT], DeskRight.ACT), may([DeskRole.AUDITOR], DeskRight.SEARCH)
    (True, False)
    """
    return any(right in RIGHTS[role] for role in roles)


def roles_of(groups: Iterable[str], table: Mapping[str, str]) -> frozenset[DeskRole]:
    """Return the roles for a person's groups. `table` maps groups to roles.

    >>> sorted(roles_of([" hotline ", "other"], {"hotline": "agent"}))
    [<DeskRole.AGENT: 'agent'>]
    """
    return frozenset(DeskRole(table[each.strip()]) for each in groups if each.strip() in table)


def home_of(roles: Iterable[DeskRole]) -> str:
    """Return the path of the first page after log-in for these roles.

    >>> home_of([DeskRole.AGENT]), home_of([DeskRole.AUDITOR]), home_of([])
    ('/', '/audit', '/account')
    """
    own = tuple(roles)
    return next((path for right, path in _HOMES if may(own, right)), "/account")


_HOMES: Final = (
    (DeskRight.SEARCH, "/"),
    (DeskRight.AUDIT, "/audit"),
    (DeskRight.USERS, "/users"),
    (DeskRight.APPROVE, "/proposals"),
    (DeskRight.LIVE, "/live"),
)
