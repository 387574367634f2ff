"""Builders that test_kamailio_reading.py shares with other tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from smpplib.gsm import gsm_encode

FILE: Final = Path("deploy/gateways/kamailio/otpguard_kamailio.py")


SENT: Final = bytes.fromhex("62112612345623")


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("otpguard_kamailio", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


kamailio = _loaded()


def packed(values: bytes) -> bytes:
    """Septets of one octet each, packed."""
    bits = sum(value << 7 * n for n, value in enumerate(values))
    return bits.to_bytes((len(values) * 7 + 7) // 8, "little")


def address(sender: str) -> bytes:
    """TP-OA."""
    if not sender.isdigit():
        octets = packed(gsm_encode(sender))
        digits = -(-len(sender) * 7 // 4)
        return bytes([digits, 0xD0]) + octets
    padded = sender + "f" * (len(sender) % 2)
    octets = bytes.fromhex("".join(b + a for a, b in zip(padded[::2], padded[1::2], strict=True)))
    return bytes([len(sender), 0x81]) + octets


def tpdu(sender: str, text: str, *, gsm7: bool = False, header: bytes = b"") -> bytes:
    """SMS-DELIVER."""
    head = bytes([len(header), *header]) if header else b""
    if gsm7:
        before = (len(head) * 8 + 6) // 7
        values = gsm_encode(text)
        data = bytearray(packed(bytes(before) + values))
        data[: len(head)] = head
        length, coding = before + len(values), 0
    else:
        data = bytearray(head + text.encode("utf-16-be"))
        length, coding = len(data), 8
    first = 0x44 if header else 0x04
    return bytes([first]) + address(sender) + bytes([0, coding]) + SENT + bytes([length]) + data


def rp_data(sender: str, text: str, **more: Any) -> bytes:
    """RP-DATA on its way to a phone."""
    deliver = tpdu(sender, text, **more)
    centre = bytes.fromhex("06916831080200")
    return bytes([1, 7]) + centre + b"\0" + bytes([len(deliver)]) + deliver
