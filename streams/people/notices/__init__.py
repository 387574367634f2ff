"""Notify the people whom a flood concerns: its victims, and the platforms that were abused."""
