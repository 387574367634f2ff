"""Tables of the index. All rows come from topics, so the index is rebuilt when a table changes.

The primary key of each row comes from its record, and writes are guarded, so a record that is read
twice changes nothing. `written_ms` is the Kafka timestamp of the record. `value` is the record's
bytes, compressed. Texts are cleaned by `kept_text`. Columns that end in `_ms` are milliseconds UTC.
"""

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
    func,
    literal_column,
    text,
    types as sql,
)

from streams.cases.store.packing import kept_text

FORMAT: Final = "3"
"""Version of these tables. An index with another version is not opened; `otpguard desk rebuild`
builds a new index."""

INDEX: Final = MetaData()


class _Text(sql.TypeDecorator[str]):
    """Text column that cleans its values with `kept_text`, in rows and in search values."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Any) -> str | None:
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
    Column("end_offset", BigInteger, nullable=False),  # end of the partition, as last seen
    Column("record_ms", BigInteger, nullable=False),  # timestamp of the newest record read
    Column("read_ms", BigInteger, nullable=False),  # when it was last read to its end
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
    Column("throttled", Boolean, nullable=False),  # at any time so far
    Column("platform_ids", LargeBinary, nullable=False),  # uint32 each, little-endian, ascending
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

TAIL: Final = 4  # Number of last digits that are indexed: as many as a masked number shows.

tail = func.substr(
    cases.c.recipient, func.length(cases.c.recipient) - literal_column(str(TAIL - 1))
)
"""Last digits of a recipient. SQLite and PostgreSQL use an index on an expression only if a query
has the same expression, so the length is no parameter."""

Index("cases_tail", tail, cases.c.first_ms)

changes = Table(
    "changes",
    INDEX,
    Column("episode_id", _Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("written_ms", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
)

# Maps actions to episodes. An acknowledgement names only the action, and the record of the lease
# may be compacted away.
links = Table(
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

counts = Table(  # messages refused so far under a lease that still runs
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
    Column("first", BigInteger, primary_key=True),  # number of the record's first message
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
    Column("settled", Boolean, nullable=False),  # the state is final, not `sending`
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
    Column("prev", _Text, nullable=False),  # digest of the line before
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
    Column("key", _Text, nullable=False),  # Kafka key: recipient|verb|platform
    Column("topic", _Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("recipient", _Text, nullable=False),
    Column("verb", _Text, nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger),
    Column("withdrawn_ms", BigInteger),  # Kafka timestamp of the tombstone
    Column("written_ms", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("words_recipient", "recipient", "offset"),
    Index("words_key", "key", "offset"),
)

platform_days = Table(
    "platform_days",
    INDEX,
    Column("day", Integer, primary_key=True),  # days since 1970-01-01, UTC
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

campaigns = Table(  # newest record of each campaign
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

platform_weeks = Table(  # newest record of each platform: its traffic of a week
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
