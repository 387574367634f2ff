"""Static files of the console: style sheet (light and dark), scripts, icon.

The URL of a file contains its digest, so browsers may cache the file without limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import jinja2

from streams.page import PALETTE

DARK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ink": "#e8edf2",
        "muted": "#a9b6c3",
        "line": "#33404d",
        "paper": "#1a222b",
        "page": "#11171d",
        "watch": "#f2b45c",
        "throttle": "#ff9299",
        "good": "#6fd3ab",
        "known": "#8fc1f2",
        "new": "#c9aef0",
        "pale": "#7d90a3",
        "faint": "#2a3540",
        "watch_tint": "#33280f",
        "throttle_tint": "#3a1a1e",
        "good_tint": "#12301f",
    }
)
"""Colours for dark mode, with the same contrasts as `PALETTE` for light mode."""

_KINDS: Final = MappingProxyType(
    {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
        "txt": "text/plain; charset=utf-8",
    }
)

SHIPPED: Final = ("htmx.js", "htmx-sse.js", "desk.js", "icon.svg", "htmx.LICENSE.txt")
"""Files that are served unchanged. The style sheet is rendered from a template."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One static file. Its URL path contains a digest of its bytes."""

    name: str
    body: bytes
    kind: str

    @property
    def path(self) -> str:
        """URL path of the file."""
        return f"/static/{hashlib.sha256(self.body).hexdigest()[:16]}/{self.name}"


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return the static files by name. They are read once. Palettes go into the style sheet."""
    folder = files("streams.desk.web").joinpath("static")
    sheet = jinja2.Template(folder.joinpath("desk.css.j2").read_text("utf-8"))
    bodies = {name: folder.joinpath(name).read_bytes() for name in SHIPPED}
    bodies["desk.css"] = sheet.render(light=PALETTE, dark=DARK).encode()
    return MappingProxyType(
        {
            name: StaticFile(name, body, _KINDS[name.rpartition(".")[2]])
            for name, body in bodies.items()
        }
    )
