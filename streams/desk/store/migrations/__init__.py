"""Migrations of what people wrote."""
