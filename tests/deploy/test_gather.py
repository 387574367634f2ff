"""The guides as one site: `make site` builds it, and it needs no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest

from deploy.site import gather
from deploy.site.gather import LINK, OWN, adapt_link, find_guides, place
from tests.browser import browser
from tests.builders.deploy.desk_pages import ON_SITE, PICTURES
from tests.deploy.tools import ROOT

SITE: Final = ROOT / "dist/site"
MKDOCS: Final = ROOT / ".cache/site/venv/bin/mkdocs"
ROLES: Final = ("engineer", "noc", "agent", "bank", "police")


def adapted(link: str, guide: str, url: str) -> str:
    found = LINK.fullmatch(link)
    assert found, link
    return adapt_link(found, guide, url)


@pytest.mark.parametrize(
    ("link", "guide", "url", "expected"),
    [
        ("[store](../store.md#a)", "deploy/desk/README.md", "x", "[store](../store.md#a)"),
        ("[x](deploy/README.md)", "README.md", "project.html", "[x](deploy/README.md)"),
        ("[x](../README.md)", "deploy/README.md", "x", "[x](../project.md)"),
        ("[books](../runbooks)", "deploy/grafana/README.md", "x", "[books](../runbooks/README.md)"),
        ("[deploy/prometheus](../prometheus)", "deploy/runbooks/README.md", "x",
         "`deploy/prometheus`"),
        ("[rules](../prometheus)", "deploy/runbooks/README.md", "x", "rules (`deploy/prometheus`)"),
        ("[中文](store.zh.md)", "deploy/store.md", "deploy/store.html",
         '<a href="../zh/deploy/store.html">中文</a>'),
        ("[English](README.md)", "deploy/README.zh.md", "zh/deploy/index.html",
         '<a href="../../deploy/index.html">English</a>'),
        # This page has no Chinese version, so it is also part of the Chinese half.
        ("[指南](deploy/README.zh.md)", "README.md", "zh/project.html",
         '<a href="../zh/deploy/index.html">指南</a>'),
        ("[gone](gone.md)", "deploy/store.md", "deploy/store.html", "[gone](gone.md)"),
        ("[gone](gone.py)", "deploy/store.md", "deploy/store.html", "[gone](gone.py)"),
    ],
)  # fmt: skip
def test_a_link_works_on_the_site(link: str, guide: str, url: str, expected: str) -> None:
    assert adapted(link, guide, url) == expected


def test_there_is_a_page_for_each_role_in_both_languages() -> None:
    pages = {guide.removeprefix(f"{OWN}roles/") for guide in find_guides() if OWN in guide}
    assert pages - {f"{OWN}index.md", f"{OWN}index.zh.md"} == {
        f"{role}{language}.md" for role in ROLES for language in ("", ".zh")
    }


def test_a_screen_is_the_newest_that_the_browser_tests_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gather.SCREENS == ROOT / PICTURES / "site"
    screens = {guide for guide in find_guides() if re.fullmatch(r"deploy/desk/.*\.png", guide)}
    assert screens == {f"deploy/desk/{screen}-zh.png" for screen in ON_SITE}
    monkeypatch.setattr(gather, "SCREENS", tmp_path)
    for guide in screens:
        assert gather.source(guide) == ROOT / guide
        made = tmp_path / Path(guide).name
        made.touch()
        assert gather.source(guide) == made
    assert gather.source("deploy/store.md") == ROOT / "deploy/store.md"


class Parsed(HTMLParser):
    """The anchors of a page, where its links lead, and what a browser loads with it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        if tag == "a":
            self.links.append(given.get("href", ""))
        else:
            self.loads += [given[name] for name in ("src", "href", "srcset") if name in given]


@pytest.fixture(scope="module")
def built() -> dict[Path, Parsed]:
    shutil.rmtree(SITE, ignore_errors=True)
    done = subprocess.run(["make", "site"], cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "WARNING" not in said
    return {page: Parsed(page) for page in SITE.rglob("*.html")}


@pytest.fixture
def address(built: dict[Path, Parsed]) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.integration
def test_every_guide_is_there_in_both_languages(built: dict[Path, Parsed]) -> None:
    guides = [guide for guide in find_guides() if guide.endswith(".md")]
    assert len(guides) > 80
    for guide in guides:
        page = place(guide.replace(".zh.md", ".md")).replace("README.md", "index.md")
        half = "zh/" if guide.endswith(".zh.md") else ""
        html = (SITE / half / page).with_suffix(".html").read_text(encoding="utf-8")
        title = re.search(r"(?<=^# ).*", (ROOT / guide).read_text(encoding="utf-8"), re.MULTILINE)
        assert title, guide
        heading = re.sub(r"<[^>]+>", "", html[html.index("<h1") : html.index("</h1>")])
        assert heading.startswith(title[0].replace("`", "").split("'")[0]), guide
        assert (SITE / "zh" / page).with_suffix(".html") in built, guide


@pytest.mark.integration
def test_every_link_leads_to_a_page_and_its_anchor(built: dict[Path, Parsed]) -> None:
    for page, parsed in built.items():
        for link in parsed.links:
            url = urlsplit(link)
            if url.scheme in ("http", "https"):
                continue
            start = SITE if url.path.startswith("/") else page.parent
            path = os.path.normpath(start / unquote(url.path).lstrip("/")) if url.path else page
            target = Path(path) / "index.html" if Path(path).is_dir() else Path(path)
            assert target in built or target.is_file(), f"{page}: {link}"
            assert target.suffix != ".md", f"{page}: {link}"
            if url.fragment and target in built:
                assert unquote(url.fragment) in built[target].anchors, f"{page}: {link}"


@pytest.mark.integration
def test_no_page_loads_anything_from_another_host(built: dict[Path, Parsed]) -> None:
    loads = {load for parsed in built.values() for load in parsed.loads}
    assert len(loads) > 10
    assert [load for load in loads if urlsplit(load).netloc] == []
    styles = [style.read_text(encoding="utf-8") for style in SITE.rglob("*.css")]
    assert styles
    assert [style for style in styles if re.search(r"(url\(|@import)\W*(https?:)?//", style)] == []


@pytest.mark.integration
@pytest.mark.parametrize(
    ("start", "words", "found"),
    [("index.html", "evidence packs", "deploy/evidence.html"),
     ("zh/index.html", "证据包", "zh/deploy/evidence.html")],
)  # fmt: skip
def test_a_reader_searches_and_nothing_leaves_the_machine(
    address: str, start: str, words: str, found: str
) -> None:
    with browser() as opened:
        page = opened.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + start)
        page.locator("input.md-search__input").fill(words)
        page.locator(f'.md-search-result a[href*="/{found}"]').first.wait_for()
        assert any("search_index.json" in url for url in asked)
        assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


@pytest.mark.integration
@pytest.mark.parametrize("link", ["gone.md", "README.md#gone"])
def test_a_broken_link_stops_the_build(
    built: dict[Path, Parsed], tmp_path: Path, link: str
) -> None:
    for guide in (*find_guides(), "deploy/site/gather.py", "deploy/site/mkdocs.yml"):
        (tmp_path / guide).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / guide, tmp_path / guide)
    with (tmp_path / "deploy/store.md").open("a") as page:
        page.write(f"\n[broken]({link})\n")
    command = [str(MKDOCS), "build", "--config-file", f"{tmp_path}/deploy/site/mkdocs.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(f"WARNING.*'deploy/store.md' contains a link '{link}'", done.stderr)
