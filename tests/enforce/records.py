"""Actions and overrides for tests of the adapters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from detectors.model.records import (
    ALWAYS_PASS,
    Action,
    Cause,
    Evidence,
    Level,
    Mode,
    Reason,
    Scope,
    Verb,
)
from streams.wire import Override

START_MS = 1_760_000_000_000
LEASE_MS = 600_000
RECIPIENT = "8613900000001"


def action(
    recipient: str = RECIPIENT,
    revision: int = 1,
    *,
    verb: Verb = "throttle",
    mode: Mode = "enforce",
    at_ms: int = START_MS,
    epoch: int = 1,
    lease_ms: int = LEASE_MS,
    pass_ids: tuple[int, ...] = (),
) -> Action:
    """One action as the detector would issue it, without an explanation worth reading."""
    cause = Cause("sms.delivery.v1", 0, revision, at_ms)
    return Action(
        action_id=f"{epoch}:sms.delivery.v1:0:{revision}",
        episode_id=f"{epoch}:sms.delivery.v1:0:1",
        epoch=epoch,
        revision=revision,
        recipient=recipient,
        verb=verb,
        mode=mode,
        scope=Scope("otp", ALWAYS_PASS, pass_ids, ()),
        issued_at_ms=at_ms,
        expires_at_ms=at_ms if verb == "release" else at_ms + lease_ms,
        opened_ms=at_ms - 60_000,
        level=Level.CLEAR if verb == "release" else Level.THROTTLE,
        reason=Reason("burst", 2.7, 2.6, "too many platforms"),
        evidence=Evidence(8, 8, 8, at_ms - 180_000, at_ms),
        cause=cause,
        version="0",
        config="",
    )


def override(verb: str, recipient: str = RECIPIENT, **more: Any) -> Override:
    """One word of an operator, said at START_MS and holding for an hour if nothing else is said."""
    said: dict[str, Any] = {
        "actor": "noc",
        "reason": "ticket 7",
        "issued_at_ms": START_MS,
        "expires_at_ms": START_MS + 3_600_000,
    }
    return Override(verb=verb, recipient=recipient, **{**said, **more})  # type: ignore[arg-type]


def renumbered(issued: Action, epoch: int, revision: int) -> Action:
    """The same action from another place in the log."""
    return replace(issued, epoch=epoch, revision=revision, action_id=f"{epoch}:x:0:{revision}")
