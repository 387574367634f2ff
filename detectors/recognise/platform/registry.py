"""The registry of known platforms: their names, sender numbers, hosts, ids and trust.

The shipped files in `data/` contain public knowledge. An operator's own file of the same form
overrides them. This module does not read the text of messages.

The network observes the sender's number, but a signature is only a claim in the text. Trust
therefore belongs to the owner of the number. A claimed name is trusted only if the number does not
contradict it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, NamedTuple, Self, TypeVar

from detectors.model.event import Trust
from detectors.recognise.text.fold import fold, name_key
from detectors.recognise.text.shipped import read_data

SHIPPED: Final = {"CN": "china", "IN": "india", "RU": "russia", "US": "america", "": "world"}
"""Files in `data/` for `Registry.load_shipped()`, by the country of the numbers in the file."""

_SECTIONS: Final = {trust.name.lower(): trust for trust in Trust}
_FIELDS: Final = ("aka", "ports", "hosts", "ids")

_V = TypeVar("_V")


class RegistryError(ValueError):
    """A registry file cannot be used. The message names the entry and the reason."""


class Line(Enum):
    """The kind of sender. It decides whether a name that the text claims is credible."""

    ABSENT = "absent"  # the feed gives no sender
    RENTED = "rented"  # 106 ports: many customers per number; the carrier checks signatures
    OWNED = "owned"  # a number of one owner: 95xxx, 100xx, 12xxx, a short code
    NAMED = "named"  # letters, or invisible characters; anybody can choose such a sender
    PERSON = "person"  # a subscriber's number, or any number of another country


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform: its name in the registry, its key for signatures, and its trust class."""

    name: str
    key: str  # `name_key(name)`
    trust: Trust


class Sender(NamedTuple):
    """The facts about a sender: its kind, its registered owners, and its key.

    `name` is an alphanumeric sender. Of an Indian sender id (called header), such as VM-HDFCBK-S,
    it is the middle part in lower case.
    """

    line: Line
    owners: tuple[Platform, ...]  # usually one; names of one company may share a number
    key: str  # normalised sender; empty if there is no sender
    international: bool = False  # written with + or 00, and not of the registry's countries
    shared: bool = False  # configured as shared by many platforms
    name: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Platforms, and the names, numbers, hosts and ids by which they are found. Immutable.

    The time of a lookup does not depend on the registry's size. The keys of entries are normalised
    (`name_key`, `sender_key`). A port that ends in `*` matches itself with any extension. A port
    that begins with `-` matches only a complete Indian header (`-HDFCBK` matches VM-HDFCBK-S). Only
    an Indian carrier adds the prefix and suffix; without them anybody can choose the same letters.

    Ports and prefixes are in *national* form, as a phone in that country shows them. A sender with
    + or 00 in front is international. It has a national form only if the code of one of `countries`
    follows (+86 95588 is 95588, but +95588 is a number in Myanmar). A port entered with + is
    international.
    """

    signatures: Mapping[str, Platform] = field(default_factory=dict)
    ports: Mapping[str, tuple[Platform, ...]] = field(default_factory=dict)
    hosts: Mapping[str, Platform] = field(default_factory=dict)
    ids: Mapping[str, Platform] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)  # template id -> category
    lines: Mapping[str, Line] = field(default_factory=dict)  # number prefix -> kind of sender
    countries: frozenset[str] = frozenset()  # calling codes of the ports and lines
    shared: frozenset[str] = frozenset()  # keys of named senders that many platforms share
    open_lengths: tuple[int, ...] = field(init=False)  # lengths of ports with `*`, longest first
    line_lengths: tuple[int, ...] = field(init=False)  # lengths of prefixes, longest first

    def __post_init__(self) -> None:
        heads = {len(port) - 1 for port in self.ports if port.endswith("*")}
        object.__setattr__(self, "open_lengths", tuple(sorted(heads, reverse=True)))
        prefixes = {len(prefix) for prefix in self.lines}
        object.__setattr__(self, "line_lengths", tuple(sorted(prefixes, reverse=True)))

    @classmethod
    def load_shipped(cls, country: str = "CN") -> Self:
        """Return the shipped registry for a country, given as an ISO 3166 code.

        Names and hosts come from all files. Ports and kinds of numbers come from the country's own
        file: 10000 is a carrier in China, but another owner's number elsewhere.
        """
        registry = cls()
        for home, name in SHIPPED.items():
            file = cls.load(read_data(name))
            if home not in ("", country):
                file = replace(file, ports={}, lines={}, countries=frozenset())
            registry, conflicts = registry.merge(file)
            assert not conflicts, conflicts
        return registry

    @classmethod
    def load(cls, text: str) -> Self:
        r"""Return the registry that a TOML text describes.

        Sections are trust classes (`bank`, `government`, `carrier`, `emergency`, `none`). An entry
        is `name = {aka = [...], ports = [...], hosts = [...], ids = [...]}`; all lists are
        optional. `[templates]` maps template ids to categories, `[lines]` maps number prefixes to
        kinds of senders. `country = "86"` is the calling code of the ports and prefixes. Raises
        RegistryError if the text has another form or contradicts itself.

        >>> registry = Registry.load('[bank]\n"工商银行" = {aka = ["ICBC"], ports = ["95588"]}')
        >>> registry.signature("【icbc】")
        Platform(name='工商银行', key='工商银行', trust=<Trust.BANK: 1>)
        >>> [owner.name for owner in registry.sender("95588").owners]
        ['工商银行']
        """
        try:
            tables = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:  # RecursionError: deep nesting
            raise RegistryError(str(error)) from error
        country = tables.pop("country", None)
        if country is not None and not (isinstance(country, str) and _COUNTRY.fullmatch(country)):
            raise RegistryError(f"country {country!r} is no country code, such as '86'")
        if unknown := tables.keys() - _SECTIONS.keys() - {"templates", "lines"}:
            raise RegistryError(f"unknown section {min(unknown)!r}")
        signatures: dict[str, Platform] = {}
        ports: dict[str, tuple[Platform, ...]] = {}
        hosts: dict[str, Platform] = {}
        ids: dict[str, Platform] = {}
        for section, trust in _SECTIONS.items():
            for name, entry in tables.get(section, {}).items():
                platform = Platform(name, name_key(name), trust)
                if not platform.key:
                    raise RegistryError(f"{name!r} has no letter or digit")
                given = _entry(name, entry)
                _file(signatures, platform, (name, *given["aka"]), name_key)
                for port in map(_port_key, given["ports"]):
                    ports[port] = (*ports.get(port, ()), platform)
                _file(hosts, platform, given["hosts"], str.lower)
                _file(ids, platform, given["ids"], str)
        templates = {
            str(id_): str(category) for id_, category in tables.get("templates", {}).items()
        }
        try:
            lines = {str(prefix): Line(kind) for prefix, kind in tables.get("lines", {}).items()}
        except ValueError as error:
            raise RegistryError(f"lines: {error}") from error
        countries = frozenset([country] if country else [])
        return cls(signatures, ports, hosts, ids, templates, lines, countries)

    def merge(self, other: Registry) -> tuple[Self, list[str]]:
        """Return this registry overridden by `other`, and a sentence for each changed entry."""
        conflicts: list[str] = []

        def over(what: str, mine: Mapping[str, _V], theirs: Mapping[str, _V]) -> Mapping[str, _V]:
            conflicts.extend(
                f"{what} {key!r}: {_format_value(mine[key])} becomes {_format_value(theirs[key])}"
                for key in theirs
                if key in mine and mine[key] != theirs[key]
            )
            return {**mine, **theirs}

        return (
            type(self)(
                over("signature", self.signatures, other.signatures),
                over("port", self.ports, other.ports),
                over("host", self.hosts, other.hosts),
                over("id", self.ids, other.ids),
                over("template", self.templates, other.templates),
                over("line", self.lines, other.lines),
                self.countries | other.countries,
                self.shared | other.shared,
            ),
            conflicts,
        )

    def signature(self, name: str) -> Platform | None:
        """Return the platform that uses this signature, or None."""
        return self.signatures.get(name_key(name))

    def host(self, host: str) -> Platform | None:
        """Return the platform that owns the host or a parent domain, or None."""
        labels = host.lower().split(".")
        names = (".".join(labels[start:]) for start in range(len(labels) - 1))
        return next((self.hosts[name] for name in names if name in self.hosts), None)

    def sender(self, sender: str) -> Sender:
        """Look up a sender.

        The owners come from the registered number itself, else from the longest `number*` that
        matches. The kind comes from the longest prefix in `lines`. A number of another country
        counts as a person's number without owners, unless it is registered with its +.
        """
        if not sender:
            return Sender(
                Line.ABSENT, (), ""
            )  # a blank sender is not absent: anybody can choose it
        key = sender_key(sender)
        digits = _digits(sender)
        if digits is None:
            name = sender[:_SENDER_CHARS]
            if header := _INDIAN_HEADER.fullmatch(name.strip().lower()):
                name = header[1]
            owners = self._find_owners(sender, key)
            return Sender(Line.NAMED, owners, key, shared=key in self.shared, name=name)
        form, international = self._form(digits)
        owners = self.ports.get(form) or self.ports.get(digits, ())
        for length in () if owners else self.open_lengths:
            if found := self.ports.get(f"{form[:length]}*"):
                owners = found
                break
        for length in self.line_lengths:
            if line := self.lines.get(form[:length]):
                return Sender(line, owners, key, international)
        short = not international and len(form) <= _SHORT_DIGITS
        return Sender(Line.OWNED if short else Line.PERSON, owners, key, international)

    def _find_owners(self, sender: str, key: str) -> tuple[Platform, ...]:
        """Return the owners of an alphanumeric sender. A sender that imitates a number has none."""
        if key.isdigit():
            return ()
        header = sender[:_SENDER_CHARS].strip().lower()
        if header.isascii() and _INDIAN_HEADER.fullmatch(header):
            return self.ports.get(f"-{key}") or self.ports.get(key, ())
        return self.ports.get(key, ())

    def _form(self, digits: str) -> tuple[str, bool]:
        if not digits.startswith("+"):
            bare = _CHINESE_PREFIX.sub("", digits, count=1) if "86" in self.countries else digits
            return bare, False
        for code in self.countries:
            if digits.startswith(code, 1) and len(digits) > 1 + len(code):
                return digits[1 + len(code) :], False
        return digits, True

    def head(self, sender: str) -> str:
        """Return the first digits of a long number if they decide `sender()` except for its key.

        Returns "" if more digits are needed. There are many subscriber numbers but few heads, so
        results can be cached by head.
        """
        digits = sender.removeprefix("+")
        if not (_SHORT_DIGITS < len(digits) < _SENDER_CHARS and digits.isascii()):
            return ""
        if not digits.isdigit() or digits[0] == "0":
            return ""
        if digits != sender:
            form, _ = self._form(sender)
        elif "86" in self.countries and digits.startswith("861") and len(digits) == _CHINESE_DIGITS:
            form = digits[2:]
        else:
            form = "" if digits[0] == "8" else digits  # 86 may be removed
        if len(form) <= _SHORT_DIGITS or form in self.ports or sender in self.ports:
            return ""
        return form[: max(self.open_lengths + self.line_lengths, default=1)]

    def trust(self, claimed: Platform | None, sender: Sender) -> Trust:
        """Return the trust of a message, by its sender and the platform that it names (`claimed`).

        | sender                 | names no platform | names its owner   | names another platform |
        |------------------------|-------------------|-------------------|------------------------|
        | has a registered owner | the owner's trust | the owner's trust | none                   |
        | rented, or absent      | none              | (has no owner)    | that platform's trust  |
        | any other              | none              | (has no owner)    | none                   |

        A rented number (`Line.RENTED`) sends for many platforms, and its carrier checks the names.
        A trusted owner may mention another platform in its text. The caller asks `speaks_of` about
        this first, and then passes None as `claimed`.
        """
        if sender.owners:
            if claimed is None:
                return sender.owners[0].trust
            return claimed.trust if claimed in sender.owners else Trust.NONE
        if claimed is not None and sender.line in (Line.RENTED, Line.ABSENT):
            return claimed.trust
        return Trust.NONE

    @staticmethod
    def speaks_of(claimed: Platform | None, sender: Sender) -> bool:
        """Return whether a trusted owner's number claims a name that is unknown or not trusted.

        Then the owner mentions another company, for example the shop of a payment: 【京东】 from a
        bank's own number. An attacker who could send from this number would not need such a name.
        If the claimed name is itself trusted, the message is a spoof, and the result is false.
        """
        if not sender.owners or sender.owners[0].trust is Trust.NONE:
            return False
        return claimed is None or (claimed.trust is Trust.NONE and claimed not in sender.owners)


_SHORT_DIGITS: Final = 8  # no subscriber number of E.164 is this short; short codes have 3-8

_CHINESE_DIGITS: Final = 13  # length of a mobile number with its country code
_SENDER_CHARS: Final = 32
_INDIAN_HEADER: Final = re.compile(r"[a-z]{2}-([a-z0-9]{3,9})(?:-[ptsg])?")
_CHINESE_PREFIX: Final = re.compile("(?:00)?86(?=1[0-9]{2}|9[56])")
_COUNTRY: Final = re.compile("[1-9][0-9]{0,2}")
_NUMBER: Final = re.compile(r"(\+|00)?([0-9]+)")


def _digits(sender: str) -> str | None:
    """Return the digits of a number, with + in front if it is international. None for a name.

    Spaces and hyphens between digits are allowed. A sender with digits of other scripts or with
    invisible characters is a name: real numbers are not written so, but imitations are.
    """
    plain = sender[:_SENDER_CHARS]
    if not plain.isdigit():
        plain = "".join(plain.split()).replace("-", "")
    number = _NUMBER.fullmatch(plain) if plain.isascii() else None
    if number is None:
        return None
    return f"+{number[2]}" if number[1] else number[2]


def sender_key(sender: str) -> str:
    """Normalise a sender: fold it, and remove spaces, plus, 00 and the parts of Indian headers.

    Uses the first 32 characters; real senders have up to 21 digits or 11 letters. The key only
    identifies a platform. `Registry.sender` decides about trust from the sender as written.

    >>> sender_key("+86 1069 0095588"), sender_key("VM-HDFCBK-S"), sender_key("WhatsApp")
    ('10690095588', 'hdfcbk', 'whatsapp')
    """
    key = sender[:_SENDER_CHARS]
    if not (key.isascii() and key.isdigit()):
        key = "".join(fold(key).split())
    digits = key.lstrip("+").replace("-", "")
    if digits.isascii() and digits.isdigit():
        if digits.startswith(("86", "00")):
            digits = _CHINESE_PREFIX.sub("", digits, count=1).removeprefix("00") or digits
        return digits
    header = _INDIAN_HEADER.fullmatch(key)
    return header[1] if header else key


def _port_key(port: str) -> str:
    if port.startswith("-"):
        return f"-{sender_key(port[1:])}"
    open_ = "*" if port.endswith("*") else ""
    number = port.removesuffix("*")
    digits = _digits(number) or ""
    return (digits if digits.startswith("+") else sender_key(number)) + open_


def _entry(name: str, entry: Any) -> dict[str, list[str]]:
    if not isinstance(entry, dict):
        raise RegistryError(f"{name!r}: not a table")
    if unknown := entry.keys() - set(_FIELDS):
        raise RegistryError(f"{name!r}: unknown field {min(unknown)!r}")
    for what, values in entry.items():
        if not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
            raise RegistryError(f"{name!r}: {what} is not a list of strings")
    return {what: entry.get(what, []) for what in _FIELDS}


def _file(
    index: dict[str, Platform], platform: Platform, names: Iterable[str], key_of: Any
) -> None:
    for name in names:
        key = key_of(name)
        if not key:
            raise RegistryError(f"{platform.name!r}: {name!r} is empty once normalised")
        if index.setdefault(key, platform) != platform:
            raise RegistryError(f"{name!r} is of {index[key].name!r} and of {platform.name!r}")


def _format_value(value: object) -> str:
    if isinstance(value, tuple):
        return " and ".join(map(_format_value, value))
    if isinstance(value, Platform):
        return f"{value.name!r} ({value.trust.name.lower()})"
    return repr(value.value if isinstance(value, Line) else value)
