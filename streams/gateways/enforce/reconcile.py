"""Brings a gateway to the desired state, and retries after failures.

The reconciler is level-triggered. For each recipient that may have changed, it compares the desired
lease with the lease that the gateway is known to have, and orders the difference. After a failed
order the recipient is compared again, so an outdated order is never repeated. One thread calls
`step`. Orders run in a thread pool, so a slow gateway delays neither overrides nor reading from
Kafka.

A lease that the gateway rejects is given up. A release is retried until the gateway confirms it or
the lease expires, because a wrongly throttled subscriber has no other remedy.
"""

import heapq
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeAlias

from detectors.leases.gateway_rule import Lease
from detectors.model.records import Action
from streams.gateways.enforce.counting import Counting
from streams.gateways.enforce.gateway import Gateway, GatewayAwayError, LeaseTally, Order, Refusals
from streams.wire import (
    COUNTED_PLATFORMS_MAX,
    EVERYONE,
    Ack,
    AckState,
    Counts,
    Override,
    override_id,
)
from streams.wire.desired_state import (
    REMEMBER_MS,
    DesiredState,
    NoLease,
    came_before_the_word,
    desired_lease,
    due,
    entry_name,
    forget_override,
    lease_by_name,
    let_in,
    take_action,
    take_override,
    uncertain,
)

PROBE_MS: Final = 1_000  # chosen: a gateway that lost its memory is noticed within a second
BACKOFF_MS: Final = 100  # pause after the first failure, in ms; doubles with each further failure
BACKOFF_MAX_MS: Final = 5_000  # longest pause between two attempts, in ms; chosen
TRIES_TOLD: Final = 8
"""Number of attempts after which an override is acknowledged as failed, while attempts continue.
Used if the gateway has no limit of its own. Chosen: half a minute, including the pauses."""

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
    NoLease.NARROW: ("ignored", "ignored"),
}
"""Acknowledged state of a recipient's newest action once the gateway has the desired state.

The key is the reason why there is no lease; None means that there is a lease. The first value
applies if no attempt failed before, the second after a failed attempt.
"""

Position = tuple[Hashable, int]  # A partition and an offset in the partition.


@dataclass(slots=True)
class PendingAction:
    """An action from the log whose outcome is not acknowledged yet."""

    action: Action
    position: Position


@dataclass(slots=True, eq=False)  # identity comparison: instances are keys of dictionaries
class PendingOverride:
    """An override that is not yet in effect for the recipients in `waiting`."""

    override: Override
    position: Position
    waiting: set[str]
    failed: bool = False  # a "failed" acknowledgement was published for the override
    lost: bool = False  # the gateway will never apply it for at least one recipient


class Ended(NamedTuple):
    """A lease that an order ends, and the reason."""

    recipient: str  # empty: no order belongs to it, only its count is read
    action_id: str
    why: str


@dataclass(slots=True)
class OrderBatch:
    """Orders that are sent to the gateway together."""

    applies: list[Order] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    expires: list[str] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)  # leases that end with this batch
    doubted: bool = False  # the gateway lost its memory while the batch ran

    def __len__(self) -> int:
        return len(self.applies) + len(self.releases) + len(self.expires)

    def recipients(self) -> Iterable[str]:
        return [*(order.recipient for order in self.applies), *self.releases, *self.expires]

    def run(self, gateway: Gateway) -> tuple[Refusals, Sequence[int], Sequence[LeaseTally]]:
        """Send the orders to the gateway.

        Return the rejected orders, the number of messages refused under each action that ended, and
        the same numbers by platform.
        """
        refusals: dict[str, str] = {}
        for recipients, end in ((self.expires, gateway.expire), (self.releases, gateway.release)):
            if recipients:
                refusals.update(end(recipients))
        if self.applies:
            refusals.update(gateway.apply(self.applies))
        over = [each.action_id for each in self.ended]
        tallies = gateway.tallies(over)  # read the tallies first: `take_refused` resets the counts
        return refusals, gateway.take_refused(over), tallies


@dataclass(frozen=True, slots=True)
class UnknownHoldings:
    """The leases and counts in a gateway, if the id of its memory is new to this adapter."""

    held: set[str] | None  # recipients with a lease; None: the gateway cannot list them
    counted: list[str]  # actions under which messages were refused


@dataclass(slots=True)
class Report:
    """Results of one step, for publishing."""

    acks: list[Ack] = field(default_factory=list)
    # of leases in force, and final counts of ended leases
    counts: list[Counts] = field(default_factory=list)
    # actions given up because the gateway rejects them
    dead: list[Action] = field(default_factory=list)


_Ran: TypeAlias = tuple[Refusals, Sequence[int], Sequence[LeaseTally]]


class Reconciler:
    """The adapter's logic without Kafka.

    Memory is bounded by the number of entries in the desired state.
    """

    def __init__(
        self,
        gateway: Gateway,
        book: DesiredState,
        gateway_id: str,
        seed: int = 0,
        timer_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        """Start the thread pool. `timer_ms` is a clock for pauses only.

        Leases end by the times that the caller passes to `step`.
        """
        self._timer_ms = timer_ms
        self.gateway = gateway
        self.book = book
        self.gateway_id = gateway_id
        self.up = False
        self.away = ""  # why the gateway did not answer the last health check
        # spreads retries over time, not used for security
        self._jitter = random.Random(seed)  # noqa: S311
        self._pool = ThreadPoolExecutor(gateway.parallel_max + 1, thread_name_prefix="gateway")
        # recipients to compare, in order of arrival
        self._ready: OrderedDict[str, None] = OrderedDict()
        self._later: list[tuple[int, str]] = []  # heap: times of the next attempts after failures
        self._deferred: dict[str, None] = {}  # recipients to compare once the gateway is back
        self._batches: dict[Future[_Ran], OrderBatch] = {}
        # recipient -> True if it changed while its order was under way
        self._flying: dict[str, bool] = {}
        self.holds: dict[str, Lease] = {}  # leases that the gateway confirmed, by recipient
        self._unsure: set[str] = set()  # recipients for whom the gateway may have an unknown lease
        self._tries: dict[str, int] = {}
        self._pending: dict[str, list[PendingAction]] = {}
        # overrides not in effect yet, in order of arrival
        self._words: dict[PendingOverride, None] = {}
        # the same overrides, by recipient they wait for
        self._waiting: dict[str, list[PendingOverride]] = {}
        # True after an override raised the limits on leases: check the refused leases
        self._raised = False
        # actions admitted late by raised rails, after an acknowledgement "ignored"
        self._let_in: set[str] = set()
        # None until the gateway listed its leases. Before, no override is known to be in effect.
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
        """Process an action of the throttle topic.

        `told`: the outcome of this action was acknowledged before. `written_ms` is the append time
        of the Kafka broker, if the topic has broker timestamps. Retry-window records are not
        acknowledged.
        """
        told |= action.verb == "retry_windows"
        if action.expires_at_ms + REMEMBER_MS <= now_ms:
            # The topic contains two days of actions; the desired state keeps one hour.
            if not told:
                self._ack(action.action_id, "expired", NoLease.OVER, now_ms)
            return
        name = entry_name(action)
        known = self.book.entries.get(name)
        known_id = known.action.action_id if known is not None else ""
        passed_over = take_action(self.book, action, now_ms, written_ms)
        if passed_over is not None:
            if not told:
                self._ack(action.action_id, SETTLED[passed_over][0], passed_over, now_ms)
            return
        if came_before_the_word(self.book, name, now_ms):
            self._raised = True
        # A lease published again with other windows keeps its action id, which is acknowledged
        # already.
        if not told and action.action_id != known_id:
            self._pending.setdefault(action.recipient, []).append(PendingAction(action, position))
        self._look(action.recipient)

    def override(self, override: Override, position: Position, *, told: bool = False) -> None:
        """Process an override of the operator.

        `told`: the effect of this override was acknowledged before.
        """
        touched = set(take_override(self.book, override))
        if override.recipient == EVERYONE:
            touched.update(self.holds, self._unsure)
        if override.verb == "rails":
            self._raised = True
        if not told:
            word = PendingOverride(override, position, set())
            self._words[word] = None
            self._wait_for(word, touched)
        for recipient in touched:
            self._look(recipient)

    def forget(self, recipient: str, verb: str, platform: str) -> None:
        """Process the deletion of an override. Deletions are not acknowledged."""
        for touched in forget_override(self.book, recipient, verb, platform):
            self._look(touched)

    # -- what to do about it

    def step(self, now_ms: int) -> Report:
        """Collect finished orders and start new ones; return what to publish. Never blocks."""
        self._collect(now_ms)
        self._check_health(now_ms)
        for recipient in due(self.book, now_ms):
            self._look(recipient)
        if self._raised:
            self._raised = False
            entries = self.book.entries
            # Drop actions that ended before a gateway had them; otherwise they would stay for ever.
            self._let_in &= {entry.action.action_id for entry in entries.values()}
            for recipient in let_in(self.book, now_ms):
                self._let_in |= {
                    entry.action.action_id for entry in self.book.standing(recipient, now_ms)
                }
                self._look(recipient)
        while self._later and self._later[0][0] <= self._timer_ms():
            self._look(heapq.heappop(self._later)[1])
        while self._ready and len(self._batches) < self.gateway.parallel_max:
            batch = self._fill(now_ms)
            if batch is None:
                break
            self._batches[self._pool.submit(batch.run, self.gateway)] = batch
        if self._incarnation is not None:
            self._speak(now_ms)
        self._count(now_ms)
        report, self._report = self._report, Report()
        return report

    def list_unsettled(self) -> Iterable[Position]:
        """Return the log positions of records that a restart must process again."""
        for pending in self._pending.values():
            yield from (each.position for each in pending)
        yield from (word.position for word in self._words)

    def pending(self) -> int:
        """Return the number of actions whose outcome is not acknowledged."""
        return sum(map(len, self._pending.values()))

    def idle(self) -> bool:
        """True if all recipients have their desired lease and no override is pending."""
        return self.up and not (
            self._ready or self._later or self._deferred or self._batches or self._words
        )

    def busy(self) -> bool:
        """True while an order, a health check or a count request is under way."""
        return bool(self._batches) or self._probe is not None or self._asked is not None

    def calm(self, now_ms: int, for_ms: int) -> bool:
        """True if there is nothing to do for `for_ms` milliseconds, unless a new record comes."""
        deadlines = self.book.deadlines
        due = deadlines and deadlines[0][0] <= now_ms + for_ms
        return self.idle() and not self.busy() and not due

    def wait(self, timeout_s: float) -> None:
        """Sleep until an order or a request finishes, at most `timeout_s` seconds."""
        asked = self._asked[0] if self._asked is not None else None
        running: list[Future[Any] | None] = [*self._batches, self._probe, asked]
        wait(filter(None, running), timeout_s, return_when="FIRST_COMPLETED")

    def close(self) -> None:
        """Finish running orders and close the connection to the gateway.

        The gateway keeps leases in force until they expire.
        """
        self._pool.shutdown(cancel_futures=True)
        self.gateway.close()

    # -- inside

    def _look(self, recipient: str) -> None:
        if recipient in self._flying:
            self._flying[recipient] = True
        else:
            self._ready[recipient] = None

    def _fill(self, now_ms: int) -> OrderBatch | None:
        """Build a batch of orders for recipients whose lease at the gateway is not the wanted one.

        The other recipients need no order: their outcome is acknowledged.
        """
        batch = OrderBatch()
        while self._ready and len(batch) < self.gateway.batch_max:
            recipient, _ = self._ready.popitem(last=False)
            want = self._find_desired(recipient, now_ms)
            holds = self.holds.get(recipient)
            unsure = recipient in self._unsure
            if self._incarnation is None:
                self._bide(recipient, want, now_ms)
            elif not unsure and (want == holds if isinstance(want, Lease) else holds is None):
                self._settle(recipient, now_ms)
            elif not self.up:
                self._defer(recipient)
            else:
                self._flying[recipient] = False
                _enter(batch, recipient, want, holds, unsure=unsure)
        return batch if len(batch) else None

    def _find_desired(self, recipient: str, now_ms: int) -> Lease | NoLease:
        """Return the desired lease, reduced to what this gateway supports.

        Without support for retry windows, two leases that differ only in their windows are equal.
        """
        want = desired_lease(self.book, recipient, now_ms, narrow=self.gateway.narrow)
        if isinstance(want, Lease) and want.again and not self.gateway.again:
            return replace(want, again=())
        return want

    def _bide(self, recipient: str, want: Lease | NoLease, now_ms: int) -> None:
        """Postpone a recipient until the first contact with the gateway.

        All recipients are compared then. Until then only outcomes that need no gateway are
        acknowledged. Without this, a gateway that never answers would fill the memory with waiting
        actions.
        """
        if isinstance(want, Lease):
            self._tries.setdefault(recipient, 1)
        elif want is not NoLease.RELEASE:
            self._tell_settled(recipient, now_ms)

    def _defer(self, recipient: str) -> None:
        """Postpone a recipient until the gateway is back.

        A lease that ends before then counts as tried without success.
        """
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
                    self._incarnation = None  # the batch only read counts: read them again later
                leases = {order.recipient for order in batch.applies}
                for recipient in batch.recipients():
                    self._on_failure(recipient, str(error), now_ms, lease=recipient in leases)
                continue
            for ended, count, tally in zip(batch.ended, counts, tallies, strict=True):
                if ended.recipient not in refusals:
                    self._ack(ended.action_id, "expired", ended.why, now_ms, count)
                    self._tell_counts(ended.action_id, tally, now_ms)
                    self._counting.end(ended.action_id)
            for order in batch.applies:
                self._on_applied(order, refusals.get(order.recipient), now_ms, batch)
            for recipient in (*batch.releases, *batch.expires):
                if recipient in refusals:
                    self._not_obeyed(recipient, refusals[recipient], now_ms, lost=False)
                    self._on_failure(recipient, refusals[recipient], now_ms, lease=False)
                else:
                    self.holds.pop(recipient, None)
                    self._carried_out(recipient, batch)

    def _on_applied(
        self, order: Order, refusal: str | None, now_ms: int, batch: OrderBatch
    ) -> None:
        """Process the gateway's answer to one lease: accepted, or rejected for good."""
        recipient = order.recipient
        if refusal is None:
            self.holds[recipient] = order.lease
            for entry in self.book.leases_of(recipient):
                if entry.action.action_id == order.lease.action_id:
                    self._counting.begin(entry.action, self._timer_ms())
            self._tell_applied(order, now_ms)
            self._carried_out(recipient, batch)
        elif self._flying.pop(recipient):
            self._ready[recipient] = None
        else:
            self._give_up(recipient, refusal, now_ms, lease=True)

    def _carried_out(self, recipient: str, batch: OrderBatch) -> None:
        """Compare the recipient again; only a comparison without difference settles a recipient."""
        del self._flying[recipient]
        if batch.doubted:
            self._unsure.add(recipient)
        else:
            self._unsure.discard(recipient)
        if recipient in self._tries:
            # not 0: if the lease ended meanwhile, it is acknowledged as failed
            self._tries[recipient] = 1
        self._ready[recipient] = None

    def _on_failure(self, recipient: str, why: str, now_ms: int, *, lease: bool) -> None:
        """Schedule another attempt, or give up a lease after too many attempts."""
        tries = self._tries[recipient] = self._tries.get(recipient, 0) + 1
        # The order may or may not have taken effect at the gateway.
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
        """True if the gateway may refuse messages to this recipient under some lease now."""
        lease = self.holds.get(recipient)
        ends_ms = [entry.enforced_until_ms for entry in self.book.leases_of(recipient)]
        return max(*ends_ms, 0, lease.expires_at_ms if lease is not None else 0) > now_ms

    def _give_up(self, recipient: str, why: str, now_ms: int, *, lease: bool) -> None:
        """Drop an order until a new record about its recipient arrives.

        If the gateway rejects a lease, the previous lease of the recipient stays in force there.
        """
        self._tries.pop(recipient, None)
        if lease:
            refused = self.book.standing(recipient, now_ms)
            self._report.dead.extend(entry.action for entry in refused)
        if not lease:  # a release is given up only after every lease of the recipient has ended
            self._unsure.discard(recipient)
            self.holds.pop(recipient, None)
        for pending in self._pending.pop(recipient, ()):
            self._ack(pending.action.action_id, "failed", why, now_ms)
        self._not_obeyed(recipient, why, now_ms, lost=True)

    def _tell_applied(self, order: Order, now_ms: int) -> None:
        """Acknowledge an applied lease at once: the next comparison may find a newer action."""
        pending = self._pending.get(order.recipient, [])
        waiting = {each.action.action_id: each for each in pending}
        for action_id in (order.lease.action_id, order.lease.also):
            if action_id in self._let_in or action_id in waiting:
                self._ack(action_id, "applied", "", now_ms)
            if action_id not in self._let_in and action_id in waiting:
                pending.remove(waiting[action_id])
            self._let_in.discard(action_id)
        if not pending:
            self._pending.pop(order.recipient, None)

    def _settle(self, recipient: str, now_ms: int) -> None:
        """Acknowledge the outcomes for a recipient whose lease at the gateway is as desired."""
        self._tell_settled(recipient, now_ms)
        self._deferred.pop(recipient, None)
        self._wait_no_more(recipient)

    def _tell_settled(self, recipient: str, now_ms: int) -> None:
        """Acknowledge the outcomes of all actions about this recipient."""
        tried = self._tries.pop(recipient, 0) > 0
        for pending in self._pending.pop(recipient, ()):
            name = entry_name(pending.action)
            entry, want = self.book.entries.get(name), lease_by_name(self.book, name, now_ms)
            why = None if isinstance(want, Lease) else want
            if entry is None or entry.action.action_id != pending.action.action_id:
                why = NoLease.STALE
            elif why is None and name != recipient and not self.gateway.narrow:
                why = NoLease.NARROW
            state = SETTLED[why][tried]
            if why is NoLease.RAIL and entry is not None:
                said = str(entry.refusal)
            else:
                said = "away" if state == "failed" else str(why or "")
            self._ack(pending.action.action_id, state, said, now_ms)

    def _not_obeyed(self, recipient: str, why: str, now_ms: int, *, lost: bool) -> None:
        """Acknowledge once that overrides for a recipient are not in effect.

        `lost`: no further attempt follows.
        """
        for word in self._waiting.get(recipient, ()):
            if not word.failed:
                self._ack(override_id(word.override, word.position[1]), "failed", why, now_ms)
            word.failed = True
            word.lost |= lost
        if lost:
            self._wait_no_more(recipient)

    def _wait_for(self, word: PendingOverride, recipients: set[str]) -> None:
        """Record that an override is not yet in effect for these recipients either."""
        for recipient in recipients - word.waiting:
            self._waiting.setdefault(recipient, []).append(word)
        word.waiting |= recipients

    def _wait_no_more(self, recipient: str) -> None:
        """Record that no override has to wait for this recipient any more."""
        for word in self._waiting.pop(recipient, ()):
            word.waiting.discard(recipient)

    def _speak(self, now_ms: int) -> None:
        """Acknowledge overrides that are in effect, and drop those that never will be."""
        for word in [each for each in self._words if not each.waiting]:
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
        """Read refused-message counts that are due, and report those that changed."""
        if self._asked is not None:
            answer, asked = self._asked
            if not answer.done():
                return
            self._asked = None
            try:
                for action_id, tally in zip(asked, answer.result(), strict=True):
                    self._tell_counts(action_id, tally, now_ms)
            except GatewayAwayError:
                # The health check reports the failure; the next scheduled reading is early enough.
                return
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
        """Compare all recipients after the gateway was found with leases that we do not know.

        Also reads the refused-message counts of the gateway.
        """
        if found.held is not None:
            self._unsure = found.held
        else:
            self._unsure |= uncertain(self.book, now_ms) | self.holds.keys()
        self.holds.clear()
        for batch in self._batches.values():
            batch.doubted = True
        everybody = {*self.book.touched_by(EVERYONE), *self._unsure}
        for word in self._words:
            if word.override.recipient == EVERYONE:
                self._wait_for(word, everybody)
        everybody.update(self._waiting)
        for recipient in everybody:
            self._look(recipient)
        self._fetch_counts(found.counted, now_ms)

    def _fetch_counts(self, counted: Iterable[str], now_ms: int) -> None:
        """Read the counts of leases that ended while no adapter was running."""
        stand = (lease_by_name(self.book, name, now_ms) for name in self.book.entries)
        stand_ids = {lease.action_id for lease in stand if isinstance(lease, Lease)}
        over = [Ended("", each, NoLease.OVER) for each in counted if each not in stand_ids]
        batch = OrderBatch(ended=over)
        if batch.ended:
            self._batches[self._pool.submit(batch.run, self.gateway)] = batch


def _probe(gateway: Gateway, known: str | None) -> tuple[str, UnknownHoldings | None]:
    """Return the id of the gateway's memory; with an unknown id, also the leases in it."""
    incarnation = gateway.health()
    if incarnation == known:
        return incarnation, None
    held = gateway.list_recipients()
    return incarnation, UnknownHoldings(
        None if held is None else set(held), list(gateway.list_counted())
    )


def _enter(
    batch: OrderBatch, recipient: str, want: Lease | NoLease, holds: Lease | None, *, unsure: bool
) -> None:
    """Add the order that gives the recipient the lease `want` at the gateway."""
    if isinstance(want, Lease):
        batch.applies.append(Order(recipient, want))
        if holds is not None and holds.action_id != want.action_id:
            batch.ended.append(Ended(recipient, holds.action_id, "renewed"))
        return
    ends_itself = want is NoLease.OVER and not unsure
    (batch.expires if ends_itself else batch.releases).append(recipient)
    if holds is not None:
        batch.ended.append(Ended(recipient, holds.action_id, want))
