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
    told = sum(int(WEIGHTS[place]) / by for _, place, by in clues.described(seen))
    assert clues.sums(seen, WEIGHTS)[0] == pytest.approx(told)


def test_capitals_are_told_from_small_letters_by_their_shape() -> None:
    folded = "text stop to 85069"
    capital, small = "text STOP to 85069", folded
    told = [
        {name for name, _, _ in clues.described(view([fold(mask(folded))], [mask(cased)]))}
        for cased in (capital, small)
    ]
    assert "CAPITALS short word 5" in told[0]
    assert "word short word 5" in told[1]
