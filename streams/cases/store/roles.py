"""Roles at the desk, and the types of accounts and sessions in the store."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class DeskRole(StrEnum):
    """A set of rights at the desk. A person may have several roles."""

    AGENT = "agent"  # search one number (masked), release, allow, exempt for a short time
    LEAD = "lead"  # unmask with a reason, exempt for a long time, write notes
    ANALYST = "analyst"  # see campaigns and platforms, without numbers
    EVIDENCE = "evidence"  # export evidence packs for an authority's numbered request
    APPROVER = "approver"  # approve or reject proposals, as the second person
    AUDITOR = "auditor"  # read the audit log only
    ADMIN = "admin"  # manage accounts, without access to cases


AccountSource = Literal["local", "oidc", "proxy"]


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a person. It never contains the password or its hash."""

    name: str  # unique; the actor in overrides and in the audit log
    shown_name: str
    roles: frozenset[DeskRole]
    source: AccountSource
    disabled: bool
    locked_until_ms: int  # end of the lock after wrong passwords; 0: not locked
    created_ms: int
    last_login_ms: int | None
    language: str  # "": the language of the browser
    given_ms: int | None = None  # when another person last set its password or its roles


@dataclass(frozen=True, slots=True)
class DeskSession:
    """A valid log-in session.

    Only the browser has the random session id. The store has its digest.
    """

    account: Account
    roles: frozenset[DeskRole]  # roles at log-in, without those that the account has lost since
    auth: str  # log-in method: password | oidc | proxy
    csrf: str  # CSRF token, sent with every form
    created_ms: int
    idle_end_ms: int
    absolute_end_ms: int
