"""Delivered twice, or sent again because it was refused: no scenario's actions change by it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest

from detectors.chain import Partition, process
from detectors.leases.gateway_rule import forbids, lease_of
from detectors.model.event import platform_id, platform_print
from detectors.model.records import Action
from detectors.recognise.decide import Verdict, recognise
from detectors.recognise.recogniser import Recogniser
from detectors.thresholds import LIMIT_MS
from streams.tools.scenarios import Labelled
from streams.wire.events import decode
from tests.scenarios.catalog import SCENARIOS, generate
from tests.scenarios.people import PLAIN
from tests.scenarios.play import INTAKE, PARAMS, REGISTRY

Value = dict[str, object]

SMALL: dict[str, dict[str, Any]] = {
    "A5": {"days": 2},
    "A6": {"recipients": 40, **PLAIN},
    "A10": {"recipients": 100},
    "A21": {"recipients": 5},
    "B11": {"days": 1},
    "B12": {"recipients": 60},
    "ordinary": {"subscribers": 2000},
}
"""Parameters that keep a run short."""

TRIES_MAX = 5
MINUTE_MS = 60_000

AGAIN = ("A3", "A5", "A7", "A17", "A18", "B6", "B11", "B17")
"""Whose platforms send again so often that of some messages nobody can say what is a retry."""

CROWDED = ("B5", "B14", "B17")
"""Whose recipients have more platforms than a row remembers. Which of them are known depends on
when a tick lets a suspect go, and with more records in the log ticks come at other moments."""

LASTING = ("A13", "B5", "B14")
"""Whose floods end shortly before a lease does, so that retries outlast it, and `CROWDED`."""

SOON = ("B6",)
"""Whose episodes at WATCH may open a few messages sooner: see `detectors.suspects.volume`."""

ATTEMPTED = ("A1", "A2", "A7", "A14", "B1", "B4", "B9", "B10")
"""Whose messages are also tried a second and a third time."""

LISTED = ("A16",)
"""Where a list of hot platforms decides. It is made at ticks, which lie at offsets, so with more
records in the log it comes at another moment."""


def decided(values: Iterable[Value]) -> list[Action]:
    """All actions about a log of these values."""
    raw: list[bytes | None] = [msgspec.json.encode(value) for value in values]
    keys: list[bytes | None] = [None] * len(raw)
    decoded = decode(INTAKE, "t", 0, raw, keys, range(len(raw)), None, len(raw))
    assert not decoded.rejects, decoded.rejects[:3]
    codes = Recogniser(REGISTRY).columns(decoded.batch)
    actions = process(PARAMS, Partition(PARAMS), decoded.batch, codes).actions
    return [action for action in actions if not action.update]


@cache
def played(name: str) -> tuple[list[Labelled], list[Action]]:
    """A scenario's events, and all actions about them: several tests compare others with these."""
    events = list(generate(name, 3, **SMALL.get(name, {})))
    return events, decided(event.value for event in events)


def told(
    actions: Iterable[Action], *, counted: bool = True, opened: bool = True
) -> list[tuple[object, ...]]:
    """What gateways are told, without positions in the log; `counted` with how many messages.

    A platform passes by its id or by its print. Which of the two a lease has depends on what the
    row remembered when its judge began to listen.
    """
    return [
        (a.recipient, a.verb, a.mode, a.level, a.issued_at_ms, a.expires_at_ms,
         a.opened_ms if opened else 0, a.reason,
         a.evidence if counted else a.evidence.novel, a.scope.trust,
         {*a.scope.pass_prints, *map(platform_print, a.scope.pass_ids)})
        for a in actions
    ]  # fmt: skip


def with_retries(events: list[Labelled], actions: list[Action], seed: int) -> Iterator[Value]:
    """The log with what a lease refuses sent again 30 to 60 s later, as a new message."""
    rng = Random(seed)
    waiting = [(order, 0, n, event.value) for n, (order, event) in enumerate(ordered(events))]
    heapq.heapify(waiting)
    leases: dict[str, list[Action]] = {}
    for action in actions:
        leases.setdefault(action.recipient, []).append(action)
    while waiting:
        order, tries, n, value = heapq.heappop(waiting)
        yield value
        if tries < TRIES_MAX and is_refused(value, leases.get(str(value["recipient"]), [])):
            pause_ms = rng.randrange(30_000, 60_001)
            more = {
                "event_time_ms": int(str(value["event_time_ms"])) + pause_ms,
                "message_id": f"{value['message_id']}-{tries}",
            }
            heapq.heappush(waiting, (order + pause_ms, tries + 1, n, value | more))


def ordered(events: list[Labelled]) -> Iterator[tuple[int, Labelled]]:
    """With the time that stands for the place in the log: event time that never goes back."""
    latest_ms = 0
    for event in events:
        latest_ms = max(latest_ms, event.value["event_time_ms"])
        yield latest_ms, event


def is_refused(value: Value, leases: list[Action]) -> bool:
    at_ms = int(str(value["event_time_ms"]))
    newest = {a.verb == "throttle_platforms": a for a in leases if a.issued_at_ms < at_ms}
    live = [a for a in newest.values() if at_ms < a.expires_at_ms]
    if not live or value.get("event_type", "submit") != "submit":
        return False
    verdict = recognised(str(value.get("text", "")), str(value["sender"]))
    platform = platform_id(verdict.platform)
    return verdict.otp and any(forbids(lease_of(a), platform, verdict.trust) for a in live)


@cache
def recognised(text: str, sender: str) -> Verdict:
    """What a text is, computed once: a message that is refused is sent up to six times."""
    return recognise(REGISTRY, text, sender=sender)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_event_delivered_twice_changes_no_action(name: str) -> None:
    events, once = played(name)
    twice = decided(event.value for event in events for _ in range(2))
    count = 1 if name in CROWDED else None
    whole = name not in CROWDED
    opened = name not in SOON
    assert told(twice[:count], counted=whole, opened=opened) == told(
        once[:count], counted=whole, opened=opened
    )


@pytest.mark.parametrize("name", [n for n in SCENARIOS if n not in AGAIN + LISTED])
def test_what_is_refused_and_sent_again_changes_no_action(name: str) -> None:
    """But for the count of messages: a platform's next code may fall among the retries."""
    events, plain = played(name)
    again = list(with_retries(events, plain, 3))
    count = 1 if name in LASTING else None
    assert told(decided(again)[:count], counted=False) == told(plain[:count], counted=False)
    assert len(again) > len(events) or not plain


def with_attempts(events: list[Labelled]) -> list[Value]:
    """The log with a second and a third attempt of each message, 15 s apart."""
    tried = [
        (order + late_ms, n, event.value | {
            "attempt": late_ms // 15_000 + 1,
            "event_time_ms": event.value["event_time_ms"] + late_ms,
        })
        for n, (order, event) in enumerate(ordered(events))
        for late_ms in (0, 15_000, 30_000)
    ]  # fmt: skip
    return [value for _, _, value in sorted(tried, key=lambda each: each[:2])]


@pytest.mark.parametrize("name", ATTEMPTED)
def test_later_attempts_at_delivery_change_no_action(name: str) -> None:
    events = [e for e in generate(name, 3, **SMALL.get(name, {})) if e.value.get("attempt", 1) == 1]
    plain = decided(event.value for event in events)
    assert told(decided(with_attempts(events))) == told(plain)


@pytest.mark.parametrize("name", LISTED)
def test_what_is_refused_and_sent_again_brings_hardly_anybody_else_a_lease(name: str) -> None:
    events, plain = played(name)
    again = decided(with_retries(events, plain, 3))
    leased, others = ({each.recipient for each in actions} for actions in (plain, again))
    assert len(leased ^ others) <= len(leased) // 20


@pytest.mark.parametrize("name", AGAIN)
def test_retries_among_a_floods_own_repeats_renew_no_lease_sooner(name: str) -> None:
    events, plain = played(name)
    again = decided(with_retries(events, plain, 3))
    assert told(again[:1]) == told(plain[:1])
    fewer = len(plain) - len(again)
    crowded = name in CROWDED  # 11 leases more of 373 for a number that turns shared
    most = 1 + len(plain) // (30 if crowded else 50)
    assert (-most if crowded else 0) <= fewer <= most
    # Half a platform lease, within which none is renewed, and the time to the flood's next message.
    assert leased_ms(again) >= leased_ms(plain) - LIMIT_MS // 2 - MINUTE_MS


def leased_ms(actions: list[Action]) -> int:
    """How long the one recipient of these leases is under one."""
    total = end_ms = 0
    for action in actions:
        total += action.expires_at_ms - max(end_ms, action.issued_at_ms)
        end_ms = action.expires_at_ms
    return total
