"""Senders: platforms with their names, numbers and wording, and the banks.

The names, in `data/platforms.toml`, are of public platforms, and of 320 invented ones so that an
attack tool's pool of 500 can be drawn. A platform keeps its sender, language and wording, as real
ones do: that is what makes its messages a template.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from streams.tools.scenarios.numbering import port
from streams.tools.scenarios.wording import (
    BRACKETS,
    CODES,
    SHARED_CHINESE,
    SHARED_LATIN,
    Wording,
    read_data,
)


@dataclass(frozen=True, slots=True)
class PlatformProfile:
    """A sender of codes.

    A platform writes in the first `usual` of its wordings. The other wordings are for tests that
    ask for more.
    """

    name: str
    wordings: tuple[Wording, ...]
    digits: int  # of a code
    usual: int = 1
    trusted: bool = False

    @property
    def sender(self) -> str:
        """The sender (number or name) of the first wording."""
        return self.wordings[0].sender


def _platform(name: str, sender: str, lang: str, *, trusted: bool = False) -> PlatformProfile:
    """Make a platform whose wordings and code length follow from its name.

    Codes have 6 digits at two thirds of the platforms, else 4. A half of the platforms write in one
    way, three tenths in two, and the others in three. A bank writes from its own number only.
    """
    choice, formats = zlib.crc32(name.encode()), CODES[lang]
    first = Wording(sender, formats[choice // 7 % len(formats)])
    digits = 6 if choice % 3 else 4
    if trusted:
        return PlatformProfile(name, (first,), digits, trusted=True)
    named = SHARED_LATIN if name.isascii() else SHARED_CHINESE
    others = (
        Wording(port(name, 2), named[choice // 11 % len(named)]),
        Wording(port(name, 3), BRACKETS[choice // 13 % len(BRACKETS)]),
    )
    usual = (1, 1, 1, 1, 1, 2, 2, 2, 3, 3)[choice // 17 % 10]
    return PlatformProfile(name, (first, *others), digits, usual)


_NAMES: Final = read_data("platforms.toml")


def _platforms() -> tuple[PlatformProfile, ...]:
    invented = [a + b for b in _NAMES["second_halves"] for a in _NAMES["first_halves"]]
    chinese = [_platform(name, port(name), "zh") for name in _NAMES["chinese"]]
    foreign = [_platform(n, n, lang) for lang, names in _NAMES["foreign"].items() for n in names]
    # Popular ones first, as PLATFORMS says: the known names of both kinds take turns 3 to 1.
    mixed: list[PlatformProfile] = []
    while chinese or foreign:
        mixed += chinese[:3] + foreign[:1]
        del chinese[:3], foreign[:1]
    return (*mixed, *(_platform(name, port(name), "zh") for name in invented))


PLATFORMS: Final = _platforms()  # Untrusted platforms, roughly by how many people use them.

BANKS: Final = tuple(
    _platform(name, sender, "bank", trusted=True) for name, sender in _NAMES["banks"].items()
)
"""Banks, by the numbers that they send from."""


TOOL_PLATFORMS: Final = 60  # Default number of endpoints of an attack tool.


def tool(number: int, platforms: int = TOOL_PLATFORMS) -> Sequence[PlatformProfile]:
    """Return the platforms that the tool with this number abuses, in its order."""
    return Random(f"tool/{number}").sample(PLATFORMS, platforms)


ABUSED: Final = tuple(tool(0))
"""Platforms that floods abuse, in rehearsals where ordinary people use them too."""
