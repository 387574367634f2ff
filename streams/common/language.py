"""Messages for people, in their language and time zone.

The default is English and UTC. Only two places change it: the command `otpguard`, from `--lang`,
`--utc` and the environment, and the desk for each request. Output for programs is always English
and UTC: JSON, topics, logs, metrics.
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
NEAR: Final = 0.7
"""Share of two names that is the same, from 0 to 1, if one may be meant by the other; difflib's."""

DOMAIN: Final = "otpguard"
ENGLISH: Final = "en"
CHINESE: Final = "zh-Hans"
LANGUAGES: Final[Mapping[str, str]] = {ENGLISH: "en", CHINESE: "zh_Hans"}
"""BCP 47 tag -> folder of the catalogue. English has no catalogue, because the messages in the code
are English."""

FOLDER: Final = Path(__file__).parent / "languages"

# the first variable that is set wins, as in POSIX
_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})


class _Voice:
    """Language and time zone of this process, for code outside a request."""

    tag = ENGLISH
    zone: tzinfo | None = UTC  # None: this machine's time zone


_asked: Final[ContextVar[tuple[str, tzinfo | None] | None]] = ContextVar("asked", default=None)
"""Language and time zone of the current request."""


def use(tag: str = ENGLISH, zone: tzinfo | None = UTC) -> None:
    """Set the process's language, one of LANGUAGES, and its time zone (None: local)."""
    assert tag in LANGUAGES, tag
    _Voice.tag, _Voice.zone = tag, zone
    if tag == ENGLISH:
        return
    import gettext  # noqa: PLC0415 - start-up time; English needs none of it

    # typer's own messages are translated through these settings.
    os.environ["LANGUAGE"] = LANGUAGES[tag]
    gettext.bindtextdomain(DOMAIN, FOLDER)
    gettext.textdomain(DOMAIN)


@contextmanager
def speaking(tag: str, zone: tzinfo | None) -> Iterator[None]:
    """Use this language and time zone inside the block, in this task or thread only."""
    assert tag in LANGUAGES, tag
    before = _asked.set((tag, zone))
    try:
        yield
    finally:
        _asked.reset(before)


def current_language() -> str:
    """Return the tag of the current language."""
    asked = _asked.get()
    return _Voice.tag if asked is None else asked[0]


def zone() -> tzinfo | None:
    """Return the current time zone; None: this machine's."""
    asked = _asked.get()
    return _Voice.zone if asked is None else asked[1]


def matching(wanted: str) -> str | None:
    """Return the supported language for a tag or locale name; None if there is none.

    >>> matching("zh_CN.UTF-8"), matching("zh"), matching("en-GB"), matching("zh_TW"), matching("C")
    ('zh-Hans', 'zh-Hans', 'en', None, None)
    """
    parts = wanted.partition(".")[0].partition("@")[0].replace("_", "-").lower().split("-")
    if parts[0] == "zh" and _TRADITIONAL.isdisjoint(parts):
        return CHINESE
    return ENGLISH if parts[0] == "en" else None


def choose_language(environment: Mapping[str, str]) -> str:
    """Return the language that the environment selects; English if it is not supported.

    >>> choose_language({"LANG": "zh_CN.UTF-8"})
    'zh-Hans'
    >>> choose_language({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"})
    'en'
    """
    return matching(next(filter(None, map(environment.get, _VARIABLES)), "")) or ENGLISH


def tr(message: str) -> str:
    """Translate a message into the current language; return it unchanged without a translation."""
    if (tag := current_language()) == ENGLISH or not message:
        return message
    return _translations(tag).gettext(message)


def trc(context: str, message: str) -> str:
    """Return a message that means something else elsewhere; `context` tells the meanings apart."""
    if (tag := current_language()) == ENGLISH:
        return message
    return _translations(tag).pgettext(context, message)


def trn(one: str, many: str, n: int) -> str:
    """Return the plural form of a message for the number `n`, with `{n}` filled in."""
    form = one if n == 1 else many
    if (tag := current_language()) != ENGLISH:
        form = _translations(tag).ngettext(one, many, n)
    return form.format(n=f"{n:,}")


def html(message: str, **values: object) -> Any:
    """Translate a message with HTML tags, and insert escaped values."""
    from markupsafe import Markup  # noqa: PLC0415 - only pages need it

    from streams.common.shown import in_page  # noqa: PLC0415

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
    return tr("{sentence}. Did you mean {meant}?").format(
        sentence=sentence.rstrip(".。"), meant=join_list([form.format(each) for each in near])
    )


def join_list(parts: Sequence[str]) -> str:
    """Join parts as a list: with commas, or with 、 in Chinese."""
    return ("、" if current_language() == CHINESE else ", ").join(parts)


def moment(at_ms: float) -> str:
    """Format a time for people, to the second, with the UTC offset.

    >>> moment(1_772_422_380_000)
    '2026-03-02 03:33:00Z'
    """
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    if (here := zone()) is UTC:
        return f"{at:%Y-%m-%d %H:%M:%SZ}"
    at = at.astimezone(here)
    return f"{at:%Y-%m-%d %H:%M:%S}{_offset(at)}"


def zone_name(at_ms: float) -> str:
    """Return the time zone of `moment`, for a column heading.

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
    """Load a catalogue. Raise FileNotFoundError if the package is incomplete."""
    import gettext  # noqa: PLC0415 - start-up time

    return gettext.translation(DOMAIN, FOLDER, [LANGUAGES[tag]])
