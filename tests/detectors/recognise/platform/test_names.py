"""The table of names and of words that are none."""

from __future__ import annotations

import tomllib

import pytest

from detectors.recognise.platform.names import (
    WORDS,
    _stop,
    is_a_codes,
    is_plain,
    is_stop,
    load_names,
    names_a_code,
)
from detectors.recognise.text.fold import name_key
from detectors.recognise.text.shipped import read_data


def test_every_listed_name_is_written_as_a_key_and_stands_once() -> None:
    lines = tomllib.loads(read_data("brands"))["listed"].strip().splitlines()
    names = [name.lstrip("*") for line in lines for name in line.split()]
    assert len(names) > 900
    assert len({name_key(name) for name in names}) > len(names) - 30, "some fold to one another"
    assert all(name_key(name) for name in names)


def test_no_listed_name_is_a_word_that_is_none_unless_it_is_marked() -> None:
    first = {key for key, name in load_names().names.items() if key == name}
    assert not (first - load_names().ordinary) & WORDS["titles"]
    assert not (first - load_names().ordinary) & WORDS["payee"]


@pytest.mark.parametrize(
    "word", ["Your", "Ihren", "Вашего", "Państwa", "Você", "Montag", "Gracias", "Никому", "Wi"]
)
def test_what_is_said_to_people_is_no_name(word: str) -> None:
    assert is_stop(word)


def test_a_code_s_own_names_are_known() -> None:
    assert is_a_codes("Sicherheitscode")
    assert names_a_code("Verification")
    assert not names_a_code("Falkhof")
    assert not is_stop("Falkhof")


def test_what_strangers_write_is_remembered_within_bounds() -> None:
    """Each text may hold two dozen words that none held before."""
    for number in range(20_000):
        is_stop(f"w{number}")
        is_plain(f"w{number}")
    for cached in (_stop, is_plain):
        info = cached.cache_info()
        assert info.maxsize is not None
        assert info.currsize <= info.maxsize
