"""Alembic migrations of the people database."""
