"""Tables of figures: every row as wide as its head, whatever the history was."""

from __future__ import annotations

import numpy as np
import pytest

from streams.tools.calibrate import data_tables as tables
from streams.tools.calibrate.peaks import COUNTS, NOVELS
from streams.tools.calibrate.rehearse import Rehearsal
from streams.tools.calibrate.result import Result
from tests.builders.streams.tools.calibrate.result import result_of
from tests.builders.streams.tools.calibrate.survey import people, surveyed


@pytest.fixture(scope="module")
def result() -> Result:
    made = result_of(surveyed(people(20)))
    made.margins = [(0.0, Rehearsal(10, 0, float("inf"), float("inf"), np.zeros(121, np.int64)))]
    return made


def test_rows_fit_their_heads(result: Result) -> None:
    for head, rows in (
        (tables.WHAT_IF, tables.what_if(result)), (tables.PRICE, tables.price(result)),
        (tables.PEAKS, tables.peaks(result)), (tables.GRID, tables.grid(result)),
        (tables.PACE, tables.pace(result)), (tables.KNOWN, tables.tabulate_known(result)),
        (tables.NOVELTY, tables.novelty(result)),
        *((tables.COUNTED, tables.tabulate_count(result, rule)) for rule in COUNTS),
    ):  # fmt: skip
        assert rows
        assert {len(row) for row in rows} == {len(head)}


def test_an_attack_that_is_always_missed_has_no_minutes(result: Result) -> None:
    assert tables.price(result)[0][1:] == ("-", "-", "100.0 %")


def test_fewer_are_over_higher_bars(result: Result) -> None:
    over = tables.over_pairs(result, tables.BARS)
    assert over.shape == (len(NOVELS), len(tables.BARS))
    assert (np.diff(over, axis=1) <= 0).all()
