"""Add a column: the time when another person last set an account's password or roles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column. It is NULL for existing accounts, because the time is not known."""
    op.add_column("accounts", sa.Column("given_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("accounts", "given_ms")
