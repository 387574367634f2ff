"""Clues: words, and what stands around numbers, each of its own text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.recognise import clues
from detectors.recognise.fold import fold, mask
from detectors.recognise.grams import NOWHERE, view

FOLDED = st.text(st.sampled_from("ab code验证码0012 \n\0é"), max_size=30).map(fold)


@given(FOLDED)
def test_every_clue_of_a_text_is_its_own(text: str) -> None:
    """Beside others a text has the clues that it has alone: none reaches over an edge."""
    told = clues.tokens(view(["1 code", text, "2 pin"]))
    alone = clues.tokens(view([text]))
    between = sorted(
        int(place)
        for clue in clues.clues(told)
        for place, owner in zip(clue.place, told.text[clue.at], strict=True)
        if owner == 1 and place < NOWHERE
    )
    assert between == sorted(
        int(at) for clue in clues.clues(alone) for at in clue.place if at < NOWHERE
    )


def test_capitals_are_told_from_small_letters_by_their_shape() -> None:
    folded = "text stop to 85069"
    capital, small = "text STOP to 85069", folded
    told = [
        {name for name, _, _ in clues.described(view([fold(mask(folded))], [mask(cased)]))}
        for cased in (capital, small)
    ]
    assert "CAPITALS short word 5" in told[0]
    assert "word short word 5" in told[1]
