"""Encode and decode `otpguard.notice.v1`: who was notified of what, or why no notice was sent.

The key of a record is the notice's id. `decode_notice` raises VersionError for a newer schema, and
UnreadableError for other errors.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from streams.wire.version import SCHEMA_VERSION, ShortText, TimeMs, encode_json, reader

NoticeKind = Literal[
    "victim_start", "victim_opened", "victim_end", "victim_released", "platform", "bank"
]
NoticeState = Literal["sending", "sent", "failed", "suppressed"]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One state of one notice.

    The state `sending` is written before the notice is sent, so that no notice is sent twice.
    """

    notice_id: ShortText  # `episode_id:kind` for a notice about an episode
    episode_id: ShortText  # empty if the notice is not about one episode, as in a daily digest
    kind: NoticeKind
    to: ShortText  # the recipient in canonical form, the platform's key, or the bank's client
    channel: ShortText  # smpp, webhook, email, kafka
    template: ShortText  # name and language of the template, never the text
    state: NoticeState
    why: ShortText
    at_ms: TimeMs
    schema_version: int = SCHEMA_VERSION


encode_notice: Final[Callable[[Notice], bytes]] = encode_json
decode_notice: Final = reader(Notice)
