"""Questions to the index: floods that reached THROTTLE, leases in force, the index's age."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from detectors.model.event import platform_id
from detectors.model.records import Level, Step, Verb
from streams.cases.log_replay import replay
from streams.cases.store.answers import Freshness
from streams.common.errors import UnavailableError
from streams.config import Settings
from streams.people.signal.clients import SignalClient
from streams.people.signal.lookup import Lookup
from streams.tools.scenarios import generate
from streams.wire import Counts
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action
from tests.streams.cases.store.filled import FilledStore, fill, flood, opened
from tests.streams.people.signal.parts import exhausted


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FilledStore]:
    made = opened(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("behind_ms", "events", "stale"),
    [(0, 0, False), (60_000, 0, False), (60_001, 0, True), (0, 1, True), (0, None, True)],
)
def test_what_is_not_known_to_be_new_is_stale(
    behind_ms: int, events: int | None, stale: bool
) -> None:
    assert Freshness(behind_ms, 0, events).stale(60_000) is stale


def test_floods_are_those_that_reached_throttle(store: FilledStore) -> None:
    lookup = Lookup(store)
    assert lookup.floods(RECIPIENT) == []
    watched, _ = flood(1)
    fill(store, replace(watched, level=Level.WATCH,
                        path=(Step(Level.WATCH, START_MS, 1, "burst", 2.0, 1.6),)))  # fmt: skip
    assert lookup.floods(RECIPIENT) == []
    record, lease = flood(2)
    fill(store, record, lease)
    (span,) = lookup.floods(RECIPIENT)
    assert (span.first_ms, span.ended_ms) == (record.evidence.first_ms, None)
    assert lookup.floods("8613900000555") == []
    store._tokens = lambda _: [RECIPIENT]
    assert Lookup(store).floods("8613900000555") == [span]


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "mode"), [(0, "shadow"), (14, "enforce")])
def test_the_incident_is_a_flood_though_little_is_known_of_its_number(
    store: FilledStore, memory: int, mode: str
) -> None:
    """A cold start is judged in shadow; a bank is told all the same."""
    events = [event.value for event in generate("A1", 1, memory=memory)]
    lines = [msgspec.json.encode(value) for value in events]
    lookup, number = Lookup(store), events[-1]["recipient"].lstrip("+")
    modes = set()
    for some in replay(Settings(mode="enforce"), [[line] for line in lines]):
        for record in some.decisions.episodes:
            fill(store, record)
            if record.level is Level.THROTTLE:
                modes.add(record.mode)
            assert bool(lookup.floods(number)) is bool(modes), "as soon as it is at THROTTLE"
        fill(store, *some.decisions.actions)
    assert modes == {mode}
    (span,) = lookup.floods(number)
    assert bool(lookup.leases(number, span.last_ms)) is (mode == "enforce")


def test_leases_are_those_that_are_enforced_now(store: FilledStore) -> None:
    lookup = Lookup(store)
    fill(store, *flood(1))
    assert len(lookup.leases(RECIPIENT, START_MS)) == 1
    assert lookup.leases(RECIPIENT, START_MS + LEASE_MS) == []
    fill(store, *flood(2, recipient="8613900000002", mode="shadow"))
    assert lookup.leases("8613900000002", START_MS) == []


def test_the_newest_lease_is_of_the_newest_epoch(store: FilledStore) -> None:
    """Revisions are offsets: after a topic was made anew they begin again, and the epoch rises."""
    now_ms = START_MS + 3 * LEASE_MS
    fill(store, action(revision=5_000_000, epoch=1), action(revision=500, epoch=2, at_ms=now_ms))
    (lease,) = Lookup(store).leases(RECIPIENT, now_ms)
    assert (lease.epoch, lease.revision) == (2, 500)
    fill(store, action(revision=501, epoch=2, at_ms=now_ms, verb="release"))
    assert Lookup(store).leases(RECIPIENT, now_ms) == []


@pytest.mark.parametrize("verb", ["throttle", "release"])
def test_leases_of_other_forms_of_a_number_count_each_for_itself(
    store: FilledStore, verb: Verb
) -> None:
    """They lie in other partitions, whose offsets say nothing of these."""
    token, now_ms = "h1:00112233445566aa", START_MS + 3 * LEASE_MS
    fill(store, action(revision=9_000_000, verb=verb), action(token, 70, at_ms=now_ms))
    store._tokens = lambda _: (token,)
    lookup = Lookup(store)
    (lease,) = lookup.leases(RECIPIENT, now_ms)
    assert lease.recipient == token
    fill(store, action(revision=9_000_001, at_ms=now_ms))
    assert len(lookup.leases(RECIPIENT, now_ms)) == 2
    fill(store, action(token, 71, at_ms=now_ms, mode="shadow"))
    assert [each.recipient for each in lookup.leases(RECIPIENT, now_ms)] == [RECIPIENT]


def test_where_every_connection_is_taken_the_store_is_away(store: FilledStore) -> None:
    lookup, client = Lookup(store), SignalClient("a", platforms=("sig:甲平台",))
    for ask in (
        lookup.age,
        lambda: lookup.floods(RECIPIENT),
        lambda: lookup.changes(START_MS),
        lambda: lookup.leases(RECIPIENT, START_MS),
        lambda: lookup.count_refused(RECIPIENT, client),
    ):
        with exhausted(store), pytest.raises(UnavailableError, match="TimeoutError"):
            ask()


def test_held_counts_only_a_client_s_own(store: FilledStore) -> None:
    record, lease = flood(1)
    refused = {platform_id("sig:甲平台"): 3, platform_id("sig:乙平台"): 4}
    counts = Counts(action_id=lease.action_id, episode_id=record.episode_id, gateway_id="g",
                    at_ms=START_MS, refused=7, by_platform=refused)  # fmt: skip
    fill(store, record, lease, counts)
    lookup = Lookup(store)
    assert lookup.count_refused(RECIPIENT, SignalClient("a", platforms=("sig:甲平台",))) == 3
    assert lookup.count_refused(RECIPIENT, SignalClient("a")) == 0
    limit = replace(record, kind="limit", episode_id="limit", level=Level.WATCH)
    limit = replace(limit, evidence=replace(limit.evidence, first_ms=record.evidence.first_ms + 9))
    narrow = replace(
        lease, verb="throttle_platforms", action_id="narrow", episode_id="limit", refused_ids=(5,)
    )
    fill(store, limit, narrow, msgspec.structs.replace(counts, action_id="narrow",
         episode_id="limit", refused=2, by_platform={platform_id("sig:甲平台"): 2}))  # fmt: skip
    assert lookup.count_refused(RECIPIENT, SignalClient("a", platforms=("sig:甲平台",))) == 2
    assert lookup.count_refused("8613900000555", SignalClient("a", platforms=("sig:甲平台",))) == 0


def test_a_store_that_is_gone_is_said(store: FilledStore) -> None:
    from sqlalchemy import text

    with store.index.begin() as connection:
        connection.execute(text("DROP TABLE cases"))
        connection.execute(text("DROP TABLE leases"))
    lookup = Lookup(store)
    with pytest.raises(UnavailableError):
        lookup.floods(RECIPIENT)
    with pytest.raises(UnavailableError):
        lookup.leases(RECIPIENT, START_MS)
