"""Scripts: what a text is written in, and which words of its languages stand where."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from detectors.recognise.rules.reading import look, read
from detectors.recognise.text.fold import fold, mask
from detectors.recognise.vocabulary.scripts import (
    _SCRIPTS,
    NAMING,
    WordKind,
    cues_of,
    last_name,
    scripts_of,
    typed_in,
)


def words(text: str) -> list[tuple[str, WordKind]]:
    found = sorted(word for script in scripts_of(text) for word in script.words(text))
    return [(text[word.start : word.end], word.kind) for word in found]


@pytest.mark.parametrize(
    ("text", "count"),
    [("your code", 1), ("000 000", 0), ("验证码", 1), ("код code", 2), ("รหัส", 1), ("", 0)],
)
def test_a_text_is_read_in_the_scripts_of_its_letters(text: str, count: int) -> None:
    assert len(scripts_of(text)) == count


@given(st.text(max_size=12) | st.text("a验가к ا0\U0001f600\ud800", max_size=6))
def test_looking_at_a_text_s_blocks_first_finds_the_same_scripts(text: str) -> None:
    assert scripts_of(text) == tuple(script for script in _SCRIPTS if script.present(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("your verification code is 0000", [("verification code", WordKind.NAMES)]),
        ("your code is 0000", [("code", WordKind.WEAK)]),
        ("您的验证码是0000", [("验证码", WordKind.NAMES)]),
        ("您的取件码是0000", [("取件码", WordKind.OTHERS)]),
    ],
)
def test_words_are_found_with_the_kind_of_their_number(
    text: str, found: list[tuple[str, WordKind]]
) -> None:
    assert words(text) == found


def test_words_stand_apart_where_the_script_sets_spaces() -> None:
    assert words("decoder") == []
    assert words("我的验证码在这里") == [("验证码", WordKind.NAMES)]


def test_a_denial_with_its_number_is_the_name_of_it() -> None:
    told = words("never share your code: 0000")
    assert [kind for _, kind in told] == [WordKind.WEAK]


def test_the_words_of_a_text_are_searched_once_and_not_again_for_each_sentence() -> None:
    """A hostile text of many sentences took three times as long as it takes now."""
    body = "".join(f"See line {letter}. " for letter in "abcdef")
    body += "Your parcel is at the counter. The code is 4829"
    (script,) = scripts_of(fold(body))
    script._hear.cache_clear()
    assert read(look(mask(body))).rule == "held"
    assert script._hear.cache_info().misses == 1


def test_words_of_a_part_of_a_text_are_those_between_its_ends() -> None:
    text = "do not share it. your login code"
    end = text.index(".")
    assert cues_of(text) == (True, True)
    assert cues_of(text, 0, end) == (False, True)
    assert cues_of(text, end) == (True, False)
    assert not typed_in(text, 0, end)


def test_the_last_name_is_the_end_of_the_last_word_that_only_codes_have() -> None:
    assert last_name("verification code: 0000, code") == len("verification code")
    assert last_name("code only") == 0


def test_cues_are_looked_for_in_all_scripts_of_a_text() -> None:
    text = "验证码 log in, не сообщайте"
    assert cues_of(text) == (True, True)
    assert cues_of("hello") == (False, False)
    assert typed_in("enter it in the app") is True
    assert typed_in("hello") is False


def test_only_names_and_weak_words_may_name_a_code() -> None:
    assert set(NAMING) == {WordKind.NAMES, WordKind.WEAK}
