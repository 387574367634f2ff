"""Many words are found in one pass: the longest at each place, however the words are written."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product

import pytest
from hypothesis import given, strategies as st

from detectors.recognise.text.lexicon import Words, branches
from tests.builders.detectors.recognise.patterns import any_of


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


@given(
    st.lists(st.lists(st.text("ab", min_size=1, max_size=6), max_size=6), min_size=1, max_size=3),
    st.sampled_from([("", ""), ("(?<![a-c])", "(?![a-c])")]),
    st.text("abc ", max_size=16),
)
def test_words_are_found_where_one_pattern_of_each_kind_finds_them(
    kinds: list[list[str]], edges: tuple[str, str], text: str
) -> None:
    words = Words(kinds, *edges)
    found = dict(words.places(text))
    whole = [any_of(some, *edges) for some in kinds]
    for place in range(len(text)):
        expected = [
            (kind, match.end())
            for kind, pattern in enumerate(whole)
            if (match := pattern.match(text, place))
        ]
        assert found.get(place, []) == expected
    prepared = Words(kinds, *edges)
    for _ in prepared.prepare():
        assert prepared.places(text) == words.places(text)
    assert not list(prepared.prepare())


FIRST = ["a", "b", "ab", "[ab]", "(?:a|bc)", "(?:b|)a", "(?<!a)b", "(?<!b )a"]
PARTS = [
    *("a", "b", "c", "ab", "[ab]", "[^a]", "b?", " "),
    *("(?:a|bc)", "(?:ab|(?:c|b)a)?", "(?:a|b)+", "(?<!a)", "(?<!b )"),
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(FIRST), st.lists(st.sampled_from(PARTS), max_size=4).map("".join)
        ).map("".join),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([("", ""), ("(?<![a-c])", "(?![a-c])")]),
    st.text("abc ", max_size=12),
)
def test_words_are_found_however_they_begin(
    words: list[str], edges: tuple[str, str], text: str
) -> None:
    """A word begins with plain characters, in all spellings of groups and classes."""
    text = re.sub(" +", " ", text)  # behind the first letters of a word one space may stand
    told = Words([[word] for word in words], *edges)
    found = {start: {kind for kind, _ in ends} for start, ends in told.places(text)}
    patterns = [any_of([word], *edges) for word in words]
    for place in range(len(text) + 1):
        kinds = {kind for kind, each in enumerate(patterns) if each.match(text, place)}
        assert found.get(place, set()) == kinds


def test_words_of_open_ended_kinds_may_go_on() -> None:
    words = Words(
        [["log", "abc"], ["log", "(?<!no )ab"]], "(?<![a-z])", "(?![a-z])", open_ended={1}
    )
    assert words.places("log logs blog") == [(0, [(0, 3), (1, 3)]), (4, [(1, 7)])]
    assert words.places("abc no abc") == [(0, [(0, 3), (1, 2)]), (7, [(0, 10)])]
    prefixed = Words([["log"], ["log"]], "(?<![a-z])", "(?![a-z])", "(?:al)?", open_ended={1})
    assert prefixed.places("allog, allogs") == [(0, [(0, 5), (1, 5)]), (7, [(1, 12)])]


def test_words_are_found_in_each_of_their_spellings() -> None:
    words = Words([["[验燕]证 ?码", "(?:a|o)[bc]d", "(?<!y)z"]])
    for text in ("验证码", "燕证 码", "abd", "ocd", "z"):
        assert words.places(text) == [(0, [(0, len(text))])]
    assert words.places("yz") == words.places("验码 od x") == Words([[]]).places("anything") == []


@pytest.mark.parametrize("word", ["[^a]b", "[a-z]+x", "(?:a|b)+", " code"])
def test_a_word_without_a_plain_beginning_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="plain character"):
        Words([[word]])


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
from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
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


def test_groups_that_would_make_too_many_spellings_stay_one() -> None:
    pattern = any_of(["x" + "(?:a|b)" * 9])
    spellings = ["x" + "".join(letters) for letters in product("ab", repeat=9)]
    assert all(pattern.fullmatch(spelling) for spelling in spellings)
    assert not pattern.fullmatch("xabababab")
    assert len(pattern.pattern) < len(any_of(spellings).pattern)


def test_no_word_at_all_finds_only_nothing() -> None:
    assert re.sub(any_of([]), "", "code") == "code"


def test_branches_are_split_outside_of_groups_alone() -> None:
    assert branches("a|(?:b|c)d|e") == ["a", "(?:b|c)d", "e"]
    assert branches("") == [""]
