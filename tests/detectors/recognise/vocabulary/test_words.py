"""The tables of words as they are loaded: branches split, stems with room for their endings."""

from __future__ import annotations

import re
import tomllib

from detectors.recognise.text.shipped import read_data
from detectors.recognise.vocabulary.words import all_words, languages, load, stems
from tests.builders.detectors.recognise.patterns import any_of


def test_words_are_split_at_bars_and_may_go_on_in_the_next_line() -> None:
    (row,) = load("[xx]\nscript = 'latin'\nexample = 'a|b'\nnames = '''one(?:a|b)|\n  two'''")
    assert row.words == {"names": ("one(?:a|b)", "two")}, "an example is one text"


def test_stems_have_room_for_their_endings_but_where_no_spaces_are() -> None:
    latin, khmer = load(
        "[xx]\nscript='latin'\nweak='kood'\n[km]\nscript='khmer'\nweak='kood'", stems=True
    )
    assert khmer.words["weak"] == ("kood",)
    pattern = any_of(latin.words["weak"])
    assert pattern.fullmatch("koodiga")
    assert not pattern.fullmatch("kood" + "x" * 7)


def test_a_stem_that_says_where_it_ends_has_no_other_ending() -> None:
    (row,) = load("[xx]\nscript='latin'\nweak='kod(?=[a ])'", stems=True)
    assert row.words["weak"] == ("kod(?=[a ])",)


def test_stems_are_folded_as_texts_are() -> None:
    (row,) = load("[xx]\nscript='khmer'\nweak='CÓDIGO'", stems=True)
    assert row.words["weak"] == ("codigo",)


def test_no_language_stands_in_the_tables_twice() -> None:
    langs = [row.lang for row in (*languages(), *stems())]
    assert len(langs) == len(set(langs))
    assert len(languages()) == len(tomllib.loads(read_data("words")))


def test_all_words_of_a_kind_are_patterns_that_compile() -> None:
    for field in ("names", "weak", "spam", "leave", "says"):
        words = all_words(field)
        assert words
        for word in words:
            re.compile(word)
