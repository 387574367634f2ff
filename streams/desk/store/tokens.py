"""Computes the tokens (keyed hashes) under which a number may be stored.

A feed may send tokens instead of numbers: `h<keyid>:` and the HMAC-SHA-256 of the E.164 digits in
hex. With the key file, the desk finds a number that somebody types. Without the key nobody can find
it. Destroying a key therefore erases everything that is stored under it.
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
"""Maximum length of an E.164 number."""


def token(key_id: str, key: bytes, number: str) -> str:
    """Return the token of a number in canonical form.

    >>> token("k1", b"0123456789abcdef", "8613900000001")[:20]
    'hk1:dcf999e768a8f473'
    """
    return f"h{key_id}:{hmac.new(key, number.encode(), hashlib.sha256).hexdigest()}"


def tokens(files: Mapping[str, Path]) -> Callable[[str], Iterable[str]]:
    """Return a function that computes the tokens of a number, one for each key.

    `files` maps key ids to key files. White space around a key is ignored. The function returns
    nothing for a text that is a token already. Raise ConfigError if a file cannot be read or its
    key is too short.
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
