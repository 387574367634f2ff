"""`otpguard.notice.v1`: whom was told what, or why not."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from streams.wire.version import SCHEMA_VERSION, TimeMs, reader

NoticeKind = Literal[
    "victim_start", "victim_opened", "victim_end", "victim_released", "platform", "bank"
]
NoticeState = Literal["sending", "sent", "failed", "suppressed"]

_Word = Annotated[str, Meta(max_length=256)]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One state of one notice. `sending` is written before it leaves, so that none leaves twice."""

    notice_id: _Word  # of an episode `episode_id:kind`: whoever sends it knows what was sent
    episode_id: _Word  # "" of what is about no single one, as a day's digest for a platform
    kind: NoticeKind
    to: _Word  # the recipient in canonical form, the platform's key, the bank's client
    channel: _Word  # smpp, webhook, email, kafka
    template: _Word  # its name and language: never the text
    state: NoticeState
    why: _Word
    at_ms: TimeMs
    schema_version: int = SCHEMA_VERSION


_encode: Final = msgspec.json.Encoder().encode
_notice: Final = reader(Notice)


def encode_notice(notice: Notice) -> bytes:
    """The record's value; its key is the notice's id."""
    return _encode(notice)


def decode_notice(value: bytes) -> Notice:
    """Raise VersionError, or UnreadableError if it is no notice."""
    return _notice(value)
