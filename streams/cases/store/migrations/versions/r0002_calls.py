"""Indexes of calls: by ticket, by case, and by time."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the indexes."""
    for column in ("ticket", "episode_id", "at_ms"):
        op.create_index(f"ix_calls_{column}", "calls", [column])
