"""The tables of words as they are loaded: branches split, stems with room for their endings."""

from __future__ import annotations

import re
import tomllib

import pytest

from detectors.recognise.lexicon import any_of
from detectors.recognise.shipped import read_data
from detectors.recognise.words import LANGUAGES, STEMS, Language, all_words, load, load_stems

FIELDS = [field for field in Language.__slots__ if field not in ("lang", "apart")]


def table(**words: str) -> str:
    cells = {**dict.fromkeys(FIELDS, ""), **words}
    return "[xx]\napart = true\n" + "\n".join(f"{k} = '''{v}'''" for k, v in cells.items())


def test_words_are_split_at_bars_and_may_go_on_in_the_next_line() -> None:
    (row,) = load(table(names="one(?:a|b)|\n  two", example="a|b"))
    assert row.names == ("one(?:a|b)", "two")
    assert row.example == "a|b", "an example is one text"


def test_a_language_without_a_column_is_refused() -> None:
    with pytest.raises(TypeError):
        load("[xx]\napart = true\nnames = 'a'")


def test_stems_have_room_for_their_endings_but_where_no_spaces_are() -> None:
    latin, khmer = load_stems(
        "[xx]\nscript='latin'\nweak='kood'\n[km]\nscript='khmer'\nweak='kood'"
    )
    assert khmer.words["weak"] == ("kood",)
    pattern = any_of(latin.words["weak"])
    assert pattern.fullmatch("koodiga")
    assert not pattern.fullmatch("kood" + "x" * 7)


def test_a_stem_that_says_where_it_ends_has_no_other_ending() -> None:
    (row,) = load_stems("[xx]\nscript='latin'\nweak='kod(?=[a ])'")
    assert row.words["weak"] == ("kod(?=[a ])",)


def test_stems_are_folded_as_texts_are() -> None:
    (row,) = load_stems("[xx]\nscript='khmer'\nweak='CÓDIGO'")
    assert row.words["weak"] == ("codigo",)


def test_no_language_stands_in_the_tables_twice() -> None:
    langs = [row.lang for row in LANGUAGES] + [row.lang for row in STEMS]
    assert len(langs) == len(set(langs))
    assert len(LANGUAGES) == len(tomllib.loads(read_data("words")))


def test_all_words_of_a_kind_are_patterns_that_compile() -> None:
    for field in ("names", "weak", "spam", "leave", "says"):
        words = all_words(field)
        assert words
        for word in words:
            re.compile(word)
