"""The tables of the first release. A new database gets them from `people_tables`, without steps."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Change nothing: no older database exists."""
