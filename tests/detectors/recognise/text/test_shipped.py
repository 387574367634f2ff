"""Files that ship inside the package are read as text or as octets, and must be there."""

from __future__ import annotations

import tomllib

import pytest

from detectors.recognise.score.grams import NOWHERE
from detectors.recognise.text.shipped import read_data, shipped_octets


@pytest.mark.parametrize("name", ["words", "stems", "brands", "model"])
def test_a_shipped_table_is_toml(name: str) -> None:
    assert tomllib.loads(read_data(name))


def test_the_weights_are_a_byte_for_each_place_of_the_table() -> None:
    assert len(shipped_octets("model.weights")) == NOWHERE


def test_a_file_that_is_not_shipped_is_no_empty_table() -> None:
    with pytest.raises(FileNotFoundError):
        read_data("absent")
