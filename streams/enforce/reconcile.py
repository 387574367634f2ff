"""Brings a gateway to what the book says, whatever fails in between.

Level-triggered: for a recipient that may have changed, compare what should stand with what the
gateway is known to hold, and order the difference. A failed order leaves the recipient changed, so
it is compared anew; what was overtaken in the meantime is never sent. One thread calls `step`;
orders run in a pool, so that a slow gateway delays neither the operator's word nor the log.

A lease that a gateway will not take is given up. That it shall hold one no more is said until it
has understood, or the lease is over: whoever is held back wrongly has nobody else to ask.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

from detectors.leases.gate import Lease
from detectors.model.records import Action
from streams.enforce.book import (
    REMEMBER_MS,
    DesiredState,
    NoLease,
    came_before_the_word,
    desired_lease,
    due,
    forget_override,
    let_in,
    take_action,
    take_override,
    uncertain,
)
from streams.enforce.counting import Counting
from streams.enforce.gateway import Gateway, GatewayAwayError, LeaseTally, Order, Refusals
from streams.wire import (
    COUNTED_PLATFORMS_MAX,
    EVERYONE,
    Ack,
    AckState,
    Counts,
    Override,
    override_id,
)

PROBE_MS: Final = 1_000  # chosen: a gateway that lost its memory is seen within a second
BACKOFF_MS: Final = 100  # first wait after a failure; doubles each time
BACKOFF_MAX_MS: Final = 5_000  # chosen: half a minute of a lease is the most that a try may wait
TRIES_TOLD: Final = 8
"""After so many tries the operator is told that a word is not obeyed, if the gateway has no limit
of its own. Chosen: half a minute, with the pauses between them."""

SETTLED: Final[Mapping[NoLease | None, tuple[AckState, AckState]]] = {
    None: ("applied", "applied"),
    NoLease.NONE: ("ignored", "ignored"),
    NoLease.STALE: ("ignored", "ignored"),
    NoLease.AHEAD: ("ignored", "ignored"),
    NoLease.RELEASE: ("applied", "applied"),
    NoLease.OVER: ("expired", "failed"),
    NoLease.SHADOW: ("ignored", "ignored"),
    NoLease.MODE: ("ignored", "ignored"),
    NoLease.EXEMPT: ("ignored", "ignored"),
    NoLease.RELEASED: ("ignored", "ignored"),
    NoLease.RAIL: ("ignored", "ignored"),
}
"""Outcome of the newest action of a recipient, once the gateway is as the book says: by why no
lease stands (None: one does), without a failure before and after one."""

Position = tuple[Hashable, int]
"""A partition and an offset in it."""


@dataclass(slots=True)
class PendingAction:
    """An action of the log that nobody has been told about yet."""

    action: Action
    position: Position


@dataclass(slots=True, eq=False)  # each is itself, and a key of tables
class PendingOverride:
    """An override that is not yet in effect for `waiting`."""

    override: Override
    position: Position
    waiting: set[str]
    failed: bool = False  # told so
    lost: bool = False  # somebody's gateway will never obey it


class Ended(NamedTuple):
    """A lease that an order takes away, and why."""

    recipient: str  # empty: no order is behind it, only its count is asked for
    action_id: str
    why: str


@dataclass(slots=True)
class OrderBatch:
    """Orders on their way to the gateway."""

    applies: list[Order] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    expires: list[str] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)  # what stands no more
    doubted: bool = False  # the gateway lost its memory meanwhile

    def __len__(self) -> int:
        return len(self.applies) + len(self.releases) + len(self.expires)

    def recipients(self) -> Iterable[str]:
        """Everybody aboard."""
        yield from (order.recipient for order in self.applies)
        yield from self.releases
        yield from self.expires

    def run(self, gateway: Gateway) -> tuple[Refusals, Sequence[int], Sequence[LeaseTally]]:
        """Carry out the orders.

        Return what the gateway will not do, and how many messages were refused under each of the
        actions that ended, the second time by platform.
        """
        refusals: dict[str, str] = {}
        if self.expires:
            refusals.update(gateway.expire(self.expires))
        if self.releases:
            refusals.update(gateway.release(self.releases))
        if self.applies:
            refusals.update(gateway.apply(self.applies))
        over = [each.action_id for each in self.ended]
        tallies = gateway.tallies(over)  # before the counts are taken
        return refusals, gateway.refused(over), tallies


@dataclass(frozen=True, slots=True)
class UnknownHoldings:
    """The leases found in a gateway's memory that the adapter had not put there."""

    held: set[str] | None  # recipients under lease; None: it cannot tell
    counted: list[str]  # actions under which messages were refused


@dataclass(slots=True)
class Report:
    """The orders and overrides that one step settled."""

    acks: list[Ack] = field(default_factory=list)
    counts: list[Counts] = field(default_factory=list)  # of leases that go on, and at their ends
    dead: list[Action] = field(default_factory=list)  # given up: the gateway will not take them


_Ran: TypeAlias = tuple[Refusals, Sequence[int], Sequence[LeaseTally]]


class Reconciler:
    """The adapter without Kafka. Everything it keeps is bounded by the book's entries."""

    def __init__(
        self,
        gateway: Gateway,
        book: DesiredState,
        gateway_id: str,
        seed: int = 0,
        timer_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        """`timer_ms` measures pauses; leases end by the times that `step` is given."""
        self._timer_ms = timer_ms
        self.gateway = gateway
        self.book = book
        self.gateway_id = gateway_id
        self.up = False
        self.away = ""  # why it was not up when it was last asked
        self._jitter = random.Random(seed)  # noqa: S311 - spreads load, guards nothing
        self._pool = ThreadPoolExecutor(gateway.parallel_max + 1, thread_name_prefix="gateway")
        self._ready: OrderedDict[str, None] = OrderedDict()  # in order of arrival
        self._later: list[tuple[int, str]] = []  # heap: when to try again after a failure
        self._deferred: dict[str, None] = {}  # until the gateway is back
        self._batches: dict[Future[_Ran], OrderBatch] = {}
        self._flying: dict[str, bool] = {}  # recipient -> changed again since
        self._holds: dict[str, Lease] = {}  # what the gateway said yes to
        self._unsure: set[str] = set()  # may hold something that nobody here remembers
        self._tries: dict[str, int] = {}
        self._pending: dict[str, list[PendingAction]] = {}
        self._words: dict[PendingOverride, None] = {}  # in order of arrival
        self._waiting: dict[str, list[PendingOverride]] = {}  # the same, by each that they wait for
        self._settled: dict[PendingOverride, None] = {}  # words that wait for nobody, not told yet
        self._raised = False  # a word about the rails came: look at what they refused
        self._let_in: set[str] = set()  # actions let in so late, which were told to be ignored
        self._incarnation: str | None = None
        self._probe: Future[tuple[str, UnknownHoldings | None]] | None = None
        self._probe_at_ms = timer_ms()
        self._report = Report()
        self._counting = Counting()
        self._asked: tuple[Future[Sequence[LeaseTally]], list[str]] | None = None

    # -- what the log says

    def action(
        self,
        action: Action,
        position: Position,
        now_ms: int,
        *,
        told: bool = False,
        written_ms: int | None = None,
    ) -> None:
        """Take an action of the throttle topic. `told`: its fate was acknowledged before.

        `written_ms` is when the log took it in, by the broker's clock if it has such times.
        """
        if action.expires_at_ms + REMEMBER_MS <= now_ms:
            # Two days of them are on the topic; the book holds the last hour.
            if not told:
                self._ack(action.action_id, "expired", NoLease.OVER, now_ms)
            return
        known = self.book.entries.get(action.recipient)
        known_id = known.action.action_id if known is not None else ""
        passed_over = take_action(self.book, action, now_ms, written_ms)
        if passed_over is not None:
            if not told:
                self._ack(action.action_id, SETTLED[passed_over][0], passed_over, now_ms)
            return
        if came_before_the_word(self.book, action.recipient, now_ms):
            self._raised = True
        # A lease that is told again, with other windows, was acknowledged under its name.
        if not told and action.action_id != known_id:
            self._pending.setdefault(action.recipient, []).append(PendingAction(action, position))
        self._look(action.recipient)

    def override(self, override: Override, position: Position, *, told: bool = False) -> None:
        """Take the operator's word."""
        touched = set(take_override(self.book, override))
        if override.recipient == EVERYONE:
            touched.update(self._holds, self._unsure)
        if override.verb == "rails":
            self._raised = True
        if not told:
            word = PendingOverride(override, position, set())
            self._words[word] = self._settled[word] = None
            self._wait_for(word, touched)
        for recipient in touched:
            self._look(recipient)

    def forget(self, recipient: str, verb: str, platform: str) -> None:
        """Take note that a word was deleted; nobody waits to hear of it."""
        for touched in forget_override(self.book, recipient, verb, platform):
            self._look(touched)

    # -- what to do about it

    def step(self, now_ms: int) -> Report:
        """Land what came back, send what can be sent. Never blocks."""
        self._collect(now_ms)
        self._check_health(now_ms)
        for recipient in due(self.book, now_ms):
            self._look(recipient)
        if self._raised:
            self._raised = False
            entries = self.book.entries
            # Those that ended before a gateway held them are of no use, and would stay for ever.
            self._let_in &= {entry.action.action_id for entry in entries.values()}
            for recipient in let_in(self.book, now_ms):
                self._let_in.add(entries[recipient].action.action_id)
                self._look(recipient)
        while self._later and self._later[0][0] <= self._timer_ms():
            self._look(heapq.heappop(self._later)[1])
        while self._ready and len(self._batches) < self.gateway.parallel_max:
            batch = self._fill(now_ms)
            if batch is None:
                break
            self._batches[self._pool.submit(batch.run, self.gateway)] = batch
        if self._met:
            self._speak(now_ms)
        self._count(now_ms)
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
        """True when the gateway holds the desired state."""
        return self.up and not (
            self._ready or self._later or self._deferred or self._batches or self._words
        )

    def busy(self) -> bool:
        """True while an order or a question is on its way."""
        return bool(self._batches) or self._probe is not None or self._asked is not None

    def calm(self, now_ms: int, for_ms: int) -> bool:
        """Tell if nothing but a record of the log can be news within so many ms."""
        deadlines = self.book.deadlines
        due = deadlines and deadlines[0][0] <= now_ms + for_ms
        return self.idle() and not self.busy() and not due

    def wait(self, timeout_s: float) -> None:
        """Sleep until an order comes back, or the time is over."""
        waiting: set[Future[object]] = {*self._batches}  # type: ignore[arg-type]
        if self._asked is not None:
            waiting.add(self._asked[0])  # type: ignore[arg-type]
        if self._probe is not None:
            waiting.add(self._probe)  # type: ignore[arg-type]
        wait(waiting, timeout_s, return_when="FIRST_COMPLETED")

    def holds(self) -> dict[str, Lease]:
        """The leases that the gateway is known to hold."""
        return self._holds

    def close(self) -> None:
        """Finish what is on its way, then let the gateway go; leases end by themselves."""
        self._pool.shutdown(cancel_futures=True)
        self.gateway.close()

    # -- inside

    @property
    def _met(self) -> bool:
        """Tell if the gateway ever said what it holds: before, nothing is known to be obeyed."""
        return self._incarnation is not None

    def _look(self, recipient: str) -> None:
        if recipient in self._flying:
            self._flying[recipient] = True
        else:
            self._ready[recipient] = None

    def _fill(self, now_ms: int) -> OrderBatch | None:
        """Fill a batch with what differs; what does not is settled on the way."""
        batch = OrderBatch()
        while self._ready and len(batch) < self.gateway.batch_max:
            recipient, _ = self._ready.popitem(last=False)
            want = self._desired(recipient, now_ms)
            holds = self._holds.get(recipient)
            unsure = recipient in self._unsure
            if not self._met:
                self._bide(recipient, want, now_ms)
            elif not unsure and (want == holds if isinstance(want, Lease) else holds is None):
                self._settle(recipient, want, now_ms)
            elif not self.up:
                self._defer(recipient)
            else:
                self._flying[recipient] = False
                _enter(batch, recipient, want, holds, unsure=unsure)
        return batch if len(batch) else None

    def _desired(self, recipient: str, now_ms: int) -> Lease | NoLease:
        """The lease as this gateway can keep it: what it cannot tell apart is no news to it."""
        want = desired_lease(self.book, recipient, now_ms)
        if isinstance(want, Lease) and want.again and not self.gateway.again:
            return replace(want, again=())
        return want

    def _bide(self, recipient: str, want: Lease | NoLease, now_ms: int) -> None:
        """Wait for the gateway to be met: then everybody is looked at again.

        Until then only what needs no gateway is told, or a gateway that never comes would fill the
        memory with what nobody is told about.
        """
        if isinstance(want, Lease):
            self._tries.setdefault(recipient, 1)
        elif want is not NoLease.RELEASE:
            self._tell_settled(recipient, want, now_ms)

    def _defer(self, recipient: str) -> None:
        """The gateway is away. A lease that is over before it is back has been tried in vain."""
        self._tries.setdefault(recipient, 1)
        self._deferred[recipient] = None

    def _collect(self, now_ms: int) -> None:
        for future in [future for future in self._batches if future.done()]:
            batch = self._batches.pop(future)
            try:
                refusals, counts, tallies = future.result()
            except GatewayAwayError as error:
                self.up, self.away, self._probe_at_ms = False, str(error), self._timer_ms()
                if not len(batch):
                    self._incarnation = None  # it carried counts alone: ask for them anew
                leases = {order.recipient for order in batch.applies}
                for recipient in batch.recipients():
                    self._failed(recipient, str(error), now_ms, lease=recipient in leases)
                continue
            for ended, count, tally in zip(batch.ended, counts, tallies, strict=True):
                if ended.recipient not in refusals:
                    self._ack(ended.action_id, "expired", ended.why, now_ms, count)
                    self._tell_counts(ended.action_id, tally, now_ms)
                    self._counting.end(ended.action_id)
            for order in batch.applies:
                self._applied(order, refusals.get(order.recipient), now_ms, batch)
            for recipient in (*batch.releases, *batch.expires):
                if recipient in refusals:
                    self._not_obeyed(recipient, refusals[recipient], now_ms, lost=False)
                    self._failed(recipient, refusals[recipient], now_ms, lease=False)
                else:
                    self._holds.pop(recipient, None)
                    self._carried_out(recipient, batch)

    def _applied(self, order: Order, refusal: str | None, now_ms: int, batch: OrderBatch) -> None:
        """A lease that was taken, or will never be."""
        recipient = order.recipient
        if refusal is None:
            self._holds[recipient] = order.lease
            entry = self.book.entries.get(recipient)
            if entry is not None and entry.action.action_id == order.lease.action_id:
                self._counting.begin(entry.action, self._timer_ms())
            self._tell_applied(order, now_ms)
            self._carried_out(recipient, batch)
        elif self._flying.pop(recipient):
            self._ready[recipient] = None
        else:
            self._give_up(recipient, refusal, now_ms, lease=True)

    def _carried_out(self, recipient: str, batch: OrderBatch) -> None:
        """Look at the book again: nothing is settled but by that."""
        del self._flying[recipient]
        if batch.doubted:
            self._unsure.add(recipient)
        else:
            self._unsure.discard(recipient)
        if recipient in self._tries:
            self._tries[recipient] = 1  # what was late says so when it is settled
        self._ready[recipient] = None

    def _failed(self, recipient: str, why: str, now_ms: int, *, lease: bool) -> None:
        """Try again later, or give up a lease after so many tries."""
        tries = self._tries[recipient] = self._tries.get(recipient, 0) + 1
        # Nobody knows what the gateway did before it failed.
        self._unsure.add(recipient)
        if self._flying.pop(recipient):
            self._ready[recipient] = None
            return
        limit = self.gateway.tries_max
        if (
            limit is not None
            and tries >= limit
            and (lease or not self._may_hold(recipient, now_ms))
        ):
            self._give_up(recipient, why, now_ms, lease=lease)
            return
        if tries >= (limit or TRIES_TOLD):
            self._not_obeyed(recipient, why, now_ms, lost=False)
        most = min(BACKOFF_MAX_MS, BACKOFF_MS << min(tries, 16))
        pause_ms = round(self._jitter.uniform(most / 2, most))
        heapq.heappush(self._later, (self._timer_ms() + pause_ms, recipient))

    def _may_hold(self, recipient: str, now_ms: int) -> bool:
        """Tell if the gateway may refuse messages of this recipient under some lease now."""
        entry, lease = self.book.entries.get(recipient), self._holds.get(recipient)
        ends_ms = (
            entry.enforced_until_ms if entry is not None else 0,
            lease.expires_at_ms if lease is not None else 0,
        )
        return max(ends_ms) > now_ms

    def _give_up(self, recipient: str, why: str, now_ms: int, *, lease: bool) -> None:
        """An order that is dead until something else is said about its recipient.

        What the gateway held before a lease that it refuses, it holds still.
        """
        self._tries.pop(recipient, None)
        entry = self.book.entries.get(recipient)
        if lease and entry is not None:
            self._report.dead.append(entry.action)
        if not lease:  # and whatever it was is over
            self._unsure.discard(recipient)
            self._holds.pop(recipient, None)
        for pending in self._pending.pop(recipient, ()):
            self._ack(pending.action.action_id, "failed", why, now_ms)
        self._not_obeyed(recipient, why, now_ms, lost=True)

    def _tell_applied(self, order: Order, now_ms: int) -> None:
        """Tell it now: the next look at the book may find a newer action."""
        if order.lease.action_id in self._let_in:
            self._let_in.discard(order.lease.action_id)
            self._ack(order.lease.action_id, "applied", "", now_ms)
            return
        pending = self._pending.get(order.recipient, [])
        for each in pending:
            if each.action.action_id == order.lease.action_id:
                self._ack(order.lease.action_id, "applied", "", now_ms)
                pending.remove(each)
                break
        if not pending:
            self._pending.pop(order.recipient, None)

    def _settle(self, recipient: str, want: Lease | NoLease, now_ms: int) -> None:
        """The gateway is as it should be: tell what became of what was said of this recipient."""
        self._tell_settled(recipient, want, now_ms)
        self._deferred.pop(recipient, None)
        self._wait_no_more(recipient)

    def _tell_settled(self, recipient: str, want: Lease | NoLease, now_ms: int) -> None:
        """Tell what became of the actions about this recipient."""
        entry = self.book.entries.get(recipient)
        newest = entry.action.action_id if entry is not None else None
        tried = self._tries.pop(recipient, 0) > 0
        for pending in self._pending.pop(recipient, ()):
            why = None if isinstance(want, Lease) else want
            if pending.action.action_id != newest:
                why = NoLease.STALE
            state = SETTLED[why][tried]
            if why is NoLease.RAIL and entry is not None:
                said = str(entry.refusal)
            else:
                said = "away" if state == "failed" else str(why or "")
            self._ack(pending.action.action_id, state, said, now_ms)

    def _not_obeyed(self, recipient: str, why: str, now_ms: int, *, lost: bool) -> None:
        """Tell of the operator's words about a recipient, once; `lost`: nothing more is tried."""
        for word in self._waiting.get(recipient, ()):
            if not word.failed:
                self._ack(override_id(word.override, word.position[1]), "failed", why, now_ms)
            word.failed = True
            word.lost |= lost
        if lost:
            self._wait_no_more(recipient)

    def _wait_for(self, word: PendingOverride, recipients: set[str]) -> None:
        """Have a word wait for these too."""
        for recipient in recipients - word.waiting:
            self._waiting.setdefault(recipient, []).append(word)
        word.waiting |= recipients

    def _wait_no_more(self, recipient: str) -> None:
        """Have no word wait for a recipient."""
        for word in self._waiting.pop(recipient, ()):
            word.waiting.discard(recipient)
            if not word.waiting:
                self._settled[word] = None

    def _speak(self, now_ms: int) -> None:
        """Tell of the operator's words that are in effect, or never will be."""
        settled, self._settled = self._settled, {}
        for word in settled:
            if word.waiting:  # for others, whom it found since
                continue
            del self._words[word]
            said = word.override
            if not word.lost:
                name, what = override_id(said, word.position[1]), f"{said.verb} by {said.actor}"
                self._ack(name, "applied", f"{what}: {said.reason}", now_ms)

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

    def _count(self, now_ms: int) -> None:
        """Ask, now and then, how much was refused so far, and tell what is new in the answer."""
        if self._asked is not None:
            answer, asked = self._asked
            if not answer.done():
                return
            self._asked = None
            try:
                for action_id, tally in zip(asked, answer.result(), strict=True):
                    self._tell_counts(action_id, tally, now_ms)
            except GatewayAwayError:
                return  # whoever asks for its health says so; the next time is soon enough
        if self.up and (
            due := self._counting.due(self._timer_ms(), now_ms, self.gateway.batch_max)
        ):
            self._asked = self._pool.submit(self.gateway.tallies, due), due

    def _tell_counts(self, action_id: str, tally: LeaseTally, now_ms: int) -> None:
        episode_id = self._counting.news(action_id, tally)
        if episode_id is None:
            return
        most = sorted(tally.by_platform.items(), key=lambda each: (-each[1], each[0]))
        self._report.counts.append(
            Counts(
                action_id=action_id,
                episode_id=episode_id,
                gateway_id=self.gateway_id,
                at_ms=now_ms,
                refused=tally.refused,
                by_platform=dict(most[:COUNTED_PLATFORMS_MAX]),
            )
        )

    def _check_health(self, now_ms: int) -> None:
        if self._probe is None:
            if self._timer_ms() >= self._probe_at_ms:
                self._probe = self._pool.submit(_probe, self.gateway, self._incarnation)
            return
        if not self._probe.done():
            return
        probe, self._probe = self._probe, None
        self._probe_at_ms = self._timer_ms() + PROBE_MS
        try:
            incarnation, found = probe.result()
        except GatewayAwayError as error:
            self.up, self.away = False, str(error) or "no answer"
            return
        self.up, self.away = True, ""
        if found is not None:
            self._incarnation = incarnation
            self._meet(found, now_ms)
        deferred, self._deferred = self._deferred, {}
        for recipient in deferred:
            self._look(recipient)

    def _meet(self, found: UnknownHoldings, now_ms: int) -> None:
        """A memory that we did not know: say everything again, the operator's words too."""
        if found.held is not None:
            self._unsure = found.held
        else:
            self._unsure |= uncertain(self.book, now_ms) | self._holds.keys()
        self._holds.clear()
        for batch in self._batches.values():
            batch.doubted = True
        everybody = {*self.book.entries, *self._unsure}
        for word in self._words:
            if word.override.recipient == EVERYONE:
                self._wait_for(word, everybody)
        everybody.update(self._waiting)
        for recipient in everybody:
            self._look(recipient)
        self._fetch_counts(found.counted, now_ms)

    def _fetch_counts(self, counted: Iterable[str], now_ms: int) -> None:
        """Take the counts of leases that ended while nobody was there to take them."""
        stand = (desired_lease(self.book, recipient, now_ms) for recipient in self.book.entries)
        stand_ids = {lease.action_id for lease in stand if isinstance(lease, Lease)}
        over = [Ended("", each, NoLease.OVER) for each in counted if each not in stand_ids]
        batch = OrderBatch(ended=over)
        if batch.ended:
            self._batches[self._pool.submit(batch.run, self.gateway)] = batch


def _probe(gateway: Gateway, known: str | None) -> tuple[str, UnknownHoldings | None]:
    """The incarnation that answers, and what it holds if it is not the known one."""
    incarnation = gateway.health()
    if incarnation == known:
        return incarnation, None
    held = gateway.held()
    return incarnation, UnknownHoldings(
        None if held is None else set(held), list(gateway.counted())
    )


def _enter(
    batch: OrderBatch, recipient: str, want: Lease | NoLease, holds: Lease | None, *, unsure: bool
) -> None:
    """Add the order that makes the gateway hold `want`."""
    if isinstance(want, Lease):
        batch.applies.append(Order(recipient, want))
        if holds is not None and holds.action_id != want.action_id:
            batch.ended.append(Ended(recipient, holds.action_id, "renewed"))
        return
    ends_itself = want is NoLease.OVER and not unsure
    (batch.expires if ends_itself else batch.releases).append(recipient)
    if holds is not None:
        batch.ended.append(Ended(recipient, holds.action_id, want))
