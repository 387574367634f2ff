"""The names of platforms, which codes know by id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from detectors.model.event import Trust

AMBIGUOUS: Final = " (or another with its id)"
"""Behind the name of a platform whose id came with another name too: ids can be forged."""


class Name(NamedTuple):
    """A platform id's name, trust and last use, for explanations."""

    key: str
    trust: Trust
    tick: int  # of its last use


class Names(dict[int, Name]):
    """Names by platform id.

    Set and deleted one by one: what fills a dictionary at once would pass `trusted` by.
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
        """Plain data, in the order in which they came."""
        return [(platform, n.key, int(n.trust), n.tick) for platform, n in self.items()]


def names_of(state: Iterable[Any]) -> Names:
    """The inverse of `Names.state`."""
    names = Names()
    for platform, key, trust, tick in state:
        names[platform] = Name(key, Trust(trust), tick)
    return names
