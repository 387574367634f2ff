"""A case in words: what the person on the phone reads, without a whole number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from msgspec.structs import replace as replaced

from detectors.leases.rails import Refusal
from detectors.model.event import Trust
from streams.cases.standing import Doing
from streams.cases.store.answers import CaseFile, Freshness
from streams.cases.store.roles import DeskRole
from streams.common.language import moment, speaking, trc
from streams.people.desk.call_view import (
    STATES,
    TONES,
    aloud_without,
    fresh_sentence,
    known_facts,
    nothing_sentence,
    spell,
    view,
    word_sentence,
)
from streams.people.notices.notice_book import Unsent
from streams.wire import Override
from streams.wire.desired_state import NoLease
from tests.builders.streams.wire.notice_records import SAID as NOTICE
from tests.enforce.records import RECIPIENT
from tests.streams.cases.store.filled import acked, ended, fill, flood
from tests.streams.people.desk.world import World, busy

AWAY = "away"
"""Why an action failed at a gateway that did not answer until its lease had ended."""


def opened(world: World) -> CaseFile:
    return world.store.case(busy(world, world.store.at_ms))


def told(world: World, file: CaseFile) -> dict[str, Any]:
    return view(file, world.store.at_ms)


def test_a_case_says_what_a_caller_asks(world: World) -> None:
    case = told(world, opened(world))
    counted, until = case["happens"].split(" Counted until ")
    assert counted == "134 messages from 26 platforms, 24 of them new to this number."
    assert until == f"{moment(case['line'].last_ms)}."
    assert case["minutes"] == "34 min"
    assert case["bank"].startswith("Yes: codes of banks arrive. In this flood 4 messages of banks")
    assert case["refusing"]
    assert case["ends_ms"] > world.store.at_ms
    assert [each["tag"] for each in case["aloud"]] == ["en", "zh-Hans"]
    assert case["platforms"][0]["would"] == "refuse"
    assert case["platforms"][-1]["trust"] == "bank"
    assert sum(sum(row[1:]) for row in case["figures"]) == 128


def test_the_table_of_platforms_adds_up_and_a_limit_is_said_to_be_one(world: World) -> None:
    """The detector counts 64 platforms of a number; the records of messages name more."""
    names = [f"sig:平台{n}" for n in range(118)]
    record, lease = flood(platforms=names)
    record = replace(record, evidence=replace(record.evidence, platforms=70, novel=64))
    fill(world.store, record, lease)
    case = told(world, world.store.case(record.episode_id))
    assert (case["platforms_count"], len(case["platforms"])) == (118, 118)
    assert "64 or more of them new" in case["happens"]
    page = world.inside(DeskRole.LEAD).get(f"/case/{record.episode_id}").text
    assert "另有 110 个" in page
    assert page.count("另有") == 1


def test_a_chinese_case_names_levels_and_answers_of_gateways_in_chinese(world: World) -> None:
    record, lease = flood()
    fill(world.store, record, lease, replaced(acked(lease, "ignored"), why="released"))
    client = world.inside(DeskRole.LEAD)
    page = client.get(f"/case/{record.episode_id}").text
    assert "(已由人工解除)" in page
    with speaking("zh-Hans", UTC):
        case = told(world, world.store.case(record.episode_id))
        assert {level for _, level, _ in case["explanation"].path} == {"限流"}
        assert "THROTTLE" not in case["explanation"].headline


@pytest.mark.parametrize("why", [*NoLease, *Refusal, AWAY])
def test_every_reason_of_a_gateway_has_a_chinese_name(why: str) -> None:
    with speaking("zh-Hans", UTC):
        assert trc("why", str(why)) != why


@pytest.mark.parametrize("why", Unsent)
def test_a_chinese_case_says_in_chinese_why_a_notice_was_not_sent(world: World, why: str) -> None:
    record, lease = flood()
    notice = replaced(NOTICE, episode_id=record.episode_id, state="suppressed", why=str(why))
    fill(world.store, record, lease, notice)
    page = world.inside(DeskRole.LEAD).get(f"/case/{record.episode_id}").text
    assert "短信" in page
    assert f"({why})" not in page


def test_no_whole_number_is_in_it(world: World) -> None:
    assert "17000000001" not in str(told(world, opened(world)))


def test_a_bank_that_was_refused_is_shouted(world: World) -> None:
    file = opened(world)
    bank = next(each for each in file.events if each.trust is Trust.BANK)
    case = told(world, replace(file, refused={bank.platform_id: 1}))
    assert case["bank"].startswith("CODES OF A BANK WERE REFUSED")


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_where_nothing_is_refused_nothing_reads_as_if_it_were(world: World, mode: str) -> None:
    busy(world, world.store.at_ms)
    word = Override(recipient="*", verb="mode", mode=mode, actor="noc", reason="r",  # type: ignore[arg-type] # both are modes
                    issued_at_ms=world.store.at_ms)  # fmt: skip
    fill(world.store, word)
    found = world.store.find("8617000000001").newest
    assert found is not None
    case = told(world, found)
    assert not case["refusing"]
    assert case["ends_ms"] == 0
    assert case["bank"] == "Yes: nothing is refused, her bank's codes arrive too."
    assert "nothing is refused" in case["says"]
    assert "We stop those" not in case["aloud"][0]["text"]


def test_a_flood_that_is_over_lasted_until_its_last_message(world: World) -> None:
    record, lease = flood(0)
    fill(world.store, record, lease, ended(record))
    world.store.at_ms += 86_400_000
    file = world.store.case(record.episode_id)
    case = told(world, file)
    assert case["tone"] == "good"
    assert case["state"] == "over"
    assert case["minutes"] == spell(record.evidence.last_ms - record.evidence.first_ms)


def test_every_state_has_a_word_and_a_tone() -> None:
    assert set(STATES) == set(TONES) == set(Doing)


def test_a_word_is_said_without_who_and_when() -> None:
    given = {"recipient": RECIPIENT, "actor": "li", "reason": "r", "issued_at_ms": 0}
    assert word_sentence(Override(**given, verb="allow", platform="sig:某校")) == "let 某校 pass"  # type: ignore[arg-type] # as they are
    assert word_sentence(Override(**given, verb="exempt")) == "exempt"  # type: ignore[arg-type] # as they are


def test_nothing_found_is_worth_what_the_index_is(world: World) -> None:
    world.flood()
    found = world.store.find("8613911112222")
    assert nothing_sentence(found, 60_000).startswith("No flood")
    world.store.at_ms += 61_000
    old = world.store.find("8613911112222")
    assert "may be missing" in nothing_sentence(old, 60_000)
    facts = dict(known_facts(old))
    assert facts["leases that ended"] == "0"
    assert facts["overrides in force"] == "none"
    assert [each["tag"] for each in aloud_without()] == ["en", "zh-Hans"]


@pytest.mark.parametrize(
    ("read_ms", "told_"),
    [(0, "Nothing was read"), (90_000, "Data of 10.0 s ago"), (10_000, "These pages are 2 min")],
)
def test_the_age_of_the_index_is_a_sentence(read_ms: int, told_: str) -> None:
    assert fresh_sentence(Freshness(100_000, read_ms, None), 60_000).startswith(told_)


def test_platforms_of_a_young_flood_can_be_let_through_before_its_messages_are_recorded(
    world: World,
) -> None:
    file = opened(world)
    young = replace(file, events=tuple(replace(each, would="") for each in file.events[:2]))
    case = told(world, young)
    assert len(case["platforms"]) == len(file.case.last.sightings)
    assert {each["would"] for each in case["platforms"]} == {"refuse"}
    assert all(each["key"] for each in case["platforms"])
