"""A shift: cases change hands, nobody gains more than the one case, and the lead sees the log."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from detectors.model.times import DAY_MS, HOUR_MS
from streams.cases.store.erase import erase
from streams.cases.store.removal import forget
from streams.cases.store.roles import DeskRole
from streams.common import UsageError
from streams.people.desk.desk_context import TEAM
from tests.enforce.records import RECIPIENT
from tests.streams.people.desk.world import PASSWORD, World, send

AGENTS = {"li.lei": (DeskRole.AGENT,), "wang.fang": (DeskRole.AGENT,),
          "zhang.wei": (DeskRole.AGENT,)}  # fmt: skip


def hand(world: World, client: Any, to: str, text: str = "call her back") -> Any:
    """Search a number, and hand its case over."""
    way = send(client, "/search", at="/", number=RECIPIENT).headers["location"]
    case = world.store.find(RECIPIENT).newest
    assert case is not None
    fields = {"episode": case.line.episode_id, "k": way.partition("k=")[2], "to": to, "text": text}
    return send(client, "/handover", **fields)


@pytest.fixture
def people(world: World) -> dict[str, Any]:
    world.flood()
    return {name: world.inside(*roles, name=name) for name, roles in AGENTS.items()}


def test_a_case_handed_to_a_colleague_is_unread_until_she_opens_it(
    world: World, people: dict[str, Any]
) -> None:
    done = hand(world, people["li.lei"], "wang.fang", f"she waits; her number is {RECIPIENT}")
    assert "已移交给 wang.fang" in done.text
    (line,) = world.ledger.of("note")
    assert (line["subject"], line["detail"]) == (RECIPIENT, "handover to wang.fang")
    page = people["wang.fang"].get("/mine").text
    assert re.search(r'class="unread">1<', page)
    assert "she waits; her number is +86" in page
    assert RECIPIENT not in page
    assert 'class="unread"' not in people["zhang.wei"].get("/mine").text
    way = re.search(r'href="(/case/[^"]+)"', page)
    assert way is not None
    path = way[1].replace("&amp;", "&")
    assert people["zhang.wei"].get(path).status_code == 403, "the way in is hers alone"
    case = people["wang.fang"].get(path)
    assert case.status_code == 200
    assert "→ wang.fang: she waits" in case.text
    page = people["wang.fang"].get("/mine").text
    assert 'class="unread"' not in page
    assert "wang.fang 于" in page


def test_a_case_handed_to_a_team_is_read_once_for_all_of_it(
    world: World, people: dict[str, Any]
) -> None:
    hand(world, people["li.lei"], "role agent")
    assert 'class="unread"' not in people["li.lei"].get("/mine").text, "it is her own"
    assert 'class="unread"' in people["zhang.wei"].get("/account").text
    lead = world.inside(DeskRole.LEAD, name="han.mei")
    assert 'class="unread"' not in lead.get("/mine").text
    page = people["zhang.wei"].get("/mine").text
    path = re.search(r'href="(/case/[^"]+)"', page)
    assert path is not None
    people["zhang.wei"].get(path[1].replace("&amp;", "&"))
    assert 'class="unread"' not in people["wang.fang"].get("/mine").text


def test_nobody_takes_a_name_that_stands_for_a_team(world: World, people: dict[str, Any]) -> None:
    """Who may choose her own name at the provider would open every case handed to the team."""
    with pytest.raises(UsageError):
        world.store.accounts.admit_vouched(f"{TEAM}agent", "oidc", [DeskRole.EVIDENCE])
    thief = world.inside(DeskRole.EVIDENCE, name="role:agent")
    hand(world, people["li.lei"], f"{TEAM}agent")
    assert "/case/" in people["zhang.wei"].get("/mine").text
    assert "/case/" not in thief.get("/mine").text


def test_who_takes_a_case_over_is_named_so_that_nobody_passes_for_another(
    world: World, people: dict[str, Any]
) -> None:
    world.store.accounts.add("thief", [DeskRole.EVIDENCE], password=PASSWORD, shown_name="所有人")
    page = hand(world, people["li.lei"], "wang.fang").text
    assert re.findall(r'<option value="thief"[^>]*>([^<]+)<', page) == ["所有人 (thief)"]
    assert re.findall(r'<option value="zhang.wei"[^>]*>([^<]+)<', page) == ["zhang.wei"]


@pytest.mark.parametrize(
    ("to", "text"),
    [("nobody", "x"), ("root", "x"), ("li.lei", "x"), ("role admin", "x"), ("wang.fang", "")],
)
def test_a_case_goes_only_to_somebody_who_may_read_cases(
    world: World, people: dict[str, Any], to: str, text: str
) -> None:
    world.person("root", DeskRole.ADMIN)
    assert hand(world, people["li.lei"], to, text).status_code == 400
    assert world.ledger.of("note") == []
    assert world.store.papers.list_handovers(0) == ()


def test_nobody_hands_over_a_case_that_she_may_not_open(
    world: World, people: dict[str, Any]
) -> None:
    case = world.store.find(RECIPIENT).newest
    assert case is not None
    done = send(people["li.lei"], "/handover", episode=case.line.episode_id, k="0" * 32,
                to="wang.fang", text="x")  # fmt: skip
    assert done.status_code == 403
    way = send(people["li.lei"], "/search", at="/", number=RECIPIENT).headers["location"]
    world.ledger.away = True
    done = send(people["li.lei"], "/handover", episode=case.line.episode_id,
                k=way.partition("k=")[2], to="wang.fang", text="x")  # fmt: skip
    assert done.status_code == 503, "no record, no handover"
    assert world.store.papers.list_handovers(0) == ()


def test_own_calls_lead_back_to_their_cases(world: World, people: dict[str, Any]) -> None:
    case = world.store.find(RECIPIENT).newest
    assert case is not None
    world.store.papers.add_call("li.lei", RECIPIENT, identified_by="own_line", same_caller=True,
                                episode_id=case.line.episode_id, ticket="T-5",
                                outcome="release")  # fmt: skip
    page = people["li.lei"].get("/mine").text
    assert "T-5" in page
    path = re.search(r'href="(/case/[^"]+)"', page)
    assert path is not None
    assert people["li.lei"].get(path[1].replace("&amp;", "&")).status_code == 200
    assert "T-5" not in people["wang.fang"].get("/mine").text


def test_a_lead_sees_the_shift_by_hour_and_person_without_a_whole_number(
    world: World, people: dict[str, Any]
) -> None:
    hand(world, people["li.lei"], "wang.fang")
    now_ms = world.store.at_ms
    for n, (name, ago_h) in enumerate((("li.lei", 9), ("li.lei", 1), ("wang.fang", 1),
                                       ("li.lei", 0))):  # fmt: skip
        world.store.at_ms = now_ms - ago_h * HOUR_MS
        world.store.papers.add_call(name, RECIPIENT, identified_by="none", same_caller=False,
                                    ticket=f"T-{n}", outcome="told")  # fmt: skip
    world.store.at_ms = now_ms
    lead = world.inside(DeskRole.LEAD, name="han.mei")
    page = lead.get("/shift").text
    hours = Counter({each[0]: each[2] for each in world.store.papers.count_calls(0)})
    assert len(hours) == 3
    assert re.findall(r'<td class="num">(\d+)', page) == ["2", "1", "2", "1"]
    assert "T-0" not in page
    assert RECIPIENT not in page
    assert "call her back" in page
    assert "T-0" in lead.get("/shift?hours=12").text
    assert lead.get("/shift?hours=x").status_code == 200
    assert people["li.lei"].get("/shift").status_code == 403
    assert [line["detail"] for line in world.ledger.of("view")].count("shift") == 3


def test_handovers_are_erased_with_their_number_and_with_age(
    world: World, people: dict[str, Any]
) -> None:
    hand(world, people["li.lei"], "wang.fang")
    papers, days = world.store.papers, world.settings.desk.papers_days
    papers.hand_over("li.lei", "wang.fang", f"as with {RECIPIENT}", recipient="8613800000002",
                     episode_id="1:t:0:9")  # fmt: skip
    erase(world.store, RECIPIENT, even_open=True)
    (left,) = papers.list_handovers(0)
    assert RECIPIENT not in left.text
    world.store.at_ms += (days + 1) * DAY_MS
    assert forget(world.store, world.settings.desk, world.store.at_ms)["handovers"] == 1
