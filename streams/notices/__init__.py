"""Telling those whom a flood concerns: its victims, and the platforms whose pages were used."""
