"""Pages: made harmless, in the language asked for, with the ways that a person has."""

from __future__ import annotations

import re

import pytest

from streams.cases.store.roles import DeskRole
from streams.people.desk.render import PAGES, Flash, token, when
from streams.people.desk.rights import may
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
    assert 'value="&#34;&gt;&lt;b&gt;"' in token('"><b>')
    assert Flash("x").tone == "good"


def test_a_time_is_short_and_whole_for_whoever_points_at_it() -> None:
    assert when(NOW_MS, NOW_MS) == (
        '<time datetime="2027-01-15T08:00:00Z" title="2027-01-15 08:00:00Z">08:00:00</time>'
    )
    assert ">01-14 08:00:00<" in when(NOW_MS - 86_400_000, NOW_MS)
    assert ">01-15 08:00:00<" in when(NOW_MS)


def test_every_page_says_as_of_when_it_is_and_with_which_zone(world: World) -> None:
    world.flood()
    page = world.inside(DeskRole.AGENT).get("/").text
    assert "+08:00</p>" in page
    assert "秒前的状态" in page
    assert 'lang="zh-Hans"' in page
    assert "data-old" in page
