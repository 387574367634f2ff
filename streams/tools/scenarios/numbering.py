"""Synthetic numbers: recipients, personal senders, application ports.

China keeps no range for fiction, so recipients are the numbers +86 170 0000 0000, 170 0000 0001, …
in the order of their index: valid E.164 for any number library, plainly synthetic to a reader.
"""

import zlib
from typing import Final

FIRST: Final = 86_170_0000_0000  # E.164 digits of subscriber 0.

COUNT: Final = 10_000_000  # Maximum number of subscribers: up to +86 170 0999 9999.


def subscriber(index: int) -> str:
    """E.164 digits, without plus, of the subscriber with this index (0 to COUNT - 1).

    >>> subscriber(42)
    '8617000000042'
    """
    if not 0 <= index < COUNT:
        raise ValueError(f"subscriber index {index} is not in 0..{COUNT - 1}")
    return str(FIRST + index)


def port(owner: str, variant: int = 0) -> str:
    """A 1069 application port made from its owner's name; a variant is another of its sub-ports.

    >>> port("淘宝"), port("淘宝", 1)
    ('10691871100000', '10691871107919')
    """
    owned = zlib.crc32(owner.encode()) % 1_000_000
    return f"1069{owned:06d}{variant * 7919 % 10_000:04d}"
