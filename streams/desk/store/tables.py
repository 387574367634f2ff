"""Tables of the index: made of topics alone, and made anew when their shape changes.

A row is kept by an identity that its record carries, and written under a guard, so that a record
that is read twice changes nothing. `written_ms` is the broker's time of the record; a value is the
record as it was read, packed.
"""

from __future__ import annotations

from typing import Final

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

FORMAT: Final = "2"
"""Of this module; an index of another is not used, and `otpguard desk rebuild` makes it anew."""

INDEX: Final = MetaData()

meta = Table(
    "meta",
    INDEX,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

places = Table(
    "places",
    INDEX,
    Column("topic", String, primary_key=True),
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
    Column("episode_id", String, primary_key=True),
    Column("recipient", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("level", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("change", String, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("messages", BigInteger, nullable=False),
    Column("platforms", BigInteger, nullable=False),
    Column("novel", BigInteger, nullable=False),
    Column("rule", String, nullable=False),
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
    Column("episode_id", String, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("written_ms", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
)

links = Table(  # acknowledgements name actions alone, and the record of a lease may be compacted
    "links",
    INDEX,
    Column("action_id", String, primary_key=True),
    Column("episode_id", String, nullable=False),
    Index("links_episode", "episode_id"),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    INDEX,
    Column("action_id", String, primary_key=True),
    Column("episode_id", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("verb", String, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("leases_episode", "episode_id", "epoch", "revision"),
    Index("leases_recipient", "recipient"),
)

acks = Table(
    "acks",
    INDEX,
    Column("action_id", String, primary_key=True),
    Column("gateway_id", String, primary_key=True),
    Column("state", String, primary_key=True),
    Column("why", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("refused_count", BigInteger, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Index("acks_written", "written_ms"),
    sqlite_with_rowid=False,
)

counts = Table(  # refused so far, before a lease is over
    "counts",
    INDEX,
    Column("action_id", String, primary_key=True),
    Column("gateway_id", String, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("by_platform", LargeBinary, nullable=False),  # JSON: platform id -> messages
    Column("written_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

incidents = Table(
    "incidents",
    INDEX,
    Column("episode_id", String, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("first", BigInteger, primary_key=True),  # number of its first message
    Column("recipient", String, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("incidents_recipient", "recipient"),
)

notices = Table(
    "notices",
    INDEX,
    Column("notice_id", String, primary_key=True),
    Column("episode_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("addressee", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("state", String, nullable=False),
    Column("settled", Boolean, nullable=False),  # not merely on its way
    Column("why", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Index("notices_episode", "episode_id"),
    Index("notices_addressee", "addressee"),
)

audit = Table(
    "audit",
    INDEX,
    Column("chain", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("role", String, nullable=False),
    Column("auth", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("address", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("episode_id", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("ticket", String, nullable=False),
    Column("until_ms", BigInteger),
    Column("prev", String, nullable=False),  # digests, for a check of the chain
    Column("digest", String, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Index("audit_at", "at_ms"),
    Index("audit_actor", "actor", "at_ms"),
    Index("audit_subject", "subject", "at_ms"),
    Index("audit_episode", "episode_id", "at_ms"),
)

words = Table(
    "words",
    INDEX,
    Column("word_id", String, primary_key=True),
    Column("key", String, nullable=False),  # recipient|verb|platform
    Column("topic", String, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("recipient", String, nullable=False),
    Column("verb", String, nullable=False),
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
    Column("platform", String, nullable=False),
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
    Column("campaign_id", String, primary_key=True),
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
