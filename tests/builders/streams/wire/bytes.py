"""Builders that test_bytes.py shares with other tests."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from streams import wire

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "otpguard.throttle.v1": wire.decode_action,
    "otpguard.episode.v1": wire.decode_episode,
    "otpguard.throttle.acks.v1": wire.decode_ack,
    "otpguard.override.v1": wire.decode_override,
    "otpguard.incident.v1": wire.decode_incident,
    "otpguard.throttle.counts.v1": wire.decode_counts,
    "otpguard.audit.v1": wire.decode_audit,
    "otpguard.notice.v1": wire.decode_notice,
    "otpguard.campaign.v1": wire.decode_campaign,
    "otpguard.platform.parts.v1": wire.decode_part,
    "otpguard.platform.v1": wire.decode_platform,
}


DEEP = b"[" * 100_000


HUGE = b"9" * 400


SCRAPS = [b"", b"\xff", b"\x00", b'"', b"\\ud800", b"\\udc00\\ud800", b"{", b"}", b"[[[[", b"null"]


SCRAPS += [b"-1", HUGE, b"1e999", b"NaN", b"\xed\xa0\x80", DEEP]


def mutated(value: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them cut, repeated, flipped, or scraps in their place."""
    for _ in range(chance.randrange(1, 4)):
        at, to = sorted(chance.choices(range(len(value) + 1), k=2))
        to = min(to, at + chance.choice([0, 1, 2, 20]))
        piece = chance.choice([*SCRAPS, bytes([chance.randrange(256)]), value[at:to] * 2])
        value = value[:at] + piece + value[to:]
    return value
