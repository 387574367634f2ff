"""Table of cases that one person hands over to another person or to a team."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "handovers",
        sa.Column("handover_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                  nullable=False, autoincrement=True),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("receiver", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("read_ms", sa.BigInteger(), nullable=True),
        sa.Column("read_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("handover_id", name="pk_handovers"),
    )  # fmt: skip
    for column in ("episode_id", "recipient", "receiver", "at_ms"):
        op.create_index(f"ix_handovers_{column}", "handovers", [column])
