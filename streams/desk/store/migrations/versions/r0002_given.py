"""The time at which somebody at the desk last gave an account its password or its rights."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; of accounts that are there nobody knows."""
    op.add_column("accounts", sa.Column("given_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("accounts", "given_ms")
