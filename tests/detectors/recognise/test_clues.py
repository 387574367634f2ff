"""Clues: words, and what stands around numbers, each of its own text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.recognise import clues
from detectors.recognise.fold import fold, mask
from detectors.recognise.grams import NOWHERE, view

WEIGHTS = np.append(np.arange(NOWHERE) % 251 - 125, 0).astype(np.int8)
FOLDED = st.text(st.sampled_from("ab code验证码0012 \n\0é"), max_size=30).map(fold)


@given(FOLDED)
def test_every_clue_of_a_text_is_its_own(text: str) -> None:
    """Beside others a text has the clues that it has alone: none reaches over an edge."""
    told = clues.tokens(view(["1 code", text, "2 pin"]))
    alone = clues.tokens(view([text]))
    between = sorted(
        int(place)
        for clue in clues.clues(told)
        for place, owner in zip(clue.place, told.owners()[clue.at], strict=True)
        if owner == 1 and place < NOWHERE
    )
    assert between == sorted(
        int(at) for clue in clues.clues(alone) for at in clue.place if at < NOWHERE
    )


@given(st.lists(FOLDED, min_size=1, max_size=4))
def test_clues_of_texts_together_weigh_what_those_of_each_weigh_alone(texts: list[str]) -> None:
    together = clues.sums(view(texts), WEIGHTS).tolist()
    assert together == [clues.sums(view([text]), WEIGHTS).tolist()[0] for text in texts]


@given(FOLDED)
def test_a_text_weighs_the_sum_of_its_clues(text: str) -> None:
    """Forms hashed in one go are those that are told one by one."""
    seen = view([text])
    told = sum(int(WEIGHTS[place]) / by for _, place, by in clues.describe_clues(seen))
    assert clues.sums(seen, WEIGHTS)[0] == pytest.approx(told)


def test_capitals_are_told_from_small_letters_by_their_shape() -> None:
    folded = "text stop to 85069"
    capital, small = "text STOP to 85069", folded
    told = [
        {name for name, _, _ in clues.describe_clues(view([fold(mask(folded))], [mask(cased)]))}
        for cased in (capital, small)
    ]
    assert "CAPITALS short word 5" in told[0]
    assert "word short word 5" in told[1]


@given(st.lists(FOLDED, min_size=1, max_size=3))
def test_runs_of_shapes_are_all_that_hold_a_number_and_reach_over_no_edge(texts: list[str]) -> None:
    """An edge may begin a run or end it: what stands first and last in a text tells something."""
    told = clues.tokens(view(texts))
    every = np.arange(len(told.word))
    edges, numbers = set(told.edges.tolist()), set(told.numbers.tolist())
    expected = [
        (first, last)
        for length in range(2, 6)
        for first in range(len(told.word) - length + 1)
        for last in [first + length - 1]
        if numbers.intersection(range(first, last + 1))
        and not edges.intersection(range(first + 1, last))
    ]
    found = [
        (int(of[0]), int(of[-1]))
        for clue in clues.clues(told)
        if clue.family == 2 and len(clue.tokens) > 1
        for place, of in zip(
            clue.place, np.stack([every[each] for each in clue.tokens], axis=1), strict=True
        )
        if place < NOWHERE
    ]
    assert sorted(found) == sorted(expected)
