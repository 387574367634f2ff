"""Encode and decode `otpguard.notice.v1`: who was notified of what, or why no notice was sent."""

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
    """One state of one notice.

    The state `sending` is written before the notice is sent, so that no notice is sent twice.
    """

    notice_id: _Word  # `episode_id:kind` for a notice about an episode
    episode_id: _Word  # empty if the notice is not about one episode, as in a daily digest
    kind: NoticeKind
    to: _Word  # the recipient in canonical form, the platform's key, or the bank's client
    channel: _Word  # smpp, webhook, email, kafka
    template: _Word  # name and language of the template, never the text
    state: NoticeState
    why: _Word
    at_ms: TimeMs
    schema_version: int = SCHEMA_VERSION


_encode: Final = msgspec.json.Encoder().encode
_notice: Final = reader(Notice)


def encode_notice(notice: Notice) -> bytes:
    """Return the value of the record. The record's key is the notice's id."""
    return _encode(notice)


def decode_notice(value: bytes) -> Notice:
    """Decode a notice. Raises VersionError for a newer schema, UnreadableError for other errors."""
    return _notice(value)
