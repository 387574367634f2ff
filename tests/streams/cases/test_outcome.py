"""A flood is refused or only observed: every surface counts both the same, and says why."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from detectors.chain import Decisions, Params
from detectors.episodes.lease import EpisodeParams
from detectors.leases.rails import Refusal
from detectors.model.records import EpisodeRecord
from detectors.model.times import DAY_MS, HOUR_MS
from streams.cases.outcome import FloodOutcome, Observed, ObservedReason, outcome, why_observed
from streams.cases.standing import Doing
from streams.cases.store.roles import DeskRole
from streams.common import moment
from streams.config import Settings
from streams.engine.worker.acks import Acknowledgements
from streams.engine.worker.observe import Observer
from streams.people.notices.month import MonthRecords, count_month
from streams.telemetry.metrics import Metrics
from streams.wire import Ack, Decoded, decode, encode_ack, encode_action, encode_episode
from tests.builders.streams.cases.standing import LEASE, OPENED, ack, model_of
from tests.builders.streams.cli.cases import Desk, desk
from tests.detectors.stand_in import Event, run
from tests.enforce.records import START_MS, override
from tests.streams.cases.store.filled import fill
from tests.streams.people.desk.conftest import world
from tests.streams.people.desk.world import World

__all__ = ["desk", "world"]

KNOWN, UNKNOWN = 8613800000001, 8613800000002
ENFORCE = EpisodeParams(mode="enforce")


def one_flood(now_ms: int) -> Decisions:
    """The same flood to a number that is known for forty days, and to two of which nothing is."""
    begin_ms = now_ms - 10 * 60_000
    before = [
        Event(begin_ms - days * DAY_MS + i * HOUR_MS, KNOWN, f"known {i}")
        for days in (40, 7)
        for i in range(14)
    ]
    victims = (KNOWN, UNKNOWN, UNKNOWN + 1)
    came = [
        Event(begin_ms + i * 20_000 + n, victim, f"new {i}")
        for i in range(24)
        for n, victim in enumerate(victims)
    ]
    return run(Params(episode=ENFORCE), [*before, *came])


def decoded_none(settings: Settings) -> Decoded:
    """A batch without a message."""
    return decode(
        intake=settings.intake(), topic="t", partition=3, values=[], keys=[],
        offsets=np.arange(0), timestamps_ms=None, next_offset=0,
    )  # fmt: skip


def answers(decided: Decisions) -> list[Ack]:
    """What a gateway says of each lease: it enforces one, and ignores one of the mode shadow."""
    return [
        structs.replace(
            ack("applied" if each.mode == "enforce" else "ignored", action_id=each.action_id),
            at_ms=each.issued_at_ms,
            why="" if each.mode == "enforce" else "shadow",
        )
        for each in decided.actions
        if not each.update
    ]


@pytest.mark.broker
def test_every_surface_counts_the_refused_and_the_observed_alike(desk: Desk, world: World) -> None:
    now_ms = int(time.time() * 1000)
    decided = one_flood(now_ms)
    for record in decided.episodes:
        desk.put("episode", encode_episode(record), record.recipient.encode())
    for action in decided.actions:
        desk.put("throttle", encode_action(action), action.recipient.encode())
    for each in answers(decided):
        desk.put("acks", encode_ack(each), each.action_id.encode())
    with (desk.folder / "otpguard.toml").open("a") as file:
        file.write('\nmode = "enforce"\n')

    frame = json.loads(desk.ask("top", "--json"))
    assert (frame["refused"], frame["observed"]) == (1, 2)
    assert "3 floods: 1 refused, 2 observed" in desk.ask("top", "--once")

    rows = json.loads(desk.ask("cases", "ls", "--json"))
    assert sorted(row["outcome"] for row in rows) == ["observed", "observed", "refused"]
    assert "1 refused, 2 observed" in desk.ask("cases", "ls")

    from_day = moment(now_ms // DAY_MS * DAY_MS + 30 * DAY_MS)[:10]
    why = f"in 0 days) to refuse anything; from {from_day} at the latest, it is protected."
    told = [json.loads(desk.ask("phone", str(each), "--json")) for each in (KNOWN, UNKNOWN)]
    assert [each["outcome"] for each in told] == ["refused", "observed"]
    assert [each["observed"] and each["observed"]["reason"] for each in told] == [None, "memory"]
    assert "We stop those" in told[0]["aloud"]
    assert why in told[1]["aloud"]
    explained = [" ".join(desk.ask("explain", str(each)).split()) for each in (KNOWN, UNKNOWN)]
    assert explained[0].startswith("now: throttled: codes of platforms new to this recipient")
    assert explained[1].startswith("now: observed: nothing is refused. We do not know your number")
    assert why in explained[1]

    world.store.at_ms = now_ms
    fill(world.store, *decided.episodes, *decided.actions, *answers(decided))
    client = world.inside(DeskRole.LEAD)
    client.headers["accept-language"] = "en"
    assert "3 floods now: 1 refused, 2 observed" in client.get("/live").text
    unknown = next(each for each in decided.episodes if each.recipient == str(UNKNOWN))
    assert why in client.get(f"/case/{unknown.episode_id}").text

    episodes, acks = decided.episodes, answers(decided)
    month = count_month(MonthRecords(episodes=episodes, acks=acks), 0, now_ms + DAY_MS)
    assert (month.floods, month.floods_refused, month.floods_observed) == (3, 1, 2)

    metrics, settings = Metrics("worker"), Settings(mode="enforce")
    expected = Acknowledgements(metrics, "t", 1, SimpleNamespace(owned=frozenset({3})))
    observer = Observer(metrics, settings.recogniser(), expected)
    observer.count_batch(decoded_none(settings), {3: decided})
    value = metrics.registry.get_sample_value
    outcomes = [{"outcome": each} for each in ("refused", "observed")]
    assert [value("otpguard_floods_total", each) for each in outcomes] == [1, 2]


@pytest.mark.parametrize(
    ("state", "mode", "gateways", "expected"),
    [
        (Doing.THROTTLED, "enforce", "applied", FloodOutcome.REFUSED),
        (Doing.UNCONFIRMED, "enforce", "unknown", FloodOutcome.REFUSED),
        (Doing.FAILED, "enforce", "failed", FloodOutcome.OBSERVED),
        (Doing.OFF, "enforce", "applied", FloodOutcome.OBSERVED),
        (Doing.SHADOW, "shadow", "ignored", FloodOutcome.OBSERVED),
        (Doing.WATCHED, "shadow", "watched", FloodOutcome.WATCHED),
        (Doing.OVER, "shadow", "watched", FloodOutcome.WATCHED),
        (Doing.OVER, "enforce", "applied", FloodOutcome.REFUSED),
        (Doing.OVER, "enforce", "unknown", FloodOutcome.REFUSED),
        (Doing.OVER, "enforce", "ignored", FloodOutcome.OBSERVED),
        (Doing.LAPSED, "shadow", "unknown", FloodOutcome.OBSERVED),
    ],
)
def test_a_flood_is_refused_observed_or_only_watched(
    state: Doing, mode: str, gateways: str, expected: FloodOutcome
) -> None:
    assert outcome(state, mode, gateways) is expected


FEW = replace(OPENED, mode="shadow", known=2, memory_days=3)


@pytest.mark.parametrize(
    ("state", "record", "said", "params", "reason"),
    [
        (Doing.SHADOW, FEW, {"shadow"}, EpisodeParams(mode="shadow"), ObservedReason.MODE),
        (Doing.SHADOW, FEW, {"shadow"}, ENFORCE, ObservedReason.MEMORY),
        (Doing.SHADOW, replace(FEW, known=6), set(), ENFORCE, ObservedReason.MODE),
        (Doing.SHADOW, replace(FEW, memory_days=30), set(), ENFORCE, ObservedReason.MODE),
        (Doing.SHADOW, OPENED, set(), ENFORCE, ObservedReason.SWITCH),
        (Doing.OFF, FEW, set(), ENFORCE, ObservedReason.SWITCH),
        (Doing.EXEMPT, OPENED, set(), ENFORCE, ObservedReason.EXEMPT),
        (Doing.RELEASED, OPENED, set(), ENFORCE, ObservedReason.EXEMPT),
        (Doing.FAILED, OPENED, {Refusal.SHARE}, ENFORCE, ObservedReason.BUDGET),
        (Doing.FAILED, OPENED, {"timeout"}, ENFORCE, ObservedReason.GATEWAY),
        (Doing.OVER, OPENED, {"mode"}, ENFORCE, ObservedReason.SWITCH),
        (Doing.OVER, OPENED, {"exempt"}, ENFORCE, ObservedReason.EXEMPT),
    ],
)
def test_the_reason_comes_from_a_closed_list(
    state: Doing, record: EpisodeRecord, said: set[str], params: EpisodeParams, reason: str
) -> None:
    assert why_observed(state, said, record, params).reason == reason


def test_what_is_known_of_a_number_is_told_with_the_day_from_which_it_is_protected() -> None:
    found = why_observed(Doing.SHADOW, {"shadow"}, FEW, ENFORCE)
    day_ms = START_MS // DAY_MS * DAY_MS
    assert found == Observed(ObservedReason.MEMORY, 2, 3, day_ms + 27 * DAY_MS)
    assert "(2 platforms in 3 days)" in found.sentence()
    renewed = replace(FEW, since_ms=START_MS, known=0, memory_days=0)
    unknown = why_observed(Doing.SHADOW, set(), renewed, ENFORCE)
    assert unknown == Observed(ObservedReason.MEMORY), "what was known is lost"
    assert "in 0 days" not in unknown.sentence()


def test_an_operator_and_the_rails_turn_refused_floods_into_observed_ones() -> None:
    """The count of all floods agrees with the outcome of each, whoever decided otherwise."""
    other: dict[str, Any] = {"episode_id": "1:t:0:8", "recipient": "8613900000008", "revision": 8}
    third: dict[str, Any] = {"episode_id": "1:t:0:9", "recipient": "8613900000009", "revision": 9}
    limited = structs.replace(ack("ignored", action_id="1:t:0:9"), why=str(Refusal.RATE))
    records = (
        OPENED, LEASE, ack("applied"),
        replace(OPENED, **other), replace(LEASE, **other, action_id="1:t:0:8"),
        ack("applied", action_id="1:t:0:8"), override("exempt", "8613900000008"),
        replace(OPENED, **third), replace(LEASE, **third, action_id="1:t:0:9"), limited,
    )  # fmt: skip
    model = model_of(*records)
    refused, observed = FloodOutcome.REFUSED, FloodOutcome.OBSERVED
    assert model.count_floods() == {refused: 1, observed: 2}
    assert [each.outcome for each in model.all(ended=False)].count(observed) == 2
    found = [model.case(name).observed for name in ("1:t:0:8", "1:t:0:9")]
    assert [each and each.reason for each in found] == ["exempt", "budget"]
    off = model_of(*records, override("mode", "*", mode="off"))
    assert off.count_floods() == {observed: 3}
    line = next(each for each in off.all(ended=False) if each.episode_id == OPENED.episode_id)
    why = off.case(line.episode_id).observed
    assert why is not None
    assert why.reason is ObservedReason.SWITCH
