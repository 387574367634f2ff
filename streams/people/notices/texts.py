"""Read the texts of notices to victims, check them at their largest values, and fill in values.

A notice fits into one SMS part: a flooded phone gets only one message from us, and with several
parts a lost part would leave half a warning. A text contains no link and no number. Our own
recogniser must not take a notice for a verification code. Otherwise gateways would refuse the
notice, under the same lease that the notice is about.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from streams.common import ConfigError, convert_toml, tr, zone_named
from streams.config.sections.notices import Notify

TextName = Literal["start", "start_few", "start_reply", "opened", "end", "released"]

UCS2_MAX: Final = 70
PLAIN_MAX: Final = 160
"""Maximum size of one SMS part (140 octets, 3GPP TS 23.038): UCS-2 units, and plain characters."""
COUNT_MAX: Final = 999
"""Larger counts are written `999+`. So the maximum length of a text is known in advance."""

_PLAIN: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 !\"#%&'()*+,-./:;<=>?\n"
)
"""Characters with the same code in ASCII, Latin 1 and the GSM default alphabet, one septet each.

Data coding 0 means a different alphabet at different SMSCs. All of them read these characters.
"""

_Texts = dict[str, dict[TextName, str]]  # what a file of texts may have, by language

_FIELDS: Final = frozenset({"operator", "time", "messages", "platforms", "command"})
_LINK: Final = re.compile(r"://|www\.|[A-Za-z0-9]\.[A-Za-z]{2,}|@")
_NUMBER: Final = re.compile(r"\d{3,}")
_SENDERS: Final = ("10086", "10690012345678", "Notice", "")
"""Senders, besides the configured sender, with which the recogniser checks each text.

They are a hotline number, a long service number, a name, and an unknown sender.
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Values for the placeholders of a text. `at_ms`: time of the flood's first message.

    `few`: the lease refuses single platforms and no others.
    """

    at_ms: int = 0
    messages: int = 0
    platforms: int = 0
    few: bool = False


@dataclass(frozen=True, slots=True)
class NoticeTexts:
    """Checked texts in every language that may be needed, and the choice of language."""

    notify: Notify
    texts: Mapping[str, Mapping[str, str]]  # language tag -> name -> template

    def name(self, language: str) -> str:
        return self.notify.operators.get(language, self.notify.operator)

    def language(self, recipient: str) -> str:
        """Return the language tag of the longest prefix that a number has, else the default."""
        languages = self.notify.languages
        fits = [prefix for prefix in languages if recipient.startswith(prefix)]
        return languages[max(fits, key=len)] if fits else self.notify.language

    def render(self, name: str, language: str, facts: Facts) -> str:
        """Return a text with its values filled in. The time of day is in the configured zone."""
        at = datetime.fromtimestamp(facts.at_ms / 1000, UTC).astimezone(zone_of(self.notify.zone))
        return self.texts[language][name].format(
            operator=self.name(language),
            time=f"{at:%H:%M}",
            messages=count(facts.messages),
            platforms=count(facts.platforms),
            command=self.notify.reply_command,
        )


def count(n: int) -> str:
    """Format a count with at most four characters.

    >>> count(999), count(1000)
    ('999', '999+')
    """
    return str(n) if n <= COUNT_MAX else f"{COUNT_MAX}+"


def is_plain(text: str) -> bool:
    """Return true if every SMSC can read the text in its default alphabet.

    >>> is_plain("Never pass on a code."), is_plain("勿转发"), is_plain("[1]")
    (True, False, False)
    """
    return _PLAIN.issuperset(text)


def units(text: str) -> tuple[int, int]:
    """Return how many units a text takes, and how many units fit into one SMS part.

    >>> units("ab"), units("您好"), units("a€"), units("😀")
    ((2, 160), (2, 70), (2, 70), (2, 70))
    """
    if is_plain(text):
        return len(text), PLAIN_MAX
    return len(text.encode("utf-16-be")) // 2, UCS2_MAX


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of this name, such as Asia/Shanghai. Raise ConfigError if unknown."""
    zone = zone_named(name)
    if zone is None:
        raise ConfigError(tr("notify.zone: no zone {name}; Asia/Shanghai is one").format(name=name))
    return zone


@lru_cache
def load_texts() -> Mapping[str, Mapping[str, str]]:
    """Return the texts that come with the program, by language and name."""
    file = resources.files("streams.people.notices").joinpath("texts.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def read_texts(path: Path | None) -> dict[str, dict[str, str]]:
    """Return the shipped texts, overridden by the texts of a file.

    Raises ConfigError if the file cannot be read, or contains an unknown name or a non-text value.
    """
    texts = {language: dict(own) for language, own in load_texts().items()}
    if path is None:
        return texts
    given = convert_toml("notify.texts_file", path, partial(msgspec.convert, type=_Texts))
    for language, own in given.items():
        texts.setdefault(language, {}).update(own)
    return texts


def check_texts(
    texts: Mapping[str, Mapping[str, str]],
    notify: Notify,
    names: tuple[str, ...],
    registry: Registry,
) -> NoticeTexts:
    """Check all needed texts and return them. Raise ConfigError for the first problem.

    A returned text can be sent whatever its values are. `names`: the texts that will be needed.
    `registry`: the operator's registry, by which gateways recognise verification codes.
    """
    if not notify.operator.strip():
        raise ConfigError(
            tr("notify.operator is empty: a notice must name its sender, such as 中国移动")
        )
    zone_of(notify.zone)
    made = NoticeTexts(notify, texts)
    for language in dict.fromkeys((notify.language, *notify.languages.values())):
        for name in names:
            for wrong in problems(made, name, language, registry):
                raise ConfigError(
                    tr("notice {name} in {language}: {wrong}").format(
                        name=name, language=language, wrong=wrong
                    )
                )
    return made


def problems(texts: NoticeTexts, name: str, language: str, registry: Registry) -> Iterator[str]:
    """Yield one sentence for each reason why a text cannot be sent. Yield nothing if it can."""
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
        yield tr("it does not name its sender, {operator}")
    literal = "".join(part for part, *_ in Formatter().parse(template))
    if _LINK.search(literal) or _LINK.search(texts.name(language)):
        yield tr("it has a link or an address, by which people learn to trust forged ones")
    if _NUMBER.search(literal):
        yield tr("it has a number, by which people learn to trust forged ones")
    try:
        largest = texts.render(name, language, Facts(0, COUNT_MAX + 1, COUNT_MAX + 1))
    except ValueError as error:  # a format for numbers, such as {messages:d}; values are strings
        yield str(error)
        return
    taken, most = units(largest)
    if taken > most:
        yield tr(
            "at its largest values it takes {taken} units and one part holds {most}: shorten it, "
            "or the name in notify.operator or notify.operators"
        ).format(taken=taken, most=most)
    for text in (largest, texts.render(name, language, Facts(0, 1, 1))):
        if any(recognise(registry, text, each).otp for each in (texts.notify.sender, *_SENDERS)):
            yield tr("gateways would take it for a verification code, and refuse it with them")
            return
