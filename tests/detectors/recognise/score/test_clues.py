"""Clues: words, and what stands around numbers, each of its own text."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from detectors.recognise.score import clues
from detectors.recognise.score.grams import NOWHERE, view
from detectors.recognise.text.fold import fold

WEIGHTS = np.append(np.arange(NOWHERE) % 251 - 125, 0).astype(np.int8)
FOLDED = st.text(st.sampled_from("ab code验证码0012 \n\0é"), max_size=30).map(fold)


def places(told: clues.Tokens, text: int) -> list[int]:
    """Where the clues of a text are in the table."""
    return sorted(
        int(place)
        for clue in clues.clues(told)
        for form in clue.place
        for place, owner in zip(form, told.owners()[clue.at], strict=True)
        if owner == text and place < NOWHERE
    )


@given(FOLDED)
def test_every_clue_of_a_text_is_its_own(text: str) -> None:
    """Beside others a text has the clues that it has alone: none reaches over an edge."""
    told = clues.tokens(view(["1 code", text, "2 pin"]))
    alone = clues.tokens(view([text]))
    assert places(told, 1) == places(alone, 0)


@given(st.lists(FOLDED, min_size=1, max_size=4))
def test_clues_of_texts_together_weigh_what_those_of_each_weigh_alone(texts: list[str]) -> None:
    together = clues.sums(view(texts), WEIGHTS).tolist()
    assert together == [clues.sums(view([text]), WEIGHTS).tolist()[0] for text in texts]


def test_capitals_are_told_from_small_letters_by_their_shape() -> None:
    folded = fold("text stop to 85069")
    shapes = [clues.tokens(view([folded], [text])).shape.tolist()
              for text in ("text STOP to 85069", folded)]  # fmt: skip
    assert [a != b for a, b in zip(*shapes, strict=True)].count(True) == 1


@given(st.lists(FOLDED, min_size=1, max_size=3))
def test_runs_of_shapes_are_all_that_hold_a_number_and_reach_over_no_edge(texts: list[str]) -> None:
    """An edge may begin a run or end it: what stands first and last in a text tells something."""
    told = clues.tokens(view(texts))
    edges, numbers = set(told.edges.tolist()), set(told.numbers.tolist())
    expected = [
        length
        for length in range(2, 6)
        for first in range(len(told.word) - length + 1)
        if numbers.intersection(range(first, first + length))
        and not edges.intersection(range(first + 1, first + length - 1))
    ]
    runs = [clue.place for clue in clues.clues(told) if clue.family == 2][1:]
    found = [
        length + 2 for place in runs for length, form in enumerate(place)
        for _ in range(int((form < NOWHERE).sum()))
    ]  # fmt: skip
    assert sorted(found) == sorted(expected)
