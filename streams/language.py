"""Sentences for people, in their language and on their clock.

English and UTC until a program says otherwise: only `otpguard` itself does, from `--lang`, `--utc`
and the environment, and the desk for each request. Programs read English and UTC always: JSON,
topics, logs, metrics.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gettext import NullTranslations

NEAREST: Final = 3
"""Names suggested at most in place of a mistyped one."""
NEAR: Final = 0.7
"""Share of two names that is the same, from 0 to 1, if one may be meant by the other; difflib's."""

DOMAIN: Final = "otpguard"
ENGLISH: Final = "en"
CHINESE: Final = "zh-Hans"
LANGUAGES: Final[Mapping[str, str]] = {ENGLISH: "en", CHINESE: "zh_Hans"}
"""BCP 47 tag -> the catalogue's folder; English needs none, for it is what the messages are in."""

FOLDER: Final = Path(__file__).parent / "languages"

_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set counts, as in POSIX
_TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})


class _Voice:
    """The language and the clock of this process, where no request has its own."""

    tag = ENGLISH
    zone: tzinfo | None = UTC  # None: that of this machine


_asked: Final[ContextVar[tuple[str, tzinfo | None] | None]] = ContextVar("asked", default=None)
"""The language and the clock of the request at hand."""


def use(tag: str = ENGLISH, zone: tzinfo | None = UTC) -> None:
    """Speak this language of LANGUAGES from now on, on the clock of this zone (None: local)."""
    assert tag in LANGUAGES, tag
    _Voice.tag, _Voice.zone = tag, zone
    if tag == ENGLISH:
        return
    import gettext  # noqa: PLC0415 - start-up time; English needs none of it

    # The library of the command line asks for its own few sentences this way.
    os.environ["LANGUAGE"] = LANGUAGES[tag]
    gettext.bindtextdomain(DOMAIN, FOLDER)
    gettext.textdomain(DOMAIN)


@contextmanager
def speaking(tag: str, zone: tzinfo | None) -> Iterator[None]:
    """Speak this language on this clock inside the block, in this task or thread alone."""
    assert tag in LANGUAGES, tag
    before = _asked.set((tag, zone))
    try:
        yield
    finally:
        _asked.reset(before)


def spoken() -> str:
    """The tag of the language in use."""
    asked = _asked.get()
    return _Voice.tag if asked is None else asked[0]


def zone() -> tzinfo | None:
    """The zone of the clock in use; None: that of this machine."""
    asked = _asked.get()
    return _Voice.zone if asked is None else asked[1]


def matching(wanted: str) -> str | None:
    """The language that a tag or a locale's name asks for; None if there is none of it.

    >>> matching("zh_CN.UTF-8"), matching("zh"), matching("en-GB"), matching("zh_TW"), matching("C")
    ('zh-Hans', 'zh-Hans', 'en', None, None)
    """
    parts = wanted.partition(".")[0].partition("@")[0].replace("_", "-").lower().split("-")
    if parts[0] == "zh" and _TRADITIONAL.isdisjoint(parts):
        return CHINESE
    return ENGLISH if parts[0] == "en" else None


def preferred(environment: Mapping[str, str]) -> str:
    """The language that an environment asks for; English if it asks for none of ours.

    >>> preferred({"LANG": "zh_CN.UTF-8"}), preferred({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"})
    ('zh-Hans', 'en')
    """
    asked = next(filter(None, map(environment.get, _VARIABLES)), "")
    return matching(asked) or ENGLISH


def tr(message: str) -> str:
    """Return a message in the language in use; itself where there is no translation."""
    if (tag := spoken()) == ENGLISH or not message:
        return message
    return _translations(tag).gettext(message)


def trc(context: str, message: str) -> str:
    """Return a message that means something else elsewhere; `context` tells the meanings apart."""
    if (tag := spoken()) == ENGLISH:
        return message
    return _translations(tag).pgettext(context, message)


def trn(one: str, many: str, n: int) -> str:
    """Return the form of a message that goes with a number, with `{n}` filled in."""
    form = one if n == 1 else many
    if (tag := spoken()) != ENGLISH:
        form = _translations(tag).ngettext(one, many, n)
    return form.format(n=f"{n:,}")


def html(message: str, **values: object) -> Any:
    """Return a message that holds tags of ours, with values that are made harmless; for a page."""
    from markupsafe import Markup  # noqa: PLC0415 - only pages need it

    from streams.shown import in_page  # noqa: PLC0415

    harmless = {name: in_page(value) for name, value in values.items()}
    return Markup(tr(message)).format(**harmless)  # noqa: S704 - messages and catalogues are ours


def suggest(sentence: str, word: str, names: Iterable[str], form: str = "{}") -> str:
    """Return a sentence about a mistyped word, with the names that may be meant.

    >>> suggest("no command wrker", "wrker", ["worker", "phone"], "`otpguard {}`")
    'no command wrker. Did you mean `otpguard worker`?'
    """
    near = get_close_matches(word, list(names), NEAREST, NEAR)
    if not near:
        return sentence
    meant = listed([form.format(each) for each in near])
    return tr("{sentence} Did you mean {meant}?").format(
        sentence=f"{sentence.removesuffix('.')}.", meant=meant
    )


def listed(parts: Sequence[str]) -> str:
    """Join parts as a list is written: with commas, or with 、 in Chinese."""
    return ("、" if spoken() == CHINESE else ", ").join(parts)


def moment(at_ms: float) -> str:
    """Return a time for people, to the second, with the offset of its zone.

    >>> moment(1_772_422_380_000)
    '2026-03-02 03:33:00Z'
    """
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    if (here := zone()) is UTC:
        return f"{at:%Y-%m-%d %H:%M:%SZ}"
    at = at.astimezone(here)
    return f"{at:%Y-%m-%d %H:%M:%S}{_offset(at)}"


def zone_name(at_ms: float) -> str:
    """Return the zone of `moment` in a word, for the head of a column.

    >>> zone_name(0)
    'UTC'
    """
    if (here := zone()) is UTC:
        return "UTC"
    return f"UTC{_offset(datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(here))}"


def _offset(at: datetime) -> str:
    written = f"{at:%z}"
    return f"{written[:3]}:{written[3:5]}"


@lru_cache
def _translations(tag: str) -> NullTranslations:
    """Read a catalogue; raises FileNotFoundError if the package is not whole."""
    import gettext  # noqa: PLC0415 - start-up time

    return gettext.translation(DOMAIN, FOLDER, [LANGUAGES[tag]])
