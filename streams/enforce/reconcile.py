"""Brings a gateway to what the book says, whatever fails in between.

Level-triggered: for a recipient that may have changed, compare what should stand with what the
gateway is known to hold, and order the difference. A failed order leaves the recipient changed, so
it is compared anew; what was overtaken in the meantime is never sent. One thread calls `step`;
orders run in a pool, so that a slow gateway delays neither the operator's word nor the log.
"""

from __future__ import annotations

import heapq
import random
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final

from detectors.leases.gate import Lease
from detectors.model.records import Action
from streams.enforce.book import REMEMBER_MS, Book, Why, due, standing, take_action, take_override
from streams.enforce.gateway import Gateway, GatewayAwayError, Order, Refusals
from streams.wire import Ack, AckState, Override, override_id

PROBE_MS: Final = 1_000  # chosen: a gateway that lost its memory is seen within a second
BACKOFF_MS: Final = 100  # first wait after a failure; doubles each time
BACKOFF_MAX_MS: Final = 5_000  # chosen: half a minute of a lease is the most that a try may wait

Position = tuple[Hashable, int]
"""A partition and an offset in it."""


@dataclass(slots=True)
class Pending:
    """An action of the log that nobody has been told about yet."""

    action: Action
    position: Position


@dataclass(slots=True)
class Word:
    """An override that is not yet in effect for `waiting`."""

    override: Override
    position: Position
    waiting: set[str]


@dataclass(slots=True)
class Flight:
    """Orders on their way to the gateway."""

    applies: list[Order] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    expires: list[str] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)  # action ids that stand no more, why

    def __len__(self) -> int:
        return len(self.applies) + len(self.releases) + len(self.expires)

    def recipients(self) -> Iterable[str]:
        """Everybody aboard."""
        yield from (order.recipient for order in self.applies)
        yield from self.releases
        yield from self.expires

    def run(self, gateway: Gateway) -> tuple[Refusals, Sequence[int]]:
        """Carry out the orders.

        Returns what the gateway will not do, and how many messages were refused under each of the
        actions that ended.
        """
        refusals: dict[str, str] = {}
        if self.expires:
            refusals.update(gateway.expire(self.expires))
        if self.releases:
            refusals.update(gateway.release(self.releases))
        if self.applies:
            refusals.update(gateway.apply(self.applies))
        return refusals, gateway.refused([action_id for action_id, _ in self.ended])


@dataclass(frozen=True, slots=True)
class Found:
    """What a gateway's memory that we did not know held when we met it."""

    held: set[str]  # recipients under lease
    counted: list[str]  # actions under which messages were refused


@dataclass(slots=True)
class Report:
    """What one step settled."""

    acks: list[Ack] = field(default_factory=list)
    dead: list[Action] = field(default_factory=list)  # given up: the gateway will not take them


class Reconciler:
    """The adapter without Kafka. Everything it keeps is bounded by the book's entries."""

    def __init__(self, gateway: Gateway, book: Book, gateway_id: str, seed: int = 0) -> None:
        self.gateway = gateway
        self.book = book
        self.gateway_id = gateway_id
        self.up = False
        self._jitter = random.Random(seed)  # noqa: S311 - spreads load, guards nothing
        self._pool = ThreadPoolExecutor(gateway.parallel_max + 1, thread_name_prefix="gateway")
        self._ready: OrderedDict[str, None] = OrderedDict()  # in order of arrival
        self._later: list[tuple[int, str]] = []  # heap: when to try again after a failure
        self._deferred: dict[str, None] = {}  # until the gateway is back
        self._flights: dict[Future[tuple[Refusals, Sequence[int]]], Flight] = {}
        self._flying: dict[str, bool] = {}  # recipient -> changed again since
        self._holds: dict[str, Lease] = {}  # what the gateway said yes to
        self._unsure: set[str] = set()  # may hold something that nobody here remembers
        self._tries: dict[str, int] = {}
        self._pending: dict[str, list[Pending]] = {}
        self._words: list[Word] = []
        self._incarnation: str | None = None
        self._probe: Future[tuple[str, Found | None]] | None = None
        self._probe_at_ms = 0
        self._report = Report()

    # -- what the log says

    def action(
        self, action: Action, position: Position, now_ms: int, *, told: bool = False
    ) -> None:
        """Take an action of the throttle topic. `told`: its fate was acknowledged before."""
        if action.expires_at_ms + REMEMBER_MS <= now_ms:
            # Two days of them are on the topic; the book holds the last hour.
            if not told:
                self._ack(action.action_id, "expired", Why.OVER, now_ms)
            return
        if take_action(self.book, action) is Why.STALE:
            if not told:
                self._ack(action.action_id, "ignored", Why.STALE, now_ms)
            return
        if not told:
            self._pending.setdefault(action.recipient, []).append(Pending(action, position))
        self._look(action.recipient)

    def override(self, override: Override, position: Position, *, told: bool = False) -> None:
        """Take the operator's word."""
        touched = set(take_override(self.book, override))
        if not told:
            self._words.append(Word(override, position, touched))
        for recipient in touched:
            self._look(recipient)

    # -- what to do about it

    def step(self, now_ms: int) -> Report:
        """Land what came back, send what can be sent. Never blocks."""
        self._land(now_ms)
        self._check_health(now_ms)
        for recipient in due(self.book, now_ms):
            self._look(recipient)
        while self._later and self._later[0][0] <= now_ms:
            self._look(heapq.heappop(self._later)[1])
        while self._ready and len(self._flights) < self.gateway.parallel_max:
            flight = self._board(now_ms)
            if flight is None:
                break
            self._flights[self._pool.submit(flight.run, self.gateway)] = flight
        for word in [word for word in self._words if not word.waiting]:
            self._words.remove(word)
            said = word.override
            self._ack(
                override_id(said, word.position[1]),
                "applied",
                f"{said.verb} by {said.actor}: {said.reason}",
                now_ms,
            )
        report, self._report = self._report, Report()
        return report

    def unsettled(self) -> Iterable[Position]:
        """Positions of the log that a restart has to see again as new."""
        for pending in self._pending.values():
            yield from (each.position for each in pending)
        yield from (word.position for word in self._words)

    def pending(self) -> int:
        """Actions that nobody has been told about yet."""
        return sum(map(len, self._pending.values()))

    def idle(self) -> bool:
        """Whether the gateway holds what it should."""
        return self.up and not (
            self._ready or self._later or self._deferred or self._flights or self._words
        )

    def busy(self) -> bool:
        """Whether an order or a question is on its way."""
        return bool(self._flights) or self._probe is not None

    def wait(self, timeout_s: float) -> None:
        """Sleep until an order comes back, or the time is over."""
        waiting: set[Future[object]] = {*self._flights}  # type: ignore[arg-type]
        if self._probe is not None:
            waiting.add(self._probe)  # type: ignore[arg-type]
        wait(waiting, timeout_s, return_when="FIRST_COMPLETED")

    def holds(self) -> dict[str, Lease]:
        """What the gateway is known to hold."""
        return self._holds

    def close(self) -> None:
        """Finish what is on its way, then let the gateway go; leases end by themselves."""
        self._pool.shutdown(cancel_futures=True)
        self.gateway.close()

    # -- inside

    def _look(self, recipient: str) -> None:
        if recipient in self._flying:
            self._flying[recipient] = True
        else:
            self._ready[recipient] = None

    def _board(self, now_ms: int) -> Flight | None:
        """Fill a flight with what differs; what does not is settled on the way."""
        flight = Flight()
        while self._ready and len(flight) < self.gateway.batch_max:
            recipient, _ = self._ready.popitem(last=False)
            want = standing(self.book, recipient, now_ms)
            holds = self._holds.get(recipient)
            if isinstance(want, Lease):
                if want != holds or recipient in self._unsure:
                    if not self.up:
                        self._defer(recipient)
                        continue
                    flight.applies.append(Order(recipient, want))
                    if holds is not None and holds.action_id != want.action_id:
                        flight.ended.append((holds.action_id, "renewed"))
                    self._flying[recipient] = False
                else:
                    self._settle(recipient, want, now_ms)
            elif holds is not None or recipient in self._unsure:
                if not self.up:
                    self._defer(recipient)
                    continue
                ends_itself = want is Why.OVER and recipient not in self._unsure
                (flight.expires if ends_itself else flight.releases).append(recipient)
                if holds is not None:
                    flight.ended.append((holds.action_id, want))
                self._flying[recipient] = False
            else:
                self._settle(recipient, want, now_ms)
        return flight if len(flight) else None

    def _defer(self, recipient: str) -> None:
        """The gateway is away. A lease that is over before it is back has been tried in vain."""
        self._tries.setdefault(recipient, 1)
        self._deferred[recipient] = None

    def _land(self, now_ms: int) -> None:
        for future in [future for future in self._flights if future.done()]:
            flight = self._flights.pop(future)
            try:
                refusals, counts = future.result()
            except GatewayAwayError as error:
                self.up, self._probe_at_ms = False, now_ms
                if not len(flight):
                    self._incarnation = None  # it carried counts alone: ask for them anew
                self._failed(flight, str(error), now_ms)
                continue
            for (action_id, why), count in zip(flight.ended, counts, strict=True):
                self._ack(action_id, "expired", why, now_ms, count)
            for order in flight.applies:
                if order.recipient not in refusals:
                    self._holds[order.recipient] = order.lease
                    self._applied(order, now_ms)
            for recipient in (*flight.releases, *flight.expires):
                self._holds.pop(recipient, None)
            for recipient in flight.recipients():
                changed = self._flying.pop(recipient)
                self._unsure.discard(recipient)
                if recipient in self._tries:
                    self._tries[recipient] = 1  # what was late says so when it is settled
                if recipient in refusals and not changed:
                    self._give_up(recipient, refusals[recipient], now_ms)
                else:
                    # Nothing is settled but by a look at the book.
                    self._ready[recipient] = None

    def _failed(self, flight: Flight, why: str, now_ms: int) -> None:
        """Try again later, or give up after so many tries."""
        for recipient in flight.recipients():
            changed = self._flying.pop(recipient)
            tries = self._tries[recipient] = self._tries.get(recipient, 0) + 1
            # Nobody knows what the gateway did before it failed.
            self._unsure.add(recipient)
            if changed:
                self._ready[recipient] = None
            elif tries == self.gateway.tries_max:
                self._give_up(recipient, why, now_ms)
            else:
                most = min(BACKOFF_MAX_MS, BACKOFF_MS << min(tries, 16))
                heapq.heappush(
                    self._later, (now_ms + round(self._jitter.uniform(most / 2, most)), recipient)
                )

    def _give_up(self, recipient: str, why: str, now_ms: int) -> None:
        """An order that is dead until something else is said about its recipient."""
        self._tries.pop(recipient, None)
        self._unsure.discard(recipient)
        self._holds.pop(recipient, None)
        entry = self.book.entries.get(recipient)
        if entry is not None:
            self._report.dead.append(entry.action)
        for pending in self._pending.pop(recipient, ()):
            self._ack(pending.action.action_id, "failed", why, now_ms)
        self._spoken(recipient)

    def _applied(self, order: Order, now_ms: int) -> None:
        """Tell it now: the next look at the book may find a newer action."""
        pending = self._pending.get(order.recipient, [])
        for each in pending:
            if each.action.action_id == order.lease.action_id:
                self._ack(order.lease.action_id, "applied", "", now_ms)
                pending.remove(each)
                break
        if not pending:
            self._pending.pop(order.recipient, None)

    def _settle(self, recipient: str, want: Lease | Why, now_ms: int) -> None:
        """The gateway is as it should be: tell what became of the actions about this recipient."""
        entry = self.book.entries.get(recipient)
        newest = entry.action.action_id if entry is not None else None
        tried = self._tries.pop(recipient, 0) > 0
        for pending in self._pending.pop(recipient, ()):
            action = pending.action
            state: AckState
            if action.action_id != newest:
                state, why = "ignored", str(Why.STALE)
            elif isinstance(want, Lease):
                state, why = "applied", ""  # the gateway held it before we were told
            elif want is Why.RELEASE:
                state, why = "applied", str(want)
            elif want is Why.OVER:
                state, why = ("failed", "away") if tried else ("expired", str(want))
            elif want is Why.RAIL and entry is not None:
                state, why = "ignored", str(entry.refusal)
            else:
                state, why = "ignored", str(want)
            self._ack(action.action_id, state, why, now_ms)
        self._spoken(recipient)

    def _spoken(self, recipient: str) -> None:
        for word in self._words:
            word.waiting.discard(recipient)

    def _ack(
        self, action_id: str, state: AckState, why: str, now_ms: int, refused: int = 0
    ) -> None:
        self._report.acks.append(
            Ack(
                action_id=action_id,
                gateway_id=self.gateway_id,
                state=state,
                why=str(why),
                at_ms=now_ms,
                refused_count=refused,
            )
        )

    def _check_health(self, now_ms: int) -> None:
        if self._probe is None:
            if now_ms >= self._probe_at_ms:
                self._probe = self._pool.submit(_probe, self.gateway, self._incarnation)
            return
        if not self._probe.done():
            return
        probe, self._probe = self._probe, None
        self._probe_at_ms = now_ms + PROBE_MS
        try:
            incarnation, found = probe.result()
        except GatewayAwayError:
            self.up = False
            return
        self.up = True
        if found is not None:
            self._incarnation = incarnation
            self._holds.clear()
            self._unsure = found.held
            for recipient in (*self.book.entries, *found.held):
                self._look(recipient)
            self._fetch_counts(found.counted, now_ms)
        deferred, self._deferred = self._deferred, {}
        for recipient in deferred:
            self._look(recipient)

    def _fetch_counts(self, counted: Iterable[str], now_ms: int) -> None:
        """Take the counts of leases that ended while nobody was there to take them."""
        stand = (standing(self.book, recipient, now_ms) for recipient in self.book.entries)
        stand_ids = {lease.action_id for lease in stand if isinstance(lease, Lease)}
        flight = Flight(ended=[(each, Why.OVER) for each in counted if each not in stand_ids])
        if flight.ended:
            self._flights[self._pool.submit(flight.run, self.gateway)] = flight


def _probe(gateway: Gateway, known: str | None) -> tuple[str, Found | None]:
    """The incarnation that answers, and what it holds if it is not the known one."""
    incarnation = gateway.health()
    if incarnation == known:
        return incarnation, None
    return incarnation, Found(set(gateway.held()), list(gateway.counted()))
