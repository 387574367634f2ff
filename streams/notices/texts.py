"""Texts of notices to victims: read, checked at their largest values, and filled in.

A notice is one part of a message: a flooded phone gets no more than one message from us, and a
part that is lost would leave half a warning. It holds no link and no number, and our own
recogniser may not take it for a verification code: it would be refused under the lease it tells of.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Final, Literal
from zoneinfo import ZoneInfo

from detectors.recognise.recogniser import recognise
from detectors.recognise.registry import Registry
from streams.clock import zone_named
from streams.errors import ConfigError
from streams.files import read_toml
from streams.language import tr

TextName = Literal["start", "start_reply", "opened", "end", "released"]
TEXT_NAMES: Final[tuple[TextName, ...]] = ("start", "start_reply", "opened", "end", "released")

UCS2_MAX: Final = 70
PLAIN_MAX: Final = 160
"""Units in one part of a message, which has 140 octets (3GPP TS 23.038)."""
COUNT_MAX: Final = 999
"""Larger counts are written `999+`: the length of a text is known before there is a flood."""

_PLAIN: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 !\"#%&'()*+,-./:;<=>?\n"
)
"""Characters with the same code in ASCII, in Latin 1 and in GSM's default alphabet, one septet
each: whatever an SMSC takes data coding 0 to be, it reads these."""

_FIELDS: Final = frozenset({"operator", "time", "messages", "platforms", "command"})
_LINK: Final = re.compile(r"://|www\.|[A-Za-z0-9]\.[A-Za-z]{2,}|@")
_NUMBER: Final = re.compile(r"\d{3,}")
_SENDERS: Final = ("10086", "10690012345678", "Notice", "")
"""Senders beside the operator's own that a text is tried with: a port, an unknown one, a name."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Values that a text may name. `at_ms` is the time of the flood's first message."""

    at_ms: int = 0
    messages: int = 0
    platforms: int = 0


@dataclass(frozen=True, slots=True)
class NoticeTexts:
    """Checked texts of every language that may be needed, and who gets which."""

    operator: str
    operators: Mapping[str, str]  # tag -> the operator's name in that language
    zone: ZoneInfo
    command: str
    default: str  # BCP 47 tag
    by_prefix: Mapping[str, str]  # digits that a number begins with -> tag
    texts: Mapping[str, Mapping[str, str]]  # tag -> name -> template

    def name(self, language: str) -> str:
        """Return the operator's name in a language."""
        return self.operators.get(language, self.operator)

    def language(self, recipient: str) -> str:
        """Return the tag for a number: that of the longest prefix that fits, else the default."""
        fits = [prefix for prefix in self.by_prefix if recipient.startswith(prefix)]
        return self.by_prefix[max(fits, key=len)] if fits else self.default

    def written(self, name: str, language: str, facts: Facts) -> str:
        """Return the text with its values."""
        at = datetime.fromtimestamp(facts.at_ms / 1000, UTC).astimezone(self.zone)
        return self.texts[language][name].format(
            operator=self.name(language),
            time=f"{at:%H:%M}",
            messages=count(facts.messages),
            platforms=count(facts.platforms),
            command=self.command,
        )


def count(n: int) -> str:
    """A count, in four characters at most.

    >>> count(999), count(1000)
    ('999', '999+')
    """
    return str(n) if n <= COUNT_MAX else f"{COUNT_MAX}+"


def is_plain(text: str) -> bool:
    """Tell if every SMSC reads the text in its own default alphabet.

    >>> is_plain("Never pass on a code."), is_plain("勿转发"), is_plain("[1]")
    (True, False, False)
    """
    return _PLAIN.issuperset(text)


def units(text: str) -> tuple[int, int]:
    """Return how many units a text takes, and how many one part has.

    >>> units("ab"), units("您好"), units("a€"), units("😀")
    ((2, 160), (2, 70), (2, 70), (2, 70))
    """
    if is_plain(text):
        return len(text), PLAIN_MAX
    return len(text.encode("utf-16-be")) // 2, UCS2_MAX


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of this name, such as Asia/Shanghai. Raise ConfigError."""
    zone = zone_named(name)
    if zone is None:
        raise ConfigError(tr("notify.zone: no zone {name}; Asia/Shanghai is one").format(name=name))
    return zone


@lru_cache
def shipped() -> Mapping[str, Mapping[str, str]]:
    """The texts that come with the program, by language and name."""
    file = resources.files("streams.notices").joinpath("texts.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def read_texts(path: Path | None) -> dict[str, dict[str, str]]:
    """Return the shipped texts with those of a file over them. Raise ConfigError."""
    texts = {language: dict(own) for language, own in shipped().items()}
    if path is None:
        return texts
    try:
        given = read_toml(path)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            tr("notify.texts_file {path}: {error}").format(path=path, error=said)
        ) from None
    for language, own in given.items():
        strange = {*own} - {*TEXT_NAMES} if isinstance(own, dict) else {language}
        if strange or not all(isinstance(text, str) for text in own.values()):
            raise ConfigError(
                tr("notify.texts_file {path}: [{language}] may have {names}, each a text").format(
                    path=path, language=language, names=", ".join(TEXT_NAMES)
                )
            )
        texts.setdefault(language, {}).update(own)
    return texts


def checked(
    texts: Mapping[str, Mapping[str, str]],
    *,
    operator: str,
    operators: Mapping[str, str],
    zone: str,
    command: str,
    default: str,
    by_prefix: Mapping[str, str],
    names: tuple[str, ...],
    sender: str,
    registry: Registry,
) -> NoticeTexts:
    """Return the texts, each of which can be sent whatever its values. Raise ConfigError.

    `names` are those that will be needed. The registry is the operator's: by that, gateways ask if
    a text is a verification code.
    """
    if not operator.strip():
        raise ConfigError(
            tr("notify.operator is empty: a notice has to say from whom it is, such as 中国移动")
        )
    made = NoticeTexts(operator, operators, zone_of(zone), command, default, by_prefix, texts)
    for language in dict.fromkeys((default, *by_prefix.values())):
        for name in names:
            for wrong in problems(made, name, language, sender, registry):
                raise ConfigError(
                    tr("notice {name} in {language}: {wrong}").format(
                        name=name, language=language, wrong=wrong
                    )
                )
    return made


def problems(
    texts: NoticeTexts, name: str, language: str, sender: str, registry: Registry
) -> Iterator[str]:
    """Yield a sentence for everything that forbids a text; nothing if it can be sent."""
    template = texts.texts.get(language, {}).get(name)
    if template is None:
        yield tr("there is no such text; notify.texts_file may bring one")
        return
    try:
        fields = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    except ValueError as error:
        yield str(error)
        return
    if strange := sorted(fields - _FIELDS):
        yield tr("there is no value {names}").format(names=", ".join(strange))
        return
    if "operator" not in fields:
        yield tr("it does not say {operator}, from whom it is")
    literal = "".join(part for part, *_ in Formatter().parse(template))
    if _LINK.search(literal) or _LINK.search(texts.name(language)):
        yield tr("it has a link or an address, by which people learn to trust forged ones")
    if _NUMBER.search(literal):
        yield tr("it has a number, by which people learn to trust forged ones")
    try:
        largest = texts.written(name, language, Facts(0, COUNT_MAX + 1, COUNT_MAX + 1))
    except ValueError as error:  # a value is told to look like a number, and is a string
        yield str(error)
        return
    taken, most = units(largest)
    if taken > most:
        yield tr(
            "at its largest values it takes {taken} units and one part holds {most}: shorten it, "
            "or the name in notify.operator or notify.operators"
        ).format(taken=taken, most=most)
    smallest = texts.written(name, language, Facts(0, 1, 1))
    for text in (largest, smallest):
        if any(recognise(registry, text, each).otp for each in (sender, *_SENDERS)):
            yield tr("gateways would take it for a verification code, and refuse it with them")
            return
