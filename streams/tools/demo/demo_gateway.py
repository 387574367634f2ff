"""A simulated SMS gateway that follows leases and overrides, as real gateways do.

It does not know the scenario. From the detector it reads only the throttle topic. Its clock is the
time of the message to be ruled on, because in the demo an hour passes within a minute. Like the
adapters of real gateways, it acknowledges leases and reports its refusal counts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from detectors.leases.gateway_rule import Lease, Ruling, rule
from detectors.leases.rails import RailParams
from detectors.leases.retry_budget import SecondPasses
from detectors.model.event import platform_id
from detectors.model.records import Action
from detectors.recognise.decide import Verdict, recognise
from detectors.recognise.platform.registry import Registry
from streams.wire import COUNTED_PLATFORMS_MAX, Ack, AckState, Counts, Override, override_id
from streams.wire.desired_state import DesiredState, desired_lease, take_action, take_override

GATEWAY_ID: Final = "smsc-demo"


class StandInGateway:
    """The rules for recognising codes, and the leases in force, as in every adapter."""

    def __init__(self, registry: Registry, subscribers: int) -> None:
        self.registry = registry
        self.book = DesiredState(RailParams.for_network(subscribers))
        self.second = SecondPasses()
        # Messages refused under each lease, by platform; below, leases with refusals not yet
        # reported.
        self._refused: dict[str, Counter[int]] = defaultdict(Counter)
        self._untold: dict[str, str] = {}  # Action id -> episode id.

    def learn(self, action: Action) -> Ack:
        """Apply an action from the throttle topic; return the gateway's acknowledgement."""
        stale = take_action(self.book, action, action.issued_at_ms)
        return _ack(
            action.action_id, action.issued_at_ms, "ignored" if stale else "applied", stale or ""
        )

    def obey(self, word: Override, offset: int) -> Ack:
        """Apply an operator's override; `offset` is the offset of its record."""
        take_override(self.book, word)
        return _ack(override_id(word, offset), word.issued_at_ms, "applied", "")

    def counts(self, now_ms: int) -> Iterator[Counts]:
        """Yield the refused-message counts of leases whose count changed since the last call."""
        for action_id, episode_id in self._untold.items():
            refused = self._refused[action_id]
            yield Counts(
                action_id=action_id,
                episode_id=episode_id,
                gateway_id=GATEWAY_ID,
                at_ms=now_ms,
                refused=refused.total(),
                by_platform=dict(refused.most_common(COUNTED_PLATFORMS_MAX)),
            )
        self._untold.clear()

    def ask(self, recipient: str, value: Mapping[str, Any]) -> Ruling:
        """Rule whether a message (a value of `sms.delivery.v1`) may pass."""
        now_ms = value["event_time_ms"]
        lease = desired_lease(self.book, recipient, now_ms)
        if not isinstance(lease, Lease):  # The usual case: a text is only parsed under a lease.
            return Ruling.NO_LEASE
        verdict = self.recognise(value)
        ruling = self.second.rule(
            lease,
            recipient,
            otp=verdict.otp,
            platform=verdict.platform,
            trust=verdict.trust,
            now_ms=now_ms,
        )
        if ruling is Ruling.REFUSE:
            self._refused[lease.action_id][platform_id(verdict.platform)] += 1
            for entry in self.book.leases_of(recipient):
                self._untold.setdefault(lease.action_id, entry.action.episode_id)
        return ruling

    def would(self, value: Mapping[str, Any], now_ms: int) -> Ruling:
        """Return the ruling for a message like this at `now_ms`; count no refusal and no retry."""
        lease = desired_lease(self.book, value["recipient"], now_ms)
        if not isinstance(lease, Lease):
            return Ruling.NO_LEASE
        seen = self.recognise(value)
        return rule(lease, otp=seen.otp, platform=seen.platform, trust=seen.trust, now_ms=now_ms)

    def recognise(self, value: Mapping[str, Any]) -> Verdict:
        return recognise(
            self.registry,
            value.get("text") or value.get("text_prefix") or "",
            sender=value["sender"],
            signature=value.get("signature") or "",
            category=value.get("category") or "",
            platform=value.get("platform_id") or "",
            template=value.get("template_id") or "",
        )


def _ack(action_id: str, at_ms: int, state: AckState, why: str) -> Ack:
    return Ack(action_id=action_id, gateway_id=GATEWAY_ID, state=state, why=why, at_ms=at_ms)
