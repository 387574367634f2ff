"""Tables of the index: made of topics alone, and made anew when their shape changes.

A row is kept by an identity that its record carries, and written under a guard, so that a record
that is read twice changes nothing. `written_ms` is the broker's time of the record; a value is the
record as it was read, packed. Texts are as `kept_text` makes them.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    text,
)
from sqlalchemy import types as sql

from streams.desk.store.packing import kept_text

FORMAT: Final = "2"
"""Of this module; an index of another is not used, and `otpguard desk rebuild` makes it anew."""

INDEX: Final = MetaData()


class _Text(sql.TypeDecorator[str]):
    """Text as the writer keeps it: what is looked for is made so too."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Any) -> str | None:
        """Return what goes to the database in place of a value."""
        return None if value is None else kept_text(value)


meta = Table(
    "meta",
    INDEX,
    Column("key", _Text, primary_key=True),
    Column("value", _Text, nullable=False),
)

places = Table(
    "places",
    INDEX,
    Column("topic", _Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("end_offset", BigInteger, nullable=False),  # as the broker said last
    Column("record_ms", BigInteger, nullable=False),  # of the newest record that was read
    Column("read_ms", BigInteger, nullable=False),  # there was no more at this time
    sqlite_with_rowid=False,
)

cases = Table(
    "cases",
    INDEX,
    Column("episode_id", _Text, primary_key=True),
    Column("recipient", _Text, nullable=False),
    Column("kind", _Text, nullable=False),
    Column("level", _Text, nullable=False),
    Column("mode", _Text, nullable=False),
    Column("change", _Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("messages", BigInteger, nullable=False),
    Column("platforms", BigInteger, nullable=False),
    Column("novel", BigInteger, nullable=False),
    Column("rule", _Text, nullable=False),
    Column("known", BigInteger),
    Column("chronic", Boolean, nullable=False),
    Column("throttled", Boolean, nullable=False),  # ever
    Column("platform_ids", LargeBinary, nullable=False),  # of its sightings, 4 bytes each, LE
    Column("written_ms", BigInteger, nullable=False),
    Index("cases_recipient", "recipient", "first_ms"),
    Index("cases_last", "last_ms"),
    Index(
        "cases_open",
        "last_ms",
        sqlite_where=text("ended_ms IS NULL"),
        postgresql_where=text("ended_ms IS NULL"),
    ),
    Index("cases_ended", "ended_ms"),
)

changes = Table(
    "changes",
    INDEX,
    Column("episode_id", _Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("written_ms", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
)

links = Table(  # acknowledgements name actions alone, and the record of a lease may be compacted
    "links",
    INDEX,
    Column("action_id", _Text, primary_key=True),
    Column("episode_id", _Text, nullable=False),
    Index("links_episode", "episode_id"),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    INDEX,
    Column("action_id", _Text, primary_key=True),
    Column("episode_id", _Text, nullable=False),
    Column("recipient", _Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("verb", _Text, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("leases_episode", "episode_id", "epoch", "revision"),
    Index("leases_recipient", "recipient"),
)

acks = Table(
    "acks",
    INDEX,
    Column("action_id", _Text, primary_key=True),
    Column("gateway_id", _Text, primary_key=True),
    Column("state", _Text, primary_key=True),
    Column("why", _Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("refused_count", BigInteger, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Index("acks_written", "written_ms"),
    sqlite_with_rowid=False,
)

counts = Table(  # refused so far, before a lease is over
    "counts",
    INDEX,
    Column("action_id", _Text, primary_key=True),
    Column("gateway_id", _Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("by_platform", LargeBinary, nullable=False),  # JSON: platform id -> messages
    Column("written_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

incidents = Table(
    "incidents",
    INDEX,
    Column("episode_id", _Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("first", BigInteger, primary_key=True),  # number of its first message
    Column("recipient", _Text, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("incidents_recipient", "recipient"),
)

notices = Table(
    "notices",
    INDEX,
    Column("notice_id", _Text, primary_key=True),
    Column("episode_id", _Text, nullable=False),
    Column("kind", _Text, nullable=False),
    Column("addressee", _Text, nullable=False),
    Column("channel", _Text, nullable=False),
    Column("state", _Text, nullable=False),
    Column("settled", Boolean, nullable=False),  # not merely on its way
    Column("why", _Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Index("notices_episode", "episode_id"),
    Index("notices_addressee", "addressee"),
)

audit = Table(
    "audit",
    INDEX,
    Column("chain", _Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", _Text, nullable=False),
    Column("role", _Text, nullable=False),
    Column("auth", _Text, nullable=False),
    Column("channel", _Text, nullable=False),
    Column("address", _Text, nullable=False),
    Column("verb", _Text, nullable=False),
    Column("outcome", _Text, nullable=False),
    Column("subject", _Text, nullable=False),
    Column("episode_id", _Text, nullable=False),
    Column("detail", _Text, nullable=False),
    Column("reason", _Text, nullable=False),
    Column("ticket", _Text, nullable=False),
    Column("until_ms", BigInteger),
    Column("prev", _Text, nullable=False),  # digests, for a check of the chain
    Column("digest", _Text, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Index("audit_at", "at_ms"),
    Index("audit_actor", "actor", "at_ms"),
    Index("audit_subject", "subject", "at_ms"),
    Index("audit_episode", "episode_id", "at_ms"),
)

words = Table(
    "words",
    INDEX,
    Column("word_id", _Text, primary_key=True),
    Column("key", _Text, nullable=False),  # recipient|verb|platform
    Column("topic", _Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("recipient", _Text, nullable=False),
    Column("verb", _Text, nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger),
    Column("withdrawn_ms", BigInteger),  # its record was deleted
    Column("written_ms", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("words_recipient", "recipient", "offset"),
    Index("words_key", "key", "offset"),
)

platform_days = Table(
    "platform_days",
    INDEX,
    Column("day", Integer, primary_key=True),  # since 1970, UTC, of the platform's first message
    Column("platform_id", BigInteger, primary_key=True),
    Column("platform", _Text, nullable=False),
    Column("trust", SmallInteger, nullable=False),
    Column("floods", BigInteger, nullable=False),
    Column("novel", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Index("platform_days_platform", "platform_id", "day"),
    sqlite_with_rowid=False,
)

campaigns = Table(  # as the agent of campaigns told of each last
    "campaigns",
    INDEX,
    Column("campaign_id", _Text, primary_key=True),
    Column("end_ms", BigInteger, nullable=False),
    Column("victims", BigInteger, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("campaigns_end", "end_ms"),
)

platform_weeks = Table(  # as the agent of platforms told of each last
    "platform_weeks",
    INDEX,
    Column("platform_id", BigInteger, primary_key=True),
    Column("codes", BigInteger, nullable=False),
    Column("flood_codes", BigInteger, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("platform_weeks_floods", "flood_codes"),
)
