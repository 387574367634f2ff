"""Figures of platforms: how much each sends, to whom it is new, and how much of it is of floods."""
