"""Tables of the people database: accounts, sessions, and what people wrote at the desk.

Columns that end in `_ms` are milliseconds UTC. A change needs a step in `migrations/` for databases
of an older version.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

PEOPLE: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite autoincrements only INTEGER


accounts = Table(
    "accounts",
    PEOPLE,
    Column("name", String, primary_key=True),
    Column("shown_name", String, nullable=False),
    Column("roles", String, nullable=False),  # role names, separated by spaces
    Column("source", String, nullable=False),
    Column("password_hash", String, nullable=False),  # argon2id; empty unless `source` is local
    Column("disabled", Boolean, nullable=False),
    Column("failed", Integer, nullable=False),  # wrong passwords in a row so far
    Column("locked_until_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("last_login_ms", BigInteger),
    Column("language", String, nullable=False),
    Column(
        "given_ms", BigInteger
    ),  # when another person last set its password or roles; None: never
)

sessions = Table(
    "sessions",
    PEOPLE,
    Column("digest", String, primary_key=True),  # SHA-256 of the browser's session id
    Column(
        "name", String, ForeignKey("accounts.name", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("roles", String, nullable=False),
    Column("auth", String, nullable=False),
    Column("csrf", String, nullable=False),
    Column("address", String, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("idle_end_ms", BigInteger, nullable=False),
    Column("absolute_end_ms", BigInteger, nullable=False),
)

# What somebody at the desk wrote about a case, or about a number if `episode_id` is empty.
notes = Table(
    "notes",
    PEOPLE,
    Column("note_id", _Id, primary_key=True, autoincrement=True),
    Column("episode_id", String, nullable=False, index=True),
    Column("recipient", String, nullable=False, index=True),
    Column("author", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
)

# Phone calls: who answered, how the caller proved that the number is theirs, and if the call came
# from the number itself.
calls = Table(
    "calls",
    PEOPLE,
    Column("call_id", _Id, primary_key=True, autoincrement=True),
    Column("recipient", String, nullable=False, index=True),
    Column("episode_id", String, nullable=False, index=True),
    Column("agent", String, nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("identified_by", String, nullable=False),
    Column("same_caller", Boolean, nullable=False),
    Column("ticket", String, nullable=False, index=True),
    Column("outcome", String, nullable=False),
)

# A case that one person hands to another person or to a team. `receiver` is an account's name, or
# "role " and a role; `read_ms` is when a receiver first opened the case.
handovers = Table(
    "handovers",
    PEOPLE,
    Column("handover_id", _Id, primary_key=True, autoincrement=True),
    Column("episode_id", String, nullable=False, index=True),
    Column("recipient", String, nullable=False, index=True),
    Column("author", String, nullable=False),
    Column("receiver", String, nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("read_ms", BigInteger),
    Column("read_by", String, nullable=False),
)

# Appeals against a throttle. The law demands a record, a deadline and an outcome. `state` is open,
# granted, refused or withdrawn.
appeals = Table(
    "appeals",
    PEOPLE,
    Column("appeal_id", _Id, primary_key=True, autoincrement=True),
    Column("recipient", String, nullable=False, index=True),
    Column("episode_id", String, nullable=False),
    Column("received_by", String, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("identified_by", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("decided_by", String, nullable=False),
    Column("decided_ms", BigInteger),
    Index("ix_appeals_state", "state", "due_ms"),
)

# Overrides that need a second person, who approves exactly the bytes in `value` (the encoded
# override; only `approved_by` is added before it is published). `says` is the same for people.
# `state` is open, approved, rejected or used.
proposals = Table(
    "proposals",
    PEOPLE,
    Column("proposal_id", _Id, primary_key=True, autoincrement=True),
    Column("verb", String, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("says", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ticket", String, nullable=False),
    Column("proposer", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("decided_by", String, nullable=False),
    Column("decided_ms", BigInteger),
    Column("why", Text, nullable=False),
    Index("ix_proposals_state", "state", "expires_ms"),
)

# Legal holds: the rows of this case or number are not deleted until the hold is lifted.
holds = Table(
    "holds",
    PEOPLE,
    Column("hold_id", _Id, primary_key=True, autoincrement=True),
    Column("subject", String, nullable=False, index=True),  # episode id or recipient
    Column("document_no", String, nullable=False),  # of the authority's document
    Column("reason", Text, nullable=False),
    Column("actor", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("lifted_ms", BigInteger),
    Column("lifted_by", String, nullable=False),
)

# Identities of erased records, so that a rebuild skips them. An identity contains no phone number.
erased = Table(
    "erased",
    PEOPLE,
    Column("identity", String, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("forget_ms", BigInteger, nullable=False),  # then no topic has the record any more
)
