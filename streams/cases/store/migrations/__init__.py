"""Alembic migrations of the people database: accounts, sessions, what people wrote at the desk."""
