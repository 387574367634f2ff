"""Rules on the codes of a log like a gateway, by the leases that its events cause. Pure.

The rule is `detectors.leases.gate.rule` with `detectors.leases.again`, as in every gateway. A lease
is in force from `delay_ms` after the event that caused it, and never for that event itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from detectors.leases.again import SecondPasses, window_of
from detectors.leases.gate import Lease, Ruling, rule
from detectors.model.codes import Codes
from detectors.model.event import Batch, Trust
from detectors.model.records import Action, AgainWindow
from detectors.model.times import DAY_MS

DELAY_MS: Final = 500
"""Milliseconds from an event until the lease that it causes is in force: the limit for the 99th
percentile."""


class LogMessage(NamedTuple):
    """A message of a log, with the recogniser's result."""

    recipient: str
    at_ms: int
    offset: int
    otp: bool
    platform: str
    trust: Trust


class RuledCode(msgspec.Struct, frozen=True):
    """The ruling on one code, as `otpguard replay --rulings` writes it."""

    message_id: str
    recipient: str
    ruling: Literal["pass", "refuse"]
    why: Ruling
    lease: str | None  # Action id of the lease in force.


@dataclass(slots=True)
class RulingGateway:
    """One gateway, with the leases that reached it.

    `shadow`: leases in shadow mode count as if they were enforced.
    """

    delay_ms: int = DELAY_MS
    shadow: bool = False
    leases: dict[str, list[Action]] = field(default_factory=dict)  # By recipient, oldest first.
    second: SecondPasses = field(default_factory=SecondPasses)

    def add(self, actions: Iterable[Action]) -> None:
        """Add actions; those of one recipient must come in the order of their revisions."""
        for action in actions:
            self.leases.setdefault(action.recipient, []).append(action)

    def lease_of(self, message: LogMessage) -> Lease | None:
        """Return the lease in force for a message: the newest full and platform leases in one.

        Only leases that arrived before the message count.
        """
        full: Action | None = None
        platforms: Action | None = None
        windows: dict[str, tuple[AgainWindow, ...]] = {}
        for action in reversed(self.leases.get(message.recipient, ())):
            cause = action.cause
            if cause.offset >= message.offset or cause.at_ms + self.delay_ms > message.at_ms:
                continue
            windows.setdefault(action.action_id, action.again)
            if action.verb == "throttle_platforms":
                platforms = platforms or action
            elif action.verb != "retry_windows":
                full = full or action
            if full is not None and platforms is not None:
                break
        if full is not None and full.verb == "release":
            full = None
        held = [
            each
            for each in (full, platforms)
            if each is not None
            and message.at_ms < each.expires_at_ms
            and (self.shadow or each.mode == "enforce")
        ]
        if not held:  # A lease that is over is told as such.
            held = [each for each in (full,) if each and (self.shadow or each.mode == "enforce")]
        if not held:
            return None
        return Lease(
            held[0].action_id,
            min(each.expires_at_ms for each in held),
            held[0].scope,
            tuple(window for each in held for window in windows[each.action_id]),
            frozenset(p for each in held for p in each.refused_ids),
            narrow=held[0] is platforms,
        )

    def rule(self, message: LogMessage) -> tuple[Ruling, Lease | None]:
        """Rule on a message; messages must come roughly in the order of their times."""
        lease = self.lease_of(message)
        ruling = rule(
            lease,
            otp=message.otp,
            platform=message.platform,
            trust=message.trust,
            now_ms=message.at_ms,
        )
        if ruling is Ruling.AGAIN and lease is not None:
            window = window_of(lease, message.platform, message.at_ms)
            if window is None or not self.second.take(message.recipient, window, message.at_ms):
                ruling = Ruling.REFUSE
        return ruling, lease

    def rule_batch(self, batch: Batch, codes: Codes) -> Iterator[RuledCode]:
        """Rule on each code of a batch, in order; call `add` with the batch's actions first."""
        for i in np.flatnonzero(codes.otp).tolist():
            number = int(batch.recipient[i])
            message = LogMessage(
                batch.tokens.get(number) or str(number),
                int(batch.event_time_ms[i]),
                int(batch.offset[i]),
                otp=True,
                platform=codes.name(i),
                trust=Trust(int(codes.trust[i])),
            )
            ruling, lease = self.rule(message)
            yield RuledCode(
                "" if batch.origin is None else batch.origin(i)[1],
                message.recipient,
                "refuse" if ruling is Ruling.REFUSE else "pass",
                ruling,
                None if lease is None else lease.action_id,
            )
        self.forget(int(batch.event_time_ms.max(initial=0)))

    def forget(self, now_ms: int) -> None:
        """Drop the leases of recipients whose newest ended over a day ago."""
        ended = [
            recipient
            for recipient, actions in self.leases.items()
            if actions[-1].expires_at_ms < now_ms - DAY_MS
        ]
        for recipient in ended:
            del self.leases[recipient]
