"""Measures floods through the whole loop: what reaches the phone, and how soon the gateway
refuses.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import pytest
from smpp.pdu.pdu_types import CommandStatus

from streams.tools.scenarios import Role, generate
from tests.enforce.loop import now_ms
from tests.waiting import wait_until

OK, REFUSED = CommandStatus.ESME_ROK, CommandStatus.ESME_RSUBMITFAIL


@dataclass
class Run:
    """What became of one victim's messages."""

    victim: str
    offered: Counter[Role] = field(default_factory=Counter)  # by why they were sent
    reached: Counter[Role] = field(default_factory=Counter)

    @property
    def flood(self) -> int:
        """Messages of the flood that reached the phone."""
        return self.reached[Role.ATTACK]


class Remembers(Protocol):
    """A loop whose input topic may be given a history."""

    def remember(self, values: Iterable[Mapping[str, Any]]) -> None: ...


class Traces(Remembers, Protocol):
    """One that knows which event brought a recipient under lease."""

    def crossing(self, recipient: str) -> dict[str, Any]: ...


class Submits(Protocol):
    """A sender's session with a gateway."""

    def submit(self, recipient: str, sender: str, text: str) -> CommandStatus: ...

    def wait(self, seconds: float) -> None: ...


class Session(Submits, Protocol):
    """One that its owner ends."""

    def close(self) -> None: ...


def incident(loop: Remembers, index: int, seed: int, client: Submits, pace: float) -> Run:
    """Send A1 to one victim who knows 8 platforms; `pace` 1 is that of the incident."""
    events = list(generate("A1", seed, recipient=index, start_ms=now_ms(), memory=8))
    history = [each.value for each in events if each.truth.scenario == "history"]
    attack = [each for each in events if each.truth.scenario != "history"]
    victim = attack[0].value["recipient"].lstrip("+")
    loop.remember(history)
    run = Run(victim)
    first_ms, began = attack[0].value["event_time_ms"], time.monotonic()
    for each in attack:
        due = began + (each.value["event_time_ms"] - first_ms) / 1000 / pace
        client.wait(due - time.monotonic())
        value, role = each.value, each.truth.role
        status = client.submit(victim, value["sender"], value.get("text", ""))
        assert status in (OK, REFUSED)
        run.offered[role] += 1
        run.reached[role] += status is OK
    return run


TRIES: Final = 3
STOPPED: Final = 16
"""Messages of A1 that reach a phone at most where the machine is the test's own, two of the bank's
and the known platform's among them."""


def stopped(
    loop: Remembers, index: int, client: Submits, arrived: Callable[[str], int] | None = None
) -> list[Run]:
    """Send A1 to one victim after another until it is stopped in time; the last run is that one.

    `arrived` says how many messages came to a number's phone; None: there is no phone.
    How many messages come between a lease and its gateway is the machine's affair while others use
    it, so there are three victims. What each of them has to get she has to get.
    """
    runs: list[Run] = []
    while len(runs) < TRIES:
        nth = len(runs)
        run = incident(loop, index + 100 * nth, seed=1 + nth, client=client, pace=90)
        check(run, run.reached.total if arrived is None else partial(arrived, run.victim))
        runs.append(run)
        if run.reached.total() <= STOPPED:
            return runs
    told = ", ".join(str(run.reached.total()) for run in runs)
    pytest.fail(f"{told} messages of {TRIES} incidents reached the phone, not {STOPPED} at most")


def offered(runs: Iterable[Run]) -> int:
    """Count the messages that were sent."""
    return sum(run.offered.total() for run in runs)


def check(run: Run, arrived: Callable[[], int]) -> None:
    """What every run has to show; and that what `arrived` is what the client was told."""
    total = run.reached.total()
    print(f"{total} of {run.offered.total()} reached the phone: {run.reached}")
    wait_until(lambda: arrived() == total, "what passed has arrived")
    assert run.reached[Role.BANK] == run.offered[Role.BANK] == 2
    assert run.reached[Role.KNOWN] == run.offered[Role.KNOWN] >= 1


class Flood:
    """An endless A2 of platforms nobody knows, and the victim's bank in between."""

    def __init__(self, loop: Remembers, index: int, client: Submits, longer: str = "") -> None:
        """`longer` is put behind each text of the flood."""
        events = list(generate("A2", index, recipient=index, start_ms=now_ms(), memory=8))
        loop.remember(each.value for each in events if each.truth.scenario == "history")
        self._bank = next(each.value for each in events if each.truth.role is Role.BANK)
        attack = [each.value for each in events if each.truth.role is Role.ATTACK]
        self._flood = itertools.cycle(attack)
        self._client = client
        self._longer = longer
        self.recipient: str = self._bank["recipient"].lstrip("+")
        self.bank_refused = 0

    def once(self) -> bool:
        """Send one message of the flood; tell if it was refused."""
        value = next(self._flood)
        return self._sent(value["sender"], value["text"] + self._longer) is REFUSED

    def bank(self) -> bool:
        """Send the bank's code; tell if it was refused."""
        return self._sent(self._bank["sender"], self._bank["text"]) is REFUSED

    def go_on(self, count: int) -> int:
        """Send so many, and the bank's code; return how many were refused."""
        refused = sum(self.once() for _ in range(count))
        self.bank_refused += self.bank()
        return refused

    def go_on_until_refused(self) -> None:
        """Send ten messages of the flood a second, with the bank's after each."""

        def refused() -> int:
            time.sleep(0.1)
            return self.go_on(1)

        wait_until(refused, "the flood is refused")

    def _sent(self, sender: str, text: str) -> CommandStatus:
        return self._client.submit(self.recipient, sender, text)


@contextmanager
def other_traffic(
    connect: Callable[[], Session], longer: str = ""
) -> Iterator[list[CommandStatus]]:
    """Ten messages a second to other people, codes among them, in a session of their own.

    `longer` is put behind each third text, so that it takes several parts.
    """
    stop, statuses = threading.Event(), list[CommandStatus]()

    def send() -> None:
        client = connect()
        days = (generate("ordinary", seed, start_ms=now_ms()) for seed in itertools.count(7))
        for number, each in enumerate(itertools.chain.from_iterable(days)):
            if stop.is_set():
                break
            value = each.value
            recipient = value["recipient"].lstrip("+")
            text = value.get("text", "") + (longer if number % 3 == 0 else "")
            statuses.append(client.submit(recipient, value["sender"], text))
            stop.wait(0.1)
        client.close()

    crowd = threading.Thread(target=send, daemon=True)
    crowd.start()
    try:
        yield statuses
    finally:
        stop.set()
        crowd.join()


def incidents(
    loop: Remembers, senders: Sequence[Session], pace: float, tell: Callable[[str], object]
) -> list[Run]:
    """A1 to as many victims at a time as there are senders, each with a seed of its own."""
    runs: list[Run] = []

    def play(index: int, client: Session) -> None:
        run = incident(loop, 3_000_000 + index, seed=index, client=client, pace=pace)
        by_role = ", ".join(f"{n} {role}" for role, n in run.reached.items())
        tell(f"{run.reached.total()} of {run.offered.total()} reached the phone: {by_role}")
        runs.append(run)
        client.close()

    threads = [
        threading.Thread(target=play, args=(index, sender), daemon=True)
        for index, sender in enumerate(senders)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return runs


def figures(runs: list[Run]) -> dict[str, Any]:
    """Messages of each incident that reached the phone, and by why they were sent."""
    reached = sorted(run.reached.total() for run in runs)
    offered = [run.offered.total() for run in runs]
    return {
        "victims": len(runs),
        "offered_median": statistics.median(offered),
        "reached_median": statistics.median(reached),
        "reached_worst": reached[-1],
        "reached": reached,
        "of_the_flood_median": statistics.median(run.flood for run in runs),
        "by_role": {
            role.value: {
                "offered": sum(run.offered[role] for run in runs),
                "reached": sum(run.reached[role] for run in runs),
            }
            for role in sorted({role for run in runs for role in run.offered})
        },
    }


def time_to_refusal(loop: Traces, index: int, client: Submits) -> float:
    """Seconds from the submit that crosses the threshold to the first refusal.

    Interceptor and gate stamp a submission when they take it, so the record that caused the lease
    says when that was, on the clock that this process reads too.
    """
    flood = Flood(loop, index, client)
    wait_until(flood.once, "the flood is refused", pause_s=0.01)
    refused_ms = now_ms()
    crossed = loop.crossing(flood.recipient)
    assert crossed["recipient"] == flood.recipient
    return (refused_ms - crossed["event_time_ms"]) / 1000
