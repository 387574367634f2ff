"""A stand-in for an SMS gateway: it obeys the leases that it reads, by the rule of every gateway.

It knows nothing of the scenario and nothing of the detector but the throttle topic. Its clock is
the time of the message it is asked about, since the demo's hour passes within a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.leases.again import SecondPasses, window_of
from detectors.leases.gate import Lease, Ruling, rule
from detectors.leases.rails import RailParams
from detectors.model.records import Action
from detectors.recognise.recogniser import Verdict, recognise
from detectors.recognise.registry import Registry
from streams.enforce.book import DesiredState, desired_lease, take_action


class StandInGateway:
    """Knows what to recognise and the book of leases that every adapter keeps."""

    def __init__(self, registry: Registry, subscribers: int) -> None:
        self.registry = registry
        self.book = DesiredState(RailParams.sized(subscribers))
        self.second = SecondPasses()

    def learn(self, action: Action) -> None:
        """Take in an action read from the throttle topic."""
        take_action(self.book, action, action.issued_at_ms)

    def ask(self, recipient: str, value: Mapping[str, Any]) -> Ruling:
        """Rule whether a message, a value of `sms.delivery.v1`, may pass."""
        now_ms = value["event_time_ms"]
        lease = desired_lease(self.book, recipient, now_ms)
        if not isinstance(lease, Lease):  # nearly always: a text is looked at only under a lease
            return Ruling.NO_LEASE
        verdict = self.recognise(value)
        ruling = rule(
            lease,
            otp=verdict.otp,
            platform=verdict.platform,
            trust=verdict.trust,
            now_ms=now_ms,
        )
        if ruling is not Ruling.AGAIN:
            return ruling
        window = window_of(lease, verdict.platform, now_ms)
        passes = window is not None and self.second.take(recipient, window, now_ms)
        return Ruling.AGAIN if passes else Ruling.REFUSE

    def recognise(self, value: Mapping[str, Any]) -> Verdict:
        """Recognise the message, as the worker does."""
        return recognise(
            self.registry,
            value.get("text") or value.get("text_prefix") or "",
            sender=value["sender"],
            signature=value.get("signature") or "",
            category=value.get("category") or "",
            platform=value.get("platform_id") or "",
            template=value.get("template_id") or "",
        )
