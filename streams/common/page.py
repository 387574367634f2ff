"""HTML pages in a single file without scripts, for screens, phones, print and screen readers."""

import re
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from streams.common.language import CHINESE, current_language, html, tr, trc, trn
from streams.common.shown import in_page

PALETTE: Final = {
    "ink": "#1b2733",
    "muted": "#556270",
    "line": "#e3e8ed",
    "paper": "#ffffff",
    "page": "#f4f6f8",
    "watch": "#8a5200",
    "throttle": "#b3202e",
    "good": "#0c6246",
    "known": "#22588f",
    "new": "#6b4796",
    "pale": "#8195a9",
    "faint": "#d9e0e7",
    "watch_tint": "#fff6e0",
    "throttle_tint": "#fdeaec",
    "good_tint": "#e3f3ec",
}
"""Colours of pages and pictures. Colours of text have a contrast of 4.5 on each ground, and colours
of shapes a contrast of 3 on paper. These are the limits of WCAG 2.2, 1.4.3 and 1.4.11. Tests name
the colours of each kind and check them."""

_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_KANA: Final = "\u3040-\u30ff"
_HANGUL: Final = "\uac00-\ud7af"
_EAST: Final = f"{_HAN}{_KANA}{_HANGUL}\u3000-\u303f\uff00-\uff64"
_RUN: Final = re.compile(rf"[{_EAST}](?:[{_EAST}\w*]*[{_EAST}])?")
_LANGUAGES: Final = (
    ("ko", re.compile(f"[{_HANGUL}]")),
    ("ja", re.compile(f"[{_KANA}]")),
    ("zh", re.compile(f"[{_HAN}]")),
)


def environment(package: str = "streams", folder: str = ".") -> jinja2.Environment:
    """Return the environment for the templates of a package. All inserted values are escaped."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(package, folder),
        autoescape=True,
        finalize=in_page,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    made.filters["foreign"] = foreign
    made.globals.update(
        palette=PALETTE, lang=current_language(), tr=tr, trc=trc, trn=trn, html=html
    )
    return made


def language_of(text: str) -> str | None:
    """Return the language of text in an East Asian script; None for other text.

    >>> [language_of(text) for text in ("听潮课堂", "인증번호", "確認コード", "ACME")]
    ['zh', 'ko', 'ja', None]
    """
    return next((name for name, script in _LANGUAGES if script.search(text)), None)


def foreign(value: Any) -> Markup:
    """Escape text and mark its East Asian parts with their language, for screen readers.

    On a Chinese page, Chinese text needs no mark.

    >>> foreign("its code of 听潮课堂, <new>")
    Markup('its code of <span lang="zh">听潮课堂</span>, &lt;new&gt;')
    """
    text = str(in_page(value))
    parts: list[str] = []
    at = 0
    for run in _RUN.finditer(text):
        language = language_of(run[0])
        if language is not None and not (language == "zh" and current_language() == CHINESE):
            marked = Markup('<span lang="{}">{}</span>').format(language, run[0])
            parts += [escape(text[at : run.start()]), marked]
            at = run.end()
    return Markup("").join([*parts, escape(text[at:])])
