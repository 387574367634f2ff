"""The coarser rule of `deploy/gateways/README.md`, as a script without the recogniser implements
it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any, Final

from detectors.model.event import platform_id, platform_print

_BRACKETS: Final = "(?:【([^【】\n]{1,40})】|\\[([^\\]\\[\n]{1,40})\\])"
_SIGNED: Final = re.compile(f"^{_BRACKETS}|{_BRACKETS}$")


def coarse_key(
    vectors: Mapping[str, Any], table: Mapping[str, str], sender: str, text: str
) -> str | None:
    """Return the platform's key, or None where only the recogniser can tell it."""
    signed = _SIGNED.search(text)
    name = next(filter(None, signed.groups()), "") if signed else ""
    if signed and (name.isdigit() or any(note in name.lower() for note in vectors["notes"])):
        return None  # what stands in brackets may be a note, or the code
    if not signed and sender.isdigit():
        return table.get(f"port:{sender}")
    if not signed and ("@" in text or any(word in sender.lower() for word in vectors["shared"])):
        return None  # a host stands above the sender; a shared sender leaves it to the text
    return _brand(vectors, table, name or sender)


def _brand(vectors: Mapping[str, Any], table: Mapping[str, str], name: str) -> str | None:
    plain = name.lower().translate(str.maketrans(vectors["simplified"]))
    if f"sig:{plain}" in table:
        return table[f"sig:{plain}"] or None
    letters = [letter in string.ascii_lowercase or "一" <= letter <= "鿿" for letter in plain]
    if not letters or not all(letters) or plain.endswith(tuple(vectors["suffixes"])):
        return None
    return f"sig:{plain}" if any(letter >= "一" for letter in plain) or len(plain) > 2 else None


def coarse_passes(
    vectors: Mapping[str, Any],
    table: Mapping[str, str],
    lease: Mapping[str, Any] | None,
    sender: str,
    text: str,
) -> bool:
    """Tell if a message passes under a lease whose other lines are computed elsewhere."""
    key = coarse_key(vectors, table, sender, text)
    if lease is None or key is None:
        return True
    identity = platform_id(key)
    if identity in lease.get("refused", ()):
        return False
    known = identity in lease["ids"] or platform_print(identity) in lease["prints"]
    return known or lease["v"] == 2
