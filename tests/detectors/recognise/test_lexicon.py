"""Many words as one pattern: the longest at each place, however the words are written."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.recognise.lexicon import _AT_MAX, Words, any_of, branches


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


def test_words_that_begin_alike_are_told_apart_where_the_other_came_first() -> None:
    words = Words([["aaab", "aaac"], ["aaa", "aaabb"]])
    for text in ("aaac aaab", "aaab aaac aaad", "aaabb aaac"):
        fresh = Words([["aaab", "aaac"], ["aaa", "aaabb"]])
        assert list(words.places(text)) == list(fresh.places(text))
    assert [start for start, _ in words.places("aaac aaab aaad")] == [0, 5, 10]


def test_what_is_remembered_of_beginnings_is_bounded_and_changes_nothing() -> None:
    words = Words([["acd"]])
    made_up = ["a" + "".join(each) for each in product("cdefghijklmnopqrstuvw", repeat=3)]
    assert len(made_up) > 2 * _AT_MAX
    places = list(words.places(" ".join(made_up)))
    assert 0 < len(words._at) <= _AT_MAX
    assert places == list(words.places(" ".join(made_up)))
    assert len(places) == sum(word.startswith("acd") for word in made_up)


@given(
    st.lists(st.lists(st.text("ab", min_size=1, max_size=6), max_size=6), min_size=1, max_size=3),
    st.sampled_from([("", ""), ("(?<![a-c])", "(?![a-c])")]),
    st.text("abc ", max_size=16),
)
def test_words_in_bundles_are_found_where_one_pattern_of_each_kind_finds_them(
    kinds: list[list[str]], edges: tuple[str, str], text: str
) -> None:
    bundled = Words(kinds, *edges)
    found = dict(bundled.places(text))
    whole = [any_of(words, *edges) if words else re.compile("(?!)") for words in kinds]
    for place in range(len(text)):
        expected = [
            (kind, match.end())
            for kind, pattern in enumerate(whole)
            if (match := pattern.match(text, place))
        ]
        assert found.get(place, []) == expected
    everything = [word for words in kinds for word in words]
    for start, _ in bundled.places(text):
        match = any_of(everything, *edges).match(text, start)
        assert match is not None
        assert bundled.longest(text, start, len(kinds)) == match.end()
        first = any_of(kinds[0], *edges).match(text, start)
        assert bundled.longest(text, start, 1) == (first.end() if first else 0)
    assert bundled.has_any(text) == bool(found)
    assert bundled.first(text) == min(found, default=None)
    places, fresh = list(bundled.places(text)), Words(kinds, *edges)
    for _ in fresh.prepare():
        assert list(fresh.places(text)) == places
    prepared = Words(kinds, *edges)
    for _ in prepared.prepare():
        pass
    compiled = set(prepared._bundles)
    assert list(prepared.places(text)) == places
    assert {key for key, some in prepared._bundles.items() if some} <= compiled
    assert not prepared._waiting


PARTS = [
    *("a", "b", "c", "ab", "[ab]", "[^a]", "b?", " "),
    *("(?:a|bc)", "(?:ab|(?:c|b)a)?", "(?:a|b)+", "(?<!a)", "(?<!b )"),
]


@given(
    st.lists(
        st.lists(st.sampled_from(PARTS), min_size=1, max_size=5).map("".join),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([("", ""), ("(?<![a-c])", "(?![a-c])")]),
    st.text("abc ", max_size=12),
)
def test_words_are_found_however_they_begin(
    words: list[str], edges: tuple[str, str], text: str
) -> None:
    """A word is written out when a text has what it begins with: by groups, classes, or nothing."""
    bundled = Words([[word] for word in words], *edges)
    found = {start: {kind for kind, _ in ends} for start, ends in bundled.places(text)}
    patterns = [any_of([word], *edges) for word in words]
    for place in range(len(text) + 1):
        kinds = {kind for kind, each in enumerate(patterns) if each.match(text, place)}
        assert found.get(place, set()) == kinds


def test_words_of_open_ended_kinds_may_go_on() -> None:
    words = Words(
        [["log", "abc"], ["log", "(?<!no )ab"]], "(?<![a-z])", "(?![a-z])", open_ended={1}
    )
    assert list(words.places("log logs blog")) == [(0, [(0, 3), (1, 3)]), (4, [(1, 7)])]
    assert list(words.places("abc no abc")) == [(0, [(0, 3), (1, 2)]), (7, [(0, 10)])]
    prefixed = Words([["log"], ["log"]], "(?<![a-z])", "(?![a-z])", "(?:al)?", open_ended={1})
    assert list(prefixed.places("allog, allogs")) == [(0, [(0, 5), (1, 5)]), (7, [(1, 12)])]


def test_words_in_bundles_are_found_in_each_of_their_spellings() -> None:
    bundled = Words([["[验燕]证 ?码", "(?:a|o)[bc]d", "[a-c]+x", "(?<!y)z"]])
    for text in ("验证码", "燕证 码", "abd", "ocd", "bcx", "z"):
        assert next(bundled.places(text)) == (
            0,
            [(0, len(text))],
        )
    assert not bundled.has_any("yz")
    assert not bundled.has_any("验码 od x")
    assert not Words([[]]).has_any("anything")


COMPILED = """
import re
import subprocess
import sys
chars, compile = 0, re.compile
def counted(pattern, flags=0):
    global chars
    chars += len(pattern)
    return compile(pattern, flags)
re.compile = counted
from detectors.recognise.recogniser import recognise
from detectors.recognise.registry import Registry
text = "Your Acme code is 482913. Never share it with anyone."
assert recognise(Registry.load_shipped(), text).otp
print(chars)
"""


@pytest.mark.slow
def test_the_first_text_compiles_little_more_than_the_words_it_may_hold() -> None:
    """All words in Latin letters are 700,000 characters of patterns: two seconds."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 150_000


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
