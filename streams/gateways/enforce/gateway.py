"""The interface between the adapter and an SMS gateway that enforces leases.

A lease is an order to refuse verification codes to one recipient for a limited time. The lease's
scope lists the platforms whose codes still pass.

The adapter calls a `Gateway` from worker threads. There is at most one call at a time for each
recipient. Every call is idempotent: repeating an order changes nothing. So the adapter repeats an
order when it does not know whether the first attempt succeeded.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from detectors.leases.gateway_rule import Lease


@dataclass(frozen=True, slots=True)
class Order:
    """A lease and the recipient it is for: the unit of one `Gateway.apply` call."""

    recipient: str
    lease: Lease


class GatewayAwayError(Exception):
    """The gateway is unreachable or fails for now, and a later call may succeed.

    The message must not contain a phone number, because it appears in logs.
    """


Refusals = Mapping[str, str]
"""Recipients whose orders the gateway rejects for good, each with the reason. Usually empty."""


@dataclass(frozen=True, slots=True)
class LeaseTally:
    """Number of messages refused so far under one action.

    `by_platform` splits this number by platform id. `by_platform` is empty where the gateway does
    not count by platform.
    """

    refused: int
    by_platform: Mapping[int, int] = field(default_factory=dict)


class Gateway(ABC):
    """A client for one kind of gateway. Every method except `close` may raise `GatewayAwayError`.

    The defaults are those of a gateway that knows leases, ends them by itself, and counts nothing.
    """

    batch_max = 1_000  # maximum number of orders per call
    parallel_max = 1  # maximum number of concurrent calls
    tries_max: int | None = (
        None  # attempts for one lease before the adapter gives up; None: no limit
    )
    again = True  # True if the gateway supports retry windows (a second code of a platform passes)
    narrow = True  # True if the gateway supports platform leases

    @abstractmethod
    def list_recipients(self) -> Iterable[str] | None:
        """Return the recipients that have a lease at the gateway; None if it cannot list them."""

    @abstractmethod
    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Enforce these leases. Each lease replaces any earlier lease of its recipient."""

    @abstractmethod
    def release(self, recipients: Sequence[str]) -> Refusals:
        """End the leases of these recipients immediately."""

    def expire(self, recipients: Sequence[str]) -> Refusals:  # noqa: ARG002 - the interface's
        """Remove the leases of these recipients, which have expired.

        Gateways that end leases by themselves do nothing here.
        """
        return {}

    def take_refused(self, action_ids: Sequence[str]) -> Sequence[int]:
        """Return the number of messages refused under each action, and reset these counters.

        The number is 0 where the gateway does not count.
        """
        return [0] * len(action_ids)

    def tallies(self, action_ids: Sequence[str]) -> Sequence[LeaseTally]:
        """Return the counts of each action so far, without resetting them.

        The tally is empty where the gateway does not count.
        """
        return [LeaseTally(0)] * len(action_ids)

    def list_counted(self) -> Iterable[str]:
        """Return the actions with a refused count that `take_refused` has not returned yet."""
        return ()

    @abstractmethod
    def health(self) -> str:
        """Return an id of the gateway's stored leases.

        A different id means that the gateway lost its leases, for example in a restart.
        """

    def close(self) -> None:  # noqa: B027 - not every gateway has something to close
        """Close connections and stop threads."""
