"""The picture of a flood: every message in a bar, nothing in it that a strict policy refuses."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from hypothesis import given, strategies as st

from detectors.model.event import Trust
from streams.cases.store.answers import CaseEvent, Would
from streams.common.page import environment
from streams.people.desk.timeline import BINS, Mark, Timeline, bars, hour


def dot(at_ms: int, would: Would) -> CaseEvent:
    return CaseEvent(at_ms, "sig:甲平台", 1, novel=True, trust=Trust.NONE, would=would)


def draw(dots: Sequence[CaseEvent], marks: Sequence[Mark], title: str) -> str:
    templates = environment("streams.people.desk", "templates")
    flood = Timeline(title, *bars(dots), marks)
    return templates.get_template("timeline.html.j2").render(case={"timeline": flood}, hour=hour)


DOTS = st.lists(
    st.builds(dot, st.integers(1_700_000_000_000, 1_700_500_000_000),
              st.sampled_from(["pass", "refuse", ""])),
    max_size=50,
)  # fmt: skip


@given(DOTS)
def test_every_message_is_in_one_bar(dots: list[CaseEvent]) -> None:
    step, found = bars(dots)
    assert sum(sum(bar.counts) for bar in found) == len(dots)
    assert len(found) <= BINS
    for each in dots:
        assert any(bar.from_ms <= each.at_ms < bar.from_ms + step for bar in found)


@given(
    DOTS.filter(bool),
    st.lists(st.builds(Mark, st.integers(0, 1_800_000_000_000), st.text(max_size=12))),
)
def test_it_is_whole_xml_without_style_or_script(dots: list[CaseEvent], marks: list[Mark]) -> None:
    picture = draw(dots, marks, 'a <script>alert("1")</script> title')
    clean = "".join(each for each in picture if each.isprintable())
    root = ET.fromstring(f"<div>{clean}</div>")
    assert [each.tag for each in root] == ["div", "ul"]
    assert [each.tag for each in root[0]] == ["svg", "svg"]
    assert len(root.findall("./div/svg/rect")) == 2 * sum(
        n > 0 for bar in bars(dots)[1] for n in bar.counts
    )
    assert all("style" not in each.attrib for each in root.iter())
    assert "<script" not in picture


def test_a_long_flood_has_no_more_bars_than_a_page_has_room_for() -> None:
    day = 86_400_000
    _, found = bars([dot(at * day, "pass") for at in range(30)])
    assert len(found) <= BINS


def test_names_of_marks_that_would_cover_one_another_stand_in_rows() -> None:
    dots = [dot(1_700_000_000_000 + 1_000 * n, "refuse") for n in range(600)]
    marks = [Mark(1_700_000_060_000 + n, f"mark {n}") for n in range(5)]
    picture = draw(dots, marks, "title")
    assert [f"mark {n}" in picture for n in range(5)] == [True, True, True, False, False]


def test_a_legend_says_in_words_what_a_colour_means() -> None:
    assert "passes" in draw([dot(0, "pass")], [], "title")
    assert hour(0) == "00:00"
