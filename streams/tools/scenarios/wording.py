"""Wording of messages; the texts themselves are in `data/wording.toml`."""

import tomllib
from importlib.resources import files
from typing import Any, Final, NamedTuple


def read_data(name: str) -> dict[str, Any]:
    """Read a data file of this package."""
    return tomllib.loads((files(__package__) / "data" / name).read_text(encoding="utf-8"))


class Wording(NamedTuple):
    """One way in which a platform writes its codes."""

    sender: str
    text: str  # format with the fields `name` and `code`


_TEXTS: Final = read_data("wording.toml")

CODES: Final[dict[str, tuple[str, ...]]] = {
    lang: tuple(formats) for lang, formats in _TEXTS["codes"].items()
}
"""Formats of verification codes by language, `bank` for Chinese banks; fields `name` and `code`."""

SHARED_CHINESE: Final[tuple[str, ...]] = tuple(_TEXTS["shared_chinese"])
SHARED_LATIN: Final[tuple[str, ...]] = tuple(_TEXTS["shared_latin"])
"""Formats of codes that name their platform in the running text alone."""
BRACKETS: Final[tuple[str, ...]] = tuple(_TEXTS["brackets"])
"""Formats of codes with the name in square brackets, where the platform has another form too."""
MARKETING: Final[tuple[str, ...]] = tuple(_TEXTS["marketing"])
COURIER: Final[tuple[str, ...]] = tuple(_TEXTS["courier"])
NOTICES: Final[tuple[str, ...]] = tuple(_TEXTS["notices"])
"""Texts of banks that are no codes."""
PERSONAL: Final[tuple[str, ...]] = tuple(_TEXTS["personal"])
