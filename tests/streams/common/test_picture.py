"""Pictures: the same bytes for the same figures, letters as text, ids of their own."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes

from streams.common.picture import Picture, draw_chart
from tests.streams.told import assert_tells

pytestmark = pytest.mark.slow  # the first picture of a process takes Matplotlib a second


def draw(axes: Axes, _narrow: bool) -> None:
    axes.plot([0, 1], [0, 2])
    axes.set_xlabel("一条线 <half>")


def picture(name: str = "one") -> Picture:
    return draw_chart(
        name, "Title & <more>", draw, wide=(8, 3), narrow=(4.3, 3), description="<a> line",
        head=("x",), rows=[("1",)],
    )  # fmt: skip


def test_a_picture_tells_what_it_shows_and_is_the_same_again() -> None:
    assert_tells(picture())
    assert picture() == picture()
    assert "一条线" in picture().wide


def test_two_pictures_share_no_id() -> None:
    assert "one-wide" in picture().wide
    assert "one-" not in picture("two").wide.replace("two-", "")
