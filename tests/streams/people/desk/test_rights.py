"""Nobody has a right by being above somebody."""

from __future__ import annotations

import pytest

from streams.cases.store.roles import DeskRole
from streams.config.sections.desk_settings import DESK_ROLES
from streams.people.desk.rights import RIGHTS, ROLE_NAMES, DeskRight, home_of, may


def test_every_role_has_rights_and_a_name_and_the_settings_know_it() -> None:
    assert set(RIGHTS) == set(ROLE_NAMES) == set(DeskRole) == set(map(DeskRole, DESK_ROLES))


@pytest.mark.parametrize(
    ("role", "never"),
    [
        (
            DeskRole.AGENT,
            {DeskRight.UNMASK, DeskRight.BROWSE, DeskRight.EXEMPT_LONG, DeskRight.PLATFORMS},
        ),
        (DeskRole.ANALYST, {DeskRight.SEARCH, DeskRight.BROWSE, DeskRight.UNMASK, DeskRight.ACT}),
        (DeskRole.AUDITOR, set(DeskRight) - {DeskRight.AUDIT}),
        (DeskRole.ADMIN, set(DeskRight) - {DeskRight.USERS, DeskRight.HEALTH}),
        (DeskRole.APPROVER, {DeskRight.PROPOSE, DeskRight.ACT, DeskRight.SEARCH}),
        (DeskRole.LEAD, {DeskRight.APPROVE, DeskRight.AUDIT, DeskRight.USERS}),
    ],
)
def test_what_a_role_may_never_do(role: DeskRole, never: set[DeskRight]) -> None:
    assert not {right for right in never if may([role], right)}


def test_somebody_without_a_role_begins_at_the_own_account() -> None:
    assert home_of([]) == "/account"
    assert home_of([DeskRole.ANALYST]) == "/live"
