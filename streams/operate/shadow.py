"""Reports what leases refused or would have refused, for the decision to enforce. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from detectors.episodes.used_later import UsedLater, confirm, note_refusal, note_use
from detectors.leases.again import SecondPasses, window_of
from detectors.leases.gate import Lease, Ruling, rule
from detectors.model.event import Trust, platform_id
from detectors.model.records import Action, AgainWindow, seconds

TOP: int = 20  # Number of platforms in the report, by messages.


@dataclass(frozen=True, slots=True)
class LeasedMessage:
    """A recognised message to a recipient that was under a lease at some time."""

    recipient: str
    at_ms: int
    otp: bool
    platform: str
    trust: Trust


@dataclass(slots=True)
class Shadow:
    """Leases, and the messages under them; a recipient's messages come roughly in time order."""

    leases: dict[str, list[Action]]  # By recipient, oldest first.
    # (recipient, platform) -> messages.
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    # Messages that passed under a lease, by ruling.
    passed: Counter[Ruling] = field(default_factory=Counter)
    uses: UsedLater[str] = field(default_factory=UsedLater)
    used_later: set[tuple[str, int]] = field(default_factory=set)  # (recipient, platform id).
    second: SecondPasses = field(default_factory=SecondPasses)
    now_s: int = 0  # Time of the newest message, in seconds since `EPOCH_S`.

    @classmethod
    def of(cls, actions: Iterable[Action]) -> Shadow:
        """Build from actions of both modes; shadow actions differ in the mode only."""
        newest = {(each.recipient, each.epoch, each.revision): each for each in actions}
        leases: defaultdict[str, list[Action]] = defaultdict(list)
        for _, action in sorted(newest.items()):
            held = leases[action.recipient]
            # The same lease published again, with other retry windows.
            if held and held[-1].action_id == action.action_id:
                held[-1] = replace(held[-1], again=_all_windows(held[-1].again, action.again))
            else:
                held.append(action)
        return cls(dict(leases), uses=UsedLater(len(leases)))

    def meet(self, message: LeasedMessage) -> None:
        """Rule on one message of a recipient in `leases`, and count the result."""
        recipient, platform = message.recipient, platform_id(message.platform)
        at_s = seconds(message.at_ms)
        self.now_s = max(self.now_s, at_s)
        ruling = rule(
            self._lease(message.recipient, message.at_ms),
            otp=message.otp,
            platform=message.platform,
            trust=message.trust,
            now_ms=message.at_ms,
        )
        if ruling is Ruling.AGAIN and not self._asked_again(message):
            ruling = Ruling.REFUSE
        if ruling is Ruling.REFUSE:
            self.refused[recipient, message.platform] += 1
            note_refusal(self.uses, recipient, platform, at_s)
        elif ruling in (Ruling.NO_LEASE, Ruling.OVER):
            if message.otp:
                note_use(self.uses, recipient, platform, at_s)
        else:
            self.passed[ruling] += 1

    def _lease(self, recipient: str, at_ms: int) -> Lease | None:
        """Return the lease in force at a time: the newest, unless it was a release."""
        actions = self.leases[recipient]
        at = bisect_right(actions, at_ms, key=lambda action: action.issued_at_ms)
        if at == 0 or actions[at - 1].verb == "release":
            return None
        newest = actions[at - 1]
        return Lease(newest.action_id, newest.expires_at_ms, newest.scope, newest.again)

    def _asked_again(self, message: LeasedMessage) -> bool:
        """Return true if a gateway would have let this message pass as a retry."""
        lease = self._lease(message.recipient, message.at_ms)
        window = None if lease is None else window_of(lease, message.platform, message.at_ms)
        return window is not None and self.second.take(message.recipient, window, message.at_ms)

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
        reach: Counter[str] = Counter()
        for (_, platform), count in self.refused.items():
            by_platform[platform] += count
            reach[platform] += 1
        throttles = [
            action
            for actions in self.leases.values()
            for action in actions
            if action.verb == "throttle"
        ]
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


def _all_windows(
    before: tuple[AgainWindow, ...], after: tuple[AgainWindow, ...]
) -> tuple[AgainWindow, ...]:
    """Return all retry windows of a lease, each as last published."""
    told = {(window.platform_id, window.until_ms): window for window in (*before, *after)}
    return tuple(told.values())
