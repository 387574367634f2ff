"""The console's files: as they were published, and with the contrasts that people need."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import pytest

from streams.common.page import PALETTE
from streams.people.desk.render import DARK, SHIPPED, static_files
from tests.builders.streams.common.page import GROUNDS, SHAPES, WORDS, contrast

VENDORED = {
    "htmx.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "htmx-sse.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
    "htmx.LICENSE.txt": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
}
"""SHA-256 of htmx.org 4.0.1: dist/htmx.min.js, dist/ext/hx-sse.min.js, LICENSE."""


@pytest.mark.parametrize("name", VENDORED)
def test_htmx_is_what_was_published(name: str) -> None:
    body = files("streams.people.desk").joinpath("static", name).read_bytes()
    assert hashlib.sha256(body).hexdigest() == VENDORED[name]


def test_the_address_of_a_file_changes_with_its_bytes() -> None:
    found = static_files()
    assert set(found) == {*SHIPPED, "desk.css"}
    paths = [each.path for each in found.values()]
    assert len(set(paths)) == len(paths)
    assert all(hashlib.sha256(each.body).hexdigest()[:16] in each.path for each in found.values())


@pytest.mark.parametrize("palette", [PALETTE, DARK], ids=["light", "dark"])
def test_words_can_be_read_and_shapes_be_seen_in_both_lights(palette: dict[str, str]) -> None:
    assert set(palette) == set(PALETTE)
    for word in WORDS:
        for ground in GROUNDS:
            assert contrast(palette[word], palette[ground]) >= 4.5, (word, ground)
    for shape in SHAPES:
        assert contrast(palette[shape], palette["paper"]) >= 3, shape


def test_the_style_sheet_loads_nothing_and_the_script_evaluates_nothing() -> None:
    sheet = static_files()["desk.css"].body.decode()
    assert "url(" not in sheet
    assert "@import" not in sheet
    assert "{{" not in sheet
    script = static_files()["desk.js"].body.decode()
    assert not any(word in script for word in ("eval", "innerHTML", "Function"))
