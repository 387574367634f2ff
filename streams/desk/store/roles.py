"""The roles of people at the desk, and accounts, sessions and proposals as the store keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class DeskRole(StrEnum):
    """Rights of somebody at the desk; a person may have several."""

    AGENT = "agent"  # exact numbers, masked; release, allow, exempt one for a short time
    LEAD = "lead"  # unmask with a reason, long exempts, notes
    ANALYST = "analyst"  # campaigns and platforms, no numbers
    EVIDENCE = "evidence"  # packs, with the number of the authority's request
    APPROVER = "approver"  # second person of wide actions
    AUDITOR = "auditor"  # the audit, and nothing else
    ADMIN = "admin"  # accounts, no cases


AccountSource = Literal["local", "oidc", "proxy"]


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may enter. No password and no hash of one is ever in it."""

    name: str  # unique; the actor in words and audit
    shown_name: str
    roles: frozenset[DeskRole]
    source: AccountSource
    disabled: bool
    locked_until_ms: int  # after wrong passwords; 0: not locked
    created_ms: int
    last_login_ms: int | None
    language: str  # "" : as the browser says
    shortcuts: bool  # single keys do something (WCAG 2.1.4)
    given_ms: int | None = None  # somebody at the desk gave it a password or rights then


@dataclass(frozen=True, slots=True)
class DeskSession:
    """A log-in that stands: kept by the digest of its random id, which only the browser has."""

    account: Account
    roles: frozenset[DeskRole]  # as the log-in gave them; never more than the account has now
    auth: str  # local | oidc | proxy
    csrf: str  # token that every form carries
    address: str
    created_ms: int
    seen_ms: int
    idle_end_ms: int
    absolute_end_ms: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A wide action that waits for a second person; bound to its exact bytes."""

    proposal_id: int
    verb: str
    value: bytes  # the override as it would be written, byte for byte
    says: str  # the same for people
    reason: str
    ticket: str
    proposer: str
    at_ms: int
    expires_ms: int
    state: Literal["open", "approved", "rejected", "expired", "used"]
    decided_by: str = ""
    decided_ms: int | None = None
    why: str = ""
