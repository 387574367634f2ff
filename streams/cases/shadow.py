"""Reports what leases refused or would have refused, for the decision to enforce. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Self

from detectors.episodes.used_later import UsedLater, confirm, note_refusal, note_use
from detectors.leases.gateway_rule import Ruling
from detectors.model.event import platform_id
from detectors.model.records import Action, seconds
from streams.cases.rulings import LogMessage, RulingGateway
from streams.wire.desired_state import entry_name


@dataclass(slots=True)
class Shadow:
    """Leases, and the messages under them; a recipient's messages come roughly in time order."""

    gateway: RulingGateway
    # (recipient, platform) -> messages.
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    # Messages that passed under a lease, by ruling.
    passed: Counter[Ruling] = field(default_factory=Counter)
    uses: UsedLater[str] = field(default_factory=UsedLater)
    used_later: set[tuple[str, int]] = field(default_factory=set)  # (recipient, platform id).
    now_s: int = 0  # Time of the newest message, in seconds since `EPOCH_S`.

    @classmethod
    def of(cls, actions: Iterable[Action]) -> Self:
        """Build from actions of both modes; shadow actions differ in the mode only."""
        newest = {(entry_name(each), each.rank): each for each in actions}
        gateway = RulingGateway(delay_ms=0, shadow=True)
        gateway.add(action for _, action in sorted(newest.items()))
        return cls(gateway, uses=UsedLater(len(gateway.leases)))

    @property
    def leases(self) -> dict[str, list[Action]]:
        """Recipient -> the actions (leases and their ends) that concern this number."""
        return {name: [*chain(*named.values())] for name, named in self.gateway.leases.items()}

    def meet(self, message: LogMessage) -> None:
        """Rule on one message of a recipient in `leases`, and count the result."""
        recipient, platform = message.recipient, platform_id(message.platform)
        at_s = seconds(message.at_ms)
        self.now_s = max(self.now_s, at_s)
        ruling, _ = self.gateway.rule(message)
        if ruling is Ruling.REFUSE:
            self.refused[recipient, message.platform] += 1
            note_refusal(self.uses, recipient, platform, at_s)
        elif ruling in (Ruling.NO_LEASE, Ruling.OVER):
            if message.otp:
                note_use(self.uses, recipient, platform, at_s)
        else:
            self.passed[ruling] += 1

    def report(self) -> dict[str, Any]:
        """Return the figures of the report.

        `harm_ratio` is the share of refused messages whose platform the recipient used later.
        `detectors.episodes.used_later` defines this and describes its errors.
        """
        messages = self.refused.total()
        self.used_later.update(confirm(self.uses, self.now_s))
        harmed = sum(
            count
            for (recipient, platform), count in self.refused.items()
            if (recipient, platform_id(platform)) in self.used_later
        )
        by_platform: Counter[str] = Counter()
        for (_, platform), count in self.refused.items():
            by_platform[platform] += count
        reach = Counter(platform for _, platform in self.refused)
        throttles = {
            action.action_id: action
            for actions in self.leases.values()
            for action in actions
            if action.is_lease
        }.values()
        return {
            "leases": len(throttles),
            "leases_by_mode": dict(Counter(action.mode for action in throttles)),
            "recipients_under_lease": len({action.recipient for action in throttles}),
            "messages_refused": messages,
            "recipients_refused": len({recipient for recipient, _ in self.refused}),
            "messages_passed_under_lease": {str(why): n for why, n in self.passed.items()},
            "messages_of_platforms_used_later": harmed,
            "harm_ratio": harmed / messages if messages else 0.0,
            "platforms": [
                {"platform": platform, "messages": count, "recipients": reach[platform]}
                for platform, count in by_platform.most_common(20)
            ],
        }
