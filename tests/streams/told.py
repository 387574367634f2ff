"""Reads what a page and its pictures tell to people who cannot see them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Final

from streams.common.page import PALETTE, language_of
from streams.common.picture import Picture
from tests.builders.streams.common.page import GROUNDS, contrast

SVG: Final = "{http://www.w3.org/2000/svg}"
VOID: Final = {"meta", "br", "hr", "img", "input", "link"}


def assert_tells(picture: Picture) -> None:
    """Letters are text that stands out; name, description, figures are there; ids are its own."""
    ids: list[str] = []
    for svg in filter(None, (picture.wide, picture.narrow)):
        root = ET.fromstring(svg)
        assert root.tag == f"{SVG}svg"
        assert root.get("role") == "img"
        named = {e.get("id"): "".join(e.itertext()) for e in root.iter() if e.get("id")}
        label, description = (named[each] for each in root.get("aria-labelledby", "").split())
        assert label.startswith(picture.title)
        assert description == picture.description
        texts = list(root.iter(f"{SVG}text"))
        assert texts
        for text in texts:
            ink = (text.get("style") or "").partition("fill: ")[2].partition(";")[0] or "#000000"
            if ink in ("#000000", "#ffffff"):
                continue  # chosen by the ground it stands on
            assert min(contrast(ink, PALETTE[ground]) for ground in GROUNDS) >= 4.5, ink
        assert not list(root.iter(f"{SVG}image")), "no pixels"
        ids += [str(e.get("id")) for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert picture.table or picture.head
    assert all(len(row) == len(picture.head) for row in picture.rows)


class _Languages(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str | None] = []
        self.untold: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(dict(attrs).get("lang"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        language = next((each for each in reversed(self.open) if each), None)
        if (wanted := language_of(data)) and not (language or "").startswith(wanted):
            self.untold.append(data)


def untold_languages(page: str) -> list[str]:
    """Texts in an East Asian script in no element that says so."""
    parser = _Languages()
    parser.feed(page)
    return parser.untold
