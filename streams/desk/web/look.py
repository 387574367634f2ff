"""The console's look: one style sheet in two lights, and files that a browser may keep for ever."""

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
"""Colours where a person's machine is set to dark, with the contrasts that `PALETTE` has."""

_KINDS: Final = MappingProxyType(
    {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
        "txt": "text/plain; charset=utf-8",
    }
)

SHIPPED: Final = ("htmx.js", "htmx-sse.js", "desk.js", "icon.svg", "htmx.LICENSE.txt")
"""Files that are served as they are, beside the style sheet."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file of the console; its address changes with its bytes."""

    name: str
    body: bytes
    kind: str

    @property
    def path(self) -> str:
        """The address."""
        return f"/static/{hashlib.sha256(self.body).hexdigest()[:16]}/{self.name}"


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Name -> file, read once; the style sheet is made from the palettes."""
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
