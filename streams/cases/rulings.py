"""Rules on the codes of a log like a gateway, by the leases that its events cause. Pure.

The rule is `detectors.leases.gateway_rule.rule` with `detectors.leases.retry_budget`, as in every
gateway. A lease is in force from `delay_ms` after the event that caused it, and never for that
event itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from detectors.leases.gateway_rule import Lease, Ruling, lease_of, merge
from detectors.leases.retry_budget import SecondPasses
from detectors.model.codes import Codes
from detectors.model.event import Batch, EventKind, Trust
from detectors.model.records import Action
from detectors.model.times import DAY_MS
from streams.wire.desired_state import PLATFORMS, entry_name

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
    # By recipient and `entry_name`, oldest first.
    leases: dict[str, dict[str, list[Action]]] = field(default_factory=dict)
    second: SecondPasses = field(default_factory=SecondPasses)

    def add(self, actions: Iterable[Action]) -> None:
        """Add actions; those of one recipient must come in the order of their revisions."""
        for action in actions:
            named = self.leases.setdefault(action.recipient, {})
            named.setdefault(entry_name(action), []).append(action)

    def lease_of(self, message: LogMessage) -> Lease | None:
        """Return the lease in force for a message: the newest of each kind that arrived before."""
        named = self.leases.get(message.recipient)
        if named is None:
            return None
        full, platforms = (
            self._newest(named, message.recipient + suffix, message) for suffix in ("", PLATFORMS)
        )
        if full is None or platforms is None:
            return full or platforms
        if full.expires_at_ms <= message.at_ms:
            return platforms
        return merge(full, platforms) if platforms.expires_at_ms > message.at_ms else full

    def _newest(
        self, named: Mapping[str, Sequence[Action]], name: str, message: LogMessage
    ) -> Lease | None:
        action = self._find_arrived(named.get(name, ()), message)
        if action is None or action.ends or not (self.shadow or action.mode == "enforce"):
            return None
        windows = named.get(f"{message.recipient}/{action.action_id}", ())
        return lease_of(action, self._find_arrived(windows, message))

    def _find_arrived(self, actions: Sequence[Action], message: LogMessage) -> Action | None:
        latest_ms = message.at_ms - self.delay_ms
        arrived = (
            action
            for action in reversed(actions)
            if action.cause.offset < message.offset and action.cause.at_ms <= latest_ms
        )
        return next(arrived, None)

    def rule(self, message: LogMessage) -> tuple[Ruling, Lease | None]:
        """Rule on a message; messages must come roughly in the order of their times."""
        lease = self.lease_of(message)
        ruling = self.second.rule(
            lease,
            message.recipient,
            otp=message.otp,
            platform=message.platform,
            trust=message.trust,
            now_ms=message.at_ms,
        )
        return ruling, lease

    def rule_batch(self, batch: Batch, codes: Codes) -> Iterator[RuledCode]:
        """Rule on each code of a batch, in order; call `add` with the batch's actions first."""
        for i in np.flatnonzero(codes.otp & (batch.kind == EventKind.MESSAGE)).tolist():
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
        """Drop the leases of recipients whose newest lease ended over a day ago."""
        self.leases = {
            recipient: named
            for recipient, named in self.leases.items()
            if any(actions[-1].expires_at_ms >= now_ms - DAY_MS for actions in named.values())
        }
