"""Names of platforms by id. Detection works on ids; records for people need the names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from detectors.model.event import Trust

AMBIGUOUS: Final = " (or another with its id)"
"""Suffix of a platform's name if another name came with the same id: ids can be forged."""


class Name(NamedTuple):
    """A platform id's name, trust and last use, for explanations."""

    key: str
    trust: Trust
    tick: int  # number of the tick at its last use


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

    def state(self) -> list[Any]:
        """Return plain data for a checkpoint, in insertion order."""
        return [(platform, n.key, int(n.trust), n.tick) for platform, n in self.items()]


def names_of(state: Iterable[Any]) -> Names:
    """Restore names from the list that `Names.state` returned."""
    names = Names()
    for platform, key, trust, tick in state:
        names[platform] = Name(key, Trust(trust), tick)
    return names
