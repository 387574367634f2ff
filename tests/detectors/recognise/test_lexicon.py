"""Many words as one pattern: the longest at each place, however the words are written."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.recognise.lexicon import any_of, branches


@given(
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=8),
    st.text("abc", max_size=12),
)
def test_a_tree_of_words_finds_the_longest_at_each_place(words: list[str], text: str) -> None:
    found = [match.span() for match in any_of(words).finditer(text)]
    place, expected = 0, []
    while place < len(text):
        ends = [place + len(word) for word in words if text.startswith(word, place)]
        if ends:
            expected.append((place, max(ends)))
        place = max(ends, default=place + 1)
    assert found == expected


@pytest.mark.parametrize("word", ["(?:a", "a|b)", "a("])
def test_a_word_with_unbalanced_brackets_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"bracket|cannot read"):
        any_of([word])


@pytest.mark.parametrize(
    ("word", "found", "missed"),
    [
        ("log(?:in|on) code", ["login code", "logoncode", "login\n code"], ["log code"]),
        ("(?:re)?set", ["reset", "set"], ["ret"]),
        ("codes?", ["code", "codes"], ["cod"]),
        ("a(?:b|c)+d", ["abd", "acbcd"], ["ad"]),
        (r"4\.0", ["4.0"], ["4x0"]),
        ("[kc]ode(?=s)", ["kodes", "codes"], ["code"]),
    ],
)
def test_a_word_is_a_small_regular_expression(
    word: str, found: list[str], missed: list[str]
) -> None:
    pattern = any_of([word, "zzz"])
    assert [bool(pattern.search(text)) for text in found] == [True] * len(found)
    assert [bool(pattern.search(text)) for text in missed] == [False] * len(missed)


def test_edges_stand_around_every_word() -> None:
    pattern = any_of(["pin", "code"], "(?<![a-z])", "(?![a-z])")
    assert [match[0] for match in pattern.finditer("pins pin, codes code")] == ["pin", "code"]


def test_words_that_begin_in_very_many_ways_are_asked_for_in_groups() -> None:
    words = [chr(0x4E00 + i) + "码" for i in range(200)] + ["[ab]c"]
    pattern = any_of(words)
    assert all(pattern.fullmatch(word) for word in words[:-1])
    assert pattern.fullmatch("bc")
    assert not pattern.search("码")
    assert "(?=" in pattern.pattern


def test_groups_that_would_make_too_many_spellings_stay_one() -> None:
    pattern = any_of(["x" + "(?:a|b)" * 9])
    spellings = ["x" + "".join(letters) for letters in product("ab", repeat=9)]
    assert all(pattern.fullmatch(spelling) for spelling in spellings)
    assert not pattern.fullmatch("xabababab")
    assert len(pattern.pattern) < len(any_of(spellings).pattern) / 3


def test_no_word_at_all_finds_only_nothing() -> None:
    assert re.sub(any_of([]), "", "code") == "code"


def test_branches_are_split_outside_of_groups_alone() -> None:
    assert branches("a|(?:b|c)d|e") == ["a", "(?:b|c)d", "e"]
    assert branches("") == [""]
