"""Collect the guides of the checkout into one folder, from which MkDocs builds the site.

MkDocs calls the two `on_…` functions: one before it reads any page, one for each page. The guides
stay where they are, and only their copies change. A link that leads nowhere is left as it is, so
that MkDocs refuses to build.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
GATHERED: Final = ROOT / ".cache/site/pages"

FOLDERS: Final = ("deploy", "detectors", "streams", "tests")
KINDS: Final = (".md", ".png", ".svg")
OWN: Final = "deploy/site/pages/"
RENAMED: Final = {
    "README.md": "project.md",  # the site has a start page of its own
    "CHANGELOG.md": "changes.md",
    ".github/CONTRIBUTING.md": "contributing.md",  # MkDocs leaves out folders with a dot
}
SCREENS: Final = ROOT / ".cache/desk/site"
"""Where `make screens` puts the desk's screens, as the browser tests see them."""
FENCE: Final = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
TIGHT: Final = re.compile(r"^([^\s|#>\d-].*)\n(?=- |\d+\. |\|)", re.MULTILINE)
LINK: Final = re.compile(r"(?<!!)\[([^\]]*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)]*)?\)")


def find_guides() -> list[str]:
    """The pages and pictures that the site shows, as paths from the checkout's root."""
    found = (path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.*"))
    ours = (path for path in found if path.suffix in KINDS and "target" not in path.parts)
    return [*RENAMED, *sorted(path.as_posix() for path in ours)]


def source(guide: str) -> Path:
    """The file to copy: of a screen the newest one, where the browser tests ran."""
    screen = SCREENS / guide.removeprefix("deploy/desk/")
    return screen if screen.is_file() else ROOT / guide


def place(guide: str) -> str:
    """Where the site has a guide; the site's own pages are at its top."""
    return RENAMED.get(guide, guide.removeprefix(OWN))


def on_config(config: Any) -> Any:
    """Copy the guides into the folder that MkDocs reads."""
    shutil.rmtree(GATHERED, ignore_errors=True)
    for guide in find_guides():
        copy = GATHERED / place(guide)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source(guide), copy)
    config.docs_dir = str(GATHERED)
    return config


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Adapt a page: its links, and lists and tables that no empty line precedes."""
    guide = next(each for each in find_guides() if place(each) == page.file.src_uri)
    parts = FENCE.split(markdown)  # code is at odd places
    for n in range(0, len(parts), 2):
        parts[n] = LINK.sub(lambda link: adapt_link(link, guide, page.url), parts[n])
        parts[n] = TIGHT.sub(r"\1\n\n", parts[n])
    return "".join(parts)


def adapt_link(link: re.Match[str], guide: str, url: str) -> str:
    """A link that works on the site: a file without a page becomes its path, as code."""
    text, target = link[1], os.path.normpath(Path(guide).parent / link[2])
    if (ROOT / target / "README.md").is_file():
        target += "/README.md"
    if not target.endswith(KINDS) and (ROOT / target).exists():
        return f"`{target}`" if text.strip("`") == target else f"{text} (`{target}`)"
    anchor = link[3] or ""
    english = target.replace(".zh.md", ".md")
    chinese = english.replace(".md", ".zh.md")
    if target.endswith(".zh.md") != guide.endswith(".zh.md") and (ROOT / chinese).is_file():
        # MkDocs builds one language after the other, so no Markdown link leads to the other half.
        half = "" if target == english else "zh/"
        built = place(english).replace("README.md", "index.md").removesuffix(".md") + ".html"
        return f'<a href="{"../" * url.count("/")}{half}{built}{anchor}">{text}</a>'
    return f"[{text}]({os.path.relpath(place(target), Path(place(guide)).parent)}{anchor})"
