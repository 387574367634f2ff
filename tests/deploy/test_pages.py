"""The pages that otpguard writes, as a browser shows and prints them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from streams.__main__ import app
from streams.demo.report import write_page
from streams.scenarios import DEFAULT_START_MS, Rates, generate, merged, ordinary
from tests.browser import browser, violations
from tests.enforce.services import CACHE, need
from tests.streams.demo.rehearsal import rehearse

pytestmark = pytest.mark.integration

WIDTHS: Final = (360, 1200)
DAY_MS: Final = 86_400_000
PICTURES: Final = CACHE / "pages"
"""Screens and prints of the last run, to be looked at."""


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports: a flood that is throttled, a calm history, one with attacks and near misses."""
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in ("demo", "calm", "attacked")}
    write_page(rehearse(seed=1, subscribers=500), found["demo"], "otpguard demo --seed 1")
    codes = Rates(marketing=0, courier=0, notices=0, personal=0)
    calm = list(ordinary(2000, DEFAULT_START_MS - DAY_MS, 1, duration_ms=2 * DAY_MS, rates=codes))
    attacks = [generate("A1", seed, recipient=seed) for seed in range(12)]
    phones = [generate("B2", seed, recipient=50 + seed) for seed in range(40)]
    for name, sides in (("calm", [calm]), ("attacked", [calm, *attacks, *phones])):
        history = folder / f"{name}.jsonl"
        history.write_text("\n".join(json.dumps(event.value) for event in merged(*sides)))
        words = ["calibrate", str(history), "-q", "--report", str(found[name])]
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    return found


def shown(opened: Browser, path: Path, width: int) -> Page:
    page = opened.new_page(viewport={"width": width, "height": 800})
    page.goto(path.as_uri())
    return page


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["demo", "calm", "attacked"])
def test_a_page_fits_its_screen_and_axe_finds_nothing(
    opened: Browser, pages: dict[str, Path], name: str, width: int
) -> None:
    page = shown(opened, pages[name], width)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}-{width}.png", full_page=True)
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert violations(page) == []
    page.close()


@pytest.mark.parametrize("name", ["demo", "calm", "attacked"])
def test_a_page_prints_on_two_sheets_at_most(
    opened: Browser, pages: dict[str, Path], name: str
) -> None:
    page = shown(opened, pages[name], 1200)
    PICTURES.mkdir(parents=True, exist_ok=True)
    sheet = PICTURES / f"{name}.pdf"
    page.pdf(path=sheet, prefer_css_page_size=True, print_background=True)
    said = subprocess.run(
        [need("pdfinfo", "poppler-utils"), sheet], capture_output=True, text=True, check=True
    ).stdout
    (count,) = [int(line.split()[1]) for line in said.splitlines() if line.startswith("Pages:")]
    assert count <= 2
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_letters_of_pictures_are_large_enough_to_read(
    opened: Browser, pages: dict[str, Path], width: int
) -> None:
    page = shown(opened, pages["attacked"], width)
    smallest = page.evaluate(
        """Math.min(...[...document.querySelectorAll('svg text')]
            .filter(each => each.getBoundingClientRect().height > 0)
            .map(each => parseFloat(getComputedStyle(each).fontSize)
                * each.ownerSVGElement.getBoundingClientRect().width
                / each.ownerSVGElement.viewBox.baseVal.width))"""
    )
    assert smallest >= 7
    page.close()


def test_axe_and_the_ruler_find_what_is_wrong(opened: Browser, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(
        "<!doctype html><html lang=en><title>x</title><main><h1>x</h1>"
        "<p style='color:#aaa;width:900px'>pale and wide</p></main>"
    )
    page = shown(opened, broken, 360)
    assert page.evaluate("document.documentElement.scrollWidth") > 360
    assert [each for each in violations(page) if each.startswith("color-contrast")]
    page.close()
