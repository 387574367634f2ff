"""Floods that go on now, for tests of the live screen."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from msgspec import structs

from detectors.model.records import Evidence, Level
from streams.wire import encode_ack, encode_action, encode_episode
from tests.builders.streams.cases.standing import LEASE, OPENED, ack
from tests.builders.streams.cli.cases import Desk


def put_flood(
    desk: Desk, n: int, messages: int, level: Level = Level.THROTTLE, *, confirmed: bool = True
) -> None:
    """Let a flood begin now, with a lease if its level has one."""
    now_ms = int(time.time() * 1000)
    recipient = f"86139000{n:05}"
    name = f"1:sms.delivery.v1:0:{n}"
    evidence = Evidence(messages, 7, 6, now_ms - 60_000, now_ms - 1000)
    ids: dict[str, Any] = {"episode_id": name, "recipient": recipient, "revision": n}
    opened = replace(OPENED, **ids, evidence=evidence, at_ms=now_ms, level=level)
    desk.put("episode", encode_episode(opened), recipient.encode())
    if level is Level.THROTTLE:
        lease = replace(LEASE, **ids, action_id=name, evidence=evidence, issued_at_ms=now_ms,
                        expires_at_ms=now_ms + 600_000)  # fmt: skip
        desk.put("throttle", encode_action(lease), recipient.encode())
    if level is Level.THROTTLE and confirmed:
        applied = structs.replace(ack("applied", action_id=name), at_ms=now_ms)
        desk.put("acks", encode_ack(applied), recipient.encode())
