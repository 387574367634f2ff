"""The tokens under which a number may be kept, for those who have a key.

Feeds that send tokens make them of the E.164 digits: `h<keyid>:` and the HMAC-SHA-256 in hex. With
the key in a file a number that somebody types is found; without it nobody finds it, and whoever
destroys a key has erased everything that is kept under it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from streams.config.settings import KEY_BYTES_MIN
from streams.errors import ConfigError
from streams.language import tr

DIGITS_MAX: Final = 15


def token(key_id: str, key: bytes, number: str) -> str:
    """The token of a number in canonical form.

    >>> token("k1", b"0123456789abcdef", "8613900000001")[:20]
    'hk1:dcf999e768a8f473'
    """
    return f"h{key_id}:{hmac.new(key, number.encode(), hashlib.sha256).hexdigest()}"


def tokens(files: Mapping[str, Path]) -> Callable[[str], Iterable[str]]:
    """Return what gives the tokens of a number under each of these keys.

    Nothing for what is a token itself. Raise ConfigError for a file that cannot be read, or holds
    no key. White space around a key is no part of it.
    """
    keys = {key_id: _read(path) for key_id, path in files.items()}

    def of(recipient: str) -> Iterable[str]:
        if not recipient.isdecimal() or len(recipient) > DIGITS_MAX:
            return ()
        return tuple(token(key_id, key, recipient) for key_id, key in keys.items())

    return of


def _read(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if len(key) < KEY_BYTES_MIN:
        raise ConfigError(
            tr("{path}: a key has {n} bytes or more").format(path=path, n=KEY_BYTES_MIN)
        )
    return key
