"""Reports what leases would have refused, or have, to whoever decides to enforce. Pure."""

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

TOP: int = 20  # platforms in the report, by messages


@dataclass(frozen=True, slots=True)
class LeasedMessage:
    """A message to a recipient that was under lease at some time, as the recogniser reads it."""

    recipient: str
    at_ms: int
    otp: bool
    platform: str
    trust: Trust


@dataclass(slots=True)
class Shadow:
    """Leases, and what they meet. Messages of a recipient come about in the order of their time."""

    leases: dict[str, list[Action]]  # by recipient, oldest first
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)  # (recipient, platform)
    passed: Counter[Ruling] = field(default_factory=Counter)  # under lease, by why
    uses: UsedLater[str] = field(default_factory=UsedLater)
    used_later: set[tuple[str, int]] = field(default_factory=set)  # (recipient, platform id)
    second: SecondPasses = field(default_factory=SecondPasses)
    now_s: int = 0  # of the newest message

    @classmethod
    def of(cls, actions: Iterable[Action]) -> Shadow:
        """From actions of both modes: in shadow they are the same but for one word."""
        newest = {(each.recipient, each.epoch, each.revision): each for each in actions}
        leases: defaultdict[str, list[Action]] = defaultdict(list)
        for _, action in sorted(newest.items()):
            held = leases[action.recipient]
            if held and held[-1].action_id == action.action_id:  # told again, with other windows
                held[-1] = replace(held[-1], again=_all_windows(held[-1].again, action.again))
            else:
                held.append(action)
        return cls(dict(leases), uses=UsedLater(len(leases)))

    def meet(self, message: LeasedMessage) -> None:
        """Take one message of a recipient in `leases`."""
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
        """The lease in force then: the newest that was issued by then, unless it withdrew one."""
        actions = self.leases[recipient]
        at = bisect_right(actions, at_ms, key=lambda action: action.issued_at_ms)
        if at == 0 or actions[at - 1].verb == "release":
            return None
        newest = actions[at - 1]
        return Lease(newest.action_id, newest.expires_at_ms, newest.scope, newest.again)

    def _asked_again(self, message: LeasedMessage) -> bool:
        """Tell if a second request is one that a gateway would have let pass."""
        lease = self._lease(message.recipient, message.at_ms)
        window = None if lease is None else window_of(lease, message.platform, message.at_ms)
        return window is not None and self.second.take(message.recipient, window, message.at_ms)

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
    """The windows that a lease told at any time, each as it was told last."""
    told = {(window.platform_id, window.until_ms): window for window in (*before, *after)}
    return tuple(told.values())
