"""Platforms that may be behind a message: their names, their numbers, their trust.

The shipped files in `data/` hold what is public knowledge; an operator's own file, in the same
form, is merged over them. Nothing here looks at the text of a message.

A sender is what the network saw, a signature only what the text claims. So trust goes to the owner
of the number, and to a claimed name only where the number does not contradict it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, NamedTuple, Self, TypeVar

from detectors.model.event import Trust
from detectors.recognise.fold import fold, name_key
from detectors.recognise.shipped import shipped

SHIPPED: Final = {"CN": "china", "IN": "india", "RU": "russia", "US": "america", "": "world"}
"""Files of `data/` that make `Registry.shipped()`, by the country whose numbers they hold."""

_SECTIONS: Final = {trust.name.lower(): trust for trust in Trust}
_FIELDS: Final = ("aka", "ports", "hosts", "ids")

_V = TypeVar("_V")


class RegistryError(ValueError):
    """A registry file that cannot be used: says which entry and why."""


class Line(Enum):
    """The kind of number that sent a message, and so its bearing on a claimed name."""

    ABSENT = "absent"  # the feed has no sender
    RENTED = "rented"  # 106 ports: one number, many customers; the carrier checks the signature
    OWNED = "owned"  # allotted to one owner: 95xxx, 100xx, 12xxx, a short code
    NAMED = "named"  # letters, or nothing that shows: anybody can write anything
    PERSON = "person"  # a subscriber's number, and every number of another country


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform: the name it is filed under, its key for signatures, its class."""

    name: str
    key: str  # `name_key(name)`
    trust: Trust


class Sender(NamedTuple):
    """The facts of a sender: the kind of line, the number's registered owners, its own key.

    `name` is a named sender as written, without the frame of an Indian header.
    """

    line: Line
    owners: tuple[Platform, ...]  # mostly one; names of one house may share a number
    key: str  # normalised sender, empty without one
    international: bool = False  # written with + or 00, and no number of the registry's countries
    shared: bool = False  # by many platforms, as the operator says
    name: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Platforms and the names, numbers, hosts and ids that lead to them. Never changed once made.

    Lookups take time independent of the registry's size. An entry's key is normalised
    (`name_key`, `sender_key`). A port that ends in `*` stands for itself with any extension; one
    that begins with `-` for an Indian header in its frame (`-HDFCBK` for VM-HDFCBK-S), which only
    an Indian carrier puts there: without the frame anybody can write the same letters.

    Ports and prefixes are *national* forms, as a phone in that country shows them. A sender with +
    or 00 in front is international: it has one of them only behind the code of one of `countries`
    (+86 95588 is 95588, +95588 is a number in Myanmar). A port entered with + is international.
    """

    signatures: Mapping[str, Platform] = field(default_factory=dict)
    ports: Mapping[str, tuple[Platform, ...]] = field(default_factory=dict)
    hosts: Mapping[str, Platform] = field(default_factory=dict)
    ids: Mapping[str, Platform] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)  # template id -> category
    lines: Mapping[str, Line] = field(default_factory=dict)  # number prefix -> kind of line
    countries: frozenset[str] = frozenset()  # codes of those whose ports and lines these are
    shared: frozenset[str] = frozenset()  # keys of named senders that many platforms share
    open_lengths: tuple[int, ...] = field(init=False)  # of ports with `*`, the longest first
    line_lengths: tuple[int, ...] = field(init=False)  # of prefixes in `lines`, the longest first

    def __post_init__(self) -> None:
        heads = {len(port) - 1 for port in self.ports if port.endswith("*")}
        object.__setattr__(self, "open_lengths", tuple(sorted(heads, reverse=True)))
        prefixes = {len(prefix) for prefix in self.lines}
        object.__setattr__(self, "line_lengths", tuple(sorted(prefixes, reverse=True)))

    @classmethod
    def shipped(cls, country: str = "CN") -> Self:
        """Return the shipped registry as it applies in a country, an ISO 3166 code.

        Names and hosts are those of all files. Ports and kinds of line are the country's own:
        10000 is a carrier in China, and somebody else's number elsewhere.
        """
        registry = cls()
        for home, name in SHIPPED.items():
            file = cls.load(shipped(name))
            if home not in ("", country):
                file = replace(file, ports={}, lines={}, countries=frozenset())
            registry, conflicts = registry.merged(file)
            assert not conflicts, conflicts
        return registry

    @classmethod
    def load(cls, text: str) -> Self:
        r"""The registry that a TOML text describes.

        Sections are trust classes (`bank`, `government`, `carrier`, `emergency`, `none`); an entry
        is `name = {aka = [...], ports = [...], hosts = [...], ids = [...]}`, all optional.
        `[templates]` gives categories to template ids, `[lines]` kinds to number prefixes;
        `country = "86"` says whose national forms ports and prefixes are.
        Raises RegistryError if the text is not of that form or contradicts itself.

        >>> registry = Registry.load('[bank]\n"工商银行" = {aka = ["ICBC"], ports = ["95588"]}')
        >>> registry.signature("【icbc】")
        Platform(name='工商银行', key='工商银行', trust=<Trust.BANK: 1>)
        >>> [owner.name for owner in registry.sender("95588").owners]
        ['工商银行']
        """
        try:
            tables = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:  # the other: nested without end
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

    def merged(self, other: Registry) -> tuple[Self, list[str]]:
        """A registry with `other` laid over this one, and what the two say differently.

        `other` wins; each conflict is one sentence for a person.
        """
        conflicts: list[str] = []

        def over(what: str, mine: Mapping[str, _V], theirs: Mapping[str, _V]) -> Mapping[str, _V]:
            conflicts.extend(
                f"{what} {key!r}: {_told(mine[key])} becomes {_told(theirs[key])}"
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
        """The platform that uses this signature, or None."""
        return self.signatures.get(name_key(name))

    def host(self, host: str) -> Platform | None:
        """The platform that owns the host or a domain above it, or None."""
        labels = host.lower().split(".")
        names = (".".join(labels[start:]) for start in range(len(labels) - 1))
        return next((self.hosts[name] for name in names if name in self.hosts), None)

    def sender(self, sender: str) -> Sender:
        """Look a sender up.

        The registered number itself, else the longest registered `number*` that it begins with,
        gives the owners; the longest prefix in `lines` the kind of line. A number of another
        country has neither, unless it is registered with its +: it is a person's.
        """
        if not sender:
            return Sender(
                Line.ABSENT, (), ""
            )  # of one that is there and blank anybody is the author
        key = sender_key(sender)
        digits = _digits(sender)
        if digits is None:
            name = sender[:_SENDER_CHARS]
            if header := _INDIAN_HEADER.fullmatch(name.strip().lower()):
                name = header[1]
            owners = self._named(sender, key)
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

    def _named(self, sender: str, key: str) -> tuple[Platform, ...]:
        """The owners of a sender that is no number; one with the looks of a number has none."""
        if key.isdigit():
            return ()
        header = sender[:_SENDER_CHARS].strip().lower()
        if header.isascii() and _INDIAN_HEADER.fullmatch(header):
            return self.ports.get(f"-{key}") or self.ports.get(key, ())
        return self.ports.get(key, ())

    def _form(self, digits: str) -> tuple[str, bool]:
        """The national form of `_digits`; else those behind the plus and it, and True."""
        if not digits.startswith("+"):
            bare = _CHINESE_PREFIX.sub("", digits, count=1) if "86" in self.countries else digits
            return bare, False
        for code in self.countries:
            if digits.startswith(code, 1) and len(digits) > 1 + len(code):
                return digits[1 + len(code) :], False
        return digits, True

    def head(self, sender: str) -> str:
        """The first digits of a long plain number, where they decide all of `sender` but the key.

        Empty where they do not. Subscribers' numbers are many: their heads are few.
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
            form = "" if digits[0] == "8" else digits  # 86 may come off
        if len(form) <= _SHORT_DIGITS or form in self.ports or sender in self.ports:
            return ""
        return form[: max(self.open_lengths + self.line_lengths, default=1)]

    def trust(self, claimed: Platform | None, sender: Sender) -> Trust:
        """The trust of a message that claims a name and came from this sender.

        | number              | no name claimed | its owner's name | another's name      |
        |---------------------|-----------------|------------------|---------------------|
        | of a known owner    | the owner's     | the owner's      | none: see speaks_of |
        | rented, or no sender| none            |                  | the claimed one's   |
        | any other           | none            |                  | none                |
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
        """Tell if a trusted owner's number names somebody without trust, or whom nobody knows.

        That is the owner, who says where money is paid: 【京东】 from a bank's own number. Whoever
        can write as the owner needs no such name. A name that is trusted is a spoof there.
        """
        if not sender.owners or sender.owners[0].trust is Trust.NONE:
            return False
        return claimed is None or (claimed.trust is Trust.NONE and claimed not in sender.owners)


_SHORT_DIGITS: Final = 8  # no subscriber number of E.164 is this short; short codes have 3-8

_CHINESE_DIGITS: Final = 13  # of a mobile number with its country code
_SENDER_CHARS: Final = 32
_INDIAN_HEADER: Final = re.compile(r"[a-z]{2}-([a-z0-9]{3,9})(?:-[ptsg])?")
_CHINESE_PREFIX: Final = re.compile("(?:00)?86(?=1[0-9]{2}|9[56])")
_COUNTRY: Final = re.compile("[1-9][0-9]{0,2}")
_NUMBER: Final = re.compile(r"(\+|00)?([0-9]+)")


def _digits(sender: str) -> str | None:
    """The digits of a number, a + before them if it is international; None of what is no number.

    Spaces and hyphens may stand between them. Digits of other scripts, or what does not show
    between them, make it a name: no number is written so, but a sender that poses as one is.
    """
    plain = sender[:_SENDER_CHARS]
    if not plain.isdigit():
        plain = "".join(plain.split()).replace("-", "")
    number = _NUMBER.fullmatch(plain) if plain.isascii() else None
    if number is None:
        return None
    return f"+{number[2]}" if number[1] else number[2]


def sender_key(sender: str) -> str:
    """A sender in one spelling: folded, without spaces, plus, 00 or the frame of Indian headers.

    Of the first 32 characters; real senders have up to 21 digits or 11 letters. It names a platform
    and nothing more: what a number is owed, `Registry.sender` reads from how it was written.

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
    """The key of a port in a registry file, with its mark."""
    if port.startswith("-"):
        return f"-{sender_key(port[1:])}"
    open_ = "*" if port.endswith("*") else ""
    number = port.removesuffix("*")
    digits = _digits(number) or ""
    return (digits if digits.startswith("+") else sender_key(number)) + open_


def _entry(name: str, entry: Any) -> dict[str, list[str]]:
    """The lists of one entry, each a list of strings; RegistryError if it is anything else."""
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
    """Enters a platform under each of its names; RegistryError where one is another's already."""
    for name in names:
        key = key_of(name)
        if not key:
            raise RegistryError(f"{platform.name!r}: {name!r} is empty once normalised")
        if index.setdefault(key, platform) != platform:
            raise RegistryError(f"{name!r} is of {index[key].name!r} and of {platform.name!r}")


def _told(value: object) -> str:
    """A value of an index, for a person."""
    if isinstance(value, tuple):
        return " and ".join(map(_told, value))
    if isinstance(value, Platform):
        return f"{value.name!r} ({value.trust.name.lower()})"
    return repr(value.value if isinstance(value, Line) else value)
