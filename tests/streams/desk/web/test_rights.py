"""Nobody has a right by being above somebody."""

from __future__ import annotations

import pytest

from streams.config.sections import DESK_ROLES
from streams.desk.store import DeskRole
from streams.desk.web.rights import RIGHTS, ROLE_NAMES, Right, home_of, may


def test_every_role_has_rights_and_a_name_and_the_settings_know_it() -> None:
    assert set(RIGHTS) == set(ROLE_NAMES) == set(DeskRole) == set(map(DeskRole, DESK_ROLES))


@pytest.mark.parametrize(
    ("role", "never"),
    [
        (DeskRole.AGENT, {Right.UNMASK, Right.BROWSE, Right.EXEMPT_LONG, Right.PLATFORMS}),
        (DeskRole.ANALYST, {Right.SEARCH, Right.BROWSE, Right.UNMASK, Right.ACT}),
        (DeskRole.AUDITOR, set(Right) - {Right.AUDIT}),
        (DeskRole.ADMIN, set(Right) - {Right.USERS}),
        (DeskRole.APPROVER, {Right.PROPOSE, Right.ACT, Right.SEARCH}),
        (DeskRole.LEAD, {Right.APPROVE, Right.AUDIT, Right.USERS}),
    ],
)
def test_what_a_role_may_never_do(role: DeskRole, never: set[Right]) -> None:
    assert not {right for right in never if may([role], right)}


def test_somebody_without_a_role_begins_at_the_own_account() -> None:
    assert home_of([]) == "/account"
    assert home_of([DeskRole.ANALYST]) == "/live"
