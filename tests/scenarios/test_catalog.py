"""Every generator: repeatable, valid, and of the shape that its scenario is known by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice, pairwise

import msgspec
import pytest

from streams.tools.scenarios import DEFAULT_START_MS, Labelled, Role, person
from streams.tools.scenarios.message_writer import MessageWriter
from streams.tools.scenarios.people import Person
from streams.wire.events import Intake, Outcome, decode
from streams.wire.recipients import Numbers
from tests.builders.streams.tools.scenarios.catalog import (
    DAY_MS,
    at,
    attack,
    of,
    run,
    seeded,
)
from tests.scenarios.catalog import SCENARIOS, generate, history_of_weeks, main

MINUTE_MS = 60_000

every = pytest.mark.parametrize("name", SCENARIOS)


def minutes(events: list[Labelled]) -> float:
    return (at(events[-1]) - at(events[0])) / MINUTE_MS


def platforms(events: list[Labelled]) -> Counter[str]:
    return Counter(event.truth.platform for event in events)


@every
@seeded
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(name: str, seed: int) -> None:
    encode = msgspec.json.encode
    first, again = ([encode(e.value) for e in generate(name, seed)] for _ in range(2))
    assert first == again
    assert first[:9] != [encode(e.value) for e in islice(generate(name, seed + 1), 9)]


@every
@seeded
def test_every_value_is_taken_in_under_a_canonical_key_in_the_order_of_event_time(
    name: str, seed: int
) -> None:
    events = list(generate(name, seed))
    times = [at(event) for event in events]
    assert times == sorted(times) or name == "B12"  # by arrival
    keys: list[bytes | None] = [event.value["recipient"].encode() for event in events]
    values: list[bytes | None] = [msgspec.json.encode(event.value) for event in events]
    n = len(events)
    decoded = decode(Intake(Numbers("CN")), "t", 0, values, keys, range(n), None, n)
    assert decoded.rejects == []
    assert decoded.noncanonical_keys == 0
    assert decoded.outcomes[Outcome.COUNTED] > 0


@every
def test_message_ids_name_one_message_each(name: str) -> None:
    events = list(generate(name, 3))
    parts = {
        tuple(e.value.get(k) for k in ("message_id", "segment", "attempt", "event_type"))
        for e in events
    }
    repeated = len(events) - len(parts)
    receipts = sum(e.value.get("event_type") == "receipt" for e in events)
    assert repeated == receipts // 2  # a receipt that is delivered twice is the same receipt


@every
def test_the_list_says_what_it_is(name: str) -> None:
    assert SCENARIOS[name].summary.endswith(".")
    assert len(SCENARIOS[name].summary) < 100


def victim(events: list[Labelled]) -> Person:
    """The first subscriber: the recipient of all scenarios for one."""
    who = person(0)
    assert {e.value["recipient"] for e in events} == {who.recipient}
    return who


def a1(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == 68
    assert len(platforms(flood)) == 60
    assert max(platforms(flood).values()) <= 3
    assert 30 < minutes(flood) <= 35
    bank = of(events, Role.BANK)
    assert len(bank) == 2  # a code, and the same again
    assert len(platforms(bank)) == 1
    assert bank[0].value["sender"].startswith("95")


def a2(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == 200
    assert 120 <= len(platforms(flood)) <= 200
    assert minutes(flood) <= 5


def a3(events: list[Labelled]) -> None:
    flood = attack(events)
    assert 30 <= len(platforms(flood)) <= 300
    assert len(platforms(flood[: len(platforms(flood))])) == len(platforms(flood))  # wave 1: all
    later = len(flood) - len(platforms(flood))
    assert later > 0


def a4(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == len(platforms(flood)) == 60
    assert 150 < minutes(flood) <= 180


def a4_day(events: list[Labelled]) -> None:
    flood = attack(events)
    assert (len(flood), len(platforms(flood))) == (96, 60)
    assert 20 * 60 < minutes(flood) <= 24 * 60


def a5(events: list[Labelled]) -> None:
    flood = attack(events)
    days = Counter((at(e) - DEFAULT_START_MS) // DAY_MS for e in flood)
    assert sorted(days) == list(range(7))
    assert set(days.values()) == {2 * 120 * 4.5}  # two slots of 2 h at 4.5 a minute


def a6(events: list[Labelled]) -> None:
    flood = attack(events)
    each = Counter(e.value["recipient"] for e in flood)
    assert len(each) == 500
    assert 20 <= min(each.values()) <= max(each.values()) <= 70
    assert len(platforms(flood)) == 60
    first = {e.value["recipient"]: at(e) for e in reversed(flood)}
    assert max(first.values()) - min(first.values()) < 30 * MINUTE_MS


def a7(events: list[Labelled]) -> None:
    flood = attack(events)
    assert (len(flood), len(platforms(flood))) == (60, 1)
    assert 50 < minutes(flood) <= 60


def a8(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == len(platforms(flood)) == 70  # 2 a minute, none twice
    assert len({e.value["sender"] for e in flood}) == 70


def a9(events: list[Labelled]) -> None:
    senders = {e.value["sender"] for e in attack(events)}
    assert {s.isdigit() for s in senders} == {True, False}
    assert any(len(s) == 5 and s.isdigit() for s in senders)
    scripts = {c.isascii() for e in attack(events) for c in e.value["text"]}
    assert scripts == {True, False}


def a9_sender(events: list[Labelled]) -> None:
    assert len(attack(events)) == 68
    assert not any("text" in e.value for e in attack(events))


def a18(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == 68
    assert len(platforms(flood)) == 60
    assert {e.value["sender"] for e in flood} == {"AUTHMSG"}
    assert not any("【" in e.value["text"] for e in flood)


def a10(events: list[Labelled]) -> None:
    each = Counter(int(e.value["recipient"]) for e in events)
    assert sorted(each) == list(range(min(each), min(each) + 2000))
    assert set(each.values()) == {1, 2}
    assert len(platforms(events)) == 1
    assert 50 * 0.9 < len(events) / minutes(events) < 500 * 1.1


def a11(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == len(platforms(flood)) == 10
    assert minutes(flood) <= 2
    own = [e for e in events if e.truth.role is not Role.ATTACK]
    assert min(map(at, own)) >= at(flood[-1])
    assert len(platforms(of(events, Role.KNOWN))) == len(victim(events).known)  # all of them


def a12(events: list[Labelled]) -> None:
    assert len(attack(events)) == 68
    smoke = of(events, Role.OTHER)
    assert 27 < 60 * len(smoke) / minutes(smoke) < 33  # an hour


def a13(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == 192
    assert set(platforms(flood).values()) == {16}
    assert [at(b) - at(a) for a, b in pairwise(flood)] == [41_000] * 11 + [1_000] * 180


def a15(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == 60
    assert 100 < minutes(flood) <= 120


def a16(events: list[Labelled]) -> None:
    assert not of(events, Role.BANK)
    aimed = Counter(e.value["recipient"] for e in of(events, Role.NEW))
    assert len(aimed) == 100
    assert 10 <= min(aimed.values()) <= max(aimed.values()) <= 30


def a17(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == 70
    assert set(platforms(flood).values()) == {2}
    times: dict[str, list[int]] = {}
    for event in flood:
        times.setdefault(event.truth.platform, []).append(at(event))
    assert all(60_000 <= max(each) - min(each) <= 120_000 for each in times.values())


def a19(events: list[Labelled]) -> None:
    flood = attack(events)
    assert len(flood) == 210
    assert set(platforms(flood).values()) == {2}
    waves = Counter(at(e) // 30_000 for e in flood)
    assert max(waves.values()) <= 8
    times: dict[str, list[int]] = {}
    for event in flood:
        times.setdefault(event.truth.platform, []).append(at(event))
    assert {max(each) - min(each) for each in times.values()} == {60_000}


def a20(events: list[Labelled]) -> None:
    flood = attack(events)  # one code in 30 s round and round
    assert 38 <= len(platforms(flood)) <= 48
    assert 170 < minutes(flood) < 200
    assert 300 < len(flood) <= 400


def a21(events: list[Labelled]) -> None:
    flood = attack(events)
    each = Counter(e.value["recipient"] for e in flood)
    assert len(each) == 100
    assert len(platforms(flood)) <= 48  # one list


def b1(events: list[Labelled]) -> None:
    assert 10 <= len(platforms(events)) <= 30


def b2(events: list[Labelled]) -> None:
    assert 30 <= len(platforms(events)) <= 60


def b3(events: list[Labelled]) -> None:
    assert len(of(events, Role.BANK)) == 10
    assert len(of(events, Role.OTHER)) == 30
    own = platforms(of(events, Role.NEW) + of(events, Role.KNOWN))
    assert 4 <= len(own) <= 10


def b4(events: list[Labelled]) -> None:
    assert 4 <= len(events) <= 10
    assert len(platforms(events)) == 1
    assert minutes(events) <= 10


def b5(events: list[Labelled]) -> None:
    days = Counter((at(e) - DEFAULT_START_MS) // DAY_MS for e in events)
    assert sorted(days) == list(range(7))
    assert 50 <= min(days.values()) == max(days.values()) <= 300
    assert 5 <= len(platforms(events)) <= 40


def b6(events: list[Labelled]) -> None:
    assert len(events) == 600
    assert len(platforms(events)) <= 3


def b7(events: list[Labelled]) -> None:
    assert len(events) == 10
    assert {e.truth.role for e in events} == {Role.OTHER}


def b8(events: list[Labelled]) -> None:
    assert len(events) == 120
    assert {e.truth.role for e in events} == {Role.OTHER}


def b9(events: list[Labelled]) -> None:
    counted = [e for e in events if e.value["segment"] == 1 and "event_type" not in e.value]
    assert len(counted) == 8
    assert {e.value["segments"] for e in events} <= {2, 3, 4}


def b10(events: list[Labelled]) -> None:
    assert sum(e.value["attempt"] == 1 for e in events) == 6
    assert len({e.value["message_id"] for e in events}) == 6


def b11(events: list[Labelled]) -> None:
    codes = [e for e in events if e.truth.role is not Role.OTHER]
    assert 0.73 < len(codes) / len(events) < 0.81


def b12(events: list[Labelled]) -> None:
    arrivals = [e.value["ingest_time_ms"] for e in events]
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] - arrivals[0] < 10_000
    assert max(map(at, events)) - min(map(at, events)) > 30 * MINUTE_MS
    assert all(at(e) <= e.value["ingest_time_ms"] for e in events)


def a14(events: list[Labelled]) -> None:
    flood_ms = at(events[0]) + 5 * DAY_MS
    before = [e for e in events if at(e) < flood_ms - DAY_MS // 24]
    assert sorted(Counter(e.truth.platform for e in before).values()) == [2] * 22
    assert max(Counter(at(e) // DAY_MS for e in before).values()) <= 11
    after = of(events[len(before) :], Role.ATTACK)
    assert len(after) == 228
    assert len({e.truth.platform for e in after} - {e.truth.platform for e in before}) == 8
    assert len(platforms(of(events, Role.KNOWN))) == len(victim(events).known)


def b13(events: list[Labelled]) -> None:
    assert 200 < len(events) < 400
    assert 4.8 < (at(events[-1]) - at(events[0])) / (365 * DAY_MS) < 5.1
    assert 25 < len({e.truth.platform for e in events}) < 60


def b14(events: list[Labelled]) -> None:
    assert 10 <= len(platforms(events)) <= 40
    assert 15 <= min(platforms(events).values()) <= max(platforms(events).values()) <= 40


def b15(events: list[Labelled]) -> None:
    assert 60 <= len(of(events, Role.OTHER)) <= 180
    assert len(platforms(of(events, Role.NEW))) <= 3


def b16(events: list[Labelled]) -> None:
    assert 40 <= len(platforms(events)) <= 80
    days = {(at(e) - DEFAULT_START_MS) // DAY_MS for e in events}
    assert days == {0, 1}


def b17(events: list[Labelled]) -> None:
    shared = [e for e in events if at(e) >= DEFAULT_START_MS + 15 * DAY_MS]
    assert len(events) - len(shared) == 7
    assert 7 * 50 <= len(shared) <= 7 * 300


def b18(events: list[Labelled]) -> None:
    assert 3 <= len(platforms(events)) <= 15
    assert min(platforms(events).values()) >= 2
    assert minutes(events) <= 15 * 60


def everyday(events: list[Labelled]) -> None:
    assert len({e.value["recipient"] for e in events}) > 1000
    assert {e.truth.role for e in events} == {Role.BANK, Role.KNOWN, Role.NEW, Role.OTHER}


SHAPES: dict[str, Callable[[list[Labelled]], None]] = {
    "A1": a1, "A2": a2, "A3": a3, "A4": a4, "A4-day": a4_day, "A5": a5, "A6": a6, "A7": a7,
    "A8": a8, "A9": a9, "A9-sender": a9_sender, "A10": a10, "A11": a11, "A12": a12, "A13": a13,
    "A14": a14, "A15": a15, "A16": a16, "A17": a17, "A18": a18, "A19": a19, "A20": a20, "A21": a21,
    "B1": b1, "B2": b2, "B3": b3, "B4": b4, "B5": b5, "B6": b6, "B7": b7, "B8": b8, "B9": b9,
    "B10": b10, "B11": b11, "B12": b12, "B13": b13, "B14": b14, "B15": b15, "B16": b16, "B17": b17,
    "B18": b18, "ordinary": everyday,
}  # fmt: skip


@every
@seeded
def test_a_scenario_has_its_shape(name: str, seed: int) -> None:
    SHAPES[name](run(name, seed))


def test_weeks_bring_each_platform_in_three_of_them() -> None:
    pen = MessageWriter("A14", 1, 7, memory=14)
    weeks: dict[str, set[int]] = {}
    for event in history_of_weeks(pen, DEFAULT_START_MS):
        age_days = (DEFAULT_START_MS - event.value["event_time_ms"]) / DAY_MS
        weeks.setdefault(event.truth.platform, set()).add(int((age_days - 2) // 7))
    assert len(weeks) == 14
    assert all(len(each) == 3 for each in weeks.values())


def test_one_scenario_or_the_list_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["catalog", "A14", "--seed", "3"])
    main()
    events = [msgspec.json.decode(line) for line in capsys.readouterr().out.splitlines()]
    assert events == [event.value for event in generate("A14", 3)]
    monkeypatch.setattr("sys.argv", ["catalog"])
    main()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(SCENARIOS)
