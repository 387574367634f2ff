"""Compares two configurations of the detector over one log. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import tee
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.records import Action
from streams.cases.log_replay import Replayed, replay_placed
from streams.cases.rulings import RulingGateway
from streams.config import Settings

SIDES: Final = ("before", "after")


@dataclass(slots=True)
class Difference:
    """How the configurations differ for one recipient, by side."""

    refused: Counter[str] = field(default_factory=Counter)  # codes that only this side refuses
    leases: list[dict[str, Any]] = field(default_factory=list)  # leases that only one side makes


@dataclass(slots=True)
class Comparison:
    """The replays of a log under two configurations, and the recipients for whom they differ.

    Leases in shadow mode count as if they were enforced. Memory use grows only with the recipients
    for whom the configurations differ.
    """

    settings: Sequence[Settings]  # as many as `SIDES`
    lines: int = 0
    leases: Counter[str] = field(default_factory=Counter)  # by side
    recipients: defaultdict[str, Difference] = field(
        default_factory=lambda: defaultdict(Difference)
    )

    def run(
        self, number: int, chunks: Iterable[tuple[list[bytes], NDArray[np.int64]]]
    ) -> Iterator[int]:
        """Replay one partition under both configurations, from empty states.

        Yields the number of lines of each chunk after both have decided about it.
        """
        gateways = [RulingGateway(shadow=True) for _ in SIDES]
        replays = (
            replay_placed(each, number, lines)
            for each, lines in zip(self.settings, tee(chunks), strict=True)
        )
        for steps in zip(*replays, strict=True):
            self._compare(steps, gateways)
            self.lines += steps[0].lines
            yield steps[0].lines

    def _compare(self, steps: Sequence[Replayed], gateways: Sequence[RulingGateway]) -> None:
        refused, made = list[Counter[tuple[str, str]]](), list[dict[Any, Action]]()
        for side, step, gateway in zip(SIDES, steps, gateways, strict=True):
            gateway.add(step.decisions.actions)
            ruled = gateway.rule_batch(step.decoded.batch, step.codes)
            refused.append(
                Counter((r.recipient, r.message_id) for r in ruled if r.ruling == "refuse")
            )
            leases = [a for a in step.decisions.actions if not a.update]
            made.append({_facts(each): each for each in leases})
            self.leases[side] += len(leases)
        for side, one, other in zip(SIDES, refused, reversed(refused), strict=True):
            for (recipient, _), count in (one - other).items():
                self.recipients[recipient].refused[side] += count
        for side, mine, others in zip(SIDES, made, reversed(made), strict=True):
            for key in mine.keys() - others.keys():
                told = {"only": side, **_describe_lease(mine[key])}
                self.recipients[mine[key].recipient].leases.append(told)

    def report(self) -> dict[str, Any]:
        """Return the result: recipients in the order of the codes that one side alone refuses."""
        found = sorted(self.recipients.items(), key=lambda e: (-e[1].refused.total(), e[0]))
        return {
            "lines": self.lines,
            "leases": {side: self.leases[side] for side in SIDES},
            "recipients": [
                {
                    "recipient": name,
                    "refused_only": {side: each.refused[side] for side in SIDES},
                    "leases": sorted(each.leases, key=lambda e: (e["issued_at_ms"], e["only"])),
                }
                for name, each in found
            ],
        }


def _facts(action: Action) -> tuple[Any, ...]:
    """Return what makes two leases the same: all but the settings' fingerprint and the evidence."""
    return (
        action.recipient, action.verb, action.mode, action.reason.rule, action.issued_at_ms,
        action.expires_at_ms, action.scope, action.refused_ids,
    )  # fmt: skip


def _describe_lease(action: Action) -> dict[str, Any]:
    return {
        "action_id": action.action_id,
        "verb": action.verb,
        "mode": action.mode,
        "rule": action.reason.rule,
        "issued_at_ms": action.issued_at_ms,
        "expires_at_ms": action.expires_at_ms,
    }
