"""Names of platforms by id. Detection works on ids; records for people need the names."""

from typing import Annotated, Final, NamedTuple, TypeAlias

from detectors.model.event import Trust
from detectors.model.fields import As, Count, PlatformId

AMBIGUOUS: Final = " (or another with its id)"
"""Suffix of a platform's name if another name came with the same id: ids can be forged."""


class Name(NamedTuple):
    """A platform id's name, trust and last use, for explanations."""

    key: str
    trust: Trust
    tick: Count  # number of the tick (4,096 offsets) at its last use


class Names(dict[int, Name]):
    """The names of platforms, by platform id.

    Set and delete items one by one. Bulk methods such as `update` would not maintain `trusted`.
    """

    __slots__ = ("trusted",)

    def __init__(self) -> None:
        super().__init__()
        self.trusted: set[int] = set()  # ids of platforms with any trust

    def __setitem__(self, platform: int, name: Name) -> None:
        super().__setitem__(platform, name)
        if name.trust is Trust.NONE:
            self.trusted.discard(platform)
        else:
            self.trusted.add(platform)

    def __delitem__(self, platform: int) -> None:
        super().__delitem__(platform)
        self.trusted.discard(platform)


def _names_of(held: dict[int, Name]) -> Names:
    names = Names()
    for platform, name in held.items():
        names[platform] = name
    return names


StoredNames: TypeAlias = Annotated[Names, As(dict[PlatformId, Name], dict, _names_of)]
"""Names as a field of a state that is stored, in insertion order."""
