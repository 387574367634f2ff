"""Pages: made harmless, in the language asked for, with the ways that a person has."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest

from streams.cases.store.roles import DeskRole
from streams.common import CHINESE
from streams.common.language import speaking
from streams.people.desk import call_view
from streams.people.desk.render import CSRF_FIELD, PAGES, Flash, page_file, when
from streams.people.desk.rights import may
from tests.builders.streams.people.desk.call_pages import found
from tests.enforce.records import RECIPIENT
from tests.streams.people.desk.world import World

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize("role", list(DeskRole))
def test_the_bar_shows_the_ways_that_a_role_has_and_no_other(world: World, role: DeskRole) -> None:
    page = world.inside(role).get("/account").text
    bar = re.search(r"<nav.*?</nav>", page, re.DOTALL)
    assert bar is not None
    shown = set(re.findall(r'href="([^"]+)"', bar[0]))
    assert shown == {each.path for each in PAGES if may([role], each.right)}


def test_a_token_is_a_field_and_no_more() -> None:
    assert 'value="&#34;&gt;&lt;b&gt;"' in CSRF_FIELD.format('"><b>')
    assert Flash("x").tone == "good"


def test_a_time_is_short_and_whole_for_whoever_points_at_it() -> None:
    assert when(NOW_MS, NOW_MS) == (
        '<time datetime="2027-01-15T08:00:00Z" title="2027-01-15 08:00:00Z">08:00:00</time>'
    )
    assert ">01-14 08:00:00<" in when(NOW_MS - 86_400_000, NOW_MS)
    assert ">01-15 08:00:00<" in when(NOW_MS)


def test_the_file_of_a_case_has_the_timeline_and_the_reasons_of_its_page(world: World) -> None:
    episode_id = world.flood()
    client = world.inside(DeskRole.AGENT)
    page = client.get(found(world, client)).text
    with speaking(CHINESE, ZoneInfo("Asia/Shanghai")):
        now_ms = world.desk.now_ms()
        case = call_view.view(world.store.case(episode_id), now_ms)
        file = page_file("case_file", now_ms, case={**case, "whole": case["number"]}).decode()
    pictures = re.findall(r"<svg class.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 2
    assert re.findall(r"<svg class.*?</svg>", file, re.DOTALL) == pictures
    why = re.search(r"<ul><li>.*?</ul>", page, re.DOTALL)
    assert why is not None
    assert why[0] in file
    assert RECIPIENT.removeprefix("86") not in file
    # The browser loads nothing but what is in the file.
    assert re.findall(r"""(?:src|href|action)=["'](?!data:,)""", file) == []
    assert "<script" not in file
    assert "url(" not in file


def test_every_page_says_as_of_when_it_is_and_with_which_zone(world: World) -> None:
    world.flood()
    page = world.inside(DeskRole.AGENT).get("/").text
    assert "+08:00</p>" in page
    assert "秒前的状态" in page
    assert 'lang="zh-Hans"' in page
    assert "data-old" in page
