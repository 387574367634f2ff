"""What all pages share: colours that can be told apart, text in the language that it is in."""

from __future__ import annotations

import itertools

import pytest

from streams.common.page import (
    PALETTE,
    environment,
    foreign,
)
from tests.builders.streams.common.page import GROUNDS, SHAPES, WORDS, contrast


@pytest.mark.parametrize(("ink", "ground"), list(itertools.product(WORDS, GROUNDS)))
def test_words_stand_out_from_every_ground(ink: str, ground: str) -> None:
    assert contrast(PALETTE[ink], PALETTE[ground]) >= 4.5


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_stand_out_from_paper(shape: str) -> None:
    assert contrast(PALETTE[shape], PALETTE["paper"]) >= 3


def test_a_text_is_marked_once_and_stays_harmless() -> None:
    marked = foreign("【淘宝】验证码 ****** and <b>\u202e인증 2")
    assert marked == (
        '<span lang="zh">【淘宝】验证码</span> ****** and &lt;b&gt;\\u202e'
        '<span lang="ko">인증</span> 2'
    )


def test_a_table_becomes_a_list_that_names_its_cells() -> None:
    page = environment().from_string(
        '{% from "common/page.html.j2" import table %}'
        '{{ table(("a", "<b>"), [("1", "淘宝")], numbers=(0,)) }}'
    )
    told = page.render()
    assert '<td role="cell" data-label="&lt;b&gt;"><span lang="zh">淘宝</span></td>' in told
    assert '<td role="cell" data-label="a" class="num">1</td>' in told
