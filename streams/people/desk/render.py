"""Renders pages from Jinja2 templates. All values are escaped."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jinja2
from markupsafe import Markup

from streams.cases.explanation import platform_name
from streams.common import CHINESE, ENGLISH, current_language, moment
from streams.common.language import zone_name
from streams.common.page import PALETTE, environment
from streams.people.desk.masks import mask_recipient
from streams.people.desk.rights import DeskRight
from streams.people.desk.timeline import hour


@dataclass(frozen=True, slots=True)
class NavPage:
    """One entry of the navigation bar."""

    path: str
    name: str
    right: DeskRight


PAGES: Final = (
    NavPage("/", "Search", DeskRight.SEARCH),
    NavPage("/mine", "My cases", DeskRight.SEARCH),
    NavPage("/live", "Live floods", DeskRight.LIVE),
    NavPage("/campaigns", "Campaigns", DeskRight.PLATFORMS),
    NavPage("/platforms", "Platforms", DeskRight.PLATFORMS),
    NavPage("/shift", "Shift", DeskRight.SHIFT),
    NavPage("/proposals", "Proposals", DeskRight.PROPOSE),
    NavPage("/proposals", "Proposals", DeskRight.APPROVE),
    NavPage("/audit", "Audit", DeskRight.AUDIT),
    NavPage("/health", "Health", DeskRight.HEALTH),
    NavPage("/users", "Accounts", DeskRight.USERS),
)


@dataclass(frozen=True, slots=True)
class Banner:
    """A warning under the navigation bar, shown on every page."""

    head: str
    text: str
    tone: str = "watch"  # watch | alarm


@dataclass(frozen=True, slots=True)
class Flash:
    """A message about the form that a person has just sent."""

    text: str
    tone: str = "good"  # good | bad


OTHERS: Final = {
    ENGLISH: {"tag": CHINESE, "name": "中文"},
    CHINESE: {"tag": ENGLISH, "name": "English"},
}
"""Language of a page -> the language to which it offers to switch."""


CSRF_FIELD: Final = Markup('<input type="hidden" name="csrf" value="{}">')


def render(template: str, now_ms: int, **values: Any) -> str:
    """Render a template in the current language. `now_ms` is the time that the page tells."""
    found = _templates().get_template(f"{template}.html.j2")
    return found.render(lang=current_language(), now_ms=now_ms, **values)


def page_file(template: str, now_ms: int, **values: Any) -> bytes:
    """Render a template as a page that needs no server and loads nothing from a network."""
    sheet = Markup(static_files()["desk.css"].body.decode())  # noqa: S704 - our own file
    return render(
        template, now_ms, sheet=sheet, can=lambda _: False, Right=DeskRight, **values
    ).encode()


@cache
def _templates() -> jinja2.Environment:
    made = environment("streams.people.desk", "templates")
    made.filters.update(masked=mask_recipient, platform=platform_name)
    made.globals.update(
        moment=moment, when=when, zone_name=zone_name, age=AGE, hour=hour, number="{:,}".format,
        static=lambda name: static_files()[name].path,
    )  # fmt: skip
    return made


AGE: Final = Markup('<span data-age="">1</span>')
"""Placeholder in which a script shows the age of the page in minutes."""


def when(at_ms: float, now_ms: float = 0) -> Markup:
    """Format a time in short form, with the full time as a tooltip.

    On the same date as `now_ms` only the time of day is shown, else month and day too.
    """
    whole = moment(at_ms)
    short = hour(int(at_ms), seconds=True)
    if not now_ms or whole[:10] != moment(now_ms)[:10]:
        short = f"{whole[5:10]} {short}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        whole.replace(" ", "T", 1), whole, short
    )


DARK: Final[Mapping[str, str]] = {
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
"""Colours for dark mode, with the same contrasts as `PALETTE` for light mode."""

_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}

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
        return f"/static/{hashlib.sha256(self.body).hexdigest()[:16]}/{self.name}"


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return the static files by name. They are read once. Palettes go into the style sheet."""
    folder = files("streams.people.desk").joinpath("static")
    sheet = jinja2.Template(folder.joinpath("desk.css.j2").read_text("utf-8"))
    bodies = {name: folder.joinpath(name).read_bytes() for name in SHIPPED}
    bodies["desk.css"] = sheet.render(light=PALETTE, dark=DARK).encode()
    return {
        name: StaticFile(name, body, _KINDS[name.rpartition(".")[2]])
        for name, body in bodies.items()
    }
