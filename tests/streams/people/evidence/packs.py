"""A case with a record of every kind, and its packs, which are made once and copied for each
test.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from detectors.model.event import Trust
from detectors.model.incidents import (
    Basis,
    EarlierSighting,
    FloodMessage,
    IncidentRecord,
    KnownPrint,
    Unlisted,
)
from streams.config import Settings
from streams.people.evidence.pack import Making, make
from streams.people.evidence.pack_keys import PackKey
from streams.people.evidence.pack_records import KINDS, Chosen, choose, from_lines
from streams.people.evidence.pack_report import Cover
from streams.people.evidence.repeat import settings_text
from streams.wire import Counts, Notice
from tests.builders.streams.cases.standing import ENDED, LEASE, OPENED, ack
from tests.enforce.records import RECIPIENT, START_MS, override

SHOP: Final = "sig:示例购物"
TRIP: Final = "sig:示例出行"
COVER: Final = Cover(
    unit="示例通信公司某省分公司",
    contact="某市某路 1 号",
    authority="某市公安局",
    document_no="调证字〔2026〕17号",
    received="2026-03-05",
    officer="张三",
)

MESSAGES: Final = (
    FloodMessage(8, START_MS + 1000, "refuse", True, Trust.NONE, "smsc-1", SHOP, 11, "106900000001",
                 "acc-9", "m-8", 7),
    FloodMessage(9, START_MS + 2000, "pass", False, Trust.BANK, "smsc-1"),
    FloodMessage(10, START_MS + 3000, "refuse", True, Trust.NONE, "smsc-1", TRIP, 12,
                 "10690000000212", "", "m-10", 7),
    FloodMessage(11, START_MS + 4000, "refuse", True, Trust.NONE, "smsc-2", SHOP, 11,
                 "106900000001", "acc-9", "m-11", 7),
)  # fmt: skip
INCIDENT: Final = IncidentRecord(
    episode_id=LEASE.episode_id,
    epoch=1,
    revision=7,
    recipient=RECIPIENT,
    mode="enforce",
    at_ms=START_MS,
    first=0,
    messages=MESSAGES[:2],
    unlisted=None,
    basis=Basis(LEASE.reason, OPENED.rungs, START_MS - 9 * 86_400_000,
                (KnownPrint(3, 2, START_MS - 86_400_000),), "exact", 0),
    earlier=(EarlierSighting(START_MS - 60_000, True, Trust.NONE, SHOP, 11, offset=1),),
    cause=LEASE.cause,
    version="0",
    config="",
)  # fmt: skip
LATER: Final = replace(
    INCIDENT,
    revision=99,
    at_ms=START_MS + 5000,
    first=2,
    messages=MESSAGES[2:],
    unlisted=Unlisted(3, 40),
    basis=None,
    earlier=(),
)
OTHERS: Final = [
    Counts(action_id=LEASE.action_id, episode_id=LEASE.episode_id, gateway_id="smsc-2",
           at_ms=START_MS + 6000, refused=9, by_platform={11: 9}),
    Notice(notice_id=f"{LEASE.episode_id}:victim_start", episode_id=LEASE.episode_id,
           kind="victim_start", to=RECIPIENT, channel="smpp", template="start/zh-Hans",
           state="sent", why="", at_ms=START_MS + 2500),
    override("exempt"),
    override("allow", "*", platform="sig:别家"),
    override("exempt", "8613900000009"),
]  # fmt: skip

SAID: Final[list[tuple[str, Any]]] = [
    ("episode", OPENED),
    ("episode", ENDED),
    ("episode", replace(OPENED, episode_id="1:sms.delivery.v1:0:900", recipient="8613900000009")),
    ("lease", LEASE),
    ("lease", replace(LEASE, action_id="1:sms.delivery.v1:0:77", episode_id="another")),
    ("ack", ack("applied")),
    ("ack", ack("expired", 17)),
    ("incident", INCIDENT),
    ("incident", LATER),
    *zip(("counts", "notice", "word", "word", "word"), OTHERS, strict=True),
]


def lines(said: list[tuple[str, Any]] = SAID) -> list[bytes]:
    """Records as JSON lines with their places."""
    return [
        msgspec.json.encode(
            {"topic": f"otpguard.{kind}", "partition": 3, "offset": 100 + n,
             "value": msgspec.Raw(KINDS[kind].encode(each))}
        )
        for n, (kind, each) in enumerate(said)
    ]  # fmt: skip


def chosen(said: list[tuple[str, Any]] = SAID) -> Chosen:
    found, *_ = choose(from_lines("records", lines(said)), RECIPIENT, RECIPIENT)
    return found


_KEYS: Final[dict[str, PackKey]] = {}


def key(name: str = "signer") -> PackKey:
    """One key for each name, in this run."""
    if name not in _KEYS:
        _KEYS[name] = PackKey.fresh()
    return _KEYS[name]


def fingerprint(name: str = "signer") -> str:
    return key(name).public.fingerprint


def making(at: str = "2026-03-06T02:00:00Z", **more: Any) -> Making:
    settings = Settings()
    given = {"key": key(), "at": at, "cover": COVER, "settings": settings_text(settings)}
    return Making(**{"fingerprint": settings.fingerprint(), **given, **more})


@cache
def _made() -> TemporaryDirectory[str]:
    folder = TemporaryDirectory(prefix="otpguard-pack-")
    make(chosen(), making(), Path(folder.name, "pack"))
    return folder


def pack(folder: Path) -> Path:
    """A pack in a folder of one's own, to be broken."""
    return Path(shutil.copytree(Path(_made().name, "pack"), folder / "pack"))


def broken(data: bytes, place: int, by: int) -> bytes:
    """One byte of a file is another."""
    place %= len(data)
    return data[:place] + bytes([data[place] ^ by]) + data[place + 1 :]
