"""Patterns of the table: each compiles, is compiled once, and is used by its module."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from detectors.recognise.text import patterns
from detectors.recognise.text.patterns import prepare, section
from detectors.recognise.text.shipped import read_data

TABLE = tomllib.loads(read_data("patterns"))
FOLDER = Path(patterns.__file__).parents[1]


def test_a_pattern_is_compiled_once() -> None:
    assert section("gather").hint is section("gather").hint
    assert section("uncased").every("chinese") is section("uncased").every("chinese")


def test_a_section_has_no_attribute_but_its_patterns() -> None:
    assert not hasattr(section("gather"), "__wrapped__"), "what looks for doctests asks for it"


def test_every_pattern_compiles() -> None:
    assert len(list(prepare())) == sum(map(len, TABLE.values())) > 100


@pytest.mark.parametrize("name", TABLE)
def test_every_pattern_is_used_in_its_module(name: str) -> None:
    [path] = FOLDER.rglob(f"{name}.py")
    text = path.read_text("utf-8")
    used = set(re.findall(r"_SEEN\.(\w+)", text)) | set(re.findall(r'every\("(\w+)"\)', text))
    assert set(TABLE[name]) == used - {"every"}
