"""Encode and decode `otpguard.notice.v1`: who was notified of what, or why no notice was sent.

The key of a record is the notice's id. `decode_notice` raises VersionError for a newer schema, and
UnreadableError for other errors.
"""

from collections.abc import Callable
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


encode_notice: Final[Callable[[Notice], bytes]] = msgspec.json.Encoder().encode
decode_notice: Final = reader(Notice)
