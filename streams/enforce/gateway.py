"""A gateway as the adapter sees it: something that can be told to hold leases.

Calls come from worker threads, one at a time for each recipient. Telling a gateway twice what it
knows already changes nothing, so the adapter repeats itself whenever it is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from detectors.leases.gate import Lease


@dataclass(frozen=True, slots=True)
class Order:
    """A lease for one recipient, to be applied or ended."""

    recipient: str
    lease: Lease


class GatewayAwayError(Exception):
    """Nothing can be said to the gateway now; later it may work. The message names nobody."""


Refusals = Mapping[str, str]
"""Recipients whose orders the gateway did not carry out and, as they are, never will, and why;
usually empty."""


@dataclass(frozen=True, slots=True)
class LeaseTally:
    """The messages refused under one action so far, and by platform id where that is counted."""

    refused: int
    by_platform: Mapping[int, int] = field(default_factory=dict)


class CountsNothing:
    """The part of a gateway that does not tell how many messages it refused."""

    def refused(self, action_ids: Sequence[str]) -> Sequence[int]:
        """Return zeros."""
        return [0] * len(action_ids)

    def tallies(self, action_ids: Sequence[str]) -> Sequence[LeaseTally]:
        """Return zeros."""
        return [LeaseTally(0)] * len(action_ids)

    def counted(self) -> Iterable[str]:
        """Return nothing."""
        return ()


class Gateway(Protocol):
    """One way to reach gateways. Every method but `close` may raise `GatewayAwayError`."""

    batch_max: int  # orders that one call takes
    parallel_max: int  # calls at a time
    tries_max: int | None  # calls for one lease before it is given up; None: for ever
    again: bool  # it lets second requests pass: told of their windows, it looks at platforms

    def held(self) -> Iterable[str] | None:
        """Recipients under lease at the gateway, from before; None if it cannot tell."""
        ...

    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Hold these leases, each in place of any other of its recipient."""
        ...

    def release(self, recipients: Sequence[str]) -> Refusals:
        """Hold no lease for these recipients, now."""
        ...

    def expire(self, recipients: Sequence[str]) -> Refusals:
        """The leases of these recipients are over: end them where they don't end by themselves."""
        ...

    def refused(self, action_ids: Sequence[str]) -> Sequence[int]:
        """Counts of messages refused under each action; 0 where the gateway can't tell."""
        ...

    def tallies(self, action_ids: Sequence[str]) -> Sequence[LeaseTally]:
        """Counts under each action so far, which go on; nothing where the gateway can't tell."""
        ...

    def counted(self) -> Iterable[str]:
        """Actions that messages were refused under and whose count nobody took yet."""
        ...

    def health(self) -> str:
        """Name the incarnation of the gateway's memory that answers. Another one knows nothing."""
        ...

    def close(self) -> None:
        """Let go of connections and threads."""
        ...
