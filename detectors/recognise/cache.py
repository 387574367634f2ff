"""Cache answers by template, as integers, so that a batch's answers become columns without a loop.

An answer is: index of the platform's name << 16 | confidence in hundredths << 8 | trust << 2
| from-sender << 1 | otp. With "from-sender" the platform is that of the event's own sender.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.event import Trust, name_check, platform_id
from detectors.recognise.templates import Key

OTP: Final = 1
FROM_SENDER: Final = 2
MISS: Final = -1
FIELD_BYTES: Final = 256
"""Longest sender, signature or id that is cached."""


class AnswerCache:
    """Answers by key, in two generations, and the platforms that they name.

    A used answer moves to the young generation. When the young generation is full, the old one is
    dropped. `most` bounds each generation and the names; a batch may exceed it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.clear()

    def clear(self) -> None:
        """Forget all answers and names."""
        self.young: dict[Key, int] = {}
        self.old: dict[Key, int] = {}
        self._index = {"": 0}  # platform key -> index of its name
        self.names = [""]
        self.identities: NDArray[np.int64] = np.zeros(
            64, np.int64
        )  # platform id, and `name_check` << 32, by index

    def make_room(self) -> bool:
        """Drop the old generation if the young one is full. True if all answers were dropped.

        Call this only between batches, so that all answers and names of a batch stay in the cache.
        """
        if len(self.names) > self._most + 1:
            self.clear()
            return True
        if len(self.young) > self._most:
            self.old, self.young = self.young, {}
        return False

    def get(self, key: Key) -> int:
        """Return a cached answer and move it to the young generation. MISS if there is none."""
        answer = self.young.get(key, MISS)
        if answer == MISS and (answer := self.old.get(key, MISS)) != MISS:
            self.young[key] = answer
        return answer

    def put(self, key: Key, answer: int) -> int:
        """Add an answer to the young generation, unless its key is too long. Return the answer."""
        if isinstance(key, bytes) or all(len(part) <= FIELD_BYTES for part in key[1:]):
            self.young[key] = answer
        return answer

    def pack(self, sure: float, name: str, trust: Trust, *, otp: bool) -> int:
        """Return the answer of these facts. A code without a name is of its sender."""
        if not otp:
            return round(sure * 100) << 8
        index = self._index.get(name)
        if index is None:
            index = self._index[name] = len(self.names)
            self.names.append(name)
            if index == len(self.identities):
                self.identities = np.append(self.identities, np.zeros_like(self.identities))
            self.identities[index] = identify(name)
        flags = OTP if name else OTP | FROM_SENDER
        return index << 16 | round(sure * 100) << 8 | trust << 2 | flags

    def identify(self, answers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the platform of each answer: its id in the bits 0-31, its `name_check` above."""
        identities: NDArray[np.int64] = self.identities[answers >> 16]
        return identities


def identify(name: str) -> int:
    """Return the platform id of a name, with its `name_check` in the bits above 32."""
    return name_check(name) << 32 | platform_id(name)
