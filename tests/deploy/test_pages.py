"""The pages that otpguard writes, as a browser shows and prints them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from streams.__main__ import app
from streams.cases.network_views import campaign_lines, map_floods
from streams.common.language import use
from streams.people.desk import call_view
from streams.people.desk.render import page_file
from streams.tools.demo.run_report import write_page
from streams.tools.scenarios import DEFAULT_START_MS, Rates, generate, merge_streams, ordinary
from tests.browser import browser, complaints, violations
from tests.builders.streams.cases.standing import model_of
from tests.enforce.records import START_MS
from tests.enforce.services import CACHE, need
from tests.streams.cases.store.filled import acked, campaign, flood, incident
from tests.streams.tools.demo.rehearsal import rehearse

pytestmark = pytest.mark.integration

WIDTHS: Final = (360, 1200)
DAY_MS: Final = 86_400_000
PAGES: Final = ("demo", "calm", "attacked", "demo-zh", "attacked-zh")
FILES: Final = ("case", "campaign", "case-zh", "campaign-zh")
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
    found = {name: folder / f"{name}.html" for name in PAGES}
    story = rehearse(seed=1, subscribers=500)
    write_page(story, found["demo"], "otpguard demo --seed 1")
    with speaking("zh-Hans"):
        write_page(story, found["demo-zh"], "otpguard demo --seed 1 --lang zh")
    codes = Rates(marketing=0, courier=0, notices=0, personal=0)
    calm = list(ordinary(2000, DEFAULT_START_MS - DAY_MS, 1, duration_ms=2 * DAY_MS, rates=codes))
    attacks = [generate("A1", seed, recipient=seed) for seed in range(12)]
    phones = [generate("B2", seed, recipient=50 + seed) for seed in range(40)]
    for name, sides in (("calm", [calm]), ("attacked", [calm, *attacks, *phones])):
        history = folder / f"{name}.jsonl"
        history.write_text("\n".join(json.dumps(event.value) for event in merge_streams(*sides)))
        words = ["calibrate", str(history), "-q", "--report"]
        done = CliRunner().invoke(app, [*words, str(found[name])], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    with speaking("zh-Hans"):
        done = CliRunner().invoke(app, [*words, str(found["attacked-zh"])], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of `explain --html` and `campaigns show --html`."""
    names = tuple(
        f"sig:{name}" for name in ["淘宝", "京东", "美团", "中国建设银行信用卡中心", "Booking.com"]
    )
    some = [flood(n, platforms=names, at_ms=START_MS - 70_000 * n)[0] for n in range(20)]
    record, lease = flood(platforms=names)
    model = model_of(record, lease, incident(record, 40), acked(lease), at_ms=START_MS + 60_000)
    told = campaign(platforms=names)
    found = {}
    for tag, name in (("en", ""), ("zh-Hans", "-zh")):
        with speaking(tag):
            case = call_view.view(model.case(record.episode_id), START_MS + 60_000)
            values = {"campaign": told, "lines": list(campaign_lines(told))[:5]}
            values["map"] = map_floods(told, some)
            for page, more in (("case", {"case": case | {"whole": case["number"]}}),
                               ("campaign", values)):  # fmt: skip
                path = found[f"{page}{name}"] = tmp_path_factory.mktemp("file") / f"{page}.html"
                path.write_bytes(page_file(f"{page}_file", START_MS + 60_000, **more))
    return found


@contextmanager
def speaking(tag: str) -> Iterator[None]:
    before = os.environ.get("LANGUAGE")
    use(tag)
    try:
        yield
    finally:
        use()
        os.environ.pop("LANGUAGE", None)
        if before is not None:
            os.environ["LANGUAGE"] = before


def shown(opened: Browser, path: Path, width: int) -> Page:
    page = opened.new_page(viewport={"width": width, "height": 800})
    page.goto(path.as_uri())
    return page


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_case_or_campaign_fits_and_needs_no_network(
    opened: Browser, files: dict[str, Path], name: str, width: int, scheme: Any
) -> None:
    context = opened.new_context(
        offline=True, viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    page = context.new_page()
    wrong, asked = complaints(page), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(files[name].as_uri())
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png", full_page=True)
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert violations(page) == []
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()


@pytest.mark.parametrize("name", PAGES)
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


@pytest.mark.parametrize("name", ["demo-zh", "attacked-zh"])
def test_a_page_is_in_its_language_letters_in_pictures_and_all(
    opened: Browser, pages: dict[str, Path], name: str
) -> None:
    page = shown(opened, pages[name], 1200)
    unfold(page)
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    for where in ("svg text, svg title, svg desc", "h1, h2, h3, th, summary, figcaption"):
        said = page.evaluate(
            f"[...document.querySelectorAll('{where}')].map(each => each.textContent)"
        )
        assert said
        english = [each for each in said if re.search("[A-Za-z]{3}", TYPED.sub("", each))]
        assert english == []
    page.close()


TYPED: Final = re.compile("CLEAR|WATCH|THROTTLE|JSON|otpguard|Kafka|[A-Za-z]*[._][a-z_.]+|--[a-z]+")
"""Levels, settings and commands stay as they are typed."""


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
