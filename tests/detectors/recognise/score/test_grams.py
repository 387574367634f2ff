"""Pieces of texts: digits as figures, nothing over an edge, all texts at once as one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from detectors.recognise.score.grams import GRAM_CHARS, NOWHERE, RUN_MAX, hashes, sums, view

TEXTS = st.lists(st.text("ab 12\0验é", max_size=20), min_size=1, max_size=5)
WEIGHTS = np.append(np.arange(NOWHERE) % 251 - 125, 0).astype(np.int8)


def seen(text: str) -> str:
    """One text as the model sees it, without its edges."""
    return "".join(map(chr, view([text]).letters.tolist()))[1:-1]


def test_a_run_of_digits_is_its_length_as_one_figure() -> None:
    assert seen("code 482913 in 5") == "code 6 in 1"
    assert seen("12" * 20) == str(RUN_MAX)
    assert seen("no digits") == "no digits"


def test_texts_lie_behind_one_another_with_an_edge_between() -> None:
    both = view(["a12", "", "b"])
    assert "".join(map(chr, both.letters.tolist())) == "\0a2\0\0b\0"
    assert both.starts.tolist() == [1, 4, 5]
    assert both.lengths.tolist() == [2, 0, 1]


@given(TEXTS)
def test_texts_together_sum_to_what_each_sums_to_alone(texts: list[str]) -> None:
    together = sums(view(texts), WEIGHTS).tolist()
    assert together == [sums(view([text]), WEIGHTS).tolist()[0] for text in texts]


def pieces(folded: str) -> list[tuple[str, int]]:
    """Each piece of one text, with its index in the table."""
    whole = "\0" + seen(folded) + "\0"
    return [
        (whole[at : at + length], place)
        for length, places in hashes(view([folded]))
        for at, place in enumerate(places.tolist())
        if place < NOWHERE
    ]


@given(st.text("ab 1验", max_size=12))
def test_pieces_are_all_runs_of_one_to_five_characters_with_an_edge_each_side(text: str) -> None:
    whole = "\0" + seen(text) + "\0"
    runs = [
        whole[at : at + length]
        for length in range(1, GRAM_CHARS + 1)
        for at in range(len(whole) - length + 1)
    ]
    expected = sorted(run for run in runs if run != "\0" and "\0" not in run[1:-1])
    told = pieces(text)
    assert sorted(piece for piece, _ in told) == expected
    assert all(0 <= place < NOWHERE for _, place in told)


def test_a_piece_has_one_place_wherever_it_stands() -> None:
    places = [dict(pieces(text))["code"] for text in ("code", "my code is", "验code")]
    assert len(set(places)) == 1
