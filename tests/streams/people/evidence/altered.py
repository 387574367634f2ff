"""Manipulated packs and extracts that every verifier must reject."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from streams.people.evidence.canonical import canonical, encode_base64
from streams.people.evidence.pack import extract
from streams.people.evidence.pack_files import MANIFEST, PROOFS, RECORDS, STAMP
from streams.people.evidence.standalone import P256_ORDER
from tests.streams.people.evidence.packs import SHOP, pack
from tests.streams.people.evidence.tsa import whole

Signatures = list[dict[str, Any]]


def respelled(data: bytes, spell: Callable[[Signatures], Signatures]) -> bytes:
    """An envelope with its signatures written in another way."""
    envelope = json.loads(data)
    return canonical({**envelope, "signatures": spell(envelope["signatures"])}) + b"\n"


def with_high_s(signatures: Signatures) -> Signatures:
    """The same signatures, P-256 by the other of the two numbers that are good for ECDSA."""
    ed, curve = signatures
    raw = base64.b64decode(curve["sig"])
    other = P256_ORDER - int.from_bytes(raw[32:])
    return [ed, {**curve, "sig": encode_base64(raw[:32] + other.to_bytes(32))}]


def swapped(signatures: Signatures) -> Signatures:
    return signatures[::-1]


def extracted(folder: Path) -> Path:
    """An extract of a pack that nobody stamped."""
    extract(pack(folder), SHOP, folder / "extract")
    return folder / "extract"


def _empty(folder: Path) -> Path:
    own = extracted(folder)
    (own / RECORDS).write_bytes(b"")
    (own / PROOFS).write_bytes(b"{}\n")
    return own


def _beside(folder: Path) -> Path:
    own = extracted(folder)
    shutil.copy(folder / "pack" / "report.zh.pdf", own)
    return own


def _signed(name: str, spell: Callable[[Signatures], Signatures]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        stamped = name == STAMP  # the manifest of such a pack is bound by its stamp
        own = Path(shutil.copytree(whole()["pack"], folder / "pack")) if stamped else pack(folder)
        (own / name).write_bytes(respelled((own / name).read_bytes(), spell))
        return own

    return made


ALTERED: Final[Mapping[str, Callable[[Path], Path]]] = MappingProxyType(
    {
        "an extract without a record": _empty,
        "a full report beside an extract": _beside,
        "signatures in another order": _signed(MANIFEST, swapped),
        "a high s": _signed(MANIFEST, with_high_s),
        "a stamp's signatures in another order": _signed(STAMP, swapped),
        "a stamp's high s": _signed(STAMP, with_high_s),
    }
)
"""What was done -> the folder of the result; the argument is an empty folder."""
