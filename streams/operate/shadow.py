"""Reports what leases would have refused, or have, to whoever decides to enforce. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from detectors.episodes.used_later import UsedLater, confirm, note_refusal, note_use
from detectors.leases.gate import Ruling
from detectors.model.event import platform_id
from detectors.model.records import Action, seconds
from streams.operate.rulings import LogMessage, RulingGateway

TOP: int = 20  # platforms in the report, by messages


@dataclass(slots=True)
class Shadow:
    """Leases, and what they meet. Messages of a recipient come about in the order of their time."""

    gateway: RulingGateway
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)  # (recipient, platform)
    passed: Counter[Ruling] = field(default_factory=Counter)  # under lease, by why
    uses: UsedLater[str] = field(default_factory=UsedLater)
    used_later: set[tuple[str, int]] = field(default_factory=set)  # (recipient, platform id)
    now_s: int = 0  # of the newest message

    @classmethod
    def of(cls, actions: Iterable[Action]) -> Shadow:
        """From actions of both modes: in shadow they are the same but for one word."""
        newest = {(each.recipient, each.epoch, each.revision): each for each in actions}
        gateway = RulingGateway(delay_ms=0, shadow=True)
        gateway.add(action for _, action in sorted(newest.items()))
        return cls(gateway, uses=UsedLater(len(gateway.leases)))

    @property
    def leases(self) -> dict[str, list[Action]]:
        """The actions of each recipient, oldest first."""
        return self.gateway.leases

    def meet(self, message: LogMessage) -> None:
        """Take one message of a recipient in `leases`."""
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
        """The figures.

        `harm_ratio` is the share of refused messages whose platform the recipient used later, as
        `detectors.episodes.used_later` says what that is and where it errs.
        """
        messages = self.refused.total()
        self.used_later.update(confirm(self.uses, self.now_s))
        harmed = sum(
            count
            for (recipient, platform), count in self.refused.items()
            if (recipient, platform_id(platform)) in self.used_later
        )
        by_platform: Counter[str] = Counter()
        reach: Counter[str] = Counter()
        for (_, platform), count in self.refused.items():
            by_platform[platform] += count
            reach[platform] += 1
        throttles = {
            action.action_id: action
            for actions in self.leases.values()
            for action in actions
            if action.verb == "throttle"
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
                for platform, count in by_platform.most_common(TOP)
            ],
        }
